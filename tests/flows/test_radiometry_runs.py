"""Another gain and offset of a date leave the patches of a whole run where they are.

The offset is injected into floating-point files: stored as whole numbers, a gain of one half drops
digits and an offset of -0.1 falls below 0, which is another image and not another radiometry.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from configs.run import RunConfig
from flows.runner import open_run, run_stage
from flows.stages import RunOptions

pytestmark = pytest.mark.slow

Scene = Callable[[Path, int | None, float, float], RunConfig]


def rewrite(path: Path, target: Path, unit: float, gain: float, offset: float) -> None:
    """Write an image times `unit` with a gain and an offset; what held no data holds none."""
    with rasterio.open(path) as source:
        stored, profile = source.read().astype(np.float64), source.profile
    values = np.where(stored == 0, np.nan, gain * stored * unit + offset).astype(np.float32)
    profile |= {"driver": "GTiff", "dtype": "float32", "nodata": np.nan}
    with rasterio.open(target, "w", **profile) as raster:
        raster.write(values)


@pytest.fixture
def demo(quick_county) -> Scene:
    def made(folder: Path, date: int | None, gain: float, offset: float) -> RunConfig:
        shutil.copytree(quick_county.config.parent, folder)
        for number, name in enumerate(("before", "after")):
            change = (gain, offset) if number == date else (1.0, 0.0)
            for path in (folder / name).glob("*_B*.tif"):
                rewrite(path, path, 1e-4, *change)
        values = RunConfig.load(folder / quick_county.config.name).model_dump()
        # The type of a change decides its least area, and land cover is not part of the matter.
        changes = {"detection": {"method": "auto"}, "landcover": {"enabled": False}}
        return RunConfig.model_validate(values | changes)

    return made


@pytest.fixture
def taizhou(data_dir: Path) -> Scene:
    """Return the pair in its own counts, of which 255 stand for a reflectance of 1."""
    home = data_dir / "taizhou_landsat"
    if not home.is_dir():
        pytest.skip(f"no {home}")

    def made(folder: Path, date: int | None, gain: float, offset: float) -> RunConfig:
        folder.mkdir()
        for number, name in enumerate(("2000TM", "2003TM")):
            change = (gain, 255 * offset) if number == date else (1.0, 0.0)
            rewrite(home / name, folder / f"{name}.tif", 1.0, *change)
        return RunConfig.model_validate(
            {
                "name": "taizhou",
                "sensor": "landsat",
                "before": {"scenes": [folder / "2000TM.tif"], "date": "2000-03-17"},
                "after": {"scenes": [folder / "2003TM.tif"], "date": "2003-02-06"},
                "landcover": {"enabled": False},
            }
        )

    return made


def patches(config: RunConfig, out: Path) -> gpd.GeoSeries:
    """Work the stages that make patches; return the outlines by id."""
    with open_run(config, out, RunOptions(workers=1)) as context:
        for stage in ("plan", "gate", "fit", "tiles", "join"):
            run_stage(stage, context)
        table = gpd.read_parquet(context.run.path("work", "patches.parquet"))
    return table.set_index("patch_id").geometry


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("demo", [(0, 2.0, -0.1), (1, 0.5, 0.1)]),
        ("taizhou", [(0, 2.0, 0.1), (1, 0.5, -0.1)]),
    ],
)
def test_gain_and_offset_of_a_date_move_no_patch(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    name: str,
    changes: list[tuple[int, float, float]],
):
    scene: Scene = request.getfixturevalue(name)
    wanted = patches(scene(tmp_path / "as it is", None, 1, 0), tmp_path / "runs")
    assert len(wanted) >= 15
    for number, change in enumerate(changes):
        found = patches(scene(tmp_path / str(number), *change), tmp_path / "runs")
        kept = wanted.index.intersection(found.index)
        assert len(kept) >= 0.99 * len(wanted), change
        assert len(found) <= 1.01 * len(wanted), change
        first, second = wanted[kept], found[kept]
        share = first.intersection(second).area / first.union(second).area
        assert share.min() >= 0.95, (change, share.idxmin())
