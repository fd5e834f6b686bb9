"""Annexations over change patches: settings alone, feet, acres, terms without end."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import rasterio
import rasterio.features
import shapely

from tests.elsewhere.independent import area, overlaps

pytestmark = pytest.mark.slow

BEFORE, AFTER = dt.date(2015, 9, 18), dt.date(2018, 3, 26)
TAU = 0.9

Done = tuple[Path, list[tuple[int, str]]]


def change_patches(data_dir: Path) -> Any:
    """Return the labelled change of the scene as polygons in degrees."""
    scene = data_dir / "oscd" / "cupertino"
    with rasterio.open(next((scene / "imgs_1").glob("*_B04.tif"))) as band:
        transform, crs = band.transform, band.crs
    with rasterio.open(scene / "cm" / "cupertino-cm.tif") as label:
        change = label.read(1)
    found = rasterio.features.shapes(change, mask=change == 2, transform=transform)
    return gpd.GeoDataFrame(geometry=[shapely.geometry.shape(g) for g, _ in found], crs=crs)


@pytest.fixture(scope="module")
def patches(data_dir: Path) -> Any:
    if not (data_dir / "oscd" / "cupertino").is_dir():
        pytest.skip(f"there is no scene at {data_dir / 'oscd' / 'cupertino'}")
    return change_patches(data_dir)


@pytest.fixture(scope="module")
def done(
    run_example: Callable[..., Done], data_dir: Path, patches: Any, tmp_path_factory: Any
) -> Done:
    source = data_dir / "vector_cupertino_zoning" / "Annexations.zip"
    if not source.is_file():
        pytest.skip(f"there are no annexations at {source}")
    made = tmp_path_factory.mktemp("patches") / "patches.geojson"
    patches.to_file(made)
    return run_example("cupertino-annexations", {"Annexations.zip": source, made.name: made})


@pytest.fixture(scope="module")
def expected(data_dir: Path, patches: Any) -> pd.DataFrame:
    """Return patch, annexation, number, term and area of every overlap."""
    source = data_dir / "vector_cupertino_zoning" / "Annexations.zip"
    with pytest.warns(RuntimeWarning, match="PART_AREA"):
        annexed = gpd.read_file(source)
    moved = annexed.to_crs(patches.crs).geometry.to_numpy()
    rows = []
    for i, j, common in overlaps(patches.geometry.to_numpy(), moved):
        one = annexed.iloc[j]
        numbers = [str(one[f]) for f in ("ORDINANCE", "RESOLUTION") if one[f] not in ("0", None)]
        ends = None if pd.isna(one["DANEX_DATE"]) else one["DANEX_DATE"].date()
        rows.append(
            {
                "patch_id": f"row{i + 1}",
                "annexation": str(int(one["ANNEX_ID"])),
                "number": [*numbers, one["ANEX_NAME"]][0],
                "from": one["ANEX_DATE"].date(),
                "to": ends,
                "area": area(common),
                "whole": area(patches.geometry.iloc[i]),
            }
        )
    return pd.DataFrame(rows)


def coverage(done: Done) -> pd.DataFrame:
    table = pd.read_parquet(done[0] / "run" / "coverage.parquet")
    table["annexation"] = table["key"].str.partition(":")[2]
    return table.set_index(["patch_id", "annexation"])


def test_every_command_of_the_page_runs(done: Done):
    codes = [code for code, _ in done[1]]
    assert codes == [3, 3, 0], done[1]  # twelve stated areas differ from the drawn ones
    assert "San José" not in done[1][2][1]
    assert "annexation 6820 (1959-04-21 – 1979-07-01)" in done[1][2][1]


def test_the_check_finds_wrong_acres_and_nothing_else(done: Done, data_dir: Path):
    found = json.loads((done[0] / "check" / "layer_check.json").read_text(encoding="utf-8"))
    with pytest.warns(RuntimeWarning, match="PART_AREA"):
        annexed = gpd.read_file(data_dir / "vector_cupertino_zoning" / "Annexations.zip")
    drawn = np.array([area(s) for s in annexed.to_crs("EPSG:4326").geometry])
    stated = annexed["ACREAGE"].to_numpy() * 4046.8564224
    wrong = np.abs(stated - drawn) > np.maximum(1.0, 0.05 * np.maximum(stated, drawn))
    assert found["counts"] == {"area_differs": int(wrong.sum())}
    assert sorted(f["row"] for f in found["findings"]) == (np.flatnonzero(wrong) + 1).tolist()


def test_the_same_annexations_cover_the_same_areas(done: Done, expected: pd.DataFrame):
    theirs = coverage(done)
    assert sorted(theirs.index) == sorted(
        expected[["patch_id", "annexation"]].itertuples(index=False, name=None)
    )
    for row in expected.itertuples():
        own = theirs.loc[row.patch_id, row.annexation]
        assert own["area_dm2"] / 100 == pytest.approx(row.area, abs=0.0101)
        assert own["area_dm2"] / 100 / row.whole == pytest.approx(row.area / row.whole, abs=1e-5)


def test_numbers_and_terms_are_those_of_the_city(done: Done, expected: pd.DataFrame):
    theirs = coverage(done)
    for row in expected.to_dict("records"):
        own = theirs.loc[row["patch_id"], row["annexation"]]
        assert own["number"] == row["number"]
        assert own["date"] == row["from"]
        assert own["valid_to"] == (row["to"] or dt.date(9999, 12, 31))


def test_outcomes_follow_from_shares_and_dates(done: Done, expected: pd.DataFrame):
    findings = pd.read_parquet(done[0] / "run" / "findings.parquet")
    judged = pd.read_parquet(done[0] / "run" / "patches.parquet").set_index("patch_id")["outcome"]
    assert len(judged) == 106
    for patch, outcome in judged.items():
        own = expected[expected["patch_id"] == patch]
        answers = {"non_new"} if own["area"].sum() < TAU * own["whole"].max() else set()
        for row in own.to_dict("records"):
            kept = row["to"] is None or row["to"] >= AFTER
            assert row["from"] < BEFORE  # none falls between the images
            answers.add("legal" if kept else "suspected")
        answers = answers or {"non_new"}
        assert set(findings.loc[findings["patch_id"] == patch, "outcome"]) == answers, patch
        worst = next(o for o in ("suspected", "legal", "non_new") if o in answers)
        assert outcome == worst
    assert (judged == "legal").sum() + (judged == "suspected").sum() == 9


def test_parcels_of_a_patch_sum_up_to_it(done: Done, patches: Any):
    findings = pd.read_parquet(done[0] / "run" / "findings.parquet")
    sums = findings.groupby("patch_id")["area_dm2"].sum()
    for i, shape in enumerate(patches.geometry):
        assert sums[f"row{i + 1}"] / 100 == pytest.approx(area(shape), abs=0.0101)


def test_the_ledger_is_one_an_inspector_there_can_read(done: Done):
    book = openpyxl.load_workbook(done[0] / "run" / "clues.xlsx")
    rows = list(book["clues"].iter_rows(values_only=True))
    assert "Area (acres)" in rows[1]
    clues = [dict(zip(rows[1], row, strict=True)) for row in rows[2:-1]]
    assert {c["Suggestion, rule"].split("\n")[0] for c in clues} == {"no longer land of the city"}
    assert {c["Place"] for c in clues} == {"San José"}
    split = next(c for c in clues if c["Patch"] == "row105")
    assert split["Documents"].split("\n") == [
        "annexation 5414 [row105_1] (1956-12-20 – 1979-07-01) covers 100.00 %",
        "annexation 5414 [row105_2] (1956-12-20 –) covers 100.00 %",
    ]
    text = "\n".join(str(v) for sheet in book for row in sheet.values for v in row)
    assert not any("\u4e00" <= c <= "\u9fff" for c in text)
    geojson = json.loads((done[0] / "run" / "clues.geojson").read_text(encoding="utf-8"))
    first = geojson["features"][0]["properties"]
    assert first["area_acre"] == pytest.approx(first["area_m2"] / 4046.8564224, abs=0.01)
    assert "area_mu" not in first
    layers = gpd.list_layers(done[0] / "run" / "clues.gpkg")["name"].tolist()
    assert layers == ["clues", "parcels", "dismissed", "layer_styles"]
