"""Layers of the worked county, and of deliveries that are not as they should be."""

import datetime as dt
import json
import shutil
import warnings
import zipfile

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely

from clues.delivered import load_patches
from clues.layers import build_onemap, layers_fingerprint, read_onemap
from clues.sources import open_source
from configs.errors import ConfigError, LayerError
from configs.layers import LayersFile, LayerSpec, PatchSource
from tiles.geodesy import ellipsoidal_area

CRS = "EPSG:4526"
X, Y = 38_500_000.0, 4_060_000.0
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


def square(x, y, side=100.0):
    return shapely.box(X + x, Y + y, X + x + side, Y + y + side)


def write(path, geometry, crs=CRS, **columns):
    frame = geopandas.GeoDataFrame(columns, geometry=list(geometry), crs=crs)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        encoding = {"encoding": "GBK"} if path.suffix == ".shp" else {}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'crs' was not provided")
            frame.to_file(path, **encoding)
    return path


def read(role, source, crs=CRS, **settings):
    file = LayersFile(layers=(LayerSpec(role=role, source=source, **settings),))
    return build_onemap(file, crs=crs).layers[role]


@pytest.fixture
def approvals():
    return {
        "PZWH": ["冀政批（2024）1号", "冀政批（2024）2号"],
        "DKBH": ["A1", "A2"],
        "PZRQ": ["20241120", "20250110"],
        "PZMJ": [1.0, 0.5],
        "YTDM": ["0601", "厂房"],
    }


GEOMETRY = (square(0, 0), square(200, 0, 50**0.5 * 10))


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp", "gdb", "parquet", "fgb"])
def test_every_format_gives_the_same_table(tmp_path, approvals, suffix):
    source = write(tmp_path / f"JSYDSP.{suffix}", GEOMETRY, **approvals)
    layer = read("approval", source)
    table = layer.table
    assert table["key"].tolist() == ["approval:A1", "approval:A2"]
    assert table["number"].tolist() == ["冀政批（2024）1号", "冀政批（2024）2号"]
    assert table["date"].tolist() == [dt.date(2024, 11, 20), dt.date(2025, 1, 10)]
    assert table["area_m2"].tolist() == [10_000.0, 5_000.0]
    assert table["use"].tolist() == ["industry", "industry"]
    assert table["use_text"].tolist() == ["0601", "厂房"]
    assert table["applied"].tolist() == [None, None]
    assert str(table.crs) == CRS
    assert not len(layer.rejects)


@pytest.mark.parametrize("cpg", [None, "GBK", "UTF-8", "nonsense"])
def test_chinese_shapefile_with_right_wrong_or_no_cpg(tmp_path, cpg):
    geometry = [square(0, 0)]
    source = write(
        tmp_path / "批文.shp", geometry, 批准文号=["冀政批〔2024〕1号"], 批准日期=["2024/11/20"]
    )
    source.with_suffix(".cpg").unlink()
    if cpg:
        source.with_suffix(".cpg").write_text(cpg)
    table = read("approval", source).table
    assert table["number"].tolist() == ["冀政批〔2024〕1号"]
    assert table["date"].tolist() == [dt.date(2024, 11, 20)]


