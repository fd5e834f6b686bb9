"""Components that a join has closed: nothing of them can come any more."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.component_tables import Members, Statistics

__all__ = ["Closed"]


@dataclass(frozen=True)
class Closed:
    """Closed survivors, in any order; members are those of large ones only."""

    name: NDArray[np.int64]
    stats: Statistics
    votes: NDArray[np.int64]
    n_members: NDArray[np.int64]
    high_score: NDArray[np.int64]
    values: NDArray[np.float64]
    members: Members

    @staticmethod
    def concatenate(parts: list["Closed"]) -> "Closed":
        """Return the survivors of all parts, in order."""
        filled = [p for p in parts if len(p.name)]
        if not filled:
            none, votes = np.empty(0, np.int64), np.empty((0, 2, 0), np.int64)
            values, no = np.empty((0, 0)), Members.empty()
            return Closed(none, Statistics.empty(), votes, none, none, values, no)
        starts = np.cumsum([0, *(len(p.name) for p in filled)])
        at = list(zip(filled, starts[:-1], strict=True))
        members = [
            dataclasses.replace(p.members, comp=p.members.comp + np.int32(start))
            for p, start in at
            if len(p.members)
        ]
        return Closed(
            np.concatenate([p.name for p in filled]),
            Statistics.concatenate([p.stats for p in filled]),
            np.concatenate([p.votes for p in filled]),
            np.concatenate([p.n_members for p in filled]),
            np.concatenate([p.high_score for p in filled]),
            np.concatenate([p.values for p in filled]),
            Members.concatenate(members) if members else Members.empty(),
        )
