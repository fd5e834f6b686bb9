"""What `tuban runs plan` tells of memory: a fixed part, and what patches take."""

from pathlib import Path

import pytest

from flows.manifest import Run
from flows.runplan import estimate
from flows.runrates import Rates, folder_rates, shipped_rates


def memory(pixels: float, rates: Rates, workers: int = 1) -> float:
    return estimate(pixels, workers, rates).memory_bytes


def test_memory_grows_with_the_patches_of_a_run():
    rates = shipped_rates()
    assert memory(16.8e6, rates) == pytest.approx(1.05e9, rel=0.01)  # the blocks that tiles share
    patches = 274_060  # the largest run that benchmarks/RESULTS.md tells of took 1,534 MB
    assert memory(patches / rates.patches_per_mpx * 1e6, rates) == pytest.approx(1.534e9, rel=0.02)
    assert memory(40e9, rates) > 30 * memory(0.1e9, rates)
    assert memory(1e9, rates, workers=3) - memory(1e9, rates) == 2 * rates.worker_bytes


@pytest.mark.parametrize("patches", [20, 2_000])
def test_memory_follows_the_patches_of_earlier_runs(patches: int, tmp_path: Path):
    told = {"tiles": {"pixels": 2_000_000}, "join": {"patches": patches}}
    record = {"cpu_seconds": 9.0, "read_bytes": 1, "written_bytes": 1, "peak_bytes": 1_200_000_000}
    with Run.create({"name": "mini"}, "01234567", tmp_path, "mini") as run:
        for stage in ("tiles", "join", "judge", "outputs"):
            run.note("stage", stage=stage, **record, reuse={"reused": 0, "made": {"new": 1}})
        run.write_summary({"stages": told})
    rates = folder_rates(tmp_path)
    assert rates is not None
    assert rates.patches_per_mpx == patches / 2
    assert memory(2e6, rates) == pytest.approx(1_200_000_000)
    grown = memory(1e9, rates) - memory(2e6, rates)
    assert grown == pytest.approx(3_950 * (patches / 2) * 998)
