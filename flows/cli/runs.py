"""``tuban runs``: what lies in the folder of runs, and what a run is going to take."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from configs.errors import ExitCode
from flows.cli.options import Out, Tile, tell

if TYPE_CHECKING:
    from flows.runs.plan import Estimate, PlannedRun

__all__ = ["estimate_rows", "list_runs", "plan", "prune", "register", "show", "verify"]

SHOWN = 20
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def list_runs(
    out: Annotated[Path, typer.Argument(metavar="[DIR]", help="Folder of all runs.")] = Path(
        "runs"
    ),
    as_json: AsJson = False,
) -> None:
    """List the runs of a folder, the latest first: state, stage reached, clues, size, age."""
    import datetime as dt
    from dataclasses import asdict

    from flows.runs.state import read_states
    from flows.runs.text import columns, size_text

    found = read_states(out)
    if as_json:
        _json([asdict(one) | {"folder": str(one.folder)} for one in found])
        return
    if not found:
        tell(f"no runs in {out}")
        return
    head = ["run", "profile", "county", "before", "after", "state", "stage", "clues", "size", "age"]
    now, rows = dt.datetime.now(dt.UTC), [head]
    for one in found:
        clues = "" if one.clues is None else str(one.clues)
        about = [one.folder.name, one.profile, one.county, one.before, one.after]
        rows.append([*about, one.state, one.stage, clues, size_text(one.size_bytes), one.age(now)])
    _lines(columns(rows, right=(7, 8, 9)))
    for one in found:
        if one.why:
            tell(f"{one.folder.name}: {one.state}: {one.why}")


def show(run: RunFolder, as_json: AsJson = False) -> None:
    """Show what a run did: stages and what they cost, what was reused, products, latency."""
    from flows.runs.show import run_account, shown_account

    account = run_account(run)
    if as_json:
        _json(account)
        return
    _lines(shown_account(account))


def verify(run: RunFolder, as_json: AsJson = False) -> None:
    """Hash every file of a run against its manifest; exit 1 where one is missing or altered."""
    from dataclasses import asdict

    from flows.runs.text import size_text
    from flows.runs.verify import verify_run

    found = verify_run(run)
    if as_json:
        _json(asdict(found))
    else:
        _some("broken", found.faults)
        _some("left over", found.left_over)
        _some("not in the manifest", found.strange)
        pruned = f", {found.pruned} pruned" if found.pruned else ""
        broken = f"{len(found.faults)} broken"
        typer.echo(f"{found.files} files, {size_text(found.size_bytes)}: {broken}{pruned}")
    if found.faults:
        tell(f"first broken: {found.faults[0]}")
        tell("run the same command again: what is broken, and what depends on it, is made anew")
        raise typer.Exit(ExitCode.USER_ERROR)


def prune(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
    remove: Annotated[
        bool, typer.Option("--remove/--dry-run", help="Remove, or only tell what and how much.")
    ] = False,
) -> None:
    """Remove what can be made again: tiles of joined patches, old versions, unfinished files.

    Stores, verdicts, edits, photos and files that the manifest does not know always stay. A pruned
    run still verifies and goes on.
    """
    from flows.runs.prune import prune_run
    from flows.runs.text import columns, size_text

    total = 0
    for run in runs:
        found = prune_run(run, remove=remove)
        parts = {
            "tiles that were joined": found.tiles,
            "replaced by later versions": found.old,
            "never finished": found.scraps,
        }
        rows = [[run.name, "files", "size"]]
        rows += [[w, str(len(p)), size_text(sum(p.values()))] for w, p in parts.items() if p]
        _lines(columns(rows, right=(1, 2)) if len(rows) > 1 else [f"{run.name}: nothing to prune"])
        total += found.size_bytes
    typer.echo(f"{size_text(total)} {'removed' if remove else 'can be removed'}")
    if total and not remove:
        tell("nothing was removed; do it with --remove")


def plan(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="run config")],
    out: Out = Path("runs"),
    tile: Tile = 1024,
    workers: Annotated[
        list[int] | None,
        typer.Option("--workers", min=1, help="Workers; may be repeated.", show_default="1, 4, 16"),
    ] = None,
    price: Annotated[
        float | None,
        typer.Option("--price", min=0, help="Price of a core-hour in any currency: adds a column."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a run is going to read, write and take, and what it would reuse and why.

    Times come from earlier runs in the same folder, else from a machine that is named.
    """
    from flows.runs.plan import plan_run
    from flows.stages import RunOptions

    found = plan_run(config, out, RunOptions(tile=tile), workers or [1, 4, 16])
    if as_json:
        _json(_plan_values(found, price))
    else:
        _lines(_plan_lines(found, price))


