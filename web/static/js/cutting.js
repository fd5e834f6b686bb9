/** A polygon cut by a line, in the plane of longitude and latitude; pure. */

const HAIR = 1e-12;

/** Return the place where two stretches cross with the share of the first at which; null where they do not. */
function crossing([ax, ay], [bx, by], [cx, cy], [dx, dy]) {
  const [rx, ry, sx, sy] = [bx - ax, by - ay, dx - cx, dy - cy];
  const turn = rx * sy - ry * sx;
  if (Math.abs(turn) < HAIR * HAIR) return null;
  const along = ((cx - ax) * sy - (cy - ay) * sx) / turn;
  const across = ((cx - ax) * ry - (cy - ay) * rx) / turn;
  if (along < 0 || along >= 1 || across < 0 || across >= 1) return null;
  return { along, across, at: [ax + along * rx, ay + along * ry] };
}

/** Is a place inside a ring? */
export function inside([x, y], ring) {
  let found = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [[xi, yi], [xj, yj]] = [ring[i], ring[j]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) found = !found;
  }
  return found;
}

/** Return twice the area of a ring in square degrees, positive where it turns left. */
export const turnOf = (ring) => ring.slice(1).reduce((sum, [x, y], at) => sum + ring[at][0] * y - x * ring[at][1], 0);

/** Return where a line crosses a ring, in the order of the line. */
function crossings(line, ring) {
  const found = [];
  for (let i = 0; i + 1 < line.length; i++) {
    const here = [];
    for (let j = 0; j + 1 < ring.length; j++) {
      const one = crossing(line[i], line[i + 1], ring[j], ring[j + 1]);
      if (one) here.push({ ...one, part: i, edge: j });
    }
    found.push(...here.sort((a, b) => a.along - b.along));
  }
  return found;
}

/** Return the two polygons (lists of rings) into which a line cuts one; null where it does not cut it in two. */
export function cut(rings, line) {
  const [outer, ...holes] = rings;
  const found = crossings(line, outer);
  if (found.length !== 2 || holes.some((hole) => crossings(line, hole).length)) return null;
  const [first, last] = found;
  const between = [first.at, ...line.slice(first.part + 1, last.part + 1), last.at];
  if (!between.slice(1, -1).every((point) => inside(point, outer))) return null;
  const open = outer.slice(0, -1);
  const walk = (from, to) => {
    const points = [];
    const same = from.edge === to.edge && from.across <= to.across;
    for (let at = from.edge, left = same ? 0 : ((to.edge - from.edge + open.length) % open.length || open.length); left > 0; left--) {
      at = (at + 1) % open.length;
      points.push(open[at]);
    }
    return points;
  };
  const one = [...between, ...walk(last, first)];
  const other = [...between.toReversed(), ...walk(first, last)];
  const made = [one, other].map((ring) => [...ring, ring[0]]);
  if (made.some((ring) => ring.length < 4 || Math.abs(turnOf(ring)) < HAIR)) return null;
  return made.map((ring) => [ring, ...holes.filter((hole) => inside(hole[0], ring))]);
}

/** Does a ring cross itself? */
export function crossesItself(ring) {
  for (let i = 0; i + 1 < ring.length; i++) {
    for (let j = i + 2; j + 1 < ring.length; j++) {
      if (i === 0 && j + 2 === ring.length) continue;
      if (crossing(ring[i], ring[i + 1], ring[j], ring[j + 1])) return true;
    }
  }
  return false;
}
