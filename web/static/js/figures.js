/** The view from above: how many clues stand where, the ratio with its line, counties, months. */

import { points, runs, batches, statistics } from "./api.js";
import { bars, funnel, ratioLine, trend } from "./charts.js";
import { countyMap } from "./countymap.js";
import { countyOutlines } from "./divisions.js";
import { fill, h } from "./dom.js";
import { count, inMu } from "./format.js";
import { labelled } from "./forms.js";
import { nameOf } from "./names.js";
import { address, note } from "./route.js";
import { t } from "./texts.js";

const FILTERS = ["division", "run", "batch"];

/** Show the figures. */
export async function show(main, { query }) {
  const asked = Object.fromEntries(FILTERS.filter((name) => query[name]).map((name) => [name, query[name]]));
  const [listedRuns, listedBatches, outlines] = await Promise.all([runs(), batches(), countyOutlines()]);
  const drawnBy = { outlines, names: new Map(listedRuns.items.map((one) => [one.county_code, one.county_name || one.county_code])) };
  const body = h("div", { class: "figures", "aria-live": "polite" });
  const choose = (name, values) => {
    const input = h("select", {}, h("option", { value: "" }, t("filter.any")), values.map(([value, words]) => h("option", { value, selected: asked[name] === value }, words)));
    input.addEventListener("change", () => change({ [name]: input.value }));
    return labelled(t(`filter.${name}`), input);
  };
  const division = h("input", { inputmode: "numeric", maxlength: 12, pattern: "[0-9]*", value: asked.division ?? "" });
  division.addEventListener("change", () => change({ division: division.value.trim() }));
  const change = (more) => {
    Object.assign(asked, more);
    note("figures", asked);
    return load();
  };
  const load = async () => {
    const [told, where] = await Promise.all([statistics(asked), points(asked)]);
    fill(body, drawn(told, where, asked, drawnBy));
  };
  fill(main, h("div", { class: "sheet" }, h("h1", {}, t("place.figures")),
    h("div", { class: "sheet-filters" }, labelled(t("filter.division"), division),
      choose("run", listedRuns.items.map((one) => [one.name, one.name])), choose("batch", listedBatches.items.map((one) => [one.batch, one.batch]))),
    body));
  await load();
}

function drawn(told, where, asked, drawnBy) {
  const { ratio, total } = told;
  return [
    h("div", { class: "tiles" },
      tile(t("figure.clues"), count(total.count), inMu(total.area_dm2)),
      tile(t("figure.cropland"), inMu(total.cropland_dm2)),
      tile(t("figure.closed"), count(told.funnel.at(-1).count), t("figure.open", { count: count(total.count - told.funnel.at(-1).count) })),
      tile(t("figure.ratio"), percent(ratio.percent), t("figure.limit", { limit: ratio.limit_percent }), ratio.is_alert ? "alert" : "")),
    card(t("figure.funnel"), funnel(told.funnel.map((one) => ({ ...one, name: nameOf("states", one.state), href: address("review", { ...asked, state: one.state }) })))),
    card(t("figure.ratio"), ratioLine(ratio), h("p", {}, t("figure.parts", {
      illegal: inMu(ratio.illegal_cropland_dm2), open: inMu(ratio.open_cropland_dm2), whole: inMu(ratio.new_construction_cropland_dm2),
    })), ratio.is_partial && h("p", { class: "muted" }, t("figure.partial")), ratio.is_alert && h("p", { class: "bad" }, h("strong", {}, t("figure.alert")))),
    card(t("figure.map"), countyMap(told.counties, where, told.ratio.limit_percent, drawnBy)),
    card(t("figure.trend"), trend(told.months)),
    card(t("figure.outcomes"), bars([
      ...told.outcomes.map((one) => ({ ...one, kind: one.outcome, name: nameOf("outcomes", one.outcome) })),
    ])),
    card(t("figure.verdicts"), bars(told.verdicts.map((one) => ({ ...one, kind: one.verdict || "waiting", name: nameOf("verdicts", one.verdict) || t("figure.unjudged") })))),
    h("section", { class: "card-box all" }, h("h2", {}, t("figure.counties")), counties(told.counties, asked, drawnBy.names)),
  ];
}

export const percent = (value) => (value === null || value === undefined ? t("none") : `${value.toFixed(2)} %`);

const tile = (words, value, more = "", kind = "") => h("div", { class: `tile ${kind}` }, h("p", {}, words), h("strong", {}, value), h("small", {}, more));

const card = (title, ...parts) => h("section", { class: "card-box" }, h("h2", {}, title), parts);

function counties(list, asked, names) {
  const heads = ["figure.county", "figure.clues", "figure.area", "figure.cropland", "figure.illegal", "figure.unclosed", "figure.ratio"];
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("figure.counties") }, h("table", { class: "plain" },
    h("thead", {}, h("tr", {}, heads.map((words, at) => h("th", { scope: "col", class: at ? "number" : "" }, t(words))))),
    h("tbody", {}, list.map((one) => h("tr", { class: one.ratio.is_alert ? "alert" : "" },
      h("th", { scope: "row" }, h("a", { href: address("review", { ...asked, division: one.county_code }) }, names.get(one.county_code) ?? "", h("small", { class: "muted" }, one.county_code))),
      [count(one.count), inMu(one.area_dm2), inMu(one.cropland_dm2), count(one.illegal), count(one.open), percent(one.ratio.percent)].map((value) => h("td", { class: "number" }, value)))))));
}
