"""The light in which two dates are searched for clouds: reflectance, from whatever is delivered."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["BRIGHTEST", "Overview", "in_one_light", "plausible_light"]

BRIGHTEST = 2.0
"""Median blue above which values are counts and no reflectances."""

OTHER_GAIN, OTHER_LEVEL = 1.4, 0.06
"""Ratio of the contrasts and difference of the dark levels from which two dates are in lights so
different that at most one of them holds reflectance. Haze and seasons stay below."""

LAND_FLOOR, LAND_CONTRAST = 0.03, 0.2
"""Reflectance of the darkest hundredth of land, and rise from there to its median near infrared.

The floor is that of water and shadow without the light of the air [1]_. The rise is that of
fields; eight cities measured 0.05 to 0.17, so counts of a city come out too bright by up to that.

References
----------
.. [1] Chavez (1988). An improved dark-object subtraction technique for atmospheric scattering
   correction of multispectral data. doi:10.1016/0034-4257(88)90019-3
"""

IRRADIANCE = {"blue": 1997.0, "red": 1533.0, "nir": 1039.0}
"""Of the sun, W·m⁻²·µm⁻¹, in bands like those of Landsat 7 (Chander et al. 2009,
doi:10.1016/j.rse.2009.01.007): by what counts of radiance are larger in the blue."""

WHITE_PERCENTILE = 99.5
"""Blue above this is taken for the whitest of a scene: clouds, else roofs."""

WHITE_NIR = 1.2
"""Near infrared over a visible band there, above the dark level. Eight cities measured 1.0 to 1.2
with clouds and 1.2 to 2.2 without; as radiance 0.5 to 0.6 and 0.6 to 1.2."""

Overview = dict[str, NDArray[np.float32]]
"""A date on overview pixels, by band role."""

Mask = NDArray[np.bool_]


def plausible_light(
    first: Overview, second: Overview, valid: Mask
) -> tuple[Overview, Overview] | None:
    """Return both dates as they are, or brought near reflectance where they hold counts.

    A common gain follows from the near infrared of the land, a level from the darkest of each
    band. Counts may be reflectance times a number or radiance times a number: in the latter the
    whitest ground is too bright in the visible bands, which are then weighed down, as far as the
    light of the sun accounts for. Short-wave infrared of unknown gain is left out, so snow in
    counts may be taken for cloud.

    Parameters
    ----------
    first, second : dict of str to ndarray of float32, shape (y, x)
    valid : ndarray of bool, shape (y, x)

    Returns
    -------
    tuple of dict, or None
        None where counts show no contrast, or nothing is valid.
    """
    if not valid.any():
        return None
    dates = (first, second)
    if max(float(np.median(d["blue"][valid])) for d in dates) <= BRIGHTEST:
        return dates
    names = list(IRRADIANCE)
    lit = [{n: d[n] for n in names} for d in dates]
    counted = [i for i, d in enumerate(lit) if float(np.median(d["blue"][valid])) > BRIGHTEST]
    floors = {i: {n: float(np.percentile(lit[i][n][valid], 1)) for n in names} for i in counted}
    whites = [_white_balance(lit[i], floors[i], valid) for i in counted]
    weight = {n: min(white[n] for white in whites) for n in names}
    for i in counted:
        contrast = float(np.median(lit[i]["nir"][valid])) - floors[i]["nir"]
        if contrast <= 0.0:
            return None
        gain = LAND_CONTRAST / contrast
        lit[i] = {
            n: (LAND_FLOOR + gain * weight[n] * (lit[i][n] - floors[i][n])).astype(np.float32)
            for n in names
        }
    return lit[0], lit[1]


def _white_balance(image: Overview, floor: dict[str, float], valid: Mask) -> dict[str, float]:
    """Return by what to weigh each band so that the whitest is as bright in the near infrared."""
    blue = image["blue"]
    top = valid & (blue >= np.percentile(blue[valid], WHITE_PERCENTILE))
    nir = image["nir"][top] - floor["nir"]
    found = {}
    for name, light in IRRADIANCE.items():
        ratio = float(np.median(nir / np.maximum(image[name][top] - floor[name], 1e-6)))
        least = IRRADIANCE["nir"] / light
        found[name] = float(np.clip(ratio / WHITE_NIR, least, 1.0)) if name != "nir" else 1.0
    return found


def in_one_light(first: Overview, second: Overview, valid: Mask) -> tuple[Overview, Overview]:
    """Return the pair as it is, or in the light of the date that looks more like reflectance.

    Parameters
    ----------
    first, second : dict of str to ndarray of float32, shape (y, x)
    valid : ndarray of bool, shape (y, x)
    """
    names = list(first)
    quantiles = np.array(
        [np.percentile([d[n][valid] for n in names], (1, 10, 50), axis=1) for d in (first, second)]
    )
    dark, low, middle = quantiles.transpose(1, 0, 2)
    spread = np.maximum(middle - low, 1e-6)
    ratio = float(np.median(spread[1] / spread[0]))
    level = float(np.median(low[1] - low[0]))
    if 1 / OTHER_GAIN <= ratio <= OTHER_GAIN and abs(level) <= OTHER_LEVEL:
        return first, second
    nir = names.index("nir")
    floor = dark.min(axis=1)
    contrast = np.maximum(middle[:, nir] - floor, 1e-6) / LAND_CONTRAST
    strange = np.abs(floor - LAND_FLOOR) / OTHER_LEVEL + np.abs(np.log2(contrast))
    own, strangest = (0, 1) if strange[0] <= strange[1] else (1, 0)
    images = [first, second]
    gain = spread[own] / spread[strangest]
    images[strangest] = {
        name: (middle[own, i] + gain[i] * (images[strangest][name] - middle[strangest, i])).astype(
            np.float32
        )
        for i, name in enumerate(names)
    }
    return images[0], images[1]
