"""``tuban field``: packages for inspectors, and what they bring back."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from configs.errors import ExitCode
from flows.cli.options import SHOWN, AcceptGoodRows, By, Overrule, group_of, show_rows, tell

__all__ = ["build", "import_returned", "register"]


def build(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    township: Annotated[
        str, typer.Option(metavar="NAME", help="Clues of one township, by name or code.")
    ] = "",
    clues: Annotated[
        str, typer.Option(metavar="NO,NO,…", help="These clues, by number or its last digits.")
    ] = "",
    inspector: Annotated[
        str, typer.Option(metavar="NAME", help="Who goes; entered as the one who checked.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder.", show_default="RUN/field")
    ] = None,
    lang: Annotated[
        Literal["zh", "en"] | None,
        typer.Option("--lang", help="Language.", show_default="that of the rule set"),
    ] = None,
    image: Annotated[bool, typer.Option("--image/--no-image", help="With images.")] = True,
) -> None:
    """Write a field package: GeoPackage with check cards, QField project, map book, KMZ, images."""
    from flows.civilday import civil_day
    from flows.field.building import FieldChoice, build_field_package

    names = tuple(part.strip() for part in clues.replace("，", ",").split(",") if part.strip())
    choice = FieldChoice(township, names, inspector.strip()[:80])
    made = build_field_package(run, choice, out, day=civil_day(run), language=lang, image=image)
    typer.echo(made.path)
    tell(f"{len(made.clues)} clues; read it back: tuban field import FOLDER_OR_ZIP --run {run}")


def import_returned(
    returned: Annotated[
        Path, typer.Argument(metavar="FOLDER_OR_ZIP", help="What the inspector handed in.")
    ],
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Run folder.", show_default="that the package names"),
    ] = None,
    by: By = "",
    accept_good_rows: AcceptGoodRows = False,
    overrule: Overrule = False,
) -> None:
    """Read back cards and photos; a photo that does not count for its clue is kept and marked.

    It counts if it was taken in the patch or within 50 m, after the later image, with place and
    time. Importing the same again adds nothing.
    """
    from flows.field.importing import import_field

    done = import_field(returned, run, by=by, accept_good_rows=accept_good_rows, overrule=overrule)
    from clues.fieldphotos import MARKS

    if done.answers is not None:
        names = ("rows", "imported_rows", "imported_cells", "refused", "conflicts")
        show_rows(done.answers.rows, done.answers.tallies, names)
    for photo in [p for p in done.photos if not p.counts][:SHOWN]:
        why = "; ".join(f"{MARKS[m][0]} {MARKS[m][1]}" for m in photo.marks)
        typer.echo(f"marked\t{photo.photo.name}\t{photo.clue_no or '-'}\t{why}")
    for name, told in done.refused[:SHOWN]:
        typer.echo(f"refused\t{name}\t-\t{told.both}")
    counts = {"photos": len(done.photos), "photos_new": done.added, "photos_marked": done.marked}
    for label, count in (counts | {"files_refused": len(done.refused)}).items():
        typer.echo(f"{label}\t{count}")
    for path in done.files:
        tell(f"report: {path}")
    if done.answers is not None and done.answers.result == "refused":
        tell("nothing was imported; mend the cards above, or take the others: --accept-good-rows")
        raise typer.Exit(ExitCode.USER_ERROR)
    if done.marked or done.refused or (done.answers and done.answers.tallies["faulty"]):
        raise typer.Exit(ExitCode.EXCEPTIONS)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = group_of(app, "field", "Field checks: packages out, cards and photos back.")
    group.command("build")(build)
    group.command("import")(import_returned)