def _plan_lines(found: "PlannedRun", price: float | None) -> list[str]:
    from flows.runs.text import columns, size_text, time_text

    plan, first = found.plan, found.estimates[0]
    km2 = plan.pixels * plan.pixel_m**2 / 1e6
    lines = [
        f"{plan.extent.height} × {plan.extent.width} pixels of {plan.pixel_m:.1f} m, "
        f"{km2:,.1f} km², bands {', '.join(plan.bands)}",
        f"{found.tiles} tiles of {found.tile}, {found.blocks} blocks of 256 per date, "
        f"{size_text(found.image_bytes)} of images",
        f"folder: {found.folder} ({'goes on' if found.folder.exists() else 'new'})",
        "",
    ]
    rows = [["stage", "reuse", "make", "CPU", "read", "written", "why"]]
    costs = {cost.stage: cost for cost in first.stages}
    for one in found.outlook:
        cost = costs.get(one.stage)
        figures = [""] * 3
        if cost is not None and cost.share:
            moved = (size_text(cost.read_bytes), size_text(cost.written_bytes))
            figures = [time_text(cost.cpu_seconds), *moved]
        why = "; ".join(f"{count} × {text}" for text, count in one.made.items())
        rows.append([one.stage, str(one.reused), str(one.to_make), *figures, why])
    lines += [*columns(rows, right=(1, 2, 3, 4, 5)), ""]
    rows = estimate_rows(found.estimates, price)
    lines += [*columns(rows, right=range(len(rows[0]))), "", f"rates: {first.source}"]
    return lines


def estimate_rows(estimates: Sequence["Estimate"], price: float | None) -> list[list[str]]:
    """Return the table of what a run takes, head first: a row for each number of workers."""
    from flows.runs.text import size_text, time_text

    rows = [["workers", "time", "core-hours", "driver", "each worker", "memory", "folder"]]
    for e in estimates:
        sizes = (e.driver_bytes, e.worker_bytes, e.memory_bytes, e.folder_bytes)
        spent = [time_text(e.seconds), f"{e.core_hours:,.2f}"]
        rows.append([str(e.workers), *spent, *map(size_text, sizes)])
    if price is None:
        return rows
    told = ["price", *(f"{e.core_hours * price:,.2f}" for e in estimates)]
    return [[*row, cell] for row, cell in zip(rows, told, strict=True)]


def _plan_values(found: "PlannedRun", price: float | None) -> dict[str, Any]:
    from dataclasses import asdict

    def told(one: "Estimate") -> dict[str, Any]:
        values = asdict(one) | {"seconds": one.seconds, "core_hours": one.core_hours}
        return values if price is None else values | {"price": one.core_hours * price}

    return {
        "folder": str(found.folder),
        "rows": found.plan.extent.height,
        "columns": found.plan.extent.width,
        "pixel_m": found.plan.pixel_m,
        "bands": found.plan.bands,
        "tile": found.tile,
        "tiles": found.tiles,
        "blocks": found.blocks,
        "image_bytes": found.image_bytes,
        "stages": [asdict(o) | {"to_make": o.to_make} for o in found.outlook],
        "estimates": [told(one) for one in found.estimates],
    }


def _some(title: str, names: Iterable[str]) -> None:
    found = list(names)
    for name in found[:SHOWN]:
        typer.echo(f"{title}: {name}")
    if len(found) > SHOWN:
        typer.echo(f"{title}: … {len(found) - SHOWN} more")


def _json(values: Any) -> None:
    typer.echo(json.dumps(values, indent=1, ensure_ascii=False, default=str))


def _lines(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="runs", help="Run folders: list, show, verify, prune, plan.")
    group.command("list")(list_runs)
    group.command("show")(show)
    group.command("verify")(verify)
    group.command("prune")(prune)
    group.command("plan")(plan)
