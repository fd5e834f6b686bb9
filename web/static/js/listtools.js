/** Tools above the list: mark clues, hand them out, take them away. */

import { openExport } from "./exporting.js";
import { button, fill, h } from "./dom.js";
import { dispatchMany } from "./dispatching.js";
import { count } from "./format.js";
import { nameOf } from "./names.js";
import { isOffice, mayExport } from "./people.js";
import { t } from "./texts.js";

/** Bar with what can be done with many clues at once; `reload` asks for the list again. */
export class ListTools {
  constructor(place, list, user, { query, reload }) {
    Object.assign(this, { list, query, reload });
    this.said = h("span", { class: "muted", role: "status" });
    this.mark = button({ class: "quiet", "aria-pressed": "false", on: { click: () => this.marking(!list.marking) } }, t("tools.mark"));
    const give = button({ class: "quiet give", on: { click: () => dispatchMany([...list.marked], query(), list.total, () => this.given()) } }, nameOf("actions", "dispatch"));
    const save = button({ class: "quiet take", on: { click: () => openExport(query(), list.total) } }, t("tools.export"));
    place.append(h("div", { class: "list-tools", role: "toolbar", "aria-label": t("tools.title") },
      isOffice(user) && [this.mark, give], mayExport(user) && save, this.said));
    list.onmark = () => this.tell();
  }

  /** While clues are marked a click or the space key marks a row instead of only opening it. */
  marking(on) {
    this.list.marking = on;
    if (!on) this.list.marked.clear();
    this.mark.setAttribute("aria-pressed", String(on));
    this.list.redraw();
    this.tell();
  }

  tell() {
    const { marking, marked } = this.list;
    fill(this.said, marking && t("tools.marked", { count: count(marked.size) }));
  }

  async given() {
    this.marking(false);
    await this.reload();
  }
}
