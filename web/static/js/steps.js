/** Steps of a case that have a form of their own, in the order of their buttons:
 * `{action, open(clue, case, desk)}`, with `title` (a text) where it is no action of the vocabulary
 * and `offered(clue, user)` where no case decides whether it is possible. */

export const steps = [];
