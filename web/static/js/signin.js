/** Signing in, and a new password where one was given by somebody else. */

import { changePassword, signIn, signedIn, signOut } from "./api.js";
import { calm, problemWords } from "./announce.js";
import { button, fill, h } from "./dom.js";
import { language, speak, t } from "./texts.js";

/** Ask for name and password. */
export function showSignIn(page, enter) {
  const form = card(page, t("signin.title"), [
    field("name", t("signin.name"), { autocomplete: "username", autocapitalize: "none", spellcheck: "false" }),
    field("password", t("signin.password"), { type: "password", autocomplete: "current-password" }),
  ], t("signin.enter"));
  form.handle(async (values) => {
    const user = await signIn(values.name.trim(), values.password);
    calm();
    await enter(user);
  });
}

/** Ask for a password of one's own. */
export function showPasswordForm(page, user, enter) {
  const form = card(page, t("password.title"), [
    h("p", { class: "muted" }, t("password.why", { name: user.display || user.name })),
    field("old", t("password.old"), { type: "password", autocomplete: "current-password" }),
    field("fresh", t("password.new"), { type: "password", autocomplete: "new-password" }),
    field("again", t("password.again"), { type: "password", autocomplete: "new-password" }),
  ], t("password.change"), async () => { await signOut(); location.reload(); });
  form.handle(async (values) => {
    if (values.fresh !== values.again) return t("password.differ");
    await changePassword(values.old, values.fresh);
    await enter(await signedIn());
    return "";
  });
}

function field(name, label, attributes) {
  const id = `field-${name}`;
  return h("p", { class: "field" }, h("label", { for: id }, label), h("input", { id, name, required: true, ...attributes }));
}

function card(page, title, parts, done, leave = null) {
  const said = h("p", { class: "said bad", role: "alert" });
  const submit = h("button", { type: "submit", class: "primary" }, done);
  const form = h("form", { class: "card", "aria-labelledby": "card-title" },
    h("h1", { id: "card-title" }, title), parts, said,
    h("p", { class: "row" }, submit, leave && button({ on: { click: leave } }, t("sign.out"))));
  const other = language === "zh" ? "en" : "zh";
  const switcher = button({ class: "quiet", lang: other === "zh" ? "zh-CN" : "en", on: { click: () => speak(other) } },
    other === "zh" ? "中文" : "English");
  fill(page, h("main", { class: "entrance" },
    h("div", { class: "brand" }, h("img", { src: "/static/icon.svg", alt: "", width: 40, height: 40 }),
      h("div", {}, h("strong", {}, t("brand")), h("span", {}, t("brand.line")))),
    form, switcher));
  form.querySelector("input")?.focus();
  const handle = (action) => form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    fill(said);
    try {
      fill(said, (await action(Object.fromEntries(new FormData(form)))) || "");
    } catch (problem) {
      fill(said, problemWords(problem));
    } finally {
      submit.disabled = false;
    }
  });
  return { handle };
}
