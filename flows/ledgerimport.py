"""``tuban ledger import``: what inspectors filled in goes into the store of the run, or nothing."""

import datetime as dt
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.errors import InputError
from flows.civilday import civil_day
from flows.judging import INDICATORS_NAME
from flows.registering import has_store, store_of
from tiles.files import sha256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clues.readback import LedgerFile
    from clues.readbackplan import Change, ImportPlan, Reading
    from clues.store.answers import Filled
    from configs.vocabulary import Language

__all__ = ["LedgerImport", "enter_rows", "import_ledger", "run_of"]


@dataclass(frozen=True)
class LedgerImport:
    """What `import_ledger` did.

    Attributes
    ----------
    tallies : dict
        Counts and ``result``: imported, partly, refused or nothing.
    rows : list of tuple
        Problems: row, clue, column, kind, what, what to do, in the language of the ledger.
    heads : tuple of str
    reports : tuple of Path
    """

    plan: "ImportPlan"
    tallies: dict[str, Any]
    rows: "list[tuple[Any, ...]]"
    heads: tuple[str, ...]
    reports: tuple[Path, ...]

    @property
    def result(self) -> str:
        """Imported, partly, refused or nothing."""
        return str(self.tallies["result"])


def import_ledger(
    path: Path,
    run: Path | None = None,
    *,
    by: str = "",
    accept_good_rows: bool = False,
    overrule: bool = False,
    now: dt.datetime | None = None,
) -> LedgerImport:
    """Read a ledger that was filled in and keep what is new, whole or not at all.

    A second import of the same file adds nothing. The report lies beside the file, as
    ``<name>.import.xlsx`` and ``.json``.

    Parameters
    ----------
    path : Path
        ``.xlsx`` that `tuban ledger export` or a run wrote, saved by any program.
    run : Path, optional
        Run folder; by default the folder of the file, or the one that the ledger names under
        ``runs/``.
    by : str
        Who checked, where the ledger does not say it.
    accept_good_rows : bool
        Keep rows without fault although others are refused.
    overrule : bool
        Take the ledger's answer where the store has another since, or somebody else's.
    now : datetime, optional
        UTC; the moment of entry.

    Raises
    ------
    InputError
        If the file as a whole cannot be used.
    """
    from clues.readback import read_ledger
    from clues.readbackplan import Reading

    ledger = read_ledger(path)
    folder = run_of(path, run, ledger.run)
    now = now or dt.datetime.now(dt.UTC)
    today = civil_day(folder, now)
    reading = Reading(by.strip()[:80], now, today, _choices(ledger.language), overrule)
    source = f"ledger {sha256(path)[:12]}"
    stem = path.with_name(f"{path.stem}.import")
    return enter_rows(
        ledger, folder, path, reading, source=source, stem=stem, accept_good_rows=accept_good_rows
    )


def enter_rows(
    ledger: "LedgerFile",
    folder: Path,
    path: Path,
    reading: "Reading",
    *,
    source: str,
    stem: Path,
    accept_good_rows: bool = False,
) -> LedgerImport:
    """Enter what rows hold into the store of a run, whole or not at all, and write the report.

    Parameters
    ----------
    ledger : LedgerFile
        A ledger, or another form with the same keys.
    folder : Path
        Run folder.
    path : Path
        Where the rows came from.
    reading : Reading
    source : str
        Kept beside every answer.
    stem : Path
        Of the report.
    accept_good_rows : bool
    """
    from clues.outputs.importreport import HEADS, problem_rows, write_import_report
    from clues.readbackplan import plan_import
    from clues.store.answers import filled_in

    store = store_of(folder)
    try:
        with store.transaction() as connection:
            filled = filled_in(connection, store.scope)
            plan = plan_import(ledger, filled, reading)
            _require_own(plan, ledger, filled, folder, path)
            refused = bool(plan.faulty) and not accept_good_rows
            if not refused:
                _enter(connection, plan.changes, _line(folder), source)
            else:
                plan = replace(plan, changes=())
            tallies = _tallies(plan, refused) | {"file": path.name, "run": folder.name}
            reports = write_import_report(plan, tallies, ledger.language, ledger.titles, stem)
    finally:
        store.close()
    rows = problem_rows(plan, ledger.language, ledger.titles)
    return LedgerImport(plan, tallies, rows, HEADS[ledger.language], tuple(reports))


def run_of(path: Path, run: Path | None, name: str) -> Path:
    """Return the run folder that a ledger belongs to."""
    if run is not None:
        tried = [run]
    else:
        plain = Path(name).name
        tried = [path.resolve().parent, Path("runs") / plain] if plain else [path.resolve().parent]
    for folder in tried:
        if has_store(folder):
            return folder.resolve()
    raise InputError(
        "there is no clue store to import into",
        ", ".join(str(folder) for folder in tried),
        "name the run folder with --run",
    )


def _choices(language: "Language") -> "Mapping[str, Sequence[str]]":
    from clues.outputs.chineseledger import CHINESE_FORM
    from clues.outputs.englishledger import english_form
    from configs.speech import Speech

    if language == "zh":
        return CHINESE_FORM.choices
    return english_form(Speech(language="en")).choices


def _require_own(
    plan: "ImportPlan",
    ledger: "LedgerFile",
    filled: "Sequence[Filled]",
    folder: Path,
    path: Path,
) -> None:
    """Refuse a ledger of another run: not one of its clues is in the store as it says."""
    known = {(f.clue_no, f.patch_id) for f in filled}
    strangers = sum((row.clue_no, row.patch_id) not in known for row in ledger.rows)
    if ledger.rows and strangers == len(ledger.rows):
        raise InputError(
            f"none of its {strangers} clues is in the run; run {ledger.run!r} wrote it",
            f"{path}, run {folder.name}",
            "name the run that wrote it with --run",
        )


def _enter(connection: Any, changes: "Sequence[Change]", line: str, source: str) -> None:
    from clues.store.answers import VERDICT, add_answers
    from clues.store.verdicts import add_verdicts

    def base(change: "Change") -> dict[str, Any]:
        told = {"patch_key": change.patch_key, "by": change.by, "at": change.at}
        return told | {"source": source}

    add_verdicts(
        connection,
        (
            base(c) | {"parcel_no": 0, "line": line, "verdict": c.value, "reason": c.reason}
            for c in changes
            if c.key == VERDICT
        ),
    )
    add_answers(
        connection,
        (base(c) | {"name": c.key, "value": c.value} for c in changes if c.key != VERDICT),
    )


def _line(folder: Path) -> str:
    """Return the line that the ledger speaks of: that of the indicators."""
    path = folder / INDICATORS_NAME
    if not path.is_file():
        return "land"
    return str(json.loads(path.read_text(encoding="utf-8")).get("line", "land"))


def _tallies(plan: "ImportPlan", refused: bool) -> dict[str, Any]:
    changes = plan.changes
    result = "imported" if changes else "nothing"
    if refused:
        result = "refused"
    elif changes and plan.faulty:
        result = "partly"
    return {
        "rows": plan.rows,
        "imported_rows": len({c.row for c in changes}),
        "imported_cells": len(changes),
        "unchanged": plan.unchanged,
        "faulty": plan.faulty,
        "refused": plan.count("refused"),
        "conflicts": plan.count("conflict"),
        "notes": plan.count("note"),
        "result": result,
    }
