/** Drawing the outline of a patch anew, or cutting it by a line, on the maps. */

import { redraw } from "./api.js";
import { alarm, announce, calm, problemWords } from "./announce.js";
import { crossesItself, cut, turnOf } from "./cutting.js";
import { button, fill, h, icon } from "./dom.js";
import { forgetAll } from "./prefetch.js";
import { t } from "./texts.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const COLOUR = "#00e5ff";
const LAYERS = [
  { id: "drawn-fill", type: "fill", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": COLOUR, "fill-opacity": 0.2 } },
  { id: "drawn-casing", type: "line", paint: { "line-color": "#10202c", "line-width": 5 } },
  { id: "drawn-line", type: "line", paint: { "line-color": COLOUR, "line-width": 2.5 } },
  { id: "drawn-points", type: "circle", filter: ["==", ["geometry-type"], "Point"], paint: { "circle-radius": 5, "circle-color": "#fff", "circle-stroke-color": "#10202c", "circle-stroke-width": 2 } },
];
const STEP = 20; // pixels that an arrow key moves the map by, so that the middle can be placed exactly

/** Start drawing on the maps of the review; clicks on them choose no clue meanwhile. */
export function startDrawing(clue, desk) {
  desk.maps.drawing?.end();
  desk.maps.drawing = new Drawing(clue, desk);
}

class Drawing {
  constructor(clue, desk) {
    Object.assign(this, { clue, desk, maps: desk.maps, kind: "draw", points: [], pieces: null });
    this.said = h("p", { role: "status" });
    this.kinds = ["draw", "cut"].map((kind) => button({ data: { kind }, on: { click: () => this.choose(kind) } }, t(`draw.${kind}`)));
    this.keep = button({ class: "primary", on: { click: () => this.send() } }, icon("check"), t("draw.keep"));
    this.bar = h("div", { class: "draw-bar", role: "toolbar", "aria-label": t("draw.open") },
      h("p", { class: "row wrap" }, this.kinds,
        button({ on: { click: () => this.add(this.maps.after.getCenter()) } }, icon("plus"), t("draw.middle")),
        button({ on: { click: () => this.back() } }, icon("undo"), t("draw.back")),
        this.keep, button({ on: { click: () => this.end() } }, t("form.cancel"))),
      this.said);
    this.cross = h("div", { class: "draw-cross", "aria-hidden": "true" });
    this.maps.place.append(this.bar, this.cross);
    this.maps.place.classList.add("drawing-now");
    this.maps.data("drawn", EMPTY, LAYERS);
    this.onclick = (event) => { this.add(event.lngLat); };
    this.onkey = (event) => this.key(event);
    this.maps.each((map) => { map.doubleClickZoom.disable(); map.on("click", this.onclick); });
    this.maps.place.addEventListener("keydown", this.onkey);
    desk.look("map");
    this.share = this.maps.share;
    this.maps.share = 0; // the handle of the swipe would lie on the cross
    this.choose("draw");
  }

  choose(kind) {
    if (this.sent) return;
    this.kind = kind;
    this.points = [];
    this.kinds.forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.kind === kind)));
    this.draw();
  }

  add({ lng, lat }) {
    if (this.sent) return;
    this.points.push([Number(lng.toFixed(7)), Number(lat.toFixed(7))]);
    this.draw();
  }

  back() {
    if (this.sent) return;
    this.points.pop();
    this.draw();
  }

  key(event) {
    const move = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (event.key === "Escape") this.end();
    else if (event.key === "Backspace") this.back();
    else if (event.key === "Enter" && event.target.tagName !== "BUTTON") this.add(this.maps.after.getCenter());
    else if (move && event.target.tagName === "CANVAS") this.maps.after.panBy(move, { duration: 0 });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** The polygons that are to stand: the drawn one, or the parts that the line makes; null where there are none yet. */
  made() {
    if (this.kind === "draw") {
      const ring = [...this.points, this.points[0]];
      if (this.points.length < 3 || crossesItself(ring)) return null;
      return [[turnOf(ring) > 0 ? ring : ring.toReversed()]];
    }
    if (this.points.length < 2) return null;
    const shape = this.clue.geometry;
    const whole = shape.type === "Polygon" ? [shape.coordinates] : shape.coordinates;
    let hit = false;
    const found = whole.flatMap((rings) => {
      const parts = cut(rings, this.points);
      hit ||= parts !== null;
      return parts ?? [rings];
    });
    return hit ? found : null;
  }

  draw() {
    this.pieces = this.made();
    this.keep.disabled = !this.pieces;
    const features = this.points.map((at) => feature("Point", at));
    if (this.points.length > 1) features.push(feature("LineString", this.points));
    for (const rings of this.pieces ?? []) features.push(feature("Polygon", rings));
    this.maps.data("drawn", { type: "FeatureCollection", features }, LAYERS);
    const told = this.pieces ? `${this.kind === "cut" ? t("draw.cuts", { count: this.pieces.length }) : t("draw.ready")}${t("sentence.gap")}${t("draw.final")}`
      : this.kind === "draw" ? t(this.points.length > 3 ? "draw.crosses" : "draw.how") : t(this.points.length > 1 ? "draw.through" : "draw.line");
    fill(this.said, told);
  }

  async send() {
    this.sent = true;
    this.keep.disabled = true;
    fill(this.said, t("draw.sending"));
    try {
      const polygons = this.pieces.map((coordinates) => ({ type: "Polygon", coordinates }));
      const answer = await redraw(this.clue.clue_no, this.clue.version, polygons);
      calm();
      forgetAll();
      const made = answer.clues.map((one) => one.clue_no);
      const parts = made.length ? `${t("sentence.end")}${t("sentence.gap")}${t("draw.parts", { clues: made.join(" ") })}` : "";
      announce(`${t("draw.kept", { version: answer.version })}${parts}`);
      await this.desk.reload(made[0] ?? this.clue.clue_no);
      this.end();
    } catch (problem) {
      this.sent = false;
      this.keep.disabled = false;
      fill(this.said, h("span", { class: "bad" }, problemWords(problem)));
      if (problem.status === 412) this.desk.changed(this.clue.clue_no).catch(alarm);
    }
  }

  end() {
    if (this.maps.drawing === this) this.maps.drawing = null;
    this.bar.remove();
    this.cross.remove();
    this.maps.place.classList.remove("drawing-now");
    this.maps.place.removeEventListener("keydown", this.onkey);
    this.maps.each((map) => { map.off("click", this.onclick); map.doubleClickZoom.enable(); });
    this.maps.data("drawn", EMPTY, LAYERS);
    this.maps.share = this.share;
  }
}

const feature = (type, coordinates) => ({ type: "Feature", properties: {}, geometry: { type, coordinates } });