def test_utf8_shapefile_and_zip(tmp_path):
    frame = geopandas.GeoDataFrame(
        {"PZWH": ["冀政批1号"], "PZRQ": [20241120]}, geometry=[square(0, 0)], crs=CRS
    )
    frame.to_file(tmp_path / "a.shp", encoding="UTF-8")
    (tmp_path / "a.cpg").unlink()
    assert read("approval", tmp_path / "a.shp").table["number"].tolist() == ["冀政批1号"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in sorted(tmp_path.glob("a.*")):
            if path.suffix != ".zip":
                archive.write(path, path.name)
    table = read("approval", tmp_path / "a.zip", encoding="UTF-8").table
    assert table["date"].tolist() == [dt.date(2024, 11, 20)]


def test_aliases_ignore_case_blanks_and_bracket_width(tmp_path):
    source = write(
        tmp_path / "a.gpkg", [square(0, 0)], **{"文号（旧）": ["N1"], "pzrq ": ["20240101"]}
    )
    table = read("approval", source, fields={"number": "文号(旧)"}).table
    assert table["number"].tolist() == ["N1"]
    assert table["date"].tolist() == [dt.date(2024, 1, 1)]


@pytest.mark.parametrize(
    "value",
    [
        "20241120",
        20241120,
        20241120.0,
        "2024-11-20",
        "2024/11/20",
        "2024.11.20",
        "2024年11月20日",
        "2024-11-20T08:00:00",
        "２０２４/11/20",
        pd.Timestamp(2024, 11, 20, 13),
    ],
)
def test_dates_as_people_write_them(tmp_path, value):
    source = write(tmp_path / "a.gpkg", [square(0, 0)], PZWH=["1"], PZRQ=[value])
    assert read("approval", source).table["date"].tolist() == [dt.date(2024, 11, 20)]


def test_a_bad_value_is_reported_and_the_document_stays(tmp_path):
    source = write(
        tmp_path / "a.gpkg",
        [square(0, 0), square(200, 0), square(400, 0)],
        DKBH=["A1", "A2", "A3"],
        PZRQ=["20241120", "20241345", None],
        PZMJ=["1", "-3", "many"],
    )
    layer = read("approval", source)
    assert layer.table["date"].tolist() == [dt.date(2024, 11, 20), None, None]
    report = layer.rejects
    assert report[["row", "key", "field", "value", "effect"]].values.tolist() == [
        [2, "approval:A2", "PZMJ", "-3", "value unknown"],
        [2, "approval:A2", "PZRQ", "20241345", "value unknown"],
        [3, "approval:A3", "PZMJ", "many", "value unknown"],
    ]
    assert report["remedy"].str.contains("mend").all()


def test_documents_without_geometry_are_not_on_the_map(tmp_path):
    source = write(
        tmp_path / "a.gpkg", [square(0, 0), None], DKBH=["A1", "A2"], PZRQ=["20240101", "20240102"]
    )
    layer = read("approval", source)
    assert layer.table["key"].tolist() == ["approval:A1"]
    assert layer.not_on_map[["key", "date"]].values.tolist() == [
        ["approval:A2", dt.date(2024, 1, 2)]
    ]
    assert layer.rejects["effect"].tolist() == ["row left out"]


def test_broken_outlines_are_repaired_or_left_out(tmp_path):
    bow = shapely.Polygon([(X, Y), (X + 100, Y + 100), (X + 100, Y), (X, Y + 100)])
    line = shapely.LineString([(X, Y), (X + 10, Y)])
    high = shapely.force_3d(square(300, 0), 12.5)
    source = write(tmp_path / "a.gpkg", [bow, line, high], DKBH=list("abc"), PZRQ=["20240101"] * 3)
    layer = read("approval", source)
    assert layer.table["id"].tolist() == ["a", "c"]
    assert not shapely.has_z(layer.table.geometry.to_numpy()).any()
    assert shapely.area(layer.table.geometry.to_numpy()).tolist() == [5000.0, 10_000.0]
    assert layer.rejects[["row", "effect"]].values.tolist() == [
        [1, "repaired"],
        [2, "row left out"],
    ]


def test_missing_field_names_what_is_there(tmp_path):
    source = write(tmp_path / "a.gpkg", [square(0, 0)], PZWH=["1"], PZRQX=["20240101"])
    with pytest.raises(LayerError, match=r"date is missing[\s\S]*did you mean 'PZRQX'"):
        read("approval", source)
    with pytest.raises(LayerError, match="number is missing"):
        read("approval", source, fields={"number": "NOT_THERE", "date": "PZRQX"})
    with pytest.raises(LayerError, match="no value of PZWH can be read as date"):
        read("approval", source, fields={"date": "PZWH"})


def test_a_wrong_encoding_is_told_as_such(tmp_path):
    frame = geopandas.GeoDataFrame({"DLMC": ["坑塘水面"]}, geometry=[square(0, 0)], crs=CRS)
    frame.to_file(tmp_path / "a.shp", encoding="GB18030")
    (tmp_path / "a.cpg").unlink()
    with pytest.raises(LayerError, match=r"not in UTF-8[\s\S]*leave `encoding:` out"):
        open_source(tmp_path / "a.shp", encoding="UTF-8")
    assert open_source(tmp_path / "a.shp")["DLMC"].tolist() == ["坑塘水面"]


def test_crs_missing_or_contradicted(tmp_path):
    fields = {"PZWH": ["1"], "PZRQ": ["20240101"]}
    bare = write(tmp_path / "bare.gpkg", [square(0, 0)], crs=None, **fields)
    with pytest.raises(LayerError, match=r"does not say its CRS[\s\S]*EPSG:4526"):
        read("approval", bare)
    file = LayersFile(layers=(LayerSpec(role="approval", source=bare, crs=CRS),))
    assert len(build_onemap(file, crs=CRS).layers["approval"].table) == 1
    good = write(tmp_path / "good.gpkg", [square(0, 0)], **fields)
    spec = LayerSpec(role="approval", source=good, crs="EPSG:4547")
    with pytest.raises(LayerError, match="says EPSG:4526, the layers file says EPSG:4547"):
        build_onemap(LayersFile(layers=(spec,)), crs=CRS)
    plain = shapely.box(500_000, Y, 500_100, Y + 100)
    false = write(tmp_path / "false.gpkg", [plain], crs=CRS, **fields)
    with pytest.raises(LayerError, match=r"contradict EPSG:4526[\s\S]*zone without prefix"):
        read("approval", false)
    spec = LayerSpec(role="approval", source=false, crs="EPSG:4547", crs_override=True)
    table = build_onemap(LayersFile(layers=(spec,)), crs=CRS).layers["approval"].table
    assert shapely.equals_exact(table.geometry.iloc[0], shapely.normalize(square(0, 0)), 0.001)


def test_degrees_swapped_or_metres_called_degrees(tmp_path):
    fields = {"PZWH": ["1"], "PZRQ": ["20240101"]}
    swapped = write(tmp_path / "a.gpkg", [shapely.box(36, 114, 36.1, 114.1)], "EPSG:4490", **fields)
    with pytest.raises(LayerError, match="latitude and longitude are swapped") as error:
        read("approval", swapped)
    assert "exchange them in the source" in error.value.fix
    assert "crs_override" not in error.value.fix
    urumqi = [shapely.box(43.8, 87.6, 43.9, 87.7)]
    west = write(tmp_path / "d.gpkg", urumqi, "EPSG:4490", **fields)
    with pytest.raises(LayerError, match="latitude and longitude are swapped"):
        read("approval", west)
    svalbard = write(tmp_path / "e.gpkg", [shapely.box(15, 78, 15.1, 78.1)], "EPSG:4326", **fields)
    assert len(read("approval", svalbard, crs="EPSG:4326").table) == 1
    north_first = [shapely.box(Y, X, Y + 100, X + 100)]
    plane = write(tmp_path / "c.gpkg", north_first, CRS, **fields)
    with pytest.raises(LayerError, match=r"x and y are swapped[\s\S]*3° zone 38 with prefix"):
        read("approval", plane)
    metres = write(tmp_path / "b.geojson", [square(0, 0)], crs=None, **fields)
    with pytest.raises(LayerError, match=r"no degrees[\s\S]*3° zone 38 with prefix"):
        read("approval", metres)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.geojson", b"", "empty, broken"),
        ("a.geojson", b"<OGRVRTDataSource/>", "empty, broken"),
        ("a.gpkg", b"not a database", "empty, broken"),
        ("a.shp", b"\x00\x00\x27\x0a" + b"\x00" * 10, "cannot be read"),
        ("a.parquet", b"PAR1 and no more", "cannot be read"),
        ("a.zip", b"PK no zip", "zip cannot be read"),
        ("a.vrt", b"<OGRVRTDataSource/>", "no known vector format"),
        ("a.xlsx", b"PK", r"no known vector format[\s\S]*join the table to the outlines"),
        ("a.geojson", b'{"type": "FeatureCollection", "features": [', "cannot be read"),
    ],
)
def test_files_that_are_not_what_they_say(tmp_path, name, content, match):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LayerError, match=match):
        read("redline", tmp_path / name)


