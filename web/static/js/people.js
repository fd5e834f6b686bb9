/** Who may do what, as far as the page offers it; the API decides. */

export const OFFICES = ["administrator", "province", "city", "county"];

/** Does this person dispatch, assign, redraw and attach approvals? */
export const isOffice = (user) => OFFICES.includes(user.role);

/** Does this person work on clues at all? */
export const isHand = (user) => isOffice(user) || user.role === "inspector";

/** May this person take clues away as a file? */
export const mayExport = (user) => isOffice(user) || user.role === "supervisor";
