"""Indicators: totals by outcome, the ratio and its alert."""

import datetime as dt

import pandas as pd
import pytest

from clues.indicators import indicators
from tests.clues.casebook import shipped

DM2_PER_MU = 200_000 / 3


def tables(*rows):
    """Return patches and findings; a row is (use, outcome, area, cropland) in dm²."""
    ids = [f"P{i}" for i in range(len(rows))]
    clue = [r[1] in ("suspected", "unresolved") for r in rows]
    patches = pd.DataFrame(
        {
            "patch_id": ids,
            "use": [r[0] for r in rows],
            "county_code": [f"99990{1 + i % 2}" for i in range(len(rows))],
            "after_to": dt.date(2025, 6, 12),
            "disposition": ["clue" if c else "dismissed" for c in clue],
        }
    )
    findings = pd.DataFrame(
        {
            "patch_id": ids,
            "line": "land",
            "outcome": [r[1] for r in rows],
            "rule": "X",
            "flags": ["PBF,ECO", *[""] * (len(rows) - 1)],
            "area_dm2": [r[2] for r in rows],
            "cropland_dm2": [r[3] for r in rows],
            "cropland_net_dm2": [r[3] * 9 // 10 for r in rows],
            "pbf_dm2": 0,
        }
    )
    return patches, findings


def rules_with(**values):
    rules = shipped("cn-land")
    changed = {n: rules.parameters[n].model_copy(update={"value": v}) for n, v in values.items()}
    return rules.model_copy(update={"parameters": rules.parameters | changed})


def test_ratio_counts_new_construction_only():
    found = indicators(
        *tables(
            ("industry", "legal", 1000, 850),
            ("industry", "suspected", 200, 150),
            ("livestock_shed", "other", 500, 500),
            ("dwelling", "non_new", 500, 500),
            ("dwelling", "below_threshold", 10, 10),
            ("unknown", "unresolved", 100, 100),
        ),
        shipped("cn-land"),
    )
    assert found["ratio_percent"] == 15.00
    assert found["ratio_alert"]
    assert found["totals_m2"]["new_construction_cropland"] == 10.00
    assert found["totals_m2"]["issued"] == 23.00
    assert found["patches"] == {"all": 6, "clues": 2, "dismissed": 4}
    assert found["flags"] == {"ECO": 1, "PBF": 1}


def test_open_findings_widen_the_ratio():
    found = indicators(
        *tables(
            ("industry", "legal", 900, 900),
            ("industry", "suspected", 50, 50),
            ("industry", "unresolved", 50, 50),
        ),
        shipped("cn-land"),
    )
    assert found["ratio_percent"] == 5.0
    assert found["ratio_percent_if_open_are_suspected"] == 10.0
    assert not found["ratio_alert"]


@pytest.mark.parametrize(
    ("cropland_mu", "needs_area", "alert"),
    [(99, False, True), (99, True, False), (101, True, True)],
)
def test_alert_with_the_area_condition(cropland_mu, needs_area, alert):
    area = round(cropland_mu * DM2_PER_MU)
    own = tables(("industry", "suspected", area, area), ("industry", "legal", area, area))
    found = indicators(*own, rules_with(alert_needs_area=needs_area))
    assert found["ratio_percent"] == 50.0
    assert found["ratio_alert"] is alert


def test_just_below_the_limit_there_is_no_alert():
    own = tables(("industry", "suspected", 1499, 1499), ("industry", "legal", 8501, 8501))
    found = indicators(*own, shipped("cn-land"))
    assert found["ratio_percent"] == 14.99
    assert not found["ratio_alert"]


def test_each_county_and_year_has_its_own_ratio_and_alert():
    own = tables(
        ("industry", "suspected", 20, 20),
        ("industry", "legal", 100, 100),
        ("industry", "legal", 80, 80),
        ("industry", "suspected", 10, 10),
    )
    found = indicators(*own, shipped("cn-land"))["counties"]
    told = [(c["county_code"], c["year"], c["ratio_percent"], c["ratio_alert"]) for c in found]
    assert told == [("999901", 2025, 20.0, True), ("999902", 2025, 9.09, False)]


def test_nothing_built_has_no_ratio():
    found = indicators(*tables(("pond", "non_new", 100, 100)), shipped("cn-land"))
    assert found["ratio_percent"] == 0.0
    assert not found["ratio_alert"]
