/** The list of clues: fetched page by page, drawn only where it is seen, so that 50,000 do not lag. */

import { clues } from "./api.js";
import { alarm } from "./announce.js";
import { fill, h } from "./dom.js";
import { count, day, daysUntil, inMu } from "./format.js";
import { nameOf } from "./names.js";
import { t } from "./texts.js";

const PAGE = 200;
const AHEAD = 8; // rows drawn above and below what is seen

/** A list box of clues. */
export class Worklist {
  constructor(place, onpick) {
    this.onpick = onpick;
    this.items = [];
    this.places = new Map();
    this.chosen = "";
    this.nodes = new Map();
    this.marking = false;
    this.marked = new Set();
    this.onmark = () => {};
    this.summary = h("p", { class: "list-summary", role: "status" });
    this.rows = h("div", { class: "list-rows" });
    this.box = h("div", {
      class: "list-box", id: "clue-list", role: "listbox", tabindex: 0, "aria-label": t("list.title"),
      on: { scroll: () => this.scrolled(), keydown: (event) => this.key(event), click: (event) => this.click(event) },
    }, this.rows);
    place.append(this.summary, this.box);
    this.resizing = new ResizeObserver(() => this.draw());
    this.resizing.observe(this.box);
  }

  /** Show the clues of a filter from the first. */
  async load(filters) {
    this.asked?.abort();
    this.asked = new AbortController();
    Object.assign(this, { filters, items: [], places: new Map(), next: null, loading: null });
    this.box.setAttribute("aria-busy", "true");
    await this.page();
    this.box.scrollTop = 0;
    this.box.removeAttribute("aria-busy");
  }

  async page() {
    const { signal } = this.asked;
    const answer = await clues({ ...this.filters, limit: PAGE, cursor: this.next }, signal);
    for (const item of answer.items) {
      this.places.set(item.clue_no, this.items.length);
      this.items.push(item);
    }
    this.next = answer.next;
    this.total = answer.total ?? this.items.length;
    fill(this.summary, h("strong", {}, count(this.total)), ` ${t(this.total === 1 ? "list.clue" : "list.clues")}`);
    this.draw();
  }

  /** Fetch the following page once. */
  more() {
    if (!this.next) return null;
    this.loading ??= this.page().catch((problem) => {
      if (problem.name !== "AbortError") alarm(problem);
    }).finally(() => { this.loading = null; });
    return this.loading;
  }

  /** Return the item so many places from the chosen one, fetching on where needed. */
  async beside(step) {
    const at = this.places.get(this.chosen);
    const wanted = at === undefined ? 0 : at + step;
    if (wanted >= this.items.length) await this.more();
    return this.items[wanted] ?? null;
  }

  /** Mark a clue as chosen and bring its row into view. */
  choose(no) {
    this.chosen = no;
    const at = this.places.get(no);
    if (at !== undefined) this.reveal(at);
    if (at !== undefined && at > this.items.length - 20) this.more();
    this.draw();
  }

  reveal(at) {
    const top = at * this.height;
    const { scrollTop, clientHeight } = this.box;
    if (top < scrollTop + this.height) this.box.scrollTop = top - this.height;
    else if (top + 2 * this.height > scrollTop + clientHeight) this.box.scrollTop = top + 2 * this.height - clientHeight;
  }

  /** Take over what changed of a clue; its row stays until the list is loaded again. */
  update(item) {
    const at = this.places.get(item.clue_no);
    if (at === undefined) return;
    this.items[at] = { ...this.items[at], ...item };
    this.draw();
  }

  get isFiltered() {
    return Object.keys(this.filters).some((name) => name !== "order");
  }

  get height() {
    this.rowHeight ??= parseFloat(getComputedStyle(this.box).getPropertyValue("--row"));
    return this.rowHeight;
  }

  /** Draw once a frame at most. */
  scrolled() {
    this.frame ??= requestAnimationFrame(() => { this.frame = null; this.draw(); });
  }

