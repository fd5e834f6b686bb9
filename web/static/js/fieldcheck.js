/** The field check, made for a phone on site: photos, position, azimuth, what is seen. */

import { attach } from "./api.js";
import { problemWords } from "./announce.js";
import { take } from "./casesteps.js";
import { button, fill, h, icon } from "./dom.js";
import { metresBetween } from "./format.js";
import { ask, formField, valuesOf } from "./forms.js";
import { headingOf } from "./compass.js";
import { nameOf, part } from "./names.js";
import { t } from "./texts.js";

const PLACED = ["lon", "lat", "accuracy_m", "azimuth"];
const FAR = 300; // metres from the middle of the clue from which it is told
const KEPT = "tuban.field.";
const ON_SITE = { enableHighAccuracy: true, timeout: 20000, maximumAge: 0 };

/** Open the form of the field check. */
export function openFieldCheck(clue, found, desk) {
  new FieldCheck(clue, found, desk).open();
}

class FieldCheck {
  constructor(clue, found, desk) {
    Object.assign(this, { clue, case: found, desk, photos: [], draft: `${KEPT}${found.case_no}` });
    this.said = h("p", { class: "wide muted", role: "status" });
    this.faces = h("p", { class: "wide faces", role: "status" });
    this.list = h("ul", { class: "photos wide" });
  }

  open() {
    const { form: names, required } = part("actions").field_check;
    const kept = { checked_on: today(), ...JSON.parse(localStorage.getItem(this.draft) ?? "{}") };
    const field = (name) => formField(name, { required: required.includes(name), value: kept[name] ?? "" });
    const seen = names.filter((name) => !PLACED.includes(name)).map(field);
    const { node, form } = ask(`${nameOf("actions", "field_check")} ${this.case.case_no}`, [
      this.camera(), this.list,
      h("fieldset", { class: "wide placed" }, h("legend", {}, t("field.place")),
        h("p", { class: "row wrap wide" },
          button({ class: "locate", on: { click: () => this.locate() } }, icon("fit"), t("field.locate")),
          button({ class: "heading", on: { click: () => this.turn() } }, icon("whole"), t("field.heading"))),
        PLACED.map(field), this.faces, this.said),
      seen,
    ], (values) => this.send(values), { done: t("field.send"), wide: true });
    this.form = form;
    node.classList.add("phone");
    form.addEventListener("input", () => this.keep());
    document.activeElement?.blur();
    this.tell();
  }

  /** What was typed outlives a lost signal or a closed page; photos stay in the phone's own album. */
  keep() {
    localStorage.setItem(this.draft, JSON.stringify(valuesOf(this.form)));
    this.tell();
  }

  camera() {
    const input = (words, more) => {
      const file = h("input", { type: "file", class: "unseen", accept: "image/jpeg,image/png", ...more });
      file.addEventListener("change", () => {
        for (const one of file.files) this.add(one);
        file.value = "";
      });
      return h("label", { class: "as-button" }, file, icon("plus"), words);
    };
    return h("p", { class: "row wrap wide" }, input(t("field.shoot"), { capture: "environment", name: "shot" }), input(t("field.choose"), { multiple: true, name: "chosen" }));
  }

  add(file) {
    const photo = { file, sent: "", said: h("span", { class: "muted" }) };
    const image = h("img", { src: URL.createObjectURL(file), alt: t("field.photo", { name: file.name }) });
    photo.node = h("li", {}, image, h("span", { class: "photo-name" }, file.name), photo.said,
      button({ class: "quiet", label: t("field.drop", { name: file.name }), on: { click: () => this.drop(photo) } }, icon("close")));
    photo.image = image;
    this.photos.push(photo);
    this.list.append(photo.node);
  }

  drop(photo) {
    if (photo.sent) return;
    URL.revokeObjectURL(photo.image.src);
    this.photos = this.photos.filter((one) => one !== photo);
    photo.node.remove();
  }

  set(values) {
    for (const [name, value] of Object.entries(values)) this.form.querySelector(`[name=${name}]`).value = value;
    this.keep();
  }

  locate() {
    this.said.textContent = t("field.locating");
    if (!navigator.geolocation) {
      this.said.textContent = t("field.nowhere");
      return;
    }
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        this.set({ lon: coords.longitude.toFixed(6), lat: coords.latitude.toFixed(6), accuracy_m: Math.ceil(coords.accuracy) });
        if (Number.isFinite(coords.heading)) this.set({ azimuth: Math.round(coords.heading) });
      },
      () => { this.said.textContent = t("field.nowhere"); },
      ON_SITE,
    );
  }

  async turn() {
    const heading = await headingOf();
    this.said.textContent = heading === null ? t("field.noheading") : "";
    if (heading !== null) this.set({ azimuth: heading });
  }

  /** Tell where the azimuth points to, and how far from the clue the position is. */
  tell() {
    const { lon, lat, azimuth } = valuesOf(this.form);
    const side = Math.round((((azimuth % 360) + 360) % 360) / 45) % 8;
    this.faces.textContent = Number.isFinite(azimuth) ? t("field.faces", { degrees: azimuth, side: t(`side.${side}`) }) : "";
    if (lon === undefined || lat === undefined || !Number.isFinite(this.clue.lon)) return;
    const metres = Math.round(metresBetween([lon, lat], [this.clue.lon, this.clue.lat]));
    this.said.classList.toggle("bad", metres > FAR);
    this.said.textContent = t(metres > FAR ? "field.far" : "field.near", { metres });
  }

  /** Send the photos first, each once; the check follows when all are kept. */
  async send(values) {
    const left = this.photos.filter((photo) => !photo.sent);
    let failed = 0;
    for (const photo of left) {
      fill(photo.said, t("field.sending"));
      try {
        photo.sent = (await attach(this.clue.clue_no, photo.file, "photo", this.case.case_no)).sha256;
        photo.said.className = "muted";
        fill(photo.said, icon("check"), t("field.sent"));
        photo.node.querySelector("button").remove();
      } catch (problem) {
        failed += 1;
        photo.said.className = "bad";
        fill(photo.said, problemWords(problem));
      }
    }
    if (failed) {
      this.said.classList.add("bad");
      this.said.textContent = t("field.failed", { count: failed });
      return true;
    }
    await take("field_check", values, this.clue, this.case, this.desk);
    localStorage.removeItem(this.draft);
    this.photos.forEach((photo) => URL.revokeObjectURL(photo.image.src));
    return false;
  }
}

/** Today by the clock of the phone. */
function today() {
  const now = new Date();
  return new Date(now - now.getTimezoneOffset() * 60000).toISOString().slice(0, 10);
}
