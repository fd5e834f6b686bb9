/** What people said of a clue: tied to the version of the patch that they saw. */

import { comment } from "./api.js";
import { alarm, announce } from "./announce.js";
import { h } from "./dom.js";
import { moment } from "./format.js";
import { t } from "./texts.js";

/** Return the comments with a form for one more. */
export function showComments(clue, desk) {
  const said = clue.comments.map((one) => h("li", {},
    h("p", { class: "comment-head" }, h("strong", {}, one.by), h("time", { datetime: one.at }, moment(one.at)),
      one.patch_id && one.patch_id !== clue.patch_id && h("span", { class: "badge", title: one.patch_id }, t("comment.earlier"))),
    h("p", { class: "comment-text" }, one.text)));
  const list = said.length ? h("ul", { class: "comments" }, said) : h("p", { class: "muted" }, t("comment.none"));
  return h("div", {}, list, desk.user.role !== "supervisor" && form(clue, desk));
}

function form(clue, desk) {
  const text = h("textarea", { id: "comment", name: "text", required: true, maxlength: 4000, rows: 3 });
  const send = h("button", { class: "primary", type: "submit" }, t("comment.send"));
  const node = h("form", { class: "comment-form" }, h("label", { for: "comment" }, t("comment.label")), text, h("p", { class: "row" }, send));
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!text.value.trim()) return;
    send.disabled = true;
    try {
      await comment(clue.clue_no, text.value.trim());
      announce(t("comment.sent"));
      await desk.changed(clue.clue_no);
    } catch (problem) {
      alarm(problem);
    } finally {
      send.disabled = false;
    }
  });
  return node;
}
