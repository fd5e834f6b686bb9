"""Clues of a real series: a forest road and clear-cuts come out judged, as those of a pair do."""

import datetime as dt
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pytest
import rasterio

from flows.runner import work_run
from flows.stages import RunOptions
from tests.flows.romania import HISTORY, Forest, is_road, places

pytestmark = pytest.mark.slow

UNTIL = dt.date(2020, 9, 30)


def test_the_road_and_the_clear_cuts_become_clues(data_dir, tmp_path, record_property):
    source = data_dir / "nrt_romania_s2"
    if not source.is_dir():
        pytest.skip(f"no {source}")
    forest = Forest(source, tmp_path)
    forest.deliver(UNTIL)
    summary = work_run(
        forest.config(3, before=HISTORY), tmp_path / "runs", RunOptions(workers=1), plain=True
    )
    folder, version = Path(summary["folder"]), Path(summary["opening"]["series"])
    with rasterio.open(folder / "change.tif") as raster:
        found = raster.read(1) > 1
    with rasterio.open(version / "first_seen.tif") as raster:
        year = raster.read(1).astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970
    lost = forest.lost()
    precision, recall = ((found & lost).sum() / n for n in (found.sum(), lost.sum()))
    own = {r: [p for p in places(lost) if is_road(p) == r] for r in (True, False)}
    hit = {r: sum((p & found).any() for p in own[r]) for r in own}
    told = (
        f"{found.sum()} px, precision {precision:.2f} (by chance {lost.mean():.2f}), recall "
        f"{recall:.2f}, road {hit[True]} of {len(own[True])} places, "
        f"cuts {hit[False]} of {len(own[False])}"
    )
    record_property("found", told)
    assert recall > 0.55, told
    assert precision > 5 * lost.mean(), told
    assert hit[True] >= 5, told
    assert hit[False] >= 0.9 * len(own[False]), told
    assert np.median(year[np.logical_or.reduce(own[True]) & found]) == 2017
    assert np.median(year[np.logical_or.reduce(own[False]) & found]) == 2020
    clues = json.loads((folder / "clues.geojson").read_text(encoding="utf-8"))["features"]
    assert len(clues) == summary["stages"]["outputs"]["clues"] > 5
    patches = gpd.read_parquet(folder / "patches.parquet")
    assert patches["n_pixels"].sum() == found.sum()
    assert (patches["outcome"] == "unresolved").all()
    _require_own_dates(patches)
    book = openpyxl.load_workbook(folder / "clues.xlsx", read_only=True)
    rows = sum(1 for _ in book.worksheets[0].iter_rows(min_row=3))
    assert rows >= len(clues)
    assert len(list((folder / "evidence").glob("*.pdf"))) == 2
    assert "为目录中最新的可用影像" in (folder / "report.html").read_text(encoding="utf-8")


def _require_own_dates(patches: gpd.GeoDataFrame) -> None:
    """Patches tell when each changed, as the series saw it, and not the dates of the pair."""
    first, last = patches["after_from"], patches["after_to"]
    assert (first <= last).all()
    assert (patches["before_to"] < first).all()
    assert (patches["before_from"] == dt.date(2016, 10, 14)).all()
    assert {2017, 2020} <= {day.year for day in first}
    assert (patches["first_seen"] == first).all()
    assert (last < UNTIL).all()
    gaps = [(a - b).days for a, b in zip(first, patches["before_to"], strict=True)]
    assert np.median(gaps) <= 40
