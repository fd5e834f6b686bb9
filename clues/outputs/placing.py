"""Where labels of a map go: beside their place, inside the frame, never on each other."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clues.outputs.drawing import Box

__all__ = ["Anchor", "PlacedLabel", "place_labels"]

SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
"""Right, left, above, below, then the corners."""

RINGS = (1.0, 2.2, 4.0, 6.5)
"""Distances that are tried, in gaps; from the second on a line leads to the place."""

FAR = (9.0, 13.0, 18.0, 24.0)
"""Distances all around, in gaps, once the sides are taken."""

DIRECTIONS = 16


@dataclass(frozen=True)
class Anchor:
    """What is to be labelled.

    Attributes
    ----------
    text : str
    x, y : float
        Where it lies on paper; a leading line ends there.
    width, height : float
        Room the label needs.
    half_width, half_height : float
        Half the room that the thing itself takes.
    """

    text: str
    x: float
    y: float
    width: float
    height: float
    half_width: float = 0.0
    half_height: float = 0.0


@dataclass(frozen=True)
class PlacedLabel:
    """A label with its box; `led` where it stands so far off that a line leads to its place."""

    anchor: Anchor
    box: Box
    led: bool


class _Taken:
    """Boxes on paper, found by the cells of a grid."""

    def __init__(self, cell: float) -> None:
        self._cell = cell
        self._boxes: dict[tuple[int, int], list[Box]] = defaultdict(list)

    def _cells(self, box: Box) -> Iterable[tuple[int, int]]:
        for column in range(int(box.left // self._cell), int(box.right // self._cell) + 1):
            for row in range(int(box.bottom // self._cell), int(box.top // self._cell) + 1):
                yield column, row

    def add(self, box: Box) -> None:
        for cell in self._cells(box):
            self._boxes[cell].append(box)

    def meets(self, box: Box) -> bool:
        return any(other.meets(box) for cell in self._cells(box) for other in self._boxes[cell])


def place_labels(
    anchors: Sequence[Anchor], frame: Box, taken: Iterable[Box] = (), *, gap: float = 2.0
) -> tuple[list[PlacedLabel], list[Anchor]]:
    """Place labels one after another, each at the first free of a fixed list of places.

    Parameters
    ----------
    anchors : sequence of Anchor
        The first have the choice: put the important ones in front. One whose own place lies
        outside the frame is left out.
    frame : Box
        No label leaves it.
    taken : iterable of Box
        Where no label may stand, such as names that are written already.
    gap : float
        Points between a thing and its label.

    Returns
    -------
    tuple of list
        Labels that found a place, and anchors that found none. A label stands on no other label;
        it stands on another thing only where no place beside all of them is free.
    """
    side = max([a.width for a in anchors] + [20.0])
    labels, things = _Taken(side), _Taken(side)
    for box in taken:
        labels.add(box)
    inside = [a for a in anchors if _thing(a).inside(frame) or _holds(frame, a)]
    for anchor in inside:
        things.add(_thing(anchor))
    placed, left = [], []
    for anchor in inside:
        found = _first_free(anchor, frame, gap, (labels, things))
        found = found or _first_free(anchor, frame, gap, (labels,))
        if found is None:
            left.append(anchor)
            continue
        labels.add(found.box)
        placed.append(found)
    return placed, left


def _holds(frame: Box, anchor: Anchor) -> bool:
    return frame.left <= anchor.x <= frame.right and frame.bottom <= anchor.y <= frame.top


def _thing(anchor: Anchor) -> Box:
    x, y = anchor.x - anchor.half_width, anchor.y - anchor.half_height
    return Box(anchor.text, x, y, 2 * anchor.half_width, 2 * anchor.half_height)


def _first_free(
    anchor: Anchor, frame: Box, gap: float, taken: Sequence[_Taken]
) -> PlacedLabel | None:
    for box, led in _places(anchor, gap):
        if box.inside(frame) and not any(t.meets(box) for t in taken):
            return PlacedLabel(anchor, box, led)
    return None


def _places(anchor: Anchor, gap: float) -> Iterable[tuple[Box, bool]]:
    """Yield boxes beside a place, near ones first, and whether a line must lead there."""
    reach_x, reach_y = anchor.half_width + anchor.width / 2, anchor.half_height + anchor.height / 2
    for ring in RINGS:
        for dx, dy in SIDES:
            x = anchor.x + dx * (reach_x + ring * gap)
            y = anchor.y + dy * (reach_y + ring * gap)
            yield _around(anchor, x, y), ring > RINGS[0]
    for ring in FAR:
        for i in range(DIRECTIONS):
            angle = 2 * math.pi * i / DIRECTIONS
            x = anchor.x + math.cos(angle) * (reach_x + ring * gap)
            y = anchor.y + math.sin(angle) * (reach_y + ring * gap)
            yield _around(anchor, x, y), True


def _around(anchor: Anchor, x: float, y: float) -> Box:
    left, bottom = x - anchor.width / 2, y - anchor.height / 2
    return Box(anchor.text, left, bottom, anchor.width, anchor.height)
