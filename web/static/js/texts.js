/** Words of the page in the language of the reader; two files of texts per language. */

import { enCases } from "./texts/en-cases.js";
import { en } from "./texts/en.js";
import { zhCases } from "./texts/zh-cases.js";
import { zh } from "./texts/zh.js";

const TEXTS = { zh: { ...zh, ...zhCases }, en: { ...en, ...enCases } };
const KEPT = "tuban.language";

/** The language of the page: as chosen, else that of the browser. */
export const language = chosen();

function chosen() {
  const asked = new URLSearchParams(location.search).get("lang") || localStorage.getItem(KEPT);
  if (asked in TEXTS) return asked;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** Return the words of a key with its values filled in. */
export function t(key, values = {}) {
  const words = TEXTS[language][key];
  if (words === undefined) throw new Error(`no text is called ${key}`);
  return words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Return what a thing that carries both languages says in that of the page. */
export function told(thing, field = "") {
  if (!thing) return "";
  const stem = field ? `${field}_` : "";
  return thing[`${stem}${language}`] ?? thing[field] ?? "";
}

/** Show the page in another language. */
export function speak(other) {
  localStorage.setItem(KEPT, other);
  const query = new URLSearchParams(location.search);
  query.delete("lang");
  const search = query.size ? `?${query}` : "";
  history.replaceState(null, "", `${location.pathname}${search}${location.hash}`);
  location.reload();
}
