/** Names of codes (states, outcomes, rules …) as the vocabulary of the API gives them. */

import { told } from "./texts.js";

let words = {};

/** Keep the vocabulary of this session. */
export function learn(vocabulary) {
  words = vocabulary;
}

/** Return a part of the vocabulary. */
export const part = (kind) => words[kind] ?? {};

/** Return the name of a code as a label begins it, or the code itself where the vocabulary knows none. */
export function nameOf(kind, code) {
  if (code === null || code === undefined || code === "") return "";
  return begun(told(part(kind)[code])) || String(code);
}

/** Return words with a capital at their beginning; a script without capitals stays as it is. */
const begun = (words) => words.charAt(0).toUpperCase() + words.slice(1);

/** Return codes with their names, in the order of the vocabulary. */
export const choicesIn = (named) => Object.keys(named ?? {}).map((code) => [code, begun(told(named[code])) || code]);

/** Return the codes of a part with their names. */
export const choices = (kind) => choicesIn(part(kind));

/** Return why a verdict was given: a reason of the list by its name, else as it was written. */
export const reasonOf = (verdict, reason) => begun(told(part("reasons")[verdict]?.[reason])) || reason || "";
