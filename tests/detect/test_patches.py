"""Patches: ids, areas, dates, shape, painting."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from scipy import ndimage

from configs.errors import InputError
from configs.vocabulary import change_types
from detect.components import join, label_tile
from detect.patches import (
    large_enough,
    mean_widths,
    paint_runs,
    paint_values,
    patch_ids,
    patch_table,
    shape_facts,
    with_classes,
)
from tiles.geodesy import ellipsoidal_area
from tiles.grid import AnalysisGrid, Extent, plan_tiles

GRID = AnalysisGrid("EPSG:4526", 10.0, 10.0)
BEFORE = (dt.date(2025, 3, 1), dt.date(2025, 3, 5))
AFTER = (dt.date(2025, 9, 1), dt.date(2025, 9, 1))
ROW0, COL0 = -406_000, 3_850_000
COLUMNS = [
    *("patch_id", "source_id", "county_code", "county_name", "anchor_row", "anchor_col"),
    *("n_pixels", "area_dm2", "width_m", "before_from", "before_to", "after_from", "after_to"),
    *("change_type", "tblx", "use", "confidence", "magnitude", "magnitude_p90"),
    *("ndvi_change", "ndbi_change", "ndwi_change", "from_cover", "to_cover"),
    *("lon", "lat", "sheet", "geometry"),
]


def components_of(mask, score=None, *, size=None, row0=ROW0, col0=COL0, **rules):
    area = Extent(row0, col0, row0 + mask.shape[0], col0 + mask.shape[1])
    score = mask.astype(np.uint16) if score is None else score
    tiles = []
    for extent in [t.extent for t in plan_tiles(area, size)] if size else [area]:
        cut = extent.slices_in(area)
        scores = SimpleNamespace(weak=mask[cut], strong=mask[cut], score=score[cut])
        link = {"connectivity": rules.get("connectivity", 8)}
        tiles.append(label_tile(scores, extent, area, floor_px=1, **link))
    return join(tiles, **{"floor_px": 1, **rules})


def table_of(mask, score=None, grid=GRID, *, smooth=False, **options):
    found = components_of(mask, score, **options)
    return patch_table(found, grid, before=BEFORE, after=AFTER, smooth=smooth)


def test_the_table_says_what_the_pixels_say():
    rng = np.random.default_rng(2)
    mask = rng.random((60, 50)) < 0.4
    score = rng.integers(0, 65536, mask.shape).astype(np.uint16)
    label, n = ndimage.label(mask, np.ones((3, 3)))
    table = table_of(mask, score)
    assert list(table.columns) == COLUMNS
    assert len(table) == n
    assert str(table.crs) == "EPSG:4526"
    numbers = np.arange(1, n + 1)
    assert table.n_pixels.tolist() == np.bincount(label.ravel())[1:].tolist()
    np.testing.assert_allclose(table.magnitude, ndimage.mean(score, label, numbers))
    own = [np.sort(score[label == number]) for number in numbers]
    small = [i for i, values in enumerate(own) if len(values) <= 64]
    high = [own[i][-(-9 * len(own[i]) // 10) - 1] for i in small]
    assert table.magnitude_p90[small].tolist() == high
    assert table[["ndvi_change", "ndbi_change", "ndwi_change"]].isna().all(axis=None)
    assert (table.geometry.area == table.n_pixels * 100.0).all()
    order = np.lexsort((table.anchor_col, table.anchor_row))
    assert (order == np.arange(n)).all()
    assert table.patch_id.is_unique
    assert table.before_to.tolist() == [dt.date(2025, 3, 5)] * n
    assert set(table.change_type) == {"unknown"}
    assert set(table.confidence) == {-1}
    assert table.area_dm2.dtype == np.int64
    expected = ellipsoidal_area(table.geometry.to_numpy(), "EPSG:4526") * 100
    assert (np.abs(table.area_dm2 - expected) <= 0.5).all()
    assert (np.abs(table.area_dm2 / table.n_pixels / 10_000 - 1) < 0.01).all()
    back = pyproj.Transformer.from_crs("EPSG:4490", "EPSG:4526", always_xy=True)
    x, y = back.transform(table.lon.to_numpy(), table.lat.to_numpy())
    assert shapely.intersects(table.geometry.to_numpy(), shapely.points(x, y)).all()
    assert set(table.sheet) == {"J50G080001", "J50G081001"}


def test_magnitude_is_of_scored_pixels_and_area_counts_filled_ones():
    mask = np.ones((5, 5), bool)
    mask[2, 2] = False
    score = np.where(mask, 300, 7).astype(np.uint16)
    table = table_of(mask, score, hole_px=1)
    assert table.n_pixels.tolist() == [25]
    assert table.magnitude.tolist() == [300.0]
    assert table.geometry.area.tolist() == [2500.0]


def test_an_empty_table_has_all_columns():
    table = table_of(np.zeros((4, 4), bool))
    assert list(table.columns) == COLUMNS
    assert len(table) == 0
    assert table.crs is not None
    assert len(shape_facts(table)) == 0
    assert len(paint_values(table)) == 0
    table = with_classes(table, pd.DataFrame({"change_type": [], "confidence": []}))
    assert list(table.columns) == COLUMNS


def test_a_place_outside_the_crs_is_refused():
    with pytest.raises(InputError, match="outside the area of EPSG:4526"):
        table_of(np.ones((2, 2), bool), row0=0, col0=0)


def test_ids_name_grid_dates_and_anchor():
    ids = patch_ids(GRID, BEFORE, AFTER, [(5, 7), (7, 5)])
    assert all(
        len(i) == 13 and i[0] == "T" and set(i[1:]) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        for i in ids
    )
    moved = AnalysisGrid("EPSG:4526", 10.0, 10.0, 5.0, 0.0)
    others = [
        patch_ids(moved, BEFORE, AFTER, [(5, 7)]),
        patch_ids(GRID, AFTER, BEFORE, [(5, 7)]),
        patch_ids(GRID, BEFORE, (AFTER[0], None), [(5, 7)]),
        patch_ids(GRID, BEFORE, (None, AFTER[0]), [(5, 7)]),
        patch_ids(GRID, BEFORE, AFTER, [(-5, 7)]),
    ]
    assert len({*ids, *(i for other in others for i in other)}) == 7


SCRIPT = """
import numpy as np, sys
sys.path.insert(0, {folder!r})
from test_patches import table_of
mask = np.random.default_rng(3).random((40, 40)) < 0.4
print(table_of(mask, size=16).drop(columns="geometry").to_csv())
"""


def test_the_same_table_in_another_process_and_tiling():
    code = SCRIPT.format(folder=str(Path(__file__).parent))
    env = {**os.environ, "PYTHONHASHSEED": "77"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, check=True, text=True
    )
    mask = np.random.default_rng(3).random((40, 40)) < 0.4
    here = table_of(mask).drop(columns="geometry").to_csv()
    assert run.stdout == here + "\n"


def test_classes_bring_type_and_use():
    mask = np.zeros((5, 9), bool)
    mask[1:3, 1:3] = mask[1:3, 6:8] = True
    table = table_of(mask)
    classes = pd.DataFrame(
        {
            "from_cover": ["cropland", "built"],
            "to_cover": ["built", "cropland"],
            "change_type": ["new_building", "demolition"],
            "confidence": [90, 40],
        },
        index=[8, 3],
    )
    known = {c.code: c for c in change_types()}
    joined = with_classes(table, classes)
    assert joined.use.tolist() == [known["new_building"].use, known["demolition"].use]
    assert joined.tblx.tolist() == [known["new_building"].tblx, known["demolition"].tblx]
    assert joined.confidence.tolist() == [90, 40]
    assert list(joined.columns) == COLUMNS
    assert set(table.change_type) == {"unknown"}
    with pytest.raises(InputError, match="2 patches"):
        with_classes(table, classes[:1])


def test_painted_pixels_are_the_patches_pixels():
    rng = np.random.default_rng(5)
    mask = rng.random((50, 40)) < 0.35
    found = components_of(mask, hole_px=3)
    codes = [t.code for t in change_types()]
    table = patch_table(
        found,
        GRID,
        before=BEFORE,
        after=AFTER,
        classes=pd.DataFrame({"change_type": rng.choice(codes, len(found))}),
    )
    runs = paint_runs(found, paint_values(table))
    assert runs.value.dtype == np.uint8
    image = np.ones(mask.shape, np.uint8)
    for r, a, b, v in zip(
        runs.row - ROW0, runs.first - COL0, runs.last - COL0, runs.value, strict=True
    ):
        image[r, a : b + 1] = v
    numbers = table.change_type.map({t.code: t.number for t in change_types()})
    for number in range(2, 16):
        assert (image == number).sum() == table.n_pixels[numbers == number].sum()
    with pytest.raises(InputError, match="from 0 to 255"):
        paint_runs(found, np.full(len(found), 300))
    with pytest.raises(InputError, match="one value"):
        paint_runs(found, np.ones(len(found) + 1, np.uint8))


def one_patch(mask, grid=GRID, **options):
    facts = shape_facts(table_of(mask, grid=grid, **options))
    assert len(facts) == 1
    return facts.iloc[0]


def test_straight_bent_and_diagonal_strips_have_their_width():
    strip = np.zeros((104, 104), bool)
    strip[2:4, 2:102] = True
    facts = one_patch(strip)
    assert facts.width_m == pytest.approx(20, rel=0.02)
    assert facts.length_m == pytest.approx(1000, rel=0.02)
    bend = strip.copy()
    bend[2:102, 2:4] = True
    assert one_patch(bend).width_m == pytest.approx(20, rel=0.02)
    assert one_patch(bend).elongation == pytest.approx(99, rel=0.05)
    rows, cols = np.indices((104, 104))
    diagonal = (np.abs(rows - cols) <= 2) & (rows > 1) & (rows < 102)
    assert one_patch(diagonal).width_m == pytest.approx(50 / np.sqrt(2), rel=0.03)


def test_compact_patches_are_not_long():
    rows, cols = np.indices((60, 60))
    disc = (rows - 30) ** 2 + (cols - 30) ** 2 < 25**2
    rotated = np.abs(rows - 30) + np.abs(cols - 30) < 25
    for mask in (disc, rotated, np.ones((30, 30), bool), np.ones((1, 1), bool)):
        assert 1 <= one_patch(mask).elongation < 1.7


def test_shape_is_in_ground_metres_on_a_degree_grid():
    step = 1 / 3600  # about 31 m north, 26 m east at 33° N
    degrees = AnalysisGrid("EPSG:4490", step, step)
    strip = np.zeros((6, 104), bool)
    strip[2:3, 2:102] = True
    facts = one_patch(strip, grid=degrees, row0=-33 * 3600, col0=114 * 3600)
    geod = pyproj.Geod(ellps="GRS80")
    length = geod.inv(114, 33, 114 + 100 * step, 33)[2]
    assert facts.length_m == pytest.approx(length, rel=0.01)
    assert facts.width_m == pytest.approx(geod.inv(114, 33, 114, 33 + step)[2], rel=0.02)


def test_perimeter_of_outlines_that_are_not_pixels_is_not_shortened():
    table = table_of(np.ones((30, 20), bool)).assign(n_pixels=0)
    exact = np.sqrt(table.area_dm2[0] / 100 / (300 * 200)) * 1000
    assert shape_facts(table).perimeter_m[0] == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize("smooth", [False, True])
def test_elongated_patches_have_a_mean_width(smooth):
    rows, cols = np.indices((104, 104))
    diagonal = (np.abs(rows - 2 * cols) <= 4) & (rows > 1) & (rows < 102)
    table = table_of(diagonal, smooth=smooth)
    across = 9 / np.sqrt(5) * 10
    assert table.width_m[0] == pytest.approx(across, rel=0.02 if smooth else 0.08)
    assert table.width_m[0] == mean_widths(shape_facts(table))[0]
    assert np.isnan(table_of(np.ones((5, 7), bool), smooth=smooth).width_m[0])


def test_smoothing_changes_the_outline_but_neither_pixels_nor_area():
    rng = np.random.default_rng(6)
    mask = ndimage.gaussian_filter(rng.standard_normal((80, 90)), 2) > 0.05
    rough, fine = table_of(mask), table_of(mask, smooth=True)
    assert (np.abs(rough.area_dm2 - fine.area_dm2) <= 1 + rough.area_dm2 * 1e-7).all()
    assert abs(rough.area_dm2.sum() - fine.area_dm2.sum()) <= len(rough)
    same = ["patch_id", "anchor_row", "anchor_col", "n_pixels", "magnitude"]
    assert rough[same].equals(fine[same])
    assert (fine.geometry.length <= rough.geometry.length + 1e-6).all()


def test_least_areas_depend_on_the_change_type():
    mask = np.zeros((4, 12), bool)
    mask[1, 1] = mask[1, 4] = mask[1, 7] = True  # 100 m² each
    types = ["new_building", "pond", "unknown"]
    table = table_of(mask).assign(change_type=types, area_dm2=[9_999, 9_999, 5_000])
    assert large_enough(table).tolist() == [True, False, True]
    own = {"new_building": 100, "pond": 99.99, "unknown": 50.01}
    assert large_enough(table, own).tolist() == [False, True, False]
    assert large_enough(table[:0]).tolist() == []
