"""``tuban register``: what the register holds, batches of clues, the land use after a year."""

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.batches import due_days
from configs.errors import InputError
from configs.mistakes import choice
from flows.registering import open_register, store_of
from tiles.files import write_csv_rows

if TYPE_CHECKING:
    from clues.baselineversions import KeptBaseline
    from clues.store.register import Batch, RegisteredClue
    from clues.store.repository import Store

__all__ = [
    "COLUMNS",
    "Issued",
    "clue_rows",
    "history_of",
    "issue",
    "list_clues",
    "make_baseline",
    "write_baseline",
    "write_rows",
]

COLUMNS = (
    *("clue_no", "object_id", "county_code", "status", "fate", "verdict", "area_m2"),
    *("first_seen", "last_period", "observed", "limitation_until"),
    *("batch", "issue_date", "due_date", "earlier_batches"),
)
"""What a list of the register tells of a clue."""

ZH = {
    "clue_no": "线索编号",
    "object_id": "对象编号",
    "county_code": "县级行政区代码",
    "status": "状态",
    "fate": "变化状态",
    "verdict": "核实认定意见",
    "area_m2": "面积_平方米",
    "first_seen": "首次发现",
    "last_period": "最近一期",
    "observed": "是否观测到",
    "limitation_until": "处罚时效截止",
    "batch": "批次",
    "issue_date": "下发日期",
    "due_date": "办理期限",
    "earlier_batches": "以前各批次",
    "former_id": "变更前图斑标识码",
    "former_code": "变更前地类编码",
    "id": "变更后图斑标识码",
    "code": "变更后地类编码",
    "scheme": "地类体系",
    "after": "后时相",
    "told_by": "地类来源",
    "parcel": "图斑标识码",
    "use": "影像用途",
    "told": "填报用途",
    "why": "原因",
    "land_class": "实地地类",
}
"""Names of columns in Chinese; a table shows both."""

WHY = {
    "not_told": "未填报实地地类 land class not told",
    "told_unknown": "填报的用途对应不到地类 what was told names no land class",
    "people": "人工填报 people",
    "machine": "影像判读 machine",
    "": "",
}


@dataclass(frozen=True)
class Issued:
    """What `issue` did."""

    batch: "Batch"
    fresh: int
    all: int


def _opened(place: str) -> "Store":
    """Open a register by its file or URL, or the store of a run folder."""
    path = Path(place)
    if "://" not in place and path.is_dir():
        return store_of(path)
    if "://" not in place and not path.is_file():
        raise InputError(
            "there is no register", place, "name the file or URL that `register:` of the runs names"
        )
    return open_register(place)


def list_clues(
    place: str,
    *,
    county: str = "",
    fate: str = "",
    status: str = "",
    run: str = "",
    due: dt.date | None = None,
) -> "list[RegisteredClue]":
    """Return the clues of a register that fit all that is asked.

    Parameters
    ----------
    place : str
        SQLite file, URL, or folder of a run.
    county : str
        Code, or its beginning.
    fate, status : str
        See `clues.store.register.RegisteredClue`.
    run : str
        Name of the run that gave the number, or its beginning.
    due : date, optional
        Only those whose answer is due by this day and still missing.

    Raises
    ------
    InputError
        If there is no such fate or status.
    """
    from clues.objects import FATE_NAMES
    from clues.store.register import STATUSES, registered_clues

    for name, value, names in (("fate", fate, tuple(FATE_NAMES)), ("status", status, STATUSES)):
        if value not in ("", *names):
            raise InputError(f"there is no {name} {value!r}", f"--{name}", choice(value, names))
    store = _opened(place)
    try:
        with store.engine.connect() as connection:
            clues = registered_clues(connection)
    finally:
        store.close()
    return [
        c
        for c in clues
        if c.county_code.startswith(county)
        and c.run.startswith(run)
        and fate in ("", c.fate)
        and status in ("", c.status)
        and (due is None or c.is_due(due))
    ]


def clue_rows(clues: "Iterable[RegisteredClue]") -> list[tuple[Any, ...]]:
    """Return the rows of a list of clues, see `COLUMNS`."""
    from configs.units import metres2

    rows = []
    for c in clues:
        batch = (c.batch.name, c.batch.issue_date, c.batch.due_date) if c.batch else ("", "", "")
        told = (c.clue_no, c.object_id, c.county_code, c.status, c.fate, c.verdict)
        days = (c.first_seen or "", c.seen or "", "yes" if c.is_observed else "no")
        former = [f"{b.name} ({b.issue_date}, {b.due_date})" for b in c.batches if b != c.batch]
        last = (c.limitation_until or "", *batch, "; ".join(former))
        rows.append((*told, metres2(c.area_dm2), *days, *last))
    return rows


