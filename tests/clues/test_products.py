"""Ledgers in every format, read back by independent readers: Chinese, areas, totals, outlines."""

import csv
import io
import json
import re
import sqlite3
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from lxml import etree

from clues.coordinatetext import read_coordinate_text
from clues.outputs.coordinates import write_coordinates
from clues.outputs.dbase import shortened
from clues.outputs.exchange import write_geojson
from clues.outputs.flat import FLAT_FIELDS
from clues.outputs.flattables import write_csv, write_geoparquet
from clues.outputs.geopackage import write_geopackage
from clues.outputs.kmz import write_kmz
from clues.outputs.ledger import write_ledger
from clues.outputs.shapefile import lines_first, write_shapefile
from clues.outputs.survey import (
    BHTB_FIELDS,
    UPDATE_FIELDS,
    write_survey_patches,
    write_update_package,
)
from clues.verdicts import VERDICT_COLUMNS
from configs.errors import InputError
from configs.speech import Speech
from configs.vocabulary import Outcome, tblx_use
from tiles.geodesy import ellipsoidal_area

KML = {"k": "http://www.opengis.net/kml/2.2"}
ZH = {field.key: field.zh for field in FLAT_FIELDS}
SHORT = {field.key: field.short for field in FLAT_FIELDS}

Told = list[tuple[str, str, float]]


def from_xlsx(path: Path) -> Told:
    rows = openpyxl.load_workbook(path)["线索台账"].iter_rows(min_row=2, values_only=True)
    heads, *rest = rows
    at = [heads.index(n) for n in ("线索编号", "县名称", "面积（亩）")]
    return [tuple(row[i] for i in at) for row in rest if row[at[0]]]


def from_geojson(path: Path) -> Told:
    told = [f["properties"] for f in json.loads(path.read_text(encoding="utf-8"))["features"]]
    return [(p["clue_no"], p["county_name"], p["area_mu"]) for p in told]


def from_table(table: pd.DataFrame, names: dict[str, str]) -> Told:
    columns = (table[names[k]] for k in ("clue_no", "county_name", "area_mu"))
    return list(zip(*columns, strict=True))


def from_csv(path: Path) -> Told:
    text = path.read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    return [(r["线索编号"], r["行政区名称"], float(r["面积亩"])) for r in rows]


def from_kmz(path: Path) -> Told:
    with zipfile.ZipFile(path) as archive:
        root = etree.fromstring(archive.read("doc.kml"))
    return [
        tuple(
            kind(mark.findtext(f".//k:Data[@name='{name}']/k:value", namespaces=KML))
            for name, kind in (("线索编号", str), ("行政区名称", str), ("面积亩", float))
        )
        for mark in root.iterfind(".//k:Placemark", KML)
    ]


