/** Elements of the page. What people wrote is always set as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

/** Return an element; `on` holds listeners, `data` the dataset, falsy children are left out. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) set(node, name, value);
  node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false && c !== ""));
  return node;
}

function set(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") for (const [kind, listener] of Object.entries(value)) node.addEventListener(kind, listener);
  else if (name === "data") Object.assign(node.dataset, value);
  else if (name === "value") node.value = value;
  else node.setAttribute(name, value === true ? "" : value);
}

/** Put new children into a node. */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

const PATHS = {
  next: "M6 9l6 6 6-6",
  previous: "M6 15l6-6 6 6",
  search: "M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14M16.2 16.2L21 21",
  filter: "M4 5h16l-6 8v6l-4-2v-4z",
  layers: "M12 3l9 5-9 5-9-5zM3 12.5l9 5 9-5M3 16.8l9 5 9-5",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  whole: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18M3 12h18M12 3c3.5 3.5 3.5 14.5 0 18M12 3c-3.5 3.5-3.5 14.5 0 18",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  undo: "M9 7L4 12l5 5M4 12h10a6 6 0 0 1 0 12h-2",
  help: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18M9.3 9.5a2.7 2.7 0 1 1 4.2 2.3c-1 .6-1.5 1.1-1.5 2.3M12 17v.1",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4 21c.6-4.4 4-6 8-6s7.4 1.6 8 6",
  list: "M4 6h16M4 12h16M4 18h16",
  map: "M9 4L3 6.5v13L9 17l6 3 6-2.5v-13L15 7zM9 4v13M15 7v13",
  clue: "M6 3h9l4 4v14H6zM15 3v4h4M9 12h7M9 16h7",
  check: "M5 12.5l5 5L19 7",
  clock: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18M12 7v5l3.5 2",
};

/** Return a line icon that screen readers pass over. */
export function icon(name) {
  const node = document.createElementNS(SVG, "svg");
  node.setAttribute("viewBox", "0 0 24 24");
  node.setAttribute("class", "icon");
  node.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  node.append(path);
  return node;
}

/** Return a button; `label` is what it is called where only an icon is seen. */
export function button(attributes, ...children) {
  const { label, ...rest } = attributes;
  const named = label ? { "aria-label": label, title: label } : {};
  return h("button", { type: "button", ...named, ...rest }, ...children);
}

/** Call a function after a pause in which it is not asked again. */
export function pausing(milliseconds, action) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
}
