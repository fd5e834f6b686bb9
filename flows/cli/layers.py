"""``tuban layers``: the One-Map's quality, its versions, and what covered a place on a date."""

from pathlib import Path
from typing import Annotated

import typer

from configs.errors import ExitCode
from flows.cli.options import Out, tell

__all__ = ["check", "register"]

Layers = Annotated[Path, typer.Argument(metavar="LAYERS.yaml", help="One-Map by role.")]


def check(layers: Layers, out: Out) -> None:
    """Report what is wrong with layers, row by row: XLSX and JSON in Chinese and English.

    Ends with 0 where nothing is wrong, 3 with findings, 1 where a layer is refused.
    """
    import datetime as dt

    from clues.checks import check_layers
    from clues.outputs.checks import write_check_json, write_check_workbook
    from configs.layers import LayersFile

    result = check_layers(LayersFile.load(layers), today=dt.date.today())
    out.mkdir(parents=True, exist_ok=True)
    write_check_workbook(result, out / "layer_check.xlsx")
    write_check_json(result, out / "layer_check.json")
    counts = result.findings["role"].value_counts()
    for layer in result.layers:
        state = "refused" if layer.refused else f"{layer.on_map} on the map"
        typer.echo(f"{layer.role}\t{state}\t{counts.get(layer.role, 0)} defects")
    for _, note in result.not_checked:
        tell(f"not checked: {note}")
    tell(f"row by row: {out / 'layer_check.xlsx'}")
    if result.refused:
        raise typer.Exit(ExitCode.USER_ERROR)
    if len(result.findings):
        raise typer.Exit(ExitCode.EXCEPTIONS)


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    group.command("check")(check)
    app.add_typer(group, name="layers", help="One-Map layers: quality, versions, dates.")
