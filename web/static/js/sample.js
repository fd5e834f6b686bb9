/** A sample that anybody can draw again by its seed, and the check of the audit. */

import { audit, sample } from "./api.js";
import { clueTable } from "./cluetable.js";
import { alarm, problemWords } from "./announce.js";
import { button, fill, h } from "./dom.js";
import { count } from "./format.js";
import { labelled } from "./forms.js";
import { note } from "./route.js";
import { t } from "./texts.js";

const AUDITORS = ["administrator", "supervisor"];

/** Show the form of the sample, and the sample that the address names. */
export async function show(main, { user, query }) {
  const seed = h("input", { name: "seed", required: true, maxlength: 80, value: query.seed ?? new Date().toISOString().slice(0, 10) });
  const size = h("input", { name: "n", type: "number", min: 1, max: 1000, required: true, value: query.n ?? 30 });
  const division = h("input", { name: "division", maxlength: 12, inputmode: "numeric", pattern: "[0-9]*", value: query.division ?? "" });
  const drawn = h("div", { role: "status" });
  const form = h("form", { class: "sheet-filters" }, labelled(t("sample.seed"), seed), labelled(t("sample.size"), size), labelled(t("filter.division"), division),
    h("p", { class: "field" }, h("button", { class: "primary", type: "submit" }, t("sample.draw"))));
  const load = async () => {
    const asked = { seed: seed.value.trim(), n: size.value, division: division.value.trim() };
    note("sample", asked);
    const found = await sample(asked);
    fill(drawn, h("p", {}, t("sample.drawn", { count: count(found.items.length), whole: count(found.population) })),
      found.items.length > 0 && [h("p", { class: "muted" }, t("sample.again"), " ", h("code", {}, found.digest)), clueTable(found.items, t("place.sample"))]);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    load().catch(alarm);
  });
  fill(main, h("div", { class: "sheet" }, h("h1", {}, t("place.sample")), h("p", { class: "muted" }, t("sample.why")), form, drawn,
    AUDITORS.includes(user.role) && checking()));
  if (query.seed) await load();
}

/** The check of events, rows and files. */
function checking() {
  const said = h("p", { role: "status" });
  const ask = button({ class: "audit", on: { click: async () => {
    ask.disabled = true;
    fill(said, t("audit.checking"));
    try {
      const { events, rows, files, broken, is_sound: sound } = await audit();
      fill(said, h("strong", { class: sound ? "" : "bad" }, sound ? t("audit.sound") : t("audit.broken", { broken: broken ?? "" })),
        ` ${t("audit.counted", { events: count(events), rows: count(rows), files: count(files) })}`);
    } catch (problem) {
      fill(said, h("span", { class: "bad" }, problemWords(problem)));
    } finally {
      ask.disabled = false;
    }
  } } }, t("audit.check"));
  return h("section", { class: "card-box" }, h("h2", {}, t("audit.title")), h("p", { class: "muted" }, t("audit.why")), h("p", { class: "row" }, ask), said);
}
