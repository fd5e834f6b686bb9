"""How even the ground inside a component looks: a window that reaches over the rim shows the rim.

A small paved yard is mostly rim. So of its windows only those count that lie within the component,
with a pixel around them for the blur of the sensor.
"""

import dataclasses
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from detect.component_tables import NO_VALUE, VALUES, Columns, Members

__all__ = ["Looks", "Runs", "even_inside", "lie_inside"]

REACH = 2
"""Pixels on all sides of a member that must belong to its component: its window and the blur."""

EVEN = 1 + VALUES.index("smooth")
"""Column of the values of members, after the score."""

FAR = 1 << 32
"""More columns than a grid has."""

Runs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Row, first and last column, component of runs, sorted by (row, first)."""


@dataclass(frozen=True)
class Looks(Columns):
    """Members of components, and `detect.member_values.STEPS` where the window is even."""

    comp: NDArray[np.integer]
    row: NDArray[np.int32]
    col: NDArray[np.int32]
    even: NDArray[np.int32]

    @classmethod
    def of(cls, members: Members) -> Self:
        """Return what members tell; nothing where they have no such value."""
        told = members.take(np.full(len(members), members.values.shape[1] == 1 + len(VALUES)))
        even = told.values[:, EVEN] if len(told) else np.empty(0)
        return cls(*(c.astype(np.int32) for c in (told.comp, told.row, told.col, even)))


def lie_inside(runs: Runs, table: Looks | Members) -> NDArray[np.bool_]:
    """Tell which members have `REACH` pixels of their component on all sides.

    Parameters
    ----------
    runs : tuple of ndarray
        All runs of the components.
    table : Looks or Members
        Pixels of the same components.
    """
    row, first, last, comp = runs
    starts = row.astype(np.int64) * FAR + first
    inside = np.ones(len(table.comp), np.bool_)
    for step in range(-REACH, REACH + 1):
        line, col = table.row.astype(np.int64) + step, table.col.astype(np.int64)
        at = np.searchsorted(starts, line * FAR + col, side="right") - 1
        inside &= (at >= 0) & (row[at] == line) & (comp[at] == table.comp)
        inside &= (first[at] <= col - REACH) & (last[at] >= col + REACH)
    return inside


def even_inside(
    runs: Runs, looks: Looks, values: NDArray[np.float64], members: Members
) -> tuple[NDArray[np.float64], Members]:
    """Return the values of components and members with evenness told by inner windows only.

    Parameters
    ----------
    runs : tuple of ndarray
    looks : Looks
        Of all components.
    values : ndarray of float64, shape (components, k)
        Means of the members' values.
    members : Members
        Those that are kept.

    Returns
    -------
    values, members
        Evenness is NaN of components without an inner member, `NO_VALUE` of the other members.
    """
    if values.shape[1] != len(VALUES):
        return values, members
    inner = looks.take(lie_inside(runs, looks))
    count, total = (np.bincount(inner.comp, w, len(values)) for w in (None, inner.even))
    told = values.copy()
    told[:, EVEN - 1] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    if len(members):
        kept = members.values.copy()
        kept[~lie_inside(runs, members), EVEN] = NO_VALUE
        members = dataclasses.replace(members, values=kept)
    return told, members
