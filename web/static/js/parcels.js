/** The parcels of a clue, line by line: what the machine says of each, and the documents on it. */

import { h } from "./dom.js";
import { day, inMu } from "./format.js";
import { nameOf } from "./names.js";
import { t, told } from "./texts.js";

/** Return the parcels with their documents. */
export function showParcels(clue) {
  if (!clue.parcels.length) return h("p", { class: "muted" }, t("parcel.none"));
  return h("div", {}, clue.parcels.map((parcel) => h("article", { class: "parcel" },
    h("header", {},
      h("h3", {}, parcel.parcel_id, h("span", { class: "muted" }, ` ${nameOf("lines", parcel.line)}`)),
      h("span", { class: "number" }, inMu(parcel.area_dm2)),
      h("span", { class: `badge ${parcel.outcome}` }, `${nameOf("outcomes", parcel.outcome)} ${parcel.rule ?? ""}`.trim())),
    told(parcel, "reason") && h("p", {}, told(parcel, "reason")),
    flags(parcel), documents(parcel))));
}

function flags(parcel) {
  if (!parcel.flags?.length) return null;
  return h("p", { class: "row wrap" }, parcel.flags.map((flag) => h("span", { class: "badge suspected" }, nameOf("flags", flag))));
}

function documents(parcel) {
  const found = parcel.documents ?? [];
  if (!found.length) return h("p", { class: "muted" }, t("parcel.nopapers"));
  return h("table", { class: "papers" },
    h("thead", {}, h("tr", {}, ["paper.role", "paper.number", "paper.date", "paper.area"].map((words, at) => h("th", { scope: "col", class: at === 3 ? "number" : "" }, t(words))))),
    h("tbody", {}, found.map((paper) => h("tr", {},
      h("td", {}, nameOf("layer_roles", paper.role)), h("td", {}, paper.number || paper.key),
      h("td", {}, day(paper.date)),
      h("td", { class: "number" }, paper.area_m2 ? inMu(Math.round(100 * paper.area_m2)) : "")))));
}
