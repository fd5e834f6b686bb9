"""``tuban layers``: the One-Map's quality, its versions, and what covered a place on a date."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from configs.errors import ExitCode
from flows.cli.options import Out, parse_day, tell

if TYPE_CHECKING:
    import datetime as dt

__all__ = ["at", "check", "import_", "register"]

_ORIGIN = ("source", "row")

Store = Annotated[Path, typer.Option("--store", help="Folder of the catalogue.")]
Layers = Annotated[Path, typer.Argument(metavar="LAYERS.yaml", help="One-Map by role.")]


def check(layers: Layers, out: Out) -> None:
    """Report what is wrong with layers, row by row: XLSX and JSON in Chinese and English.

    Ends with 0 where nothing is wrong, 3 with findings, 1 where a layer is refused.
    """
    from clues.checks import check_layers
    from clues.outputs.checks import write_check_json, write_check_workbook
    from configs.layers import LayersFile
    from flows.civilday import home_day

    result = check_layers(LayersFile.load(layers), today=home_day())
    out.mkdir(parents=True, exist_ok=True)
    write_check_workbook(result, out / "layer_check.xlsx")
    write_check_json(result, out / "layer_check.json")
    counts = result.findings["role"].value_counts()
    for layer in result.layers:
        state = "refused" if layer.refused else f"{layer.on_map} on the map"
        typer.echo(f"{layer.role}\t{state}\t{counts.get(layer.role, 0)} defects")
        if layer.accuracy:
            typer.echo(f"{layer.role}\tlocal system\t{layer.accuracy}")
    for _, note in result.not_checked:
        tell(f"not checked: {note}")
    tell(f"row by row: {out / 'layer_check.xlsx'}")
    if result.refused:
        raise typer.Exit(ExitCode.USER_ERROR)
    if len(result.findings):
        raise typer.Exit(ExitCode.EXCEPTIONS)


def import_(
    source: Annotated[
        Path, typer.Argument(metavar="LAYERS.yaml|FILE", help="One-Map, or with --role an update.")
    ],
    store: Store,
    valid_from: Annotated[
        str | None, typer.Option(help="Day from which it is in force.", metavar="DATE")
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="Add features of FILE to this role, or replace by id.")
    ] = None,
) -> None:
    """Keep layers as immutable versions; the same content again makes no new one.

    An update that contradicts (an overlap in a layer without overlaps) is refused whole. Ends
    with 3 where rows have problems: `tuban layers check` lists them.
    """
    from clues.onemap import Catalogue
    from configs.layers import LayersFile

    begins = parse_day(valid_from, "--valid-from")
    with Catalogue(store) as catalogue:
        if role is None:
            done = catalogue.import_layers(LayersFile.load(source), valid_from=begins)
        else:
            done = [catalogue.add_features(role, source.resolve(), valid_from=begins)]
    for one in done:
        version, changes = one.version, one.version.details.get("changes", {})
        state = "new" if one.is_new else "as before"
        notes = "".join(f"\t{n} {name}" for name, n in changes.items())
        since = version.valid_from or "ever"
        typer.echo(
            f"{version.role}\t{version.version}\t{state}\t{version.features} features"
            f"\tfrom {since}{notes}"
        )
    problems = sum(one.problems for one in done)
    if problems:
        tell(f"{problems} rows have problems; tuban layers check lists them")
        raise typer.Exit(ExitCode.EXCEPTIONS)


def at(
    place: Annotated[str, typer.Argument(metavar="X,Y", help="Longitude,latitude or easting,…")],
    on: Annotated[str, typer.Option(help="Civil day.", metavar="DATE")],
    store: Store,
    known_on: Annotated[
        str | None, typer.Option(help="As it was known at the end of this day.", metavar="DATE")
    ] = None,
    crs: Annotated[str, typer.Option(help="CRS of X,Y.")] = "EPSG:4490",
) -> None:
    """Show what covered a place on a day, with version and feature."""
    from clues.onemap import Catalogue

    x, y = _point(place)
    day, known = parse_day(on, "--on"), parse_day(known_on, "--known-on")
    with Catalogue(store, existing=True) as catalogue:
        found = catalogue.at(x, y, crs=crs, on=_required(day), known_on=known)
    for one in found:
        version = one.version
        term = f"{version.valid_from or 'ever'}..{version.valid_to or 'open'}"
        what = "nothing here" if one.feature is None else _feature_text(one.feature)
        typer.echo(f"{version.role}\t{version.version}\t{term}\t{what}")
    if not found:
        tell(f"no version was in force on {on}" + (f" as known on {known_on}" if known_on else ""))


def _feature_text(feature: dict[str, object]) -> str:
    origin = f"{feature['source']} row {feature['row']}"
    values = [f"{k}={v}" for k, v in feature.items() if v is not None and k not in _ORIGIN]
    return f"{' '.join(values)}\t{origin}"


def _required(day: "dt.date | None") -> "dt.date":
    if day is None:
        raise typer.BadParameter("--on needs a date")
    return day


def _point(text: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no place; write 114.0015,36.6748") from None
    return x, y


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    group.command("check")(check)
    group.command("import")(import_)
    # a place may begin with a minus sign
    group.command("at", context_settings={"ignore_unknown_options": True})(at)
    app.add_typer(group, name="layers", help="One-Map layers: quality, versions, dates.")
