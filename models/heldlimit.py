"""From which probability on a model of verdicts may dismiss a patch and keep the real changes."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["held_limit"]

LOWEST, HIGHEST = 800, 1000
"""A patch that is real with a probability of 20 % is never dismissed, however few there were."""


def held_limit(
    held_out: NDArray[np.integer], pseudo: NDArray[np.bool_], doubted: NDArray[np.bool_]
) -> int:
    """Return the lowest limit at which no real change is dismissed on ground that was not seen.

    Real changes whose verdicts are doubted are left out: they may be dismissed.

    One probability for all models promises too much: what forests learned from a hundred verdicts
    are sure about is wrong more often than they say.

    Parameters
    ----------
    held_out : ndarray of int, shape (n,)
        Probability of a pseudo-change in 1/1000, see `models.feedback.Fitted`.
    pseudo : ndarray of bool, shape (n,)
        The verdicts.
    doubted : ndarray of bool, shape (n,)
        Verdicts that patches like theirs contradict: they do not raise the limit.

    Returns
    -------
    int
        In 1/1000, from `LOWEST` to `HIGHEST`.
    """
    real = held_out[~pseudo & ~doubted]
    return int(min(HIGHEST, max(LOWEST, real.max(initial=0) + 1)))
