/** The place where clues are looked at and judged: list, two maps, one clue. */

import { images } from "./api.js";
import { alarm, announce, calm } from "./announce.js";
import { drawChosen } from "./chosen.js";
import { CluePanel } from "./clue.js";
import { button, fill, h, icon, pausing } from "./dom.js";
import { Filters } from "./filters.js";
import { bind, unbind } from "./keyboard.js";
import { ListTools } from "./listtools.js";
import { Maps } from "./maps.js";
import { mapTools } from "./maptools.js";
import { Outlines } from "./outlines.js";
import { Points } from "./points.js";
import { clueOf, forget, forgetAll, lookAhead } from "./prefetch.js";
import { note } from "./route.js";
import { t } from "./texts.js";
import { Worklist } from "./worklist.js";

const PANES = [["list", "pane.list", "list"], ["map", "pane.map", "map"], ["clue", "pane.clue", "clue"]];
const KEYS = ["j", "k", "/", "b", "a", "s", "f", "o"];

/** Show the review; return what to do when it is left, which may be before all of it is there. */
export function show(main, { user, query }) {
  const review = new Review(main, user, query);
  review.start();
  return () => review.leave();
}

/** Return the bounds of bounds, or null where there are none. */
function around(all) {
  const [west, south, east, north] = [0, 1, 2, 3].map((side) => all.map((bounds) => bounds[side]));
  return all.length ? [Math.min(...west), Math.min(...south), Math.max(...east), Math.max(...north)] : null;
}

class Review {
  constructor(main, user, query) {
    this.user = user;
    this.wanted = query.clue ?? "";
    this.left = h("section", { class: "pane pane-list", "aria-label": t("list.title") });
    this.middle = h("section", { class: "pane pane-map", "aria-label": t("map.title") });
    this.right = h("section", { class: "pane pane-clue", "aria-label": t("clue.title") });
    this.tabs = h("nav", { class: "pane-tabs", "aria-label": t("pane.title") }, PANES.map(([name, words, mark]) =>
      button({ data: { name }, on: { click: () => this.look(name) } }, icon(mark), t(words))));
    this.box = h("div", { class: "review" }, h("h1", { class: "unseen" }, t("place.review")), this.left, this.middle, this.right, this.tabs);
    fill(main, this.box);
    this.filters = new Filters(this.left, query, () => this.refilter());
    this.tools = h("div");
    this.left.append(this.tools);
    this.list = new Worklist(this.left, (no) => this.choose(no, "map"));
    new ListTools(this.tools, this.list, user, { query: () => this.filters.query, reload: () => this.refilter(this.chosen) });
    this.maps = new Maps(this.middle);
    this.points = new Points(this.maps, (no) => this.choose(no));
    this.outlines = new Outlines(this.maps);
    this.panel = new CluePanel(this.right, {
      user,
      previous: () => this.step(-1),
      next: () => this.step(1),
      changed: (no) => this.changed(no),
      note: (no, verdict) => this.list.update({ clue_no: no, verdict }),
      judged: (no) => this.judged(no),
      choose: (no) => this.choose(no),
      maps: this.maps,
      look: (name) => this.look(name),
      reload: (no) => { this.outlines.drawn = ""; return this.refilter(no); }, // the same clue, another outline
    });
    mapTools(this.maps, this.outlines, { fit: () => this.fit(), whole: () => this.whole() });
    this.ahead = pausing(60, () => this.prefetch());
    this.look("list");
    this.keys();
  }

  keys() {
    bind("j", "help.next", () => this.step(1));
    bind("k", "help.previous", () => this.step(-1));
    bind("/", "help.search", () => { this.look("list"); this.filters.search.focus(); this.filters.search.select(); });
    bind("b", "help.before", () => this.swipeTo(100));
    bind("a", "help.after", () => this.swipeTo(0));
    bind("s", "help.swipe", () => { this.maps.share = 50; });
    bind("f", "help.fit", () => this.fit());
    bind("o", "help.whole", () => this.whole());
  }

  /** See one image whole; the same key again brings the swipe back to the middle. */
  swipeTo(share) {
    this.maps.share = this.maps.share === share ? 50 : share;
  }

