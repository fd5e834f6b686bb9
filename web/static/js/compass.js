/** Where the phone points to: asked of its compass once. */

const PATIENCE = 4000;
const KINDS = ["deviceorientationabsolute", "deviceorientation"];

/** Return the azimuth in whole degrees from north, clockwise; null where there is no compass. */
export async function headingOf() {
  const { DeviceOrientationEvent: sensor } = window;
  if (!sensor) return null;
  try {
    if (sensor.requestPermission && (await sensor.requestPermission()) !== "granted") return null;
  } catch {
    return null;
  }
  return new Promise((told) => {
    const end = (heading) => {
      clearTimeout(timer);
      KINDS.forEach((kind) => window.removeEventListener(kind, look));
      told(heading);
    };
    const look = (event) => {
      const heading = headingIn(event);
      if (heading !== null) end(heading);
    };
    const timer = setTimeout(() => end(null), PATIENCE);
    KINDS.forEach((kind) => window.addEventListener(kind, look));
  });
}

/** An orientation that is not absolute tells nothing of north. */
function headingIn(event) {
  const found = event.webkitCompassHeading ?? (event.absolute && event.alpha !== null ? 360 - event.alpha : null);
  return Number.isFinite(found) ? Math.round(found) % 360 : null;
}
