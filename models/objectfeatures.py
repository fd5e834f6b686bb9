"""Statistics of image objects: spectrum, spread, what the dates share, and shape.

Everything is summed as integers, so that an object has the same statistics, bit for bit, in
whatever window it is seen.
"""

import numpy as np
from numpy.typing import NDArray

from detect.magnitudes import Box, RobustScale, scaled
from models.objects import Objects
from tiles.compiled import kernel

__all__ = [
    "PLANES_HALO",
    "STEPS",
    "date_planes",
    "object_names",
    "object_statistics",
    "plane_names",
]

PLANES_HALO = 3
"""Pixels around a pixel that its planes read."""

STEPS = 256
"""Integer steps to a unit of a plane: robust scores are summed to a quarter of a percent."""

SHAPES = ("log_pixels", "compactness", "elongation")

VARIANCE_FLOOR = 0.05
"""Variance added before two dates are correlated, in squared robust scores: below it an object is
flat and its correlation noise."""


def plane_names(bands: int) -> tuple[str, ...]:
    """Return the names of the planes of one date."""
    colours = tuple(f"colour{b + 1}" for b in range(bands - 1))
    return (*(f"band{b + 1}" for b in range(bands)), *colours, "gradient", "texture")


def date_planes(
    image: NDArray[np.float32], valid: NDArray[np.bool_], scale: RobustScale
) -> NDArray[np.float32]:
    """Return what objects are told of one date, in robust scores of its scene.

    Parameters
    ----------
    image : ndarray of float32, shape (band, y, x)
    valid : ndarray of bool, shape (y, x)
    scale : RobustScale
        Of the date, see `detect.magnitudes.fit_scale`.

    Returns
    -------
    ndarray of float32, shape (plane, y, x)
        Bands; differences of bands next to each other; gradient of brightness per pixel, 0 along
        an axis where a neighbour is missing; standard deviation of brightness in 7×7 pixels.
        Zero where not valid.
    """
    scores = scaled(image, valid, scale)
    bright = scores.sum(axis=0) / np.float32(len(scores))
    window = Box(PLANES_HALO, valid)
    mean, square = window.means(np.stack([bright, bright * bright]))
    texture = np.sqrt(np.maximum(square - mean * mean, np.float32(0)))
    steps = [np.zeros_like(bright), np.zeros_like(bright)]
    for axis, step in enumerate(steps):
        value, seen = np.moveaxis(bright, axis, 0), np.moveaxis(valid, axis, 0)
        both = seen[2:] & seen[:-2] & seen[1:-1]
        np.moveaxis(step, axis, 0)[1:-1] = np.where(both, value[2:] - value[:-2], 0)
    gradient = np.sqrt(steps[0] * steps[0] + steps[1] * steps[1]) / np.float32(2)
    planes = np.concatenate([scores, np.diff(scores, axis=0), gradient[None], texture[None]])
    return np.asarray(planes * valid, np.float32)


def object_names(planes: tuple[str, ...], pairs: int) -> tuple[str, ...]:
    """Return the names of the columns of `object_statistics`.

    Parameters
    ----------
    planes : tuple of str
    pairs : int
        How many planes of the before date the first ones are; as many of the after date follow.
    """
    means = tuple(f"{n}_{kind}" for kind in ("mean", "spread") for n in planes)
    change = tuple(f"{n.removesuffix('_1')}_change" for n in planes[:pairs])
    return (*means, *change, "correlation", *SHAPES)


