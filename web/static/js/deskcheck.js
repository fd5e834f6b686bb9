/** The desk check: what was found, and an approval number that is judged by at once. */

import { attach, rejudge } from "./api.js";
import { problemWords } from "./announce.js";
import { take } from "./casesteps.js";
import { button, fill, h } from "./dom.js";
import { ask, formField, labelled } from "./forms.js";
import { nameOf, part } from "./names.js";
import { isOffice } from "./people.js";
import { t, told } from "./texts.js";

const ACCEPTED = "image/jpeg,image/png,application/pdf";

/** Open the form of the desk check. */
export function openDeskCheck(clue, found, desk) {
  const { required } = part("actions").desk_check;
  const finding = formField("finding", { required: required.includes("finding") });
  const number = formField("approval_number", { value: found.facts?.approval_number ?? "" });
  const paper = isOffice(desk.user) && new Paper(clue, found, desk, number.querySelector("input"));
  const { form } = ask(`${nameOf("actions", "desk_check")} ${found.case_no}`,
    [number, paper && paper.node, finding],
    (values) => {
      const kept = { finding: values.finding, approval_number: values.approval_number };
      return take("desk_check", kept, clue, paper ? paper.case : found, desk);
    },
    { done: nameOf("actions", "desk_check"), wide: true });
  form.querySelector("[name=approval_number]").focus();
}

/** The document by which the clue is judged again. */
class Paper {
  constructor(clue, found, desk, number) {
    Object.assign(this, { clue, case: found, desk, number });
    const roles = part("document_roles");
    this.role = h("select", { name: "role" }, roles.map((role) => h("option", { value: role }, nameOf("layer_roles", role))));
    if (roles.includes("approval")) this.role.value = "approval";
    this.date = h("input", { type: "date", name: "paper_date" });
    this.scan = h("input", { type: "file", accept: ACCEPTED, name: "scan" });
    this.answer = h("div", { class: "rejudged wide", role: "status" });
    this.send = button({ class: "wide", on: { click: () => this.judge() } }, t("paper.judge"));
    this.node = h("fieldset", { class: "wide paper" }, h("legend", {}, t("paper.title")),
      labelled(t("paper.role"), this.role), labelled(t("paper.date"), this.date, { hint: t("paper.dated") }),
      labelled(t("paper.scan"), this.scan, { wide: true }), this.send, this.answer);
  }

  async judge() {
    const number = this.number.value.trim();
    if (!number) {
      this.number.focus();
      fill(this.answer, h("p", { class: "bad" }, t("paper.nonumber")));
      return;
    }
    this.send.disabled = true;
    fill(this.answer, h("p", { class: "muted" }, t("paper.judging")));
    try {
      const [file] = this.scan.files;
      const sent = file ? (await attach(this.clue.clue_no, file, "approval", this.case.case_no)).sha256 : "";
      const answer = await rejudge(this.clue.clue_no, { role: this.role.value, number, date: this.date.value, attachment: sent });
      fill(this.answer, tellAnswer(answer, number, this.desk.user));
      const clue = await this.desk.changed(this.clue.clue_no);
      this.case = clue.cases.find((one) => one.case_no === this.case.case_no) ?? this.case;
    } catch (problem) {
      fill(this.answer, h("p", { class: "bad" }, problemWords(problem)));
    } finally {
      this.send.disabled = false;
    }
  }
}

/** What judging again changed, parcel by parcel, and who attached the document. */
function tellAnswer(answer, number, user) {
  const rows = answer.differences.map((one) => h("li", {},
    h("p", { class: "row wrap" }, h("strong", {}, one.parcel_id), h("span", { class: "muted" }, nameOf("lines", one.line)),
      outcome(one, "before"), h("span", { "aria-label": t("paper.becomes") }, "→"), outcome(one, "after")),
    told(one, "reason") && h("p", {}, told(one, "reason"))));
  return [
    h("p", {}, h("strong", {}, t("paper.attached", { who: user.display || user.name, number }))),
    h("p", {}, told(answer, "told")),
    rows.length ? h("ul", { class: "differences" }, rows) : h("p", { class: "muted" }, t("paper.same")),
  ];
}

/** An answer comes as its outcome and its rule; there is none where the parcel was not there. */
function outcome(one, when) {
  const [code = "", rule = ""] = one[when].split(" ");
  return h("span", { class: `badge ${code}` }, `${nameOf("outcomes", code) || t("none")} ${rule}`.trim());
}
