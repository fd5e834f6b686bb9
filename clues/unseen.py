"""What the images could not show: the parts of the county, of cropland and of red lines hidden."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.outputs.columnnames import name_columns
from configs.vocabulary import role_name
from tiles.files import atomic_path
from tiles.geodesy import ellipsoidal_area

if TYPE_CHECKING:
    import geopandas as gpd

    from clues.layers import OneMap

__all__ = ["ROLES", "ROLES_READ", "TILE", "NextScene", "unseen_parts", "write_unseen"]

ROLES = ("cropland", "basic_farmland", "redline")
"""What is listed, in this order: the cropland of the land-use map, and two control lines."""

ROLES_READ = ("landuse", "basic_farmland", "redline")
"""The layers that tell them."""

TILE = "tile"
"""Role of the ground of a tile that could not be worked."""

DM2 = 100.0

LAYER = "未观测"

FIELDS = {
    "role_zh": ("对象", "object_zh", "what was hidden, in Chinese"),
    "role_en": ("object", "object", "what was hidden"),
    "key": ("要素", "feature", "layer and feature; empty for the hidden ground as a whole"),
    "area_m2": ("面积_m2", "area_m2", "hidden area, square metres on the ellipsoid"),
    "next_day": ("下次可用日期", "next_date", "civil date of the next usable scene"),
    "next_scene": ("下次可用影像", "next_scene", "earliest later scene that shows the part"),
    "next_percent": ("可见比例", "next_percent", "share of the part that it shows, percent"),
    "note_zh": ("说明", "note_zh", "how the next scene was found, in Chinese"),
    "note_en": ("note", "note", "how the next scene was found"),
}
"""Field in the file, English name and meaning of each column."""


@dataclass(frozen=True)
class NextScene:
    """When a hidden part is seen next.

    Attributes
    ----------
    day : date
        Civil.
    scene : str
        Ids of the scenes of that day, joined with a comma.
    percent : float
        Share of the part that they show.
    is_shown : bool
        Whether that is as good as all of it; else it is the most that any later day shows.
    clouds_told : bool
        Whether a quality raster tells that it is clear.
    """

    day: dt.date
    scene: str
    percent: float
    is_shown: bool
    clouds_told: bool


def unseen_parts(
    hidden: NDArray[np.object_],
    onemap: "OneMap | None",
    crs: str,
    given_up: "Mapping[str, shapely.Polygon] | None" = None,
) -> "gpd.GeoDataFrame":
    """Return what of the areas that matter was not observed at both dates.

    Parameters
    ----------
    hidden : ndarray of Polygon, shape (n,)
        Ground without a usable pixel at one date or both; the polygons do not overlap.
    onemap : OneMap or None
        Without it only the hidden ground itself is listed.
    crs : str
        Of the coordinates, and of the layers.
    given_up : mapping of str to Polygon, optional
        Tiles that could not be worked, by name; their ground is part of `hidden`.

    Returns
    -------
    GeoDataFrame
        Columns role (``all``, then those of `ROLES`, then `TILE`), key of the feature ("" for
        ``all``), area_dm2 (int64) and geometry, in this order of role and in that of the layer.
    """
    import geopandas as gpd

    tables = [_table("all", np.full(len(hidden), "", object), hidden, crs)]
    for role in ROLES if onemap is not None else ():
        assert onemap is not None
        layer = onemap.layers.get("landuse" if role == "cropland" else role)
        if layer is None:
            continue
        table = layer.table
        if role == "cropland":
            table = table[(table["group"] == "cropland").to_numpy()]
        shapes = table.geometry.to_numpy()
        places, which = shapely.STRtree(hidden).query(shapes, predicate="intersects")
        order = np.lexsort((which, places))
        places, which = places[order], which[order]
        parts = _areal(shapely.intersection(shapes[places], hidden[which]))
        keys = table["key"].to_numpy(dtype=object)[places]
        tables.append(_table(role, keys, parts, crs))
    missing = given_up or {}
    whole = shapely.union_all(hidden)
    grounds = [shapely.intersection(whole, ground) for ground in missing.values()]
    names = np.array(list(missing), object)
    tables.append(_table(TILE, names, _areal(np.array(grounds, object)), crs))
    rows = [row for table in tables for row in table]
    return gpd.GeoDataFrame(
        rows, columns=["role", "key", "area_dm2", "geometry"], geometry="geometry", crs=crs
    )


Rows = list[tuple[str, str, int, shapely.Geometry]]


def _areal(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Drop lines and points of intersections."""
    made = np.empty(len(shapes), object)
    for i, shape in enumerate(shapes):
        parts = shapely.get_parts(shape)
        made[i] = shapely.multipolygons(parts[shapely.get_type_id(parts) == 3])
    return made


