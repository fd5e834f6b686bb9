"""``tuban register``: clues and objects over all periods, batches, the land use after a year."""

from pathlib import Path
from typing import Annotated

import typer

from configs.errors import ExitCode
from flows.cli.options import group_of, parse_day, tell

__all__ = ["baseline", "issue", "list_", "register", "show"]

Register = Annotated[
    str,
    typer.Argument(
        metavar="REGISTER", help="What `register:` of the runs names, or the folder of a run."
    ),
]
County = Annotated[
    str, typer.Option("--county", metavar="CODE", help="County code, or its beginning.")
]
Run = Annotated[
    str, typer.Option("--run", metavar="NAME", help="Run that gave the number, or its beginning.")
]

HISTORY = (
    *("period_after", "name", "fate", "patch_id", "area_m2", "added_m2", "removed_m2"),
    *("observed", "parents"),
)


def list_(
    place: Register,
    county: County = "",
    fate: Annotated[
        str,
        typer.Option(help="new, grown, persisting, shrunk, ended, split or merged."),
    ] = "",
    status: Annotated[str, typer.Option(help="open, issued, judged or ended.")] = "",
    run: Run = "",
    due: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Only answers that are due by this day and missing."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.csv", help="Write a table.")
    ] = None,
) -> None:
    """List the clues of a register with what became of them, their status and their dates."""
    from flows.registerbook import COLUMNS, clue_rows, list_clues, write_rows

    clues = list_clues(
        place, county=county, fate=fate, status=status, run=run, due=parse_day(due, "--due")
    )
    rows = clue_rows(clues)
    if out is not None:
        write_rows(COLUMNS, rows, out)
        tell(f"written to {out}")
    else:
        typer.echo("\t".join(COLUMNS))
        for row in rows:
            typer.echo("\t".join(str(cell) for cell in row))
    tell(f"{len(rows)} clues")


def show(
    place: Register,
    name: Annotated[str, typer.Argument(metavar="OBJECT", help="Number of an object or a clue.")],
) -> None:
    """Show the history of an object, period by period."""
    from configs.units import metres2
    from flows.registerbook import COLUMNS, clue_rows, history_of

    clue, rows = history_of(place, name)
    if clue is not None:
        for head, cell in zip(COLUMNS, clue_rows([clue])[0], strict=True):
            typer.echo(f"{head}\t{cell}")
    typer.echo("\t".join(HISTORY))
    for row in rows:
        areas = [metres2(row[f"{n}_dm2"]) for n in ("area", "added", "removed")]
        observed = "yes" if row["is_observed"] else "no"
        told = (row["period_after"], row["name"], row["fate"], row["patch_id"] or "", *areas)
        typer.echo("\t".join(str(cell) for cell in (*told, observed, ",".join(row["parents"]))))


def issue(
    place: Register,
    number: Annotated[int, typer.Option(min=1, help="Number of the batch within its year.")],
    date: Annotated[
        str | None, typer.Option(metavar="DATE", help="Day of issue.", show_default="today")
    ] = None,
    due: Annotated[
        str | None, typer.Option(metavar="DATE", help="Day by which answers are due.")
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(min=0, help="Days to answer.", show_default="as the profile of the runs says"),
    ] = None,
    county: County = "",
    run: Run = "",
) -> None:
    """Issue the open clues as a batch with a day by which they are due; none that is judged.

    Issuing a batch again adds what came since; earlier batches of a clue are kept.
    """
    from flows.civilday import home_day
    from flows.registerbook import issue as issue_clues

    if due is not None and days is not None:
        raise typer.BadParameter("--due and --days exclude each other: keep one")
    done = issue_clues(
        place,
        number,
        parse_day(date, "--date") or home_day(),
        due=parse_day(due, "--due"),
        days=days,
        county=county,
        run=run,
    )
    typer.echo(f"batch\t{done.batch.name}")
    typer.echo(f"issued\t{done.batch.issue_date}\tdue\t{done.batch.due_date}")
    typer.echo(f"clues\t{done.all}\tof them new\t{done.fresh}")


def baseline(
    place: Register,
    store: Annotated[Path, typer.Option("--store", help="Folder of the One-Map catalogue.")],
    classes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Land classes that people told, by clue (xlsx, csv)."),
    ] = None,
    valid_from: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Day from which it is in force.",
            show_default="the last day of the images",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for lists of what changed.")
    ] = None,
) -> None:
    """Take confirmed changes into the land-use layer: a new version, parcels cut, areas balanced.

    What nobody confirmed changes nothing. Ends with 3 where people must still tell a land class.
    """
    from flows.registerbook import make_baseline, write_baseline

    done = make_baseline(
        place, store, classes=classes, valid_from=parse_day(valid_from, "--valid-from")
    )
    version, found = done.imported.version, done.baseline
    state = "new" if done.imported.is_new else "as before"
    typer.echo(f"landuse\t{version.version}\t{state}\tfrom {version.valid_from or 'ever'}")
    typer.echo(f"parent\t{done.parent.version}")
    typer.echo(f"parcels\t{len(found.changes)} new\t{len(found.replaced)} smaller")
    if out is not None:
        write_baseline(done, out)
        tell(f"row by row: {out}")
    if len(found.unsettled):
        tell(
            f"{found.unsettled['object_id'].nunique()} confirmed objects without a land class: "
            "fill in baseline_unsettled.csv (--out) and give it back as --classes"
        )
        raise typer.Exit(ExitCode.EXCEPTIONS)


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = group_of(app, "register", "The register: clues and objects over all periods.")
    group.command("list")(list_)
    group.command("show")(show)
    group.command("issue")(issue)
    group.command("baseline")(baseline)
