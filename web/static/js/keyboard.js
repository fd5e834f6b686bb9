/** Keys of the desk: bound by the place that is shown, listed by the help, switched off by choice. */

import { button, fill, h, icon } from "./dom.js";
import { t } from "./texts.js";

const KEPT = "tuban.keys";
const bound = new Map();

/** Let a key do something; `key` is that of the keyboard event, `words` the text of the help. */
export function bind(key, words, action) {
  bound.set(key, { words, action });
}

/** Forget keys of a place that is left. */
export const unbind = (...keys) => keys.forEach((key) => bound.delete(key));

/** Are single keys listened to? */
export const keysOn = () => localStorage.getItem(KEPT) !== "off";

const typing = (node) => node.closest?.("input, textarea, select, [contenteditable]") && node.type !== "checkbox" && node.type !== "radio";

/** Listen to keys of the whole page. */
export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (typing(event.target) || document.querySelector("dialog[open]") || !keysOn()) return;
    const found = bound.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
    if (!found) return;
    event.preventDefault();
    found.action(event);
  });
}

/** Show which keys do what. */
export function showHelp() {
  const rows = [...bound].filter(([, one]) => one.words).map(([key, one]) =>
    h("tr", {}, h("td", {}, h("kbd", {}, key === " " ? t("key.space") : key)), h("td", {}, t(one.words))));
  const off = h("input", { type: "checkbox", id: "keys-on", checked: keysOn() });
  off.addEventListener("change", () => localStorage.setItem(KEPT, off.checked ? "on" : "off"));
  dialog(t("help.title"),
    h("p", { class: "muted" }, t("help.line")),
    h("table", { class: "keys" }, h("tbody", {}, rows)),
    h("p", { class: "row" }, off, h("label", { for: "keys-on" }, t("help.switch"))));
}

/** Show a dialog; return it. It closes with Escape and gives the focus back. */
export function dialog(title, ...parts) {
  const node = h("dialog", { "aria-labelledby": "dialog-title" });
  const close = button({ label: t("close"), class: "quiet", on: { click: () => node.close() } }, icon("close"));
  fill(node, h("header", {}, h("h2", { id: "dialog-title" }, title), close), h("div", { class: "dialog-body" }, parts));
  node.addEventListener("close", () => node.remove());
  document.body.append(node);
  node.showModal();
  return node;
}
