/** Tiles of images, decoded and kept: what was looked at ahead is drawn with the first frame. */

import { tileAddress } from "./api.js";
import { alarm } from "./announce.js";

const { maplibregl } = window;
const SCHEME = "chips";
const KEPT = 420; // decoded tiles of 256 KiB each
const kept = new Map();
const nothing = createImageBitmap(new ImageData(1, 1));

/** Return the address that a map asks for; it comes back to `chip` below. */
export const chipAddress = (imageId) => `${SCHEME}://${encodeURIComponent(imageId)}/{z}/{x}/{y}`;

/** Return a tile of an image as a bitmap; transparent where the image has none. */
export function chip(imageId, z, x, y, priority = "high") {
  const key = `${imageId}/${z}/${x}/${y}`;
  const found = kept.get(key) ?? fetched(imageId, z, x, y, priority);
  kept.delete(key);
  kept.set(key, found);
  for (const old of [...kept.keys()].slice(0, Math.max(0, kept.size - KEPT))) kept.delete(old);
  found.catch(() => kept.delete(key));
  return found;
}

async function fetched(imageId, z, x, y, priority) {
  const address = tileAddress(imageId).replace("{z}", z).replace("{x}", x).replace("{y}", y);
  const answer = await fetch(address, { priority });
  if (answer.status === 204) return nothing;
  if (answer.status === 401) document.dispatchEvent(new CustomEvent("signed-out"));
  if (!answer.ok) throw new Error(`tile ${answer.status}`);
  return createImageBitmap(await answer.blob());
}

maplibregl.setMaxParallelImageRequests(64);
maplibregl.addProtocol(SCHEME, async ({ url }) => {
  const [imageId, z, x, y] = url.slice(SCHEME.length + 3).split("/");
  try {
    return { data: await chip(decodeURIComponent(imageId), Number(z), Number(x), Number(y)) };
  } catch {
    alarm({ status: 0 });
    return { data: await nothing };
  }
});
