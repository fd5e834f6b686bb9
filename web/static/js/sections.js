/** What the panel of a clue tells, one tab each: `show(clue, desk)` returns or resolves to a node.
 * `desk` is what `CluePanel` was given: the user, `changed(no)` to ask anew. `key` opens the tab. */

import { showCases } from "./casesection.js";
import { showComments } from "./comments.js";
import { showExplanation } from "./explanation.js";
import { showFiles } from "./files.js";
import { showParcels } from "./parcels.js";
import { showTimeline } from "./timeline.js";

export const sections = [
  { name: "why", title: "tab.why", key: "w", show: showExplanation },
  { name: "parcels", title: "tab.parcels", key: "p", show: showParcels },
  { name: "cases", title: "tab.cases", key: "g", show: showCases, count: (clue) => clue.cases.length > 1 && clue.cases.length },
  { name: "files", title: "tab.files", key: "i", show: showFiles, count: (clue) => clue.attachments.length },
  { name: "comments", title: "tab.comments", key: "c", show: showComments, count: (clue) => clue.comments.length },
  { name: "time", title: "tab.time", key: "t", show: showTimeline },
];
