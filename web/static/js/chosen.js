/** The clue that is looked at: its outline and parcels over both maps. They are drawn above the canvas
 * and not by the map, whose worker would have them ready a frame later than the images. */

import { svg } from "./drawn.js";
import { CLOSE } from "./outlines.js";

const { MercatorCoordinate } = window.maplibregl;
const UNITS = 2 ** 30; // of a drawing around the earth: one is some centimetres
const WORLD = 512; // pixels around the earth at zoom 0
const held = new WeakMap();

/** Draw a clue of the API as the chosen one; none where it is null. */
export function drawChosen(maps, clue) {
  if (!held.has(maps)) held.set(maps, maps.all.map((map) => new Overlay(map)));
  held.get(maps).forEach((overlay) => overlay.show(clue));
}

class Overlay {
  constructor(map) {
    this.map = map;
    this.group = svg("g", {});
    this.point = svg("circle", { r: 9, class: "chosen-point" });
    map.getCanvasContainer().append(svg("svg", { class: "chosen", "aria-hidden": "true" }, this.group, this.point));
    map.on("move", () => this.place());
    map.on("resize", () => this.place());
  }

  show(clue) {
    this.at = clue && Number.isFinite(clue.lon) ? { lng: clue.lon, lat: clue.lat } : null;
    const origin = this.at && MercatorCoordinate.fromLngLat(this.at);
    const line = (geometry, kind) => svg("path", { d: drawn(geometry, origin), class: kind });
    const parts = clue?.parcels.length > 1 ? clue.parcels.map(({ geometry }) => geometry).filter(Boolean) : [];
    this.group.replaceChildren(...(this.at && clue.geometry ? [
      line(clue.geometry, "chosen-casing"), line(clue.geometry, "chosen-line"), ...parts.map((geometry) => line(geometry, "chosen-part")),
    ] : []));
    this.place();
  }

  /** Follow the camera: it neither turns nor tilts. */
  place() {
    this.point.toggleAttribute("hidden", !this.at || this.map.getZoom() >= CLOSE);
    if (!this.at) return;
    const { x, y } = this.map.project(this.at);
    this.point.setAttribute("transform", `translate(${x} ${y})`);
    this.group.setAttribute("transform", `translate(${x} ${y}) scale(${(WORLD * 2 ** this.map.getZoom()) / UNITS})`);
  }
}

/** Return the path of polygons, counted from an origin. */
function drawn({ type, coordinates }, origin) {
  const polygons = { Polygon: [coordinates], MultiPolygon: coordinates }[type] ?? [];
  const spot = ([lng, lat]) => {
    const { x, y } = MercatorCoordinate.fromLngLat({ lng, lat });
    return `${((x - origin.x) * UNITS).toFixed(1)} ${((y - origin.y) * UNITS).toFixed(1)}`;
  };
  return polygons.flat().map((ring) => `M${ring.map(spot).join("L")}Z`).join("");
}
