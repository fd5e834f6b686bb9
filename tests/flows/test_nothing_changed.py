"""Few clues where nothing changed, and the changes found under the same disturbances."""

from pathlib import Path

import pytest

from benchmarks.nothing_changed import work_county


@pytest.mark.slow
def test_all_disturbances_together(tmp_path: Path) -> None:
    """26 km²: a quarter of a county of the benchmark."""
    (row,) = work_county(101, ["all"], 512, tmp_path)
    assert row.clues <= 2
    assert row.changes >= 20
    assert row.found >= 0.9 * row.changes
