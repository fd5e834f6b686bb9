"""Base layers of the demo county in the schemas of deliveries: land use, control lines."""

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from configs.vocabulary import land_class
from flows.demo.imagery import Scenery
from flows.demo.land import MARGIN_M, Frame
from flows.demo.settings import COUNTY_CODE, COUNTY_NAME
from tiles.geodesy import ellipsoidal_area, transformer

__all__ = [
    "LAYER_CRS",
    "basic_farmland",
    "divisions",
    "growth_boundary",
    "land_use",
    "redline",
    "reserves",
    "to_layer_crs",
]

LAYER_CRS = "EPSG:4526"

WRONG: dict[str, tuple[str, ...]] = {
    "0101": ("0102", "1104"),
    "0102": ("0103", "0201", "0307", "1202"),
    "0103": ("0102", "0404"),
    "0201": ("0102", "0307"),
    "0301": ("0307", "0201", "0404"),
    "0305": ("0404", "0301"),
    "0307": ("0102", "0201"),
    "0404": ("0305", "0103", "1206"),
    "0602": ("1206",),
    "0702": ("1202", "0601"),
    "1104A": ("1101", "0101"),
    "1202": ("0102", "0702"),
    "1206": ("0404", "0602"),
}
"""What a polygon of one class is taken for when the survey erred or has aged."""


def to_layer_crs(table: gpd.GeoDataFrame, crs: str = LAYER_CRS) -> gpd.GeoDataFrame:
    """Return a table vertex by vertex in another CRS, coordinates to the millimetre.

    Vertices that two polygons share stay shared.
    """
    change = transformer(str(table.crs), crs)
    digits = 9 if crs == "EPSG:4490" else 3

    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        moved_xy = np.column_stack(change.transform(xy[:, 0], xy[:, 1]))
        return np.asarray(np.round(moved_xy, digits))

    moved = shapely.transform(table.geometry.to_numpy(), move)
    return gpd.GeoDataFrame(table.drop(columns="geometry"), geometry=moved, crs=crs)


def _codes(scene: Scenery) -> list[str]:
    """Return land classes as surveyed: a share of the polygons away from changes is wrong."""
    land, rng = scene.land, np.random.default_rng([scene.seed, 30])
    codes = [str(code) for code in land["code"]]
    changed = shapely.union_all([c.geometry for c in scene.changes])
    open_land = shapely.distance(land.geometry.to_numpy(), changed) > 60
    can = np.array([code in WRONG for code in codes]) & open_land
    wrong = can & (rng.random(len(codes)) < scene.level.wrong_parcels)
    for i in np.flatnonzero(wrong):
        options = WRONG[codes[i]]
        codes[i] = options[int(rng.integers(len(options)))]
    return codes


def land_use(scene: Scenery) -> gpd.GeoDataFrame:
    """Return the DLTB layer of the earlier date."""
    moved = to_layer_crs(scene.land)
    codes = _codes(scene)
    areas = ellipsoidal_area(moved.geometry.to_numpy(), LAYER_CRS).round(2)
    crop = np.array([c.startswith("01") for c in codes])
    factor = np.where([c == "0103" for c in codes], 0.0821, 0.0)
    rng = np.random.default_rng([scene.seed, 31])
    count = len(codes)
    names = [k.name_zh if (k := land_class("sandiao", c)) else "" for c in codes]
    ridge = (areas * factor).round(2)
    return gpd.GeoDataFrame(
        {
            "BSM": [f"{COUNTY_CODE}2021{i:08d}" for i in range(1, count + 1)],
            "YSDM": "2001010100",
            "TBYBH": [f"{i:05d}" for i in range(1, count + 1)],
            "TBBH": [f"{i:05d}" for i in range(1, count + 1)],
            "DLBM": codes,
            "DLMC": names,
            "QSXZ": np.where(scene.land["town"] == "202", "20", "30"),
            "ZLDWDM": COUNTY_CODE + "100201" + "0" * 7,
            "ZLDWMC": "演示村",
            "TBMJ": areas,
            "KCDLBM": np.where(factor > 0, "1203", ""),
            "KCXS": factor,
            "KCMJ": ridge,
            "TBDLMJ": (areas - ridge).round(2),
            "GDLX": np.where(crop, "PD", ""),
            "GDPDJB": np.where(crop, rng.integers(1, 3, count).astype(str), ""),
            "ZZSXDM": np.where(crop, "LS", ""),
            "CZCSXM": scene.land["town"].to_numpy(),
            "SJNF": 2024,
        },
        geometry=moved.geometry.to_numpy(),
        crs=LAYER_CRS,
    )


