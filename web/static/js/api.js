/** The only way of the page to the API: sessions, versions, problems. */

let csrf = "";

/** A refusal of the API, or no answer at all (status 0). */
export class Problem extends Error {
  constructor(status, content = {}) {
    super(content.detail || content.title || `status ${status}`);
    this.status = status;
    Object.assign(this, content, { status });
  }
}

/** Answer of the API as data. `version` is sent as If-Match; `form` as multipart. */
export async function call(method, path, { query, body, form, version, signal, priority, keepalive } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const sent = form ?? (body === undefined ? undefined : JSON.stringify(body));
  let answer;
  try {
    answer = await fetch(path + asQuery(query), { method, headers, body: sent, signal, priority, keepalive, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0);
  }
  const content = answer.status === 204 ? null : await contentOf(answer);
  if (answer.ok) return content;
  const problem = new Problem(answer.status, content ?? {});
  if (answer.status === 401 && path !== "/api/session") document.dispatchEvent(new CustomEvent("signed-out"));
  throw problem;
}

async function contentOf(answer) {
  try {
    return await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null;
  }
}

/** Return a query string of what is set; lists are repeated. */
export function asQuery(query) {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== "" && one !== null && one !== undefined && one !== false) pairs.append(name, one);
    }
  }
  return pairs.size ? `?${pairs}` : "";
}

const at = (no) => encodeURIComponent(no);

function entered(session) {
  csrf = session?.csrf ?? "";
  return session?.user ?? null;
}

/** Who is signed in, or nobody. */
export const signedIn = async () => entered(await call("GET", "/api/session"));

/** Sign in; return the user. */
export const signIn = async (name, password) =>
  entered(await call("POST", "/api/session", { body: { name, password } }));

export const signOut = () => call("DELETE", "/api/session");

export const changePassword = (old, fresh) =>
  call("POST", "/api/session/password", { body: { old, new: fresh } });

export const vocabulary = () => call("GET", "/api/vocabulary");
export const runs = () => call("GET", "/api/runs");
export const batches = () => call("GET", "/api/batches");
export const images = (query = {}) => call("GET", "/api/images", { query });

export const clues = (query, signal) => call("GET", "/api/clues", { query, signal });
export const clue = (no, priority) => call("GET", `/api/clues/${at(no)}`, { priority });
export const explanation = (no, lang) => call("GET", `/api/clues/${at(no)}/explanation`, { query: { lang } });
export const events = (no) => call("GET", `/api/clues/${at(no)}/events`);
export const comment = (no, text, case_no = null) =>
  call("POST", `/api/clues/${at(no)}/comments`, { body: { text, case_no } });

export const collections = () => call("GET", "/ogc/collections");
export const features = (collection, query, signal) =>
  call("GET", `/ogc/collections/${at(collection)}/items`, { query, signal });

/** Take a step of a case as seen in a version, also when the page is left meanwhile; return the case afterwards. */
export const act = (caseNo, action, version, form = {}) =>
  call("POST", `/api/cases/${at(caseNo)}/actions/${at(action)}`, { version, body: { form }, keepalive: true });

export const undo = (caseNo, version) => call("POST", `/api/cases/${at(caseNo)}/undo`, { version, body: {} });

/** Address of a tile of an image, with {z}, {x}, {y} to be filled in. */
export const tileAddress = (imageId) => `${location.origin}/tiles/${at(imageId)}/{z}/{x}/{y}.webp`;

export const timeline = (no) => call("GET", `/api/clues/${at(no)}/timeline`);

/** Judge a clue again with a document: {role, number, date, attachment}. */
export const rejudge = (no, paper) => call("POST", `/api/clues/${at(no)}/rejudge`, { body: paper });

/** Send a photo or scan of a clue; the API looks into its bytes. */
export function attach(no, file, kind, caseNo = "") {
  const form = new FormData();
  form.append("kind", kind);
  if (caseNo) form.append("case_no", caseNo);
  form.append("file", file, file.name);
  return call("POST", `/api/clues/${at(no)}/attachments`, { form });
}

export const attachmentAddress = (sha256) => `/api/attachments/${at(sha256)}`;

/** Put outlines (GeoJSON polygons in degrees) in place of that of a clue as seen in a version. */
export const redraw = (no, version, polygons) =>
  call("POST", `/api/clues/${at(no)}/outline`, { version, body: { polygons } });

export const dispatch = (body) => call("POST", "/api/dispatch", { body });
export const assign = (caseNo, version, body) => call("POST", `/api/cases/${at(caseNo)}/assign`, { version, body });
export const split = (caseNo, version, parcels) => call("POST", `/api/cases/${at(caseNo)}/split`, { version, body: { parcels } });

export const statistics = (query) => call("GET", "/api/statistics", { query });
export const points = (query) => call("GET", "/api/clues/points", { query });
export const exceptions = () => call("GET", "/api/exceptions");
export const sample = (query) => call("GET", "/api/sample", { query });
export const audit = () => call("GET", "/api/audit/verify");

/** Address of the clues of a filter as a file. */
export const exportAddress = (format, query) => `/api/exports/${at(format)}${asQuery(query)}`;

export const tokens = () => call("GET", "/api/tokens");
export const addToken = (name, days) => call("POST", "/api/tokens", { body: { name, days } });
export const revokeToken = (id) => call("DELETE", `/api/tokens/${at(id)}`);
export const users = () => call("GET", "/api/users");
export const addUser = (body) => call("POST", "/api/users", { body });
export const changeUser = (name, body) => call("PATCH", `/api/users/${at(name)}`, { body });
