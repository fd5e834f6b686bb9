"""Hardly a clue where nothing changed, and the changes of the same scene found."""

from pathlib import Path

import pytest

from benchmarks.nothing_changed import work_scene


@pytest.mark.slow
def test_all_disturbances_together(tmp_path: Path) -> None:
    """26 km² of the benchmark: one clue is the least that ten per 1,000 km² allow."""
    (row,) = work_scene(101, ["all"], 512, tmp_path)
    assert row.clues <= 1
    assert row.changes >= 20
    assert row.found >= 0.9 * row.changes
