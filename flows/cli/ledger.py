"""``tuban ledger``: the clue ledger, given out and read back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from configs.errors import ExitCode
from flows.cli.ledgerexport import export
from flows.cli.options import tell

if TYPE_CHECKING:
    from flows.ledgerimport import LedgerImport

__all__ = ["import_filled", "ledger_group", "register"]

SHOWN = 40


def import_filled(
    ledger: Annotated[
        Path, typer.Argument(metavar="FILE.xlsx", help="Ledger that inspectors filled in.")
    ],
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Run folder.", show_default="that of the file"),
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="Who checked, where the ledger is silent.")
    ] = "",
    accept_good_rows: Annotated[
        bool,
        typer.Option("--accept-good-rows", help="Keep rows without fault although others have."),
    ] = False,
    overrule: Annotated[
        bool,
        typer.Option("--overrule", help="Take the ledger's answer where the run has another."),
    ] = False,
) -> None:
    """Read back what inspectors filled in: cells that were edited, row by row, all or nothing.

    A row with a wrong word, date or clue is refused with a hint; a cell that somebody else changed
    since is a conflict. A report lies beside the file. Importing a file again adds nothing.
    """
    from flows.ledgerimport import import_ledger

    done = import_ledger(ledger, run, by=by, accept_good_rows=accept_good_rows, overrule=overrule)
    _show(done)
    if done.result == "refused":
        raise typer.Exit(ExitCode.USER_ERROR)
    if done.tallies["faulty"]:
        raise typer.Exit(ExitCode.EXCEPTIONS)


def _show(done: "LedgerImport") -> None:
    if done.rows:
        typer.echo("\t".join(done.heads))
    for row in done.rows[:SHOWN]:
        typer.echo("\t".join("" if cell is None else str(cell) for cell in row))
    if len(done.rows) > SHOWN:
        typer.echo(f"… {len(done.rows) - SHOWN}")
    names = ("rows", "imported_rows", "imported_cells", "unchanged", "refused", "conflicts")
    for name in names:
        typer.echo(f"{name}\t{done.tallies[name]}")
    tell(f"report: {done.reports[0]}")
    if done.result == "refused":
        tell(
            "nothing was imported; mend the rows above, or take the others with --accept-good-rows"
        )


def ledger_group(app: typer.Typer) -> typer.Typer:
    """Return the group of the ledger commands; made on the first call."""
    for group in app.registered_groups:
        if group.name == "ledger" and group.typer_instance is not None:
            return group.typer_instance
    made = typer.Typer(no_args_is_help=True)
    app.add_typer(made, name="ledger", help="The clue ledger: given out, read back.")
    return made


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = ledger_group(app)
    group.command("export")(export)
    group.command("import")(import_filled)
