"""What the demo county is made of: reflectance of materials, and what each kind of land shows.

Reflectances are those of Sentinel-2 surface products, rounded, in the order of `BANDS`. They are
plausible, not measured: the county serves to test the software, not to describe a place.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BANDS", "LOOKS", "MATERIALS", "SOIL", "Look", "material_index", "material_table"]

BANDS = ("B02", "B03", "B04", "B08", "B11", "B12")

MATERIALS: dict[str, tuple[float, ...]] = {
    # vegetation at full cover
    "wheat": (0.030, 0.056, 0.036, 0.375, 0.190, 0.095),
    "maize": (0.030, 0.055, 0.034, 0.410, 0.200, 0.098),
    "rice": (0.042, 0.070, 0.052, 0.350, 0.168, 0.085),
    "young_crop": (0.044, 0.068, 0.056, 0.290, 0.205, 0.120),
    "orchard_spring": (0.045, 0.069, 0.060, 0.285, 0.212, 0.126),
    "orchard": (0.043, 0.067, 0.056, 0.310, 0.210, 0.122),
    "broadleaf_spring": (0.018, 0.034, 0.022, 0.260, 0.118, 0.050),
    "broadleaf": (0.016, 0.032, 0.020, 0.290, 0.115, 0.048),
    "conifer": (0.017, 0.028, 0.021, 0.200, 0.085, 0.038),
    "shrub": (0.035, 0.054, 0.048, 0.235, 0.175, 0.102),
    "grass_spring": (0.062, 0.092, 0.104, 0.225, 0.275, 0.195),
    "grass": (0.058, 0.090, 0.095, 0.250, 0.268, 0.184),
    "town_tree": (0.032, 0.053, 0.042, 0.270, 0.150, 0.082),
    # soil and what lies on it
    "tilled": (0.072, 0.094, 0.118, 0.170, 0.255, 0.215),
    "stubble": (0.082, 0.108, 0.136, 0.215, 0.300, 0.228),
    "mulch": (0.118, 0.134, 0.138, 0.285, 0.258, 0.185),
    "flooded": (0.072, 0.096, 0.088, 0.170, 0.115, 0.078),
    "dry_litter": (0.070, 0.094, 0.114, 0.215, 0.275, 0.198),
    "subsoil": (0.118, 0.168, 0.240, 0.310, 0.415, 0.360),
    "sand_soil": (0.116, 0.156, 0.212, 0.276, 0.363, 0.317),
    "pit_rock": (0.140, 0.155, 0.170, 0.200, 0.290, 0.330),
    "pit_shade": (0.098, 0.110, 0.122, 0.142, 0.205, 0.232),
    "rubble": (0.158, 0.178, 0.198, 0.232, 0.272, 0.252),
    # water
    "river": (0.070, 0.086, 0.075, 0.042, 0.018, 0.012),
    "lake": (0.046, 0.054, 0.034, 0.022, 0.012, 0.008),
    "pond": (0.050, 0.074, 0.052, 0.044, 0.020, 0.012),
    # what people build
    "roof_grey": (0.142, 0.158, 0.168, 0.198, 0.218, 0.200),
    "roof_red": (0.092, 0.108, 0.158, 0.215, 0.262, 0.240),
    "roof_blue": (0.215, 0.195, 0.172, 0.230, 0.240, 0.215),
    "roof_white": (0.320, 0.335, 0.342, 0.360, 0.325, 0.288),
    "roof_dark": (0.066, 0.071, 0.076, 0.096, 0.112, 0.102),
    "asphalt": (0.086, 0.096, 0.106, 0.130, 0.156, 0.146),
    "concrete": (0.205, 0.225, 0.240, 0.272, 0.288, 0.262),
    "dirt_road": (0.112, 0.136, 0.166, 0.225, 0.295, 0.255),
    "plastic": (0.215, 0.240, 0.225, 0.400, 0.270, 0.175),
    "panel": (0.056, 0.052, 0.052, 0.086, 0.088, 0.078),
}

SOIL = "tilled"
"""What shows between plants."""


@dataclass(frozen=True)
class Look:
    """What one kind of land shows.

    Attributes
    ----------
    before, after : tuple of str
        Materials at the two dates. One: the whole parcel. Several: a fixed mosaic of cells, the
        same cells at both dates.
    cover : str
        Land cover an interpreter would name ("" where it is too narrow to be seen).
    cell_m : float
        Side of the mosaic's cells in metres.
    share : float
        Share of the ground the material covers; bare soil shows in the rest.
    spread : float
        Standard deviation of brightness between parcels, relative.
    texture : float
        Standard deviation of brightness within a parcel, relative.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    cover: str
    cell_m: float = 0.0
    share: float = 1.0
    spread: float = 0.06
    texture: float = 0.06


