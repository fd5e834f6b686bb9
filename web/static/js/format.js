/** Areas, dates and numbers as people read them. Areas come as integers of 0.01 m². */

import { language, t } from "./texts.js";

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** Return hundredths as a number with two places, grouped. */
function hundredths(value) {
  const whole = Math.floor(value / 100);
  return `${GROUPED.format(whole)}.${String(value % 100).padStart(2, "0")}`;
}

/** Return an area in mu, half up, as the ledger prints it. */
export function mu(area) {
  return hundredths(Math.floor((3 * area + 1000) / 2000));
}

/** Return an area in mu with its unit. */
export const inMu = (area) => t("area.mu", { value: mu(area) });

/** Return an area in square metres with its unit. */
export const inM2 = (area) => `${hundredths(area)} m²`;

/** Return a share as a per cent with two places. */
export const share = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(2)} %` : "");

/** Return a number with groups of three digits. */
export const count = (value) => GROUPED.format(value);

/** Return the civil day of an ISO date or time. */
export const day = (value) => (value ? String(value).slice(0, 10) : "");

/** Return the time of an ISO timestamp in the browser's zone, to the minute. */
export function moment(value) {
  if (!value) return "";
  const date = new Date(value);
  const two = (n) => String(n).padStart(2, "0");
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock}`;
}

/** Return the days from today to a date; negative when it has passed. */
export function daysUntil(value) {
  const today = new Date();
  const [year, month, date] = day(value).split("-").map(Number);
  return Math.round((Date.UTC(year, month - 1, date) - Date.UTC(today.getFullYear(), today.getMonth(), today.getDate())) / 86400000);
}

/** Return one day, or two with a dash where they differ. */
export function period(from, to) {
  const [first, last] = [day(from), day(to)];
  if (!first || first === last) return last || first;
  return `${first} – ${last}`;
}

/** Return words with the join of the language. */
export const joined = (words) => words.filter(Boolean).join(language === "zh" ? "、" : ", ");

/** Return the metres between two places in degrees, on a sphere. */
export function metresBetween([x0, y0], [x1, y1]) {
  const radians = Math.PI / 180;
  const mean = ((y0 + y1) / 2) * radians;
  return 6371000 * radians * Math.hypot(y1 - y0, (x1 - x0) * Math.cos(mean));
}

/** Return a length of a file as people read it. */
export const size = (bytes) => (bytes < 1 << 20 ? `${Math.ceil(bytes / 1024)} kB` : `${(bytes / (1 << 20)).toFixed(1)} MB`);
