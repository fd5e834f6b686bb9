"""Dates out of a catalogue: the newest that shows enough, filled from earlier ones; the match."""

import datetime as dt
from pathlib import Path

import pytest

from configs.errors import InputError
from configs.runparts import DateRule
from tests.tiles.cataloguemade import AREA, write_catalog
from tiles.catalog import Entry, load_catalog
from tiles.usable import best_match, newest_usable

ZONE = "Asia/Shanghai"
SCENES: list[tuple[str, float, float | None]] = [
    ("2024-01-10", 1.0, 0.0),
    ("2024-06-20", 1.0, 10.0),
    ("2025-02-01", 1.0, 0.0),
    ("2025-06-05", 1.0, None),
    ("2025-06-12", 0.6, 0.0),
    ("2025-06-14", 0.1, 0.0),
]


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    return load_catalog(write_catalog(tmp_path_factory.mktemp("catalog"), SCENES))


def _newest(entries: list[Entry], **rule: object):
    return newest_usable(entries, AREA, DateRule.model_validate(rule), role="after", time_zone=ZONE)


@pytest.mark.parametrize(
    ("rule", "days", "percent"),
    [
        ({}, ["2025-06-05"], 100.0),
        ({"least_usable_percent": 50}, ["2025-06-12"], 60.0),
        ({"within_days": 7}, ["2025-06-12", "2025-06-05"], 100.0),
        ({"within_days": 9}, ["2025-06-14", "2025-06-12", "2025-06-05"], 100.0),
        ({"months": [12, 2]}, ["2025-02-01"], 100.0),
        ({"end": "2025-01-01"}, ["2024-06-20"], 100.0),
        ({"max_cloud": 5, "end": "2025-01-01"}, ["2024-01-10"], 100.0),
    ],
)
def test_the_newest_usable_date(entries, rule: dict, days: list[str], percent: float):
    found = _newest(entries, **rule)
    assert [e.acquired.date().isoformat() for e in found.images.entries] == days
    assert (found.day.isoformat(), found.first.isoformat()) == (days[0], days[-1])
    assert found.percent == percent


def test_the_reason_says_what_was_passed_over(entries):
    reason = _newest(entries).reason
    assert reason.zh == (
        "后时相 2025-06-05（sentinel2，可观测 100.0 %，云量未知），为目录中最新的可用影像；"
        "更新的 2 期可观测不足 80 %，未采用"
    )
    assert "2 newer dates show less than 80 % and were passed over" in reason.en


def test_no_usable_date_is_told_with_the_best_one(entries):
    with pytest.raises(InputError, match=r"the best is 2025-06-12 with 60.0 %"):
        _newest(entries, begin="2025-06-06")
    with pytest.raises(InputError, match="no scene of the area in that time"):
        _newest(entries, begin="2026-01-01")


def test_the_earlier_date_is_the_best_to_compare_with(entries):
    after = _newest(entries)
    found = best_match(entries, AREA, DateRule(), after, time_zone=ZONE)
    assert found.day == dt.date(2024, 6, 20)
    assert "of 3 usable dates best compared with the later one" in found.reason.en
    assert "季节相差 15 天" in found.reason.zh


def test_days_apart_count_from_the_later_date(entries):
    rule = DateRule(apart_days=(120, 300))
    found = newest_usable(
        entries, AREA, rule, role="before", time_zone=ZONE, later=dt.date(2025, 6, 5)
    )
    assert found.day == dt.date(2025, 2, 1)
    near = DateRule(apart_days=(1, 60))
    after = _newest(entries, end="2025-06-05")
    with pytest.raises(InputError, match="no scene of the area"):
        best_match(entries, AREA, near, after, time_zone=ZONE)


def test_order_of_the_catalogue_does_not_matter(entries):
    assert _newest(entries[::-1], within_days=9) == _newest(entries, within_days=9)


def test_items_are_named_as_scenes(entries):
    assert all(isinstance(e.path, Path) for e in _newest(entries).images.entries)
