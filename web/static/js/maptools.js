/** Tools on the map: zoom, fit, one image or both, layers with their legend, dates of the images. */

import { button, fill, h, icon } from "./dom.js";
import { period } from "./format.js";
import { nameOf } from "./names.js";
import { CLOSE, lookOf } from "./outlines.js";
import { COLOURS } from "./points.js";
import { t } from "./texts.js";

/** Put the tools on the maps. */
export function mapTools(maps, outlines, { fit, whole }) {
  const seen = views(maps);
  const layers = layerMenu(maps, outlines);
  const near = h("p", { class: "map-hint", hidden: true }, t("map.closer", { zoom: CLOSE }));
  const labels = h("div", { class: "map-labels" });
  const credit = h("p", { class: "map-credit" });
  maps.place.append(labels, credit, near,
    h("div", { class: "map-tools", role: "toolbar", "aria-label": t("map.tools") },
      button({ label: t("map.in"), on: { click: () => maps.after.zoomIn({ duration: 0 }) } }, icon("plus")),
      button({ label: t("map.out"), on: { click: () => maps.after.zoomOut({ duration: 0 }) } }, icon("minus")),
      button({ label: t("map.fit"), on: { click: fit } }, icon("fit")),
      button({ label: t("map.whole"), on: { click: whole } }, icon("whole")),
      layers),
    seen);
  const tell = () => {
    near.hidden = maps.after.getZoom() >= CLOSE || !layers.open;
    dates(maps, labels, credit);
  };
  maps.after.on("moveend", tell);
  maps.onimages = tell;
  layers.addEventListener("toggle", tell);
}

/** Buttons for the image before, both, the image after. */
function views(maps) {
  const made = [["before", 100], ["both", 50], ["after", 0]].map(([name, share]) => button({
    data: { name }, on: { click: () => { maps.share = share; } },
  }, t(`map.see.${name}`)));
  maps.onshare = (seen) => made.forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.name === seen)));
  maps.onshare("both");
  return h("div", { class: "map-views", role: "group", "aria-label": t("map.views") }, made);
}

/** When the images seen were taken, and whose they are. */
function dates(maps, labels, credit) {
  const { shown = {} } = maps;
  const label = (side) => {
    const found = shown[side] ?? [];
    const taken = [...new Set(found.map((image) => period(image.taken_from, image.taken_to)))].join(", ");
    return h("span", { class: `map-label ${side}` }, h("b", {}, t(`map.${side}.short`)), ` ${taken}`);
  };
  fill(labels, label("before"), label("after"));
  const owners = [...(shown.before ?? []), ...(shown.after ?? [])].map((image) => image.attribution);
  fill(credit, [...new Set(owners.filter(Boolean))].join(" · "));
}

function layerMenu(maps, outlines) {
  const body = h("div", { class: "menu-body layer-menu" });
  const menu = h("details", { class: "menu" },
    h("summary", { class: "tool", title: t("layers.title"), "aria-label": t("layers.title") }, icon("layers")), body);
  menu.addEventListener("toggle", () => {
    if (!menu.open) return;
    fill(body, h("h3", {}, t("layers.title")), outlines.offered.map((one) => row(outlines, one)),
      h("p", { class: "muted" }, t("layers.zoom", { zoom: CLOSE })),
      h("h3", {}, t("layers.points")), Object.entries(COLOURS).filter(([code]) => code !== "below_threshold").map(([code, colour]) => point(code, colour)));
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  return menu;
}

function row(outlines, { id, title }) {
  const { colour, dashes } = lookOf(id);
  const swatch = h("span", { class: `swatch${dashes ? " dashed" : ""}` });
  swatch.style.borderColor = colour;
  const box = h("input", { type: "checkbox", id: `layer-${id}`, checked: outlines.shown.has(id) });
  box.addEventListener("change", () => outlines.toggle(id, box.checked));
  return h("label", { class: "layer", for: box.id }, box, swatch, title || t("layers.clues"));
}

function point(code, colour) {
  const dot = h("span", { class: "dot" });
  dot.style.background = colour;
  return h("p", { class: "layer" }, dot, nameOf("outcomes", code));
}