READERS = {
    "clues.xlsx": (write_ledger, from_xlsx),
    "clues.geojson": (write_geojson, from_geojson),
    "clues.gpkg": (
        write_geopackage,
        lambda p: from_table(pyogrio.read_dataframe(p, layer="线索"), ZH),
    ),
    "clues.parquet": (
        write_geoparquet,
        lambda p: from_table(pq.read_table(p).to_pandas(), {k: k for k in ZH}),
    ),
    "clues.csv": (write_csv, from_csv),
    "clues.kmz": (write_kmz, from_kmz),
    "clues-shp.zip": (
        write_shapefile,
        lambda p: from_table(pyogrio.read_dataframe(p, layer="XS"), SHORT),
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_every_format_tells_the_same_clues_in_chinese(tables, tmp_path: Path, name):
    write, read = READERS[name]
    write(tables, tmp_path / name)
    assert sorted(read(tmp_path / name)) == [
        ("99990125Q2000001", "示例县", 9.6),
        ("99990125Q2000002", "示例县", 7.05),
    ]


@pytest.mark.parametrize("name", READERS)
def test_the_same_clues_give_the_same_bytes(tables, tmp_path: Path, name):
    write, _ = READERS[name]
    write(tables, tmp_path / name)
    first = (tmp_path / name).read_bytes()
    turned = replace(tables, findings=tables.findings[::-1])
    write(turned, tmp_path / name)
    assert (tmp_path / name).read_bytes() == first


@pytest.mark.parametrize("name", READERS)
def test_a_period_without_clues_has_empty_files(tables, tmp_path: Path, name):
    tables.patches["disposition"] = "dismissed"
    write, read = READERS[name]
    write(tables, tmp_path / name)
    assert read(tmp_path / name) == []


def test_geojson_names_imagery_and_versions(tables, tmp_path: Path):
    write_geojson(tables, tmp_path / "clues.geojson")
    told = json.loads((tmp_path / "clues.geojson").read_text(encoding="utf-8"))
    assert (told["name"], told["attribution"]) == ("999901示例县_2025Q2", "© Copernicus")
    assert told["versions"] == {"rules": "cn-land 1"}
    assert "crs" not in told


def test_qgis_finds_a_style_by_answer_in_the_geopackage(tables, tmp_path: Path):
    path = tmp_path / "clues.gpkg"
    write_geopackage(tables, path)
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(
            "SELECT f_table_name, f_geometry_column, useAsDefault, styleQML FROM layer_styles"
        ).fetchall()
        geometry = dict(
            database.execute("SELECT table_name, column_name FROM gpkg_geometry_columns").fetchall()
        )
    assert [(r[0], r[2]) for r in rows] == [("线索", 1), ("地块", 1)]
    assert {geometry[r[0]] == r[1] for r in rows} == {True}
    renderer = etree.fromstring(rows[0][3].encode()).find("renderer-v2")
    values = {c.get("value"): c.get("label") for c in renderer.iterfind("categories/category")}
    field = renderer.get("attr")
    assert set(pyogrio.read_dataframe(path, layer="线索")[field]) <= set(values)
    assert values["suspected"] == "疑似违法"
    symbols = {s.get("name") for s in renderer.iterfind("symbols/symbol")}
    assert {c.get("symbol") for c in renderer.iterfind("categories/category")} == symbols


def test_the_geopackage_tells_all_that_csv_tells_in_words(tables, tmp_path: Path):
    told = replace(tables, patches=tables.patches.to_crs("EPSG:32650"))
    write_geopackage(told, tmp_path / "clues.gpkg")
    clues = gpd.read_file(tmp_path / "clues.gpkg", layer="线索")
    assert [c for c in clues.columns if c != "geometry"] == [f.zh for f in FLAT_FIELDS]
    assert clues.crs.to_epsg() == 4526, "where the county keeps its layers, not the images' grid"
    areas = ellipsoidal_area(clues.geometry.to_numpy(), "EPSG:4526")
    assert np.allclose(areas, clues["面积平方米"])
    assert clues["理由"].str.len().min() > 5
    for layer in ("地块", "未列线索图斑"):
        table = gpd.read_file(tmp_path / "clues.gpkg", layer=layer)
        assert set(table["判定代码"]) <= {o.value for o in Outcome}
        words = [c for c in table.columns if c not in ("判定代码", "变化代码", "判定线代码")]
        texts = table[words].drop(columns="geometry").astype(str).stack()
        assert not [text for text in texts if "_" in text]
    assert gpd.read_file(tmp_path / "clues.gpkg", layer="地块")["判定线"].tolist() == ["土地"] * 3


def test_an_english_geopackage_has_no_chinese_word(tables, tmp_path: Path):
    title = replace(tables.title, speech=Speech(language="en", area_unit="ha"))
    plain = tables.patches.assign(county_name="Shili")
    told = replace(tables, title=title, patches=plain, coverage=tables.coverage[:0])
    write_geopackage(told, tmp_path / "clues.gpkg")
    for layer in ("clues", "parcels", "dismissed"):
        table = gpd.read_file(tmp_path / "clues.gpkg", layer=layer)
        assert "area_ha" in table
        text = table.drop(columns="geometry").to_csv()
        assert not any("\u4e00" <= c <= "\u9fff" for c in text)


def test_csv_is_safe_against_formulas(tables, tmp_path: Path):
    tables.patches.loc[0, "county_name"] = "=HYPERLINK(1)"
    tables.patches.loc[1, "lat"] = -36.5
    write_csv(tables, tmp_path / "clues.csv")
    data = (tmp_path / "clues.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    cells = [cell for row in rows for cell in row]
    assert "'=HYPERLINK(1)" in cells
    assert "-36.500000" in cells
    assert not [cell for cell in cells if cell[:1] in tuple("=+@\t")]


def test_geoparquet_knows_its_reference_system(tables, tmp_path: Path):
    write_geoparquet(tables, tmp_path / "clues.parquet")
    table = gpd.read_parquet(tmp_path / "clues.parquet")
    assert table.crs.to_epsg() == 4490
    areas = ellipsoidal_area(table.geometry.to_numpy(), "EPSG:4490")
    assert np.allclose(areas, table["area_m2"], atol=0.02)
    assert json.loads(pq.read_schema(tmp_path / "clues.parquet").metadata[b"geo"])["columns"]


def test_kmz_holds_pictures_outlines_and_plain_text(tables, tmp_path: Path):
    tables.patches.loc[0, "county_name"] = "<b>&\x07县"
    pictures = {"99990125Q2000002": (b"\xff\xd8before", b"\xff\xd8after")}
    write_kmz(tables, tmp_path / "clues.kmz", pictures)
    with zipfile.ZipFile(tmp_path / "clues.kmz") as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "doc.kml"
        root = etree.fromstring(archive.read("doc.kml"))
        assert archive.read("files/99990125Q2000002-after.jpg") == b"\xff\xd8after"
    marks = {m.findtext("k:name", namespaces=KML): m for m in root.iterfind(".//k:Placemark", KML)}
    balloon = marks["99990125Q2000002"].findtext("k:description", namespaces=KML)
    assert "<img src='files/99990125Q2000002-before.jpg'" in balloon
    assert "临时用地是否正在复垦" in balloon
    assert "<img" not in marks["99990125Q2000001"].findtext("k:description", namespaces=KML)
    named = marks["99990125Q2000001"].findtext(
        ".//k:Data[@name='行政区名称']/k:value", namespaces=KML
    )
    assert named == "<b>&县"
    assert len(marks["99990125Q2000002"].findall(".//k:innerBoundaryIs", KML)) == 1
    styles = {s.get("id") for s in root.iterfind(".//k:Style", KML)}
    used = {u.text.removeprefix("#") for u in root.iterfind(".//k:styleUrl", KML)}
    assert used <= styles


def test_kmz_speaks_one_language(tables, tmp_path: Path):
    told = replace(
        tables,
        patches=tables.patches.assign(county_name="Demo"),
        coverage=tables.coverage.assign(number="A-1", valid_to=None),
        title=replace(tables.title, speech=Speech(area_unit="ha"), county_name="Demo"),
    )
    write_kmz(told, tmp_path / "en.kmz", language="en")
    with zipfile.ZipFile(tmp_path / "en.kmz") as archive:
        root = etree.fromstring(archive.read("doc.kml"))
    balloons = [t.text for t in root.iterfind(".//k:Placemark/k:description", KML)]
    assert all("Area, ha</th><td>" in b and ">Reasons</th>" in b for b in balloons)
    names = [d.get("name") for d in root.iterfind(".//k:Data", KML)]
    assert re.findall("[\u4e00-\u9fff]+", "".join([*root.itertext(), *names])) == []


def test_names_in_a_shapefile_have_ten_ascii_bytes(tables, tmp_path: Path):
    write_shapefile(tables, tmp_path / "clues.zip")
    with zipfile.ZipFile(tmp_path / "clues.zip") as archive:
        assert archive.read("XS.cpg") == b"GBK"
        told = archive.read("字段说明.csv").decode("utf-8-sig")
    names = [field.short for field in FLAT_FIELDS]
    assert len(set(names)) == len(names)
    assert all(name.isascii() and len(name) <= 10 and f",{name}," in told for name in names)
    table = gpd.read_file(tmp_path / "clues.zip")
    assert [c for c in table.columns if c != "geometry"] == names
    assert table.crs.to_epsg() == 4526
    assert table["LY"][0] == "面积 6400.00 平方米（9.60 亩），没有任何批文。"
    assert np.allclose(ellipsoidal_area(table.geometry.to_numpy(), "EPSG:4526"), table["MJ"], 0.01)


def test_a_text_is_cut_between_characters():
    assert shortened("耕地" * 9, 20, "UTF-8").decode() == "耕地耕地耕..."
    assert shortened("耕地\n园地", 20, "GBK").decode("GBK") == "耕地 园地"


def test_coordinates_are_read_back_by_the_reader_of_deliveries(tables, tmp_path: Path):
    two = shapely.union_all(
        [tables.patches.geometry[0], shapely.box(38500200, 4060200, 38500220, 4060230)]
    )
    tables.patches.loc[0, "geometry"] = two
    write_coordinates(tables, tmp_path / "clues.txt")
    table = read_coordinate_text(tmp_path / "clues.txt", None, "clues.txt")
    assert table.crs.to_epsg() == 4526
    assert table["DKBH"].tolist() == ["99990125Q2000001", "99990125Q2000002"]
    assert table["DKMC"].tolist() == ["新增建（构）筑物", "动土"]
    assert table["PZMJ"].tolist() == ["0.6400", "0.4700"]
    for shape, clue in zip(table.geometry, tables.clues.geometry, strict=True):
        assert shapely.symmetric_difference(shape, clue).area < 0.01


def test_coordinates_outside_the_country_are_refused(tables, tmp_path: Path):
    tables.patches["lon"] = -51.0
    with pytest.raises(InputError, match="no three-degree zone"):
        write_coordinates(tables, tmp_path / "clues.txt")
    assert list(tmp_path.iterdir()) == []


def classes_of(tables) -> gpd.GeoDataFrame:
    first, second = tables.patches.geometry[:2]
    west, east = (
        shapely.intersection(first, box)
        for box in (
            shapely.box(38500000, 4060000, 38500100, 4061000),
            shapely.box(38500100, 4060000, 38501000, 4061000),
        )
    )
    return gpd.GeoDataFrame(
        {
            "patch_id": ["TAAAAAAAAAAA1", "TAAAAAAAAAAA1", "TAAAAAAAAAAA2"],
            "parcel": ["71", "72", "73"],
            "scheme": "sandiao",
            "code": ["0102", "0702", "0404"],
            "town": ["", "203", ""],
            "area_dm2": [320000, 320000, 470000],
        },
        geometry=[west, east, second],
        crs=tables.patches.crs,
    )


def test_the_survey_profile_has_its_fields_kinds_and_codes(tables, tmp_path: Path):
    told = replace(tables, classes=classes_of(tables))
    write_survey_patches(told, tmp_path / "bhtb.zip")
    with zipfile.ZipFile(tmp_path / "bhtb.zip") as archive:
        assert archive.read("BHTB.cpg") == b"GBK"
        table = archive.read("BHTB.dbf")
    heads = [table[32 + 32 * i : 64 + 32 * i] for i in range(len(BHTB_FIELDS))]
    kinds = [(h[:11].rstrip(b"\0").decode(), chr(h[11]), h[16], h[17]) for h in heads]
    assert kinds == [
        (f.name, "C" if f.decimals is None else "N", f.width, f.decimals or 0) for f in BHTB_FIELDS
    ]
    assert kinds[3] == ("TBLX", "C", 4, 0)
    rows = gpd.read_file(tmp_path / "bhtb.zip").fillna("").drop(columns="geometry")
    assert len(rows) == 2, "what is not new is no change for the survey"
    first = rows.iloc[0]
    assert first[["JCBH", "XMC", "QSX", "HSX", "TBLX", "TZ"]].tolist() == [
        *("TAAAAAAAAAAA1", "示例县", "20250305", "20250612", "20", "新增建（构）筑物"),
    ]
    assert first[["DLBM", "DLMC", "CZCSXM", "SFYN", "SFHX", "MJ"]].tolist() == [
        *("0102", "水浇地", "203", "1", "0", 6400.0),
    ]
    assert all(tblx_use(code) is not None for code in rows["TBLX"])
    assert rows["MJ"].sum() == 11100.0


def verdicts_of(**words: str) -> pd.DataFrame:
    rows = [
        dict.fromkeys(VERDICT_COLUMNS, "")
        | {"patch_id": patch, "verdict": word, "by": "张三", "at": "2025-10-31T08:00:00"}
        | {"meaning": "pseudo" if word == "伪变化" else "real"}
        for patch, word in words.items()
    ]
    return pd.DataFrame(rows, dtype=object)


def test_the_update_holds_before_and_after_of_confirmed_patches(tables, tmp_path: Path):
    tables.patches.loc[0, "use"] = "mining"
    told = replace(tables, classes=classes_of(tables))
    verdicts = verdicts_of(TAAAAAAAAAAA1="违法", TAAAAAAAAAAA2="伪变化", TAAAAAAAAAAA3="合法")
    assert write_update_package(told, tmp_path / "update.zip", verdicts) == 2
    table = gpd.read_file(tmp_path / "update.zip").fillna("")
    assert [c for c in table.columns if c != "geometry"] == [f.name for f in UPDATE_FIELDS]
    rows = table.drop(columns="geometry").to_dict("records")
    pairs = [(r["JCBH"], r["BGQTBBSM"], r["BGQDLBM"], r["BGHDLBM"], r["BGMJ"]) for r in rows]
    assert pairs == [
        ("TAAAAAAAAAAA1", "71", "0102", "0602", 3200.0),
        ("TAAAAAAAAAAA1", "72", "0702", "0602", 3200.0),
        ("TAAAAAAAAAAA3", "", "", "", 900.0),
    ]
    assert (rows[0]["HSJL"], rows[0]["HSR"], rows[0]["HSRQ"]) == ("违法", "张三", "2025-10-31")
    areas = ellipsoidal_area(table.geometry.to_numpy(), table.crs.to_string())
    assert np.allclose(areas, table["BGMJ"], atol=0.02)


def test_a_cut_reason_still_tells_the_control_lines():
    long = "后时相前无批文涉及该图斑。" * 9
    one = f"地块 P1 面积 5.00 m²，{long}占永久基本农田 5.00 m²（0.01 亩）。"
    assert lines_first(one).startswith("占永久基本农田 5.00 m²（0.01 亩）。地块 P1 面积")
    two = lines_first(f"{one}\n地块 P2 面积 1.00 m²，{long}占生态保护红线 1.00 m²。未见供地。")
    head, _, tail = two.partition("地块 P1 面积")
    assert head == "P1：占永久基本农田 5.00 m²（0.01 亩）。P2：占生态保护红线 1.00 m²。"
    assert tail.endswith("未见供地。")
    assert lines_first("") == ""
