"""Ledgers that came back: edited cells go in, everything else is told, and nothing half."""

import datetime as dt
import json
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
import shapely

from clues import workbooks
from clues.audit.verify import verify
from clues.cases.actors import Actor
from clues.cases.casebook import Casebook
from clues.outputs.chineseledger import CHINESE_FORM
from clues.outputs.ledger import write_ledger
from clues.readback import LedgerFile, read_ledger
from clues.readbackplan import Reading, plan_import
from clues.store.answers import Filled, filled_in
from clues.store.repository import Store
from clues.store.verdicts import stored_verdicts
from clues.verdicts import read_verdicts, settle
from clues.workbooks import read_workbook
from configs.errors import InputError
from flows.learning.retraining import settled_verdicts
from flows.ledgerimport import import_ledger
from flows.registering import register_run

FIRST, SECOND = "99990125Q2000001", "99990125Q2000002"
AREA, CROPLAND, PBF = "非农违法面积（亩）", "非农违法耕地面积（亩）", "非农违法基本农田面积（亩）"


def registered(folder, tables, key="k"):
    return register_run(
        folder, tables, key=key, crs="EPSG:4526", rule_set="cn-land", rule_set_version="1",
        layers=[], config={},
    )  # fmt: skip


MADE: dict[str, Path] = {}


READ: dict[str, tuple[LedgerFile, list[Filled]]] = {}


