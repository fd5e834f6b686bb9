/** The places of the desk in the order of the bar; each module has `show(main, {user, query})`,
 * which may return what to do when the reader leaves. `roles` names who is offered the place. */

export const places = [{ name: "review", title: "place.review", load: () => import("./review.js") }];
