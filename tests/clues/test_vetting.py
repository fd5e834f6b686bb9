"""Vetting: each check passes, just misses, or asks; unions, days, order, reference systems."""

import datetime as dt
import json
import re
from importlib import resources

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from clues.layers import OneMap
from clues.onemap import Catalogue
from clues.vetting import layers_on, vet_parcels
from configs.errors import ConfigError
from configs.layers import LayersFile
from configs.vetting import CAUSES, Limit, load_vetting
from configs.vocabulary import uses
from tests.clues.made import CRS, layer, onemap_of, rectangle
from tiles.geodesy import ellipsoidal_area

ON = dt.date(2025, 6, 12)
RULES = load_vetting("vet-land")
WHOLE = rectangle(0, 0, 100, 100)
FIELDS = {
    "name": "新厂",
    "use": "industry",
    "use_text": "工业",
    "holder": None,
    "applied": dt.date(2025, 5, 1),
    "stated_m2": 10_000.0,
    "lon": 114.0,
    "lat": 36.67,
    "sheet": "J50G080001",
    "row": 1,
}


def parcels_of(*rows, crs=CRS):
    """Return proposed parcels of (outline, differing fields)."""
    shapes = geopandas.GeoSeries([g for g, _ in rows], crs=CRS).to_crs(crs)
    table = geopandas.GeoDataFrame([FIELDS | fields for _, fields in rows], geometry=shapes)
    table.insert(0, "parcel_id", [f"Q{i}" for i in range(1, len(rows) + 1)])
    table["area_dm2"] = np.rint(ellipsoidal_area(shapes.to_numpy(), crs) * 100).astype(np.int64)
    return table


def part(width):
    """Return the western part of the parcel, in metres from its west side."""
    return rectangle(-50, -50, width, 150)


def vetted(onemap, *only, rules=RULES, on=ON, outline=WHOLE, **fields):
    """Vet one parcel by all checks, or only some."""
    checks = tuple(c for c in rules.checks if not only or c.code in only)
    rules = rules.model_copy(update={"checks": checks})
    return vet_parcels(parcels_of((outline, fields)), onemap, rules, on)


def answer(vetting, code):
    own = vetting.checks[vetting.checks["check"] == code]
    return own.iloc[0]


def answered(onemap, code, **options):
    return answer(vetted(onemap, code, **options), code)


def with_limit(code, **limit):
    checks = [
        c.model_copy(update={"limit": Limit(**limit)}) if c.code == code else c
        for c in RULES.checks
    ]
    return RULES.model_copy(update={"checks": tuple(checks)})


COVERED = {
    "basic_farmland": ("basic_farmland", {}, "fail"),
    "redline": ("redline", {}, "fail"),
    "approved": ("approval", {"number": "批1", "date": dt.date(2025, 6, 12)}, "fail"),
    "supplied": ("supply", {"number": "供1", "date": dt.date(2024, 1, 1)}, "fail"),
    "minerals": (
        "mining_right",
        {
            "number": "C1",
            "kind": "mining",
            "valid_from": dt.date(2020, 1, 1),
            "valid_to": dt.date(2025, 6, 12),
        },
        "ask",
    ),
    "hazard": ("hazard", {"name": "高易发区"}, "ask"),
    "reserve": ("reserve", {"number": "CB1", "status": "在库"}, "ask"),
    "restoration": ("restoration", {"number": "B1", "date": dt.date(2024, 1, 1)}, "ask"),
    "former_clue": ("former_clue", {"number": "X1", "date": dt.date(2024, 1, 1)}, "ask"),
}


@pytest.mark.parametrize("code", COVERED)
@pytest.mark.parametrize(("width", "above"), [(1.0, False), (1.001, True)])
def test_what_is_covered_decides_at_its_limit(code, width, above):
    role, fields, otherwise = COVERED[code]
    rules = with_limit(code, value=100, unit="m2")
    row = answered(onemap_of({role: [("1", part(width), fields)]}), code, rules=rules)
    assert row["outcome"] == (otherwise if above else "pass")
    assert row["low_dm2"] == row["high_dm2"] == (10_010 if above else 10_000)
    assert row["features"] == f"{role}:1"
    assert row["source"] == f"{role}@0"
    assert row["cause"] == ""
    if role == "reserve" and above:
        assert "储备地块：CB1（在库） 100.10 m²" in row["sentence_zh"]
    assert bool(row["question_zh"]) == bool(row["question_en"]) == (row["outcome"] == "ask")
    for language in ("zh", "en"):
        assert ("100.10 m²" if above else "100.00 m²") in row[f"sentence_{language}"]
        assert "100 m²" in row[f"sentence_{language}"]


