"""Properties of judgement on random worlds: order, unknowns, one approval more, projection."""

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clues.catalogue import catalogue
from clues.facts import FactColumn, FactTable
from clues.judge import judge_line
from clues.judgement import judge_patches
from clues.layers import OneMap
from configs.layers import LayersFile
from tests.clues.casebook import cases, shipped
from tests.clues.made import CRS, onemap_of, patch, patches_of, rectangle

CLASSES = (
    {"code": "0103", "scheme": "sandiao", "category": "agricultural", "group": "cropland"},
    {"code": "0404", "scheme": "sandiao", "category": "unused", "group": "unused"},
    {"code": "0702", "scheme": "sandiao", "category": "construction", "group": "construction"},
)
USES = (
    "industry",
    "dwelling",
    "road",
    "livestock_shed",
    "orchard",
    "mining",
    "unknown",
    "building",
)
DAYS = (
    None,
    dt.date(2024, 1, 1),
    dt.date(2025, 3, 5),
    dt.date(2025, 3, 6),
    dt.date(2025, 6, 12),
    dt.date(2025, 6, 13),
)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

metre = st.integers(0, 12)
boxes = st.tuples(metre, metre, st.integers(1, 8), st.integers(1, 8)).map(
    lambda b: rectangle(20 * b[0], 20 * b[1], 20 * (b[0] + b[2]), 20 * (b[1] + b[3]))
)
uses = st.sampled_from(USES)
day = st.sampled_from(DAYS)
approvals = st.lists(
    st.tuples(
        boxes,
        st.fixed_dictionaries(
            {"date": day, "applied": day, "use": st.sampled_from((None, "industry", "dwelling"))}
        ),
    ),
    max_size=4,
)
temporary = st.lists(
    st.tuples(boxes, st.fixed_dictionaries({"valid_from": day, "valid_to": day})), max_size=2
)
filings = st.lists(
    st.tuples(
        boxes,
        st.fixed_dictionaries({"filed": day, "area_m2": st.sampled_from([np.nan, 900.0, 9000.0])}),
    ),
    max_size=2,
)
plain = st.lists(st.tuples(boxes, st.just({})), max_size=2)
worlds = st.fixed_dictionaries(
    {
        "approval": approvals,
        "supply": st.lists(st.tuples(boxes, st.fixed_dictionaries({"date": day})), max_size=2),
        "temporary": temporary,
        "facility": filings,
        "basic_farmland": plain,
        "redline": plain,
        "reserve": plain,
    }
)
patch_lists = st.lists(st.tuples(boxes, uses), min_size=1, max_size=3)
few = settings(max_examples=30, deadline=None, suppress_health_check=SLOW)


def layers_of(world):
    fields = [("D1", rectangle(-100, -100, 120, 600), CLASSES[0])]
    fields += [("D2", rectangle(120, -100, 240, 600), CLASSES[1])]
    fields += [("D3", rectangle(240, -100, 600, 600), CLASSES[2])]
    numbered = {
        role: [(f"{role[0]}{i}", g, f) for i, (g, f) in enumerate(rows)]
        for role, rows in world.items()
    }
    return {"landuse": fields, **numbered}


def patches_made(rows, crs=CRS):
    return patches_of([patch(g, use=u) for g, u in rows], crs)


def judged(rows, layers, rules="cn-land", crs=CRS, **options):
    return judge_patches(patches_made(rows, crs), onemap_of(layers, crs), shipped(rules), **options)


def area_of(judgement, *outcomes):
    table = judgement.findings
    own = table[((table["line"] == "land") & table["outcome"].isin(outcomes)).to_numpy()]
    return int(own["area_dm2"].sum())


def areas(judgement, *outcomes):
    """Return per patch the outlines of the land line with one of the outcomes, united."""
    table = judgement.findings
    own = table[((table["line"] == "land") & table["outcome"].isin(outcomes)).to_numpy()]
    return {p: g.geometry.union_all() for p, g in own.groupby("patch_id")}


@pytest.mark.slow
@few
@given(patch_lists, worlds, st.sampled_from(["cn-land", "cn-all", "cn-hebei-2026"]))
def test_parcels_sum_up_to_the_patch_on_each_line(rows, world, rules):
    found = judged(rows, layers_of(world), rules)
    areas_of = found.patches.set_index("patch_id")["area_dm2"]
    for (name, _), total in found.findings.groupby(["patch_id", "line"])["area_dm2"].sum().items():
        assert total == areas_of[name]
    counts = found.indicators["patches"]
    assert counts["clues"] + counts["dismissed"] == len(rows)
    parts = ["cropland_dm2", "farmland_dm2", "unused_dm2", "construction_dm2"]
    assert (found.findings[parts].sum(axis=1) <= found.findings["area_dm2"]).all()


@pytest.mark.slow
@few
@given(patch_lists, worlds, st.randoms(use_true_random=False))
def test_order_of_layers_features_and_batches_is_irrelevant(rows, world, random):
    layers = layers_of(world)
    first = judged(rows, layers)
    mixed = {r: random.sample(v, len(v)) for r, v in random.sample([*layers.items()], len(layers))}
    second = judged(rows, mixed, batch=1)
    pd.testing.assert_frame_equal(
        pd.DataFrame(first.findings.drop(columns="geometry")),
        pd.DataFrame(second.findings.drop(columns="geometry")),
    )
    pd.testing.assert_frame_equal(first.coverage, second.coverage)


