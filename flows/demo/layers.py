"""Writes the One-Map of the demo county in mixed formats, its layers file and the run config."""

import datetime as dt
import warnings
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from flows.demo import onemap
from flows.demo.documents import Documents, Row
from flows.demo.imagery import Scenery, scene_name
from flows.demo.settings import AFTER, BEFORE, COUNTY_CODE, COUNTY_NAME

__all__ = ["write_config", "write_layers"]

DATE_FORMS = ("{:%Y-%m-%d}", "{:%Y/%m/%d}", "{:%Y%m%d}")
DATE_FIELDS = ("PZRQ", "SQRQ", "QDRQ", "QSRQ", "JZRQ", "BARQ", "YXQQ", "YXQZ")

FORMATS = {
    ".gpkg": {"driver": "GPKG"},
    ".shp": {"driver": "ESRI Shapefile", "encoding": "GBK"},
    ".geojson": {"driver": "GeoJSON"},
}

LAYERS_HEAD = """# One-Map of the demo county: synthetic, in the schemas and formats of deliveries.
version: 1
# EPSG:4526 (CGCS2000, zone 38); the redline is in EPSG:4490
county: {{code: "{code}", name: {name}}}
layers:
"""

CONFIG = """# Demo county: seed {seed}, difficulty {difficulty}. Synthetic; no place on Earth.
version: 1
name: {name}
quarter: 3
area:
  county_code: "{code}"
  county_name: {county}
before:
  scenes: [before]
  date: {before}
  mask: before/{before_name}_mask.tif
after:
  scenes: [after]
  date: {after}
  mask: after/{after_name}_mask.tif
layers: LAYERS.yaml
rules: cn-land
"""


def _documents(rows: list[Row], crs: str, columns: tuple[str, ...]) -> gpd.GeoDataFrame:
    """Return rows as a layer: dates in the three forms they are met in."""
    table = pd.DataFrame(rows, columns=[*columns, "geometry"]).astype(object)
    for name in set(DATE_FIELDS) & set(columns):
        table[name] = [
            DATE_FORMS[i % 3].format(v) if isinstance(v, dt.date) else (v or None)
            for i, v in enumerate(table[name])
        ]
    layer = gpd.GeoDataFrame(table[list(columns)], geometry=list(table["geometry"]), crs=crs)
    return onemap.to_layer_crs(layer)


def _hectares(table: gpd.GeoDataFrame, field: str) -> gpd.GeoDataFrame:
    """Add the area of each document in hectares, as approval tables give it."""
    area = table.geometry.area.to_numpy() / 1e4
    table[field] = np.where(table.geometry.isna(), 1.0, area).round(4)
    return table


def _tables(scene: Scenery, documents: Documents) -> dict[str, gpd.GeoDataFrame]:
    crs = scene.frame.crs
    approvals = _documents(
        documents.approvals, crs, ("DKBH", "XMMC", "PWH", "PZJG", "PZRQ", "SQRQ", "YTDM")
    )
    supplies = _documents(documents.supplies, crs, ("DZJGH", "GYFS", "TDYT", "QDRQ"))
    return {
        "DLTB.gpkg": onemap.land_use(scene),
        "YJJBNTTB.shp": onemap.to_layer_crs(onemap.basic_farmland(scene)),
        "STBHHX.geojson": onemap.to_layer_crs(onemap.redline(scene), "EPSG:4490"),
        "CZKFBJ.gpkg": onemap.to_layer_crs(onemap.growth_boundary(scene)),
        "XZQ.geojson": onemap.to_layer_crs(onemap.divisions(scene.frame)),
        "JSYDSP.shp": _hectares(approvals, "PZMJ"),
        "TDGY.gpkg": _hectares(supplies, "GYMJ"),
        "LSYD.geojson": _documents(documents.permits, crs, ("PZWH", "QSRQ", "JZRQ")),
        "SSNYD.gpkg": _documents(
            documents.filings, crs, ("BAH", "XMMC", "SSLX", "SCMJ", "FSMJ", "BARQ")
        ),
        "CKQ.shp": _documents(documents.rights, crs, ("XKZH", "KSMC", "KCFS", "YXQQ", "YXQZ")),
        "TDCB.geojson": onemap.to_layer_crs(onemap.reserves(scene)),
    }


