"""The roles of bands: those of analysis, those that sensor files may name, their wavelengths."""

import re
from typing import Annotated

from pydantic import AfterValidator

from configs.mistakes import choice

__all__ = ["ROLES", "Role", "role_of_wavelength"]

ROLES = ("blue", "green", "red", "nir", "swir1", "swir2")
"""Roles used for analysis, in the order in which bands are handed on."""

NAMED = (
    *ROLES,
    *("coastal", "red_edge1", "red_edge2", "red_edge3", "nir_narrow", "water_vapour", "cirrus"),
    *("thermal1", "thermal2", "pan", "vv", "vh", "hh", "hv"),
)
"""Roles that a sensor file may name, besides ``band1``, ``band2`` … of bands without one."""

WAVELENGTHS_UM = {
    "blue": (0.45, 0.52),
    "green": (0.52, 0.60),
    "red": (0.62, 0.70),
    "nir": (0.76, 0.90),
    "swir1": (1.55, 1.75),
    "swir2": (2.05, 2.40),
}


def _known(name: str) -> str:
    if name not in NAMED and not re.fullmatch(r"band[1-9]\d*", name):
        near = choice(name, NAMED)
        raise ValueError(f"there is no role {name!r} (without one: band1, band2 …): {near}")
    return name


Role = Annotated[str, AfterValidator(_known)]
"""Role of a band; a misspelt one is refused, for a band that nothing asks for is never read."""


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
