"""``tuban patches``: patches given out for editing, and taken back as a new version."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.errors import InputError, RunError
from flows.patchversions import add_version, present_patches, version_name, versions_of
from tiles.files import sha256

if TYPE_CHECKING:
    import geopandas as gpd

    from clues.patchlayer import PatchFault
    from clues.redrawn import Redrawn
    from flows.manifest import Run
    from flows.stages import StageContext

__all__ = ["PatchImport", "export_patches", "import_patches"]


@dataclass(frozen=True)
class PatchImport:
    """What `import_patches` did.

    Attributes
    ----------
    version : str
        Number of the version; "" where nothing was imported.
    tallies : dict of str to int
        Patches by what became of them, and how many were judged again.
    faults : tuple of PatchFault
        Not empty: nothing was imported.
    clues : tuple of (str, str)
        Number and patch of every clue that is new, in order.
    known : bool
        Whether the same file was imported before.
    """

    version: str
    tallies: dict[str, int]
    faults: "tuple[PatchFault, ...]" = ()
    clues: tuple[tuple[str, str], ...] = ()
    known: bool = False


def export_patches(folder: Path, out: Path) -> int:
    """Write the patches of a run as a GeoPackage to edit; return their number.

    Parameters
    ----------
    folder : Path
        Run folder of `tuban run`.
    out : Path
        ``.gpkg``.

    Raises
    ------
    InputError, RunError
        If the edited file could not be taken back by the run as it is.
    """
    from clues.patchlayer import write_editable
    from flows.finished import finished_tables

    with _reopened(folder, write=False) as context:
        _require_current(context)
        patches = finished_tables(folder).patches
        if "origin" in patches:
            patches = patches[(patches["origin"] == "image").to_numpy()]
        write_editable(patches, version_name(context.run), out)
    return len(patches)


def import_patches(
    path: Path,
    folder: Path,
    *,
    editor: str,
    delete_missing: bool = False,
    now: dt.datetime | None = None,
) -> PatchImport:
    """Take edited patches over as a new version and judge what they touch.

    All or nothing: if one outline cannot be taken, nothing is.

    Parameters
    ----------
    path : Path
        Edited GeoPackage of `export_patches`.
    folder : Path
        Run folder; its outputs are written again.
    editor : str
        Who drew.
    delete_missing : bool
        Whether patches that are not in the file were deleted.
    now : datetime, optional
        UTC.

    Raises
    ------
    InputError, RunError
        If the file as a whole or the run cannot be used.
    """
    from clues.patchlayer import read_drawn
    from clues.redrawn import compare, with_lineage

    if not editor.strip():
        raise InputError("nobody is named as the editor", "--editor", "name who drew the patches")
    digest = sha256(path) if path.is_file() else ""
    moment = (now or dt.datetime.now(dt.UTC)).isoformat(timespec="seconds")
    with _reopened(folder) as context:
        known = [p.name for p in versions_of(context.run) if p.values["source_sha256"] == digest]
        if known:
            return PatchImport(known[-1], {}, known=True)
        _require_current(context)
        patches = with_lineage(present_patches(context.run))
        plan = context.plan
        bounds = plan.grid.bounds(plan.extent)
        drawn, faults = read_drawn(path, patches, version_name(context.run), bounds)
        redrawn = compare(patches, drawn)
        faults += _more_faults(redrawn, patches, faults, delete_missing)
        if faults:
            return PatchImport("", redrawn.tallies, tuple(faults))
        if not redrawn.edits and not redrawn.deleted:
            return PatchImport("", redrawn.tallies)
        return _taken(context, patches, redrawn, {
            "editor": editor.strip()[:80], "at": moment,
            "source": path.name, "source_sha256": digest,
        })  # fmt: skip


@contextmanager
def _reopened(folder: Path, *, write: bool = True) -> Iterator["StageContext"]:
    """Hold a finished run with the config that it ended with."""
    from configs.run import RunConfig
    from flows.finished import run_summary
    from flows.manifest import Run
    from flows.stages import RunOptions, StageContext

    with Run.open(folder, write=write) as run:
        config = RunConfig.model_validate(run_summary(run.folder)["config"])
        context = StageContext(run, config, RunOptions(tile=_tile_of(run)))
        if context.plan.counties is not None:
            raise InputError(
                "a run of several counties is not edited as one",
                str(folder),
                "run the county of the patches by itself, and edit them there",
            )
        yield context


def _tile_of(run: "Run") -> int:
    """Return the side of the tiles that a run worked last."""
    tiles = sorted(run.products("tiles"), key=lambda p: p.at)
    return int(tiles[-1].name.split("/")[0]) if tiles else 1024


def _require_current(context: "StageContext") -> None:
    """Raise `RunError` unless the judgement at hand is what the run would make now."""
    why = context.run.why_not("judge", "tables", context.judge_key)
    if why is not None:
        raise RunError(
            f"the judgement of the run is out of date: {why}",
            str(context.run.folder),
            "work the run again with `tuban run`, export the patches, and edit those",
        )


def _more_faults(
    redrawn: "Redrawn",
    patches: "gpd.GeoDataFrame",
    faults: "list[PatchFault]",
    delete_missing: bool,
) -> "list[PatchFault]":
    """Return what is wrong between patches: overlaps, doubles, patches that are missing."""
    from collections import Counter

    import numpy as np

    from clues.patchlayer import PatchFault, overlaps

    more = []
    times = Counter(e.patch_id for e in redrawn.edits)
    rows = {e.patch_id: e.drawn.row for e in redrawn.edits}
    for number, count in times.items():
        if count > 1:
            what = f"the same outline stands there {count} times"
            more.append(PatchFault(rows[number], "", what, "", "keep one of them"))
    if redrawn.deleted and not delete_missing and not faults:
        some = ", ".join(redrawn.deleted[:5]) + (" …" if len(redrawn.deleted) > 5 else "")
        what = f"{len(redrawn.deleted)} patches of the run are not in the file: {some}"
        fix = "put them back, or say with --delete-missing that they were deleted"
        more.append(PatchFault(0, "", what, "", fix))
    by_id = dict(zip(patches["patch_id"], patches.geometry, strict=True))
    ids = [*redrawn.kept, *rows]
    shapes = {e.patch_id: e.drawn.geometry for e in redrawn.edits}
    outlines = np.array([shapes.get(i, by_id.get(i)) for i in ids], dtype=object)
    drawn = {e.patch_id for e in redrawn.edits if e.kind != "retyped"}
    named = {e.patch_id: e.drawn.patch_id or f"row {e.drawn.row}" for e in redrawn.edits}
    for one, other, size in overlaps(ids, outlines, drawn, patches.crs.to_string()):
        first, second = (one, other) if one in rows else (other, one)
        what = f"it lies on {named.get(second, second)} with {size:.2f} m²"
        fix = "cut one of them; snapping keeps borders together"
        more.append(PatchFault(rows[first], named[first], what, "", fix))
    return more


def _taken(
    context: "StageContext",
    patches: "gpd.GeoDataFrame",
    redrawn: "Redrawn",
    values: dict[str, Any],
) -> PatchImport:
    """Add the version, judge what it touches, write the outputs again."""
    from clues.layers import read_onemap
    from clues.patchversions import new_version, rejudge_edited
    from clues.redrawn import with_lineage
    from flows.again import kept_judgement
    from flows.judging import keep_run_judgement, require_layers, rules_of
    from flows.stages import StageContext
    from flows.tracing import trace_run

    run, plan, area = context.run, context.plan, context.config.area
    fresh: dict[str, Any] = {"county_code": area.county_code, "county_name": area.county_name}
    for name, epoch in (("before", plan.before), ("after", plan.after)):
        fresh |= {f"{name}_from": epoch.civil_from, f"{name}_to": epoch.civil_to}
    table = new_version(
        patches, redrawn, plan.grid, editor=values["editor"], at=values["at"], fresh=fresh
    )
    onemap = read_onemap(require_layers(context.config), crs=plan.grid.crs)
    rules = rules_of(context.config.rules)
    before = kept_judgement(run.folder)
    numbers = _numbers(run.folder)
    known, fates = trace_run(context, with_lineage(table), rules)
    found = rejudge_edited(before, known, onemap, rules)
    version = add_version(run, table, values | {"edits": redrawn.tallies})
    touched = int(found.touched.sum())
    told = {"version": version.name, "editor": values["editor"], "judged_again": touched}
    context = StageContext(run, context.config, context.options)
    files, made = keep_run_judgement(context, found.judgement, onemap, rules, fates)
    made["edits"] = told
    run.put("judge", "tables", context.judge_key, files=files, values=made)
    _publish(context, made)
    now = _numbers(run.folder)
    clues = sorted((number, patch) for patch, number in now.items() if number not in
                   set(numbers.values()))  # fmt: skip
    return PatchImport(
        version.name, redrawn.tallies | {"judged_again": touched}, clues=tuple(clues)
    )


def _numbers(folder: Path) -> dict[str, str]:
    from flows.finished import finished_tables

    table = finished_tables(folder).patches
    pairs = zip(table["patch_id"], table["clue_no"], strict=True)
    return {str(p): str(n) for p, n in pairs if n}


def _publish(context: "StageContext", judged: dict[str, Any]) -> None:
    """Work the outputs stage, and write ``run.json`` with what it said before of other stages."""
    from flows.finished import run_summary
    from flows.publishing import summarise
    from flows.stages import run_stage

    old = run_summary(context.run.folder)
    values = dict(old["stages"]) | {"judge": judged}
    values["outputs"] = run_stage("outputs", context)
    new = summarise(context, values)
    context.run.write_summary({k: v for k, v in old.items() if k not in new} | new)
