"""A small judged run, made by hand, for the tests of outputs."""

import datetime as dt
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from clues.outputs.tables import ClueTables, RunTitle

E0, N0 = 38_500_000, 4_060_000


@dataclass(frozen=True)
class HandPicture:
    """A picture as the imagery floor gives it."""

    image: np.ndarray
    bounds: tuple[float, float, float, float]
    scene_id: str
    civil_date: dt.date | None
    attribution: str
    sensor: str = "Sentinel-2 MSI"
    unseen: float = 0.0


def hand_pictures(bounds):
    """Return a before and an after picture with texture."""
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 255, (96, 96, 3), dtype=np.uint8) for _ in range(2)]
    days = (dt.date(2025, 3, 5), dt.date(2025, 6, 12))
    return tuple(
        HandPicture(i, bounds, "S2A_T50", d, "© Copernicus")
        for i, d in zip(images, days, strict=True)
    )


@pytest.fixture
def pictures():
    return hand_pictures


@pytest.fixture
def tables() -> ClueTables:
    shapes = [
        shapely.box(E0 + 60, N0 + 60, E0 + 140, N0 + 140),
        shapely.box(E0 + 200, N0 + 50, E0 + 280, N0 + 110).difference(
            shapely.box(E0 + 220, N0 + 70, E0 + 230, N0 + 80)
        ),
        shapely.box(E0 + 450, N0 + 400, E0 + 480, N0 + 430),
    ]
    outcomes = ["suspected", "unresolved", "non_new"]
    n = len(shapes)
    areas = [640000, 470000, 90000]
    patches = gpd.GeoDataFrame(
        {
            "patch_id": ["TAAAAAAAAAAA1", "TAAAAAAAAAAA2", "TAAAAAAAAAAA3"],
            "clue_no": ["99990125Q2000001", "99990125Q2000002", ""],
            "source_id": ["P1", "=1+1", ""],
            "county_code": "999901",
            "county_name": "示例县",
            "anchor_row": range(n),
            "anchor_col": 0,
            "n_pixels": 64,
            "area_dm2": areas,
            "width_m": [np.nan, 6.4, np.nan],
            "before_from": dt.date(2025, 3, 5),
            "before_to": dt.date(2025, 3, 5),
            "after_from": dt.date(2025, 6, 12),
            "after_to": dt.date(2025, 6, 12),
            "change_type": ["new_building", "moved_earth", "unknown"],
            "tblx": ["20", "DT", ""],
            "use": ["industry", "moved_earth", "unknown"],
            "confidence": [90, 55, -1],
            "magnitude": 5.0,
            "magnitude_p90": [25_000.0, 12_345.0, np.nan],
            "ndvi_change": [-0.4, np.nan, np.nan],
            "ndbi_change": np.nan,
            "ndwi_change": 0.1,
            "from_cover": "cropland",
            "to_cover": "built",
            "lon": 114.001,
            "lat": 36.671,
            "sheet": "J50G080002",
            "disposition": ["clue", "clue", "dismissed"],
            "outcome": outcomes,
            "rule": ["V1", "V8", "N1"],
            "priority": [5, 3, 0],
        },
        geometry=shapes,
        crs="EPSG:4526",
    )
    findings = gpd.GeoDataFrame(
        {
            "patch_id": patches["patch_id"],
            "line": "land",
            "parcel_no": 1,
            "parcel_id": patches["patch_id"],
            "area_dm2": areas,
            "outcome": outcomes,
            "rule": ["V1", "V8", "N1"],
            "rules": ["V1", "V8", "N1"],
            "also_possible": "",
            "flags": ["PBF", "", ""],
            "questions_zh": ["", "临时用地是否正在复垦？", ""],
            "questions_en": ["", "Is the temporary land being reclaimed?", ""],
            "reason_zh": ["面积 6400.00 m²（9.60 亩），没有任何批文。"] * n,
            "reason_en": ["Area 6400.00 m² (9.60 mu) <no approval> & none."] * n,
            "documents": ["", "temporary:L1", ""],
            "cropland_dm2": [640000, 0, 0],
            "cropland_net_dm2": [640000, 0, 0],
            "pbf_dm2": [100000, 0, 0],
            "redline_dm2": 0,
            "outside_boundary_dm2": 0,
            "farmland_dm2": 0,
            "unused_dm2": [0, 470000, 0],
            "construction_dm2": [0, 0, 90000],
            "severity": 1,
            "priority": [5, 3, 0],
            "trace": "{}",
        },
        geometry=shapes,
        crs="EPSG:4526",
    )
    coverage = pd.DataFrame(
        {
            "patch_id": ["TAAAAAAAAAAA2"],
            "line": ["land"],
            "parcel_id": ["TAAAAAAAAAAA2"],
            "role": ["temporary"],
            "key": ["temporary:L1"],
            "number": ["临字〔2023〕1号"],
            "date": [dt.date(2023, 5, 1)],
            "area_dm2": [250000],
            "share": [0.5319],
        }
    )
    title = RunTitle(
        "999901", "示例县", 2025, 2, "test-run", {"rules": "cn-land 1"}, "© Copernicus"
    )
    indicators = {
        "ratio_percent": 26.47,
        "ratio_limit_percent": 15.0,
        "ratio_percent_if_open_are_suspected": 30.0,
        "ratio_suspected_cropland_mu": 5.4,
        "ratio_new_construction_cropland_mu": 20.4,
        "ratio_alert": True,
    }
    return ClueTables(patches, findings, coverage, indicators, title)
