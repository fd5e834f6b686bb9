"""Clues chosen at the desk as a file: the same writers, and exactly the clues that are named."""

import datetime as dt
import json
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.errors import InputError
from flows.formats import FORMATS, NO_PICTURES, Format, writers_of
from web.services import Export

if TYPE_CHECKING:
    from clues.outputs.tables import ClueTables
    from clues.store.places import Place
    from clues.store.repository import Store
    from configs.vocabulary import Language

__all__ = ["DESK_FORMATS", "export"]

DESK_FORMATS = ("xlsx", "csv", "geojson", "gpkg", "shp", "kmz", "parquet", "txt", "pdf")
SHEETS = Format("sheets.pdf", "线索证据单", "evidence-sheets", "pdf")

MEDIA = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "geojson": "application/geo+json",
    "gpkg": "application/geopackage+sqlite3",
    "kmz": "application/vnd.google-earth.kmz",
    "parquet": "application/vnd.apache.parquet",
    "txt": "text/plain; charset=utf-8",
    "zip": "application/zip",
    "pdf": "application/pdf",
}
RUNS = "runs"


def export(
    folder: Path,
    store: "Store",
    format_name: str,
    clue_nos: Collection[str],
    language: "Language",
    day: dt.date,
) -> Export:
    """Write the clues named as a file in a folder of its own.

    Parameters
    ----------
    folder : Path
        Of the desk: it keeps the judged tables of its runs.
    store : Store
    format_name : str
        Of `DESK_FORMATS`.
    clue_nos : collection of str
    language : {"zh", "en"}
    day : date
        Printed in the name.

    Raises
    ------
    InputError
        If the format is unknown, no clue is named, or the tables of a run are gone.
    """
    from flows.desk.sheets import write_sheet_book

    if format_name not in DESK_FORMATS:
        raise InputError(
            f"the desk writes no {format_name}",
            "format",
            f"choose from: {', '.join(DESK_FORMATS)}",
        )
    parts = chosen_tables(folder, store, clue_nos, language)
    tables = _joined(list(parts.values()))
    kept = folder / "cache" / "exports"
    kept.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=kept))
    form = FORMATS.get(format_name, SHEETS)
    path = place / form.name
    try:
        if form is SHEETS:
            write_sheet_book(folder, parts, path)
        else:
            one = writers_of([format_name], tables, folder / RUNS, lambda: NO_PICTURES)
            one[format_name](path)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return Export(path, form.official(tables, day), MEDIA[form.suffix])


def chosen_tables(
    folder: Path, store: "Store", clue_nos: Collection[str], language: "Language"
) -> "dict[str, ClueTables]":
    """Return the judged tables of some clues as the desk knows them now, by run."""
    from clues.store.places import places_of
    from clues.store.verdicts import clue_batches

    with store.engine.connect() as connection:
        places = places_of(connection, sorted(clue_nos))
    if not places:
        raise InputError("no clue is chosen", "filters", "widen the filters")
    issued = clue_batches(store)
    runs = sorted({place.run for place in places})
    parts = {}
    for run in runs:
        own = {p.patch_id: p for p in places if p.run == run}
        tables = _of_run(folder / RUNS / run, store, own, issued)
        speech = tables.title.speech.model_copy(update={"language": language})
        parts[run] = replace(tables, title=replace(tables.title, speech=speech))
    return parts


def _of_run(
    folder: Path, store: "Store", own: "Mapping[str, Place]", issued: Mapping[str, Any]
) -> "ClueTables":
    """Return the tables of clues of one run, with what people filled in and later findings."""
    from clues.outputs.tables import ClueTables
    from clues.store.answers import filled_in
    from clues.store.rejudged import rejudged_findings
    from flows.finished import title_of
    from flows.registering import numbered

    if not (folder / "patches.parquet").is_file():
        raise InputError(
            f"the desk does not keep the tables of the run {folder.name}",
            str(folder),
            "bring it in again with `tuban desk add`",
        )
    summary = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    tables = ClueTables.read(folder, title_of(folder, summary)).only(set(own))
    with store.engine.connect() as connection:
        filled = {f.patch_id: f.present for f in filled_in(connection, folder.name) if f.history}
        again = rejudged_findings(connection, sorted(own), folder.name)
    patches = tables.patches
    numbers = [own[p].clue_no for p in patches["patch_id"]]
    told = {p: (place.outcome, place.rule) for p, place in own.items()}
    patches = numbered(patches, numbers, issued).assign(
        disposition="clue",
        outcome=[told[p][0] for p in patches["patch_id"]],
        rule=[told[p][1] for p in patches["patch_id"]],
    )
    return replace(tables, patches=patches, findings=_later(tables.findings, again), filled=filled)


def _later(findings: Any, again: Mapping[tuple[str, str, str], Mapping[str, Any]]) -> Any:
    """Return findings with those that were judged again at the desk."""
    if not again:
        return findings
    names = ("patch_id", "line", "parcel_id")
    keys = list(zip(*(findings[n] for n in names), strict=True))
    columns = {
        name: [again[k][name] if k in again else v for k, v in zip(keys, values, strict=True)]
        for name, values in (
            (n, findings[n].tolist())
            for n in ("outcome", "rule", "rules", "flags", "reason_zh", "reason_en")
        )
    }
    return findings.assign(**columns)


def _joined(parts: "list[ClueTables]") -> "ClueTables":
    """Return the tables of several runs as one, in the CRS of the first; counties in order."""
    import pandas as pd

    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    crs = first.patches.crs
    tables: dict[str, Any] = {}
    for name in ("patches", "findings", "leads", "classes"):
        found = [getattr(p, name) for p in parts if getattr(p, name) is not None]
        moved = [t.to_crs(crs) for t in found if len(t)] or found[:1]
        tables[name] = pd.concat(moved, ignore_index=True) if moved else None
    tables["coverage"] = pd.concat([p.coverage for p in parts], ignore_index=True)
    order = tables["patches"].sort_values(["county_code", "clue_no"], kind="stable")
    tables["patches"] = order.reset_index(drop=True)
    counties = {p.title.county_code for p in parts}
    title = first.title
    if len(counties) > 1:
        code = _common([*counties])
        title = replace(title, county_code=code, county_name="", run_name="desk")
    filled = {k: v for p in parts for k, v in p.filled.items()}
    names = {k: v for p in parts for k, v in p.rule_names.items()}
    return replace(first, **tables, title=title, filled=filled, rule_names=names)


def _common(codes: list[str]) -> str:
    """Return the digits that codes begin with, filled up with zeros."""
    first, last = min(codes), max(codes)
    same = next(
        (i for i, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), 6
    )
    return first[: same - same % 2].ljust(6, "0")
