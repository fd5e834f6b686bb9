"""Areas and accuracies from a stratified sample, with 95 % intervals.

A map is never counted: its errors would be counted with it. A random sample in every stratum of the
map, looked at by people, tells how much of each class there really is.

References
----------
.. [1] Olofsson, Foody, Herold, Stehman, Woodcock, Wulder (2014). Good practices for estimating area
   and assessing accuracy of land change. doi:10.1016/j.rse.2014.02.015
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from tiles.grid import splitmix64

__all__ = ["AreaEstimate", "Estimate", "allocate", "draw_stratified", "estimate_areas"]

Z95 = 1.96
"""Half the width of a 95 % interval in standard errors."""

RARE_SHARE = 0.1
"""A stratum below this share of the map is rare: it gets `RARE_SAMPLE` units."""

RARE_SAMPLE = 75
"""Units of a rare stratum; [1]_ uses 50–100."""

DESIGN_SEED = 0x6173_7365
"""Seed of the hash that draws sample units."""


@dataclass(frozen=True)
class Estimate:
    """A number with half the width of its 95 % interval; NaN where it cannot be told."""

    value: float
    margin: float


@dataclass(frozen=True)
class AreaEstimate:
    """What a stratified sample tells.

    Attributes
    ----------
    classes : tuple of str
    overall : Estimate
        Share of the map that is right, 0–1.
    users, producers : tuple of Estimate
        By class: share of the mapped class that is right; share of the true class that is mapped.
    areas : tuple of Estimate
        By class, in the unit of the mapped areas.
    mapped : tuple of float
        Areas as mapped.
    proportions : ndarray of float64, shape (class, class)
        Estimated shares of the area: rows are the map, columns the reference.
    """

    classes: tuple[str, ...]
    overall: Estimate
    users: tuple[Estimate, ...]
    producers: tuple[Estimate, ...]
    areas: tuple[Estimate, ...]
    mapped: tuple[float, ...]
    proportions: NDArray[np.float64]


def estimate_areas(
    counts: NDArray[np.integer], mapped: Sequence[float], classes: Sequence[str]
) -> AreaEstimate:
    """Estimate areas and accuracies from a sample stratified by the map.

    Parameters
    ----------
    counts : ndarray of int, shape (class, class)
        Sample units: rows are the map's classes (the strata), columns the reference.
    mapped : sequence of float
        Mapped area of each class.
    classes : sequence of str

    Returns
    -------
    AreaEstimate

    Raises
    ------
    InputError
        If a mapped class has fewer than two units: its variance cannot be told.
    """
    area = np.asarray(mapped, np.float64)
    units = counts.sum(axis=1).astype(np.float64)
    for name, size, count in zip(classes, area, units, strict=True):
        if size > 0 and count < 2:
            raise InputError(
                f"class {name} has {count:.0f} sample units", "sample", "interpret at least two"
            )
    held = area > 0
    within = np.where(held[:, None], counts / np.maximum(units, 1)[:, None], 0.0)
    variance = np.where(
        held[:, None], within * (1 - within) / np.maximum(units - 1, 1)[:, None], 0.0
    )
    weight = area / area.sum()
    shares = weight[:, None] * within
    true_area = area.sum() * shares.sum(axis=0)
    users = np.where(held, np.diag(within), np.nan)
    errors = area.sum() * np.sqrt((weight[:, None] ** 2 * variance).sum(axis=0))
    producers, producer_errors = _producers(area, within, variance, true_area)
    overall_error = np.sqrt((weight**2 * np.diag(variance)).sum())
    return AreaEstimate(
        tuple(classes),
        Estimate(float(np.trace(shares)), float(Z95 * overall_error)),
        _estimates(users, np.where(held, np.sqrt(np.diag(variance)), np.nan)),
        _estimates(producers, producer_errors),
        _estimates(true_area, errors),
        tuple(float(a) for a in area),
        shares,
    )


def _producers(
    area: NDArray[np.float64],
    within: NDArray[np.float64],
    variance: NDArray[np.float64],
    true_area: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return producers' accuracies and their standard errors (equation 7 of the source)."""
    right = area * np.diag(within)
    share = np.divide(right, true_area, out=np.full(len(area), np.nan), where=true_area > 0)
    own = area**2 * (1 - share) ** 2 * np.diag(variance)
    others = area[:, None] ** 2 * variance
    others = share**2 * (others.sum(axis=0) - np.diag(others))
    with np.errstate(invalid="ignore"):
        root = np.sqrt(own + others)
    return share, np.divide(root, true_area, out=np.full(len(area), np.nan), where=true_area > 0)


def _estimates(values: NDArray[np.float64], errors: NDArray[np.float64]) -> tuple[Estimate, ...]:
    return tuple(Estimate(float(v), float(Z95 * e)) for v, e in zip(values, errors, strict=True))


def allocate(pixels: Sequence[int], units: int) -> list[int]:
    """Share sample units among strata: rare ones get a fixed number, the rest by size.

    Parameters
    ----------
    pixels : sequence of int
        Mapped pixels of each stratum.
    units : int
        All units.

    Returns
    -------
    list of int
        Not more than a stratum has pixels; a stratum with pixels gets two or more if it can.
    """
    sizes = np.asarray(pixels, np.int64)
    rare = (sizes > 0) & (sizes < RARE_SHARE * sizes.sum())
    share = np.zeros(len(sizes), np.int64)
    fixed = min(RARE_SAMPLE, units // max(1, len(sizes)))
    share[rare] = np.minimum(fixed, sizes[rare])
    rest = max(0, units - int(share.sum()))
    common = (sizes > 0) & ~rare
    if common.any():
        exact = rest * sizes[common] / sizes[common].sum()
        floor = np.floor(exact).astype(np.int64)
        extra = np.argsort(floor - exact, kind="stable")[: rest - int(floor.sum())]
        floor[extra] += 1
        share[common] = floor
    share = np.where(sizes > 0, np.maximum(share, 2), 0)
    return [int(n) for n in np.minimum(share, sizes)]


def draw_stratified(
    rows: NDArray[np.int64], cols: NDArray[np.int64], strata: NDArray[np.integer], take: list[int]
) -> NDArray[np.int64]:
    """Draw units at random in each stratum: those with the smallest hash of their position.

    Parameters
    ----------
    rows, cols : ndarray of int64, shape (n,)
        Positions of candidate pixels.
    strata : ndarray of int, shape (n,)
        Stratum of each, from 0.
    take : list of int
        Units of each stratum.

    Returns
    -------
    ndarray of int64
        Positions in the arrays, by stratum and hash.
    """
    ranks = splitmix64(rows, cols, DESIGN_SEED)
    chosen = []
    for stratum, count in enumerate(take):
        own = np.flatnonzero(strata == stratum)
        chosen.append(own[np.lexsort((cols[own], rows[own], ranks[own]))][:count])
    return np.concatenate(chosen) if chosen else np.zeros(0, np.int64)
