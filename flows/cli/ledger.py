"""``tuban ledger``: the clue ledger, given out and read back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from configs.errors import ExitCode
from flows.cli.ledgerexport import export
from flows.cli.options import AcceptGoodRows, By, Overrule, group_of, show_rows, tell

if TYPE_CHECKING:
    from flows.ledgerimport import LedgerImport

__all__ = ["import_filled", "register"]


def import_filled(
    ledger: Annotated[
        Path, typer.Argument(metavar="FILE.xlsx", help="Ledger that inspectors filled in.")
    ],
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Run folder.", show_default="that of the file"),
    ] = None,
    by: By = "",
    accept_good_rows: AcceptGoodRows = False,
    overrule: Overrule = False,
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
    names = ("rows", "imported_rows", "imported_cells", "unchanged", "refused", "conflicts")
    show_rows(done.rows, done.tallies, names)
    tell(f"report: {done.reports[0]}")
    if done.result == "refused":
        tell(
            "nothing was imported; mend the rows above, or take the others with --accept-good-rows"
        )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = group_of(app, "ledger", "The clue ledger: given out, read back.")
    group.command("export")(export)
    group.command("import")(import_filled)
