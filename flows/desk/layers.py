"""The One-Map around the patches of a run, as features for the maps of the desk."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from clues.store.features import LayerFeature
from configs.told import Told
from tiles.geodesy import metres_per_unit, transformer

if TYPE_CHECKING:
    from clues.layers import LayerTable
    from clues.outputs.tables import ClueTables

__all__ = ["AROUND_M", "LayerGround", "layers_around"]

AROUND_M = 1000.0
"""Ground around a patch of which the desk shows the layers."""

COUNTY_DIGITS = 6
WGS84 = "EPSG:4326"
WHOLE = ("division",)
"""Roles of which all is shown: they are few, and they say whose ground it is."""

UNSHOWN = ("lead",)
"""What people reported stays with the clue: its text may name them."""

OWN = ("geometry", "key", "row", "source")


@dataclass(frozen=True)
class LayerGround:
    """What a layer version has around the patches of a run.

    Attributes
    ----------
    named : tuple of str
        Role, name, version.
    ground : geometry
        In degrees.
    """

    named: tuple[str, str, str]
    ground: Any
    features: tuple[LayerFeature, ...]


def layers_around(
    summary: dict[str, Any], tables: "ClueTables"
) -> tuple[list[LayerGround], list[Told]]:
    """Return the features around the patches of a finished run, and why any layer is left out.

    Parameters
    ----------
    summary : dict
        ``run.json``.
    tables : ClueTables

    Raises
    ------
    ConfigError, LayerError
        If the layers cannot be read.
    """
    from clues.layers import build_onemap
    from configs.layers import LayersFile

    found = summary.get("inputs", {}).get("layers") or summary.get("config", {}).get("layers")
    if not found or not len(tables.patches):
        return [], []
    if not Path(str(found)).is_file():
        gone = f"{found} is not there: no layers on the map"
        return [], [Told(f"找不到 {found}：地图上没有图层", gone)]
    crs = tables.patches.crs.to_string()
    onemap = build_onemap(LayersFile.load(Path(str(found))), crs=crs)
    near = _near(tables, crs)
    counties = _Counties(onemap.layers.get("division"), tables)
    whole = _lonlat(shapely.union_all(near), crs)
    made, notes = [], []
    for record in summary["layers"]:
        role, layer = record["role"], onemap.layers.get(record["role"])
        if role in UNSHOWN:
            continue
        if layer is None or layer.version != record["version"]:
            notes.append(
                Told(
                    f"图层 {role} 在判定后已更改，未导入",
                    f"the layer {role} was changed since the run was judged: it is left out",
                )
            )
            continue
        ground = shapely.box(-180, -90, 180, 90) if role in WHOLE else whole
        features = tuple(_features(layer, None if role in WHOLE else near, counties, crs))
        made.append(LayerGround((role, record["name"], record["version"]), ground, features))
    return made, notes


def _near(tables: "ClueTables", crs: str) -> Any:
    """Return boxes around the patches, in the CRS of the run."""
    bounds = tables.patches.geometry.bounds.to_numpy()
    middle = (bounds[:, :2].mean(axis=0) + bounds[:, 2:].mean(axis=0)) / 2
    mx, my = metres_per_unit(crs, float(middle[0]), float(middle[1]))
    spare = np.array([AROUND_M / mx, AROUND_M / my])
    return shapely.box(*(bounds[:, :2] - spare).T, *(bounds[:, 2:] + spare).T)


class _Counties:
    """Tells which counties a shape touches."""

    def __init__(self, division: "LayerTable | None", tables: "ClueTables") -> None:
        own = sorted({str(c)[:COUNTY_DIGITS] for c in tables.patches["county_code"] if c})
        self._only = tuple(own) if len(own) == 1 else ()
        self._tree: shapely.STRtree | None = None
        if division is not None and len(division.table):
            self._shapes = division.table.geometry.to_numpy()
            self._codes = [str(c or "")[:COUNTY_DIGITS] for c in division.table["number"]]
            self._tree = shapely.STRtree(self._shapes)

    def of(self, shapes: Any) -> list[tuple[str, ...]]:
        """Return the codes of each shape; a county that only shares the border does not count."""
        found: list[set[str]] = [set(self._only) for _ in range(len(shapes))]
        if self._tree is not None:
            shape, own = self._tree.query(shapes, predicate="intersects")
            inner = ~shapely.touches(shapes[shape], self._shapes[own])
            found = [set() for _ in range(len(shapes))]
            for i, j in zip(shape[inner].tolist(), own[inner].tolist(), strict=True):
                found[i].add(self._codes[j])
        return [tuple(sorted(codes - {""})) for codes in found]


def _features(
    layer: "LayerTable", near: Any, counties: _Counties, crs: str
) -> Iterator[LayerFeature]:
    table = layer.table
    rows = np.arange(len(table))
    if near is not None:
        rows = np.unique(table.sindex.query(near, predicate="intersects")[1])
    columns = [c for c in table.columns if c not in OWN]
    table = table.iloc[rows]
    shapes = table.geometry.to_numpy()
    keys, codes = table["key"].tolist(), counties.of(shapes)
    values = {c: table[c].tolist() for c in columns}
    for i, shape in enumerate(_lonlat(shapes, crs)):
        attrs = {c: _plain(v[i]) for c, v in values.items()}
        told = {k: v for k, v in attrs.items() if v is not None}
        own = str(told.get("number", ""))[:COUNTY_DIGITS] if layer.role in WHOLE else ""
        yield LayerFeature(str(keys[i])[:120], (own,) if own else codes[i], told, shape)


def _lonlat(shapes: Any, crs: str) -> Any:
    """Return a shape, or an array of shapes, in degrees."""
    there = transformer(crs, WGS84)

    def moved(points: Any) -> Any:
        return np.stack(there.transform(points[:, 0], points[:, 1]), axis=1)

    return shapely.transform(shapes, moved)


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it; None where the source does not tell."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value != value:
        return None
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    return value if isinstance(value, bool | int | float) else str(value)
