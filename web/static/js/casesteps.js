/** A step of a case by the form that the vocabulary tells, and what was done said with a way back. */

import { act, undo } from "./api.js";
import { alarm, announce, calm } from "./announce.js";
import { h } from "./dom.js";
import { ask, balanceOf, formField } from "./forms.js";
import { nameOf, part } from "./names.js";
import { t } from "./texts.js";

/** Fields by which a case balances. */
const WAYS = ["illegal_dm2", "demolished_dm2", "papers_dm2", "confiscated_dm2"];

/** Open the form of a step. */
export function openStep(action, clue, found, desk) {
  const { form = [], required = [] } = part("actions")[action];
  const before = found.areas ?? {};
  const fields = form.map((name) => formField(name, { required: required.includes(name), value: known(name, found, before, clue) }));
  const nothing = !fields.length && h("p", { class: "wide" }, t("step.sure", { step: nameOf("actions", action), case: found.case_no }));
  const { form: node } = ask(`${nameOf("actions", action)} ${found.case_no}`, [nothing, fields],
    (values) => take(action, values, clue, found, desk), { done: nameOf("actions", action) });
  if (form.some((name) => WAYS.includes(name))) node.querySelector(".said").before(balanceOf(node, before, areaOf(found, clue)));
}

/** The land of a case, as the API counts it: that of its parcels on the line where they are most, else that of the clue. */
function areaOf(found, clue) {
  const sums = {};
  for (const { line, parcel_id: id } of found.parcels) {
    const parcel = clue.parcels.find((one) => one.line === line && one.parcel_id === id);
    sums[line] = (sums[line] ?? 0) + (parcel?.area_dm2 ?? 0);
  }
  return Math.max(0, ...Object.values(sums)) || clue.area_dm2;
}

/** What a case knows of a field already. */
function known(name, found, before, clue) {
  if (name === "illegal_dm2") return before.illegal ?? areaOf(found, clue);
  if (name.endsWith("_dm2")) return before[name.replace("_dm2", "")] || "";
  if (name === "reason") return "";
  return found.facts?.[name] ?? "";
}

/** Take a step, say so, and show the clue anew; a case that others changed is shown as it is now. */
export async function take(action, values, clue, found, desk) {
  let after;
  try {
    after = await act(found.case_no, action, found.version, values);
  } catch (problem) {
    if (problem.status === 412) desk.changed(clue.clue_no).catch(alarm);
    throw problem;
  }
  calm();
  announce(t("step.done", { step: nameOf("actions", action), case: found.case_no }), {
    label: t("verdict.undo"),
    action: () => takeBack(clue, after, desk),
  });
  await desk.changed(clue.clue_no);
}

/** Undo the last step of a case, say so, and show the clue anew. */
export async function takeBack(clue, after, desk) {
  try {
    await undo(after.case_no, after.version);
    announce(t("step.undone", { case: after.case_no }));
    await desk.changed(clue.clue_no);
  } catch (problem) {
    alarm(problem);
  }
}
