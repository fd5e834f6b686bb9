/** The two maps under the swipe: before on the left, after on the right, moving as one. */

import { chipAddress } from "./chips.js";
import { h } from "./dom.js";
import { t } from "./texts.js";

const { maplibregl } = window;
maplibregl.setWorkerUrl("/static/vendor/maplibre-gl/maplibre-gl-csp-worker.js");

const SIDES = ["before", "after"];
const KEPT_IMAGES = 24;
const CLOSEST = 17;
const MARGIN = 0.3;
const LINES = 5; // arrow keys move the swipe by this share of its width, in per cent

/** Layers drawn over the images, from below to above; others are put below one of these. */
const MARKS = ["under-points", "under-chosen"];

const style = () => ({
  version: 8,
  sources: { nothing: { type: "geojson", data: { type: "FeatureCollection", features: [] } } },
  layers: [
    { id: "ground", type: "background", paint: { "background-color": "#dfe5ea" } },
    ...MARKS.map((id) => ({ id, type: "line", source: "nothing", layout: { visibility: "none" } })),
  ],
});

/** Two maps and what is done with both at once. */
export class Maps {
  constructor(place) {
    this.place = place;
    this.images = { before: new Map(), after: new Map() };
    this.holders = Object.fromEntries(SIDES.map((side) => [side, h("div", { class: "side", id: `map-${side}` })]));
    this.frame = h("div", { class: "sides" }, SIDES.map((side) => this.holders[side]));
    place.append(this.frame);
    this.all = SIDES.map((side) => (this[side] = this.made(side)));
    this.swipe = new maplibregl.Compare(this.before, this.after, this.frame);
    this.shares();
    this.resizing = new ResizeObserver(() => this.resize());
    this.resizing.observe(this.frame);
    this.ready = Promise.all(this.all.map((map) => new Promise((done) => map.once("load", done))));
  }

  made(side) {
    const map = new maplibregl.Map({
      container: this.holders[side],
      style: style(),
      center: [105, 35],
      zoom: 3,
      maxZoom: 20,
      attributionControl: false,
      fadeDuration: 0,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      renderWorldCopies: false,
      locale: { "Map.Title": t(`map.${side}`) },
    });
    map.getCanvas().addEventListener("webglcontextrestored", () => this.cut(true));
    map.keyboard.disableRotation();
    map.touchZoomRotate.disableRotation();
    map.addControl(new maplibregl.ScaleControl({ maxWidth: 110 }), side === "before" ? "bottom-left" : "bottom-right");
    return map;
  }