@pytest.mark.parametrize("code", [c.code for c in RULES.checks if c.role])
def test_without_a_layer_or_with_an_incomplete_one_nothing_passes(code):
    check = next(c for c in RULES.checks if c.code == code)
    row = answered(onemap_of({}), code)
    assert (row["outcome"], row["cause"], row["source"]) == ("ask", "layer", "")
    assert row["question_zh"]
    fields = {"name": "集中建设区", "code": "0601", "scheme": "sandiao", "group": "construction"}
    table = layer(check.role, [("1", rectangle(900, 900, 950, 950), fields)], complete=False)
    inside = layer(check.role, [("1", part(150), fields)], complete=False)
    helps = check.measure in ("outside", "zoned", "classed")
    onemap = OneMap(CRS, {check.role: inside if helps else table}, LayersFile())
    row = answered(onemap, code)
    assert (row["outcome"], row["cause"]) == ("ask", "incomplete")
    assert row["low_dm2"] == 0
    assert row["question_en"]


def test_an_incomplete_layer_can_make_it_fail():
    pbf = layer("basic_farmland", [("1", part(25), {})], complete=False)
    row = answered(OneMap(CRS, {"basic_farmland": pbf}, LayersFile()), "basic_farmland")
    assert (row["outcome"], row["low_dm2"], row["high_dm2"]) == ("fail", 250_000, 1_000_000)
    assert "2500.00 m²（3.75 亩） – 10000.00 m²（15.00 亩）" in row["sentence_zh"]


@pytest.mark.parametrize(
    ("stated", "outcome", "cause"),
    [
        (10_006.66, "pass", ""),
        (10_006.67, "ask", ""),
        (9_993.34, "pass", ""),
        (1.0, "ask", ""),
        (np.nan, "ask", "stated"),
    ],
)
def test_stated_area(stated, outcome, cause):
    row = answered(onemap_of({}), "area", stated_m2=stated)
    assert (row["outcome"], row["cause"]) == (outcome, cause)
    assert bool(row["question_zh"]) == (outcome == "ask")


@pytest.mark.parametrize(
    ("width", "use", "outcome", "cause"),
    [
        (150, "industry", "pass", ""),
        (99, "industry", "pass", ""),
        (98.999, "industry", "fail", ""),
        (98.999, "road", "ask", ""),
        (98.999, "unknown", "ask", "use"),
        (99, "unknown", "pass", ""),
    ],
)
def test_growth_boundary(width, use, outcome, cause):
    onemap = onemap_of({"growth_boundary": [("1", part(width), {})]})
    rules = with_limit("growth_boundary", value=0.01, unit="share")
    row = answered(onemap, "growth_boundary", rules=rules, use=use)
    assert (row["outcome"], row["cause"]) == (outcome, cause)
    if width < 99:
        assert "9899.90 m²" in row["sentence_en"]
        assert "100.10 m²" in row["sentence_zh"]


CENTRE, FARM, ODD = "城镇集中建设区", "永久基本农田保护区", "某某片区"


@pytest.mark.parametrize(
    ("zones", "use", "outcome", "cause", "low", "high"),
    [
        ([(CENTRE, 150)], "industry", "pass", "", 0, 0),
        ([(CENTRE, 99.8)], "industry", "fail", "", 2_000, 2_000),
        ([(CENTRE, 150), (FARM, 30)], "industry", "fail", "", 300_000, 300_000),
        ([("生态保护区", 150)], "unknown", "fail", "", 1_000_000, 1_000_000),
        ([(CENTRE, 150)], "unknown", "ask", "use", 0, 1_000_000),
        ([(CENTRE, 150), (ODD, 40)], "industry", "ask", "zone", 0, 400_000),
        ([(ODD, 150), (FARM, 40)], "industry", "fail", "", 400_000, 1_000_000),
        ([(CENTRE, 150)], "livestock_shed", "fail", "", 1_000_000, 1_000_000),
    ],
)
def test_plan_zones(zones, use, outcome, cause, low, high):
    rows = [(str(i), part(w), {"name": n}) for i, (n, w) in enumerate(zones)]
    vetting = vetted(onemap_of({"plan": rows}), "plan", use=use)
    row = answer(vetting, "plan")
    assert (row["outcome"], row["cause"]) == (outcome, cause)
    assert (row["low_dm2"], row["high_dm2"]) == (low, high)
    assert (ODD if cause == "zone" else zones[0][0]) in row["sentence_zh"]
    assert not (cause == "zone" and CENTRE in row["sentence_zh"] + row["question_en"])
    conflict = vetting.conflicts[vetting.conflicts["check"] == "plan"]
    assert conflict["area_dm2"].sum() == (0 if outcome == "pass" else high)


