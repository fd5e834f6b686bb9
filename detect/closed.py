"""Components that a join has closed: nothing of them can come any more."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.component_tables import Statistics

__all__ = ["Closed"]


@dataclass(frozen=True)
class Closed:
    """Closed survivors, in any order."""

    name: NDArray[np.int64]
    stats: Statistics
    votes: NDArray[np.int64]
    n_members: NDArray[np.int64]
    high_score: NDArray[np.int64]
    values: NDArray[np.float64]

    @staticmethod
    def concatenate(parts: list["Closed"]) -> "Closed":
        """Return the survivors of all parts, in order."""
        filled = [p for p in parts if len(p.name)]
        if not filled:
            none, votes = np.empty(0, np.int64), np.empty((0, 2, 0), np.int64)
            return Closed(none, Statistics.empty(), votes, none, none, np.empty((0, 0)))
        return Closed(
            np.concatenate([p.name for p in filled]),
            Statistics.concatenate([p.stats for p in filled]),
            np.concatenate([p.votes for p in filled]),
            np.concatenate([p.n_members for p in filled]),
            np.concatenate([p.high_score for p in filled]),
            np.concatenate([p.values for p in filled]),
        )
