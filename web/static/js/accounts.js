/** One's password and tokens; for administrators all accounts. */

import { addToken, addUser, changePassword, changeUser, revokeToken, tokens, users } from "./api.js";
import { alarm, announce } from "./announce.js";
import { button, fill, h } from "./dom.js";
import { day } from "./format.js";
import { ask, labelled } from "./forms.js";
import { choices, nameOf } from "./names.js";
import { t } from "./texts.js";

/** Show the accounts. */
export async function show(main, { user }) {
  const [mine, all] = [h("section", { class: "card-box" }), h("section", { class: "card-box all" })];
  fill(main, h("div", { class: "sheet" }, h("h1", {}, t("place.accounts")),
    h("p", {}, `${user.display || user.name} · ${nameOf("roles", user.role)}${user.division ? ` · ${user.division}` : ""}`),
    h("p", { class: "row" }, button({ on: { click: askPassword } }, t("password.title"))),
    mine, user.role === "administrator" && all));
  await Promise.all([showTokens(mine), user.role === "administrator" && showUsers(all)]);
}

const input = (name, words, more = {}, hint = "") => labelled(words, h("input", { name, ...more }), { hint });

function askPassword() {
  ask(t("password.title"), [
    input("old", t("password.old"), { type: "password", required: true, autocomplete: "current-password" }),
    input("fresh", t("password.new"), { type: "password", required: true, autocomplete: "new-password" }),
  ], async (values) => {
    await changePassword(values.old, values.fresh);
    announce(t("password.kept"));
  }, { done: t("password.change") });
}

const heads = (...names) => h("thead", {}, h("tr", {}, names.map((words) => h("th", { scope: "col" }, words))));

async function showTokens(place) {
  const { items } = await tokens();
  const again = () => showTokens(place).catch(alarm);
  const revoke = async (one) => {
    try {
      await revokeToken(one.id);
      announce(t("token.revoked", { name: one.name }));
    } catch (problem) {
      alarm(problem);
    }
    await again();
  };
  fill(place, h("h2", {}, t("token.title")), h("p", { class: "muted" }, t("token.why")),
    items.length > 0 && h("div", { class: "scroll" }, h("table", { class: "plain" }, heads(t("token.name"), t("token.until"), t("token.state")),
      h("tbody", {}, items.map((one) => h("tr", {}, h("th", { scope: "row" }, one.name), h("td", {}, day(one.expires_at)),
        h("td", {}, one.revoked_at ? t("token.gone") : button({ label: t("token.revokeone", { name: one.name }), on: { click: () => revoke(one) } }, t("token.revoke")))))))),
    h("p", { class: "row" }, button({ class: "new-token", on: { click: () => newToken(again) } }, t("token.new"))));
}

function newToken(again) {
  const { node } = ask(t("token.new"), [
    input("name", t("token.name"), { required: true, maxlength: 80 }),
    input("days", t("token.days"), { type: "number", min: 1, max: 366, value: 90, required: true, data: { kind: "number" } }),
  ], async ({ name, days }) => {
    const made = await addToken(name, days);
    fill(node.querySelector(".dialog-body"), h("p", {}, t("token.once")), h("p", {}, h("code", { class: "secret" }, made.secret)));
    await again();
    return true;
  }, { done: t("token.new") });
}

async function showUsers(place) {
  const { items } = await users();
  const again = () => showUsers(place).catch(alarm);
  fill(place, h("h2", {}, t("user.title")),
    h("div", { class: "scroll" }, h("table", { class: "plain" }, heads(t("signin.name"), t("user.display"), t("user.role"), t("filter.division"), t("token.state"), t("user.change")),
      h("tbody", {}, items.map((one) => h("tr", {}, h("th", { scope: "row" }, one.name), h("td", {}, one.display), h("td", {}, nameOf("roles", one.role)), h("td", {}, one.division),
        h("td", {}, one.active ? t("user.active") : t("user.shut")),
        h("td", {}, button({ label: t("user.changeone", { name: one.name }), on: { click: () => editUser(one, again) } }, t("user.change")))))))),
    h("p", { class: "row" }, button({ class: "new-user", on: { click: () => editUser(null, again) } }, t("user.new"))));
}

/** Enter a user, or change one; a password that is given here has to be changed at the first sign-in. */
function editUser(one, again) {
  const roles = h("select", { name: "role", required: true }, choices("roles").map(([code, words]) => h("option", { value: code, selected: code === one?.role }, words)));
  const active = one && h("label", { class: "row" }, h("input", { type: "checkbox", name: "active", checked: one.active }), t("user.active"));
  ask(one ? `${t("user.change")} ${one.name}` : t("user.new"), [
    !one && input("name", t("signin.name"), { required: true, maxlength: 80, autocapitalize: "none" }),
    input("display", t("user.display"), { maxlength: 80, value: one?.display ?? "" }),
    labelled(t("user.role"), roles),
    input("division", t("filter.division"), { maxlength: 12, inputmode: "numeric", pattern: "[0-9]*", value: one?.division ?? "" }),
    input("password", t("user.password"), { type: "password", required: !one, autocomplete: "new-password" }, t("user.first")),
    active,
  ], async ({ active: open, ...values }) => {
    if (one) await changeUser(one.name, { ...values, division: values.division ?? "", active: open === "on" });
    else await addUser(values);
    announce(t("user.kept", { name: one?.name ?? values.name }));
    await again();
  }, { done: one ? t("user.change") : t("user.new") });
}
