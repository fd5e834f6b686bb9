/** Handing clues out: one, those that are marked, or all that the filters choose. */

import { dispatch } from "./api.js";
import { announce, calm } from "./announce.js";
import { fill, h } from "./dom.js";
import { count } from "./format.js";
import { ask, labelled } from "./forms.js";
import { nameOf } from "./names.js";
import { t, told } from "./texts.js";

const LISTS = ["state", "outcome", "rule", "change_type", "verdict", "fate"];
const NUMBERS = ["min_area", "max_area"];

/** Hand out the clue that is looked at. */
export function dispatchOne(clue, desk) {
  openDispatch([{ words: t("dispatch.one", { clue: clue.clue_no }), clue_nos: [clue.clue_no] }], () => desk.changed(clue.clue_no));
}

/** Hand out what is marked in the list, or all that its filters choose. */
export function dispatchMany(marked, filters, total, done) {
  openDispatch([
    ...(marked.length ? [{ words: t("dispatch.marked", { count: count(marked.length) }), clue_nos: marked }] : []),
    { words: t("dispatch.all", { count: count(total) }), filters: inBody(filters) },
  ], done);
}

/** Return filters of the address as the body of a request has them. */
export function inBody({ order, ...filters }) {
  const told = {};
  for (const [name, value] of Object.entries(filters)) {
    if (LISTS.includes(name)) told[name] = [value].flat();
    else if (NUMBERS.includes(name)) told[name] = Number(value);
    else told[name] = name === "overdue" ? value === "true" : value;
  }
  return told;
}

function openDispatch(sets, done) {
  const chosen = sets.map(({ words }, at) => {
    const radio = h("input", { type: "radio", name: "set", id: `set-${at}`, value: at, checked: at === 0 });
    return h("label", { class: "row wide", for: radio.id }, radio, words);
  });
  const input = (name, words, more = {}, shape = {}) => labelled(words, h("input", { name, ...more }), shape);
  const year = new Date().getFullYear();
  const batch = h("fieldset", { class: "wide" }, h("legend", {}, t("dispatch.batch")),
    input("year", t("dispatch.year"), { type: "number", min: 2000, max: 2200, value: year, data: { kind: "number" } }),
    input("number", t("dispatch.number"), { type: "number", min: 1, max: 999, data: { kind: "number" } }, { hint: t("dispatch.nobatch") }),
    input("issue_date", t("dispatch.issued"), { type: "date", value: new Date().toISOString().slice(0, 10) }));
  const { node, form } = ask(nameOf("actions", "dispatch"), [
    h("div", { class: "wide", role: "radiogroup", "aria-label": t("dispatch.which") }, chosen),
    input("due_date", nameOf("fields", "due_date"), { type: "date" }, { hint: t("dispatch.due") }),
    input("assigned_to", t("filter.assigned_to"), { maxlength: 80 }, { hint: t("case.name") }),
    input("division", t("filter.division"), { maxlength: 12, inputmode: "numeric", pattern: "[0-9]{0,12}" }, { hint: t("case.town") }),
    batch,
  ], async (values) => {
    const { words, ...which } = sets[Number(form.querySelector("[name=set]:checked").value)];
    const { year: y, number, issue_date, due_date, assigned_to = "", division = "" } = values;
    const body = { ...which, division, assigned_to, due_date: due_date ?? null };
    if (number) body.batch = { year: y, number, issue_date, due_date };
    const answer = await dispatch(body);
    calm();
    const left = Object.entries(answer.left_out);
    const given = Object.keys(answer.cases).length;
    announce(t("dispatch.done", { count: count(given) }));
    await done();
    if (!left.length) return false;
    fill(node.querySelector(".dialog-body"), h("p", {}, h("strong", {}, t("dispatch.done", { count: count(given) }))),
      h("p", {}, t("dispatch.left", { count: count(left.length) })),
      h("ul", { class: "left-out" }, left.slice(0, 200).map(([no, why]) => h("li", {}, h("strong", {}, no), ` ${told(why)}`))));
    return true;
  }, { done: nameOf("actions", "dispatch") });
  const number = form.querySelector("[name=number]");
  const due = form.querySelector("[name=due_date]");
  number.addEventListener("input", () => { due.required = number.value !== ""; });
}
