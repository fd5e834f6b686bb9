"""Parcels: what an inspector would draw, line by line."""

import datetime as dt

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from clues.delivered import load_patches
from clues.layers import LayerTable, OneMap, build_onemap
from clues.overlay import pieces
from clues.parcels import LINE_ROLES, partition
from configs.layers import LayersFile, LayerSpec, PatchSource
from configs.vocabulary import Line, roles
from tiles.geodesy import ellipsoidal_area

CRS = "EPSG:4526"
X, Y = 38_500_000.0, 4_060_000.0
EARLY, BETWEEN, LATE = dt.date(2025, 1, 10), dt.date(2025, 5, 1), dt.date(2025, 7, 1)
NAMES = {
    "landuse": "DLTB",
    "basic_farmland": "YJJBNTTB",
    "redline": "STBHHX",
    "growth_boundary": "CZKFBJ",
    "approval": "JSYDSP",
    "supply": "TDGY",
    "temporary": "LSYD",
    "facility": "SSNYD",
    "mining_right": "CKQ",
}


def rectangle(x0, y0, x1, y1):
    return shapely.box(X + x0, Y + y0, X + x1, Y + y1)


def onemap_of(layers):
    """Build a One-Map from {role: [(id, polygon, {field: value}), …]} in memory."""
    tables = {}
    for role, rows in layers.items():
        table = geopandas.GeoDataFrame(
            {"key": [f"{role}:{i}" for i, _, _ in rows]},
            geometry=[g for _, g, _ in rows],
            crs=CRS,
        )
        for field in sorted({f for _, _, fields in rows for f in fields}):
            table[field] = pd.Series([fields.get(field) for _, _, fields in rows], dtype=object)
        empty = pd.DataFrame()
        spec = LayerSpec(role=role, source="memory")
        tables[role] = LayerTable(role, (spec,), table, empty, empty, "0", True)
    return OneMap(CRS, tables, LayersFile())


def patches_of(*shapes):
    area = np.rint(ellipsoidal_area(shapes, CRS) * 100).astype(np.int64)
    dates = {"before_from": dt.date(2025, 3, 5), "after_to": dt.date(2025, 6, 12)}
    return geopandas.GeoDataFrame({"area_dm2": area, **dates}, geometry=list(shapes), crs=CRS)


def divide(patch, layers, line=Line.LAND, **settings):
    """Return [(m², ids of the documents)] of the parcels of one patch."""
    onemap = onemap_of(layers)
    found = pieces(patches_of(patch), onemap)
    parcels = partition(found, onemap, line, **settings)
    assert parcels.area_dm2.sum() == found.area_dm2.sum()
    assert parcels.parcel_no.tolist() == list(range(1, len(parcels) + 1))
    ids = [" ".join(k.split(":")[1] for k in d) for d in parcels.documents]
    return list(zip((parcels.area_dm2 / 100).tolist(), ids, strict=True))


def approval(name, x0, y0, x1, y1, date=EARLY, **fields):
    return name, rectangle(x0, y0, x1, y1), {"date": date, **fields}


CROP = [("1", rectangle(-100, -100, 500, 500), {"group": "cropland"})]
FOREST = [("1", rectangle(-100, -100, 500, 500), {"group": "forest"})]
PATCH = rectangle(0, 0, 100, 100)


