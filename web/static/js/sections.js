/** What the panel of a clue tells, one tab each: `show(clue, desk)` returns or resolves to a node.
 * `desk` is what `CluePanel` was given: the user, `changed(no)` to ask anew. `key` opens the tab. */

import { showComments } from "./comments.js";
import { showExplanation } from "./explanation.js";
import { showParcels } from "./parcels.js";

export const sections = [
  { name: "why", title: "tab.why", key: "w", show: showExplanation },
  { name: "parcels", title: "tab.parcels", key: "p", show: showParcels },
  { name: "comments", title: "tab.comments", key: "c", show: showComments },
];
