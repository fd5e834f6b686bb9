/** Clues in a table, for the places that tell some of them. */

import { h } from "./dom.js";
import { day, daysUntil, inMu } from "./format.js";
import { nameOf } from "./names.js";
import { address } from "./route.js";
import { t } from "./texts.js";

/** Return clues as a table; each opens in the review. */
export function clueTable(items, name) {
  const heads = ["clue.title", "fact.division", "filter.state", "filter.outcome", "filter.verdict", "fact.area", "fact.due", "fact.limitation", "fact.assigned"];
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": name }, h("table", { class: "plain" },
    h("thead", {}, h("tr", {}, heads.map((words, at) => h("th", { scope: "col", class: at === 5 ? "number" : "" }, t(words))))),
    h("tbody", {}, items.map((one) => h("tr", {},
      h("th", { scope: "row" }, h("a", { href: address("review", { clue: one.clue_no }) }, one.clue_no)),
      h("td", {}, one.division || one.county_code),
      h("td", {}, nameOf("states", one.state)),
      h("td", {}, h("span", { class: `badge ${one.outcome}` }, nameOf("outcomes", one.outcome))),
      h("td", {}, one.verdict ? h("span", { class: `badge ${one.verdict}` }, nameOf("verdicts", one.verdict)) : ""),
      h("td", { class: "number" }, inMu(one.area_dm2)),
      h("td", {}, until(one.due_date, one.state)), h("td", {}, until(one.limitation_until, one.state)),
      h("td", {}, one.assigned_to || ""))))));
}

function until(value, state) {
  if (!value) return "";
  const left = daysUntil(value);
  if (state === "closed") return day(value);
  return [day(value), h("small", { class: left < 0 ? "late" : "muted" }, left < 0 ? t("list.late", { days: -left }) : t("list.left", { days: left }))];
}
