/** The counties on a map: their outlines, where their clues lie, coloured by the ratio of each. */

import { h } from "./dom.js";
import { linkedDrawing, svg, words } from "./drawn.js";
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

/** Return the map of the counties told, from the points of their clues.
 * `outlines`: rings of counties by code; of a county without, the extent of its clues is drawn, and named so. */
export function countyMap(counties, where, limit, { outlines, names }) {
  const at = Object.fromEntries(where.columns.map((name, index) => [name, index]));
  const placed = where.rows.filter((row) => row[at.lon] !== null).map((row) => ({ code: row[at.clue_no].slice(0, CODE), x: row[at.lon], y: row[at.lat] }));
  if (!placed.length) return h("p", { class: "muted" }, t("list.none"));
  const rings = (code) => outlines.get(code) ?? [];
  const corners = counties.flatMap((one) => rings(one.county_code).flat()).map(([x, y]) => ({ x, y }));
  const { project, height } = projection([...placed, ...corners]);
  const dots = placed.filter((_, index) => index % Math.ceil(placed.length / MOST) === 0);
  const told = counties.map((one) => ({ one, name: names.get(one.county_code) ?? one.county_code, kind: kindOf(one.ratio, limit), spots: placed.filter(({ code }) => code === one.county_code).map(project) }));
  const kinds = new Map(told.map(({ one, kind }) => [one.county_code, kind]));
  const vague = counties.some((one) => !rings(one.county_code).length);
  return h("div", {}, linkedDrawing(WIDTH, height, t("figure.maptold", { count: counties.length }),
    told.map((county) => area(county, rings(county.one.county_code).map((ring) => ring.map(([x, y]) => project({ x, y }))))),
    dots.map((dot) => {
      const [cx, cy] = project(dot);
      return svg("circle", { cx, cy, r: 2.2, class: `place ${kinds.get(dot.code) ?? ""}` });
    }),
    told.map(label)),
  h("p", { class: "legend" }, ["alert", "near", "calm", "unknown"].map((kind) => [h("span", { class: `key ${kind}` }), t(`figure.is.${kind}`, { limit })])),
  vague && h("p", { class: "muted" }, t("figure.extent")));
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

/** A county by its outline, else by the extent of its clues. */
function area({ one, name, kind, spots }, rings) {
  if (!rings.length && spots.length < 3) return null;
  const path = (ring) => `M${ring.map((spot) => spot.map((v) => v.toFixed(1)).join(",")).join("L")}Z`;
  const known = rings.length > 0;
  return svg("a", { href: address("review", { division: one.county_code }), "aria-label": `${name} ${t("figure.clues")} ${count(one.count)}` },
    svg("path", { d: (known ? rings : [hull(spots)]).map(path).join(""), class: `county ${kind}${known ? "" : " extent"}` }));
}

function label({ one, name, spots }) {
  if (!spots.length) return null;
  const middle = (axis) => spots.reduce((sum, spot) => sum + spot[axis], 0) / spots.length;
  const text = `${name} ${one.ratio.percent === null ? "" : `${one.ratio.percent.toFixed(1)} %`}`.trim();
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
