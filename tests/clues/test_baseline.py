"""Confirmed changes in the land-use layer: classes, areas to the last dm², numbers."""

import datetime as dt
import random
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from clues.baseline import Confirmed, changed_parcels
from clues.baselineversions import keep_baseline
from clues.onemap import Catalogue
from clues.versions import read_version
from configs.crosswalk import class_of_use, told_class
from configs.errors import StoreError
from configs.layers import LayersFile
from configs.vocabulary import SCHEMES, land_class, uses
from tests.clues.made import CRS, rectangle
from tiles.geodesy import ellipsoidal_area

DAY = dt.date(2025, 12, 20)
BSM = "3703052100{:08d}"


def landuse(*parcels):
    """Return a land-use version of (id, code, outline, town)."""
    rows = {
        "id": [p[0] for p in parcels],
        "code": [p[1] for p in parcels],
        "scheme": ["sandiao"] * len(parcels),
        "town": [(*p, None)[3] for p in parcels],
        "kcxs": [0.1] * len(parcels),
        "source": ["DLTB.gpkg"] * len(parcels),
        "row": range(1, len(parcels) + 1),
    }
    return gpd.GeoDataFrame(rows, geometry=[p[2] for p in parcels], crs=CRS)


def two_fields():
    return landuse(
        (BSM.format(1), "0103", rectangle(0, 0, 100, 100)),
        (BSM.format(2), "0103", rectangle(100, 0, 200, 100)),
        (BSM.format(9), "0301", rectangle(0, 100, 200, 200)),
    )


def plant(name="T1", outline=None, use="industry", told="", day=DAY):
    return Confirmed(name, f"clue {name}", outline or rectangle(60, 20, 140, 60), day, use, told)


def dm2(table):
    return int(np.rint(ellipsoidal_area(table.geometry.to_numpy(), CRS) * 100).sum())


def test_parcels_are_cut_and_what_keeps_its_class_keeps_its_number():
    before = two_fields()
    after = changed_parcels(before, [plant()])
    classes = dict(zip(after.table["id"], after.table["code"], strict=True))
    assert classes == {
        BSM.format(1): "0103",
        BSM.format(2): "0103",
        BSM.format(9): "0301",
        BSM.format(10): "0601",
        BSM.format(11): "0601",
    }
    assert after.replaced == (BSM.format(1), BSM.format(2))
    assert after.gone == ()
    new = after.table[after.table["code"] == "0601"]
    assert shapely.union_all(new.geometry.to_numpy()).equals(rectangle(60, 20, 140, 60))
    assert new["kcxs"].isna().all()
    rows = after.changes[["former_id", "former_code", "id", "code", "object_id", "told_by"]]
    assert rows.to_numpy().tolist()[0] == [
        *(BSM.format(1), "0103", BSM.format(10), "0601", "T1", "machine"),
    ]


def test_areas_of_the_parts_sum_up_to_the_parcel_to_the_last_dm2():
    rng = random.Random(3)
    shapes = []
    for _ in range(25):
        x, y = rng.uniform(5, 180), rng.uniform(5, 180)
        turned = shapely.affinity.rotate(rectangle(x, y, x + 17.3, y + 8.9), rng.uniform(0, 90))
        shapes.append(turned)
    before = two_fields()
    ones = [plant(f"T{i:02d}", s) for i, s in enumerate(shapes)]
    after = changed_parcels(before, ones)
    areas = np.rint(after.table["area_m2"].to_numpy() * 100).astype(np.int64)
    each = np.rint(ellipsoidal_area(before.geometry.to_numpy(), CRS) * 100).astype(np.int64)
    assert areas.sum() == each.sum()
    home = dict(zip(after.changes["id"], after.changes["former_id"], strict=True))
    of = [home.get(i, i) for i in after.table["id"]]
    sums = {p: int(areas[[o == p for o in of]].sum()) for p in before["id"]}
    assert list(sums.values()) == each.tolist()
    again = changed_parcels(after.table, ones, after.serials)
    assert again.changes.empty
    assert again.table["area_m2"].equals(after.table["area_m2"])
    shuffled = changed_parcels(before.sample(frac=1, random_state=1), ones[::-1])
    assert shuffled.table["id"].tolist() == after.table["id"].tolist()
    assert shuffled.table.geometry.to_wkb().tolist() == after.table.geometry.to_wkb().tolist()


def test_a_number_is_never_given_out_again():
    first = changed_parcels(two_fields(), [plant()])
    back = two_fields()  # somebody imported the layer of before
    second = changed_parcels(back, [plant()], first.serials)
    assert set(second.changes["id"]).isdisjoint(first.changes["id"])
    plain = landuse(
        ("17", "0103", rectangle(0, 0, 100, 100)), ("a", "0103", rectangle(100, 0, 200, 100))
    )
    found = changed_parcels(plain, [plant()])
    assert sorted(found.changes["id"]) == ["18", "a-1"]


def test_a_parcel_that_is_cut_in_two_keeps_its_number_once():
    middle = rectangle(40, -1, 50, 101)
    after = changed_parcels(two_fields(), [plant(outline=middle)])
    rows = after.changes[after.changes["former_id"] == BSM.format(1)]
    assert sorted(zip(rows["code"], rows["object_id"], strict=True)) == [
        ("0103", ""),
        ("0601", "T1"),
    ]
    whole = changed_parcels(two_fields(), [plant(outline=rectangle(-1, -1, 100, 100))])
    assert whole.gone == (BSM.format(1),)


