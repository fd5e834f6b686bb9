"""``tuban field``: a package that independent readers open, and what comes back from it."""

import csv
import datetime as dt
import io
import json
import re
import shutil
import sqlite3
import zipfile
from contextlib import closing

import openpyxl
import pdfplumber
import pyogrio
import pytest
from lxml import etree
from typer.testing import CliRunner

from clues.outputs.drawing import Box, outside, overlapping
from clues.outputs.fieldbook import write_book
from clues.outputs.fieldlayers import card_rows
from clues.store.repository import Store
from clues.store.verdicts import stored_verdicts
from configs.errors import ExitCode, InputError
from flows.cli.app import build_app
from flows.delivered import judge_delivered
from flows.field.building import FieldChoice, build_field_package
from flows.field.importing import import_field
from flows.finished import finished_tables
from tests.clues.test_oracle import write_county
from tests.clues.test_photos import jpeg, told

pytestmark = pytest.mark.slow

DAY, NOW = dt.date(2025, 10, 8), dt.datetime(2025, 11, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def made(oracle_dir, tmp_path_factory):
    """A judged county and the package of all its clues."""
    folder = tmp_path_factory.mktemp("field")
    layers = write_county(oracle_dir, folder)
    judge_delivered(oracle_dir / "BHTB.geojson", layers, folder / "run")
    choice = FieldChoice(inspector="李四's")
    package = build_field_package(folder / "run", choice, folder / "out", day=DAY)
    return folder / "run", package


@pytest.fixture
def field(made, tmp_path):
    """A copy of the run, the unpacked package, and its tables."""
    run, package = made
    shutil.copytree(run, tmp_path / "run")
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(tmp_path / "back")
    (back,) = (tmp_path / "back").iterdir()
    return tmp_path / "run", back, finished_tables(tmp_path / "run")


def change(back, statement, values=()):
    with closing(sqlite3.connect(next(back.glob("*.gpkg")))) as database, database:
        database.execute(statement, values)


def verdicts(run):
    store = Store.at(run / "clues.sqlite")
    try:
        return [(v["patch_id"], v["verdict"], v["by"]) for v in stored_verdicts(store)]
    finally:
        store.close()


def spot(tables, clue, east=0.0):
    """Return longitude and latitude at a clue, or so many metres east of its eastern edge."""
    shape = tables.clues.set_index("clue_no").geometry[clue]
    point = shape.representative_point()
    x = shape.bounds[2] + east if east else point.x
    moved = type(tables.clues.geometry)([type(point)(x, point.y)], crs=tables.clues.crs)
    place = moved.to_crs(4490).iloc[0]
    return place.x, place.y


def test_independent_readers_open_the_package(field):
    _, back, tables = field
    names = sorted(p.name.rsplit("_20251008", 1)[-1] for p in back.iterdir())
    assert names == [".gpkg", ".kmz", ".pdf", ".qgz", "说明.txt"]
    data = next(back.glob("*.gpkg"))
    layers = dict(pyogrio.list_layers(data))
    assert layers["patches"] == "MultiPolygon"
    assert layers["checks"] is None
    cards = pyogrio.read_dataframe(data, layer="checks", read_geometry=False)
    numbers = tables.clues["clue_no"].tolist()
    assert cards["clue_no"].tolist() == numbers
    areas = tables.clues["area_dm2"] / 100
    assert cards["area_m2"].sum() == pytest.approx(areas.sum(), abs=0.005)
    assert set(cards["suggestion"]) <= {"疑似违法", "存疑"}
    patches = pyogrio.read_dataframe(data, layer="patches")
    assert patches.geometry.area.sum() == pytest.approx(tables.clues.geometry.area.sum())
    with zipfile.ZipFile(next(back.glob("*.qgz"))) as archive:
        root = etree.fromstring(archive.read(archive.namelist()[0]))
    assert root.findtext(".//projectCrs//authid") == "EPSG:4526"
    sources = [e.text for e in root.findall(".//maplayer/datasource")]
    assert all(s.startswith(f"./{data.name}|layername=") for s in sources)
    assert [s.split("=")[1] for s in sources] == ["points", "patches", "checks", "photos"]
    verdict = root.find(".//field[@name='verdict']/editWidget")
    assert verdict.get("type") == "ValueMap"
    words = [o.get("value") for o in verdict.findall(".//Option[@type='QString']")]
    assert words == ["", "合法", "违法", "其他", "伪变化"]
    ids = {e.text for e in root.findall(".//maplayer/id")}
    for relation in root.findall(".//relation"):
        assert {relation.get("referencedLayer"), relation.get("referencingLayer")} <= ids
    default = root.find(".//default[@field='checked_by']").get("expression")
    assert default == "coalesce(\"checked_by\", '李四''s')"
    text = (back / "说明.txt").read_text(encoding="utf-8-sig")
    assert "核查图册" in text
    with pdfplumber.open(next(back.glob("*.pdf"))) as pdf:
        assert len(pdf.pages) == 2 + len(numbers)
        assert all(n in pdf.pages[1].extract_text() for n in numbers)
        for page, number in zip(pdf.pages[2:], numbers, strict=True):
            told = page.extract_text()
            assert number in told
            assert "核实认定意见" in told


def test_the_book_has_room_for_everything(field, tmp_path):
    _, _, tables = field
    rows = card_rows(tables, list(tables.clues["clue_no"]), {}, "en")
    rows[0]["reason"] = "A long reason. " * 90
    pages = write_book(tmp_path / "b.pdf", tables, rows, [], "en", None)
    for boxes in pages:
        texts = [b for b in boxes if b.ink is not None]
        assert overlapping(texts) == []
        assert outside(texts, Box("page", 0, 0, 595.3, 841.9)) == []
    again = write_book(tmp_path / "c.pdf", tables, rows, [], "en", None)
    assert again == pages
    assert (tmp_path / "b.pdf").read_bytes() == (tmp_path / "c.pdf").read_bytes()


def test_maps_of_a_run_without_images(made, tmp_path):
    run, _ = made
    words = ["map", str(run), "-o", str(tmp_path), "--by", "sheet", "--png", "0", "--lang", "en"]
    result = CliRunner().invoke(build_app(), words)
    assert result.exit_code == ExitCode.OK, result.output
    told = [line.split("\t") for line in result.output.splitlines()]
    assert sum(int(row[1]) for row in told) == len(finished_tables(run).clues)
    assert all(row[2].startswith("1:") for row in told)
    assert not list(tmp_path.glob("*.png"))
    with pdfplumber.open(told[0][0]) as pdf:
        assert "No image as base" in pdf.pages[0].extract_text()
        assert not pdf.pages[0].images


def test_packages_are_chosen_and_repeat(made, tmp_path):
    run, package = made
    again = build_field_package(run, FieldChoice(inspector="李四's"), tmp_path, day=DAY)
    assert again.path.read_bytes() == package.path.read_bytes()
    one = build_field_package(run, FieldChoice(clues=("2",)), tmp_path, day=DAY, language="en")
    assert one.clues == (package.clues[1],)
    assert "README.txt" in one.files
    for choice, what in ((FieldChoice(clues=("99",)), "no clue"), (FieldChoice("X"), "township")):
        with pytest.raises(InputError, match=what):
            build_field_package(run, choice, tmp_path, day=DAY)


def test_cards_and_photos_come_back_once(field):
    run, back, tables = field
    first, second = tables.clues["clue_no"][:2]
    change(
        back,
        "UPDATE checks SET verdict = '违法', situation = '已建厂房', checked_by = '李四',"
        " checked_on = '2025-10-05', area_m2 = 1 WHERE clue_no = ?",
        (first,),
    )
    change(back, "INSERT INTO photos (clue_no, photo) VALUES (?, 'DCIM/in.jpg')", (first,))
    photos = {
        "DCIM/in.jpg": told(spot(tables, first)),
        "DCIM/near.jpg": told(spot(tables, first, 40), azimuth=270.0),
        "DCIM/away.jpg": told(spot(tables, first, 41)),
        f"{first}/far.jpg": told(spot(tables, first, 80)),
        f"{first}/else.jpg": told(spot(tables, second)),
        f"{first}/blind.jpg": told(None),
        "DCIM/lost.jpg": told((100.0, 20.0)),
        f"{second}/old.jpg": told(spot(tables, second)),
        f"{second}/ahead.jpg": told(spot(tables, second)),
    }
    for name, day in ((f"{second}/old.jpg", "2025:06:01"), (f"{second}/ahead.jpg", "2026:01:01")):
        photos[name].get_ifd(0x8769)[0x9003] = f"{day} 10:00:00"
        photos[name].get_ifd(0x8825)[29] = day
    for name, exif in photos.items():
        path = back / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(jpeg(exif, quality=60 + len(name)))
    for name in ("plan.tif", "film.mp4", "._in.jpg", ".DS_Store"):
        (back / "DCIM" / name).write_bytes(b"II*\0")
    (back / "DCIM" / "x.heic").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 40)
    done = import_field(back, run, now=NOW)
    assert done.answers.tallies["imported_cells"] == 4
    assert verdicts(run) == [(tables.clues["patch_id"].iloc[0], "违法", "李四")]
    marks = {p.photo.name: (p.clue_no, p.marks) for p in done.photos}
    assert marks == {
        "DCIM/in.jpg": (first, ()),
        "DCIM/near.jpg": (first, ()),
        "DCIM/away.jpg": (first, ("away",)),
        f"{first}/far.jpg": (first, ("outside",)),
        f"{first}/else.jpg": (first, ("outside", "other_clue")),
        f"{first}/blind.jpg": (first, ("no_position",)),
        "DCIM/lost.jpg": ("", ("no_clue",)),
        f"{second}/old.jpg": (second, ("old",)),
        f"{second}/ahead.jpg": (second, ("ahead",)),
    }
    assert [name for name, _ in done.refused] == ["DCIM/film.mp4", "DCIM/plan.tif", "DCIM/x.heic"]
    with next((run / "field").glob("*.photos.csv")).open(encoding="utf-8-sig") as handle:
        rows = {row["照片"]: row["原因"] for row in csv.DictReader(handle)}
    assert rows["DCIM/x.heic"] == "照片为 HEIC 格式，无法读取"
    assert rows["DCIM/film.mp4"].startswith("未读取")
    assert not any(re.search("[a-z]{4}", why) for why in rows.values())
    assert done.added == 9
    records = json.loads((run / "field/photos.json").read_text(encoding="utf-8"))
    page = (run / "field/photos.html").read_text(encoding="utf-8")
    assert len(records) == 9
    assert "DCIM/film.mp4: <span" in page
    assert page.count("<figure") == 9
    assert page.count("不作依据") == 8
    sheets = sorted((run / "field/photos").glob("*.pdf"))
    assert [s.stem for s in sheets] == [first, second]
    with pdfplumber.open(sheets[0]) as pdf:
        texts = [page.extract_text() for page in pdf.pages]
        assert [len(page.images) for page in pdf.pages] == [4, 2]
    assert "符合要求：2" in texts[0]
    assert "不作依据：没有定位" in texts[1]
    kept = sorted(p.name for p in (run / "field/attachments").rglob("*.jpg"))
    again = import_field(back, run, now=NOW)
    assert (again.answers.result, again.added) == ("nothing", 0)
    assert sorted(p.name for p in (run / "field/attachments").rglob("*.jpg")) == kept
    assert json.loads((run / "field/photos.json").read_text(encoding="utf-8")) == records
    assert len(verdicts(run)) == 1


