/** Short notices: read aloud by screen readers, seen for a few seconds. */

import { button, fill, h, icon } from "./dom.js";
import { t, told } from "./texts.js";

let timer = 0;

/** Tell what was done, with one thing that can be done about it. */
export function announce(words, { action = null, label = "" } = {}) {
  const place = document.getElementById("told");
  const more = action && button({ class: "told-action", on: { click: () => { fill(place); action(); } } }, label);
  fill(place, h("div", { class: "notice" }, h("span", {}, words), more));
  clearTimeout(timer);
  timer = setTimeout(() => fill(place), 6000);
}

/** Tell what went wrong and what can be done; it stays until it is put away.
 * What names a thing that is to be done about it outlives whatever else goes wrong or well. */
export function alarm(problem, { about = "", label = "", action = null } = {}) {
  const leave = () => node.remove();
  const node = h("div", { class: `notice bad${action ? " kept" : ""}` }, h("span", {}, `${about}${problemWords(problem)}`),
    action && button({ class: "told-action", on: { click: () => { leave(); action(); } } }, label),
    button({ label: t("close"), class: "quiet", on: { click: leave } }, icon("close")));
  calm();
  document.getElementById("alerted").append(node);
}

/** Put away what was told to have gone wrong and asks for nothing to be done. */
export function calm() {
  document.querySelectorAll("#alerted .notice:not(.kept)").forEach((node) => node.remove());
}

/** Return a problem of the API in the language of the page: what is wrong, and the fix. */
export function problemWords(problem) {
  if (!problem.status) return t("away");
  const what = told(problem, "detail") || told(problem, "title") || t("refused", { status: problem.status });
  const fix = told(problem, "fix");
  if (!fix) return what;
  const end = /[.。!?！？]$/.test(what) ? "" : t("sentence.end");
  return `${what}${end}${t("sentence.gap")}${fix.charAt(0).toUpperCase()}${fix.slice(1)}`;
}
