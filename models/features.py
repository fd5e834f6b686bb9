"""Features of single pixels: bands, indices, texture. One definition for training and inference.

Everything is computed at the requested pixels only, from the valid pixels of a 7×7 window, in a
fixed order of additions: a pixel has the same features in whatever block it is read.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from tiles.compiled import inner, kernel

__all__ = ["HALO", "ROLES", "band_roles", "feature_names", "features_at"]

HALO = 3
"""Pixels around a pixel that its features may read."""

ROLES = ("blue", "green", "red", "nir", "swir1", "swir2")
"""Wavelength roles that indices are built from."""

_RANGES_UM = {
    "blue": (0.45, 0.49, 0.52),
    "green": (0.52, 0.56, 0.60),
    "red": (0.62, 0.66, 0.69),
    "nir": (0.76, 0.84, 0.95),
    "swir1": (1.50, 1.62, 1.75),
    "swir2": (2.05, 2.20, 2.36),
}
"""Lowest, best and highest central wavelength of a role, in µm."""

_SENTINEL2 = {
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B08": "nir",
    "B11": "swir1",
    "B12": "swir2",
}

_INDICES = (
    ("ndvi", "nir", "red"),
    ("ndwi", "green", "nir"),
    ("mndwi", "green", "swir1"),
    ("ndbi", "swir1", "nir"),
    ("ndti", "swir1", "swir2"),
    ("ngrdi", "green", "red"),
    ("bgndi", "blue", "green"),
)
"""Normalised differences (a − b) / (a + b): name, a, b."""


def band_roles(
    bands: Sequence[str], wavelengths: Sequence[float | None] | None = None
) -> tuple[str, ...]:
    """Return the role of each band: one of `ROLES`, or "" where it has none.

    Parameters
    ----------
    bands : sequence of str
        Band names. Without wavelengths only names that cannot be mistaken are read: the role
        names themselves and the two-digit Sentinel-2 names (``B02`` … ``B12``).
    wavelengths : sequence of float or None, optional
        Central wavelength of each band in µm. The band nearest to the middle of a role takes it.

    Examples
    --------
    >>> band_roles(("B02", "B08", "B05"))
    ('blue', 'nir', '')
    >>> band_roles(("b1", "b2"), (0.665, 0.842))
    ('red', 'nir')
    """
    known = tuple(wavelengths) if wavelengths is not None else (None,) * len(bands)
    if len(known) != len(bands):
        raise InputError(
            f"{len(bands)} bands but {len(known)} wavelengths",
            "band_roles(wavelengths=...)",
            "give one wavelength per band, None where it is unknown",
        )
    roles = [""] * len(bands)
    for role, (low, best, high) in _RANGES_UM.items():
        fitting = [
            (abs(w - best), i) for i, w in enumerate(known) if w is not None and low <= w <= high
        ]
        named = [
            i
            for i, name in enumerate(bands)
            if known[i] is None and (name.lower() == role or _SENTINEL2.get(name) == role)
        ]
        chosen = min(fitting)[1] if fitting else min(named, default=None)
        if chosen is not None and not roles[chosen]:
            roles[chosen] = role
    return tuple(roles)


def feature_names(bands: Sequence[str], *, roles: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the names of the columns of `features_at` for these bands."""
    bands = tuple(bands)
    indices = tuple(name for name, _, _ in _pairs(_roles(bands, roles)))
    textures = tuple(
        f"{plane}_{kind}"
        for plane in ("brightness", *indices[:1])
        for kind in ("mean3", "std3", "mean7", "std7")
    )
    return (*bands, *indices, *textures, "brightness_gradient")