@pytest.mark.parametrize("crs", ["EPSG:4526", "EPSG:4490", "EPSG:4547"])
def test_worked_county(oracle_dir, crs):
    specs = [LayerSpec(role=r, source=oracle_dir / f"{n}.geojson") for r, n in NAMES.items()]
    onemap = build_onemap(LayersFile(layers=specs), crs=crs)
    patches, _ = load_patches(PatchSource(source="BHTB.geojson"), oracle_dir, crs)
    found = pieces(patches, onemap)
    land = partition(found, onemap, Line.LAND)
    named = {}
    for i in range(len(land)):
        name = patches["patch_id"][land.patch[i]]
        ids = " ".join(k.split(":")[1] for k in land.documents[i])
        named[f"{name}_{land.parcel_no[i]}"] = (land.area_dm2[i] / 100, ids)
    assert named == {
        "P1_1": (6400, "A1 G1"),
        "P2_1": (3600, "A2 G2"),
        "P2_2": (1200, ""),
        "P3_1": (2400, ""),
        "P4_1": (2500, "L1"),
        "P4_2": (1700, ""),
        "P5_1": (1200, "F1"),
        "P6_1": (900, ""),
        "P7_1": (2000, ""),
        "P8_1": (320, ""),
        "P9_1": (150, ""),
    }
    mining = partition(found, onemap, Line.MINING)
    p7 = patches.index[patches["patch_id"] == "P7"][0]
    assert (mining.area_dm2[mining.patch == p7] / 100).tolist() == [800, 1200]
    assert [d for d in mining.documents if d] == [("mining_right:K1",)]
    for line in Line:
        parcels = partition(found, onemap, line)
        sums = np.bincount(parcels.patch, parcels.area_dm2)
        assert sums.tolist() == patches["area_dm2"].tolist()
        outlines = ellipsoidal_area(parcels.outlines(found), crs)
        assert outlines == pytest.approx(parcels.area_dm2 / 100, abs=0.01)


def test_every_document_role_belongs_to_one_line():
    named = [role for line in Line for role in LINE_ROLES[line]]
    assert len(named) == len(set(named))
    assert set(named) <= set(roles())


def test_a_patch_that_fits_is_one_parcel():
    layers = {"landuse": FOREST, "approval": [approval("a", 0, 0, 96, 100)]}
    assert divide(PATCH, layers) == [(10_000, "a")]


def test_a_patch_that_does_not_fit_is_split():
    layers = {"landuse": FOREST, "approval": [approval("a", 0, 0, 94, 100)]}
    assert divide(PATCH, layers) == [(9400, "a"), (600, "")]


def test_uncovered_cropland_splits_although_the_share_fits():
    layers = {"landuse": CROP, "approval": [approval("a", 0, 0, 96, 100)]}
    assert divide(PATCH, layers) == [(9600, "a"), (400, "")]  # 400 m² are 0.6 mu
    assert divide(PATCH, layers, uncovered_cropland_mu=0.7) == [(10_000, "a")]
    assert divide(PATCH, layers, uncovered_cropland_mu=0.6) == [(9600, "a"), (400, "")]


def test_half_a_mu_of_cropland_is_too_much():
    long = rectangle(0, 0, 300, 100)
    for uncovered, expected in ((333.0, 1), (334.0, 2)):
        layers = {"landuse": CROP, "approval": [approval("a", 0, 0, 300 - uncovered / 100, 100)]}
        assert len(divide(long, layers)) == expected


def test_a_small_documented_part_keeps_its_right():
    layers = {"landuse": FOREST, "approval": [approval("a", 0, 0, 3, 100)]}
    assert divide(PATCH, layers) == [(300, "a"), (9700, "")]


def test_tiny_parts_join_their_neighbour():
    layers = {"landuse": FOREST, "approval": [approval("a", 0, 0, 2, 3)]}
    assert divide(PATCH, layers) == [(10_000, "")]
    layers = {"approval": [approval("a", 0, 0, 50, 100), approval("b", 50, 0, 52, 3)]}
    assert divide(PATCH, layers) == [(5000, "a"), (5000, "")]


def test_neighbouring_approvals_with_a_small_gap():
    layers = {
        "landuse": CROP,
        "approval": [approval("a", 0, 0, 57, 100), approval("b", 60, 0, 100, 100)],
    }
    assert divide(PATCH, layers) == [(6000, "a"), (4000, "b")]


def test_overlap_of_like_approvals_is_no_parcel_of_its_own():
    layers = {"approval": [approval("a", 0, 0, 60, 100), approval("b", 50, 0, 100, 100)]}
    assert divide(PATCH, layers) == [(6000, "a b"), (4000, "b")]
    layers = {"approval": [approval("a", 0, 0, 100, 100), approval("b", 20, 20, 50, 50)]}
    assert divide(PATCH, layers) == [(10_000, "a b")]


def test_a_late_approval_does_not_hide_an_early_one():
    layers = {
        "approval": [approval("a", 0, 0, 100, 100, LATE), approval("b", 0, 0, 40, 100, EARLY)]
    }
    assert divide(PATCH, layers) == [(6000, "a"), (4000, "a b")]
    layers["approval"][1] = approval("b", 0, 0, 40, 100, None)
    assert divide(PATCH, layers) == [(6000, "a"), (4000, "a b")]


