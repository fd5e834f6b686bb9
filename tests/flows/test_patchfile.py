"""The table of the patches: one group as geopandas writes it, more with the same rows and kinds."""

import datetime as dt

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
from geopandas.testing import assert_geodataframe_equal

from detect.components import join
from detect.patches import patch_table, with_classes
from flows import patchfile
from flows.patchfile import PatchFile
from tests.detect.test_join_memory import LARGE, band
from tiles.grid import AnalysisGrid

DAYS = (dt.date(2024, 4, 18), dt.date(2024, 4, 19))


@pytest.fixture(scope="module")
def batches() -> list[gpd.GeoDataFrame]:
    """Return patches in batches, the first and one amid them without rows."""
    found = join([band(0, 1)], large_px=LARGE)
    grid = AnalysisGrid("EPSG:32650", 10.0, 10.0, 500_000.0, 4_000_000.0)
    tables = []
    for some in found.batches(100):
        table = patch_table(some, grid, before=DAYS, after=(None, None), county_code="370305")
        kinds = np.array(["new_building", "road"], object)[np.arange(len(table)) % 2]
        tables.append(with_classes(table, table[["confidence"]].assign(change_type=kinds)))
    assert len(tables) > 4
    return [tables[0].iloc[:0], *tables[:2], tables[1].iloc[:0], *tables[2:]]


def write(path, tables):
    with PatchFile(path) as file:
        for table in tables:
            file.add(table)
    return path


def test_one_group_has_the_bytes_of_geopandas(batches, tmp_path):
    whole = gpd.pd.concat([t for t in batches if len(t)], ignore_index=True)
    whole.to_parquet(tmp_path / "whole.parquet", index=False)
    path = write(tmp_path / "cut.parquet", batches)
    assert path.read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    empty = write(tmp_path / "none.parquet", batches[:1])
    assert len(gpd.read_parquet(empty)) == 0


@pytest.mark.parametrize("group", [1, 150, 300])
def test_groups_hold_the_same_rows_of_the_same_kinds(batches, tmp_path, monkeypatch, group):
    path = write(tmp_path / "whole.parquet", batches)
    monkeypatch.setattr(patchfile, "GROUP", group)
    cut = write(tmp_path / "cut.parquet", batches)
    with pq.ParquetFile(cut) as file, pq.ParquetFile(path) as whole:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        assert len(sizes) > 1
        assert min(sizes[:-1]) >= group
        assert file.schema_arrow.equals(whole.schema_arrow)
    assert_geodataframe_equal(gpd.read_parquet(cut), gpd.read_parquet(path))
    assert gpd.read_parquet(cut).crs == gpd.read_parquet(path).crs
