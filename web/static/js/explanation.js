/** Why the machine says so: the text of `tuban explain`, what decided first, all rules below. */

import { explanation } from "./api.js";
import { h } from "./dom.js";
import { language, t } from "./texts.js";

const RESULTS = { 成立: "holds", 不成立: "falls", 无法确定: "open", holds: "holds", "does not hold": "falls", "cannot be told": "open" };
const STEP = new RegExp(`^  (\\S+) (.+?)(?:：|: )(${Object.keys(RESULTS).join("|")})[。.] ?(.*)$`);
const kept = new Map();

/** Return the explanation of a clue. */
export async function showExplanation(clue) {
  const key = `${clue.clue_no} ${clue.version}`;
  if (!kept.has(key)) {
    if (kept.size > 30) kept.clear();
    kept.set(key, explanation(clue.clue_no, language).catch((problem) => { kept.delete(key); throw problem; }));
  }
  const { parcels } = await kept.get(key);
  return h("div", {}, parcels.map((parcel) => finding(findingOf(parcel.lines))));
}

/** Return the parts of one finding: head, reason, steps, what else is told under headings. */
function findingOf([head, reason = "", ...lines]) {
  const found = { head, reason, steps: [], parts: [], notes: [] };
  for (const line of lines) {
    const step = line.match(STEP);
    const inside = line.startsWith("  ");
    if (step) found.steps.push({ rule: step[1], name: step[2], result: step[3], tests: step[4] });
    else if (inside && found.parts.length) found.parts.at(-1).items.push(line.trim().replace(/^\d+\. /, ""));
    else if (/[：:]$/.test(line)) found.parts.push({ title: line.slice(0, -1), items: [] });
    else found.notes.push(line.trim());
  }
  found.tried = found.parts[0]?.title ?? "";
  return { ...found, parts: found.parts.filter((part) => part.items.length) };
}

function finding({ head, reason, steps, parts, notes, tried }) {
  const telling = ["holds", "open"].flatMap((kind) => steps.filter((step) => RESULTS[step.result] === kind));
  const [asked] = parts.slice(-1);
  const fallback = parts.filter((part) => part !== asked || part.title === tried);
  return h("article", { class: "why" },
    h("h3", {}, head),
    h("p", { class: "why-reason" }, reason),
    asked && asked.title !== tried && h("div", { class: "why-asked" }, h("h4", {}, asked.title), h("ul", {}, asked.items.map((item) => h("li", {}, item)))),
    telling.length > 0 && h("ol", { class: "why-steps" }, telling.map(row)),
    steps.length > 0 && h("details", {}, h("summary", {}, t("why.tried", { count: steps.length })),
      h("ol", { class: "why-steps" }, steps.map(row), fallback.flatMap((part) => part.items).map((item) => h("li", { class: "holds" }, item)))),
    h("div", { class: "why-notes" }, notes.map((line) => h("p", {}, line))));
}

const row = ({ rule, name, result, tests }) => h("li", { class: RESULTS[result] },
  h("p", { class: "why-rule" }, h("b", {}, rule), ` ${name} `, h("span", { class: "why-result" }, result)),
  tests && h("p", { class: "why-test" }, tests));
