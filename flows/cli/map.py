"""``tuban map``: map sheets of a finished run for print."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from configs.errors import ExitCode
from flows.cli.options import tell

__all__ = ["map_sheets", "register"]


def _four(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no west,south,east,north in degrees; write 114.5,36.6,114.6,36.7"
        ) from None
    return west, south, east, north


def map_sheets(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder.", show_default="RUN/maps")
    ] = None,
    by: Annotated[
        Literal["county", "township", "sheet"],
        typer.Option(
            help="One map of all, one per township, or one per national 1:10 000 sheet, which "
            "prints at 1:10 000 on A1."
        ),
    ] = "county",
    bounds: Annotated[
        str | None,
        typer.Option(metavar="W,S,E,N", help="One map of these degrees instead."),
    ] = None,
    paper: Annotated[Literal["A4", "A3", "A1"], typer.Option(help="Size of paper.")] = "A4",
    lang: Annotated[
        Literal["zh", "en"] | None,
        typer.Option("--lang", help="Language.", show_default="that of the rule set"),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="No image, no outlines, no coordinates.")
    ] = False,
    cell: Annotated[
        float, typer.Option(min=500, help="Side in metres of the cells of public maps.")
    ] = 1000.0,
    image: Annotated[bool, typer.Option("--image/--no-image", help="Image below.")] = True,
    png: Annotated[int, typer.Option(min=0, max=600, help="Dots per inch of PNG; 0: none.")] = 150,
) -> None:
    """Draw map sheets as PDF and PNG: frame, legend, scale, north, clue numbers, image below."""
    from clues.outputs.mapwords import MapLook
    from flows.civilday import civil_day
    from flows.finished import finished_tables
    from flows.mapping import draw_maps

    language = lang or finished_tables(run).title.speech.language
    look = MapLook(paper, language, public, cell)
    degrees = None if bounds is None else _four(bounds)
    folder = out or run / "maps"
    day = civil_day(run)
    drawn = draw_maps(
        run, folder, look, day=day, by=by, bounds=degrees, image=image, png_dpi=png or None
    )
    crowded = 0
    for sheet in drawn:
        crowded += sheet.report.unlabelled
        typer.echo(f"{sheet.files[0]}\t{sheet.report.clues}\t1:{sheet.report.scale:.0f}")
    if crowded:
        tell(f"{crowded} clues have no number for want of room; take larger --paper or --by sheet")
        raise typer.Exit(ExitCode.EXCEPTIONS)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("map")(map_sheets)
