/* Runs in the worker of the map: makes features of the compact rows of /api/clues/points there, so that
 * 50,000 of them never hold up the page. Loaded by points.js; a classic script, as workers ask for. */

self.addProtocol("points", async ({ url }, { signal }) => {
  const at = url.indexOf("?");
  const answer = await fetch(`/api/clues/points${at < 0 ? "" : url.slice(at)}`, { signal });
  if (!answer.ok) throw new Error(`points ${answer.status}`);
  const { columns, outcomes, rows } = await answer.json();
  const [no, lon, lat, outcome] = ["clue_no", "lon", "lat", "outcome"].map((name) => columns.indexOf(name));
  const features = [];
  for (const row of rows) {
    if (row[lon] === null) continue;
    features.push({
      type: "Feature",
      geometry: { type: "Point", coordinates: [row[lon], row[lat]] },
      properties: { clue_no: row[no], outcome: outcomes[row[outcome]] },
    });
  }
  return { data: { type: "FeatureCollection", features } };
});