def history_of(place: str, name: str) -> "tuple[RegisteredClue | None, list[dict[str, Any]]]":
    """Return an object, by its number or that of its clue, and its periods in order.

    Raises
    ------
    InputError
        If the register holds no such object.
    """
    from clues.store.lineage import object_history
    from clues.store.register import registered_clues

    store = _opened(place)
    try:
        with store.engine.connect() as connection:
            clues = registered_clues(connection)
            clue = next((c for c in clues if name in (c.clue_no, c.object_id)), None)
            rows = object_history(connection, clue.object_id if clue else name)
    finally:
        store.close()
    if clue is None and not rows:
        raise InputError(
            f"the register holds no object or clue {name}", place, "tuban register list names them"
        )
    return clue, rows


def issue(
    place: str,
    number: int,
    on: dt.date,
    *,
    due: dt.date | None = None,
    days: int | None = None,
    county: str = "",
    run: str = "",
) -> Issued:
    """Issue the open clues as a batch.

    Parameters
    ----------
    place : str
    number : int
        Of the batch within the year of its issue.
    on : date
        Day of issue.
    due : date, optional
        By default so many `days` after it, or those of the profile of the runs: the fewest where
        several have one.
    county, run : str
        See `list_clues`.

    Raises
    ------
    InputError
        If the due date lies before the day of issue, or nothing is left to issue.
    StoreError
        If the batch is there with other dates.
    """
    from clues.store.register import Batch, issue_batch

    chosen = [
        c
        for c in list_clues(place, county=county, run=run)
        if c.status == "open"
        or (
            c.status == "issued"
            and c.batch is not None
            and (c.batch.year, c.batch.number) == (on.year, number)
        )
    ]
    if not chosen:
        raise InputError(
            "there is no open clue: all were issued or judged, or ended",
            place,
            "tuban register list shows them",
        )
    store = _opened(place)
    try:
        with store.transaction() as connection:
            if due is None:
                profiles = _profiles(connection, {c.run for c in chosen})
                allowed = min(due_days(p) for p in profiles) if days is None else days
                due = on + dt.timedelta(days=allowed)
            if due < on:
                raise InputError(f"due {due} lies before the issue {on}", "--due", "mend the date")
            batch = Batch(on.year, number, on, due)
            fresh = issue_batch(connection, batch, chosen)
    finally:
        store.close()
    return Issued(batch, fresh, len(chosen))


def _profiles(connection: Any, runs: set[str]) -> list[str | None]:
    from clues.store.runs import run_configs

    return [config.get("profile") for config in run_configs(connection, runs).values()]


def make_baseline(
    place: str,
    catalogue: Path,
    *,
    classes: Path | None = None,
    valid_from: dt.date | None = None,
    now: dt.datetime | None = None,
) -> "KeptBaseline":
    """Keep what people confirmed as a version of the land-use layer; doing it again adds nothing.

    Parameters
    ----------
    place : str
        The register.
    catalogue : Path
        ``--store`` folder of ``tuban layers import``.
    classes : Path, optional
        Table of land classes that people told, see `clues.toldclasses`.
    valid_from : date, optional
        Day from which the version is in force; by default the last day of the images.
    now : datetime, optional

    Raises
    ------
    InputError
        If the register is empty, or the table names a clue that it does not hold.
    """
    from clues.baselineversions import keep_baseline
    from clues.onemap import Catalogue
    from clues.store.register import confirmed_ground, registered_clues
    from clues.toldclasses import read_told_classes

    told = read_told_classes(classes) if classes is not None else {}
    store = _opened(place)
    try:
        with store.engine.connect() as connection:
            clues = registered_clues(connection)
            strangers = set(told) - {n for c in clues for n in (c.clue_no, c.object_id)}
            if strangers:
                raise InputError(
                    f"the register holds no clue {min(strangers)}",
                    str(classes),
                    "take the numbers from the ledger or from tuban register list",
                )
            days = [c.seen for c in clues if c.seen is not None]
            if not days:
                raise InputError("the register holds no clue", place, "run a period first")
            end = valid_from or max(days)
            confirmed, crs = confirmed_ground(connection, told, end + dt.timedelta(days=1))
    finally:
        store.close()
    with Catalogue(catalogue, existing=True) as opened:
        return keep_baseline(opened, confirmed, crs=crs, valid_from=end, now=now)


def write_rows(heads: Sequence[str], rows: "Iterable[Sequence[Any]]", path: Path) -> None:
    """Write a table as CSV that spreadsheets open, its heads in Chinese and English."""
    write_csv_rows(path, itertools.chain([[f"{ZH[h]} {h}" for h in heads]], rows))


def write_baseline(done: "KeptBaseline", folder: Path) -> None:
    """Write what a baseline changed, and the confirmed changes whose land class is not known.

    The second table has an empty column for the land class: filled in, it goes back as `classes`.
    """
    from configs.units import metres2

    changes, open_ = done.baseline.changes, done.baseline.unsettled
    table = changes.assign(
        area_dm2=[str(metres2(a)) for a in changes["area_dm2"]],
        told_by=[WHY[t] for t in changes["told_by"]],
    ).rename(columns={"area_dm2": "area_m2"})
    asked = open_.assign(why=[WHY[w] for w in open_["why"]], land_class="")
    for name, rows in (("changes", table), ("unsettled", asked)):
        path = folder / f"baseline_{name}.csv"
        write_rows(list(rows.columns), rows.itertuples(index=False), path)
