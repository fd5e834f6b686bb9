/** Outlines of clues, documents and control lines: asked for what is seen, from zoom 14 only. */

import { collections, features } from "./api.js";
import { alarm } from "./announce.js";
import { pausing } from "./dom.js";
import { nameOf } from "./names.js";
import { told } from "./texts.js";

/** Below this zoom there are points only. */
export const CLOSE = 14;
const LIMIT = 500;
const KEPT = "tuban.layers";

/** Control lines first, then documents, then ground: colour, and dashes where it is a limit. */
const LOOKS = {
  clues: { colour: "#ffe14d", width: 1.6, fill: 0.05 },
  basic_farmland: { colour: "#c79a00", dashes: [3, 1.5], fill: 0.1 },
  redline: { colour: "#e0312b", dashes: [4, 1.5], fill: 0.08 },
  growth_boundary: { colour: "#8b3fbf", dashes: [6, 2] },
  approval: { colour: "#00a08a", fill: 0.12 },
  supply: { colour: "#0d7bd0", fill: 0.1 },
  registration: { colour: "#5b53c9" },
  temporary: { colour: "#b06a00", dashes: [2, 1.5] },
  facility: { colour: "#5d8f00" },
  mining_right: { colour: "#7a4a2b" },
  former_clue: { colour: "#7c8a97", dashes: [2, 2] },
};
const PLAIN = { colour: "#5e7182" };
const SHOWN = ["clues", "basic_farmland", "redline", "approval"];

/** Return how a collection is drawn. */
export const lookOf = (id) => LOOKS[id] ?? PLAIN;

/** Layers of outlines that can be switched on and off. */
export class Outlines {
  constructor(maps) {
    this.maps = maps;
    this.offered = [];
    this.shown = new Set(JSON.parse(localStorage.getItem(KEPT) ?? "null") ?? SHOWN);
    this.filters = {};
    this.drawn = "";
    maps.after.on("moveend", pausing(200, () => maps.painted().then(() => this.refresh())));
  }

  /** Learn from the API which collections there are; control lines and documents come first. */
  async learn() {
    const order = Object.keys(LOOKS);
    const place = (id) => (order.indexOf(id) < 0 ? order.length : order.indexOf(id));
    const listed = (await collections()).collections.filter((one) => one.id !== "patches");
    this.offered = listed
      .map((one) => ({ id: one.id, title: one.id === "clues" ? "" : nameOf("layer_roles", one.id) || told(one, "title") }))
      .sort((a, b) => place(a.id) - place(b.id));
  }

  /** Show or hide a collection. */
  toggle(id, on) {
    if (on) this.shown.add(id);
    else this.shown.delete(id);
    localStorage.setItem(KEPT, JSON.stringify([...this.shown]));
    return this.refresh();
  }

  /** Nothing is drawn any more, whatever was asked for. */
  leave() {
    this.over = true;
    this.asked?.abort();
  }

  /** Ask for what is seen now. */
  async refresh() {
    if (this.over) return;
    this.asked?.abort();
    this.asked = new AbortController();
    const { signal } = this.asked;
    const close = this.maps.after.getZoom() >= CLOSE;
    const bbox = this.maps.after.getBounds().toArray().flat().map((v) => v.toFixed(6)).join(",");
    const { order, ...chosen } = this.filters; // of the list alone
    const wanted = close ? this.offered.filter(({ id }) => this.shown.has(id)) : [];
    let found;
    try {
      found = await Promise.all(wanted.map(({ id }) => features(id, { bbox, limit: LIMIT, ...(id === "clues" ? chosen : {}) }, signal)));
    } catch (problem) {
      if (problem.name !== "AbortError") alarm(problem);
      return;
    }
    this.draw(wanted.flatMap(({ id }, at) => found[at].features.map((feature) => ({
      type: "Feature", geometry: feature.geometry, properties: { kind: id, clue_no: feature.properties.clue_no ?? "", key: `${id} ${feature.id}` },
    }))));
  }

  /** Give both maps the outlines, where they have others; one source, as each costs a pass over the whole map. */
  draw(found) {
    const key = found.map((feature) => feature.properties.key).join();
    if (this.drawn === key) return;
    this.drawn = key;
    this.maps.data("outlines", { type: "FeatureCollection", features: found }, this.offered.toReversed().flatMap(({ id }) => looks(id)), { tolerance: 0.2 });
  }
}

/** Return the layers that draw a collection. */
function looks(id) {
  const { colour, width = 1.6, dashes, fill = 0 } = lookOf(id);
  const filter = ["==", ["get", "kind"], id];
  const below = "under-points";
  return [
    ...(fill ? [{ id: `fill-${id}`, type: "fill", below, filter, paint: { "fill-color": colour, "fill-opacity": fill } }] : []),
    { id: `casing-${id}`, type: "line", below, filter, paint: { "line-color": "#1a2530", "line-width": width + 1.2, "line-opacity": 0.35 } },
    { id: `line-${id}`, type: "line", below, filter, paint: { "line-color": colour, "line-width": width, ...(dashes ? { "line-dasharray": dashes } : {}) } },
  ];
}
