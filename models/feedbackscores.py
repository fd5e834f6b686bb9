"""How well a model of verdicts meets the verdicts, and what its limit would do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FeedbackScores", "feedback_scores"]


@dataclass(frozen=True)
class FeedbackScores:
    """How well probabilities meet the verdicts, and what a limit would do.

    Attributes
    ----------
    real, pseudo : int
        Judged patches of either kind.
    real_lost, pseudo_gone : int
        Those of either kind whose probability reaches the limit: dismissed.
    brier : float
        Mean squared difference of probability and verdict, 0 best; 0.25 for a coin.
    """

    real: int
    pseudo: int
    real_lost: int
    pseudo_gone: int
    brier: float


def feedback_scores(
    permille: NDArray[np.integer], pseudo: NDArray[np.bool_], limit: int
) -> FeedbackScores:
    """Hold probabilities against verdicts.

    Parameters
    ----------
    permille : ndarray of int, shape (n,)
    pseudo : ndarray of bool, shape (n,)
    limit : int
        Probability in 1/1000 from which a patch would be dismissed.
    """
    gone = permille >= limit
    return FeedbackScores(
        int((~pseudo).sum()),
        int(pseudo.sum()),
        int((gone & ~pseudo).sum()),
        int((gone & pseudo).sum()),
        float(((permille / 1000 - pseudo) ** 2).mean()) if len(pseudo) else 0.0,
    )