def test_zip_bomb_and_missing_file(tmp_path):
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.shp", b"\x00" * 150_000_000)
    with pytest.raises(LayerError, match="would unpack to 150 MB"):
        read("redline", bomb)
    with pytest.raises(LayerError, match="does not exist"):
        read("redline", tmp_path / "none.gpkg")


def test_several_layers_need_a_name(tmp_path):
    for name in ("one", "two"):
        frame = geopandas.GeoDataFrame({"HXBM": [name]}, geometry=[square(0, 0)], crs=CRS)
        frame.to_file(tmp_path / "a.gpkg", layer=name)
    with pytest.raises(LayerError, match=r"holds 2 layers[\s\S]*one, two"):
        read("redline", tmp_path / "a.gpkg")
    assert read("redline", tmp_path / "a.gpkg", layer="two").table["number"].tolist() == ["two"]
    with pytest.raises(LayerError, match="no layer 'three'"):
        read("redline", tmp_path / "a.gpkg", layer="three")


def test_keys_do_not_depend_on_row_order(tmp_path):
    boxes = [square(0, 0), square(300, 0), square(600, 0)]
    ids, dates = ["A", "A", "B"], ["20240101", "20240202", "20240303"]
    write(tmp_path / "a.gpkg", boxes, DKBH=ids, PZRQ=dates)
    write(tmp_path / "b.gpkg", boxes[::-1], DKBH=ids[::-1], PZRQ=dates[::-1])
    first, second = (read("approval", tmp_path / f"{n}.gpkg") for n in "ab")
    columns = ["key", "date", "geometry"]
    pd.testing.assert_frame_equal(
        pd.DataFrame(first.table[columns]), pd.DataFrame(second.table[columns])
    )
    assert first.table["key"].tolist() == ["approval:A", "approval:A#2", "approval:B"]
    assert first.rejects["problem"].tolist() == ["the id stands more than once"]
    write(tmp_path / "c.gpkg", boxes, MC=list("xyz"))
    assert read("hazard", tmp_path / "c.gpkg").table["key"].tolist() == [
        "hazard:row1",
        "hazard:row2",
        "hazard:row3",
    ]


