/** Clues that are likely looked at next: their data and the tiles of both images, asked ahead. */

import { clue } from "./api.js";
import { chip } from "./chips.js";

const KEPT = 12;
const TILE = 256;
const known = new Map();

/** Return a clue, from what was asked ahead where it is there. */
export function clueOf(no) {
  const found = known.get(no) ?? ask(no);
  known.delete(no);
  known.set(no, found);
  for (const old of [...known.keys()].slice(0, Math.max(0, known.size - KEPT))) known.delete(old);
  return found;
}

/** Forget a clue that was changed. */
export const forget = (no) => known.delete(no);

/** Forget all clues. */
export const forgetAll = () => known.clear();

function ask(no, priority = "high") {
  const asked = clue(no, priority);
  asked.catch(() => known.delete(no));
  return asked;
}

/** Ask ahead for a clue and for the tiles that the maps will need for it. */
export async function lookAhead(no, maps) {
  if (!known.has(no)) known.set(no, ask(no, "low"));
  try {
    const { bounds, images } = await known.get(no);
    const camera = bounds && maps.camera(bounds);
    if (!camera) return;
    const size = [maps.frame.clientWidth, maps.frame.clientHeight];
    await Promise.all(["before", "after"].flatMap((side) => images[side] ?? []).flatMap((image) => tiles(image, camera, size)).map((tile) => chip(...tile, "low")));
  } catch {
    // what cannot be had ahead is asked for, and told of, when it is wanted
  }
}

/** Return the tiles of an image that a camera sees. */
function tiles(image, { center, zoom }, [width, height]) {
  const z = Math.max(0, Math.min(image.maxzoom ?? 18, Math.round(zoom + 1)));
  const count = 2 ** z;
  const scale = 2 ** (zoom + 1 - z) * TILE; // pixels of one tile on the screen
  const [x, y] = [((center.lng + 180) / 360) * count, row(center.lat) * count];
  const [west, south, east, north] = image.bounds;
  const [left, right] = [((west + 180) / 360) * count, ((east + 180) / 360) * count];
  const [top, bottom] = [row(north) * count, row(south) * count];
  const found = [];
  const [x0, x1] = [Math.max(x - width / 2 / scale, left), Math.min(x + width / 2 / scale, right - 1e-9)];
  const [y0, y1] = [Math.max(y - height / 2 / scale, top), Math.min(y + height / 2 / scale, bottom - 1e-9)];
  for (let i = Math.floor(x0); i <= Math.floor(x1); i++) {
    for (let j = Math.floor(y0); j <= Math.floor(y1); j++) {
      found.push([image.image_id, z, i, j]);
    }
  }
  return found;
}

/** Return the place of a latitude in the square of the web map, from 0 in the north to 1. */
function row(latitude) {
  const sine = Math.sin((latitude * Math.PI) / 180);
  return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
}
