/** Where the reader is: place and what is asked of it, kept in the address behind `#`. */

/** Return the place and its query, e.g. `#/review?state=judged&clue=…`. */
export function route() {
  const [place, search] = location.hash.replace(/^#\/?/, "").split("?");
  return { place: place || "review", query: Object.fromEntries(new URLSearchParams(search ?? "")) };
}

/** Return the address of a place. */
export function address(place, query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const search = new URLSearchParams(kept).toString();
  return `#/${place}${search ? `?${search}` : ""}`;
}

/** Note in the address what is looked at, without a new step in the history. */
export function note(place, query) {
  history.replaceState(null, "", address(place, query));
}