def _steady(cover: str, *materials: str, **settings: float) -> Look:
    return Look(materials, materials, cover, **settings)


CROP = {"share": 0.84, "spread": 0.06, "texture": 0.05}
_VILLAGE = ("roof_grey", "roof_red", "town_tree", "concrete", "roof_grey", "roof_red", "dirt_road")
_TOWN = ("roof_grey", "asphalt", "roof_red", "concrete", "roof_dark", "town_tree", "roof_grey")
_INDUSTRY = ("roof_blue", "concrete", "roof_white", "roof_grey", "asphalt", "roof_blue")

LOOKS: dict[str, Look] = {
    # cropland: the ordinary year, and fields that are always bare, mulched or under water
    "crop": Look(("wheat",), ("maize",), "cropland", **CROP),
    "paddy": Look(("wheat",), ("rice",), "cropland", **CROP),
    "dry_crop": Look(("young_crop",), ("maize",), "cropland", share=0.74, spread=0.07),
    "bare_field": _steady("cropland", "tilled", spread=0.09, texture=0.07),
    "mulch_field": _steady("cropland", "mulch", spread=0.08, texture=0.07),
    "flooded_field": _steady("cropland", "flooded", spread=0.09, texture=0.06),
    "stubble_field": _steady("cropland", "stubble", spread=0.08, texture=0.06),
    "orchard": Look(
        ("orchard_spring", "orchard_spring", "dry_litter"),
        ("orchard", "orchard", "dry_litter"),
        "garden",
        cell_m=10,
        texture=0.08,
    ),
    "forest_broad": Look(("broadleaf_spring",), ("broadleaf",), "forest", texture=0.08),
    "forest_conifer": _steady("forest", "conifer", texture=0.08),
    "shrub": _steady("forest", "shrub", share=0.92, spread=0.08, texture=0.09),
    "grass": Look(("grass_spring",), ("grass",), "grass", spread=0.08, texture=0.08),
    "dry_grass": Look(
        ("dry_litter", "grass_spring"), ("dry_litter", "grass"), "grass", cell_m=30, texture=0.08
    ),
    "park": _steady("grass", "town_tree", "grass", "town_tree", cell_m=30, texture=0.07),
    "river": _steady("water", "river", spread=0.02, texture=0.03),
    "lake": _steady("water", "lake", spread=0.02, texture=0.03),
    "pond": _steady("water", "pond", spread=0.10, texture=0.04),
    "village": _steady("built", *_VILLAGE, cell_m=10, texture=0.10),
    "town": _steady("built", *_TOWN, cell_m=15, texture=0.10),
    "industry": _steady("built", *_INDUSTRY, cell_m=45, texture=0.06),
    "vacant": _steady("bare", "rubble", "sand_soil", "dirt_road", cell_m=40, texture=0.08),
    "solar": _steady("built", "panel", "panel", "panel", "grass", cell_m=15, texture=0.05),
    "road": _steady("road", "asphalt", spread=0.05, texture=0.03),
    "street": _steady("", "asphalt", spread=0.05, texture=0.04),
    "concrete_road": _steady("", "concrete", spread=0.06, texture=0.03),
    "rural_road": _steady("", "dirt_road", spread=0.08, texture=0.05),
    "facility": _steady("facility", "plastic", "plastic", "plastic", "dirt_road", cell_m=20),
    "mine": _steady("pit", "pit_rock", "pit_shade", "pit_rock", cell_m=20, texture=0.08),
    "bare": _steady("bare", "sand_soil", spread=0.07, texture=0.05),
    # what changes make of it
    "works": _steady("built", *_INDUSTRY, cell_m=35, texture=0.06),
    "houses": _steady("built", "roof_red", "concrete", "roof_grey", cell_m=10, texture=0.08),
    "yard": _steady("built", "concrete", spread=0.06, texture=0.04),
    "earth": _steady("bare", "subsoil", spread=0.07, texture=0.09),
    "rubble": _steady("bare", "subsoil", "rubble", "subsoil", cell_m=20, texture=0.09),
    "cleared": _steady("grass", "dry_litter", "grass_spring", cell_m=30, texture=0.09),
    "regreened": _steady("grass", "shrub", "grass", "town_tree", cell_m=20, texture=0.08),
}


def material_index(name: str) -> int:
    """Return the row of a material in `material_table`."""
    return list(MATERIALS).index(name)


def material_table() -> NDArray[np.float32]:
    """Return the reflectances of all materials, float32 of shape (material, band)."""
    return np.array(list(MATERIALS.values()), np.float32)
