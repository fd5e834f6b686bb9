"""The shift between two dates, from many windows, robust against what changed on the ground."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tiles.block import Block

__all__ = ["Registration", "estimate_registration"]

WINDOW_PX = 256
"""Largest side of a window."""

MIN_SIDE_PX = 64
"""A window with a shorter side tells nothing reliable."""

MIN_VALID = 0.6
"""Least share of usable pixels in a window."""

MIN_CORRELATION = 0.15
"""A window whose edges agree less, once aligned, has changed too much to be trusted."""

SEARCH_FACTOR = 4.0
"""Shifts up to this multiple of the allowed one are found, so that they can be reported."""

UPSAMPLING = 50
"""Steps per pixel in which the peak of the correlation is located."""

SNAP_PX = 0.05
"""A smaller shift is not worth a resampling and is set to 0."""


@dataclass(frozen=True)
class Registration:
    """A shift of the whole after date.

    Attributes
    ----------
    dy, dx : float
        Rows and columns by which the content of AFTER is moved to lie on BEFORE, grid pixels.
    windows, used : int
        Windows that could be tried, and those that agree on the shift. With 0 used windows the
        shift is 0 and nothing is known about it.
    residual_px : float
        Root mean square distance of the used windows from the shift, pixels.
    """

    dy: float
    dx: float
    windows: int
    used: int
    residual_px: float

    @property
    def length_px(self) -> float:
        """Length of the shift in pixels."""
        return float(np.hypot(self.dy, self.dx))


def estimate_registration(blocks: Sequence[Block], *, max_shift_px: float = 8.0) -> Registration:
    """Estimate the shift that aligns AFTER with BEFORE.

    Per window the mean gradient magnitude of all bands is correlated between the dates, twice:
    the second time with the window of AFTER moved by the whole pixels found first, so that the
    taper does not pull the answer towards 0. The answer is the median of the windows.

    Parameters
    ----------
    blocks : sequence of Block
        Sample cells, in canonical order.
    max_shift_px : float
        Largest shift that may be corrected; windows that tell more than four times as much are
        false matches. A larger answer is still returned, for the gate to refuse.

    Returns
    -------
    Registration

    References
    ----------
    .. [1] Guizar-Sicairos, Thurman, Fienup (2008). Efficient subpixel image registration
       algorithms. doi:10.1364/OL.33.000156
    """
    shifts, tried = [], 0
    for before, after, valid in _windows(blocks):
        tried += 1
        found = _window_shift(before, after, valid, SEARCH_FACTOR * max_shift_px)
        if found is not None:
            shifts.append(found)
    if not shifts:
        return Registration(0.0, 0.0, tried, 0, 0.0)
    points = np.array(shifts)
    middle = np.median(points, axis=0)
    distance = np.hypot(*(points - middle).T)
    keep = distance <= max(3 * 1.4826 * float(np.median(distance)), 0.5)
    dy, dx = (float(v) for v in np.median(points[keep], axis=0))
    residual = float(np.sqrt(np.mean(np.sum((points[keep] - (dy, dx)) ** 2, axis=1))))
    if max(abs(dy), abs(dx)) < SNAP_PX:
        dy = dx = 0.0
    return Registration(dy, dx, tried, int(keep.sum()), residual)


Window = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]


def _windows(blocks: Sequence[Block]) -> Iterator[Window]:
    """Yield before, after (band, y, x) and valid of every window that is large and clear enough."""
    for block in blocks:
        for rows in _parts(block.extent.height):
            for cols in _parts(block.extent.width):
                valid = block.valid[rows, cols]
                if min(valid.shape) >= MIN_SIDE_PX and valid.mean() >= MIN_VALID:
                    yield block.before[:, rows, cols], block.after[:, rows, cols], valid


def _parts(length: int) -> list[slice]:
    count = -(-length // WINDOW_PX)
    edges = [length * i // count for i in range(count + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]


def _window_shift(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    valid: NDArray[np.bool_],
    limit: float,
) -> tuple[float, float] | None:
    # Invalid pixels must not draw edges, nor the pixels beside them.
    inner = ndimage.binary_erosion(valid, iterations=4, border_value=1)
    first, second = _edges(before, valid, inner), _edges(after, valid, inner)
    if first is None or second is None:
        return None
    limit = min(limit, min(valid.shape) / 4)
    dy, dx = _peak(first, second, 1)
    if np.hypot(dy, dx) > limit:
        return None
    rows, cols = round(dy), round(dx)
    first, second = _overlap(first, rows, cols), _overlap(second, -rows, -cols)
    dy, dx = _peak(first, second, UPSAMPLING)
    # A second whole-pixel step means that the first answer was no clear peak.
    if max(abs(dy), abs(dx)) > 1.5 or _correlation(first, second) < MIN_CORRELATION:
        return None
    return rows + dy, cols + dx


def _edges(
    image: NDArray[np.float32], valid: NDArray[np.bool_], inner: NDArray[np.bool_]
) -> NDArray[np.float64] | None:
    """Return the mean gradient magnitude of the bands, each in units of its own mean."""
    if not inner.any():
        return None
    total = np.zeros(valid.shape)
    bands = 0
    for band in image:
        low, high = np.percentile(band[valid], (0.5, 99.0))
        if not high > low:
            continue
        clipped = np.where(valid, np.clip(band, low, high), (low + high) / 2)
        magnitude = ndimage.gaussian_gradient_magnitude(clipped.astype(np.float64), 1.0)
        mean = float(magnitude[inner].mean())
        if mean > 0:
            total += np.minimum(magnitude / mean, 6.0)
            bands += 1
    # The holes are the same at both dates: filled with the mean they do not vote for shift 0.
    return np.where(inner, total / bands, float(total[inner].mean()) / bands) if bands else None


def _overlap(image: NDArray[np.float64], rows: int, cols: int) -> NDArray[np.float64]:
    """Return the part of an image that is left when it is moved by whole pixels."""
    height, width = image.shape
    return image[max(rows, 0) : height + min(rows, 0), max(cols, 0) : width + min(cols, 0)]


def _peak(
    first: NDArray[np.float64], second: NDArray[np.float64], upsampling: int
) -> tuple[float, float]:
    """Return the shift (rows, columns) to apply to `second`."""
    from skimage.registration import phase_cross_correlation

    # The default normalisation of the spectrum is wrong on crops that are not periodic.
    shift, _, _ = phase_cross_correlation(  # type: ignore[no-untyped-call]
        _tapered(first), _tapered(second), upsample_factor=upsampling, normalization=None
    )
    return float(shift[0]), float(shift[1])


def _tapered(image: NDArray[np.float64]) -> NDArray[np.float64]:
    window = np.outer(np.hanning(image.shape[0]), np.hanning(image.shape[1]))
    mean = float((image * window).sum() / window.sum())
    return (image - mean) * window


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    a, b = _tapered(first), _tapered(second)
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 0 else 0.0
