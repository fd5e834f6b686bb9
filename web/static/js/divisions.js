/** Outlines of counties, where the store holds the layer of divisions. */

import { collections, features } from "./api.js";

const DIVISION = "division";
const CODE = 6; // digits of a county
const PAGE = 500;
const MOST = 20; // pages: what is drawn small needs no more

/** Return the outlines of counties by code, as lists of rings in degrees; none where no layer tells them. */
export async function countyOutlines() {
  const listed = (await collections()).collections;
  const found = new Map();
  if (!listed.some(({ id }) => id === DIVISION)) return found;
  let after = "";
  for (let page = 0; page < MOST; page++) {
    const answer = await features(DIVISION, { limit: PAGE, after });
    for (const { properties, geometry } of answer.features) {
      const code = String(properties.number ?? "").slice(0, CODE);
      if (code.length === CODE) found.set(code, [...(found.get(code) ?? []), ...ringsOf(geometry)]);
    }
    const next = answer.links.find(({ rel }) => rel === "next");
    if (!next) break;
    after = new URL(next.href).searchParams.get("after");
  }
  return found;
}

/** Return the outer rings of an outline. */
function ringsOf({ type, coordinates }) {
  const polygons = { Polygon: [coordinates], MultiPolygon: coordinates }[type] ?? [];
  return polygons.map(([outer]) => outer);
}
