/** Charts of the view from above, each with its figures in words. */

import { h } from "./dom.js";
import { drawing, roundUp, svg, words } from "./drawn.js";
import { count, inMu } from "./format.js";
import { t } from "./texts.js";

/** Return how many clues stand in each state, as bars that open the list. */
export function funnel(states) {
  const most = Math.max(1, ...states.map((one) => one.count));
  return h("ol", { class: "bars" }, states.map((one) => h("li", {},
    h("a", { href: one.href }, one.name), meter(one.count / most, "state"), h("span", { class: "number" }, count(one.count)),
    h("small", { class: "number muted" }, inMu(one.area_dm2)))));
}

/** Return counts by kind as bars. */
export function bars(kinds) {
  const most = Math.max(1, ...kinds.map((one) => one.count));
  return h("ul", { class: "bars" }, kinds.map((one) => h("li", {},
    h("span", {}, one.name), meter(one.count / most, one.kind), h("span", { class: "number" }, count(one.count)),
    h("small", { class: "number muted" }, inMu(one.area_dm2)))));
}

const meter = (share, kind) => svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", class: `bar ${kind}`, "aria-hidden": "true" },
  svg("rect", { x: 0, y: 0, width: 100, height: 8, class: "bar-ground" }), svg("rect", { x: 0, y: 0, width: 100 * share, height: 8, class: "bar-value" }));

/** Return the ratio of illegal cropland on a scale with the line from which leaders answer. */
export function ratioLine(ratio) {
  const { percent, percent_if_open_are_illegal: most, limit_percent: limit } = ratio;
  const end = Math.min(100, Math.max(2 * limit, roundUp(most ?? 0)));
  const x = (value) => 10 + (Math.min(value, end) / end) * 400;
  const name = percent === null ? t("figure.noratio") : t("figure.ratioline", { percent: percent.toFixed(2), most: most.toFixed(2), limit });
  return h("div", {}, drawing(420, 84, name,
    svg("rect", { x: 10, y: 30, width: 400, height: 20, class: "bar-ground" }),
    percent !== null && svg("rect", { x: 10, y: 30, width: x(most) - 10, height: 20, class: "ratio-open" }),
    percent !== null && svg("rect", { x: 10, y: 30, width: x(percent) - 10, height: 20, class: "ratio-value" }),
    svg("line", { x1: x(limit), x2: x(limit), y1: 20, y2: 60, class: "ratio-limit" }),
    words(x(limit), 14, `${limit} %`, { "text-anchor": "middle", class: "ratio-name" }),
    words(10, 76, "0"), words(410, 76, `${end} %`, { "text-anchor": "end" })),
  h("p", {}, name));
}

/** Return clues by the month of their first sight, with the area as a line. */
export function trend(months) {
  const known = months.filter((one) => one.month);
  if (!known.length) return h("p", { class: "muted" }, t("figure.nomonths"));
  const [width, high, left, low] = [420, 180, 34, 150];
  const top = roundUp(Math.max(...known.map((one) => one.count)));
  const most = Math.max(1, ...known.map((one) => one.area_dm2));
  const step = (width - left - 8) / known.length;
  const wide = Math.min(34, step * 0.7);
  const middle = (at) => left + step * (at + 0.5);
  const y = (share) => low - share * (low - 16);
  const every = Math.ceil(known.length / 7);
  const line = known.map((one, at) => `${middle(at).toFixed(1)},${y(one.area_dm2 / most).toFixed(1)}`).join(" ");
  const name = t("figure.trendline", { first: known[0].month, last: known.at(-1).month, most: count(Math.max(...known.map((one) => one.count))) });
  return h("div", {}, drawing(width, high, name,
    [0, 0.5, 1].map((share) => [svg("line", { x1: left, x2: width - 8, y1: y(share), y2: y(share), class: "grid" }),
      words(left - 5, y(share) + 4, count(top * share), { "text-anchor": "end" })]),
    known.map((one, at) => svg("rect", { x: middle(at) - wide / 2, width: wide, y: y(one.count / top), height: low - y(one.count / top), class: "month" },
      svg("title", {}, `${one.month} · ${count(one.count)} · ${inMu(one.area_dm2)}`))),
    svg("polyline", { points: line, class: "month-area" }),
    known.map((one, at) => svg("circle", { cx: middle(at), cy: y(one.area_dm2 / most), r: 3, class: "month-dot" })),
    known.map((one, at) => at % every === 0 && words(middle(at), high - 12, one.month, { "text-anchor": "middle" }))),
  h("p", { class: "legend" }, h("span", { class: "key month-key" }), t("figure.clues"), h("span", { class: "key area-key" }), t("figure.areatop", { area: inMu(most) })));
}
