/** The clock of the limitation: how much of the time from the first sight of a clue has passed. */

import { h } from "./dom.js";
import { day, daysUntil } from "./format.js";
import { svg } from "./drawn.js";
import { t } from "./texts.js";

const ROUND = 2 * Math.PI * 15;
const SOON = 90;

/** Return the clock of a clue; nothing where its limitation is not known. */
export function clock(clue) {
  if (!clue.limitation_until || !clue.first_seen) return null;
  const left = daysUntil(clue.limitation_until);
  const whole = left - daysUntil(clue.first_seen);
  const passed = Math.min(1, Math.max(0, whole ? 1 - left / whole : 1));
  const kind = left < 0 ? "over" : left <= SOON ? "soon" : "";
  const words = left < 0 ? t("clock.over", { days: -left }) : t("clock.left", { days: left });
  return h("div", { class: `clock ${kind}` },
    svg("svg", { viewBox: "0 0 36 36", "aria-hidden": "true" },
      svg("circle", { cx: 18, cy: 18, r: 15, class: "clock-whole" }),
      svg("circle", { cx: 18, cy: 18, r: 15, class: "clock-passed", transform: "rotate(-90 18 18)", "stroke-dasharray": `${passed * ROUND} ${ROUND}` })),
    h("p", {}, h("strong", {}, words), h("br"), h("span", { class: "muted" }, t("clock.until", { first: day(clue.first_seen), last: day(clue.limitation_until) }))));
}
