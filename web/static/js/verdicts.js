/** Judging with the keyboard: one key per verdict, one more where a reason is asked, `u` to undo.
 * The next clue is shown before the answer to a verdict is there. */

import { act, undo } from "./api.js";
import { alarm, announce, calm } from "./announce.js";
import { button, fill, h, icon } from "./dom.js";
import { bind, dialog, unbind } from "./keyboard.js";
import { choicesIn, nameOf, part, reasonOf } from "./names.js";
import { steps } from "./steps.js";
import { t } from "./texts.js";

/** Verdicts in the order of their keys. */
const VERDICTS = ["illegal", "legal", "other", "false_alarm"];
const JUDGE = "judge";

/** Unlawful needs somebody to have been there. */
const seenFor = (verdict, { state }) => verdict !== "illegal" || ["field_checked", "judged"].includes(state);

/** Does this person give verdicts, which can be undone? */
const judges = ({ role }) => ["administrator", ...part("actions")[JUDGE].roles].includes(role);

/** Buttons below the clue. */
export class VerdictBar {
  constructor(desk) {
    this.desk = desk;
    this.done = [];
    this.sending = new Set();
    this.node = h("footer", { class: "verdicts", "aria-label": t("verdict.title") });
    VERDICTS.forEach((verdict, at) => bind(String(at + 1), `help.${verdict}`, () => this.judge(verdict)));
    bind("u", "help.undo", () => this.undo());
  }

  /** Show what can be done with a clue now. */
  show(clue) {
    this.clue = clue;
    if (!clue) {
      fill(this.node);
      return;
    }
    const open = this.case(JUDGE);
    fill(this.node, open ? this.buttons(open) : this.waiting(), this.further());
  }

  /** The first case of the clue in which this person may take a step. */
  case(action) {
    return this.clue?.cases.find((one) => one.allowed.includes(action));
  }

  buttons(open) {
    return h("div", { class: "verdict-row", role: "group", "aria-label": t("verdict.title") },
      VERDICTS.map((verdict, at) => button({
        class: `verdict ${verdict}`, data: { verdict }, "aria-keyshortcuts": at + 1, "aria-pressed": open.verdict ? String(open.verdict === verdict) : null,
        disabled: !seenFor(verdict, open), title: seenFor(verdict, open) ? "" : t("verdict.unseen"), on: { click: () => this.judge(verdict) },
      }, h("kbd", {}, at + 1), nameOf("verdicts", verdict))));
  }

  waiting() {
    const { cases, state } = this.clue;
    const judged = this.clue.verdict;
    const words = judged ? t("verdict.given", { verdict: nameOf("verdicts", judged) })
      : t(cases.length ? "verdict.later" : "verdict.nocase", { state: nameOf("states", state) });
    const why = cases.find((one) => one.verdict)?.verdict_reason;
    return h("p", { class: "verdict-note muted" }, judged && icon("check"), words, why && ` · ${reasonOf(judged, why)}`);
  }

  /** Other steps that are possible now, and undoing. */
  further() {
    const { clue, desk } = this;
    const offered = steps.filter((step) => step.offered ? step.offered(clue, desk.user) : this.case(step.action));
    const made = offered.map((step) => {
      const found = this.case(step.action);
      return button({ on: { click: () => step.open(clue, found, desk) } }, step.title ? t(step.title) : nameOf("actions", step.action));
    });
    const last = this.done.at(-1);
    const back = button({ class: "quiet", disabled: !last, "aria-keyshortcuts": "u", on: { click: () => this.undo() } },
      icon("undo"), t("verdict.undo"), h("kbd", {}, "u"));
    return h("div", { class: "verdict-more" }, made, judges(desk.user) && back);
  }

  async judge(verdict) {
    const { clue } = this;
    const found = this.case(JUDGE);
    if (!clue || this.sending.has(clue.clue_no)) return;
    if (!found) {
      announce(t("verdict.cannot"));
      return;
    }
    if (!seenFor(verdict, found)) {
      announce(t("verdict.unseen"));
      return;
    }
    const reasons = choicesIn(part("reasons")[verdict]);
    const reason = reasons.length ? await askReason(verdict, reasons) : "";
    if (reason === null) return;
    this.send(clue, found, { verdict, ...(reason ? { reason } : {}) });
  }

  /** Send a verdict and go on at once: its answer is waited for beside, and a refusal told whenever it comes. */
  send(clue, found, form) {
    const given = { clue_no: clue.clue_no, case_no: found.case_no, before: clue.verdict };
    given.sent = act(found.case_no, JUDGE, found.version, form).then((after) => { given.version = after.version; });
    this.done.push(given);
    this.sending.add(clue.clue_no);
    announce(t("verdict.told", { clue: clue.clue_no, verdict: nameOf("verdicts", form.verdict) }),
      { label: t("verdict.undo"), action: () => this.undo() });
    this.desk.note(clue.clue_no, form.verdict);
    const shown = this.desk.judged(clue.clue_no);
    given.sent.then(calm, (problem) => this.refused(given, problem)).then(() => shown).then(() => {
      this.sending.delete(given.clue_no);
      return this.desk.changed(given.clue_no);
    }).catch(alarm);
  }

  /** A verdict was not taken: it can no longer be undone, and its clue is one click away. */
  refused(given, problem) {
    this.done = this.done.filter((one) => one !== given);
    this.desk.note(given.clue_no, given.before);
    alarm(problem, {
      about: `${t("verdict.refused", { clue: given.clue_no })}${t("colon")}`,
      label: t("verdict.look"), action: () => this.desk.choose(given.clue_no),
    });
  }

  /** Take back the last verdict of this person and look at its clue again. */
  async undo() {
    const last = this.done.pop();
    if (!last) {
      announce(t("verdict.nothing"));
      return;
    }
    if (!(await last.sent.then(() => true, () => false))) return;
    try {
      await undo(last.case_no, last.version);
      calm();
      announce(t("verdict.undone", { clue: last.clue_no }));
      await this.desk.changed(last.clue_no);
      await this.desk.choose(last.clue_no);
    } catch (problem) {
      alarm(problem);
    }
  }

  leave() {
    unbind(...VERDICTS.map((_, at) => String(at + 1)), "u");
  }
}

/** Ask for the reason of a verdict: one key for those of the list, or words; null where left. */
function askReason(verdict, reasons) {
  return new Promise((decided) => {
    let chosen = null;
    const take = (words) => { chosen = words; node.close(); };
    const other = h("input", { id: "reason", name: "reason", maxlength: 400, required: true });
    const form = h("form", { class: "reason-form" }, h("label", { for: "reason" }, t("verdict.own")), other, h("button", { type: "submit" }, t("verdict.judge")));
    form.addEventListener("submit", (event) => { event.preventDefault(); if (other.value.trim()) take(other.value.trim()); });
    const node = dialog(t("verdict.reason", { verdict: nameOf("verdicts", verdict) }),
      h("div", { class: "reasons" }, reasons.map(([code, words], at) => button({ on: { click: () => take(code) } }, h("kbd", {}, at + 1), words))), form);
    node.addEventListener("keydown", (event) => {
      const found = event.target !== other && reasons[Number(event.key) - 1];
      if (found) { event.preventDefault(); take(found[0]); }
    });
    node.addEventListener("close", () => decided(chosen));
    node.querySelector(".reasons button").focus();
  });
}