def test_approvals_for_other_uses_stay_apart():
    layers = {
        "approval": [
            approval("a", 0, 0, 100, 100, use="dwelling"),
            approval("b", 0, 0, 40, 100, use="industry"),
        ]
    }
    assert divide(PATCH, layers) == [(6000, "a"), (4000, "a b")]


def test_supply_of_a_part_makes_two_sets_of_documents():
    layers = {
        "approval": [approval("a", 0, 0, 100, 100)],
        "supply": [approval("g", 0, 0, 40, 100, BETWEEN)],
    }
    assert divide(PATCH, layers) == [(6000, "a"), (4000, "a g")]
    assert divide(PATCH, layers, Line.MINING) == [(10_000, "")]


def test_expired_and_valid_permits_stay_apart():
    def permit(name, x0, x1, end):
        return name, rectangle(x0, 0, x1, 100), {"valid_to": end}

    layers = {"temporary": [permit("old", 0, 100, EARLY), permit("new", 0, 50, LATE)]}
    assert divide(PATCH, layers) == [(5000, "new old"), (5000, "old")]


def test_one_set_of_documents_in_two_places_is_one_parcel():
    layers = {"landuse": FOREST, "approval": [approval("a", 40, 0, 60, 100)]}
    onemap = onemap_of(layers)
    found = pieces(patches_of(PATCH), onemap)
    parcels = partition(found, onemap, Line.LAND)
    assert parcels.area_dm2.tolist() == [200_000, 800_000]
    outlines = parcels.outlines(found)
    assert [shapely.get_num_geometries(g) for g in outlines] == [1, 2]
    assert [p.tolist() for p in parcels.pieces] == [[1], [0, 2]]


def test_larger_first_then_north_west():
    layers = {
        "approval": [
            approval("a", 0, 0, 50, 50),
            approval("b", 50, 50, 100, 100),
            approval("c", 50, 0, 100, 20),
            approval("d", 0, 50, 50, 100),
        ]
    }
    assert divide(PATCH, layers) == [(2500, "d"), (2500, "b"), (2500, "a"), (1000, "c"), (1500, "")]


steps = st.integers(0, 9)
documents = st.lists(
    st.tuples(
        steps, steps, st.integers(1, 10), st.integers(1, 10), st.sampled_from([EARLY, LATE, None])
    ),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(documents, documents, st.sampled_from([0.8, 0.95, 1.0]), st.randoms(use_true_random=False))
def test_parcels_partition_the_patch_in_any_order(approvals, supplies, tau, random):
    layers = {"landuse": CROP}
    for role, rows in (("approval", approvals), ("supply", supplies)):
        if rows:
            layers[role] = [
                approval(f"{role[0]}{i}", 10 * x, 10 * y, 10 * (x + w), 10 * (y + h), date)
                for i, (x, y, w, h, date) in enumerate(rows)
            ]
    patches = patches_of(PATCH, rectangle(50, 50, 130, 90))
    onemap = onemap_of(layers)
    found = pieces(patches, onemap)
    parcels = partition(found, onemap, Line.LAND, tau=tau)
    assert np.bincount(parcels.patch, parcels.area_dm2).tolist() == patches["area_dm2"].tolist()
    assert np.bincount(parcels.of_piece, found.area_dm2).tolist() == parcels.area_dm2.tolist()
    assert (parcels.patch[parcels.of_piece] == found.patch).all()
    outlines = parcels.outlines(found)
    assert shapely.area(outlines) == pytest.approx(parcels.area_dm2 / 100, abs=0.1)
    for i, names in enumerate(parcels.documents):
        keys = {k for p in parcels.pieces[i] for k in found.keys[p]}
        assert set(names) <= keys
    for rows in layers.values():
        random.shuffle(rows)
    second = partition(pieces(patches, onemap_of(layers)), onemap_of(layers), Line.LAND, tau=tau)
    assert second.documents == parcels.documents
    assert second.area_dm2.tolist() == parcels.area_dm2.tolist()
