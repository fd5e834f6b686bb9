"""Clouds and their shadows from the colours of two dates, where no quality raster tells them.

A cloud is white, bright in the blue, and was not there at the other date. So is a new roof: what
is small must therefore throw a shadow, at the distance and direction that the clouds of the
scene have in common; that there is such a distance, one small object alone cannot tell. Works on
the overview of `tiles.cloudmap`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["CLEAR", "CLOUD", "NEEDED", "SHADOW", "dilated", "find_obscured"]

CLEAR, CLOUD, SHADOW = 0, 1, 2
"""Codes of the map."""

NEEDED = ("blue", "red", "nir")
"""Bands without which nothing is found."""

CORE_BLUE, EDGE_BLUE = 0.24, 0.15
"""Reflectance in the blue of the middle of a cloud, and of its thin edge."""

CORE_RISE, EDGE_RISE = 0.10, 0.04
"""Rise in the blue over the other date."""

CORE_SLOPE, EDGE_SLOPE = 1.45, 1.8
"""Most red over blue: bare soil is redder, a cloud's edge lets it shine through."""

SNOW_RATIO = 0.5
"""Short-wave infrared over blue below which white ground is snow rather than cloud."""

DARK_RATIO = 0.72
"""Near infrared over that of the other date, in units of the scene's median, in a shadow."""

LARGE_M2 = 400_000.0
"""From this area on no roof is as large and a cloud needs no shadow."""

LONE_M2 = 50_000.0
"""Larger than nearly all halls: what one white object alone must be for its shadow to prove it,
since somewhere among thousands of displacements a small one meets something dark by chance."""

SMALL_M2 = 5_000.0
"""Below this area nothing is taken for a cloud."""

REACH_M = 4_000.0
"""Greatest distance of a shadow from its cloud."""

NEAR_M = 120.0
"""Smallest distance: beside a house lies its own shadow."""

MATCH = 0.4
"""Share of a cloud that must fall on dark ground when moved by the common distance."""

SPREAD = (0.6, 0.8, 1.0, 1.25, 1.6)
"""Heights of clouds relative to the commonest one."""

TURN_DEG = 20.0
"""Tolerance about the direction that the sun gives."""

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class _Offset:
    rows: float
    cols: float
    match: float


def find_obscured(
    image: Mapping[str, Plane],
    other: Mapping[str, Plane],
    valid: Mask,
    *,
    pixel_m: float,
    margin_m: float,
    sun_azimuth: float | None = None,
) -> NDArray[np.uint8]:
    """Return where one date is under a cloud or in its shadow.

    Parameters
    ----------
    image, other : mapping of str to ndarray of float32, shape (y, x)
        Reflectance of this and of the other date by band role; `NEEDED` and optionally swir1.
    valid : ndarray of bool, shape (y, x)
        Seen at both dates.
    pixel_m : float
        Side of a pixel of these planes, metres.
    margin_m : float
        Clouds and shadows are grown by this distance.
    sun_azimuth : float or None
        Degrees from north, clockwise; shadows fall the other way.

    Returns
    -------
    ndarray of uint8, shape (y, x)
        `CLEAR`, `CLOUD` or `SHADOW`; a cloud wins over a shadow.

    References
    ----------
    .. [1] Zhu, Woodcock (2012). Object-based cloud and cloud shadow detection in Landsat
       imagery. doi:10.1016/j.rse.2011.10.028
    """
    codes = np.full(valid.shape, CLEAR, np.uint8)
    white = _white(image, other, valid)
    dark = _dark(image["nir"], other["nir"], valid)
    labels, count = ndimage.label(white, np.ones((3, 3)))
    if not count:
        return codes
    area = np.bincount(labels.ravel())[1:] * pixel_m**2
    offset = _common_offset(white, dark, pixel_m, sun_azimuth)
    boxes = ndimage.find_objects(labels)
    falls = {}
    for number in np.flatnonzero(area >= SMALL_M2):
        box = boxes[number]
        rows, cols = np.nonzero(labels[box] == number + 1)
        falls[number] = _fall(rows + box[0].start, cols + box[1].start, dark, offset)
    matched = [area[n] for n, fall in falls.items() if fall.match >= MATCH]
    proven = len(matched) > 1 or max(matched, default=0.0) >= LONE_M2
    cloud, shadow = np.zeros_like(white), np.zeros_like(white)
    for number, fall in falls.items():
        unrefuted = fall.is_outside and area[number] >= LONE_M2
        if area[number] >= LARGE_M2 or (proven and (fall.match >= MATCH or unrefuted)):
            cloud[boxes[number]] |= labels[boxes[number]] == number + 1
            shadow[fall.rows, fall.cols] = proven
    codes[dilated(shadow, margin_m, pixel_m)] = SHADOW
    codes[dilated(cloud, margin_m, pixel_m)] = CLOUD
    return codes


