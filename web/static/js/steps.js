/** Steps of a case that have a form of their own, in the order of their buttons:
 * `{action, open(clue, case, desk)}`, with `title` (a text) where it is no action of the vocabulary
 * and `offered(clue, user)` where no case decides whether it is possible. */

import { openStep } from "./casesteps.js";
import { openDeskCheck } from "./deskcheck.js";
import { dispatchOne } from "./dispatching.js";
import { startDrawing } from "./drawing.js";
import { openFieldCheck } from "./fieldcheck.js";
import { isOffice } from "./people.js";

/** Steps whose form is as the vocabulary tells it. */
const PLAIN = ["submit", "approve", "send_back", "file", "decide", "rectify", "resume", "drop", "close", "reopen"];

export const steps = [
  { action: "dispatch", offered: (clue, user) => isOffice(user) && !clue.cases.length, open: (clue, found, desk) => dispatchOne(clue, desk) },
  { action: "desk_check", open: openDeskCheck },
  { action: "field_check", open: openFieldCheck },
  { action: "judge", offered: () => false, open: (clue, found, desk) => openStep("judge", clue, found, desk) }, // the bar judges the first case by its keys
  ...PLAIN.map((action) => ({ action, open: (clue, found, desk) => openStep(action, clue, found, desk) })),
  { action: "outline", title: "draw.open", offered: (clue, user) => isOffice(user) && isDrawable(clue), open: (clue, found, desk) => startDrawing(clue, desk) },
];

/** May an outline be drawn: not of what is gone, nor under several cases or one that is closed. */
const isDrawable = ({ geometry, is_over: gone, cases }) => Boolean(geometry) && !gone && cases.length < 2 && cases.every((one) => one.state !== "closed");

/** Return the step of a name. */
export const stepOf = (action) => steps.find((step) => step.action === action);