  /** Make the handle of the swipe work without a mouse, and say where it stands. */
  shares() {
    this.handle = this.frame.querySelector(".compare-swiper-vertical");
    for (const [name, value] of Object.entries({
      role: "slider", tabindex: 0, "aria-label": t("map.swipe"), "aria-valuemin": 0, "aria-valuemax": 100,
    })) this.handle.setAttribute(name, value);
    this.handle.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -LINES, ArrowRight: LINES, Home: -100, End: 100 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      this.share = Math.min(100, Math.max(0, this.share + step));
    });
    for (const kind of ["mousedown", "touchstart"]) this.handle.addEventListener(kind, () => this.cut(false), { passive: true });
    this.swipe.on("slideend", () => this.told());
    this.told();
  }

  /** Where the swipe stands, in per cent of the width seen of the image before. */
  get share() {
    return Math.round((100 * this.swipe.currentPosition) / (this.frame.clientWidth || 1));
  }

  set share(value) {
    this.swipe.setSlider((this.frame.clientWidth * value) / 100);
    this.told();
  }

  told() {
    this.handle.setAttribute("aria-valuenow", this.share);
    this.handle.setAttribute("aria-valuetext", t("map.share", { share: this.share }));
    this.place.dataset.seen = this.share <= 0 ? "after" : this.share >= 100 ? "before" : "both";
    this.cut(true);
    this.onshare?.(this.place.dataset.seen);
  }

  /** Let each map draw its side of the swipe only: half the work where drawing is slow. */
  cut(only) {
    this.each((map) => {
      const { width, height } = map.getCanvas();
      const gl = map.getCanvas().getContext("webgl2");
      const at = Math.round((width * this.swipe.currentPosition) / (this.frame.clientWidth || 1));
      if (only) gl.enable(gl.SCISSOR_TEST);
      else gl.disable(gl.SCISSOR_TEST);
      if (map === this.before) gl.scissor(0, 0, at, height);
      else gl.scissor(at, 0, width - at, height);
      map.triggerRepaint();
    });
  }

  resize() {
    if (!this.frame.clientWidth) return;
    const share = this.width ? (100 * this.swipe.currentPosition) / this.width : 50;
    this.width = this.frame.clientWidth;
    this.all.forEach((map) => map.resize());
    this.swipe._bounds = this.holders.after.getBoundingClientRect();
    this.share = share;
  }

  /** Do something with both maps. */
  each(action) {
    this.all.forEach(action);
  }

  /** Give both maps the data of a source, made when it is new; `layers` are those that draw it. */
  data(id, data, layers, options = {}) {
    this.each((map) => {
      const source = map.getSource(id);
      if (source) {
        source.setData(data);
        return;
      }
      map.addSource(id, { type: "geojson", data, ...options });
      for (const { below, ...layer } of layers) map.addLayer({ source: id, ...layer }, below);
    });
  }

  /** Show these images and no others; each side lists image records of the API. */
  show(images) {
    this.shown = images;
    for (const side of SIDES) {
      const map = this[side];
      const kept = this.images[side];
      const wanted = new Set((images[side] ?? []).map((image) => image.image_id));
      for (const image of images[side] ?? []) if (!kept.has(image.image_id)) this.addImage(map, kept, image);
      for (const id of kept.keys()) {
        const seen = wanted.has(id) ? "visible" : "none";
        if (map.getLayoutProperty(`image-${id}`, "visibility") !== seen) map.setLayoutProperty(`image-${id}`, "visibility", seen);
      }
      for (const id of [...kept.keys()].slice(0, Math.max(0, kept.size - KEPT_IMAGES))) {
        if (wanted.has(id)) continue;
        map.removeLayer(`image-${id}`);
        map.removeSource(`image-${id}`);
        kept.delete(id);
      }
    }
    this.onimages?.();
  }

  addImage(map, kept, image) {
    const id = `image-${image.image_id}`;
    map.addSource(id, {
      type: "raster",
      tiles: [chipAddress(image.image_id)],
      tileSize: 256,
      bounds: image.bounds,
      minzoom: 0,
      maxzoom: image.maxzoom ?? 18,
    });
    map.addLayer({ id, type: "raster", source: id, layout: { visibility: "visible" }, paint: { "raster-fade-duration": 0, "raster-resampling": "linear" } }, MARKS[0]);
    kept.set(image.image_id, image);
  }

  /** Return the camera that shows bounds [west, south, east, north] with some ground around. */
  camera(bounds) {
    const [west, south, east, north] = bounds;
    const padding = Math.round(MARGIN * Math.min(this.frame.clientWidth, this.frame.clientHeight));
    return this.after.cameraForBounds([[west, south], [east, north]], { padding, maxZoom: CLOSEST });
  }

  /** Look at bounds at once, without a flight. */
  lookAt(bounds) {
    const camera = this.camera(bounds);
    if (!camera) return;
    this.after.jumpTo(camera);
    this.each(({ style: shown, transform }) => shown._updateSources(transform)); // tiles at hand are in the first frame
  }

  /** Wait until both maps have drawn their images. */
  async painted() {
    await Promise.all(SIDES.map((side) => drawn(this[side], (this.shown?.[side] ?? []).map((image) => `image-${image.image_id}`))));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  }

  remove() {
    this.resizing.disconnect();
    this.swipe.remove();
    this.each((map) => map.remove());
  }
}

/** Wait for a frame of a map in which these sources are complete. */
function drawn(map, sources) {
  return new Promise((done) => {
    const look = () => {
      if (!sources.every((id) => !map.getSource(id) || map.isSourceLoaded(id))) return;
      map.off("render", look);
      done();
    };
    map.on("render", look);
    map.triggerRepaint();
  });
}
