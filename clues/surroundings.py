"""What lies on a patch and around it: land classes with areas, and the features of a map of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from clues.layers import DOCUMENT_ROLES, OneMap
from clues.overlay import pieces
from configs.vocabulary import land_class

__all__ = ["SHOWN_ROLES", "Feature", "Neighbourhood", "Surroundings"]

SHOWN_ROLES = (
    *("landuse", "basic_farmland", "redline", "growth_boundary", "division"),
    *(role for role in DOCUMENT_ROLES if role != "former_clue"),
)
"""Roles that a map of a clue shows."""

BATCH = 500
"""Patches that are cut at once."""

Bounds = tuple[float, float, float, float]
ClassArea = tuple[str, str, str, int]


@dataclass(frozen=True)
class Feature:
    """One feature on the map; `kind` is the group of a land class, else empty."""

    role: str
    key: str
    kind: str
    geometry: Any


@dataclass(frozen=True)
class Surroundings:
    """Land classes of a patch and the features around it.

    Attributes
    ----------
    features : tuple of Feature
        Cut to the map with a rim, ordered by role and key.
    classes : tuple of (code, Chinese name, English name, dm²)
        The largest first; they sum up to the area of the patch. The code is empty for ground
        that no land-use polygon covers.
    """

    features: tuple[Feature, ...] = ()
    classes: tuple[ClassArea, ...] = ()


class Neighbourhood:
    """Tells the surroundings of patches from a One-Map; what it keeps does not grow with use.

    Parameters
    ----------
    onemap : OneMap
        In the CRS of the patches.
    """

    def __init__(self, onemap: OneMap) -> None:
        self.onemap = onemap
        features = onemap.features
        self._shown = np.isin(features["role"].to_numpy(dtype=object).astype(str), SHOWN_ROLES)

    def around(self, bounds: Bounds) -> tuple[Feature, ...]:
        """Return the features that meet a frame, cut to it with a rim of a tenth of its width."""
        west, south, east, north = bounds
        rim = 0.1 * (east - west)
        frame = (west - rim, south - rim, east + rim, north + rim)
        features = self.onemap.features
        found = np.sort(self.onemap.tree.query(shapely.box(*frame)))
        found = found[self._shown[found]]
        shapes = shapely.clip_by_rect(features["geometry"].to_numpy(dtype=object)[found], *frame)
        roles, keys = features["role"].to_numpy(), features["key"].to_numpy()
        positions = features["position"].to_numpy()
        return tuple(
            Feature(roles[i], keys[i], self._kind(roles[i], positions[i]), shape)
            for i, shape in zip(found, shapes, strict=True)
            if not shape.is_empty
        )

    def _kind(self, role: str, position: int) -> str:
        if role != "landuse":
            return ""
        group = self.onemap.layers[role].table["group"].iat[position]
        return group if isinstance(group, str) else ""

    def classes(self, patches: Any) -> Iterator[tuple[str, tuple[ClassArea, ...]]]:
        """Yield the id and the land classes of each patch.

        The patches are cut as they are for judgement, so that the areas agree with it.

        Parameters
        ----------
        patches : GeoDataFrame
            With `patch_id` and `area_dm2`, in the CRS of the One-Map.
        """
        for start in range(0, len(patches), BATCH):
            yield from self._classes(patches.iloc[start : start + BATCH])

    def _classes(self, patches: Any) -> Iterator[tuple[str, tuple[ClassArea, ...]]]:
        cut = pieces(patches, self.onemap)
        land = cut.features["role"].to_numpy(dtype=object) == "landuse"
        of_land = np.flatnonzero(land[cut.feature])
        owner, first = np.unique(cut.owner[of_land], return_index=True)
        feature = np.full(len(cut), -1, dtype=np.int64)
        feature[owner] = cut.feature[of_land[first]]
        position = cut.features["position"].to_numpy()
        sums: list[dict[tuple[str, str], int]] = [{} for _ in range(len(patches))]
        for patch, covering, area in zip(cut.patch, feature, cut.area_dm2, strict=True):
            name = ("", "") if covering < 0 else self._class(int(position[covering]))
            sums[patch][name] = sums[patch].get(name, 0) + int(area)
        for patch_id, areas in zip(patches["patch_id"], sums, strict=True):
            ordered = sorted(areas.items(), key=lambda item: (-item[1], item[0]))
            yield str(patch_id), tuple((*_named(*name), area) for name, area in ordered)

    def _class(self, position: int) -> tuple[str, str]:
        table = self.onemap.layers["landuse"].table
        return str(table["scheme"].iat[position] or ""), str(table["code"].iat[position] or "")


def _named(scheme: str, code: str) -> tuple[str, str, str]:
    if not code:
        return "", "无地类", "no land class"
    known = land_class(scheme, code)
    return (code, known.name_zh, known.name_en) if known else (code, "未知地类", "unknown class")
