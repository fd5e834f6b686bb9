/** The places of the desk in the order of the bar; each module has `show(main, {user, query})`,
 * which may return what to do when the reader leaves. `roles` names who is offered the place. */

import { OFFICES } from "./people.js";

const OVERSEERS = [...OFFICES, "supervisor"];

export const places = [
  { name: "review", title: "place.review", load: () => import("./review.js") },
  { name: "figures", title: "place.figures", roles: OVERSEERS, load: () => import("./figures.js") },
  { name: "exceptions", title: "place.exceptions", roles: OVERSEERS, load: () => import("./exceptions.js") },
  { name: "sample", title: "place.sample", roles: OVERSEERS.filter((role) => role !== "county"), load: () => import("./sample.js") },
  { name: "accounts", title: "place.accounts", load: () => import("./accounts.js") },
];