  async start() {
    try {
      const listed = this.list.load(this.filters.query);
      await this.maps.ready;
      drawChosen(this.maps, null);
      this.outlines.filters = this.filters.query;
      this.points.load(this.filters.query);
      await Promise.all([listed, this.outlines.learn(), this.overview()]);
      if (this.over) return;
      const first = this.wanted || this.list.items[0]?.clue_no;
      if (first) await this.choose(first);
      else this.lookAround();
    } catch (problem) {
      if (problem.name !== "AbortError" && !this.over) alarm(problem);
    }
  }

  /** Images of the newest run, seen while no clue is chosen. */
  async overview() {
    const found = (await images()).items ?? [];
    const run = found.at(-1)?.run;
    const of = (role) => found.filter((image) => image.run === run && image.role === role);
    if (!this.clue && !this.over) this.maps.show({ before: of("before"), after: of("after") });
  }

  /** See the images whole where there is no clue to look at. */
  lookAround() {
    const bounds = around(Object.values(this.maps.shown).flat().map((image) => image.bounds));
    if (bounds) this.maps.lookAt(bounds);
  }

  /** Ask for the list again and look at its first clue, or at the one named where it is still there. */
  async refilter(kept = "") {
    const { query } = this.filters;
    note("review", query);
    calm();
    forgetAll();
    this.outlines.filters = query;
    try {
      this.points.load(query);
      await Promise.all([this.list.load(query), this.outlines.refresh()]);
      if (this.over) return;
      const first = this.list.places.has(kept) ? kept : this.list.items[0]?.clue_no;
      if (first) this.choose(first); // what was asked for is done before its images are drawn
      else this.nothing();
    } catch (problem) {
      if (problem.name !== "AbortError" && !this.over) alarm(problem);
    }
  }

  /** Look at a clue: list, maps, panel; on a phone the pane that was asked for. */
  async choose(no, pane = "") {
    const start = performance.now();
    if (this.maps.drawing?.clue.clue_no !== no) this.maps.drawing?.end();
    this.chosen = no;
    delete this.middle.dataset.painted;
    this.panel.wait();
    if (pane) this.look(pane);
    this.list.choose(no);
    note("review", { ...this.filters.query, clue: no });
    let clue;
    try {
      clue = await clueOf(no);
    } catch (problem) {
      if (this.chosen !== no) return;
      this.panel.empty();
      alarm(problem);
      return;
    }
    if (this.chosen !== no) return;
    this.clue = clue;
    this.maps.show(clue.images);
    drawChosen(this.maps, clue);
    if (clue.bounds) this.maps.lookAt(clue.bounds);
    this.panel.show(clue);
    await this.maps.painted();
    if (this.chosen !== no) return;
    this.middle.dataset.painted = no;
    performance.measure("clue painted", { start, end: performance.now(), detail: no });
    this.ahead();
  }

  /** Go so many clues on in the order of the list. */
  async step(by) {
    const item = await this.list.beside(by);
    if (item) await this.choose(item.clue_no);
    else announce(t(by > 0 ? "list.end" : "list.begin"));
  }

  async prefetch() {
    for (const by of [1, 2]) {
      const item = await this.list.beside(by);
      if (item) await lookAhead(item.clue_no, this.maps);
    }
  }

  /** Ask again for a clue that was changed, and tell the list. */
  async changed(no) {
    forget(no);
    const asked = clueOf(no);
    const clue = await asked;
    if (asked !== clueOf(no)) return clueOf(no); // asked again meanwhile: that answer is shown
    this.list.update(clue);
    if (this.chosen === no) {
      this.clue = clue;
      this.panel.show(clue);
    }
    return clue;
  }

  /** A verdict is on its way: go on with the next clue. */
  async judged(no) {
    forget(no);
    if (this.chosen === no) await this.step(1);
  }

  nothing() {
    this.chosen = "";
    this.clue = null;
    drawChosen(this.maps, null);
    this.panel.empty();
  }

  /** See all clues of the list at once. */
  async whole() {
    const bounds = await this.points.bounds();
    if (bounds) this.maps.lookAt(bounds);
  }

  fit() {
    if (this.clue?.bounds) this.maps.lookAt(this.clue.bounds);
  }

  /** On a phone one pane is seen at a time. */
  look(name) {
    this.box.dataset.pane = name;
    for (const tab of this.tabs.children) tab.setAttribute("aria-current", String(tab.dataset.name === name));
  }

  leave() {
    this.over = true;
    this.chosen = "";
    this.outlines.leave();
    unbind(...KEYS);
    this.panel.leave();
    this.maps.remove();
  }
}
