/** Small drawings of the desk: elements of SVG, scales, axes. */

const NAMESPACE = "http://www.w3.org/2000/svg";

/** Return an element of SVG; falsy children are left out. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Return a drawing with a name for those who do not see it; the figures stand in a table beside. */
export const drawing = (width, height, name, ...children) => told(width, height, name, "img", children);

/** Return a drawing whose parts are links. */
export const linkedDrawing = (width, height, name, ...children) => told(width, height, name, "group", children);

const told = (width, height, name, role, children) =>
  svg("svg", { viewBox: `0 0 ${width} ${height}`, role, "aria-label": name, class: "drawing" }, ...children);

/** Return text at a place. */
export const words = (x, y, text, more = {}) => svg("text", { x, y, ...more }, String(text));

/** Return a round number that is not below a value, for the end of an axis. */
export function roundUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= value);
}