@pytest.fixture
def made(tables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run folder that is copied, with a store and the ledger that was handed out."""
    if "run" not in MADE:
        MADE["run"] = tmp_path_factory.mktemp("made")
        write_ledger(registered(MADE["run"], tables), MADE["run"] / "out.xlsx")
    return MADE["run"]


@pytest.fixture
def run(made, tmp_path: Path) -> Path:
    """Return a run folder of one's own."""
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def ledger(made) -> tuple[LedgerFile, list[Filled]]:
    """Return the ledger as it is read, and what its store knows."""
    if "made" not in READ:
        store = Store.at(made / "clues.sqlite")
        with store.engine.connect() as connection:
            READ["made"] = read_ledger(made / "out.xlsx"), filled_in(connection)
        store.close()
    return READ["made"]


def edited(path: Path, cells: dict[tuple[str, str], object], name: str = "in.xlsx") -> Path:
    """Return a copy of a ledger with cells of (clue, title) filled in."""
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    heads = [c.value for c in sheet[2]]
    rows = {sheet.cell(r, heads.index("线索编号") + 1).value: r for r in range(3, sheet.max_row)}
    for (clue, title), value in cells.items():
        sheet.cell(rows[clue], heads.index(title) + 1).value = value
    book.save(path.with_name(name))
    return path.with_name(name)


@pytest.mark.parametrize("told", [True, False])
def test_a_sum_typed_into_the_total_row_is_no_answer(run, told):
    path = edited(run / "out.xlsx", {(FIRST, AREA): 3.2})
    book = openpyxl.load_workbook(path)
    sheet, keys = book.worksheets[0], book["tuban"]
    heads = [c.value for c in sheet[2]]
    total, place = sheet.max_row, heads.index(AREA) + 1
    assert (sheet.cell(total, 1).value, sheet.cell(total, place).value[:5]) == ("合计", "=SUM(")
    sheet.cell(total, place).value = 3.2
    if not told:
        keys.delete_rows(next(r[0].row for r in keys.iter_rows() if r[0].value == "total"))
    book.save(path)
    done = import_ledger(path, by="王五")
    assert (done.result, [(c.clue_no, c.value) for c in done.plan.changes]) == (
        "imported", [(FIRST, "3.20")])  # fmt: skip


def kept(run: Path) -> list[tuple[str, str, str, str]]:
    store = Store.at(run / "clues.sqlite")
    try:
        rows = stored_verdicts(store)
        return [(r["patch_id"], r["verdict"], r["reason"], r["by"]) for r in rows]
    finally:
        store.close()


def counts(run: Path) -> tuple[int, int]:
    store = Store.at(run / "clues.sqlite")
    try:
        found = store.counts()
        return found["verdicts"], found["answers"]
    finally:
        store.close()


def codes(done) -> set[tuple[int, str]]:
    return {(p.row, p.code) for p in done.plan.problems}


def test_only_edited_cells_go_in_and_only_once(run):
    cells = {(FIRST, "核实认定意见"): " 违法", (FIRST, "核查人"): "王五", (FIRST, "备注"): "硬化",
             (FIRST, "核查日期"): dt.datetime(2025, 10, 31),
             (FIRST, "非农违法面积（亩）"): "3.2 亩"}  # fmt: skip
    done = import_ledger(edited(run / "out.xlsx", cells))
    assert (done.result, done.tallies["imported_cells"], done.rows) == ("imported", 5, [])
    assert kept(run) == [("TAAAAAAAAAAA1", "违法", "硬化", "王五")]
    before = counts(run)
    assert import_ledger(run / "in.xlsx").result == "nothing"
    assert counts(run) == before == (1, 4)
    report = json.loads((run / "in.import.json").read_text(encoding="utf-8"))
    assert report["result"] == "nothing"
    assert openpyxl.load_workbook(run / "in.import.xlsx").sheetnames[0] == "概况"


def test_a_ledger_judges_an_open_case_and_is_refused_by_row_where_it_contradicts_one(run):
    store = Store.at(run / "clues.sqlite")
    county, book = Actor("li", "county", "999901"), Casebook(store)
    first, second = book.dispatch(county, [FIRST, SECOND]).cases.values()
    book.act(county, second, "judge", 1, {"verdict": "legal"})
    verdict = "核实认定意见"
    done = import_ledger(
        edited(run / "out.xlsx", {(FIRST, verdict): "违法", (SECOND, verdict): "违法"}),
        by="王五",
        accept_good_rows=True,
    )
    assert (done.result, {code for _, code in codes(done)}) == ("partly", {"at_the_desk"})
    assert second in str(done.rows)
    assert [book.case(county, no)["verdict"] for no in (first, second)] == ["illegal", "legal"]
    assert book.case(county, first)["state"] == "judged"
    assert [word for _, word, _, _ in kept(run)] == ["合法", "违法"]
    assert not verify(store).broken
    store.close()


def test_what_was_filled_in_stands_in_the_next_ledger_and_feeds_retraining(run, tables):
    import_ledger(edited(run / "out.xlsx", {(FIRST, "核实认定意见"): "伪变化"}), by="王五")
    again = registered(run, tables)
    assert again.filled == {"TAAAAAAAAAAA1": {"verdict": "伪变化"}}
    write_ledger(again, run / "again.xlsx")
    assert import_ledger(run / "again.xlsx", by="李四").result == "nothing"
    assert settled_verdicts([run], ())[0].pseudo == {"TAAAAAAAAAAA1": True}
    withdrawn = edited(run / "again.xlsx", {(FIRST, "核实认定意见"): None}, "none.xlsx")
    assert import_ledger(withdrawn, by="王五").result == "imported"
    assert settle(read_verdicts(run / "clues.sqlite")).open == ("TAAAAAAAAAAA1",)


def test_a_broken_row_keeps_all_out_unless_good_rows_are_wanted(run):
    cells = {(FIRST, "核实认定意见"): "违反", (FIRST, "核查日期"): "2035-01-01",
             (FIRST, "非农违法面积（亩）"): "=1+1", (FIRST, "是否整改"): "也许",
             (SECOND, "核实认定意见"): "合法", (SECOND, "县名称"): "外县"}  # fmt: skip
    path = edited(run / "out.xlsx", cells)
    done = import_ledger(path, by="王五")
    assert done.result == "refused"
    assert counts(run) == (0, 0)
    assert codes(done) == {(3, "wrong_word_near"), (3, "future_date"), (3, "no_number"),
                           (3, "wrong_word"), (4, "machine_altered")}  # fmt: skip
    day = edited(run / "out.xlsx", {(FIRST, "核查日期"): dt.datetime(2035, 1, 1)}, "day.xlsx")
    assert any("日期 2035-01-01 在今天" in row[4] for row in import_ledger(day).rows)
    said = next(row for row in done.rows if "违反" in row[4])
    assert "“违法”" in said[5]
    assert import_ledger(path, by="王五", accept_good_rows=True).result == "partly"
    assert kept(run) == [("TAAAAAAAAAAA2", "合法", "", "王五")]


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({(FIRST, "核实认定意见"): "违法", (FIRST, "项目名称"): "长" * 400,
          (SECOND, "图斑编号"): "TAAAAAAAAAAA9"},
         {(3, "nobody"), (3, "too_long"), (4, "other_patch")}),
        ({(FIRST, "线索编号"): "99990125Q2000077", (SECOND, "核查日期"): "31.12.2025"},
         {(3, "unknown_clue"), (4, "no_date")}),
        ({(FIRST, "线索编号"): SECOND, (FIRST, "图斑编号"): "TAAAAAAAAAAA2",
          (FIRST, "备注"): "甲"}, {(3, "double"), (4, "double")}),
        ({(FIRST, "线索编号"): None, (FIRST, "图斑编号"): None, (FIRST, "备注"): "甲",
          (SECOND, "核实认定意见"): "违法", (SECOND, "核查日期"): "2025/3/1",
          (SECOND, "核查人"): "王五"}, {(3, "no_clue"), (4, "early_date")}),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_taken(run, cells, told):
    done = import_ledger(edited(run / "out.xlsx", cells))
    assert (codes(done), done.result) == (told, "refused")
    assert counts(run) == (0, 0)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({AREA: 5000}, {"area_in_metres"}),
        ({AREA: 9.62}, {"area_too_large"}),
        ({AREA: 9.6, CROPLAND: 9.6, PBF: 9.6}, set()),
        ({AREA: 3, CROPLAND: 4}, {"part_above_whole"}),
        ({AREA: 3, PBF: 3.5}, {"part_above_whole"}),
        ({CROPLAND: 3, PBF: 3.5}, {"part_above_whole"}),
        ({"核实认定意见": "合法", AREA: 3}, {"area_though_lawful"}),
        ({"核实认定意见": "伪变化", CROPLAND: 3}, {"area_though_lawful"}),
        ({"核实认定意见": "合法", AREA: 0}, set()),
        ({"是否整改": "否", "整改方式": "拆除复耕"}, {"way_against_answer"}),
        ({"是否整改": "是", "整改方式": "未整改"}, {"way_against_answer"}),
        ({"是否整改": "否", "整改方式": "未整改"}, set()),
        ({"核实认定意见": "合法", "是否整改": "是", "整改方式": "补办手续"}, set()),
        ({"核实认定意见": "伪变化", "是否整改": "是"}, {"rectified_though_lawful"}),
        ({"核查日期": "1999-01-01", "备注": "看过"}, {"early_date"}),
    ],
)
def test_cells_that_cannot_be_true_together_are_told(ledger, cells, told):
    file, filled = ledger
    titles = {title: key for key, title in file.titles.items()}
    own = {titles[title]: value for title, value in cells.items()}
    row = replace(file.rows[0], cells=file.rows[0].cells | own)
    now = dt.datetime(2025, 11, 1, tzinfo=dt.UTC)
    reading = Reading("王五", now, now.date(), CHINESE_FORM.choices)
    plan = plan_import(replace(file, rows=(row,)), filled, reading)
    assert {p.code for p in plan.problems} == told
    assert bool(plan.changes) != bool(plan.count("refused"))