def landuse(*rows):
    """Return land use of (east side, code, group, category, ridge share)."""
    west, out = -50.0, []
    for i, (east, code, group, category, ridge) in enumerate(rows):
        fields = {"code": code, "scheme": "sandiao", "group": group, "category": category}
        out.append((str(i), rectangle(west, -50, east, 150), fields | {"kcxs": ridge}))
        west = east
    return {"landuse": out}


CROP = (40, "0103", "cropland", "agricultural", 0.1234)
BUILT = (150, "0601", "construction", "construction", np.nan)


@pytest.mark.parametrize(
    ("rows", "code", "outcome", "cause", "low", "high"),
    [
        ([BUILT], "cropland", "pass", "", 0, 0),
        ([CROP, BUILT], "cropland", "ask", "", 400_000, 400_000),
        ([(40, "9999", None, None, np.nan), BUILT], "cropland", "ask", "class", 0, 400_000),
        ([(40, *BUILT[1:])], "cropland", "ask", "class", 0, 600_000),
        ([(40, "0301", "forest", "agricultural", np.nan), BUILT], "forest", "ask", "", 400_000,
         400_000),
    ],
)  # fmt: skip
def test_land_classes(rows, code, outcome, cause, low, high):
    row = answered(onemap_of(landuse(*rows)), code)
    assert (row["outcome"], row["cause"]) == (outcome, cause)
    assert (row["low_dm2"], row["high_dm2"]) == (low, high)


def test_the_class_table_gross_and_net():
    rows = landuse(CROP, (55, "9999", None, None, np.nan), BUILT)
    vetting = vetted(onemap_of(rows), "cropland")
    table = vetting.classes
    assert table["code"].tolist() == ["0103", "0601", "9999"]
    assert table["name_zh"].tolist() == ["旱地", "工业用地", "地类不明"]
    assert table["gross_dm2"].tolist() == [400_000, 450_000, 150_000]
    assert table["net_dm2"].tolist() == [350_640, 450_000, 150_000]
    assert (table["net_dm2"] + table["deducted_dm2"] == table["gross_dm2"]).all()
    parcel = vetting.parcels.iloc[0]
    assert parcel["cropland_dm2"] == 400_000
    assert parcel["cropland_net_dm2"] == 350_640
    assert parcel["unknown_dm2"] == 150_000
    parts = ["cropland_dm2", "farmland_dm2", "construction_dm2", "unused_dm2", "unknown_dm2"]
    assert parcel[parts].sum() == parcel["area_dm2"]


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(0, 90), st.integers(3, 97), st.integers(3, 97)),
        max_size=5,
    ),
    st.randoms(use_true_random=False),
)
def test_classes_sum_up_and_overlapping_approvals_count_once(boxes, random):
    rows = [
        (str(i), rectangle(x, y, x + w, y + h), {"date": ON})
        for i, (x, y, w, h) in enumerate(boxes)
    ]
    classes = landuse((33.333, *CROP[1:]), (66.667, *BUILT[1:]))["landuse"]
    outline = shapely.Polygon([*WHOLE.exterior.coords[:2], (38_500_031.7, 4_060_088.8)])
    layers = {"approval": rows, "landuse": classes}
    vetting = vetted(onemap_of(layers), "approved", "cropland", outline=outline)
    area = vetting.parcels["area_dm2"].iloc[0]
    assert vetting.classes["gross_dm2"].sum() == area
    union = shapely.union_all([g for _, g, _ in rows]).intersection(outline)
    expected = ellipsoidal_area(np.array([union]), CRS)[0] * 100
    low = answer(vetting, "approved")["low_dm2"]
    assert low == pytest.approx(expected, abs=400)  # slivers join what is beside
    random.shuffle(rows)
    other = onemap_of(dict(reversed(layers.items())))
    again = vetted(other, "approved", "cropland", outline=outline)
    pd.testing.assert_frame_equal(again.checks, vetting.checks)
    pd.testing.assert_frame_equal(again.features, vetting.features)


def test_two_approvals_on_one_place_do_not_count_twice():
    day = {"date": dt.date(2024, 11, 20)}
    rows = [("A", part(60), {"number": "A"} | day), ("B", rectangle(37, 0, 100, 100), day)]
    vetting = vetted(onemap_of({"approval": rows}), "approved")
    row = answer(vetting, "approved")
    assert row["low_dm2"] == row["high_dm2"] == 1_000_000
    assert vetting.features["area_dm2"].tolist() == [600_000, 630_000]
    assert "A（2024-11-20） 6000.00 m²（9.00 亩），占 60.00 %" in row["sentence_zh"]


