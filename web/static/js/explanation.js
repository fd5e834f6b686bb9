/** Why the machine says so: the rules in the order they were tried, as `tuban explain` prints them. */

import { explanation } from "./api.js";
import { h } from "./dom.js";
import { nameOf } from "./names.js";
import { language, t } from "./texts.js";

const RESULTS = { true: "holds", false: "falls", unknown: "open" };

/** Return the explanation of a clue. */
export async function showExplanation(clue) {
  const { parcels } = await explanation(clue.clue_no, language);
  return h("div", {}, parcels.map((parcel) => one(parcel, parcels.length > 1)));
}

function one(parcel, several) {
  return h("article", { class: "why" },
    several && h("h3", {}, parcel.parcel_id, h("span", { class: "muted" }, ` ${nameOf("lines", parcel.line)}`)),
    h("p", { class: "why-reason" }, parcel.reason),
    parcel.questions?.length > 0 && h("div", { class: "why-asked" }, h("h4", {}, t("why.questions")), h("ul", {}, parcel.questions.map((q) => h("li", {}, q)))),
    tried(parcel));
}

/** Every rule that was tried, those that held open to the eye. */
function tried({ steps, lines = [] }) {
  const rows = steps
    ? steps.map((step) => h("li", { class: RESULTS[step.result] },
      h("p", { class: "why-rule" }, h("b", {}, step.rule), ` ${step.name} `, h("span", { class: "muted" }, t(`why.${step.result}`))),
      step.tests.map((test) => h("p", { class: "why-test" }, test))))
    : lines.map((line) => h("li", {}, line));
  if (!rows.length) return null;
  return h("details", { open: true }, h("summary", {}, t("why.tried")), h("ol", { class: "why-steps" }, rows));
}
