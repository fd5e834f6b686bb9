"""A finished run as its folder tells it: the judged tables with clue numbers, and its images."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.outputs.imagesources import images_in
from clues.outputs.tables import ClueTables, RunTitle
from configs.errors import InputError
from configs.speech import PLAIN
from flows.givenup import told_given_up
from flows.judging import RULES_NAME, rules_of
from flows.opening import Opening
from flows.registering import earlier_clues, numbered, store_of
from flows.tracing import read_fates

if TYPE_CHECKING:
    from flows.stages import StageContext

__all__ = ["finished_context", "finished_tables", "run_summary", "title_of"]


def run_summary(folder: Path) -> dict[str, Any]:
    """Return ``run.json`` of a finished run.

    Raises
    ------
    InputError
        If the folder holds no judged run, or it is not finished.
    """
    path = folder / "run.json"
    if not (folder / "findings.parquet").is_file():
        raise InputError(
            "the folder holds no judged run", str(folder), "name the folder that judge or run wrote"
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"the run is not finished ({type(error).__name__})", str(path), "run it again first"
        ) from error
    return dict(found)


def finished_context(run: Path, summary: dict[str, Any]) -> "StageContext | None":
    """Return a finished run with its images; None where it was judged without any."""
    from configs.run import RunConfig
    from flows.manifest import Run
    from flows.stages import RunOptions, StageContext

    if not summary.get("config"):
        return None
    config = RunConfig.model_validate(summary["config"])
    return StageContext(Run.open(run), config, RunOptions())


def finished_tables(folder: Path) -> ClueTables:
    """Return the judged tables of a finished run, of `tuban run` or `tuban judge`.

    Raises
    ------
    InputError
        If the folder holds no judged run, or it is not finished.
    """
    from clues.store.answers import present_state
    from clues.store.verdicts import clue_batches, clue_numbers

    folder = folder.resolve()
    summary = run_summary(folder)
    tables = ClueTables.read(folder, title_of(folder, summary))
    store = store_of(folder)
    try:
        numbers, issued = clue_numbers(store), clue_batches(store)
        filled, mark = present_state(store)
        fates = read_fates(folder)
        earlier = earlier_clues(store, tables, fates) if fates is not None else ()
    finally:
        store.close()
    clues = (tables.patches["disposition"] == "clue").to_numpy()
    ids = tables.patches["patch_id"].tolist()
    told = [numbers.get(i, "") if is_clue else "" for i, is_clue in zip(ids, clues, strict=True)]
    title = tables.title
    if not title.year:
        days = [d for d in tables.patches["after_to"] if hasattr(d, "year")]
        title = replace(title, year=max(days).year if days else 0)
    patches = numbered(tables.patches, told, issued)
    missing = summary.get("stages", {}).get("tiles", {}).get("given_up", {})
    gaps = (*told_given_up(missing), *Opening.of(folder).gaps)
    kept = replace(tables, filled=filled, mark=mark, gaps=gaps, earlier=earlier)
    return replace(kept, patches=patches, title=title)


def title_of(folder: Path, summary: dict[str, Any]) -> RunTitle:
    """Return what titles, file names and footers say about a run, from its ``run.json``."""
    told, config = summary.get("title", {}), summary.get("config", {})
    area = config.get("area", {})
    kept = folder / RULES_NAME
    return RunTitle(
        told.get("county_code") or area.get("county_code", ""),
        told.get("county_name") or area.get("county_name", ""),
        int(told.get("year", 0)),
        int(told.get("quarter") or config.get("quarter") or 1),
        folder.name,
        {str(k): str(v) for k, v in summary["versions"].items()},
        summary.get("attribution", ""),
        rules_of(str(kept)).spoken if kept.is_file() else PLAIN,
        images_in(summary.get("images", ()), str(folder / "run.json")),
    )
