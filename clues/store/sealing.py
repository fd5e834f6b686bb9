"""Rows under audit: what of each is hashed, and the events that keep the hashes.

Every row that counts as evidence has its hash in the event that wrote it; the last event that names
a row counts. A run is sealed whole: its patches with their parcels and findings, its clues, what
became of its objects. What a store held before it kept events is sealed when it is brought up.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, Table, select

from clues.audit.hashing import row_hash
from clues.store import schema
from clues.store.events import RowHash, append

__all__ = ["KINDS", "name_of", "patch_hashes", "row_hashes", "seal_present", "seal_run"]

PARCEL = ("line", "parcel_no", "parcel_id", "area_dm2", "areas", "documents", "geometry")
FINDING = (
    *("rule_set", "rule_set_version", "outcome", "rule", "rules", "flags"),
    *("reason_zh", "reason_en", "trace", "severity", "judged_at"),
)


@dataclass(frozen=True)
class Kind:
    """A kind of rows under audit.

    Attributes
    ----------
    asked : Select
        Key of each row, and after it the values that are hashed; ordered by key.
    narrow : Column
        What `row_hashes` selects by.
    """

    asked: Select[Any]
    narrow: Any


def _all_but(table: Table, *names: str) -> list[Any]:
    return [c for c in table.c if c.name not in ("id", *names)]


def _kinds() -> dict[str, Kind]:
    run, patch, clue, batch = (
        t.c for t in (schema.runs, schema.patches, schema.clues, schema.batches)
    )
    issued = (
        select(clue.clue_no, batch.year, batch.number, batch.issue_date, batch.due_date)
        .join(schema.batches, batch.id == clue.batch_id)
        .order_by(clue.id)
    )
    clue_values = (clue.object_id, clue.patch_key, clue.status, clue.registered_at)
    kinds = {
        "run": Kind(select(run.id, *_all_but(schema.runs)).order_by(run.id), run.id),
        "patch": Kind(select(patch.id, *_all_but(schema.patches)).order_by(patch.id), patch.run_id),
        "clue": Kind(select(clue.clue_no, *clue_values).order_by(clue.id), clue.clue_no),
        "issued": Kind(issued, clue.clue_no),
    }
    for name, table in (
        ("lineage", schema.lineage),
        ("verdict", schema.verdicts),
        ("answer", schema.answers),
        ("comment", schema.comments),
        ("check", schema.checks),
        ("link", schema.attachment_links),
    ):
        key = table.c.run_id if name == "lineage" else table.c.id
        kinds[name] = Kind(select(table.c.id, *_all_but(table)).order_by(table.c.id), key)
    file, case = schema.attachments.c, schema.cases.c
    plain = (file.name, file.media_type, file.size)
    kinds["attachment"] = Kind(select(file.sha256, *plain).order_by(file.id), file.sha256)
    kinds["case"] = Kind(
        select(case.case_no, *_all_but(schema.cases, "case_no")).order_by(case.id), case.case_no
    )
    return kinds


KINDS = _kinds()
"""Rows under audit by kind; ``parcels`` (of a patch, with findings) and ``case`` have more."""

AT_ONCE = 400
FETCHED = 2000


def row_hashes(
    connection: Connection, kind: str, wanted: Sequence[Any] | None = None
) -> Iterator[RowHash]:
    """Yield the hashes of the rows of a kind as they are now.

    Parameters
    ----------
    connection : Connection
    kind : str
        Of `KINDS`, or ``parcels``.
    wanted : sequence, optional
        Only some: runs by row number for ``patch``, ``parcels`` and ``lineage``, else keys.
    """
    parts: Iterable[Sequence[Any] | None] = [wanted]
    if wanted is not None:
        parts = [wanted[i : i + AT_ONCE] for i in range(0, len(wanted), AT_ONCE)]
    for part in parts:
        if kind == "parcels":
            yield from _parcel_hashes(connection, part)
            continue
        asked = KINDS[kind].asked
        if part is not None:
            asked = asked.where(KINDS[kind].narrow.in_(part))
        more = _case_parcels(connection, part) if kind == "case" else _nothing
        for key, *values in _rows(connection, asked):
            yield kind, str(key), row_hash([*values, *more(key)])


def _rows(connection: Connection, asked: Select[Any]) -> Iterator[Any]:
    """Yield rows, fetched some thousands at a time."""
    for part in connection.execute(asked).partitions(FETCHED):
        yield from part


def name_of(connection: Connection, kind: str, key: str) -> str:
    """Return what a row under audit is called: by the numbers people know."""
    if kind == "patch" or kind == "parcels":
        patch, clue = schema.patches.c, schema.clues.c
        asked = (
            select(patch.patch_id, clue.clue_no)
            .outerjoin(schema.clues, clue.object_id == patch.object_id)
            .where(patch.id == int(key))
        )
        row = connection.execute(asked).first()
        if row is not None:
            what = "patch" if kind == "patch" else "the parcels and findings of patch"
            return f"{what} {row.patch_id}" + (f" (clue {row.clue_no})" if row.clue_no else "")
    words = {"issued": "the batch of clue", "link": "the link of a file, number"}
    return f"{words.get(kind, kind)} {key}"


def _nothing(_key: Any) -> list[Any]:
    return []


def _case_parcels(
    connection: Connection, wanted: Sequence[Any] | None
) -> Callable[[Any], list[Any]]:
    part, case = schema.case_parcels.c, schema.cases.c
    asked = select(case.case_no, part.line, part.parcel_id).join(
        schema.cases, case.id == part.case_id
    )
    if wanted is not None:
        asked = asked.where(case.case_no.in_(wanted))
    found: dict[str, list[Any]] = {}
    for case_no, line, parcel_id in connection.execute(asked):
        found.setdefault(case_no, []).append([line, parcel_id])
    return lambda case_no: sorted(found.get(case_no, []))  # servers sort texts by their language


def patch_hashes(connection: Connection, patch_key: int) -> tuple[RowHash, ...]:
    """Return the hashes of one patch, and of its parcels with all their findings."""
    asked = KINDS["patch"].asked.where(schema.patches.c.id == patch_key)
    own = [("patch", str(key), row_hash(v)) for key, *v in connection.execute(asked)]
    return (*own, *_parcel_hashes(connection, None, patch_key))


def _parcel_hashes(
    connection: Connection, runs: Sequence[int] | None, patch_key: int | None = None
) -> Iterator[RowHash]:
    parcel, finding, patch = schema.parcels.c, schema.findings.c, schema.patches.c
    asked = (
        select(parcel.patch_key, *(parcel[n] for n in PARCEL), *(finding[n] for n in FINDING))
        .outerjoin(schema.findings, finding.parcel_key == parcel.id)
        .order_by(parcel.patch_key, parcel.id, finding.id)
    )
    if runs is not None:
        asked = asked.join(schema.patches, patch.id == parcel.patch_key)
        asked = asked.where(patch.run_id.in_(runs))
    if patch_key is not None:
        asked = asked.where(parcel.patch_key == patch_key)
    present, rows = None, list[Any]()
    for key, *values in _rows(connection, asked):
        if key != present and rows:
            yield "parcels", str(present), row_hash(rows)
            rows = []
        present = key
        rows.append(values)
    if rows:
        yield "parcels", str(present), row_hash(rows)


def seal_run(connection: Connection, run_id: int, who: str) -> int:
    """Keep the hashes of all rows of a run in an event; return its number.

    Parameters
    ----------
    connection : Connection
        The transaction that entered the run.
    run_id : int
    who : str
        Who entered it.
    """
    run, patch, clue = schema.runs.c, schema.patches.c, schema.clues.c
    names = ("run_key", "name", "county_code", "county_name")
    asked = select(*(run[n] for n in names)).where(run.id == run_id)
    told = dict(connection.execute(asked).mappings().one())
    own = select(clue.clue_no).join(schema.patches, patch.id == clue.patch_key)
    numbers = list(connection.scalars(own.where(patch.run_id == run_id).order_by(clue.id)))
    rows: list[RowHash] = []
    counts: dict[str, int] = {}
    for kind in ("run", "patch", "parcels", "lineage", "clue"):
        found = list(row_hashes(connection, kind, numbers if kind == "clue" else [run_id]))
        counts[kind] = len(found)
        rows += found
    return append(
        connection,
        who=who,
        what="run.import",
        subject=f"run:{told['name']}",
        division=told["county_code"],
        after=told | {"rows": counts},
        rows=tuple(rows),
    )


def seal_present(connection: Connection, who: str) -> None:
    """Seal what a store held before it kept events: its runs, and what people filled in."""
    for run_id in list(connection.scalars(select(schema.runs.c.id).order_by(schema.runs.c.id))):
        seal_run(connection, run_id, who)
    rows: list[RowHash] = []
    for kind in ("verdict", "answer", "attachment", "issued"):
        rows += row_hashes(connection, kind)
    if rows:
        append(connection, who=who, what="store.seal", subject="store", rows=tuple(rows))
