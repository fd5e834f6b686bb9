"""Watching documents: areas by period, and each question decided, just missed, and unknown."""

import datetime as dt

import geopandas as gpd
import numpy as np
import pytest

from clues.watchfindings import watch
from clues.watching import Period, built_in, watched_documents
from configs.errors import ConfigError
from configs.watching import load_watch_rules
from tests.clues.made import onemap_of, patch, patches_of, rectangle

DAY = dt.date
RULES = load_watch_rules("cn-watch")
SPANS = (
    (DAY(2023, 3, 1), DAY(2024, 3, 1)),
    (DAY(2024, 3, 1), DAY(2025, 3, 1)),
    (DAY(2025, 3, 1), DAY(2026, 3, 1)),
)
PLACE = rectangle(0, 0, 100, 100)


def period(number, rows=(), observed=1.0, span=None):
    """Return a period with patches of (outline, use)."""
    first, last = span or SPANS[number]
    far = patch(rectangle(5000, 5000, 5010, 5010), use="cropland")
    table = patches_of([far, *(patch(shape, use=use) for shape, use in rows)])
    for name in ("before_from", "before_to"):
        table[name] = first
    for name in ("after_from", "after_to"):
        table[name] = last
    seen = None if observed is None else np.array([observed])
    return Period(f"p{number}", table, first, last, seen)


def watched(periods, role="approval", rules=RULES, **fields):
    """Return what watching one document of 100 m × 100 m finds."""
    fields = {"number": "A1", "date": DAY(2023, 6, 1)} | fields
    documents = watched_documents(onemap_of({role: [("A1", PLACE, fields)]}), rules)
    return watch(built_in(documents, periods, rules), rules)


def answer(found, kind, months=0):
    table = found.findings
    row = table[(table["kind"] == kind) & (table["months"] == months)].iloc[0]
    return row["answer"]


def sentence(found, kind, months=0, language="zh"):
    table = found.findings
    return table[(table["kind"] == kind) & (table["months"] == months)].iloc[0][
        f"sentence_{language}"
    ]


def test_overlapping_patches_of_two_periods_count_once():
    found = watched(
        [
            period(0, [(rectangle(0, 0, 50, 100), "industry")]),
            period(1, [(rectangle(25, 0, 75, 100), "industry")]),
        ]
    )
    assert found.own[:, 0].tolist() == [500_000, 500_000]
    assert found.together[:, 0].tolist() == [500_000, 750_000]
    assert found.built.documents["area_dm2"].iloc[0] == 1_000_000


def test_order_of_periods_does_not_matter():
    parts = [
        period(0),
        period(1, [(rectangle(0, 0, 50, 100), "industry")]),
        period(2, [(rectangle(25, 0, 75, 100), "dwelling")]),
    ]
    one, other = watched(parts), watched(parts[::-1])
    assert one.findings.equals(other.findings)
    assert one.first == other.first == [(DAY(2024, 3, 1), DAY(2025, 3, 1))]
    assert (one.together == other.together).all()


def test_first_seen_needs_the_least_area():
    found = watched(
        [
            period(0, [(rectangle(0, 0, 10, 19.9), "industry")]),
            period(1, [(rectangle(10, 0, 20, 10), "industry")]),
        ]
    )
    assert found.first == [(DAY(2024, 3, 1), DAY(2025, 3, 1))]


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (DAY(2024, 3, 2), "found"),
        (DAY(2024, 3, 1), "unknown"),
        (DAY(2023, 3, 2), "unknown"),
        (DAY(2023, 3, 1), "clear"),
        (None, "unknown"),
    ],
)
def test_built_before_the_document(date, expected):
    found = watched([period(0, [(rectangle(0, 0, 50, 50), "industry")])], date=date)
    assert answer(found, "early") == expected


def test_built_before_the_document_just_misses_the_least_area():
    rows = [(rectangle(0, 0, 20, 9.99), "industry")]
    assert answer(watched([period(0, rows)], date=DAY(2025, 1, 1)), "early") == "clear"
    rows = [(rectangle(0, 0, 20, 10), "industry")]
    assert answer(watched([period(0, rows)], date=DAY(2025, 1, 1)), "early") == "found"


def test_a_patch_of_unknown_use_makes_no_finding():
    rows = [(rectangle(0, 0, 50, 50), "unknown")]
    found = watched([period(0, rows), period(1)], date=DAY(2024, 6, 1))
    assert answer(found, "early") == "unknown"
    assert "用途不明" in sentence(found, "early")
    found = watched([period(0, rows), period(1)])
    assert answer(found, "idle", 12) == "unknown"


def test_idle_after_twelve_and_twenty_four_months():
    found = watched([period(0), period(1)])
    assert (answer(found, "idle", 12), answer(found, "idle", 24)) == ("found", "clear")
    assert "2024-06-01" in sentence(found, "idle", 12)
    assert "期限未到" in sentence(found, "idle", 24)
    found = watched([period(0), period(1), period(2)])
    assert (answer(found, "idle", 12), answer(found, "idle", 24)) == ("found", "found")


def test_the_deadline_is_reached_on_its_day():
    assert answer(watched([period(0)], date=DAY(2023, 3, 1)), "idle", 12) == "found"
    assert answer(watched([period(0)], date=DAY(2023, 3, 2)), "idle", 12) == "clear"


def test_what_could_not_be_observed_is_never_idle():
    for observed in (0.0, 0.94, None):
        found = watched([period(0), period(1, observed=observed)])
        assert answer(found, "idle", 12) == "unknown"
    assert answer(watched([period(0), period(1, observed=0.95)]), "idle", 12) == "found"
    cloudy = watched([period(0), period(1, observed=0.0)])
    assert "未观测：p1 0.00 %" in sentence(cloudy, "idle", 12)
    assert "not observed: p1 0.00 %" in sentence(cloudy, "idle", 12, "en")