def features_at(
    image: NDArray[np.float32],
    valid: NDArray[np.bool_],
    rows: NDArray[np.integer],
    cols: NDArray[np.integer],
    bands: Sequence[str],
    *,
    roles: Sequence[str] | None = None,
) -> NDArray[np.float32]:
    """Compute the features of single pixels of one date.

    Columns: the bands; the normalised differences that the roles allow; mean and standard
    deviation of brightness (mean of all bands) and of the first index in 3×3 and 7×7 windows; the
    gradient of brightness per pixel (central difference, 0 along an axis where a neighbour is
    missing). Neighbours that are not valid are left out.

    Parameters
    ----------
    image : ndarray of float32, shape (band, y, x)
        Finite; not read where not valid.
    valid : ndarray of bool, shape (y, x)
        True where the image may be read. What lies outside the array counts as not valid, so the
        array must reach `HALO` pixels beyond the pixels wanted.
    rows, cols : ndarray of int, shape (n,)
        Positions in the arrays; the pixels themselves must be valid.
    bands : sequence of str
        Band names of `image`.
    roles : sequence of str, optional
        Role of each band; `band_roles` of the names by default.

    Returns
    -------
    ndarray of float32, shape (n, f)
        Columns as `feature_names` tells.

    Raises
    ------
    InputError
        If the shapes do not fit or a pixel lies outside or is not valid.
    """
    roles = _roles(bands, roles)
    at = np.asarray(rows, np.int64), np.asarray(cols, np.int64)
    _check(image, valid, at, len(roles))
    place = {role: i for i, role in enumerate(roles) if role}
    pairs = np.array([(place[a], place[b]) for _, a, b in _pairs(roles)], np.int64).reshape(-1, 2)
    out = np.empty((len(at[0]), len(feature_names(bands, roles=roles))), np.float32)
    fill_features(np.ascontiguousarray(image, np.float32), valid, *at, pairs, out)
    return out


@kernel
def fill_features(
    image: NDArray[np.float32],  # (band, y, x)
    valid: NDArray[np.bool_],  # (y, x)
    rows: NDArray[np.int64],  # (pixel,)
    cols: NDArray[np.int64],  # (pixel,)
    pairs: NDArray[np.int64],  # (index, 2) bands of each normalised difference
    out: NDArray[np.float32],  # (pixel, feature), written
) -> None:
    """Write the features of pixels; the kernel of `features_at`."""
    n_band, height, width = image.shape
    n_plane = 2 if pairs.shape[0] else 1
    # Brightness and first index of a pixel serve all windows it lies in: computed once, on demand.
    known, planes = np.zeros((height, width), np.bool_), np.empty((2, height, width))
    window, seen = np.zeros((2, 7, 7), np.float64), np.empty((7, 7), np.bool_)
    for p in range(rows.shape[0]):
        row, col = rows[p], cols[p]
        for b in range(n_band):
            out[p, b] = image[b, row, col]
        f = n_band
        for k in range(pairs.shape[0]):
            a, b = image[pairs[k, 0], row, col], image[pairs[k, 1], row, col]
            out[p, f] = _normalised_difference(a, b)
            f += 1
        count = 0
        for i in range(7):
            for j in range(7):
                y, x = row + i - 3, col + j - 3
                seen[i, j] = 0 <= y < height and 0 <= x < width and valid[y, x]
                if seen[i, j]:
                    count += 1
                    if not known[y, x]:
                        known[y, x] = True
                        _fill_planes(image, pairs, y, x, planes)
                    window[0, i, j], window[1, i, j] = planes[0, y, x], planes[1, y, x]
        if count == 49:
            _whole_moments(window, out[p, f:], n_plane)
            f += 4 * n_plane
        else:
            for plane in range(n_plane):
                for radius in (1, 3):
                    out[p, f], out[p, f + 1] = _window_moments(window[plane], seen, radius)
                    f += 2
        down = window[0, 4, 3] - window[0, 2, 3] if seen[4, 3] and seen[2, 3] else 0.0
        right = window[0, 3, 4] - window[0, 3, 2] if seen[3, 4] and seen[3, 2] else 0.0
        out[p, f] = np.sqrt(down * down + right * right) / 2.0


