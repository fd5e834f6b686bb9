"""The score: what counts as found, as a false alarm, as a right outcome, and why one is missed."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from hypothesis import given
from hypothesis import strategies as st

from flows.demo.matching import f1, match
from flows.demo.score import add_score, score_lines, score_run

CRS = "EPSG:32650"
WEST, NORTH = 300_000.0, 4_000_000.0


def square(i: int, side: float = 80.0, dx: float = 0.0) -> shapely.Polygon:
    x = WEST + 200 + 300 * i + dx
    return shapely.box(x, NORTH - 400, x + side, NORTH - 400 + side)


@pytest.fixture
def county(tmp_path):
    """Five changes, their patches, findings and change raster: a run without fault."""
    changes = gpd.GeoDataFrame(
        {
            "change_id": [f"C{i}" for i in range(5)],
            "kind": ["new_building", "new_building", "mining_pit", "pond", "new_building"],
            "area_m2": 6400.0,
            "papers": ["none", "partial", "mine_licence", "farm", "none"],
            "land": ["suspected", "suspected", "suspected", "non_new", "suspected,unresolved"],
            "mining": ["", "", "legal", "", ""],
            "also": ["", "legal", "", "", ""],
            "hidden": [False, False, False, False, True],
        },
        geometry=[square(i) for i in range(5)],
        crs=CRS,
    )
    changes.to_file(tmp_path / "truth.gpkg", layer="changes")
    pseudo = gpd.GeoDataFrame({"kind": ["harvest"]}, geometry=[square(6)], crs=CRS)
    pseudo.to_file(tmp_path / "truth.gpkg", layer="pseudo")
    patches = gpd.GeoDataFrame(
        {
            "patch_id": [f"T{i}" for i in range(5)],
            "change_type": changes["kind"],
            "confidence": [95, 90, 85, 80, 100],
            "outcome": ["suspected", "suspected", "suspected", "non_new", "unresolved"],
            "disposition": ["clue", "clue", "clue", "dismissed", "clue"],
        },
        geometry=[square(i, 95.0) for i in range(5)],
        crs=CRS,
    )
    rows = [("T0", "land", 100, "suspected", "V1"), ("T1", "land", 50, "suspected", "V4"),
            ("T1", "land", 50, "legal", "L1"), ("T2", "land", 100, "suspected", "V1"),
            ("T2", "mining", 100, "legal", "ML1"), ("T3", "land", 100, "non_new", "N3"),
            ("T4", "land", 100, "unresolved", "U")]  # fmt: skip
    findings = pd.DataFrame(rows, columns=["patch_id", "line", "area_dm2", "outcome", "rule"])
    raster = np.ones((100, 300), np.uint8)
    write(tmp_path, patches, findings, raster)
    return tmp_path, patches, findings, raster


def write(folder, patches, findings, raster):
    patches.to_parquet(folder / "patches.parquet")
    findings.to_parquet(folder / "findings.parquet")
    with rasterio.open(
        folder / "change.tif", "w", driver="GTiff", width=raster.shape[1], height=raster.shape[0],
        count=1, dtype="uint8", crs=CRS, transform=rasterio.Affine(10, 0, WEST, 0, -10, NORTH),
    ) as target:  # fmt: skip
        target.write(raster, 1)


def scored(folder):
    return score_run(folder, folder / "truth.gpkg")


def test_a_run_without_fault_scores_full(county):
    score = scored(county[0])
    assert (score["recall"], score["precision"], score["f1"]) == (1.0, 1.0, 1.0)
    assert score["outcomes_right"] == 1.0
    assert score["types_right"] == score["patch_types_right"] == 1.0
    assert score["calibration_error"] == pytest.approx(0.1)
    assert score["clues"]["calibration_error"] == pytest.approx(0.075)
    assert score["clues"]["patches"] == 4
    assert 0.1 < score["calibration_chance"] < 0.5
    assert any(line.startswith("the same of clues") for line in score_lines(score))
    assert score["misses"] == score["wrong"] == []
    assert score["by_kind"]["new_building"] == [3, 3]


def test_false_alarms_count_unless_taken_for_crops(county):
    folder, patches, findings, raster = county
    extra = patches.iloc[[0, 0]].assign(
        patch_id=["X1", "X2"], change_type=["moved_earth", "crop_rotation"]
    )
    extra = extra.set_geometry(gpd.GeoSeries([square(6), square(7)], crs=CRS, index=extra.index))
    write(folder, pd.concat([patches, extra], ignore_index=True), findings, raster)
    score = scored(folder)
    assert score["precision"] == pytest.approx(5 / 6, abs=1e-4)
    assert score["false_alarms"] == score["false_alarms_on_pseudo"] == 1
    assert score["alarms"] == {"moved_earth": 1}


@pytest.mark.parametrize(
    ("row", "spoil", "reason"),
    [
        (0, "drop", "below significance"),
        (0, "crop", "taken for a crop change"),
        (0, "floor", "below floor"),
        (0, "blot", "merged"),
        (0, "blind", "not observed"),
        (4, "blind", "cloud"),
    ],
)
def test_every_miss_has_its_reason_and_counts(county, row, spoil, reason):
    folder, patches, findings, raster = county
    patches = patches.copy()
    if spoil == "crop":
        patches.loc[row, "change_type"] = "crop_rotation"
    elif spoil == "floor":
        patches.loc[row, "outcome"] = "below_threshold"
    elif spoil == "blot":
        patches.loc[[row], "geometry"] = [square(row, 250.0).buffer(60)]
    else:
        patches = patches.drop(index=row)
    if spoil == "blind":
        raster = raster.copy()
        raster[:, 15 + 30 * row : 35 + 30 * row] = 0
    write(folder, patches, findings, raster)
    score = scored(folder)
    assert score["recall"] == 0.8
    (miss,) = score["misses"]
    assert miss["change_id"] == f"C{row}"
    assert miss["reason"] == reason


@pytest.mark.parametrize(
    ("row", "outcome", "fault"),
    [(0, "legal", "suspected expected"), (2, "suspected", "suspected + legal"),
     (4, "suspected", "mining: legal expected")],
)  # fmt: skip
def test_wrong_outcomes_are_told(county, row, outcome, fault):
    folder, patches, findings, raster = county
    findings = findings.copy()
    findings.loc[row, "outcome"] = outcome
    write(folder, patches, findings, raster)
    score = scored(folder)
    assert score["outcomes_right"] == 0.8
    assert fault in score["wrong"][0]["fault"]
    assert any("outcome: C" in line for line in score_lines(score))


def test_rim_parcels_do_not_count(county):
    folder, patches, findings, raster = county
    rim = pd.DataFrame([("T3", "land", 5, "suspected", "V1")], columns=findings.columns)
    write(folder, patches, pd.concat([findings, rim], ignore_index=True), raster)
    assert scored(folder)["outcomes_right"] == 1.0


def test_run_that_found_nothing(county):
    folder, patches, findings, raster = county
    write(folder, patches.iloc[:0], findings.iloc[:0], raster)
    score = scored(folder)
    assert (score["recall"], score["precision"], score["f1"]) == (0.0, 1.0, 0.0)
    assert len(score["misses"]) == 5


def test_score_is_entered_in_the_summary(county):
    folder = county[0]
    (folder / "run.json").write_text(json.dumps({"name": "演示"}), encoding="utf-8")
    score = scored(folder)
    add_score(folder, score)
    summary = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert summary["name"] == "演示"
    assert summary["demo"]["score"] == json.loads(json.dumps(score))


areas = st.floats(1, 1e5)


@given(st.lists(st.tuples(areas, areas, st.floats(0, 1)), min_size=1, max_size=8))
def test_matching_of_pairs(rows):
    change = np.array([r[0] for r in rows])
    patch = np.array([r[1] for r in rows])
    shared = np.minimum(change, patch) * np.array([r[2] for r in rows])
    result = match(np.diag(shared), change, patch)
    true = shared >= 0.15 * patch
    np.testing.assert_array_equal(result.true, true)
    np.testing.assert_array_equal(result.found, true & (shared >= 0.3 * change))
    np.testing.assert_array_equal(result.merged, ~true & (shared >= 0.3 * change))
    assert (result.patch[result.found] == np.flatnonzero(result.found)).all()


def test_f1():
    assert f1(0.5, 1.0) == pytest.approx(2 / 3)
    assert f1(0.0, 0.0) == 0.0
