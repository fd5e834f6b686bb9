"""The change of one spectral index between two dates, in units of its own spread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from configs.indices import SpectralIndex, quantities, spectral_index
from detect.kernels.pixels import difference_score
from detect.magnitudes import Gaussian, smoothing_px
from detect.programs import Plane, Program, compile_program
from detect.sample import CellPixels, column_medians, robust_spread
from tiles.block import Block

__all__ = [
    "IndexState",
    "fit_index",
    "index_bands",
    "index_constants",
    "index_program",
    "index_statistic",
    "reflectance_unit",
]

SCORE_LIMIT = 20.0
"""Robust standard deviations at which the change of a pixel is cut before smoothing: where a
denominator comes near zero one pixel must not rule its neighbourhood."""


@dataclass(frozen=True)
class IndexState:
    """A fitted change of one index.

    Attributes
    ----------
    name, formula : str
    letters : tuple of str
        Bands of the formula.
    positions : tuple of int
        Where each lies in the images.
    unit : float
        What reflectance one is in the images.
    parameters : tuple of str
        Constants of the formula.
    values : tuple of float
        Theirs.
    centre, inverse_scale : float
        Median and 1 / robust standard deviation of after minus before.
    """

    name: str
    formula: str
    letters: tuple[str, ...]
    positions: tuple[int, ...]
    unit: float
    parameters: tuple[str, ...]
    values: tuple[float, ...]
    centre: float = 0.0
    inverse_scale: float = 0.0

    def program(self) -> Program:
        """Return the program of the index's change."""
        return compile_program(
            [Plane(self.formula, "change")],
            bands=dict(zip(self.letters, self.positions, strict=True)),
            gains=_gains(self.letters, self.unit),
            constants=dict(zip(self.parameters, self.values, strict=True)),
        )


def fit_index(
    pixels: Sequence[CellPixels], name: str, wavelengths: Sequence[float | None]
) -> IndexState:
    """Fit the robust scale of the change of an index on sampled pixels.

    Parameters
    ----------
    pixels : sequence of CellPixels
    name : str
        An index of the catalogue, see `configs.indices`.
    wavelengths : sequence of float or None
        Centre of each band in µm.

    Raises
    ------
    InputError
        If the index is not known, no band has one of its letters, or a constant has no default.
    """
    index = spectral_index(name)
    bands = index_bands(index, wavelengths, pixels[0].block.bands)
    constants = index_constants(index, bands, wavelengths)
    unit = reflectance_unit(np.concatenate([np.ravel(p.take(p.block.before)) for p in pixels]))
    state = IndexState(
        index.name,
        index.formula,
        tuple(bands),
        tuple(bands.values()),
        unit,
        tuple(constants),
        tuple(constants.values()),
    )
    program = state.program()
    changes = np.concatenate([p.take(_change(p.block, program)) for p in pixels])
    centre = column_medians(changes)
    spread = robust_spread(changes, centre)[0] or changes.std()
    inverse = 1.0 / spread if spread > 1e-6 else 0.0
    return replace(state, centre=float(centre[0]), inverse_scale=float(inverse))


def index_bands(
    index: SpectralIndex, wavelengths: Sequence[float | None], names: Sequence[str] = ()
) -> dict[str, int]:
    """Return the position of the band of each letter of an index.

    Parameters
    ----------
    index : SpectralIndex
    wavelengths : sequence of float or None
        Centre of each band in µm. Of several bands in a letter's range the one nearest to its
        middle counts.
    names : sequence of str
        Names of the bands: polarisations are found by them.

    Raises
    ------
    InputError
        If no band has one of the letters.
    """
    return {letter: _band_of(letter, wavelengths, names, index.name) for letter in index.bands}


