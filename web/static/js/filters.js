/** What of the clues is looked at: search, order, filters; kept in the address. */

import { batches, runs } from "./api.js";
import { button, fill, h, icon, pausing } from "./dom.js";
import { choices, nameOf } from "./names.js";
import { dialog } from "./keyboard.js";
import { t } from "./texts.js";

/** Filters of the API in the order of the form, with where their choices come from. */
const FIELDS = [
  ["state", "states"], ["outcome", "outcomes"], ["verdict", "verdicts"], ["rule", "rules"], ["change_type", "change_types"],
  ["fate", "fates"], ["batch", "batches"], ["run", "runs"], ["division", null], ["assigned_to", null],
];
const ORDERS = ["priority", "area", "due", "number"];
const NAMES = [...FIELDS.map(([name]) => name), "min_area", "max_area", "overdue", "bbox", "q"];
const PER_MU = 200000 / 3; // areas of the API are whole 0.01 m²

/** Bar above the list; `onchange` is told the query of the API. */
export class Filters {
  constructor(place, query, onchange) {
    this.query = Object.fromEntries(Object.entries(query).filter(([name]) => NAMES.includes(name) || name === "order"));
    this.onchange = onchange;
    this.search = h("input", {
      type: "search", id: "search", placeholder: t("filter.search"), "aria-label": t("filter.search"), value: this.query.q ?? "",
      on: { input: pausing(350, () => this.set({ q: this.search.value.trim() })) },
    });
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.search.blur();
      if (event.key === "Enter") this.set({ q: this.search.value.trim() });
    });
    this.order = h("select", { "aria-label": t("filter.order"), on: { change: () => this.set({ order: this.order.value }) } },
      ORDERS.map((name) => h("option", { value: name }, t(`order.${name}`))));
    this.order.value = this.query.order ?? ORDERS[0];
    this.opener = button({ label: t("filter.title"), on: { click: () => this.ask() } }, icon("filter"));
    this.chips = h("div", { class: "chips" });
    place.append(h("div", { class: "filter-bar" }, h("span", { class: "search" }, icon("search"), this.search), this.order, this.opener), this.chips);
    this.draw();
  }

  /** Change filters; empty ones are dropped. */
  set(changes) {
    const query = { ...this.query, ...changes };
    for (const name of Object.keys(query)) if (query[name] === "" || query[name] === undefined) delete query[name];
    if (JSON.stringify(query) === JSON.stringify(this.query)) return;
    this.query = query;
    this.draw();
    this.onchange(query);
  }

  draw() {
    const active = Object.entries(this.query).filter(([name]) => name !== "order" && name !== "q");
    this.opener.dataset.count = active.length || "";
    fill(this.chips, active.map(([name, value]) => button({
      class: "chip", title: t("filter.drop"), on: { click: () => this.set({ [name]: "" }) },
    }, `${t(`filter.${name}`)}${name === "overdue" ? "" : `${t("colon")}${worded(name, value)}`}`, icon("close"))));
  }

  /** Show the form with all filters. */
  async ask() {
    const [listedRuns, listedBatches] = await Promise.all([runs(), batches()]);
    const listed = {
      runs: items(listedRuns).map((run) => [run.name, run.name]),
      batches: items(listedBatches).map((batch) => [batch.name ?? batch.batch, batch.name ?? batch.batch]),
    };
    const options = (kind) => listed[kind] ?? choices(kind).map(([code, words]) => [code, coded(kind, code, words)]);
    const inputs = FIELDS.map(([name, kind]) => field(name, kind
      ? h("select", { id: `by-${name}`, name }, h("option", { value: "" }, t("filter.any")),
        options(kind).map(([code, words]) => h("option", { value: code, selected: String(code) === this.query[name] }, words)))
      : h("input", { id: `by-${name}`, name, value: this.query[name] ?? "" })));
    const area = (name) => field(name, h("input", {
      id: `by-${name}`, name, type: "number", min: 0, step: "any", value: this.query[name] ? Number((this.query[name] / PER_MU).toFixed(2)) : "",
    }));
    const overdue = h("input", { type: "checkbox", id: "by-overdue", name: "overdue", checked: this.query.overdue === "true" });
    const form = h("form", { class: "filter-form", method: "dialog" }, inputs, area("min_area"), area("max_area"),
      h("p", { class: "row wide" }, overdue, h("label", { for: "by-overdue" }, t("filter.overdue"))),
      h("p", { class: "row wide" }, h("button", { class: "primary", type: "submit" }, t("filter.show")),
        button({ on: { click: () => { node.close(); this.set(Object.fromEntries(NAMES.filter((n) => n !== "q").map((n) => [n, ""]))); } } }, t("filter.clear"))));
    const node = dialog(t("filter.title"), form);
    form.addEventListener("submit", () => {
      const values = Object.fromEntries(new FormData(form));
      for (const name of ["min_area", "max_area"]) values[name] = values[name] && String(Math.round(values[name] * PER_MU));
      this.set({ ...values, overdue: overdue.checked ? "true" : "" });
    });
  }
}

const items = (answer) => answer?.items ?? answer ?? [];

const field = (name, input) => h("p", { class: "field" }, h("label", { for: input.id }, t(`filter.${name}`)), input);

function worded(name, value) {
  if (name.endsWith("_area")) return t("area.mu", { value: Number((value / PER_MU).toFixed(2)) });
  const kind = FIELDS.find(([one]) => one === name)?.[1];
  return kind ? coded(kind, value, nameOf(kind, value)) : value;
}

/** Rules are known by their codes too. */
const coded = (kind, code, words) => (kind === "rules" && words !== code ? `${code} ${words}` : words);