def object_statistics(
    objects: Objects, planes: NDArray[np.float32], pairs: int
) -> NDArray[np.float32]:
    """Compute the statistics of every object.

    Parameters
    ----------
    objects : Objects
        Of the window of `planes`.
    planes : ndarray of float32, shape (plane, y, x)
        Finite, within ±8,000,000: first `pairs` planes of the before date, then the same of the
        after date, then others.
    pairs : int

    Returns
    -------
    ndarray of float32, shape (object, column)
        Mean of every plane, its standard deviation, after less before of the pairs, the mean
        correlation of the pairs within the object, logarithm of the pixels, compactness
        (4π area / perimeter² with edges of pixels as perimeter) and elongation (root of the
        ratio of the second moments along both axes).
    """
    labels, count = objects.labels, len(objects)
    whole = np.round(planes * np.float32(STEPS)).astype(np.int32)
    sums = np.zeros((count, len(planes)), np.int64)
    squares, cross = np.zeros_like(sums), np.zeros((count, pairs), np.int64)
    shape = np.zeros((count, 7), np.int64)
    sum_objects(labels, whole, pairs, sums, squares, cross, shape)
    pixels = shape[:, :1].astype(np.float64)
    mean, spread = sums / pixels, squares / pixels
    variance = np.maximum(spread - mean * mean, 0) / STEPS**2
    shared = (cross / pixels - mean[:, :pairs] * mean[:, pairs : 2 * pairs]) / STEPS**2
    floor = variance + VARIANCE_FLOOR
    shared /= np.sqrt(floor[:, :pairs] * floor[:, pairs : 2 * pairs])
    mean /= STEPS
    change = mean[:, pairs : 2 * pairs] - mean[:, :pairs]
    columns = [mean, np.sqrt(variance), change, shared.mean(axis=1, keepdims=True), _shape(shape)]
    return np.hstack(columns).astype(np.float32)


def _shape(sums: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return size, compactness and elongation from sums of places."""
    pixels, edges, y, x, yy, xx, xy = sums.T.astype(np.float64)
    # a pixel is a square of its own: a twelfth of its side squared along both axes
    down, across = (
        yy / pixels - (y / pixels) ** 2 + 1 / 12,
        xx / pixels - (x / pixels) ** 2 + 1 / 12,
    )
    both = xy / pixels - (y / pixels) * (x / pixels)
    root = np.sqrt((down - across) ** 2 / 4 + both**2)
    long, short = (down + across) / 2 + root, np.maximum((down + across) / 2 - root, 1e-6)
    compactness = 4 * np.pi * pixels / edges**2
    return np.stack([np.log(pixels), compactness, np.sqrt(long / short)], axis=1)


@kernel
def sum_objects(
    labels: NDArray[np.int32],  # (y, x), −1 outside
    planes: NDArray[np.int32],  # (plane, y, x)
    pairs: int,
    sums: NDArray[np.int64],  # (object, plane), added to
    squares: NDArray[np.int64],  # (object, plane), added to
    cross: NDArray[np.int64],  # (object, pair), added to
    shape: NDArray[np.int64],  # (object, 7): pixels, edges, y, x, yy, xx, xy; added to
) -> None:
    """Sum planes, their squares, products of both dates and places per object."""
    height, width = labels.shape
    first = np.full((sums.shape[0], 2), -1, np.int64)
    for y in range(height):
        for x in range(width):
            k = labels[y, x]
            if k < 0:
                continue
            if first[k, 0] < 0:
                first[k, 0], first[k, 1] = y, x
            # from the anchor, so that the numbers stay small
            v, u = y - first[k, 0], x - first[k, 1]
            shape[k, 0] += 1
            shape[k, 2] += v
            shape[k, 3] += u
            shape[k, 4] += v * v
            shape[k, 5] += u * u
            shape[k, 6] += v * u
            for side in range(4):
                i, j = y + (side == 1) - (side == 0), x + (side == 3) - (side == 2)
                inside = 0 <= i < height and 0 <= j < width
                shape[k, 1] += not (inside and labels[i, j] == k)
            for p in range(planes.shape[0]):
                value = np.int64(planes[p, y, x])
                sums[k, p] += value
                squares[k, p] += value * value
            for p in range(pairs):
                cross[k, p] += np.int64(planes[p, y, x]) * np.int64(planes[p + pairs, y, x])
