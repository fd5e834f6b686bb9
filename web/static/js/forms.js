/** Forms made from the vocabulary of the API: a label and an input for each field, read by kind. */

import { alarm, problemWords } from "./announce.js";
import { button, h } from "./dom.js";
import { inM2 } from "./format.js";
import { dialog } from "./keyboard.js";
import { choices, nameOf, part } from "./names.js";
import { t } from "./texts.js";

let made = 0;

/** Return an input with its label; `input` is found in the node by its name. */
export function labelled(words, input, { hint = "", wide = false } = {}) {
  input.id ||= `input-${++made}`;
  const told = hint && h("small", { class: "muted", id: `${input.id}-hint` }, hint);
  if (told) input.setAttribute("aria-describedby", told.id);
  return h("p", { class: `field${wide ? " wide" : ""}` }, h("label", { for: input.id }, words, input.required && h("span", { class: "must" }, ` ${t("form.must")}`)), input, told);
}

/** Return a field of the vocabulary; areas are entered in square metres. */
export function formField(name, { required = false, value = "" } = {}) {
  const { kind, within } = part("fields")[name];
  const given = { name, required };
  const words = nameOf("fields", name);
  if (kind === "long") return labelled(words, h("textarea", { ...given, maxlength: 4000, rows: 3, value }), { wide: true });
  if (kind === "verdict") {
    return labelled(words, h("select", { ...given, value }, h("option", { value: "" }, t("form.choose")),
      choices("verdicts").map(([code, told]) => h("option", { value: code, selected: code === value }, told))));
  }
  if (kind === "area") {
    const shown = value === "" || value === undefined ? "" : (value / 100).toFixed(2);
    return labelled(`${words}${t("form.m2")}`, h("input", { ...given, type: "number", min: 0, step: 0.01, inputmode: "decimal", data: { kind }, value: shown }));
  }
  const type = { date: "date", number: "number" }[kind] ?? "text";
  const more = kind === "number" ? { step: "any", inputmode: "decimal", min: within?.[0], max: within?.[1] } : kind === "text" ? { maxlength: 200 } : {};
  return labelled(words, h("input", { ...given, type, ...more, data: { kind }, value }));
}

/** Return what a form tells: numbers as numbers, areas as whole 0.01 m², nothing that is empty. */
export function valuesOf(form) {
  const values = {};
  for (const input of form.querySelectorAll("[name]")) {
    const text = input.type === "checkbox" ? (input.checked ? "on" : "") : input.type === "password" ? input.value : input.value.trim();
    if (!text || input.type === "file" || input.type === "radio") continue;
    const { kind } = input.dataset;
    values[input.name] = kind === "area" ? Math.round(Number(text) * 100) : kind === "number" ? Number(text) : text;
  }
  return values;
}

/** Return a line that tells how a case balances while areas are entered; `whole` is its land in 0.01 m².
 * What does not balance cannot be sent: the line says why. */
export function balanceOf(form, before, whole) {
  const line = h("p", { class: "balance wide", role: "status", id: "balance" });
  const submit = form.querySelector("[type=submit]");
  submit.setAttribute("aria-describedby", line.id);
  const tell = () => {
    const told = valuesOf(form);
    const of = (name) => told[`${name}_dm2`] ?? before[name] ?? 0;
    const rectified = of("demolished") + of("papers") + of("confiscated");
    const remaining = of("illegal") - rectified;
    const tooLarge = of("illegal") > whole;
    submit.disabled = tooLarge || remaining < 0;
    line.classList.toggle("bad", submit.disabled);
    line.textContent = t(tooLarge ? "areas.toolarge" : remaining < 0 ? "areas.toomuch" : "areas.balance", {
      illegal: inM2(of("illegal")), rectified: inM2(rectified), remaining: inM2(Math.abs(remaining)), whole: inM2(whole),
    });
  };
  form.addEventListener("input", tell);
  tell();
  return line;
}

/** Ask in a dialog; `send` gets what the form tells and may keep the dialog open by returning true.
 * A refusal is told inside the dialog, where its form is. */
export function ask(title, parts, send, { done = t("form.send"), wide = false } = {}) {
  const said = h("p", { class: "said bad", role: "alert" });
  const submit = h("button", { type: "submit", class: "primary" }, done);
  const form = h("form", { class: `asked${wide ? " wide" : ""}` }, parts, said,
    h("p", { class: "row wide asked-end" }, submit, button({ on: { click: () => node.close() } }, t("form.cancel"))));
  const node = dialog(title, form);
  if (wide) node.classList.add("wide");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    said.textContent = "";
    try {
      if (!(await send(valuesOf(form), form))) node.close();
    } catch (problem) {
      if (problem.status === undefined) throw problem;
      if (node.isConnected) said.textContent = problemWords(problem);
      else alarm(problem);
      said.scrollIntoView({ block: "nearest" });
    } finally {
      submit.disabled = false;
      if (node.open) form.dispatchEvent(new Event("input")); // what may not be sent yet stays so
    }
  });
  form.querySelector("input, select, textarea")?.focus();
  return { node, form };
}
