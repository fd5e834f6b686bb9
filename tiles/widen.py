"""Stored values to scaled float32 planes, and which pixels have some, in one pass over a window."""

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import kernel

__all__ = ["clear_invalid", "widen"]


@kernel
def widen(
    stored: NDArray[np.generic],  # (stored band, y, x) of any real type
    places: NDArray[np.int64],  # (stored band,) plane of `out` that each one fills
    scale: NDArray[np.floating],  # (stored band,)
    offset: NDArray[np.floating],  # (stored band,)
    nodata: NDArray[np.generic],  # (stored band,) of the stored type
    has_nodata: NDArray[np.bool_],  # (stored band,)
    may_be_infinite: bool,
    row: int,  # first pixel of the window in the planes
    col: int,
    out: NDArray[np.float32],  # (band, y, x), written: value × scale + offset
    usable: NDArray[np.bool_],  # (y, x) of the window, cleared where a value is none
    seen: NDArray[np.bool_],  # (y, x) of the window, set where a value is not 0
) -> None:
    """Write scaled values."""
    count, height, width = stored.shape
    line = np.empty(width, scale.dtype)  # arithmetic in the type of the factors, as NumPy does it
    for y in range(height):
        ok, some = usable[y], seen[y]
        for k in range(count):
            raw, factor, shift = stored[k, y], scale[k], offset[k]
            target = out[places[k], row + y, col : col + width]
            for x in range(width):
                line[x] = raw[x]
            for x in range(width):
                target[x] = line[x] * factor + shift
            for x in range(width):
                some[x] |= raw[x] != 0
            if has_nodata[k]:
                none = nodata[k]
                for x in range(width):
                    ok[x] &= raw[x] != none
            if may_be_infinite:
                for x in range(width):
                    ok[x] &= np.isfinite(raw[x])


@kernel
def clear_invalid(
    values: NDArray[np.float32],  # (band, y, x), 0 is written where not valid
    valid: NDArray[np.bool_],  # (y, x)
) -> None:
    """Write 0 where a pixel is not valid; rows that are valid throughout are not touched."""
    bands, height, width = values.shape
    for y in range(height):
        use = valid[y]
        if np.all(use):
            continue
        for b in range(bands):
            row = values[b, y]
            for x in range(width):
                row[x] = row[x] if use[x] else np.float32(0)
