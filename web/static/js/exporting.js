/** Taking away what the filters choose: the same set as the list, in every format of the API. */

import { exportAddress } from "./api.js";
import { h } from "./dom.js";
import { count } from "./format.js";
import { dialog } from "./keyboard.js";
import { part } from "./names.js";
import { language, t } from "./texts.js";

/** Show the formats; each is a link that the browser saves. */
export function openExport({ order, ...filters }, total) {
  const formats = Object.values(part("formats"));
  dialog(t("export.title"),
    h("p", {}, t("export.which", { count: count(total) })),
    total ? h("ul", { class: "formats" }, formats.map((format) => h("li", {},
      h("a", { class: "as-button", download: "", href: exportAddress(format, { ...filters, lang: language }), data: { format } }, h("strong", {}, format.toUpperCase())),
      h("span", { class: "muted" }, t(`export.${format}`))))) : h("p", { class: "muted" }, t("list.none")));
}
