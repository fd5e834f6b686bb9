"""The register as people ask it: status of clues, batches, land classes that people told."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import shapely
from sqlalchemy import select
from typer.testing import CliRunner

from clues.identity import trace_fates
from clues.objects import ObjectFate
from clues.outputs.tables import ClueTables
from clues.store import schema
from clues.store.inserting import RunRecord
from clues.store.lineage import Period, held_before
from clues.store.register import Batch, confirmed_ground, issue_batch, registered_clues
from clues.store.repository import Store
from clues.store.verdicts import add_verdicts
from clues.toldclasses import read_told_classes
from configs.errors import InputError, StoreError
from flows.cli.app import build_app
from flows.registerbook import clue_rows
from flows.registering import Registration
from flows.tracing import current_patches

DAY = dt.date(2026, 4, 1)
FIRST_PATCH = "TAAAAAAAAAAA1"
FIRST = Batch(2026, 1, DAY, dt.date(2026, 5, 1))
CLEARED = {"change_type": "vegetation_loss", "from_cover": "cropland", "to_cover": "bare"}
BUILT = {"change_type": "new_building", "from_cover": "cropland", "to_cover": "built"}


@pytest.fixture
def register(tables, tmp_path: Path) -> Iterator[Store]:
    """Return a register with one run of the quarterly profile."""
    config = {"profile": "emergency"}
    run = RunRecord("k", "r", "999901", "", "EPSG:4526", 2025, 2, "cn-land", "1", config, {})
    store = Store.at(tmp_path / "register.sqlite")
    store.register(run, tables.patches, tables.findings)
    yield store
    store.close()


def issued(store: Store, batch: Batch) -> int:
    with store.transaction() as connection:
        return issue_batch(connection, batch, registered_clues(connection))


def clues_of(store: Store):
    with store.engine.connect() as connection:
        return registered_clues(connection)


def test_a_clue_is_open_then_issued_then_judged(register: Store):
    clues = clues_of(register)
    assert [c.status for c in clues] == ["open"] * len(clues)
    assert issued(register, FIRST) == len(clues) > 1
    assert {c.batch for c in clues_of(register)} == {FIRST}
    assert all(c.is_due(FIRST.due_date) for c in clues_of(register))
    assert not any(c.is_due(FIRST.due_date - dt.timedelta(days=1)) for c in clues_of(register))
    row = {"patch_key": 1, "parcel_no": 0, "line": "land", "reason": "", "by": "张三",
           "at": dt.datetime(2026, 4, 2, tzinfo=dt.UTC), "source": "ledger"}  # fmt: skip
    with register.transaction() as connection:
        add_verdicts(connection, [row | {"verdict": "违法"}])
    judged = [c for c in clues_of(register) if c.status == "judged"]
    assert [c.verdict for c in judged] == ["违法"]
    assert not judged[0].is_due(dt.date(2030, 1, 1))
    with register.transaction() as connection:
        add_verdicts(connection, [row | {"verdict": "未定"}])
    assert {c.status for c in clues_of(register)} == {"issued"}


def test_a_clue_is_in_one_batch_and_a_batch_keeps_its_dates(register: Store):
    count = issued(register, FIRST)
    assert issued(register, FIRST) == 0
    assert issued(register, Batch(2026, 2, DAY, DAY)) == 0
    assert {c.batch for c in clues_of(register)} == {FIRST}
    with pytest.raises(StoreError, match=r"batch 2026-1 was issued on 2026-04-01, due 2026-05-01"):
        issued(register, Batch(2026, 1, DAY, dt.date(2026, 6, 1)))
    assert len(clues_of(register)) == count


def said_of(store: Store, run: str, verdict: str) -> None:
    """Let people judge the first patch of a run."""
    patch, of = schema.patches.c, schema.runs.c
    asked = select(patch.id).join(schema.runs).where(of.name == run, patch.patch_id == FIRST_PATCH)
    row = {"patch_key": 0, "parcel_no": 0, "line": "land", "reason": "", "by": "张三",
           "at": dt.datetime.now(dt.UTC), "source": "ledger", "verdict": verdict}  # fmt: skip
    with store.transaction() as connection:
        add_verdicts(connection, [row | {"patch_key": connection.scalar(asked)}])


def worked(store: Store, tables: ClueTables, name: str, after: dt.date, **kinds: str) -> ObjectFate:
    """Register a period whose patches are all of one kind; return the fate of the first one."""
    crs = tables.patches.crs.to_string()
    period = Period(name, dt.date(2024, 12, 20), after, crs, tuple(tables.patches.total_bounds))
    with store.engine.connect() as connection:
        held = held_before(connection, period)
    patches = tables.patches.assign(**kinds, limitation_until=None)
    shown = current_patches(patches, period)
    fates = trace_fates(held.known, shown, None, crs=crs, before=period.before)
    told = [fates.by_patch[p] for p in patches["patch_id"]]
    patches = patches.assign(
        object_id=[f.object_id for f in told],
        disposition=["dismissed" if f.judged_before else "clue" for f in told],
    )
    beside = Registration(store.url, period, fates, held.digest)
    store.register(
        RunRecord(*(name, name, "999901", "", crs, 2025, 2, "cn-land", "1", {}, {}),
                  period=(period.before, after)),
        patches, tables.findings, beside=beside.enter(replace(tables, patches=patches)),
    )  # fmt: skip
    return fates.by_patch[FIRST_PATCH]


def test_a_judged_field_that_is_built_on_is_issued_again(tables, tmp_path: Path):
    store = Store.at(tmp_path / "all.sqlite")
    today = dt.datetime.now(dt.UTC).date()
    second, third = (Batch(today.year, n, today, today) for n in (2, 3))

    def status() -> str:
        return next(c.status for c in clues_of(store) if c.object_id == FIRST_PATCH)

    assert not worked(store, tables, "q1", dt.date(2025, 3, 20), **CLEARED).judged_before
    assert issued(store, FIRST) == 3
    said_of(store, "q1", "伪变化")
    assert worked(store, tables, "q2", dt.date(2025, 6, 20), **CLEARED).judged_before
    assert status() == "judged"
    assert not worked(store, tables, "q3", dt.date(2025, 9, 20), **BUILT).judged_before
    assert status() == "open"
    assert issued(store, second) == 1
    assert (issued(store, third), status()) == (0, "issued")
    (again,) = (c for c in clues_of(store) if c.object_id == FIRST_PATCH)
    assert (again.batch, again.batches) == (second, (FIRST, second))
    assert clue_rows([again])[0][-1] == "2026-1 (2026-04-01, 2026-05-01)"
    assert not worked(store, tables, "q4", dt.date(2025, 12, 20), **BUILT).judged_before
    said_of(store, "q4", "合法")
    assert status() == "judged"
    for number, kind in enumerate((BUILT, CLEARED)):
        after = dt.date(2026, 3, 20 + number)
        assert worked(store, tables, f"again{number}", after, **kind).judged_before
    assert status() == "judged"
    store.close()


@pytest.mark.parametrize(
    ("words", "confirmed"),
    [
        (("伪变化", "合法"), "factory"),
        (("合法", "伪变化"), "field without factory"),
        (("违法", "合法"), "field"),
        (("", "合法"), "factory"),
        (("合法", "未定"), "field"),
    ],
)
def test_a_verdict_on_a_factory_in_a_field_is_of_the_factory(
    tables, tmp_path: Path, words: tuple[str, str], confirmed: str
):
    field = tables.patches.geometry.iloc[0]
    west, south, east, north = field.bounds
    factory = shapely.box(west, south, west + (east - west) / 4, south + (north - south) / 4)
    small = tables.patches.copy()
    small.loc[small.index[0], "geometry"] = factory
    small.loc[small.index[0], "area_dm2"] = round(factory.area * 100)
    store = Store.at(tmp_path / "all.sqlite")
    worked(store, tables, "q1", dt.date(2025, 3, 20), **CLEARED)
    if words[0]:
        said_of(store, "q1", words[0])
    told = worked(store, replace(tables, patches=small), "q2", dt.date(2025, 6, 20), **BUILT)
    assert (told.object_id, told.judged_before) == (FIRST_PATCH, words[0] == "违法")
    said_of(store, "q2", words[1])
    with store.engine.connect() as connection:
        found, _ = confirmed_ground(connection, {})
    store.close()
    ground = shapely.union_all([c.geometry for c in found if c.object_id == FIRST_PATCH])
    wanted = {"field": field, "factory": factory, "field without factory": field - factory}
    assert ground.symmetric_difference(wanted[confirmed]).area < 1e-6 * field.area


def test_the_commands_list_show_and_issue(register: Store, tmp_path: Path):
    def said(*words: str, code: int = 0) -> str:
        told = CliRunner().invoke(build_app(), ["register", *words])
        assert told.exit_code == code, told.output
        return told.output

    place = str(tmp_path / "register.sqlite")
    number = clues_of(register)[0].clue_no
    assert "did you mean 'grown'?" in said("list", place, "--fate", "grwon", code=1)
    assert "did you mean 'open'?" in said("list", place, "--status", "openn", code=1)
    said_of(register, "r", "伪变化")
    done = said("issue", place, "--number", "1", "--date", "2026-04-01")
    assert "clues\t1\tof them new\t1" in done
    assert number in said("list", place, "--status", "judged")
    assert "there is no open clue" in said("issue", place, "--number", "2", code=1)
    said_of(register, "r", "未定")
    done = said("issue", place, "--number", "1", "--date", "2026-04-01")
    assert "due\t2026-04-11" in done  # ten days: the profile is emergency
    assert number in said("list", place, "--due", "2026-04-11")
    assert number not in said("list", place, "--due", "2026-04-10")
    assert number not in said("list", place, "--county", "11")
    said("list", place, "--out", str(tmp_path / "list.csv"))
    heads = (tmp_path / "list.csv").read_text("utf-8-sig").split("\n")[0]
    assert heads.startswith("线索编号 clue_no,对象编号 object_id")
    shown = said("show", place, number).split("\n")
    assert {"batch\t2026-1", "due_date\t2026-04-11", "status\tissued"} <= set(shown)
    assert "holds no object" in said("show", place, "X1", code=1)
    assert "no register" in said("list", str(tmp_path / "none.sqlite"), code=1)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("线索编号,实地地类\nA1,0601\nA2,\n", "gb18030"),
        ("object_id x,clue_no y,land_class\nT,A1,0601\nT,A2,\n", "utf-8-sig"),
    ],
)
def test_land_classes_are_read_from_a_table(tmp_path: Path, text, encoding):
    path = tmp_path / "told.csv"
    path.write_bytes(text.encode(encoding))
    assert read_told_classes(path) == {"A1": "0601"}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("clue_no,what\nA1,0601\n", "no table with a column"),
        ("clue_no,land_class\nA1,0601\nA1,0602\n", "two land classes: 0601 and 0602"),
    ],
)
def test_a_table_that_tells_no_classes_is_refused(tmp_path: Path, text, what):
    path = tmp_path / "told.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=what):
        read_told_classes(path)