def test_what_others_found_meanwhile_is_a_conflict(run, tables):
    first = edited(run / "out.xlsx", {(FIRST, "核实认定意见"): "违法", (FIRST, "项目名称"): "甲"})
    second = edited(run / "out.xlsx", {(FIRST, "核实认定意见"): "合法"}, "second.xlsx")
    import_ledger(first, by="王五")
    done = import_ledger(second, by="李四")
    assert (done.result, codes(done)) == ("refused", {(3, "both_changed")})
    write_ledger(registered(run, tables), run / "later.xlsx")
    later = edited(run / "later.xlsx", {(FIRST, "核实认定意见"): "合法"}, "third.xlsx")
    assert codes(import_ledger(later, by="李四")) == {(3, "other_person")}
    own = import_ledger(later, by="李四", overrule=True)
    assert (own.result, codes(own)) == ("imported", {(3, "overruled")})
    assert [v for _, v, _, _ in kept(run)] == ["违法", "合法"]


def cut(run: Path, tables, *, delete: bool = False) -> None:
    """Let people cut the first patch in two, or delete it."""
    patches = tables.patches.drop(columns="clue_no", errors="ignore")
    own = tables.findings["patch_id"] != "TAAAAAAAAAAA1"
    first, rest = patches[~own_rows(patches)], patches[own_rows(patches)]
    west, south, east, north = first.geometry.iloc[0].bounds
    middle = (west + east) / 2
    halves = [shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)]
    parts = pd.concat([first, first]).assign(patch_id=["E1", "E2"]).set_geometry(halves)
    drawn = [rest] if delete else [rest, parts.set_crs(patches.crs)]
    table = gpd.GeoDataFrame(pd.concat(drawn, ignore_index=True), crs=patches.crs)
    registered(run, replace(tables, patches=table, findings=tables.findings[own]), key="edited")