def _band_of(
    letter: str, wavelengths: Sequence[float | None], names: Sequence[str], index: str
) -> int:
    band = quantities().bands[letter]
    if band.wavelength_um is None:
        same = [i for i, name in enumerate(names) if name.upper() == letter]
        told, there = f"a band named {letter}", ", ".join(names)
    else:
        low, high = band.wavelength_um
        middle = (low + high) / 2
        near = [
            (abs(w - middle), i)
            for i, w in enumerate(wavelengths)
            if w is not None and low <= w < high
        ]
        same = [i for _, i in sorted(near)]
        told = f"a {band.title} band ({low}–{high} µm)"
        there = ", ".join(f"{w} µm" for w in wavelengths if w is not None)
    if same:
        return same[0]
    raise InputError(
        f"index {index} needs {told} and none of the bands is one",
        f"bands: {there or 'of unknown wavelength'}",
        "name the sensor, or use an index of bands that are there (`tuban indices list --sensor`)",
    )


def index_constants(
    index: SpectralIndex,
    bands: Mapping[str, int],
    wavelengths: Sequence[float | None],
    given: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Return the value of each constant of an index.

    Parameters
    ----------
    index : SpectralIndex
    bands : mapping of str to int
        As `index_bands` returns it.
    wavelengths : sequence of float or None
    given : mapping of str to float, optional
        Values other than the defaults.

    Raises
    ------
    InputError
        If a constant has neither default nor value.
    """
    known, found = quantities(), {}
    for name in index.constants:
        value = (given or {}).get(name)
        if value is None and name in known.wavelengths:
            value = 1000.0 * (wavelengths[bands[known.wavelengths[name]]] or 0.0)
        elif value is None:
            value = known.constants[name].default
        if value is None:
            raise InputError(
                f"index {index.name} needs a value of {name} ({known.constants[name].title})",
                f"formula {index.formula}",
                "use another index: this one needs data besides the images",
            )
        found[name] = float(value)
    return found


def index_program(
    indices: Sequence[SpectralIndex],
    wavelengths: Sequence[float | None],
    *,
    dates: Sequence[str] = ("change",),
    names: Sequence[str] = (),
    unit: float = 1.0,
    given: Mapping[str, float] | None = None,
) -> Program:
    """Compile any set of indices of either date or of the change to one program.

    Parameters
    ----------
    indices : sequence of SpectralIndex
    wavelengths : sequence of float or None
        Centre of each band of the images in µm.
    dates : sequence of {"before", "after", "change"}
        Planes of each index, in this order.
    names : sequence of str
        Band names.
    unit : float
        What reflectance one is in the images.
    given : mapping of str to float, optional
        Constants other than the defaults.

    Raises
    ------
    InputError
        If a band or a constant is missing.
    """
    bands: dict[str, int] = {}
    constants: dict[str, float] = {}
    for index in indices:
        own = index_bands(index, wavelengths, names)
        bands |= own
        constants |= index_constants(index, own, wavelengths, given)
    planes = [Plane(i.formula, d) for i in indices for d in dates]  # type: ignore[arg-type]
    return compile_program(planes, bands=bands, gains=_gains(bands, unit), constants=constants)


def _gains(letters: Sequence[str] | Mapping[str, int], unit: float) -> dict[str, float]:
    bands = quantities().bands
    return {
        letter: 1.0 / unit if bands[letter].unit == "reflectance" else 1.0 for letter in letters
    }


def reflectance_unit(values: NDArray[np.floating]) -> float:
    """Return what reflectance one is in sampled values: 1, 255 or 10,000 by their brightest tenth.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        Of optical bands.
    """
    bright = float(np.quantile(values, 0.9)) if values.size else 0.0
    return 1.0 if bright <= 2.0 else 255.0 if bright <= 255.0 else 10_000.0


def _change(block: Block, program: Program) -> NDArray[np.float32]:
    return program.run(block.before, block.after, block.valid)


def index_statistic(block: Block, state: IndexState, pixel_m: float) -> NDArray[np.float32]:
    """Return |smoothed robust score of the index change|, float32 (y, x), zero where not valid."""
    change = _change(block, state.program())[0]
    score = np.empty_like(change)
    difference_score(
        change,
        block.valid,
        np.float32(state.centre),
        np.float32(state.inverse_scale),
        np.float32(SCORE_LIMIT),
        score,
    )
    return np.abs(Gaussian(smoothing_px(pixel_m), block.valid).smooth(score))
