"""Packages: what an outsider is told of a wrong one, what is merged and what is not, what leaks."""

import hashlib
import io
import json
import re
import shutil
import struct
import zipfile
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyproj
import pytest
import shapely

from clues.packagecheck import check_package
from clues.packagemerge import differences
from clues.packageparquet import decoded_bytes
from clues.packages import Manifest, open_package
from clues.packageverdicts import filled_totals
from clues.publiccells import CellGrid, blur, count_cells, write_cells
from configs.errors import InputError
from flows.packaging import merge_packages, target_of
from flows.redacting import redact_package
from tests.clues.packed import APPROVAL, HOLDER, INSPECTOR, MADE_FROM, REMARK, Packed, judged, pack


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Packed:
    return pack(tmp_path_factory.mktemp("package"))


def changed(packed: Packed, target: Path, **members: bytes | None) -> Path:
    """Copy a package with members replaced, added or (None) left out; names with ' for /."""
    members = {name.replace("'", "/"): data for name, data in members.items()}
    with zipfile.ZipFile(packed.path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if name not in members:
                new.writestr(name, old.read(name))
        for name, data in members.items():
            if data is not None:
                new.writestr(name, data)
    return target


def manifest_of(packed: Packed, **changes: object) -> bytes:
    with zipfile.ZipFile(packed.path) as archive:
        values = json.loads(archive.read("manifest.json"))
    return json.dumps(values | changes).encode()


def faults(path: Path) -> str:
    found = check_package(path).faults
    assert all(f.what and f.where and f.fix for f in found)
    return "\n".join(str(f) for f in found)


def test_a_whole_package_passes_and_the_same_tables_give_the_same_bytes(packed, tmp_path):
    checked = check_package(packed.path)
    assert checked.faults == []
    told = checked.package.manifest.totals
    assert (told["patches"], told["clues"], told["dismissed"]) == (2, 1, 1)
    assert told["area_dm2"] == int(packed.tables.patches["area_dm2"].sum())
    assert told["filled"] == {
        "patches": 1,
        "cells": 2,
        "verdicts": {"违法": 1},
        "parcels": {"违法": 1},
    }
    assert pack(tmp_path).path.read_bytes() == packed.path.read_bytes()


def test_missing_foreign_and_altered_files_are_named(packed, tmp_path):
    members = {"tables/leads.parquet": None, "products/report.html": b"x" * 46, "own.txt": b""}
    text = faults(changed(packed, tmp_path / "b.zip", **members))
    assert "file is missing\n  where: " in text
    assert "tables/leads.parquet" in text
    assert re.search(r"does not name the file\n  where: .*own.txt", text)
    assert re.search(r"(altered|bytes).*\n  where: .*report.html", text)


def test_totals_are_added_up_from_the_rows(packed, tmp_path):
    with zipfile.ZipFile(packed.path) as archive:
        told = json.loads(archive.read("manifest.json"))
    wrong = told["totals"] | {"area_dm2": told["totals"]["area_dm2"] + 1}
    text = faults(
        changed(packed, tmp_path / "b.zip", **{"manifest.json": manifest_of(packed, totals=wrong)})
    )
    assert re.search(r"totals area_dm2: the rows add up to (\d+), the manifest says (\d+)", text)
    counties = [told["counties"][0] | {"code": "999902"}]
    text = faults(
        changed(
            packed, tmp_path / "c.zip", **{"manifest.json": manifest_of(packed, counties=counties)}
        )
    )
    assert "of county 999901" in text
    assert "of county 999902" in text


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (b"{", "is no JSON"),
        (b'{"format": "zip"}', "not that of a tuban package"),
        (b'{"format": "tuban-package", "schema_version": 2}', "schema version 2"),
        (b'{"format": "tuban-package", "schema_version": 1}', "holds what it may not"),
    ],
)
def test_a_foreign_manifest_is_refused(packed, tmp_path, values, told):
    assert told in faults(changed(packed, tmp_path / "b.zip", **{"manifest.json": values}))


def traversal(archive):
    archive.writestr("../outside.txt", "x")


def absolute(archive):
    archive.writestr("/etc/outside.txt", "x")


