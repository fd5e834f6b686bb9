/** The clue that is looked at: its outline and parcels on both maps. */

const WHOLE = ["!", ["has", "part"]];

const LAYERS = [
  { id: "parcels-line", type: "line", filter: ["has", "part"], paint: { "line-color": "#fff", "line-width": 1.6, "line-dasharray": [2, 1.5] } },
  { id: "chosen-casing", type: "line", filter: WHOLE, paint: { "line-color": "#fff", "line-width": 5, "line-opacity": 0.75 } },
  { id: "chosen-line", type: "line", filter: WHOLE, paint: { "line-color": "#e3170a", "line-width": 2.2 } },
  {
    id: "chosen-point",
    type: "circle",
    maxzoom: 14,
    filter: ["==", ["geometry-type"], "Point"],
    paint: { "circle-radius": 8, "circle-color": "rgba(0,0,0,0)", "circle-stroke-color": "#e3170a", "circle-stroke-width": 3 },
  },
];

/** Draw a clue of the API as the chosen one; none where it is null. */
export function drawChosen(maps, clue) {
  const features = [];
  if (clue?.geometry) features.push({ type: "Feature", properties: {}, geometry: clue.geometry });
  if (clue?.parcels.length > 1) {
    for (const { geometry } of clue.parcels) if (geometry) features.push({ type: "Feature", properties: { part: true }, geometry });
  }
  if (clue && Number.isFinite(clue.lon)) {
    features.push({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: [clue.lon, clue.lat] } });
  }
  maps.data("chosen", { type: "FeatureCollection", features }, LAYERS, { tolerance: 0.1 });
}