def test_sources_of_one_role_become_one_layer(tmp_path):
    specs = []
    for n, complete in ((1, True), (2, {"until": "2025-03-01"})):
        source = write(
            tmp_path / f"{n}.gpkg", [square(300 * n, 0)], DKBH=[f"A{n}"], PZRQ=["20240101"]
        )
        specs.append(LayerSpec(role="approval", source=source, complete=complete))
    layer = build_onemap(LayersFile(layers=specs), crs=CRS).layers["approval"]
    assert layer.table["source"].tolist() == ["1.gpkg", "2.gpkg"]
    assert layer.complete == dt.date(2025, 3, 1)
    assert layer.is_complete(dt.date(2025, 3, 1))
    assert not layer.is_complete(dt.date(2025, 3, 2))
    assert not layer.is_complete()


def test_a_layer_tells_nothing_outside_its_validity(tmp_path):
    source = write(tmp_path / "a.gpkg", [square(0, 0)], DKBH=["A"], PZRQ=["20240101"])
    limits = {"valid_from": dt.date(2024, 1, 1), "valid_to": dt.date(2024, 12, 31)}
    layer = read("approval", source, complete=True, **limits)
    days = [dt.date(2023, 12, 31), dt.date(2024, 1, 1), dt.date(2024, 12, 31), dt.date(2025, 1, 1)]
    assert [layer.is_complete(day) for day in days] == [False, True, True, False]


def test_unknown_land_class_is_listed_and_does_no_harm(tmp_path):
    source = write(
        tmp_path / "DLTB.gpkg",
        [square(0, 0), square(100, 0)],
        BSM=["1", "2"],
        DLBM=["0602C", "103"],
    )
    layer = read("landuse", source)
    assert layer.table["group"].tolist() == [None, "cropland"]
    assert layer.table["code"].tolist() == ["0602C", "0103"]
    assert layer.rejects[["key", "value"]].values.tolist() == [["landuse:1", "0602C"]]


def test_units_constants_and_kinds(tmp_path):
    source = write(tmp_path / "TKQ.gpkg", [square(0, 0)], XKZH=["T1"], YXQZ=["长期"], YXSL=["是"])
    right = read("mining_right", source).table.iloc[0]
    assert (right["kind"], right["valid_to"], right["renewal"]) == (
        "exploration",
        dt.date(9999, 12, 31),
        True,
    )
    assert read("mining_right", source, constants={"kind": "采矿权"}).table["kind"][0] == "mining"
    filed = write(tmp_path / "f.gpkg", [square(0, 0)], BAH=["F"], BARQ=["20240101"], MJ=[15])
    assert read("facility", filed, units={"area_m2": "mu"}).table["area_m2"][0] == 10_000.0


def test_a_wrong_layers_file_says_so(tmp_path):
    path = tmp_path / "layers.yaml"
    path.write_text("layers:\n- {role: aproval, source: a.gpkg}\n")
    with pytest.raises(ConfigError, match=r"there is no role 'aproval'[\s\S]*line 2"):
        read_onemap(path, crs=CRS)
    path.write_text("layers:\n- role: approval\n  source: a.gpkg\n  fields: {dat: PZRQ}\n")
    with pytest.raises(ConfigError, match="has no such field"):
        read_onemap(path, crs=CRS)
    path.write_text("layers:\n- {role: approval, source: a.gpkg, crs_override: true}\n")
    with pytest.raises(ConfigError, match="crs_override needs crs"):
        read_onemap(path, crs=CRS)


def test_fingerprint_follows_every_file(tmp_path):
    write(tmp_path / "a.shp", [square(0, 0)], HXBM=["1"])
    path = tmp_path / "layers.yaml"
    path.write_text("layers:\n- {role: redline, source: a.shp}\n")
    before, version = layers_fingerprint(path), read_onemap(path, crs=CRS).layers["redline"].version
    assert layers_fingerprint(path) == before
    write(tmp_path / "a.shp", [square(0, 0)], HXBM=["2"])
    assert layers_fingerprint(path) != before
    assert read_onemap(path, crs=CRS).layers["redline"].version != version


