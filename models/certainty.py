"""How often a change type is right: percent of votes to percent right, learned without any truth.

Votes are no probability: a component of mixed pixels gets few of them and is right all the same.
So changes are made up of what is known: a group of pixels that forests which never saw its
surroundings voted on at the earlier date, followed by another group at the later date. The map says
what either is; what is decided of the pair is right or wrong. Curves that never fall are fitted to
that, one per change type.

What the land was is drawn as often as the map shows it; what it became is drawn from all covers
alike, because nobody knows what is built this year.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.transitions import Transitions
from tiles.grid import splitmix64

__all__ = ["Certainty", "fit_certainty"]

DRAWS = 20_000
"""Changes made up: a change type that is one of a hundred still has 200."""

FEWEST = 50
"""Made-up changes that a change type needs for a curve of its own; others share one."""

BORROWED = 2
"""Made-up changes of the shared curve that each percent of a change type's own is given, so that a
few cases at its end do not say never or always."""

SEED = 0x6365_7274


@dataclass(frozen=True)
class Certainty:
    """Percent right by change type and percent of votes.

    Attributes
    ----------
    kinds : tuple of str
        Change types; none where nothing was learned: percents of votes are then told as they are.
    percent : ndarray of int16, shape (kinds, 101)
        Percent right, never falling along a row.
    """

    kinds: tuple[str, ...]
    percent: NDArray[np.int16]

    @classmethod
    def unknown(cls) -> "Certainty":
        """Return what leaves percents of votes as they are."""
        return cls((), np.empty((0, 101), np.int16))

    def told(self, kinds: NDArray[np.object_], votes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the percent right of decisions.

        Parameters
        ----------
        kinds : ndarray of str, shape (n,)
            Change type that the covers mean.
        votes : ndarray of int64, shape (n,)
            Percent of all weight that the decision holds, 0–100.
        """
        place = {kind: i for i, kind in enumerate(self.kinds)}
        row = np.array([place.get(kind, -1) for kind in kinds], np.int64)
        known = row >= 0
        right = votes.copy()
        right[known] = self.percent[row[known], votes[known]]
        return right


def fit_certainty(
    votes: NDArray[np.integer],
    labels: NDArray[np.integer],
    areas: NDArray[np.integer],
    classes: Sequence[str],
    table: Transitions,
) -> Certainty:
    """Fit the curves on made-up changes.

    Parameters
    ----------
    votes : ndarray of int, shape (groups, 2, classes)
        Votes of forests that never saw the surroundings of a group, of both dates.
    labels : ndarray of int, shape (groups,)
        Class of the map, from 0.
    areas : ndarray of int, shape (classes,)
        Pixels of each class on the map.
    classes : sequence of str
    table : Transitions

    Returns
    -------
    Certainty

    References
    ----------
    .. [1] Zadrozny, Elkan (2002). Transforming classifier scores into accurate multiclass
       probability estimates. doi:10.1145/775047.775151
    """
    from models.landcover import classify

    if len(np.unique(labels)) < 2:
        return Certainty.unknown()
    groups = np.bincount(labels, minlength=len(classes))
    before = _draw(areas.astype(np.int64), groups, labels, 0)
    after = _draw((groups > 0).astype(np.int64), groups, labels, 1)
    made = np.stack([votes[before, 0], votes[after, 1]], axis=1)
    found = classify(made, classes, table=table)
    codes = np.array(table.codes(), object)
    truth = codes[table.table(tuple(classes))[0][labels[before], labels[after]]]
    kinds = found["change_type"].to_numpy()
    percent = found["confidence"].to_numpy().astype(np.int64).clip(0, 100)
    right = kinds == truth
    shared = _curve(percent, right, np.zeros(101, np.int64), 0)
    names = tuple(table.codes())
    rows = [_curve(percent[m], right[m], shared, BORROWED) if m.sum() >= FEWEST else shared
            for m in (kinds == name for name in names)]  # fmt: skip
    return Certainty(names, np.array(rows, np.int16))


def _draw(
    weights: NDArray[np.int64], groups: NDArray[np.int64], labels: NDArray[np.integer], date: int
) -> NDArray[np.int64]:
    """Return `DRAWS` groups: a class by weight, then any of its groups."""
    weights = np.where(groups > 0, weights, 0)
    if not weights.any():
        weights = (groups > 0).astype(np.int64)
    number = np.arange(DRAWS)
    ranks = [splitmix64(number, np.full(DRAWS, 2 * date + i), SEED) for i in range(2)]
    drawn = (ranks[0] % np.uint64(weights.sum())).astype(np.int64)
    label = np.searchsorted(np.cumsum(weights), drawn, side="right")
    by_class = np.argsort(labels, kind="stable")
    start = np.cumsum(groups) - groups
    within = (ranks[1] % groups[label].astype(np.uint64)).astype(np.int64)
    return np.asarray(by_class[start[label] + within], np.int64)


def _curve(
    percent: NDArray[np.int64], right: NDArray[np.bool_], shared: NDArray[np.int64], weight: int
) -> NDArray[np.int64]:
    """Return percent right for 0 … 100 percent of votes: the best fit that never falls."""
    cases = np.bincount(percent, minlength=101) + weight
    hits = np.bincount(percent, weights=right, minlength=101) + weight * shared / 100
    seen = np.flatnonzero(cases)
    # Pool neighbours as long as a share falls; levels hold hits, cases and how many they pool.
    levels: list[tuple[float, float, int]] = []
    for hit, case in zip(hits[seen].tolist(), cases[seen].tolist(), strict=True):
        level = (hit, float(case), 1)
        while levels and levels[-1][0] * level[1] >= level[0] * levels[-1][1]:
            last = levels.pop()
            level = (last[0] + level[0], last[1] + level[1], last[2] + level[2])
        levels.append(level)
    fitted = np.repeat([h / c for h, c, _ in levels], [n for _, _, n in levels])
    return np.asarray(np.floor(100 * np.interp(np.arange(101), seen, fitted) + 0.5), np.int64)
