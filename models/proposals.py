"""Which patches to look at next: where a verdict would teach most, spread over type and place."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["CONTROL_EVERY", "choose_patches"]

CONTROL_EVERY = 5
"""Every so many-th proposal is one that was dismissed as a pseudo-change."""


def choose_patches(
    worth: NDArray[np.float64],
    kinds: Sequence[str],
    blocks: Sequence[tuple[int, int]],
    control: NDArray[np.bool_],
    count: int,
) -> list[int]:
    """Return positions of the patches to look at, in order.

    One by one the patch of greatest worth is taken; the worth of the others is divided by one more
    than the number of patches taken of their type, and of their block of ground. Every
    `CONTROL_EVERY`-th is taken from those that were dismissed as pseudo-changes, because a model
    that is never contradicted cannot learn that it is wrong.

    Parameters
    ----------
    worth : ndarray of float64, shape (n,)
        Uncertainty × value.
    kinds : sequence of str
        Change type of each patch.
    blocks : sequence of (int, int)
        Block of ground of each patch.
    control : ndarray of bool, shape (n,)
        Dismissed as pseudo-changes.
    count : int
        Most patches to return.

    Returns
    -------
    list of int
        Ties go to the patch that stands first.
    """
    taken: list[int] = []
    of_kind: dict[str, int] = {}
    of_block: dict[tuple[int, int], int] = {}
    left = np.ones(len(worth), np.bool_)
    while len(taken) < count and left.any():
        wants_control = (len(taken) + 1) % CONTROL_EVERY == 0
        open_ = left & (control == wants_control)
        open_ = open_ if open_.any() else left
        share = np.array(
            [(1 + of_kind.get(k, 0)) * (1 + of_block.get(b, 0))
             for k, b in zip(kinds, blocks, strict=True)], np.float64
        )  # fmt: skip
        best = int(np.argmax(np.where(open_, worth / share, -1.0)))
        taken.append(best)
        left[best] = False
        of_kind[kinds[best]] = of_kind.get(kinds[best], 0) + 1
        of_block[blocks[best]] = of_block.get(blocks[best], 0) + 1
    return taken
