/** The counties on a map: where their clues lie, coloured by the ratio of each. */

import { h } from "./dom.js";
import { drawing, svg, words } from "./drawn.js";
import { count } from "./format.js";
import { address } from "./route.js";
import { t } from "./texts.js";

const [WIDTH, HIGHEST, EDGE] = [420, 300, 34];
const MOST = 4000; // dots that are drawn, evenly taken
const CODE = 6; // digits of a county in the number of a clue

/** Return how near a county is to the line of the ratio. */
function kindOf({ percent, percent_if_open_are_illegal: most, is_alert }, limit) {
  if (is_alert) return "alert";
  if (percent === null) return "unknown";
  return most >= limit ? "near" : "calm";
}

/** Return the map of the counties told, from the points of their clues. */
export function countyMap(counties, where, limit) {
  const at = Object.fromEntries(where.columns.map((name, index) => [name, index]));
  const placed = where.rows.filter((row) => row[at.lon] !== null).map((row) => ({ code: row[at.clue_no].slice(0, CODE), x: row[at.lon], y: row[at.lat] }));
  if (!placed.length) return h("p", { class: "muted" }, t("list.none"));
  const { project, height } = projection(placed);
  const dots = placed.filter((_, index) => index % Math.ceil(placed.length / MOST) === 0);
  const kinds = new Map(counties.map((one) => [one.county_code, kindOf(one.ratio, limit)]));
  return h("div", {}, drawing(WIDTH, height, t("figure.maptold", { count: counties.length }),
    counties.map((one) => area(one, placed.filter(({ code }) => code === one.county_code).map(project), kinds.get(one.county_code))),
    dots.map((dot) => {
      const [cx, cy] = project(dot);
      return svg("circle", { cx, cy, r: 2.2, class: `place ${kinds.get(dot.code) ?? ""}` });
    }),
    counties.map((one) => label(one, placed.filter(({ code }) => code === one.county_code).map(project)))),
  h("p", { class: "legend" }, ["alert", "near", "calm", "unknown"].map((kind) => [h("span", { class: `key ${kind}` }), t(`figure.is.${kind}`, { limit })])));
}

/** Return how a place falls on the drawing, as wide in all directions, and how high the drawing is. */
function projection(placed) {
  const [xs, ys] = [placed.map(({ x }) => x), placed.map(({ y }) => y)];
  const least = (values) => values.reduce((a, b) => Math.min(a, b));
  const most = (values) => values.reduce((a, b) => Math.max(a, b));
  const [west, east, south, north] = [least(xs), most(xs), least(ys), most(ys)];
  const squeeze = Math.cos((((south + north) / 2) * Math.PI) / 180);
  const [wide, high] = [WIDTH - 2 * EDGE, HIGHEST - 2 * EDGE];
  const scale = Math.min(wide / Math.max((east - west) * squeeze, 1e-6), high / Math.max(north - south, 1e-6));
  const left = (WIDTH - (east - west) * squeeze * scale) / 2;
  const project = ({ x, y }) => [left + (x - west) * squeeze * scale, EDGE + (north - y) * scale];
  return { project, height: Math.ceil((north - south) * scale + 2 * EDGE) };
}

function area(one, spots, kind) {
  if (spots.length < 3) return null;
  const outline = hull(spots).map((spot) => spot.map((v) => v.toFixed(1)).join(",")).join(" ");
  return svg("a", { href: address("review", { division: one.county_code }), "aria-label": `${one.county_code} ${t("figure.clues")} ${count(one.count)}` },
    svg("polygon", { points: outline, class: `county ${kind}` }));
}

function label(one, spots) {
  if (!spots.length) return null;
  const middle = (axis) => spots.reduce((sum, spot) => sum + spot[axis], 0) / spots.length;
  const text = `${one.county_code} ${one.ratio.percent === null ? "" : `${one.ratio.percent.toFixed(1)} %`}`.trim();
  return words(Math.min(WIDTH - 56, Math.max(56, middle(0))), middle(1) + 4, text, { "text-anchor": "middle", class: "county-name" });
}

/** Return the convex hull of spots, by the monotone chain. */
function hull(spots) {
  const sorted = [...spots].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const half = (list) => {
    const kept = [];
    for (const spot of list) {
      while (kept.length > 1 && turn(kept.at(-2), kept.at(-1), spot) <= 0) kept.pop();
      kept.push(spot);
    }
    return kept.slice(0, -1);
  };
  return [...half(sorted), ...half(sorted.toReversed())];
}

const turn = ([ax, ay], [bx, by], [cx, cy]) => (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
