"""How many components are worked at a time changes nothing that the join writes but row groups."""

from pathlib import Path

import geopandas as gpd
import pyarrow.parquet as pq
import pytest
from geopandas.testing import assert_geodataframe_equal

from configs.run import RunConfig
from detect import joined_runs
from flows import joining, patchfile
from flows.runner import open_run
from flows.stages import RunOptions, StageContext, run_stage
from tests.flows.minicounty import build_mini
from tests.flows.threecounties import build_three, write_run
from tiles.files import PART_MARK

pytestmark = pytest.mark.slow


def one_county(folder: Path) -> Path:
    return build_mini(folder)


def three_counties(folder: Path) -> Path:
    folder.mkdir()
    build_three(folder)
    return write_run(folder, "joint", "370000", "某市")


def joined(context: StageContext, most: int, monkeypatch: pytest.MonkeyPatch):
    """Join so many components at a time; return table, bytes of the raster, numbers, row groups."""
    for module, name in ((joining, "AT_ONCE"), (joined_runs, "AT_ONCE"), (patchfile, "GROUP")):
        monkeypatch.setattr(module, name, most)
    (table, raster), values = joining.join_tiles(context)
    groups = pq.ParquetFile(table).num_row_groups
    return gpd.read_parquet(table), raster.read_bytes(), values, groups


@pytest.mark.parametrize("build", [one_county, three_counties])
def test_batches_of_components_change_nothing(build, tmp_path, monkeypatch):
    config = RunConfig.load(build(tmp_path / "county"))
    with open_run(config, tmp_path / "runs", RunOptions(tile=96)) as context:
        for stage in ("plan", "gate", "fit", "tiles"):
            run_stage(stage, context)
        whole, raster, values, groups = joined(context, 20_000, monkeypatch)
        table = context.run.path("work", "patches.parquet")
        assert groups == 1
        assert whole["county_code"].nunique() == (3 if build is three_counties else 1)
        assert len(whole) == values["patches"] > 3
        for most in (1, 2):
            cut, other, told, groups = joined(context, most, monkeypatch)
            assert groups == len(whole) if most == 1 else 1 < groups < len(whole)
            assert_geodataframe_equal(cut, whole)
            assert (other, told) == (raster, values)
        assert not [p for p in table.parent.iterdir() if p.name.startswith(PART_MARK)]
