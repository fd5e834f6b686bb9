/** What happened to a clue: the periods that showed it and every event, newest first. */

import { timeline } from "./api.js";
import { h } from "./dom.js";
import { day, inMu, moment } from "./format.js";
import { nameOf, part, reasonOf } from "./names.js";
import { t } from "./texts.js";

/** Return the history as a list. */
export async function showTimeline(clue) {
  const { items } = await timeline(clue.clue_no);
  if (!items.length) return h("p", { class: "muted" }, t("time.none"));
  return h("ol", { class: "timeline" }, items.toReversed().map((one) => (one.kind === "period" ? period(one) : event(one))));
}

function period(one) {
  return h("li", { class: "period" }, h("time", { datetime: day(one.period_after) }, day(one.period_after)),
    h("p", {}, h("strong", {}, t("time.seen")), ` ${one.run ?? one.name ?? ""}`, one.fate && h("span", { class: "badge" }, nameOf("fates", one.fate))),
    one.area_dm2 && h("p", { class: "muted" }, inMu(one.area_dm2)));
}

function event(one) {
  const role = nameOf("roles", one.role);
  return h("li", {}, h("time", { datetime: one.at }, moment(one.at)),
    h("p", {}, h("strong", {}, nameOfEvent(one.what)), ` ${one.who}`, role && h("span", { class: "muted" }, ` ${role}`)),
    details(one).map(([words, value]) => h("p", { class: "muted" }, `${words}${t("colon")}${value}`)),
    h("p", { class: "hash", title: one.hash }, `#${one.seq} ${String(one.hash).slice(0, 12)}`));
}

const OWN = {
  import: "time.import", "case.undo": "time.undo", "case.split": "time.split", "case.joined": "time.joined", "case.assign": "time.assign",
  "comment.add": "time.comment", "attachment.add": "time.file", "clue.rejudge": "time.rejudge",
  "verdict.enter": "time.verdict", "clue.judged_again": "time.again",
};

function nameOfEvent(what) {
  if (OWN[what]) return t(OWN[what]);
  const action = what.replace(/^case\./, "");
  return part("actions")[action] ? nameOf("actions", action) : t("time.other");
}

/** What a form told, in the words of its fields; areas in mu. */
function details(one) {
  const form = { ...one.after?.form };
  if (one.what === "comment.add") return [[t("comment.label"), one.after.text]];
  if (one.what === "attachment.add") return [[t("file.file"), one.after.name]];
  if (one.what === "clue.rejudge") return [[nameOf("layer_roles", one.after.paper.role), one.after.paper.number]];
  if (one.what === "case.assign") return [[t("filter.assigned_to"), one.after.case?.assigned_to || t("none")]];
  return Object.entries(form).filter(([name]) => part("fields")[name]).map(([name, value]) => [nameOf("fields", name), worded(name, value, form)]);
}

function worded(name, value, form) {
  const { kind } = part("fields")[name];
  if (kind === "area") return inMu(value);
  if (kind === "verdict") return nameOf("verdicts", value);
  return name === "reason" ? reasonOf(form.verdict, value) : String(value);
}
