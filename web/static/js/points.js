/** All clues of the list as points: one compact answer of the API, one source, no clusters. */

import { asQuery } from "./api.js";

window.maplibregl.importScriptInWorkers("/static/js/pointsworker.js");

/** Colours of what the machine says and of what people decided; also those of the legend. */
export const COLOURS = {
  suspected: "#d0342c",
  unresolved: "#e39a1f",
  legal: "#3a9a63",
  other: "#4f7fc0",
  non_new: "#8493a1",
  below_threshold: "#b0bac4",
};

const LAYERS = [
  {
    id: "points",
    type: "circle",
    below: "under-chosen",
    maxzoom: 15,
    paint: {
      "circle-radius": ["interpolate", ["linear"], ["zoom"], 6, 2, 11, 3.6, 15, 6],
      "circle-color": ["match", ["get", "outcome"], ...Object.entries(COLOURS).flat(), "#8493a1"],
      "circle-stroke-color": "#fff",
      "circle-stroke-width": ["interpolate", ["linear"], ["zoom"], 8, 0.4, 13, 1.2],
      "circle-opacity": ["interpolate", ["linear"], ["zoom"], 14, 1, 15, 0],
      "circle-stroke-opacity": ["interpolate", ["linear"], ["zoom"], 14, 1, 15, 0],
    },
  },
];

const PICKED = ["fill-clues", "points"];
const REACH = 6; // pixels around a click

/** Return the number of the clue under a pixel: its outline where one is drawn, else the nearest point. */
function under(map, { x, y }) {
  const layers = PICKED.filter((id) => map.getLayer(id));
  const inside = map.queryRenderedFeatures([x, y], { layers: layers.filter((id) => id !== "points") });
  if (inside.length) return inside[0].properties.clue_no;
  const near = map.queryRenderedFeatures([[x - REACH, y - REACH], [x + REACH, y + REACH]], { layers: layers.filter((id) => id === "points") });
  const distance = ({ geometry }) => {
    const at = map.project(geometry.coordinates);
    return Math.hypot(at.x - x, at.y - y);
  };
  return near.sort((a, b) => distance(a) - distance(b))[0]?.properties.clue_no;
}

/** Points of the clues on both maps. */
export class Points {
  constructor(maps, onpick) {
    this.maps = maps;
    maps.each((map) => {
      map.on("click", (event) => {
        if (maps.drawing) return;
        const found = under(map, event.point);
        if (found) onpick(found);
      });
      for (const layer of PICKED) {
        map.on("mouseenter", layer, () => { map.getCanvas().style.cursor = "pointer"; });
        map.on("mouseleave", layer, () => { map.getCanvas().style.cursor = ""; });
      }
    });
  }

  /** Show the points of a filter. */
  load(filters) {
    const address = `points://clues${asQuery(filters)}`;
    this.maps.data("points", address, LAYERS, { maxzoom: 12, buffer: 8, tolerance: 0 });
  }

  /** Return the bounds of all points, or null where there are none. */
  async bounds() {
    const found = await this.maps.after.getSource("points").getBounds();
    return found.isEmpty() ? null : found.toArray().flat();
  }
}
