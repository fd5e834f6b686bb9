"""Land classes under patches before the change: whole patches, exact sums."""

import shapely

from clues.formerclasses import CLASS_COLUMNS, former_classes
from tests.clues.made import layer, patch, patches_of, rectangle


def landuse(*rows):
    made = [(name, outline, {"code": code, "scheme": "sandiao"}) for name, outline, code in rows]
    return layer("landuse", made).table


def test_the_largest_parcel_comes_first_and_areas_sum_up():
    patches = patches_of([patch(rectangle(0, 0, 100, 90)), patch(rectangle(500, 0, 520, 20))])
    table = former_classes(
        patches,
        landuse(
            ("1", rectangle(-50, -50, 30, 200), "0102"), ("2", rectangle(30, -50, 90, 200), "0301")
        ),
    )
    assert list(table.columns) == [*CLASS_COLUMNS, "geometry"]
    rows = table.drop(columns="geometry").to_dict("records")
    assert [(r["patch_id"], r["parcel"], r["code"]) for r in rows] == [
        ("P1", "2", "0301"),
        ("P1", "1", "0102"),
        ("P1", "", ""),
        ("P2", "", ""),
    ]
    sums = table.groupby("patch_id")["area_dm2"].sum()
    assert sums.to_dict() == dict(zip(patches["patch_id"], patches["area_dm2"], strict=True))


def test_where_outlines_only_touch_there_is_no_piece():
    patches = patches_of([patch(rectangle(0, 0, 100, 100))])
    hook = shapely.union_all([rectangle(50, 50, 200, 80), rectangle(100, 0, 200, 80)])
    table = former_classes(
        patches, landuse(("1", hook, "0301"), ("2", rectangle(-9, 0, 0, 9), "1"))
    )
    assert table["parcel"].tolist() == ["", "1"]
    assert set(table.geom_type) <= {"Polygon", "MultiPolygon"}


def test_without_a_layer_there_are_no_rows():
    patches = patches_of([patch(rectangle(0, 0, 100, 100))])
    assert len(former_classes(patches, None)) == 0


def test_a_narrow_gap_between_parcels_is_told_and_arithmetic_is_not():
    patches = patches_of([patch(rectangle(0, 0, 100, 100))])
    gaps = {0.0005: [5], 0.00002: [], 0.0: []}
    for wide, expected in gaps.items():
        parcels = landuse(
            ("1", rectangle(-9, -9, 50, 109), "0102"),
            ("2", rectangle(50 + wide, -9, 109, 109), "0301"),
        )
        table = former_classes(patches, parcels)
        assert table["area_dm2"][table["parcel"] == ""].tolist() == expected
        assert table["area_dm2"].sum() == patches["area_dm2"].sum()
