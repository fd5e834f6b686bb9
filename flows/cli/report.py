"""``tuban report``: the report of a finished run as a page, a document and a PDF."""

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["register", "report"]

CHOICES = ("html", "docx", "pdf")


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for what is written.")],
    formats: Annotated[
        str, typer.Option("--format", metavar="html,docx,pdf", help="One or more, with commas.")
    ] = "html",
    template: Annotated[
        Literal["quarterly", "annual"] | None,
        typer.Option(help="What comes first and what is accounted for.", show_default="config"),
    ] = None,
    language: Annotated[
        Literal["zh", "en"] | None,
        typer.Option(help="Language.", show_default="that of the rule set"),
    ] = None,
    previous: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Run of the previous period, to compare.")
    ] = None,
    assessment: Annotated[
        Path | None, typer.Option(help="Folder that `tuban assess` wrote: accuracies.")
    ] = None,
    clues: Annotated[
        int | None,
        typer.Option(min=0, max=60, help="First clues with both dates.", show_default="12"),
    ] = None,
    pictures: Annotated[
        bool, typer.Option(help="Cut pictures; the images must be where they were.")
    ] = True,
) -> None:
    """Write the report of a run: map, first clues, statistics, alerts, comparison, quality."""
    from flows.civilday import civil_day
    from flows.reporting import report_settings, write_reports

    wanted = tuple(dict.fromkeys(name.strip().lower() for name in formats.split(",")))
    unknown = [name for name in wanted if name not in CHOICES]
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r} is no format; choose from {', '.join(CHOICES)}",
            param_hint="--format",
        )
    settings = report_settings(
        run,
        template=template,
        language=language,
        previous=previous,
        assessment=assessment,
        clues=clues,
    )
    day = civil_day(run)
    for path in write_reports(run, out, wanted, settings, day=day, pictures=pictures):
        typer.echo(str(path))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)
