"""Spectral indices as ratios of weighted band sums, and the change of one index between dates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from detect.kernels.pixels import band_ratio, difference_score
from detect.magnitudes import Gaussian, smoothing_px
from detect.sample import CellPixels, column_medians, robust_spread
from tiles.block import Block

__all__ = [
    "INDICES",
    "IndexState",
    "SpectralIndex",
    "fit_index",
    "index_bands",
    "index_statistic",
    "named_index",
]

RANGES_UM = {
    "blue": (0.44, 0.52),
    "green": (0.52, 0.60),
    "red": (0.62, 0.70),
    "nir": (0.76, 0.91),
    "swir1": (1.55, 1.75),
    "swir2": (2.05, 2.35),
}
"""Wavelengths that count as each colour; of several bands the first counts."""

LIMIT = 2.0
"""Indices are cut to ± this: a denominator near zero must not rule the statistics."""


@dataclass(frozen=True)
class SpectralIndex:
    """An index: (Σ numerator weight × band) / (Σ denominator weight × band + constant).

    Attributes
    ----------
    name, title : str
    numerator, denominator : mapping of colour to weight
    constant : float
        Added to the denominator; other than zero only for reflectance.
    """

    name: str
    title: str
    numerator: Mapping[str, float]
    denominator: Mapping[str, float]
    constant: float = 0.0
    colours: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        used = {**self.numerator, **self.denominator}
        object.__setattr__(self, "colours", tuple(c for c in RANGES_UM if c in used))


def _difference(name: str, title: str, first: str, second: str) -> SpectralIndex:
    return SpectralIndex(name, title, {first: 1, second: -1}, {first: 1, second: 1})


INDICES = {
    index.name: index
    for index in (
        _difference("NDVI", "vegetation (Rouse 1974)", "nir", "red"),
        _difference("NDBI", "built-up land (Zha 2003)", "swir1", "nir"),
        _difference("NDWI", "open water (McFeeters 1996)", "green", "nir"),
        _difference("MNDWI", "open water (Xu 2006)", "green", "swir1"),
        SpectralIndex(
            "SAVI",
            "vegetation over bare soil (Huete 1988)",
            {"nir": 1.5, "red": -1.5},
            {"nir": 1, "red": 1},
            0.5,
        ),
        SpectralIndex(
            "EVI",
            "dense vegetation (Huete 2002)",
            {"nir": 2.5, "red": -2.5},
            {"nir": 1, "red": 6, "blue": -7.5},
            1.0,
        ),
        SpectralIndex(
            "BSI",
            "bare soil (Rikimaru 2002)",
            {"swir1": 1, "red": 1, "nir": -1, "blue": -1},
            {"swir1": 1, "red": 1, "nir": 1, "blue": 1},
        ),
    )
}
"""The indices known by name."""


def named_index(name: str) -> SpectralIndex:
    """Return an index by name, in any case.

    Raises
    ------
    InputError
        If there is no such index.
    """
    index = INDICES.get(name.upper())
    if index is None:
        raise InputError(
            f"there is no index named {name!r}", "method index:NAME", f"use {', '.join(INDICES)}"
        )
    return index


@dataclass(frozen=True)
class IndexState:
    """A fitted change of one index.

    Attributes
    ----------
    name : str
    numerator, denominator : ndarray of float32, shape (band,)
    constant : float
        Added to the denominator, in the units of the block.
    centre, inverse_scale : float
        Median and 1 / robust standard deviation of after minus before.
    """

    name: str
    numerator: NDArray[np.float32]
    denominator: NDArray[np.float32]
    constant: float
    centre: float
    inverse_scale: float


def fit_index(
    pixels: Sequence[CellPixels], name: str, wavelengths: Sequence[float | None]
) -> IndexState:
    """Fit the robust scale of the change of an index on sampled pixels.

    Parameters
    ----------
    pixels : sequence of CellPixels
    name : str
        One of `INDICES`.
    wavelengths : sequence of float or None
        Centre of each band in µm.

    Raises
    ------
    InputError
        If the index is not known or no band has one of its colours.
    """
    index, bands = named_index(name), index_bands(name, wavelengths)
    numerator, denominator = (np.zeros(len(wavelengths), np.float32) for _ in range(2))
    for colour, weight in index.numerator.items():
        numerator[bands[colour]] = weight
    for colour, weight in index.denominator.items():
        denominator[bands[colour]] = weight
    constant = index.constant * _reflectance_unit(pixels)
    state = IndexState(index.name, numerator, denominator, constant, 0.0, 0.0)
    changes = np.concatenate([p.take(_change(p.block, state)[None]) for p in pixels])
    centre = column_medians(changes)
    spread = robust_spread(changes, centre)[0] or changes.std()
    inverse = 1.0 / spread if spread > 1e-6 else 0.0
    return IndexState(
        index.name, numerator, denominator, constant, float(centre[0]), float(inverse)
    )


def index_bands(name: str, wavelengths: Sequence[float | None]) -> dict[str, int]:
    """Return the position of the band of each colour that an index needs.

    Raises
    ------
    InputError
        If the index is not known or no band has one of its colours.
    """
    index = named_index(name)
    return {colour: _band_of(colour, wavelengths, index.name) for colour in index.colours}


def _band_of(colour: str, wavelengths: Sequence[float | None], index: str) -> int:
    low, high = RANGES_UM[colour]
    for band, wavelength in enumerate(wavelengths):
        if wavelength is not None and low <= wavelength < high:
            return band
    raise InputError(
        f"index {index} needs a {colour} band ({low}–{high} µm) and none of the bands is one",
        f"band wavelengths {[w for w in wavelengths if w is not None] or 'unknown'}",
        "name the sensor (--sensor NAME), or use an index of bands that are there",
    )


def _reflectance_unit(pixels: Sequence[CellPixels]) -> float:
    """Return what reflectance one is in the sample: 1, 255 or 10,000 by its brightest tenth."""
    values = np.concatenate([np.ravel(p.take(p.block.before)) for p in pixels])
    bright = float(np.quantile(values, 0.9)) if values.size else 0.0
    return 1.0 if bright <= 2.0 else 255.0 if bright <= 255.0 else 10_000.0


def _change(block: Block, state: IndexState) -> NDArray[np.float32]:
    """Return index(after) − index(before), float32 (y, x), zero where not valid."""
    sides = []
    for values in (block.before, block.after):
        out = np.empty(block.valid.shape, np.float32)
        band_ratio(
            values,
            block.valid,
            state.numerator,
            state.denominator,
            np.float32(state.constant),
            np.float32(LIMIT),
            out,
        )
        sides.append(out)
    return sides[1] - sides[0]


def index_statistic(block: Block, state: IndexState, pixel_m: float) -> NDArray[np.float32]:
    """Return |smoothed robust score of the index change|, float32 (y, x), zero where not valid."""
    change = _change(block, state)
    score = np.empty_like(change)
    difference_score(
        change, block.valid, np.float32(state.centre), np.float32(state.inverse_scale), score
    )
    return np.abs(Gaussian(smoothing_px(pixel_m), block.valid).smooth(score))
