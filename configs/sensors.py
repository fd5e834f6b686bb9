"""What a sensor's files mean: band names, wavelengths, roles, scales, quality bands, credit.

Inside the project a band is named by its *role* (``blue``, ``green``, ``red``, ``nir``, ``swir1``,
``swir2`` …), so that two sensors can be compared; a band whose role nobody tells is ``band1`` ….
"""

import re
from functools import lru_cache
from typing import Literal

from pydantic import Field, model_validator

from configs.loading import StrictModel, available, load_preset

__all__ = [
    "GENERIC",
    "ROLES",
    "QualityBand",
    "ScaleRule",
    "SensorBand",
    "SensorSpec",
    "detect_sensor",
    "role_of_wavelength",
    "sensor_names",
    "sensor_spec",
]

GENERIC = "generic"

ROLES = ("blue", "green", "red", "nir", "swir1", "swir2")
"""Roles used for analysis, in the order in which bands are handed on."""

WAVELENGTHS_UM = {
    "blue": (0.45, 0.52),
    "green": (0.52, 0.60),
    "red": (0.62, 0.70),
    "nir": (0.76, 0.90),
    "swir1": (1.55, 1.75),
    "swir2": (2.05, 2.40),
}


class SensorBand(StrictModel):
    """One band as the supplier names it, and its role here."""

    name: str
    role: str
    wavelength_um: float | None = Field(None, gt=0)
    analysis: bool = Field(True, description="used for change detection")
    stands_in_for: str | None = Field(None, description="role it takes where that band is absent")


class ScaleRule(StrictModel):
    """Physical value = stored integer × scale + offset, for files whose path matches."""

    pattern: str = Field("", description="regular expression searched in the path")
    scale: float = 1.0
    offset: float = 0.0


class QualityBand(StrictModel):
    """The sensor's own quality raster, delivered beside the bands."""

    token: str = Field(description="part of the file name, between _ and _ or .")
    kind: Literal["values", "bits"]
    unusable: tuple[int, ...]


class SensorSpec(StrictModel):
    """One sensor family."""

    title: str
    attribution: str
    name_pattern: str | None = Field(None, description="regular expression of its file names")
    nodata: float | None = Field(None, description="stored value of no data in integer files")
    bands: tuple[SensorBand, ...]
    stacks: tuple[tuple[str, ...], ...] = Field((), description="band orders of stacked files")
    scales: tuple[ScaleRule, ...] = (ScaleRule(),)
    quality: QualityBand | None = None

    @model_validator(mode="after")
    def _stacks_name_known_bands(self) -> "SensorSpec":
        for name in (n for stack in self.stacks for n in stack):
            if self.band(name) is None:
                raise ValueError(f"stacks: there is no band {name!r}")
        return self

    def band(self, name: str) -> SensorBand | None:
        """Return the band of a supplier's name (``B2`` and ``B02`` are one) or of a role."""
        wanted = _plain(name)
        return next((b for b in self.bands if wanted in (_plain(b.name), b.role)), None)

    def stack(self, count: int) -> tuple[SensorBand, ...] | None:
        """Return the bands of a stacked file with `count` bands, or None if the order is open."""
        names = next((s for s in self.stacks if len(s) == count), None)
        return tuple(b for n in names if (b := self.band(n))) if names else None

    def scale_of(self, path: str) -> ScaleRule:
        """Return the first scale rule whose pattern is found in the path."""
        return next((r for r in self.scales if re.search(r.pattern, path)), ScaleRule())


def _plain(name: str) -> str:
    return re.sub(r"^b0*(?=\d)", "b", name.lower())


def sensor_names() -> list[str]:
    """Return the names of the shipped sensors, sorted."""
    return available("sensors")


@lru_cache(maxsize=32)
def sensor_spec(name: str) -> SensorSpec:
    """Return a shipped sensor.

    Raises
    ------
    ConfigError
        If there is none of that name; the nearest one is suggested.
    """
    return load_preset(SensorSpec, "sensors", name)


def detect_sensor(file_name: str) -> str | None:
    """Return the sensor whose naming rule a file or folder name follows, or None.

    Examples
    --------
    >>> detect_sensor("T49QCD_20161209T031122_B02.tif")
    'sentinel2'
    """
    for name in sensor_names():
        pattern = sensor_spec(name).name_pattern
        if pattern and re.search(pattern, file_name):
            return name
    return None


def role_of_wavelength(wavelength_um: float) -> str | None:
    """Return the role of a band centre in micrometres, or None outside the six ranges.

    Examples
    --------
    >>> role_of_wavelength(0.4825), role_of_wavelength(2.22), role_of_wavelength(11.0)
    ('blue', 'swir2', None)
    """
    for role, (low, high) in WAVELENGTHS_UM.items():
        if low <= wavelength_um < high:
            return role
    return None
