"""Direction of the change vector: of what kind a change is, beside how large.

The length of a change vector says that something changed; its direction tells bare ground from
flooding or regrowth, because each moves the bands its own way.
"""

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from detect.kernels.directions import angles_from_grey, angles_in_plane
from detect.magnitudes import VectorState, scaled
from tiles.block import Block

__all__ = ["vector_angles"]


def vector_angles(
    block: Block, state: VectorState, plane: tuple[int, int] | None = None
) -> NDArray[np.float32]:
    """Return the direction of the change vectors of robust scores, float32 (y, x), radians.

    Zero where a pixel is not valid or did not change at all. Not smoothed: the mean of two
    directions is none.

    Parameters
    ----------
    block : Block
    state : VectorState
        From `detect.magnitudes.fit_vector`.
    plane : tuple of two int, optional
        Positions of two bands: the angle in their plane, counted from an increase of the first
        towards an increase of the second, 0–2π. By default the angle to an equal increase of all
        bands, 0–π: 0 brighter, π darker, between them change of colour.

    Raises
    ------
    InputError
        If the bands are not two different ones of the block.

    References
    ----------
    .. [1] Malila (1980). Change vector analysis: an approach for detecting forest changes with
       Landsat.
    .. [2] Bovolo, Marchesi, Bruzzone (2012). A framework for automatic and unsupervised detection
       of multiple changes in multitemporal images. doi:10.1109/TGRS.2011.2171493
    """
    bands = len(block.before)
    if plane is not None and not (
        len({*plane}) == 2 and all(0 <= position < bands for position in plane)
    ):
        raise InputError(
            f"the bands {plane} are not two different ones of {bands}",
            "vector_angles(plane)",
            f"give two positions from 0 to {bands - 1}",
        )
    first = scaled(block.before, block.valid, state.scale_before)
    second = scaled(block.after, block.valid, state.scale_after)
    out = np.empty(block.valid.shape, np.float32)
    if plane is None:
        angles_from_grey(first, second, block.valid, out)
    else:
        angles_in_plane(first, second, block.valid, *plane, out)
    return out
