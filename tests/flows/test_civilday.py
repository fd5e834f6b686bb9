"""The day in file names is that of the place, not of the machine."""

import datetime as dt
import json
from pathlib import Path

import pytest

from flows.civilday import civil_day

LATE = dt.datetime(2026, 3, 31, 20, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("summary", "day"),
    [
        (None, "2026-04-01"),
        ("no json", "2026-04-01"),
        ({"config": None}, "2026-04-01"),
        ({"config": {"area": {"time_zone": "Europe/Bucharest"}}}, "2026-03-31"),
        ({"config": {"area": {"time_zone": "Asia/Urumqi"}}}, "2026-04-01"),
    ],
)
def test_the_day_is_that_of_the_area(tmp_path: Path, summary: object, day: str):
    if summary is not None:
        text = summary if isinstance(summary, str) else json.dumps(summary)
        (tmp_path / "run.json").write_text(text, encoding="utf-8")
    assert civil_day(tmp_path, LATE).isoformat() == day


def test_no_command_on_a_run_asks_the_clock_of_the_machine():
    rooms = Path(__file__).resolve().parents[2] / "flows"
    for name in ("cli/ledgerexport", "cli/field", "cli/map", "cli/report", "server/artifacts"):
        assert "date.today" not in (rooms / f"{name}.py").read_text(encoding="utf-8"), name