def own_rows(patches):
    return (patches["patch_id"] != "TAAAAAAAAAAA1").to_numpy()


@pytest.mark.parametrize("delete", [False, True])
def test_a_patch_that_was_cut_or_deleted_takes_no_answers(run, tables, delete):
    cells = {(FIRST, "核实认定意见"): "违法", (SECOND, "核实认定意见"): "合法"}
    import_ledger(edited(run / "out.xlsx", cells), by="李四")
    before = counts(run)
    cut(run, tables, delete=delete)
    done = import_ledger(run / "in.xlsx", by="李四")
    assert (done.result, codes(done)) == ("nothing", {(3, "gone_before")})
    changed = edited(run / "out.xlsx", cells | {(FIRST, "核实认定意见"): "伪变化"})
    done = import_ledger(changed, by="李四", accept_good_rows=True)
    assert codes(done) == {(3, "deleted" if delete else "gone")}
    assert delete or "99990125Q2000003、99990125Q2000004" in done.rows[0][4]
    assert counts(run) == before


def test_a_redrawn_patch_takes_no_answers_and_keeps_those_it_has(run, tables):
    cells = {(FIRST, "核实认定意见"): "违法", (SECOND, "核实认定意见"): "合法"}
    import_ledger(edited(run / "out.xlsx", cells), by="李四")
    ids = {"TAAAAAAAAAAA1": "E1"}
    patches = tables.patches.drop(columns="clue_no", errors="ignore")
    drawn = patches.assign(
        object_id=patches["patch_id"],
        patch_id=patches["patch_id"].replace(ids),
        edit=["redrawn" if p in ids else "" for p in patches["patch_id"]],
    )
    findings = tables.findings.assign(patch_id=tables.findings["patch_id"].replace(ids))
    registered(run, replace(tables, patches=drawn, findings=findings), key="edited")
    done = import_ledger(run / "in.xlsx", by="李四")
    assert (done.result, codes(done)) == ("nothing", {(3, "redrawn_before")})
    changed = edited(run / "out.xlsx", cells | {(FIRST, "核实认定意见"): "伪变化"})
    done = import_ledger(changed, by="李四")
    assert (done.result, codes(done)) == ("refused", {(3, "redrawn")})