def dilated(mask: Mask, metres: float, pixel_m: float) -> Mask:
    """Return a mask grown by a distance on the ground."""
    if not mask.any() or metres < pixel_m / 2:
        return mask
    return np.asarray(ndimage.distance_transform_edt(~mask) * pixel_m <= metres, np.bool_)


def _white(image: Mapping[str, Plane], other: Mapping[str, Plane], valid: Mask) -> Mask:
    """Return clouds and what looks like them: bright cores with the haze that hangs on to them."""
    gain, blue = _matched(image["blue"], other["blue"], valid)
    red = _matched(image["red"], other["red"], valid)[1]
    rise = blue - other["blue"]
    level = np.maximum(blue, 1e-6)
    plain = valid & (gain * image["nir"] < 2.2 * level)
    if "swir1" in image:
        plain &= gain * image["swir1"] > SNOW_RATIO * blue
    edge = plain & (blue > EDGE_BLUE) & (rise > EDGE_RISE) & (red < EDGE_SLOPE * level)
    core = edge & (blue > CORE_BLUE) & (rise > CORE_RISE) & (red < CORE_SLOPE * level)
    # A core is at least two pixels wide: a mixed border of something bright is not.
    core = ndimage.binary_opening(core, np.ones((2, 2)))
    return np.asarray(ndimage.binary_propagation(core, mask=edge), np.bool_)


def _matched(plane: Plane, other: Plane, valid: Mask) -> tuple[float, Plane]:
    """Return a band in the light of the other date, where it is brighter by haze or by gain."""
    if not valid.any():
        return 1.0, plane
    (low, middle), (other_low, other_middle) = (
        np.percentile(p[valid], (10, 50)) for p in (plane, other)
    )
    spread, other_spread = float(middle - low), float(other_middle - other_low)
    gain = float(np.clip(other_spread / spread, 0.75, 1.0)) if spread > 0 else 1.0
    matched = other_middle + gain * (plane - middle)
    return gain, np.minimum(matched, plane).astype(np.float32)


def _dark(nir: Plane, before: Plane, valid: Mask) -> Mask:
    """Return what is much darker than at the other date, the whole scene's change set aside."""
    ratio = nir / np.maximum(before, 1e-3)
    middle = float(np.median(ratio[valid])) if valid.any() else 1.0
    return np.asarray(valid & (before > 0.08) & (ratio < DARK_RATIO * middle), np.bool_)


def _common_offset(
    white: Mask, dark: Mask, pixel_m: float, sun_azimuth: float | None
) -> _Offset | None:
    """Return the displacement under which most white lies on dark, if one stands out."""
    reach = int(REACH_M / pixel_m)
    shape = [n + 2 * reach for n in white.shape]
    spectrum = np.fft.rfft2(dark, shape) * np.conj(np.fft.rfft2(white, shape))
    counts = np.fft.irfft2(spectrum, shape)
    span = np.arange(-reach, reach + 1)
    share = counts[np.ix_(span, span)] / max(int(white.sum()), 1)
    rows, cols = np.meshgrid(span, span, indexing="ij")
    length = np.hypot(rows, cols) * pixel_m
    allowed = (length >= NEAR_M) & (length <= REACH_M)
    if sun_azimuth is not None:
        bearing = np.degrees(np.arctan2(cols, -rows))
        turn = (bearing - sun_azimuth - 180.0 + 180.0) % 360.0 - 180.0
        allowed &= np.abs(turn) <= TURN_DEG
    if not allowed.any():
        return None
    best = int(np.argmax(np.where(allowed, share, -1.0)))
    match = float(share.ravel()[best])
    if match < MATCH or match < 3 * float(np.median(share[allowed])):
        return None
    return _Offset(float(rows.ravel()[best]), float(cols.ravel()[best]), match)


@dataclass(frozen=True)
class _Fall:
    """Where the shadow of an object falls, how much of that is dark, and whether it is unseen."""

    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    match: float
    is_outside: bool


def _fall(
    rows: NDArray[np.int64], cols: NDArray[np.int64], dark: Mask, offset: _Offset | None
) -> _Fall:
    """Return the shadow at the height, of a few, at which most of it lies on dark ground."""
    best = _Fall(rows[:0], cols[:0], 0.0, is_outside=offset is not None)
    if offset is None:
        return best
    for factor in SPREAD:
        r = rows + round(offset.rows * factor)
        c = cols + round(offset.cols * factor)
        inside = (r >= 0) & (c >= 0) & (r < dark.shape[0]) & (c < dark.shape[1])
        if inside.sum() < 0.5 * rows.size:
            continue
        r, c = r[inside], c[inside]
        match = float(dark[r, c].mean())
        best = replace(best, is_outside=False)
        if match > best.match:
            best = _Fall(r, c, match, is_outside=False)
    return best