def _dissolved(scene: Scenery, chosen: "pd.Series[bool]") -> gpd.GeoDataFrame:
    """Return the chosen parcels, one polygon per tract."""
    parcels = scene.land[chosen]
    merged = parcels.dissolve("tract", sort=True)[["geometry"]].reset_index(drop=True)
    merged = merged.explode(ignore_index=True)
    return merged[merged.area > 1000].reset_index(drop=True)


def basic_farmland(scene: Scenery) -> gpd.GeoDataFrame:
    """Return the YJJBNTTB layer: six in ten tracts of cropland, none under a facility filing."""
    rng = np.random.default_rng([scene.seed, 32])
    filed = [c.geometry for c in scene.changes if c.item.papers == "filed"]
    land = scene.land
    kept = rng.random(int(land["tract"].max()) + 1) < 0.6
    far = shapely.distance(land.geometry.to_numpy(), shapely.union_all(filed)) > 150
    farm = land["code"].isin(["0101", "0102", "0103"]) & (land["tract"] >= 0)
    table = _dissolved(scene, farm & kept[land["tract"].to_numpy()] & (far | (not filed)))
    numbers = [f"{i:06d}" for i in range(1, len(table) + 1)]
    table["BSM"] = [f"{COUNTY_CODE}2032{n}00" for n in numbers]
    table["XZQDM"], table["XZQMC"] = COUNTY_CODE, COUNTY_NAME
    table["JBNTTBBH"] = [f"{COUNTY_CODE}{n}" for n in numbers]
    table["DLBM"] = "0102"
    return table


def redline(scene: Scenery) -> gpd.GeoDataFrame:
    """Return the STBHHX layer: half of the forest tracts of the hills."""
    rng = np.random.default_rng([scene.seed, 33])
    land = scene.land
    kept = rng.random(int(land["tract"].max()) + 1) < 0.5
    forest = (land["kind"] == "forest") & kept[land["tract"].to_numpy()]
    table = _dissolved(scene, forest)
    table["HXBM"] = [f"HX{i:04d}" for i in range(1, len(table) + 1)]
    table["HXMC"], table["HXLX"] = "演示山地水源涵养红线", "水源涵养"
    table["XZQDM"], table["MJ"] = COUNTY_CODE, table.area.round(2)
    return table


def growth_boundary(scene: Scenery) -> gpd.GeoDataFrame:
    """Return the CZKFBJ layer: the town and what lies around it."""
    town = scene.land[scene.land["kind"].isin(["town", "industry"])]
    outline = shapely.union_all(town.geometry.to_numpy()).buffer(40)
    outline = shapely.simplify(outline.buffer(160, join_style="mitre"), 25)
    parts = [p for p in shapely.get_parts(outline) if p.area > 3e4]
    return gpd.GeoDataFrame(
        {
            "BSM": [f"{COUNTY_CODE}2091{i:08d}" for i in range(1, len(parts) + 1)],
            "XZQDM": COUNTY_CODE,
            "XZQMC": COUNTY_NAME,
            "GHFQDM": "200",
            "GHFQMC": "城镇集中建设区",
        },
        geometry=parts,
        crs=scene.land.crs,
    )


def divisions(frame: Frame) -> gpd.GeoDataFrame:
    """Return the XZQ layer: four townships."""
    west, south, east, north = frame.box(MARGIN_M + 50).bounds
    x, y, lean = *frame.centre, 0.03 * frame.size_m
    boxes = [
        [(west, y), (x + lean, y), (x - lean, north), (west, north)],
        [(x + lean, y), (east, y), (east, north), (x - lean, north)],
        [(west, south), (x - lean, south), (x + lean, y), (west, y)],
        [(x - lean, south), (east, south), (east, y), (x + lean, y)],
    ]
    names = ["河东镇", "山前乡", "城关镇", "南坪乡"]
    return gpd.GeoDataFrame(
        {
            "BSM": [f"{COUNTY_CODE}1020{i:08d}" for i in range(1, 5)],
            "XZQDM": [f"{COUNTY_CODE}{100 + i}" for i in range(4)],
            "XZQMC": names,
        },
        geometry=[shapely.Polygon(b) for b in boxes],
        crs=frame.crs,
    )


def reserves(scene: Scenery) -> gpd.GeoDataFrame:
    """Return the TDCB layer: some vacant parcels."""
    vacant = scene.land[(scene.land["look"] == "vacant") & (scene.land.area > 5000)].head(8)
    count = len(vacant)
    return gpd.GeoDataFrame(
        {
            "CBBH": [f"CB2024-{i:03d}" for i in range(1, count + 1)],
            "DKMC": [f"储备地块{i}" for i in range(1, count + 1)],
            "MJ": vacant.area.round(2).to_numpy() if count else np.empty(0),
            "SCRQ": "20240315",
            "ZT": "已入库",
        },
        geometry=vacant.geometry.to_numpy(),
        crs=scene.land.crs,
    )
