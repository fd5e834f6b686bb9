"""Pan-sharpening by weighted Brovey, with weights that a regression of pan on the bands gives.

Each band is multiplied by pan / Σ wᵢ · bandᵢ, as GDAL's pan-sharpening does. How faithful that is
to the colours is told by the protocol of Wald: everything is made one step coarser, sharpened, and
compared with the bands as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.warp import Resampling
from scipy import ndimage
from scipy.optimize import nnls

from tiles.warp import Placement, warp

__all__ = ["PanCell", "Sharpening", "brovey", "ergas", "fit_sharpening"]

THIN = 7
"""Every so many pixels enter the regression: a prime, so that no row pattern is followed."""

DIGITS = 6
"""Significant digits of a weight: more would tell one machine's arithmetic from another's."""

ANY_CRS = "EPSG:3857"
"""Of arrays that are only enlarged; it does not matter."""


@dataclass(frozen=True)
class PanCell:
    """A sample of a scene at the pixel size of its bands.

    Attributes
    ----------
    bands : ndarray of float32, shape (band, y, x)
    pan : ndarray of float32, shape (y, x)
        Averaged to the pixels of the bands.
    valid : ndarray of bool, shape (y, x)
    """

    bands: NDArray[np.float32]
    pan: NDArray[np.float32]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Sharpening:
    """Weights of the bands in the panchromatic image, and how well they serve.

    Attributes
    ----------
    weights : tuple of float
        Per band, none negative.
    source : {"regression", "equal"}
        Equal weights stand in where they keep the colours better on the sample.
    explained : float
        Share of the variance of pan that the weighted bands explain.
    ergas : float
        Relative error of the colours one step coarser; 0 is perfect, below 3 is good.
    ergas_equal : float
        The same with equal weights.
    pixels : int
        Pixels of the sample.
    moved : tuple of float
        Rows and columns of the grid by which the bands are moved onto pan.
    left_px : float or None
        How far they then lie from it, pixels of the grid; None where no window tells.
    """

    weights: tuple[float, ...]
    source: Literal["regression", "equal"]
    explained: float
    ergas: float
    ergas_equal: float
    pixels: int
    moved: tuple[float, float] = (0.0, 0.0)
    left_px: float | None = None


def brovey(
    bands: NDArray[np.float32], pan: NDArray[np.float32], weights: Sequence[float]
) -> NDArray[np.float32]:
    """Return the bands with the detail of pan.

    Parameters
    ----------
    bands : ndarray of float32, shape (band, y, x)
        On the pixels of `pan`.
    pan : ndarray of float32, shape (y, x)
    weights : sequence of float
        Per band. Where the weighted bands are not positive nothing is changed.

    References
    ----------
    .. [1] Gillespie, Kahle, Walker (1987). Color enhancement of highly correlated images. II.
       doi:10.1016/0034-4257(87)90088-5
    """
    intensity = np.zeros(pan.shape, np.float32)
    for weight, band in zip(weights, bands, strict=True):
        intensity += np.float32(weight) * band
    gain = np.ones(pan.shape, np.float32)
    np.divide(pan, intensity, out=gain, where=intensity > 0)
    return np.asarray(bands * gain)


def fit_sharpening(cells: Sequence[PanCell], ratio: int) -> Sharpening:
    """Find the weights of the bands in pan, and measure what they are worth.

    Parameters
    ----------
    cells : sequence of PanCell
        In canonical order; with no usable pixel the weights are equal and nothing is known.
    ratio : int
        Pixels of pan in a pixel of the bands, along a side.

    Returns
    -------
    Sharpening

    References
    ----------
    .. [1] Wald, Ranchin, Mangolini (1997). Fusion of satellite images of different spatial
       resolutions. Photogrammetric Engineering & Remote Sensing 63(6).
    """
    count = len(cells[0].bands)
    x = np.concatenate([c.bands[:, c.valid].T for c in cells]).astype(np.float64)
    y = np.concatenate([c.pan[c.valid] for c in cells]).astype(np.float64)
    if not len(y) or not x.any():
        return Sharpening((1.0 / count,) * count, "equal", 0.0, float("nan"), float("nan"), 0)
    fitted = _rounded(nnls(x[::THIN], y[::THIN])[0])
    scale = float((x.sum(axis=1) * y).sum() / max((x.sum(axis=1) ** 2).sum(), 1e-30))
    equal = _rounded(np.full(count, scale))
    errors = [_wald(cells, weights, ratio) for weights in (fitted, equal)]
    better = fitted.any() and not errors[1] < errors[0]
    weights = fitted if better else equal
    left = float(((y - x @ weights) ** 2).mean())
    return Sharpening(
        weights=tuple(float(w) for w in weights),
        source="regression" if better else "equal",
        explained=round(1.0 - left / max(float(y.var()), 1e-30), 6),
        ergas=round(errors[0] if better else errors[1], 6),
        ergas_equal=round(errors[1], 6),
        pixels=len(y),
    )


def ergas(
    reference: NDArray[np.float32],
    made: NDArray[np.float32],
    valid: NDArray[np.bool_],
    ratio: float,
) -> float:
    """Return the relative dimensionless global error of an image, in percent.

    Parameters
    ----------
    reference, made : ndarray of float32, shape (band, y, x)
    valid : ndarray of bool, shape (y, x)
    ratio : float
        Pixels of pan in a pixel of the bands, along a side.

    References
    ----------
    .. [1] Wald (2000). Quality of high resolution synthesised images: is there a simple
       criterion? Fusion of Earth Data.
    """
    if not valid.any():
        return float("nan")
    wanted, got = reference[:, valid].astype(np.float64), made[:, valid].astype(np.float64)
    square = ((got - wanted) ** 2).mean(axis=1)
    return float(100.0 / ratio * np.sqrt(np.mean(square / wanted.mean(axis=1) ** 2)))


def _wald(cells: Sequence[PanCell], weights: NDArray[np.float64], ratio: int) -> float:
    """Return ERGAS of the bands made coarser and sharpened back, over all cells together."""
    wanted, made = [], []
    for cell in cells:
        side = [n // ratio * ratio for n in cell.valid.shape]
        cut = (slice(0, side[0]), slice(0, side[1]))
        valid = cell.valid[cut]
        bands = np.where(valid, cell.bands[(slice(None), *cut)], np.float32(0))
        coarse = bands.reshape(len(bands), side[0] // ratio, ratio, -1, ratio).mean(axis=(2, 4))
        sharp = brovey(_enlarged(coarse, ratio), cell.pan[cut], weights.tolist())
        # A kernel of three coarse pixels must lie on usable ones.
        inner = ndimage.binary_erosion(valid, np.ones((3, 3)), iterations=3 * ratio)
        wanted.append(bands[:, inner])
        made.append(sharp[:, inner])
    whole, got = np.concatenate(wanted, axis=1), np.concatenate(made, axis=1)
    return ergas(whole[:, None], got[:, None], np.ones((1, whole.shape[1]), np.bool_), ratio)


def _enlarged(bands: NDArray[np.float32], ratio: int) -> NDArray[np.float32]:
    """Return bands on finer pixels, by the kernel that the reader uses."""
    out = np.zeros((len(bands), bands.shape[1] * ratio, bands.shape[2] * ratio), np.float32)
    place = Placement(ANY_CRS, Affine.scale(ratio), None, {})
    warp(bands, out, place, Affine.identity(), ANY_CRS, Resampling.cubic)
    return out


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([float(f"{v:.{DIGITS}g}") for v in values])