@inner
def _fill_planes(
    image: NDArray[np.float32],  # (band, y, x)
    pairs: NDArray[np.int64],  # (index, 2)
    y: int,
    x: int,
    planes: NDArray[np.float64],  # (2, y, x), written at one pixel: brightness, first index
) -> None:
    total = 0.0
    for b in range(image.shape[0]):
        total += image[b, y, x]
    planes[0, y, x] = total / image.shape[0]
    planes[1, y, x] = (
        _normalised_difference(image[pairs[0, 0], y, x], image[pairs[0, 1], y, x])
        if pairs.shape[0]
        else 0.0
    )


@inner
def _normalised_difference(a: float, b: float) -> float:
    total = np.float64(a) + np.float64(b)
    if total <= 0.0:
        return 0.0
    return min(1.0, max(-1.0, (np.float64(a) - np.float64(b)) / total))


@inner
def _window_moments(
    plane: NDArray[np.float64], seen: NDArray[np.bool_], radius: int
) -> tuple[float, float]:
    total, count = 0.0, 0
    for i in range(3 - radius, 4 + radius):
        for j in range(3 - radius, 4 + radius):
            if seen[i, j]:
                total += plane[i, j]
                count += 1
    mean = total / count
    spread = 0.0
    for i in range(3 - radius, 4 + radius):
        for j in range(3 - radius, 4 + radius):
            if seen[i, j]:
                spread += (plane[i, j] - mean) ** 2
    return mean, np.sqrt(spread / count)


@inner
def _whole_moments(
    window: NDArray[np.float64],  # (2, 7, 7), all seen
    out: NDArray[np.float32],  # written: mean and deviation of 3×3 and 7×7 pixels, by plane
    n_plane: int,
) -> None:
    """Write what `_window_moments` returns, adding up both planes side by side."""
    first, second = window[0], window[1]
    for place, radius in enumerate((1, 3)):
        count = (2 * radius + 1) ** 2
        a, b = 0.0, 0.0
        for i in range(3 - radius, 4 + radius):
            for j in range(3 - radius, 4 + radius):
                a += first[i, j]
                b += second[i, j]
        mean_a, mean_b = a / count, b / count
        a, b = 0.0, 0.0
        for i in range(3 - radius, 4 + radius):
            for j in range(3 - radius, 4 + radius):
                da, db = first[i, j] - mean_a, second[i, j] - mean_b
                a += da * da
                b += db * db
        out[2 * place], out[2 * place + 1] = mean_a, np.sqrt(a / count)
        if n_plane == 2:
            out[2 * place + 4], out[2 * place + 5] = mean_b, np.sqrt(b / count)


def _roles(bands: Sequence[str], roles: Sequence[str] | None) -> tuple[str, ...]:
    if roles is None:
        return band_roles(bands)
    unknown = [role for role in roles if role and role not in ROLES]
    if len(roles) != len(bands) or unknown:
        raise InputError(
            f"roles {tuple(roles)} do not fit the bands {tuple(bands)}",
            "features (roles=...)",
            f'give one role per band: "" or one of {", ".join(ROLES)}',
        )
    return tuple(roles)


def _pairs(roles: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Return the indices whose bands are there."""
    return [(name, a, b) for name, a, b in _INDICES if a in roles and b in roles]


def _check(
    image: NDArray[np.float32],
    valid: NDArray[np.bool_],
    at: tuple[NDArray[np.int64], NDArray[np.int64]],
    n_bands: int,
) -> None:
    if image.ndim != 3 or image.shape != (n_bands, *valid.shape):
        raise InputError(
            f"image has shape {image.shape}, valid {valid.shape}, with {n_bands} bands",
            "features_at(image=..., valid=..., bands=...)",
            "pass image as (band, y, x) with one name per band and valid as (y, x)",
        )
    rows, cols = at
    inside = (rows >= 0) & (rows < valid.shape[0]) & (cols >= 0) & (cols < valid.shape[1])
    if not inside.all() or not valid[rows, cols].all():
        raise InputError(
            "a pixel lies outside the image or is not valid",
            "features_at(rows=..., cols=...)",
            "pass positions in the array (global minus extent.row0, extent.col0) of valid pixels",
        )
