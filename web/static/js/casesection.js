/** The cases of a clue: where each stands, its areas, checks and clock, and what can be done with it. */

import { assign, split } from "./api.js";
import { announce } from "./announce.js";
import { takeBack } from "./casesteps.js";
import { clock } from "./clock.js";
import { button, h } from "./dom.js";
import { day, inMu, moment } from "./format.js";
import { ask, labelled } from "./forms.js";
import { nameOf, part, reasonOf } from "./names.js";
import { isOffice } from "./people.js";
import { stepOf } from "./steps.js";
import { t } from "./texts.js";

const AREAS = ["illegal", "rectified", "remaining"];

/** Return the cases, with the clock of the limitation above them. */
export function showCases(clue, desk) {
  return h("div", {}, clock(clue),
    clue.cases.length ? clue.cases.map((one) => card(clue, one, desk)) : h("p", { class: "muted" }, t("verdict.nocase")));
}

function card(clue, one, desk) {
  const offered = one.allowed.map(stepOf).filter(Boolean);
  const office = isOffice(desk.user) && one.state !== "closed";
  return h("article", { class: "case" },
    h("header", {}, h("h3", {}, one.case_no), h("span", { class: "badge solid" }, nameOf("states", one.state)),
      h("span", { class: "badge" }, nameOf("review_levels", one.review_level)),
      one.verdict && h("span", { class: `badge ${one.verdict}` }, nameOf("verdicts", one.verdict))),
    path(one.state),
    h("dl", { class: "clue-facts" }, facts(one).map(([words, value]) => h("div", {}, h("dt", {}, words), h("dd", {}, value)))),
    one.returned && h("p", { class: "why-asked" }, `${t("case.returned")}${t("colon")}${one.returned}`),
    balance(one.areas),
    one.checks.length > 0 && h("ul", { class: "checks" }, one.checks.map(check)),
    h("p", { class: "row wrap" },
      offered.map((step) => button({ data: { step: step.action }, on: { click: () => step.open(clue, one, desk) } }, nameOf("actions", step.action))),
      office && button({ on: { click: () => give(clue, one, desk) } }, t("case.assign")),
      office && one.parcels.length > 1 && !one.verdict && button({ on: { click: () => divide(clue, one, desk) } }, t("case.split"))));
}

/** The way of a case through its states, as far as it came. */
function path(state) {
  const states = Object.keys(part("states"));
  const at = states.indexOf(state);
  return h("ol", { class: "path", "aria-label": t("case.path") }, states.map((one, index) =>
    h("li", { class: index < at ? "past" : "", title: nameOf("states", one), "aria-current": index === at ? "step" : null }, h("span", {}, nameOf("states", one)))));
}

function facts(one) {
  const told = Object.entries(one.facts ?? {}).map(([name, value]) => [nameOf("fields", name), value]);
  return [
    [t("fact.division"), one.division], [t("fact.due"), day(one.due_date) || t("none")], [t("fact.assigned"), one.assigned_to || t("none")],
    ...(one.verdict_reason ? [[nameOf("fields", "reason"), reasonOf(one.verdict, one.verdict_reason)]] : []), ...told,
  ];
}

/** Illegal = rectified + remaining, as a bar and in words. */
function balance(areas) {
  if (!areas?.illegal) return null;
  const bar = h("meter", { min: 0, max: areas.illegal, value: areas.rectified, "aria-label": t("areas.rectified") });
  return h("div", { class: "areas" },
    h("p", {}, t("areas.balance", Object.fromEntries(AREAS.map((name) => [name, inMu(areas[name])])))), bar);
}

function check(one) {
  const { form } = one;
  const told = Object.entries(form).map(([name, value]) => `${nameOf("fields", name)}${t("colon")}${value}`);
  return h("li", {}, h("p", {}, h("strong", {}, nameOf("actions", `${one.kind}_check`)), ` ${one.by} `, h("time", { datetime: one.at }, moment(one.at))),
    told.map((words) => h("p", { class: "muted" }, words)));
}

function give(clue, one, desk) {
  const who = h("input", { name: "assigned_to", maxlength: 80, value: one.assigned_to ?? "" });
  const where = h("input", { name: "division", maxlength: 12, inputmode: "numeric", pattern: "[0-9]{6,12}", value: one.division });
  ask(`${t("case.assign")} ${one.case_no}`, [labelled(t("filter.assigned_to"), who, { hint: t("case.name") }), labelled(t("filter.division"), where, { hint: t("case.town") })],
    async (values) => {
      await assign(one.case_no, one.version, { assigned_to: values.assigned_to ?? "", division: values.division ?? "" });
      announce(t("case.given", { case: one.case_no }));
      await desk.changed(clue.clue_no);
    }, { done: t("case.assign") });
}

function divide(clue, one, desk) {
  const boxes = one.parcels.map((parcel, at) => {
    const box = h("input", { type: "checkbox", name: `parcel-${at}`, id: `parcel-${at}` });
    return h("label", { class: "row wide", for: box.id }, box, parcel.parcel_id, h("span", { class: "muted" }, nameOf("lines", parcel.line)));
  });
  ask(`${t("case.split")} ${one.case_no}`, [h("p", { class: "wide" }, t("case.which")), boxes, h("p", { class: "wide muted" }, t("case.final"))], async (values) => {
    const chosen = one.parcels.filter((_, at) => values[`parcel-${at}`]);
    const { cases: [kept] } = await split(one.case_no, one.version, chosen);
    announce(t("case.divided", { case: one.case_no }), {
      label: t("verdict.undo"),
      action: () => takeBack(clue, kept, desk),
    });
    await desk.changed(clue.clue_no);
  }, { done: t("case.split") });
}