@pytest.mark.parametrize(
    ("date", "outcome", "cause"),
    [(ON, "fail", ""), (ON + dt.timedelta(1), "pass", ""), (None, "ask", "date")],
)
def test_an_approval_counts_from_its_day(date, outcome, cause):
    row = answered(onemap_of({"approval": [("A", part(20), {"date": date})]}), "approved")
    assert (row["outcome"], row["cause"]) == (outcome, cause)
    if date is None:
        assert (row["low_dm2"], row["high_dm2"]) == (0, 200_000)
        assert "A（日期缺失）" in row["question_zh"]
        assert "A (no date)" in row["question_en"]


@pytest.mark.parametrize("code", ["supplied", "restoration", "former_clue"])
def test_every_dated_paper_counts_from_its_day(code):
    role, fields, otherwise = COVERED[code]
    for date, outcome in ((ON, otherwise), (ON + dt.timedelta(1), "pass"), (None, "ask")):
        row = answered(onemap_of({role: [("1", part(20), fields | {"date": date})]}), code)
        assert (row["outcome"], row["cause"]) == (outcome, "" if date else "date")


@pytest.mark.parametrize(
    ("code", "asking"),
    [
        (
            "growth_boundary",
            "dwelling public road rural_road mining photovoltaic livestock_shed greenhouse unknown",
        ),
        ("redline", "road rural_road unknown"),
    ],
)
def test_uses_for_which_it_is_a_question_only(code, asking):
    role = next(c.role for c in RULES.checks if c.code == code)
    onemap = onemap_of({role: [("1", part(50), {})]})
    parcels = parcels_of(*((WHOLE, {"use": use}) for use in uses()))
    rules = RULES.model_copy(update={"checks": tuple(c for c in RULES.checks if c.code == code)})
    found = vet_parcels(parcels, onemap, rules, ON).checks
    asks = [u for u, o in zip(uses(), found["outcome"], strict=True) if o == "ask"]
    assert sorted(asks) == sorted(asking.split())
    assert set(found["outcome"]) == {"ask", "fail"}


@pytest.mark.parametrize(
    ("zone", "permitted"),
    [
        ("生态保护区", ""),
        ("生态控制区", "road rural_road"),
        ("农田保护区", "rural_road"),
        ("城镇弹性发展区", "road rural_road public"),
        ("村庄建设区", "dwelling commerce public building industry road rural_road livestock_shed "
         "greenhouse photovoltaic"),
        ("矿产能源发展区", "mining photovoltaic industry road"),
    ],
)  # fmt: skip
def test_what_a_plan_zone_permits(zone, permitted):
    onemap = onemap_of({"plan": [("1", part(150), {"name": zone})]})
    known = [u for u in uses() if u != "unknown"]
    parcels = parcels_of(*((WHOLE, {"use": use}) for use in known))
    rules = RULES.model_copy(update={"checks": tuple(c for c in RULES.checks if c.code == "plan")})
    found = vet_parcels(parcels, onemap, rules, ON).checks
    passing = [u for u, o in zip(known, found["outcome"], strict=True) if o == "pass"]
    assert sorted(passing) == sorted(permitted.split())
    assert set(found["outcome"]) <= {"pass", "fail"}


@pytest.mark.parametrize(
    ("changes", "outcome", "cause"),
    [
        ({}, "ask", ""),
        ({"valid_to": dt.date(2025, 6, 11)}, "pass", ""),
        ({"valid_to": dt.date(2025, 6, 11), "renewal": True}, "ask", ""),
        ({"valid_from": dt.date(2025, 6, 13)}, "pass", ""),
        ({"valid_to": None}, "ask", "date"),
        ({"kind": "exploration"}, "ask", ""),
    ],
)
def test_a_mining_right_counts_within_its_term(changes, outcome, cause):
    fields = COVERED["minerals"][1] | changes
    row = answered(onemap_of({"mining_right": [("C1", part(20), fields)]}), "minerals")
    assert (row["outcome"], row["cause"]) == (outcome, cause)
    if changes.get("kind"):
        assert "探矿权 C1（2020-01-01 – 2025-06-12）" in row["sentence_zh"]
        assert "exploration right C1 (2020-01-01 – 2025-06-12)" in row["sentence_en"]