  draw() {
    const { scrollTop, clientHeight } = this.box;
    const first = Math.max(0, Math.floor(scrollTop / this.height) - AHEAD);
    const last = Math.min(this.items.length, Math.ceil((scrollTop + clientHeight) / this.height) + AHEAD);
    this.rows.style.height = `${this.items.length * this.height}px`;
    if (!this.items.length) return fill(this.rows, this.total === 0 && h("p", { class: "list-none" }, t(this.isFiltered ? "list.none" : "list.empty")));
    const drawn = this.items.slice(first, last).map((item, index) => this.drawn(item, first + index));
    this.nodes = new Map(drawn.map((one) => [one.item.clue_no, one]));
    this.rows.replaceChildren(...drawn.map(({ node }) => node));
    const at = this.places.get(this.chosen);
    if (at >= first && at < last) this.box.setAttribute("aria-activedescendant", `clue-${this.chosen}`);
    else this.box.removeAttribute("aria-activedescendant");
    if (last > this.items.length - 40) this.more();
    return null;
  }

  /** Return the row of an item, the one that stands already where nothing changed. */
  drawn(item, at) {
    const chosen = item.clue_no === this.chosen;
    const old = this.nodes.get(item.clue_no);
    if (old && old.item === item && old.at === at && old.chosen === chosen && old.total === this.total) return old;
    return { item, at, chosen, total: this.total, node: this.row(item, at) };
  }

  row(item, at) {
    const chosen = item.clue_no === this.chosen;
    const node = h("div", {
      class: `list-row${item.verdict ? " done" : ""}`, id: `clue-${item.clue_no}`, role: "option", data: { no: item.clue_no },
      "aria-selected": String(chosen), "aria-checked": this.marking ? String(this.marked.has(item.clue_no)) : null, "aria-posinset": at + 1, "aria-setsize": this.total,
    },
    h("span", { class: "list-no" }, item.clue_no.slice(0, -6), h("b", {}, item.clue_no.slice(-6))),
    h("span", { class: "list-area" }, inMu(item.area_dm2)),
    h("span", { class: "list-kind" }, nameOf("change_types", item.change_type) || t("type.unknown")),
    h("span", { class: "list-state" }, stateOf(item)),
    h("span", { class: "list-marks" }, answer(item), marks(item)),
    h("span", { class: "list-due" }, due(item)));
    node.style.top = `${at * this.height}px`;
    return node;
  }

  click(event) {
    const no = event.target.closest("[data-no]")?.dataset.no;
    if (no && this.marking) this.markOne(no);
    else if (no) this.onpick(no);
  }

  /** Mark a clue, or take its mark away. */
  markOne(no) {
    if (!this.marked.delete(no)) this.marked.add(no);
    this.redraw();
    this.onmark();
  }

  /** Draw all rows again. */
  redraw() {
    this.nodes = new Map();
    this.draw();
  }

  async key(event) {
    if (event.key === " " && this.marking && this.chosen) {
      event.preventDefault();
      this.markOne(this.chosen);
      return;
    }
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (!step) return;
    event.preventDefault();
    const item = await this.beside(step);
    if (item) this.onpick(item.clue_no);
  }
}

function stateOf(item) {
  return nameOf("states", item.state);
}

/** What people decided, else what the machine says, with its rule. */
function answer(item) {
  if (item.verdict) return h("span", { class: `badge ${item.verdict}` }, nameOf("verdicts", item.verdict));
  return h("span", { class: `badge ${item.outcome}` }, `${nameOf("outcomes", item.outcome)} ${item.rule ?? ""}`.trim());
}

/** Control lines that are hit, in short. */
function marks(item) {
  return [["basic_farmland_dm2", "mark.farmland", "mark.farmland.long"], ["redline_dm2", "mark.redline", "mark.redline.long"]]
    .filter(([name]) => item[name] > 0)
    .map(([name, short, long]) => h("span", { class: "list-mark", title: t(long, { area: inMu(item[name]) }) }, t(short)));
}

function due(item) {
  if (!item.due_date) return "";
  const left = daysUntil(item.due_date);
  const late = item.is_overdue || left < 0;
  return h("span", { class: late ? "late" : "", title: t("list.due", { day: day(item.due_date) }) },
    late ? t("list.late", { days: Math.abs(left) }) : t("list.left", { days: left }));
}