def test_a_faulty_card_keeps_everything_out(field):
    run, back, tables = field
    first, second = tables.clues["clue_no"][:2]
    change(back, "UPDATE checks SET verdict = 'hm', checked_by = 'a' WHERE clue_no = ?", (first,))
    change(
        back, "UPDATE checks SET verdict = '合法', checked_by = 'a' WHERE clue_no = ?", (second,)
    )
    (back / f"{first}.jpg").write_bytes(jpeg(told(spot(tables, first))))
    result = CliRunner().invoke(build_app(), ["field", "import", str(back), "--run", str(run)])
    assert result.exit_code == ExitCode.USER_ERROR
    assert verdicts(run) == []
    assert not (run / "field/attachments").exists()
    book = openpyxl.load_workbook(run / f"field/{back.name}.import.xlsx")
    cells = [c.value for sheet in book for row in sheet.iter_rows() for c in row]
    assert first in cells
    assert second not in cells
    done = import_field(back, run, now=NOW, accept_good_rows=True)
    assert [v[1] for v in verdicts(run)] == ["合法"]
    assert done.added == 1


def test_zips_of_other_systems_are_read(field):
    run, back, tables = field
    first = tables.clues["clue_no"].iloc[0]
    data = next(back.glob("*.gpkg"))
    entries = [
        (f"out\\{data.name}", data.read_bytes()),
        (f"out\\DCIM\\{first}.jpg", jpeg(told(spot(tables, first)))),
        (f"__MACOSX/out/._{data.name}", b"\0\5\26\7"),
        ("out/.DS_Store", b"x"),
    ]
    path = back.parent / "in.zip"
    path.write_bytes(packed(entries))
    done = import_field(path, run, now=NOW)
    assert done.answers.result == "nothing"
    assert [(p.photo.name, p.marks) for p in done.photos] == [(f"out/DCIM/{first}.jpg", ())]
    assert done.refused == ()


