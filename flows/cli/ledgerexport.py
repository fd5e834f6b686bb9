"""``tuban ledger export``: the clue ledger of a run in other formats, by official names."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import Out, parse_day, tell

__all__ = ["export"]


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a judged run.")],
    out: Out,
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAMES",
            help="xlsx, geojson, gpkg, parquet, csv, kmz, shp, txt, bhtb, update, or all.",
        ),
    ] = "xlsx",
    date: Annotated[
        str | None, typer.Option(help="Day in the file names.", show_default="today")
    ] = None,
    pictures: Annotated[
        int, typer.Option(min=0, help="Clues with pictures in xlsx and kmz, by priority.")
    ] = 500,
) -> None:
    """Write the ledger for people and other programs: one file per format.

    bhtb is the patch list of the land survey, update what people confirmed of it; VCT and MDB are
    written by the survey's own software.
    """
    from configs.runparts import LEDGER_FORMATS
    from flows.civilday import civil_day
    from flows.formats import export_ledger

    day = parse_day(date, "--date") or civil_day(run)
    wanted = LEDGER_FORMATS if formats.strip() == "all" else formats.split(",")
    for path in export_ledger(run, wanted, out, day=day, pictures=pictures):
        typer.echo(f"{path.name}\t{path.stat().st_size}")
    tell(f"written to {out}")