ROLES: dict[str, tuple[str, str]] = {
    "DLTB.gpkg": ("landuse", "scheme: sandiao, complete: true"),
    "YJJBNTTB.shp": ("basic_farmland", "encoding: GBK, complete: true"),
    "STBHHX.geojson": ("redline", "complete: true"),
    "CZKFBJ.gpkg": ("growth_boundary", "complete: true"),
    "XZQ.geojson": ("division", "complete: true"),
    "JSYDSP.shp": ("approval", "encoding: GBK, units: {area_m2: ha}, complete: true"),
    "TDGY.gpkg": ("supply", "units: {area_m2: ha}, complete: true"),
    "LSYD.geojson": ("temporary", "complete: true"),
    "SSNYD.gpkg": ("facility", "fields: {area_m2: SCMJ}, complete: true"),
    "CKQ.shp": ("mining_right", "encoding: GBK, constants: {kind: mining}, complete: true"),
    "TDCB.geojson": ("reserve", "complete: false"),
}


def _write(table: gpd.GeoDataFrame, path: Path) -> None:
    for old in path.parent.glob(f"{path.stem}.*"):
        old.unlink()
    settings: dict[str, Any] = dict(FORMATS[path.suffix])
    if table.empty:
        table = table.astype({c: str for c in table.columns if c != "geometry"})
    if path.suffix == ".geojson":
        settings["COORDINATE_PRECISION"] = 9 if str(table.crs) == "EPSG:4490" else 3
    with warnings.catch_warnings():
        # a Shapefile closes and turns rings; that one approval crosses itself is meant
        warnings.simplefilter("ignore")
        table.to_file(path, index=False, **settings)


def write_layers(scene: Scenery, documents: Documents, out: Path) -> Path:
    """Write the layers and ``LAYERS.yaml``.

    Parameters
    ----------
    scene : Scenery
    documents : Documents
    out : Path
        Folder; the layers go to ``onemap/`` in it.

    Returns
    -------
    Path
        The layers file.
    """
    folder = out / "onemap"
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in _tables(scene, documents).items():
        _write(table, folder / name)
    text = LAYERS_HEAD.format(code=COUNTY_CODE, name=COUNTY_NAME)
    for name, (role, rest) in ROLES.items():
        text += f"  - {{role: {role}, source: onemap/{name}, {rest}}}\n"
    path = out / "LAYERS.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def write_config(out: Path, seed: int, difficulty: int) -> Path:
    """Write the run config and return its path."""
    path = out / "demo.yaml"
    path.write_text(
        CONFIG.format(
            seed=seed,
            difficulty=difficulty,
            name=f"demo-s{seed}-d{difficulty}",
            code=COUNTY_CODE,
            county=COUNTY_NAME,
            before=BEFORE,
            after=AFTER,
            before_name=scene_name(BEFORE),
            after_name=scene_name(AFTER),
        ),
        encoding="utf-8",
    )
    return path


def spare_plots(scene: Scenery, count: int) -> list[shapely.Polygon]:
    """Return parcels far from every change, for approvals nobody has used yet."""
    taken = shapely.union_all([c.geometry for c in scene.changes])
    land = scene.land
    free = (
        (land["look"] == "crop")
        & (land.area > 8000)
        & (shapely.distance(land.geometry.to_numpy(), taken) > 400)
    )
    rng = np.random.default_rng([scene.seed, 34])
    return list(rng.permutation(land.geometry.to_numpy()[free.to_numpy()])[:count])