def worked_county(folder, crs, target):
    """Copy the worked county into `crs` as GeoPackages and describe it."""
    specs = []
    for role, name in NAMES.items():
        source = folder / f"{name}.geojson"
        if crs != CRS:
            source = target / f"{name}.gpkg"
            geopandas.read_file(folder / f"{name}.geojson").to_crs(crs).to_file(source)
        specs.append(LayerSpec(role=role, source=source, complete=True))
    return LayersFile(layers=specs)


@pytest.mark.parametrize("source_crs", ["EPSG:4526", "EPSG:4490", "EPSG:4547"])
@pytest.mark.parametrize("run_crs", ["EPSG:4526", "EPSG:4490", "EPSG:4547"])
def test_worked_county_in_every_crs(oracle_dir, tmp_path, source_crs, run_crs):
    onemap = build_onemap(worked_county(oracle_dir, source_crs, tmp_path), crs=run_crs)
    areas = {
        role: ellipsoidal_area(layer.table.geometry.to_numpy(), run_crs).tolist()
        for role, layer in onemap.layers.items()
    }
    assert areas["landuse"] == pytest.approx([120e3, 120e3, 120e3, 120e3, 240e3], abs=0.01)
    assert areas["approval"] == pytest.approx([10_000, 3_600], abs=0.01)
    assert areas["redline"] == pytest.approx([60_000], abs=0.01)
    assert onemap.is_complete("approval", dt.date(2025, 6, 12))
    assert not onemap.is_complete("reserve")
    assert not len(onemap.rejects)


def test_worked_county_patches(oracle_dir):
    patches, report = load_patches(PatchSource(source="BHTB.geojson"), oracle_dir, CRS)
    assert not len(report)
    row = patches.set_index("patch_id")
    expected = {"P1": 6400, "P2": 4800, "P3": 2400, "P4": 4200, "P5": 1200}
    expected |= {"P6": 900, "P7": 2000, "P8": 320, "P9": 150}
    assert {p: a / 100 for p, a in row["area_dm2"].items()} == expected
    assert row["use"].to_dict() == {
        "P1": "industry",
        "P2": "industry",
        "P3": "dwelling",
        "P4": "work_camp",
        "P5": "livestock_shed",
        "P6": "building",
        "P7": "mining",
        "P8": "road",
        "P9": "dwelling",
    }
    assert set(row["before_from"]) == {dt.date(2025, 3, 5)}
    assert set(row["after_to"]) == {dt.date(2025, 6, 12)}
    assert (row.loc["P3", "lon"], row.loc["P3", "lat"]) == pytest.approx(
        (114.001454, 36.674782), abs=1e-6
    )
    assert np.all(np.diff(patches["anchor_row"]) >= 0)


def test_patches_need_dates(tmp_path):
    source = write(tmp_path / "p.gpkg", [square(0, 0)], JCBH=["1"], TBLX=["GF"])
    with pytest.raises(LayerError, match="have no before date"):
        load_patches(PatchSource(source=source), tmp_path, CRS)
    given = {"before_date": dt.date(2025, 1, 1), "after_date": dt.date(2025, 6, 1)}
    patches, _ = load_patches(PatchSource(source=source, **given), tmp_path, CRS)
    assert patches[["use", "change_type", "tblx"]].values.tolist() == [
        ["photovoltaic", "photovoltaic", "GF"]
    ]
    swapped = {"before_date": dt.date(2025, 6, 1), "after_date": dt.date(2025, 1, 1)}
    with pytest.raises(LayerError, match="before date after their after date"):
        load_patches(PatchSource(source=source, **swapped), tmp_path, CRS)


def test_real_layer_with_zip_and_feet(data_dir):
    source = data_dir / "vector_cupertino_zoning" / "Annexations.zip"
    layer = read("division", source, crs="EPSG:32610")
    assert len(layer.table) + (layer.rejects["effect"] == "row left out").sum() > 2000
    assert shapely.is_valid(layer.table.geometry.to_numpy()).all()


def test_geojson_keeps_its_crs_member(tmp_path, oracle_dir):
    shutil.copy(oracle_dir / "JSYDSP.geojson", tmp_path / "a.geojson")
    data = json.loads((tmp_path / "a.geojson").read_text())
    assert len(read("approval", tmp_path / "a.geojson").table) == 2
    del data["crs"]
    (tmp_path / "a.geojson").write_text(json.dumps(data))
    with pytest.raises(LayerError, match="contradict"):
        read("approval", tmp_path / "a.geojson")