def test_a_ledger_of_another_run_is_refused_whole(run, tables, tmp_path):
    other = tmp_path / "other"
    tables.patches["patch_id"] = tables.findings["patch_id"] = ["TB1", "TB2", "TB3"]
    registered(other, tables)
    with pytest.raises(InputError, match="none of its 2 clues"):
        import_ledger(run / "out.xlsx", other)
    (run / "clues.sqlite").rename(run / "moved.sqlite")
    with pytest.raises(InputError, match="no clue store"):
        import_ledger(run / "out.xlsx")


def with_entry(path: Path, name: str, data: bytes, target: Path) -> Path:
    shutil.copy(path, target)
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return target


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("../outside.xml", b"<a/>", "leads out of the folder"),
        ("/etc/outside.xml", b"<a/>", "leads out of the folder"),
        ("C:\\outside.xml", b"<a/>", "no plain path"),
        ("xl/workbook.xml", b"<a/>", "stands there twice"),
        ("XL/Workbook.xml", b"<a/>", "stands there twice"),
        ("xl/bomb.xml", b" " * (8 << 20), "of next to nothing"),
        ("xl/evil.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        ("xl/evil.xml", b"<a", "damaged"),
    ],
)
def test_hostile_workbooks_are_refused(run, name, data, said):
    path = with_entry(run / "out.xlsx", name, data, run / "evil.xlsx")
    with pytest.raises(InputError, match=said):
        import_ledger(path)


def test_files_that_are_no_ledgers_are_refused(run):
    (run / "text.xlsx").write_text("no zip")
    with pytest.raises(InputError, match="no readable zip"):
        import_ledger(run / "text.xlsx")
    book = openpyxl.Workbook()
    book.active.append(["线索编号"])
    book.save(run / "plain.xlsx")
    with pytest.raises(InputError, match="no sheet 'tuban'"):
        import_ledger(run / "plain.xlsx")
    book = openpyxl.load_workbook(run / "out.xlsx")
    sheet = book.worksheets[0]
    sheet.delete_cols([c.value for c in sheet[2]].index("图斑编号") + 1)
    book.save(run / "cut.xlsx")
    with pytest.raises(InputError, match="'图斑编号' is gone"):
        import_ledger(run / "cut.xlsx")


def test_rows_far_down_do_not_fill_the_memory(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_ROWS", 1000)
    book = openpyxl.Workbook()
    book.active["A1"] = "甲"
    book.active["A1048576"] = "乙"
    book.save(tmp_path / "far.xlsx")
    assert read_workbook(tmp_path / "far.xlsx") == {"Sheet": [("甲",)]}


@pytest.mark.desk
def test_libreoffice_saves_a_ledger_that_is_read_back(run, tables):
    if shutil.which("soffice") is None:
        pytest.skip("LibreOffice is not installed")
    cells = {(FIRST, "核实认定意见"): "违法", (FIRST, "核查人"): "王五",
             (FIRST, "核查日期"): dt.datetime(2025, 10, 31)}  # fmt: skip
    edited(run / "out.xlsx", cells)
    home = f"-env:UserInstallation=file://{run}/office"
    command = ["soffice", home, "--headless", "--convert-to", "xlsx:Calc MS Excel 2007 XML"]
    subprocess.run(
        [*command, "--outdir", str(run / "saved"), str(run / "in.xlsx")],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    done = import_ledger(run / "saved" / "in.xlsx", run)
    assert (done.result, done.rows) == ("imported", [])
    changed = [(c.clue_no, c.key, c.value) for c in done.plan.changes]
    assert changed == [(FIRST, "verdict", "违法"), (FIRST, "checked_by", "王五"),
                       (FIRST, "checked_on", "2025-10-31")]  # fmt: skip
