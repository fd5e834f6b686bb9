/** The panel of one clue: what it is, what can be done, why the machine says so. */

import { problemWords } from "./announce.js";
import { button, fill, h, icon } from "./dom.js";
import { day, daysUntil, inM2, inMu } from "./format.js";
import { bind, unbind } from "./keyboard.js";
import { nameOf } from "./names.js";
import { sections } from "./sections.js";
import { t } from "./texts.js";
import { VerdictBar } from "./verdicts.js";

/** Panel on the right. */
export class CluePanel {
  constructor(place, desk) {
    this.place = place;
    this.desk = desk;
    this.tab = sections[0].name;
    this.head = h("header", { class: "clue-head" });
    this.body = h("div", { class: "clue-body" });
    this.facts = h("dl", { class: "clue-facts" });
    this.tabs = h("div", { class: "tabs", role: "tablist", "aria-label": t("clue.parts"), on: { keydown: (event) => this.arrow(event) } });
    this.part = h("div", { class: "clue-part", role: "tabpanel", id: "clue-part", tabindex: 0 });
    this.bar = new VerdictBar(desk);
    this.body.append(this.facts, this.tabs, this.part);
    place.append(this.head, this.body, this.bar.node);
    for (const one of sections) bind(one.key, one.title, () => this.open(one.name));
    this.empty();
  }

  empty() {
    this.clue = null;
    fill(this.head, h("p", { class: "muted" }, t("clue.none")));
    fill(this.facts);
    fill(this.tabs);
    fill(this.part);
    this.bar.show(null);
  }

  /** Show a clue of the API. */
  show(clue) {
    const again = this.clue?.clue_no === clue.clue_no;
    this.clue = clue;
    this.heading();
    fill(this.facts, facts(clue).map(([words, value, more]) => h("div", { class: more ?? "" }, h("dt", {}, words), h("dd", {}, value))));
    this.bar.show(clue);
    if (!again) this.body.scrollTop = 0;
    this.open(this.tab);
  }

  /** Another clue is being asked for: what is still shown of the last one is not judged by mistake. */
  wait() {
    this.bar.clue = null;
  }

  heading() {
    const { clue, desk } = this;
    const state = clue.cases.length > 1 ? t("clue.cases", { count: clue.cases.length }) : nameOf("states", clue.state);
    fill(this.head,
      h("div", { class: "clue-title" },
        h("h2", {}, h("span", { class: "unseen" }, t("clue.title")), " ", clue.clue_no),
        h("div", { class: "row tight" },
          button({ class: "quiet", label: t("clue.previous"), on: { click: desk.previous } }, icon("previous")),
          button({ class: "quiet", label: t("clue.next"), on: { click: desk.next } }, icon("next")))),
      h("p", { class: "clue-badges" },
        h("span", { class: `badge ${clue.outcome}` }, `${nameOf("outcomes", clue.outcome)} ${clue.rule ?? ""}`.trim()),
        clue.verdict && h("span", { class: `badge ${clue.verdict}` }, `${t("clue.verdict")}${t("colon")}${nameOf("verdicts", clue.verdict)}`),
        h("span", { class: "badge" }, state),
        clue.review_level && clue.cases.length > 0 && h("span", { class: "badge" }, nameOf("review_levels", clue.review_level)),
        clue.is_over && h("span", { class: "badge" }, t("exception.gone")),
        clue.severity && h("span", { class: "badge" }, t("clue.severity", { level: clue.severity }))));
  }

  /** Open a tab; the same one stays open for the clues that follow. */
  async open(name) {
    this.tab = name;
    if (!this.clue) return;
    fill(this.tabs, sections.map((one) => button({
      role: "tab", id: `tab-${one.name}`, "aria-selected": String(one.name === name), "aria-controls": "clue-part",
      tabindex: one.name === name ? 0 : -1, on: { click: () => this.open(one.name) },
    }, t(one.title), amount(one.count?.(this.clue)))));
    this.part.setAttribute("aria-labelledby", `tab-${name}`);
    const { clue } = this;
    this.part.setAttribute("aria-busy", "true");
    let shown;
    try {
      shown = await sections.find((one) => one.name === name).show(clue, this.desk);
    } catch (problem) {
      shown = h("p", { class: "bad" }, problemWords(problem));
    }
    if (this.clue !== clue || this.tab !== name) return;
    fill(this.part, shown);
    this.part.removeAttribute("aria-busy");
  }

  arrow(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = sections.findIndex((one) => one.name === this.tab);
    this.open(sections[(at + step + sections.length) % sections.length].name);
    this.tabs.querySelector("[aria-selected='true']").focus();
  }

  leave() {
    unbind(...sections.map((one) => one.key));
    this.bar.leave();
  }
}

const amount = (count) => count ? h("span", { class: "amount" }, count) : null;

/** What a reader wants to know first, in the order of the ledger. */
function facts(clue) {
  const part = (words, area, mark) => [t(words), area ? inMu(area) : t("none"), area && mark ? "hit" : ""];
  return [
    [t("fact.area"), [h("strong", {}, inMu(clue.area_dm2)), h("small", {}, inM2(clue.area_dm2))]],
    [t("fact.type"), nameOf("change_types", clue.change_type) || t("type.unknown")],
    part("fact.cropland", clue.cropland_dm2),
    part("fact.farmland", clue.basic_farmland_dm2, true),
    part("fact.redline", clue.redline_dm2, true),
    [t("fact.division"), clue.division || clue.county_code],
    [t("fact.first"), day(clue.first_seen) || t("none")],
    [t("fact.limitation"), limit(clue.limitation_until)],
    [t("fact.batch"), clue.batch || t("none")],
    [t("fact.due"), limit(clue.due_date)],
    [t("fact.assigned"), clue.assigned_to || t("none")],
    [t("fact.run"), clue.run],
  ];
}

function limit(value) {
  if (!value) return t("none");
  const left = daysUntil(value);
  return [day(value), h("small", { class: left < 0 ? "late" : "" }, left < 0 ? t("list.late", { days: -left }) : t("list.left", { days: left }))];
}