def packed(entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return out.getvalue()


HOSTILE = {
    "path": ([("../../evil.jpg", jpeg())], "leads out"),
    "windows path": ([("a\\..\\..\\evil.jpg", jpeg())], "leads out"),
    "windows root": ([("\\\\host\\evil.jpg", jpeg())], "leads out"),
    "twice by slash": ([("a/b.jpg", jpeg()), ("a\\B.jpg", jpeg())], "twice"),
    "hidden path": ([("__MACOSX/../../._evil.jpg", jpeg())], "leads out"),
    "absolute": ([("/evil.jpg", jpeg())], "leads out"),
    "twice": ([("a.jpg", jpeg()), ("A.jpg", jpeg())], "twice"),
    "bomb": ([("a.jpg", b"\0" * (40 << 20))], "next to nothing"),
    "two packages": ([("a.gpkg", b"x"), ("b.gpkg", b"x")], "2 GeoPackages"),
    "no package": ([("a.gpkg", b"not a database")], "no GeoPackage"),
    "nothing": ([("a.txt", b"x")], "no check cards and no photos"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_packages_are_refused_whole(field, name):
    run, back, _ = field
    entries, what = HOSTILE[name]
    path = back.parent / "in.zip"
    path.write_bytes(packed(entries))
    with pytest.raises(InputError, match=what):
        import_field(path, run, now=NOW)
    assert not (run / "field").exists()
    assert not list(back.parent.parent.glob("**/evil.jpg"))


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DROP TABLE tuban", "no plain table"),
        ("UPDATE tuban SET value = '9' WHERE kind = 'tuban-field'", "format '9'"),
        ("UPDATE tuban SET value = 'x' WHERE kind = 'mark'", "mark is none"),
    ],
)
def test_tampered_geopackages_are_refused(field, statement, what):
    run, back, _ = field
    change(back, statement)
    with pytest.raises(InputError, match=what):
        import_field(back, run, now=NOW)
    assert verdicts(run) == []


def test_a_view_cannot_stand_for_the_cards(field):
    run, back, _ = field
    change(back, "ALTER TABLE checks RENAME TO real")
    change(back, "CREATE VIEW checks AS SELECT * FROM real, real AS b, real AS c")
    with pytest.raises(InputError, match="no plain table 'checks'"):
        import_field(back, run, now=NOW)