def _table(role: str, keys: NDArray[np.object_], shapes: NDArray[np.object_], crs: str) -> Rows:
    areas = np.rint(ellipsoidal_area(shapes, crs) * DM2).astype(np.int64)
    return [
        (role, str(key), int(area), shape)
        for key, area, shape in zip(keys, areas, shapes, strict=True)
        if area > 0
    ]


def write_unseen(
    parts: "gpd.GeoDataFrame", path: Path, nexts: "Sequence[NextScene | None] | None" = None
) -> None:
    """Write the parts as a GeoPackage with Chinese layer and field names and English aliases.

    Parameters
    ----------
    parts : GeoDataFrame
        Of `unseen_parts`.
    path : Path
    nexts : sequence of NextScene or None, optional
        Of each part but the tiles, None where no later scene shows any of it; absent without a
        catalogue.
    """
    known = nexts is not None
    found = [*(nexts or ()), *[None] * len(parts)][: len(parts)]
    shown = [one if one is not None and one.is_shown else None for one in found]
    is_tile = parts["role"] == TILE
    notes = [NOT_WORKED if t else _note(one, known) for one, t in zip(found, is_tile, strict=True)]
    table = parts[["geometry"]].assign(
        role_zh=[_object(role, "zh") for role in parts["role"]],
        role_en=[_object(role, "en") for role in parts["role"]],
        key=parts["key"],
        area_m2=parts["area_dm2"].astype(float) / DM2,
        next_day=[one.day.isoformat() if one else None for one in shown],
        next_scene=[one.scene if one else None for one in shown],
        next_percent=np.array([one.percent if one else np.nan for one in shown], float),
        note_zh=[zh for zh, _ in notes],
        note_en=[en for _, en in notes],
    )
    names = {column: field for column, (field, _, _) in FIELDS.items()}
    table = table[[*FIELDS, "geometry"]].rename(columns=names)
    with atomic_path(path) as part:
        table.to_file(part, layer=LAYER, driver="GPKG", engine="pyogrio", geometry_type="Unknown")
        name_columns(
            part,
            LAYER,
            "两期未均观测到的区域 Ground that was not observed at both dates",
            {field: (name, text) for field, name, text in FIELDS.values()},
        )


def _object(role: str, language: Literal["zh", "en"]) -> str:
    if role == "all":
        return "未观测区域" if language == "zh" else "ground not observed"
    if role == TILE:
        return "未能处理的瓦片" if language == "zh" else "tile that could not be worked"
    if role == "cropland":
        return "耕地" if language == "zh" else "cropland"
    return role_name(role, language)


NOT_WORKED = (
    "瓦片未能处理，按未观测计；再次运行同一命令即重试",
    "the tile could not be worked and counts as not observed; the same command tries it again",
)


def _note(found: NextScene | None, known: bool) -> tuple[str, str]:
    """Say in Chinese and English where the next scene comes from, or why there is none."""
    if not known:
        return (
            "配置未给出影像目录，下次可用影像未知",
            "unknown: the config names no catalogue of imagery (catalog:)",
        )
    if found is None:
        return (
            "影像目录中其后一年内没有影像可观测，下次可用影像未知",
            "unknown: no scene of the catalogue shows it within a year",
        )
    if not found.is_shown:
        return (
            f"影像目录中其后的影像最多可观测 {found.percent:.0f} %（{found.day}），"
            "下次可用影像未知",
            f"unknown: later scenes show {found.percent:.0f} % at most ({found.day})",
        )
    if not found.clouds_told:
        return (
            "影像目录中其后最早覆盖的影像；无质量波段，云未知",
            "earliest later scene of the catalogue that covers it; "
            "it has no quality raster: clouds are not known",
        )
    return (
        "影像目录中其后最早可观测的影像",
        "earliest later scene of the catalogue that shows it",
    )