def test_untold_observation_may_be_assumed_and_is_printed():
    rules = RULES.model_copy(update={"observed_if_untold": "assume_true"})
    found = watched([period(0, observed=None), period(1, observed=None)], rules=rules)
    assert answer(found, "idle", 12) == "found"
    assert "按全部可观测处理" in sentence(found, "idle", 12)
    assert "it is not told" in sentence(found, "idle", 12, "en")


def test_a_gap_between_images_may_hide_a_building():
    late = (DAY(2024, 4, 1), DAY(2025, 3, 1))
    assert answer(watched([period(0), period(1, span=late)]), "idle", 12) == "found"
    later = (DAY(2024, 4, 2), DAY(2025, 3, 1))
    assert answer(watched([period(0), period(1, span=later)]), "idle", 12) == "unknown"
    assert answer(watched([period(1)]), "idle", 12) == "unknown"


def test_something_built_is_not_idle():
    found = watched([period(0), period(1, [(rectangle(0, 0, 20, 10), "industry")])])
    assert answer(found, "idle", 12) == "clear"
    found = watched([period(0), period(1, [(rectangle(0, 0, 20, 9.9), "industry")])])
    assert answer(found, "idle", 12) == "found"


def test_built_outside_adjoining():
    def outside(x0, width, **options):
        return watched([period(0, [(rectangle(x0, 0, x0 + width, 20), "industry")], **options)])

    assert answer(outside(90, 20), "outside") == "found"
    assert outside(90, 20).built.outside_dm2.tolist() == [20_000]
    assert answer(outside(90, 19.9), "outside") == "clear"
    assert answer(outside(105, 20), "outside") == "found"
    assert answer(outside(105.1, 20), "outside") == "clear"
    assert answer(outside(90, 19.9, observed=0.5), "outside") == "unknown"


def test_a_neighbour_of_the_same_role_is_not_outside():
    layers = {
        "approval": [
            ("A1", PLACE, {"date": DAY(2023, 6, 1)}),
            ("A2", rectangle(100, 0, 200, 100), {"date": DAY(2023, 6, 1)}),
        ]
    }
    documents = watched_documents(onemap_of(layers), RULES)
    part = period(0, [(rectangle(50, 0, 250, 20), "industry")])
    part = Period(part.name, part.patches, part.first, part.last, np.array([1.0, 1.0]))
    built = built_in(documents, [part], RULES)
    assert built.outside_dm2.tolist() == [0, 100_000]
    assert built.by_period()[1].tolist() == [[100_000, 200_000]]


@pytest.mark.parametrize(
    ("ends", "renewal", "expected"),
    [
        (DAY(2023, 3, 1), None, "found"),
        (DAY(2023, 3, 2), None, "unknown"),
        (DAY(2024, 2, 29), None, "unknown"),
        (DAY(2024, 3, 1), None, "clear"),
        (None, None, "unknown"),
        (DAY(2023, 3, 1), True, "clear"),
    ],
)
def test_building_after_the_end_of_a_licence(ends, renewal, expected):
    rows = [(rectangle(0, 0, 50, 50), "mining")]
    fields = {"valid_from": DAY(2020, 1, 1), "valid_to": ends, "renewal": renewal}
    assert answer(watched([period(0, rows)], role="mining_right", **fields), "expired") == expected


def test_a_mining_right_is_carried_out_by_mining_alone():
    rows = [(rectangle(0, 0, 50, 50), "dwelling")]
    fields = {"valid_from": DAY(2020, 1, 1), "valid_to": DAY(2023, 1, 1)}
    found = watched([period(0, rows)], role="mining_right", **fields)
    assert found.together[-1, 0] == 0
    assert answer(found, "expired") == "clear"


def test_every_sentence_tells_its_numbers_in_one_language():
    found = watched([period(0, [(rectangle(50, 0, 150, 50), "industry")]), period(1)])
    for row in found.findings.itertuples():
        assert "approval" not in row.sentence_zh
        assert not [c for c in row.sentence_en if "\u4e00" <= c <= "\u9fff"]
        assert "approval:A1 memory@0" in row.sources
    assert "2500.00 m²（3.75 亩）" in sentence(found, "outside")


def test_areas_are_the_same_in_degrees():
    rows = [(rectangle(50, 0, 150, 50), "industry")]
    documents = watched_documents(
        onemap_of({"approval": [("A1", PLACE, {"date": DAY(2023, 6, 1)})]}, "EPSG:4490"), RULES
    )
    part = period(0, rows)
    moved = Period("p", part.patches.to_crs("EPSG:4490"), part.first, part.last, np.array([1.0]))
    built = built_in(documents, [moved], RULES)
    assert abs(built.by_period()[1][0, 0] - 250_000) <= 2
    assert abs(built.outside_dm2[0] - 250_000) <= 2


def test_no_built_patch_at_all():
    found = watched([period(0)])
    assert found.together.tolist() == [[0]]
    assert isinstance(found.built.documents, gpd.GeoDataFrame)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("adjoining_m: 5", "adjoning_m: 5", "unknown key 'adjoning_m'"),
        ("[12, 24]", "[0]", "whole months"),
        ("uses: [mining]", "uses: [minning]", "there is no use 'minning'"),
        ("expires: valid_to, questions", "expires: valid, questions", "temporary has no field"),
        ("{early} 在", "{erly} 在", "the text names 'erly'"),
    ],
)
def test_a_wrong_rule_file_is_refused_with_its_line(tmp_path, old, new, what):
    from configs.loading import _preset_path

    text = _preset_path("watching", "cn-watch").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_watch_rules(str(path))
    assert what in str(error.value)
    assert "mine.yaml, line" in str(error.value)
