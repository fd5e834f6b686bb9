/** What is to be looked at first: late, near the end of the limitation, sent back, contested, gone. */

import { exceptions } from "./api.js";
import { clueTable } from "./cluetable.js";
import { button, fill, h } from "./dom.js";
import { count } from "./format.js";
import { note } from "./route.js";
import { t } from "./texts.js";

const KINDS = ["overdue", "limitation_over", "limitation_soon", "returned", "machine_differs", "gone", "parcels_without_case", "severe_but_cleared"];

/** Show the exceptions, one kind at a time. */
export async function show(main, { query }) {
  const found = await exceptions();
  const table = h("div");
  const tiles = KINDS.map((kind) => button({ class: "tile", data: { kind }, on: { click: () => choose(kind) } },
    h("span", {}, t(`exception.${kind}`)), h("strong", { class: found[kind].count ? "" : "muted" }, count(found[kind].count))));
  const choose = (kind) => {
    note("exceptions", { kind });
    tiles.forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.kind === kind)));
    const { items } = found[kind];
    fill(table, h("h2", {}, t(`exception.${kind}`)), h("p", { class: "muted" }, t(`exception.${kind}.why`)),
      items.length ? clueTable(items, t(`exception.${kind}`)) : h("p", {}, t("exception.none")),
      found[kind].count > items.length && h("p", { class: "muted" }, t("exception.more", { count: count(found[kind].count - items.length) })));
  };
  fill(main, h("div", { class: "sheet" }, h("h1", {}, t("place.exceptions")), h("div", { class: "tiles" }, tiles), table));
  choose(KINDS.includes(query.kind) ? query.kind : KINDS.find((kind) => found[kind].count) ?? KINDS[0]);
}