def link(archive):
    entry = zipfile.ZipInfo("link")
    entry.external_attr = 0o120777 << 16
    archive.writestr(entry, "/etc/passwd")


def twice(archive):
    archive.writestr("a.txt", "x")
    archive.writestr("A.txt", "x")


def bomb(archive):
    archive.writestr("bomb.bin", b"\0" * (8 << 20), zipfile.ZIP_DEFLATED)


def encrypted(archive):
    archive.writestr("secret.txt", "x")
    archive.getinfo("secret.txt").flag_bits |= 1


@pytest.mark.parametrize("harm", [traversal, absolute, link, twice, encrypted, bomb])
def test_a_hostile_archive_is_refused_and_writes_nothing(packed, tmp_path, harm):
    path = tmp_path / "evil.zip"
    shutil.copyfile(packed.path, path)
    with zipfile.ZipFile(path, "a") as archive:
        harm(archive)
    before = sorted(tmp_path.rglob("*"))
    assert "entry" in faults(path)
    with pytest.raises(InputError, match="entry"):
        merge_packages([packed.path, path], tmp_path / "out")
    with pytest.raises(InputError, match="entry"):
        redact_package(path, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


def test_other_files_are_no_packages(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"no archive at all")
    assert "no readable zip" in faults(path)
    assert "no such file" in faults(tmp_path / "none.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    assert "holds no manifest.json" in faults(path)


def test_packages_that_differ_are_refused_naming_all_of_it(packed, tmp_path):
    other = pack(
        tmp_path,
        "b.zip",
        "999902",
        grid="grid2",
        state="state2",
        epochs={"before": ["2025-03-06"] * 2, "after": ["2025-06-12"] * 2},
        layers=[{"role": "approval", "version": "bbbb"}],
        made_from=MADE_FROM | {"config field detection.method": "mad"},
    )
    with pytest.raises(InputError) as error:
        merge_packages([packed.path, other.path], tmp_path / "out")
    for part in (
        "grid id: grid1 in a.zip, grid2 in b.zip",
        "fitted state: state1",
        "before epoch: 2025-03-05 – 2025-03-05 in a.zip, 2025-03-06",
        "layer approval: aaaa in a.zip, bbbb in b.zip",
        "detection.method: cva in a.zip, mad in b.zip",
    ):
        assert part in error.value.what
    assert not (tmp_path / "out").exists()
    same = differences([open_package(packed.path)] * 2)
    assert same == ["county 999901 is in a.zip and in a.zip"]
    alone = pack(
        tmp_path, "c.zip", "999903", made_from=MADE_FROM | {"config field area.by_county": False}
    )
    told = differences([open_package(p) for p in (packed.path, alone.path)])
    assert told == ["c.zip is of a run without area.by_county"]


def dressed(packed: Packed, target: Path, told: dict | None = None, **files: bytes) -> Path:
    """Copy a package with more files, which its manifest names, and other words in it."""
    files = {name.replace("'", "/"): data for name, data in files.items()}
    with zipfile.ZipFile(packed.path) as archive:
        listed = json.loads(archive.read("manifest.json"))["files"]
    listed = [entry for entry in listed if entry["path"] not in files]
    listed += [
        {"path": n, "size": len(d), "sha256": hashlib.sha256(d).hexdigest(), "zh": "", "en": ""}
        for n, d in files.items()
    ]
    manifest = manifest_of(packed, **(told or {}) | {"files": listed})
    return changed(packed, target, **files, **{"manifest.json": manifest})


def test_codes_and_names_of_a_manifest_lead_nowhere(packed, tmp_path):
    with zipfile.ZipFile(packed.path) as archive:
        told = json.loads(archive.read("manifest.json"))
    wrong = [
        {"counties": [told["counties"][0] | {"code": code}]}
        for code in ("../../x", "/tmp/x", "９９９９０１", "9", "99\n", 999901)
    ]
    wrong += [
        {"title": told["title"] | values}
        for values in (
            {"county_code": "../x"},
            {"county_name": "a\x00b"},
            {"county_name": "县" * 101},
            {"year": 10**9},
            {"quarter": True},
        )
    ]
    inside = tmp_path / "inside" / "deep"
    inside.mkdir(parents=True)
    for i, values in enumerate(wrong):
        path = dressed(packed, inside / f"{i}.zip", values, **{"products'html'keys": b"x"})
        assert "tells its kind, title" in faults(path), values
    path = dressed(packed, inside / "b.zip", wrong[0], **{"products'html'keys": b"x"})
    with pytest.raises(InputError, match="tells its kind, title"):
        merge_packages([packed.path, path], inside / "out")
    with pytest.raises(InputError, match="no code of a division"):
        merge_packages(
            [packed.path, pack(inside, "c.zip", "999902").path], inside / "out", code="../../x"
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["inside"]
    assert not (inside / "out").exists()


@pytest.mark.parametrize("inner", ["../x", "a/../../x", "/tmp/tuban-outside"])
def test_nothing_is_unpacked_outside_its_folder(packed, tmp_path, inner):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(InputError, match="may not be unpacked"):
        open_package(packed.path).unpack("tables/rules.json", folder, inner)
    assert [p.name for p in tmp_path.rglob("*")] == ["folder"]


def test_a_package_brings_nothing_of_another_county(packed, tmp_path):
    own = {f"products'evidence'{packed.tables.patches['clue_no'].max()}.pdf": b"%PDF own"}
    honest = pack(tmp_path / "b", "b.zip", "999902")
    path, _ = merge_packages(
        [dressed(packed, tmp_path / "a.zip", **own), honest.path], tmp_path / "m.zip"
    )
    assert check_package(path).faults == []
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert archive.read(next(iter(own)).replace("'", "/")) == b"%PDF own"
        ledger = openpyxl.load_workbook(io.BytesIO(archive.read("products/clues.xlsx")))
    cells = [cell.value for row in ledger.worksheets[0].iter_rows() for cell in row]
    assert [cells.count(word) for word in ("违法", REMARK)] == [2, 2]  # of both counties
    assert "nan" not in cells
    both = [judged(code, 20_000.0 * int(code[-1])) for code in ("999901", "999902")]
    joint = pd.concat([t.verdicts for t in both], ignore_index=True)
    replace(both[0], verdicts=joint).write(tmp_path / "joint")
    with zipfile.ZipFile(path) as archive:
        written = (tmp_path / "joint" / "verdicts.parquet").read_bytes()
        assert archive.read("tables/verdicts.parquet") == written
    filled = check_package(path).package.manifest.totals["filled"]
    assert filled == {"patches": 2, "cells": 4, "verdicts": {"违法": 2}, "parcels": {"违法": 2}}
    assert {"counties/999901/report.html", "counties/999902/report.html"} <= set(names)
    foreign = (
        ("counties'999901'report.html", "holds no such file"),
        ("counties'999902'report.html", "holds no such file"),
        ("tables'other.json", "holds no such file"),
        ("products'evidence'99990125Q2000009.pdf", "no such clue"),
        ("products'evidence'a'b.pdf", "no such clue"),
    )
    for name, told in foreign:
        spoofed = dressed(honest, tmp_path / "s.zip", **{name: b"spoof"})
        assert told in faults(spoofed), name
    with pytest.raises(InputError, match=told):
        merge_packages([packed.path, spoofed], tmp_path / "out.zip")
    merged = Packed(path, packed.tables)
    assert "holds no such file" in faults(
        dressed(merged, tmp_path / "s.zip", **{"counties'999903'report.html": b"spoof"})
    )
    assert not (tmp_path / "out.zip").exists()


def test_what_people_filled_in_is_checked(packed, tmp_path):
    def with_verdicts(**changes: object) -> str:
        table = packed.tables.verdicts.assign(**changes)
        data = io.BytesIO()
        table.to_parquet(data, index=False)
        members = {"tables'verdicts.parquet": data.getvalue()}
        return faults(dressed(packed, tmp_path / "v.zip", **members))

    assert with_verdicts() == ""
    assert "totals filled: the rows add up to" in with_verdicts(value="合法")
    assert "clue numbers of other patches, e.g. 9" in with_verdicts(clue_no="99990125Q2000009")
    assert "verdicts: 1 patches are not in the table" in with_verdicts(patch_id="Tother")
    assert "verdicts: 2 parcels are not in the table" in with_verdicts(parcel_no="7")
    told = packed.tables.verdicts
    assert filled_totals(told)["parcels"] == {"违法": 1}
    assert "filled: the rows add up to" in with_verdicts(
        value=told["value"].where(told.line == "", "")
    )
    photo = b"a photo"
    name = f"products'field'attachments'ab'{hashlib.sha256(photo).hexdigest()}.jpg"
    assert faults(dressed(packed, tmp_path / "p.zip", **{name: photo})) == ""
    assert "named after" in faults(dressed(packed, tmp_path / "p.zip", **{name: b"another"}))


def test_a_package_that_is_read_is_never_replaced(packed, tmp_path):
    mine = shutil.copyfile(packed.path, tmp_path / "a.zip")
    link = tmp_path / "link.zip"
    link.symlink_to(mine)
    for out in (mine, link, tmp_path / ".." / tmp_path.name / "a.zip"):
        with pytest.raises(InputError, match="would be replaced"):
            merge_packages([packed.path, mine], out)
        with pytest.raises(InputError, match="would be replaced"):
            redact_package(mine, out)
    with zipfile.ZipFile(mine) as archive:
        told = json.loads(archive.read("manifest.json"))
    told = Manifest.from_json(json.dumps(told).encode(), "")
    named = target_of(tmp_path, told, "成果包")
    mine.rename(named)
    with pytest.raises(InputError, match="would be replaced"):
        target_of(tmp_path, told, "成果包", [named])
    assert named.read_bytes() == packed.path.read_bytes()


def parquet(table: pa.Table, **options: object) -> bytes:
    """Return a Parquet file as a stranger would write it."""
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd", store_schema=False, **options)
    return stream.getvalue()


def worded(count: int, length: int) -> pa.Table:
    """Return rows that all name one long text."""
    places = pa.array(np.zeros(count, dtype=np.int32))
    return pa.table({"patch_id": pa.DictionaryArray.from_arrays(places, ["A" * length])})


ROWS = pa.table({"n": np.zeros(6_000_000, dtype=np.int8)})
BOMBS = {
    "one text for all rows": (worded(2_000, 1 << 20), {}, "more than 537 MB"),
    "many short texts": (worded(4_900_000, 200), {}, "more than 537 MB"),
    "many rows": (ROWS, {"use_dictionary": True}, "6000000 rows"),
    "deltas": (
        worded(20, 1 << 10).cast(pa.schema({"patch_id": pa.string()})),
        {"use_dictionary": False, "column_encoding": {"patch_id": "DELTA_BYTE_ARRAY"}},
        "unusual way",
    ),
    "lists": (pa.table({"n": [[1]]}), {}, "lists or records"),
    "columns": (pa.table({f"c{i}": [1] for i in range(201)}), {}, "201 columns"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_table_that_unpacks_to_gigabytes_is_refused_before_it_grows(packed, tmp_path, name):
    table, options, told = BOMBS[name]
    data = parquet(table, **options)
    assert len(data) < 4 << 20
    path = dressed(packed, tmp_path / "b.zip", **{"tables'leads.parquet": data})
    used, pool = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(pool)
    try:
        assert told in faults(path)
        assert pool.max_memory() < 64 << 20
    finally:
        pa.set_memory_pool(used)


def test_pages_count_by_their_own_heads():
    zeros = pa.table({"n": np.zeros(1_000_000)})
    data = parquet(zeros, use_dictionary=False)
    assert len(data) < 100_000
    assert decoded_bytes(data, 9_000_000, "", "") == 8_125_000
    file = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(0)
    with pytest.raises(InputError, match="more than 1 MB"):
        decoded_bytes(data, 1_000_000, "", "")
    for harmed in (b"\xff" * 40, b"\0" * 40):
        start = file.data_page_offset
        broken = data[:start] + harmed + data[start + 40 :]
        with pytest.raises(InputError, match="head of a page is damaged"):
            decoded_bytes(broken, 9_000_000, "", "")


def every_byte(path: Path) -> bytes:
    """Return all bytes of an archive, its names, and those of the archives inside."""
    found = []
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            found += [name.encode(), data]
            if zipfile.is_zipfile(io.BytesIO(data)):
                with zipfile.ZipFile(io.BytesIO(data)) as inner:
                    found += [
                        part for n in inner.namelist() for part in (n.encode(), inner.read(n))
                    ]
    return b"\n".join(found)


def forbidden(packed: Packed) -> set[bytes]:
    """Return ids, numbers, names, texts and coordinates of a package as they could be written."""
    tables = packed.tables
    words = {APPROVAL, HOLDER, "张三", "食品", INSPECTOR, REMARK}
    words |= set(tables.patches["patch_id"]) | set(tables.patches["clue_no"]) - {""}
    words |= set(tables.findings["parcel_id"]) | set(tables.findings["reason_zh"])
    words |= set(tables.coverage["key"]) | set(tables.coverage["number"])
    found = {w.encode() for w in words} | {w.encode("utf-16-le") for w in words}
    outlines = tables.patches.geometry.to_crs("EPSG:4490"), tables.patches.geometry
    values = [shapely.get_coordinates(shape.to_numpy()).ravel() for shape in outlines]
    values.append(tables.patches[["lon", "lat"]].to_numpy(dtype=float).ravel())
    for value in np.unique(np.concatenate(values)):
        found |= {struct.pack("<d", value), struct.pack(">d", value), f"{value:.5f}"[:9].encode()}
    return found


def test_a_public_package_tells_no_place_name_or_number(packed, tmp_path):
    cell = 730.5
    path, manifest = redact_package(packed.path, tmp_path, cell_m=cell)
    assert check_package(path).faults == []
    told = (packed.tables.patches["area_dm2"] / 100_000).round().sum() * 100_000
    assert manifest.totals == {"patches": 2, "area_dm2": told, "rounding_dm2": 0}
    data = every_byte(path)
    assert [word for word in forbidden(packed) if word in data] == []
    assert any(word in every_byte(packed.path) for word in forbidden(packed))
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == [
            "cells.csv",
            "cells.gpkg",
            "cells.xlsx",
            "manifest.json",
        ]
        archive.extract("cells.gpkg", tmp_path)
    squares = pyogrio.read_dataframe(tmp_path / "cells.gpkg")
    assert (np.mod(shapely.get_coordinates(squares.geometry.to_numpy()), np.ceil(cell)) == 0).all()
    outlines = packed.tables.patches.geometry
    assert all(squares.geometry.covers(shape.representative_point()).any() for shape in outlines)
    again = redact_package(packed.path, tmp_path / "again", cell_m=cell)[0]
    assert again.read_bytes() == path.read_bytes()


def test_areas_of_few_patches_cannot_be_told(packed, tmp_path):
    def blurred(*rows: tuple[int, int]) -> tuple[list[int], list[int], int, int]:
        found = blur(pd.DataFrame(rows, columns=["patches", "area_dm2"]))
        table = found.table
        return (table["area_dm2"].tolist(), table["rounded"].tolist(), *astuple(found)[1:])

    assert blurred((3, 123_456)) == ([123_456], [0], 123_456, 0)
    assert blurred((1, 123_456)) == ([100_000], [1], 100_000, 0)
    assert blurred((1, 7), (1, 150_000)) == ([100_000, 200_000], [1, 1], 300_000, 0)
    # the exact total less the row of three would be the one patch
    assert blurred((3, 555_555), (1, 111_111)) == ([600_000, 100_000], [1, 1], 666_666, -33_334)
    assert blurred((5, 555_555), (1, 111_111), (2, 1)) == (
        *([555_555, 100_000, 100_000], [0, 1, 1]),
        *(666_667, -88_888),
    )
    assert blurred() == ([], [], 0, 0)
    tables, grid = packed.tables, CellGrid.over((), "EPSG:4526", 500.0)
    more = pd.concat([tables.patches] * 2, ignore_index=True)
    found = blur(count_cells(replace(tables, patches=more), grid))
    assert found.rounding_dm2 == found.area_dm2 - found.table["area_dm2"].sum() != 0
    assert found.area_dm2 == more["area_dm2"].sum()
    write_cells(found, grid, tmp_path)
    book = openpyxl.load_workbook(tmp_path / "cells.xlsx")
    for sheet, words in zip(
        book, (("取整差额", "合计", "是"), ("rounding", "total", "yes")), strict=True
    ):
        *rows, rounding, total = [[c.value for c in row] for row in sheet.iter_rows(min_row=2)]
        assert (rounding[0], total[0], rows[-1][-1]) == words
        for place in (6, 7):
            assert sum(float(r[place]) for r in [*rows, rounding]) == pytest.approx(
                float(total[place]), abs=0.02
            )


WORDS = ("王小明", "13800001234", "114.617844", "冀国土资函", "Wang")


def test_texts_of_a_dirty_manifest_do_not_become_public(packed, tmp_path):
    dirty = f"{WORDS[0]} {WORDS[1]} {WORDS[2]}E {WORDS[3]}〔2024〕12号 {WORDS[4]}"
    credit = "Contains modified Copernicus Sentinel data"
    with zipfile.ZipFile(packed.path) as archive:
        told = json.loads(archive.read("manifest.json"))
    values = {
        "attribution": f"{dirty}; {credit}; {dirty}",
        "title": told["title"] | {"county_name": f"{dirty}县"},
        "counties": [told["counties"][0] | {"name": dirty}],
        "versions": {"tuban": dirty, "rules": dirty, dirty: dirty},
        "epochs": told["epochs"] | {dirty: ["2025-01-01"] * 2},
        "rules": told["rules"] | {"name": dirty, "text": dirty},
        "layers": [{"role": dirty, "version": dirty}],
        "made_from": {dirty: dirty},
        "parts": [{"file": dirty, "manifest": dirty}],
        "details": {dirty: dirty},
        "grid": dirty,
        "state": dirty,
    }
    path = dressed(packed, tmp_path / "dirty.zip", values, **{"products'王小明.txt": b"x"})
    assert check_package(path).faults == []
    public, manifest = redact_package(path, tmp_path / "out")
    assert public.name == "999901示例县_2025Q2_公开成果_20250612.zip"
    data = public.name.encode() + every_byte(public)
    forms = {w.encode(code) for w in WORDS for code in ("utf-8", "utf-16-le", "gbk")}
    assert [f for f in forms if f in data] == []
    plain = json.dumps(manifest.details | manifest.title, ensure_ascii=True) + str(manifest)
    assert not any(w in plain for w in WORDS)
    assert manifest.attribution == credit
    assert set(manifest.epochs) == {"before", "after"}
    assert set(manifest.rules) == {"version"}
    assert manifest.versions == {}


def test_names_and_places_of_own_grids_do_not_become_public(packed, tmp_path):
    from clues.packagepublic import county_of, public_code
    from flows.redacting import _in_known_crs

    own = (
        pyproj.CRS("EPSG:4526").to_wkt().replace("CGCS2000", "王小明").replace("39500000", "12345")
    )
    own = re.sub(r',\s*ID\["EPSG",\d+\]', "", own)
    patches = packed.tables.patches.set_crs(own, allow_override=True)
    known = _in_known_crs(replace(packed.tables, patches=patches)).patches
    assert known.crs == "EPSG:4490"
    codes = ("13800001234", "９９９９０１", "²²", "999901", "../999901", None)
    assert [public_code(c) for c in codes] == ["", "", "", "999901", "", ""]
    told = open_package(packed.path).manifest
    for name, kept in (("王小明", ""), ("磁县", "磁县"), ("Wang", ""), ("张三13800001234县", "")):
        tables = replace(packed.tables, patches=packed.tables.patches.assign(county_name=name))
        assert county_of(told, tables) == ("999901", kept)


def test_cells_are_coarse_in_degrees_too(packed, tmp_path):
    grid = CellGrid.over((114.0, 36.6, 114.1, 36.7), "EPSG:4490", 500.0)
    assert grid.step == 0.006
    assert grid.cells(np.array([shapely.box(114.001, 36.601, 114.002, 36.602)])).tolist() == [
        [19000, 6100]
    ]
    with pytest.raises(InputError, match="where plots lie"):
        redact_package(packed.path, tmp_path, cell_m=499)
    assert not list(tmp_path.iterdir())
