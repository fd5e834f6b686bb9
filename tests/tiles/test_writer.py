"""Rasters painted from runs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from configs.errors import InputError
from detect.valid_runs import mask_runs
from tiles.files import sha256
from tiles.grid import AnalysisGrid, Extent
from tiles.writer import write_runs

GRID = AnalysisGrid("EPSG:32650", 10.0, 10.0)
EXTENT = Extent(-30, 70, 1270, 1470)


def paint_runs(values: NDArray[np.uint8], extent: Extent) -> tuple[Any, Any, Any, Any]:
    parts = []
    for value in np.unique(values[values > 0]):
        row, first, last = mask_runs(values == value, extent)
        parts.append((row, first, last, np.full(len(row), value, np.uint8)))
    row, first, last, value = (np.concatenate(c) for c in zip(*parts, strict=True))
    order = np.lexsort((first, row))
    return row[order], first[order], last[order], value[order]


def scene(seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 12, (131, 141)).astype(np.uint8)
    coarse[coarse < 8] = 0
    values = np.kron(coarse, np.ones((10, 10), np.uint8))[: EXTENT.height, : EXTENT.width]
    values[0, 0] = values[-1, -1] = 255
    return values, rng.random(EXTENT.shape) > 0.1


def test_pixels_nodata_tags_and_layout(tmp_path: Path) -> None:
    values, valid = scene()
    path = tmp_path / "out" / "change.tif"
    write_runs(
        path,
        GRID,
        EXTENT,
        paint_runs(values, EXTENT),
        mask_runs(valid, EXTENT),
        tags={"TUBAN_RULES": "cn-land"},
        colours={8: (255, 0, 0)},
    )
    expected = np.where(values > 0, values, valid.astype(np.uint8))
    with rasterio.open(path) as ds:
        np.testing.assert_array_equal(ds.read(1), expected)
        assert ds.nodata == 0
        assert ds.transform == GRID.transform(EXTENT)
        assert ds.crs.to_epsg() == 32650
        assert ds.tags()["TUBAN_RULES"] == "cn-land"
        assert ds.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert ds.tags(ns="IMAGE_STRUCTURE")["COMPRESSION"] == "ZSTD"
        assert ds.overviews(1) == [2, 4]
        assert ds.colormap(1)[8] == (255, 0, 0, 255)
    assert [p.name for p in path.parent.iterdir()] == ["change.tif"]


def test_runs_beyond_the_extent_are_cut(tmp_path: Path) -> None:
    runs = tuple(np.array(v) for v in ([-5, 0, 3, 3, 99], [0, -4, 0, 8, 0], [9, 2, 1, 50, 9]))
    value = np.array([9, 2, 3, 4, 9], np.uint8)
    none = np.empty(0, np.int64)
    write_runs(tmp_path / "a.tif", GRID, Extent(0, 0, 5, 10), (*runs, value), (none, none, none))  # type: ignore[arg-type]
    expected = np.zeros((5, 10), np.uint8)
    expected[0, :3], expected[3, :2], expected[3, 8:] = 2, 3, 4
    with rasterio.open(tmp_path / "a.tif") as ds:
        np.testing.assert_array_equal(ds.read(1), expected)


def test_the_same_file_twice(tmp_path: Path) -> None:
    values, valid = scene(1)
    for name in ("a.tif", "b.tif"):
        write_runs(
            tmp_path / name, GRID, EXTENT, paint_runs(values, EXTENT), mask_runs(valid, EXTENT)
        )
    assert sha256(tmp_path / "a.tif") == sha256(tmp_path / "b.tif")


def test_wrong_input_leaves_no_file(tmp_path: Path) -> None:
    values, valid = scene(2)
    runs, observed = paint_runs(values, EXTENT), mask_runs(valid, EXTENT)
    back = tuple(column[::-1] for column in runs)
    with pytest.raises(InputError, match="not sorted"):
        write_runs(tmp_path / "a.tif", GRID, EXTENT, back, observed)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no pixels"):
        write_runs(tmp_path / "a.tif", GRID, Extent(0, 0, 0, 5), runs, observed)
    assert list(tmp_path.iterdir()) == []