@pytest.mark.slow
@few
@given(patch_lists, worlds, boxes, day, day)
def test_one_approval_more_never_makes_it_worse(rows, world, place, given_on, applied):
    layers = layers_of(world)
    use = {"date": given_on, "applied": applied, "use": None}
    more = layers | {"approval": [*layers["approval"], ("zz", place, use)]}
    before, after = judged(rows, layers), judged(rows, more)
    assert area_of(after, "suspected") <= area_of(before, "suspected") + 4 * len(rows)
    closed = areas(before, "legal", "other", "non_new", "below_threshold")
    still = areas(after, "legal", "other", "non_new", "below_threshold")
    for name, outline in closed.items():
        lost = outline.difference(still[name]).area if name in still else outline.area
        assert lost <= 7.0  # parts below 0.01 mu go with their neighbour


@pytest.mark.slow
@few
@given(patch_lists, worlds)
def test_the_answer_does_not_depend_on_the_reference_system(rows, world):
    layers = layers_of(world)
    first = judged(rows, layers)
    for crs in ("EPSG:4490", "EPSG:4547"):
        other = judged(rows, layers, crs=crs)
        one, two = (in_order(j.findings) for j in (first, other))
        names = ["patch_id", "line", "rule", "outcome", "flags"]
        assert two[names].equals(one[names])
        for column in ("area_dm2", "cropland_dm2", "pbf_dm2", "redline_dm2"):
            assert (two[column] - one[column]).abs().max() <= 2


def in_order(findings):
    """Return findings by patch, line, rule and area: equal areas are numbered as they come."""
    names = ["patch_id", "line", "rule", "outcome", "flags"]
    areas = ["area_dm2", "cropland_dm2", "pbf_dm2", "redline_dm2"]
    table = pd.DataFrame(findings[[*names, *areas]])
    table["about"] = (table["area_dm2"] / 100).round()
    for name in areas[1:]:
        table[f"{name}_about"] = (table[name] / 100).round()
    return table.sort_values(
        [*names, "about", *(f"{n}_about" for n in areas[1:])], ignore_index=True
    )


@pytest.mark.slow
@few
@given(patch_lists, worlds, st.sets(st.sampled_from(["approval", "temporary", "supply"])))
def test_without_completeness_nothing_becomes_lawful_or_suspected(rows, world, open_roles):
    layers = layers_of(world)
    full = onemap_of(layers)
    tables = {
        r: dataclasses.replace(t, complete=False) if r in open_roles else t
        for r, t in full.layers.items()
    }
    closed = judge_patches(patches_made(rows), full, shipped("cn-land")).findings
    opened = judge_patches(
        patches_made(rows), OneMap(CRS, tables, LayersFile()), shipped("cn-land")
    ).findings
    for old, new in zip(closed["outcome"], opened["outcome"], strict=True):
        if old != new:
            assert new in ("unresolved", "non_new", "other")


CASES = [c for c in cases("land") if "rules" not in c and "set" not in c]
ORDERED = sorted({n for c in CASES for n in c["facts"]})


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(CASES), st.data())
def test_forgetting_a_fact_never_decides_against_it(case, data):
    """What is legal or suspected with a fact forgotten stays so whatever the fact turns out."""
    from tests.clues.casebook import table

    rules = shipped("cn-land")
    names = [n for n in sorted(case["facts"]) if catalogue()[n].kind not in ("documents", "text")]
    name = data.draw(st.sampled_from(names))
    forgotten = table(case["facts"] | {name: "unknown"})
    way = judge_line(forgotten, rules, "land")[0]
    told = judge_line(table(case["facts"]), rules, "land")[0]
    assumed = {leaf.fact for s in way.steps for leaf, bare, taken in s.leaves if bare != taken}
    if way.outcome == "legal" and name not in assumed and not way.possible:
        assert told.outcome in ("legal", "non_new", "below_threshold")
    if way.outcome == "suspected" and name not in assumed:
        assert told.outcome == "suspected" or told.rule in ("V8",)


def test_an_empty_county_is_judged():
    found = judged([(rectangle(0, 0, 100, 100), "industry")], {"landuse": []})
    assert found.findings["outcome"].tolist() == ["unresolved"]
    assert found.patches["disposition"].tolist() == ["clue"]


@pytest.mark.parametrize("workers", [1, 2])
def test_forked_batches_answer_the_same(workers):
    rows = [(rectangle(40 * i, 0, 40 * i + 30, 30), u) for i, u in enumerate(USES)]
    one = {"approval": [(rectangle(0, 0, 100, 100), {"date": dt.date(2024, 1, 1)})]}
    layers = layers_of(one)
    first = judged(rows, layers)
    second = judged(rows, layers, batch=3, workers=workers)
    pd.testing.assert_frame_equal(
        pd.DataFrame(first.findings.drop(columns="geometry")),
        pd.DataFrame(second.findings.drop(columns="geometry")),
    )


def test_a_fact_that_nobody_tells_is_unknown():
    facts = FactTable(np.array(["P1"], dtype=object), np.array(["P1"], dtype=object))
    for name, fact in catalogue().items():
        column = facts[name]
        assert not column.known[0], fact
        assert isinstance(column, FactColumn)