def test_a_class_that_nobody_told_changes_nothing_and_is_listed():
    ones = [
        plant("T1", use="building"),
        plant("T2", rectangle(10, 110, 20, 120), use="building", told="公园"),
        plant("T3", rectangle(30, 110, 40, 120), use="moved_earth"),
        plant("T4", rectangle(50, 110, 60, 120), use="building", told="0508"),
        plant("T5", rectangle(70, 110, 80, 120), use="industry", told="林地"),
    ]
    after = changed_parcels(two_fields(), ones)
    assert after.changes["code"].tolist() == ["0508"]
    told = after.unsettled[["object_id", "why"]].to_numpy().tolist()
    assert told == [
        ["T1", "not_told"],
        ["T1", "not_told"],
        ["T2", "told_unknown"],
        ["T5", "told_unknown"],
    ]


def test_the_later_of_two_outlines_counts():
    early = plant("T9", use="mining", day=dt.date(2025, 3, 20))
    after = changed_parcels(two_fields(), [plant("T1", rectangle(60, 20, 100, 60)), early])
    areas = after.changes.groupby("code")["area_dm2"].sum().to_dict()
    assert areas["0601"] == pytest.approx(160_000, abs=200)
    assert areas["0602"] == pytest.approx(160_000, abs=200)


def test_every_use_has_a_class_or_a_reason_in_both_schemes():
    for scheme in SCHEMES:
        for use in uses():
            row = class_of_use(use, scheme)
            assert row.because
            assert not (row.stays and row.code)
            if row.code:
                found = land_class(scheme, row.code)
                groups = {"construction", "transport"} if found.category == "construction" else None
                assert uses()[use].group == found.group or groups
    assert class_of_use("road", "sandiao", "203").code == "1004"
    assert told_class("住宅", "guide2023").code == "0703"
    assert told_class("什么", "sandiao") is None


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    """Return a catalogue with the two fields, in force since 2020."""
    table = two_fields().rename(columns={"id": "BSM", "code": "DLBM"})
    table[["BSM", "DLBM", "geometry"]].to_file(tmp_path / "DLTB.gpkg", index=False)
    (tmp_path / "LAYERS.yaml").write_text(
        "version: 1\nlayers:\n"
        "- {role: landuse, source: DLTB.gpkg, complete: true, no_overlap: true}\n"
    )
    with Catalogue(tmp_path / "store") as made:
        made.import_layers(
            LayersFile.load(tmp_path / "LAYERS.yaml"), valid_from=dt.date(2020, 1, 1)
        )
        yield made


def test_a_baseline_is_a_version_with_a_parent_and_is_made_once(catalogue: Catalogue):
    done = keep_baseline(catalogue, [plant()], crs=CRS, valid_from=DAY)
    version = done.imported.version
    assert done.imported.is_new
    assert version.parent == done.parent.version
    assert (version.valid_from, version.complete) == (DAY, True)
    assert version.details["changes"] == {"added": 2, "replaced": 2, "gone": 0}
    again = keep_baseline(catalogue, [plant()], crs=CRS, valid_from=DAY)
    assert not again.imported.is_new
    assert again.imported.version == version
    more = plant("T2", rectangle(10, 110, 20, 120))
    later = keep_baseline(catalogue, [plant(), more], crs=CRS, valid_from=DAY)
    assert later.imported.version.parent == version.version
    assert set(later.baseline.changes["object_id"]) == {"T2"}
    centre = rectangle(70, 30, 72, 32).centroid
    codes = [
        [c.feature["code"] for c in catalogue.at(centre.x, centre.y, crs=CRS, on=day)]
        for day in (dt.date(2025, 12, 19), DAY)
    ]
    assert codes == [["0103"], ["0601"]]


def test_what_people_told_once_stays_until_they_tell_otherwise(catalogue: Catalogue):
    def codes(one: Confirmed) -> tuple[set[str], int]:
        done = keep_baseline(catalogue, [one], crs=CRS, valid_from=DAY)
        table = read_version("landuse", catalogue.path(done.imported.version))
        return set(table["code"]) - {"0103", "0301"}, len(done.baseline.unsettled)

    assert codes(plant(use="building", told="0508")) == ({"0508"}, 0)
    assert codes(plant(use="building")) == ({"0508"}, 0)
    assert codes(plant(use="mining")) == ({"0508"}, 0)
    assert codes(plant(use="mining", told="0601")) == ({"0601"}, 0)


def test_unconfirmed_ground_or_none_makes_no_version(catalogue: Catalogue):
    for confirmed in ([], [plant(use="building")]):
        done = keep_baseline(catalogue, confirmed, crs=CRS, valid_from=DAY)
        assert not done.imported.is_new
    with pytest.raises(StoreError, match="no land-use layer was in force on 2019"):
        keep_baseline(catalogue, [plant()], crs=CRS, valid_from=dt.date(2019, 1, 1))


def test_areas_and_numbers_go_on_from_the_version_before(catalogue: Catalogue):
    first = keep_baseline(catalogue, [plant()], crs=CRS, valid_from=DAY)
    more = plant("T2", rectangle(10, 30, 80, 44), use="mining", day=dt.date(2026, 1, 1))
    second = keep_baseline(catalogue, [plant(), more], crs=CRS, valid_from=dt.date(2026, 1, 1))
    tables = [read_version("landuse", catalogue.path(d.imported.version)) for d in (first, second)]
    sums = [int(np.rint(t["area_m2"].to_numpy() * 100).sum()) for t in tables]
    assert sums[0] == sums[1] == dm2(two_fields())
    new = set(second.baseline.changes["id"])
    assert new.isdisjoint(tables[0]["id"])