def test_the_worst_check_is_the_parcels_answer():
    layers = {c.role: [("1", rectangle(900, 900, 910, 910), {})] for c in RULES.checks if c.role}
    layers["growth_boundary"] = [("1", part(150), {})]
    layers["plan"] = [("1", part(150), {"name": CENTRE})]
    layers |= landuse(BUILT)
    clean = vetted(onemap_of(layers))
    assert clean.checks["outcome"].tolist() == ["pass"] * len(RULES.checks)
    assert clean.parcels["outcome"].tolist() == ["pass"]
    assert not len(clean.conflicts)
    hazard = [("1", part(50), {"name": "高易发区"})]
    assert vetted(onemap_of(layers | {"hazard": hazard})).parcels["outcome"].tolist() == ["ask"]
    layers["redline"] = [("1", part(50), {})]
    assert vetted(onemap_of(layers | {"hazard": hazard})).parcels["outcome"].tolist() == ["fail"]


def written_layers(tmp_path, rows, **settings_):
    frame = geopandas.GeoDataFrame([f for _, f in rows], geometry=[g for g, _ in rows], crs=CRS)
    frame.to_file(tmp_path / "a.gpkg")
    spec = {"role": "approval", "source": tmp_path / "a.gpkg", "complete": True}
    return LayersFile.model_validate({"layers": [spec | settings_]})


def test_a_layer_counts_only_on_its_days(tmp_path):
    rows = [(part(50), {"DKBH": "A", "PZRQ": "2024-01-01"})]
    file = written_layers(tmp_path, rows, valid_to=dt.date(2025, 6, 11))
    assert layers_on(file, ON, CRS).layers == {}
    assert list(layers_on(file, dt.date(2025, 6, 11), CRS).layers) == ["approval"]


def test_a_catalogue_gives_the_version_of_the_day(tmp_path):
    rows = [(part(50), {"DKBH": "A", "PZRQ": "2024-01-01"})]
    with Catalogue(tmp_path / "store") as catalogue:
        file = written_layers(tmp_path, rows)
        catalogue.import_layers(file, valid_from=dt.date(2025, 1, 1))
        file = written_layers(tmp_path, [*rows, (rectangle(50, 0, 90, 100), rows[0][1] | {
            "DKBH": "B"})])  # fmt: skip
        catalogue.import_layers(file, valid_from=ON)
    named = LayersFile.model_validate(
        {"catalogue": tmp_path / "store",
         "layers": [{"role": "approval", "source": "catalogue:approval"}]}
    )  # fmt: skip
    for day, area in ((ON - dt.timedelta(1), 500_000), (ON, 900_000)):
        row = answered(layers_on(named, day, CRS), "approved", on=day)
        assert row["low_dm2"] == area


def test_texts_of_the_shipped_rules():
    texts = [t for c in RULES.checks for t in (c.name, c.passed, c.found, c.question) if t]
    texts += [t for u in RULES.unknown.values() for t in (u.sentence, u.question)]
    for text in [*texts, RULES.title]:
        plain = re.sub(r"\{\w+\}", "", text.zh)
        assert not re.search(r"[A-Za-z]", plain), text.zh
        assert not re.search(r"[\u3400-\u9fff]", text.en), text.en
        assert set(re.findall(r"\{\w+\}", text.zh)) == set(re.findall(r"\{\w+\}", text.en))
    for check in RULES.checks:
        for text in (check.passed, check.found):
            assert {"parcel", "against", "limit"} <= set(text.names())
    assert set(RULES.unknown) == set(CAUSES)


def test_written_rules_read_back_as_the_same(tmp_path):
    path = tmp_path / "rules.json"
    text = json.dumps(RULES.model_dump(mode="json"), ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    assert load_vetting(str(path)) == RULES
    assert load_vetting(str(path)).digest == RULES.digest


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("role: basic_farmland", "role: basic_farmlan", "no role 'basic_farmlan'"),
        ("groups: [forest]", "groups: [forests]", "no group 'forests'"),
        ("ask_for_uses: [road, rural_road]", "ask_for_uses: [rode]", "no use 'rode'"),
        ("占永久基本农田 {against}，不", "占永久基本农田 {againts}，不", "a text names 'againts'"),
        ("dates: term", "dates: terms", "checks.9.dates"),
        ("limit: {value: 0.01, unit: mu}", "limit: {value: 0.01, unit: acre}", "limit.unit"),
        ("code: hazard", "code: plan", "the check plan stands twice"),
        ("otherwise: fail", "otherwize: fail", "unknown key"),
        ("words: [弹性发展], ", "", "known by words or numbers"),
    ],
)
def test_a_broken_rule_file_is_refused_with_its_line(tmp_path, old, new, what):
    text = (resources.files("configs") / "vetting" / "vet-land.yaml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_vetting(str(path))
    assert what in caught.value.what
    assert re.search(r"mine\.yaml, line \d+", caught.value.where)
