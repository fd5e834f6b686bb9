/** Photos and scans of a clue: seen, taken away, sent. */

import { attach, attachmentAddress } from "./api.js";
import { alarm, announce } from "./announce.js";
import { h } from "./dom.js";
import { moment, size } from "./format.js";
import { labelled } from "./forms.js";
import { isHand } from "./people.js";
import { t } from "./texts.js";

const KINDS = ["photo", "document", "approval", "decision", "other"];

/** Return the files with a form for one more. */
export function showFiles(clue, desk) {
  const kept = clue.attachments.map(row);
  return h("div", {}, kept.length ? h("ul", { class: "files" }, kept) : h("p", { class: "muted" }, t("file.none")), isHand(desk.user) && form(clue, desk));
}

function row(file) {
  const address = attachmentAddress(file.sha256);
  const seen = file.media_type.startsWith("image/") && h("img", { src: address, alt: file.name, loading: "lazy" });
  const { lon, lat, azimuth } = file.facts ?? {};
  const place = Number.isFinite(lon) && `${lon.toFixed(5)}, ${lat.toFixed(5)}${Number.isFinite(azimuth) ? ` · ${Math.round(azimuth)}°` : ""}`;
  return h("li", {}, seen,
    h("div", {}, h("p", {}, h("a", { href: address, download: file.name }, file.name), h("span", { class: "badge" }, t(`file.${file.kind}`))),
      h("p", { class: "muted" }, [size(file.size), file.by, moment(file.at), file.case_no, place].filter(Boolean).join(" · "))));
}

function form(clue, desk) {
  const kind = h("select", { name: "kind" }, KINDS.map((one) => h("option", { value: one }, t(`file.${one}`))));
  const file = h("input", { type: "file", name: "file", required: true, accept: "image/jpeg,image/png,application/pdf" });
  const send = h("button", { class: "primary", type: "submit" }, t("file.send"));
  const node = h("form", { class: "asked" }, labelled(t("file.kind"), kind), labelled(t("file.file"), file, { hint: t("file.hint") }), h("p", { class: "row wide" }, send));
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    try {
      await attach(clue.clue_no, file.files[0], kind.value);
      announce(t("file.sent"));
      await desk.changed(clue.clue_no);
    } catch (problem) {
      alarm(problem);
    } finally {
      send.disabled = false;
    }
  });
  return node;
}
