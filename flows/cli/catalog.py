"""``tuban catalog``: index deliveries, find scenes, tell gaps, propose the pair to compare."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from configs.errors import ExitCode
from flows.cli.options import Out, parse_day, tell

if TYPE_CHECKING:
    import datetime as dt

    from tiles.catalog import Entry

__all__ = ["build", "coverage", "pair", "register", "search"]

DASH = "–"

Where = Annotated[str, typer.Argument(metavar="CATALOG|URL", help="Folder, or a STAC API.")]
Catalog = Annotated[Path, typer.Argument(metavar="CATALOG", help="Folder of the catalogue.")]
Area = Annotated[
    Path | None, typer.Option("--aoi", help="Polygon layer; scenes must meet it.", metavar="FILE")
]
Zone = Annotated[str, typer.Option("--time-zone", help="Zone of civil dates.")]
CHINA = "Asia/Shanghai"


def build(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Deliveries, in any mix.")],
    out: Out = Path("catalog"),
    sensor: Annotated[
        str | None,
        typer.Option(help="Sensor (or its YAML file) of deliveries named as it says.", metavar="S"),
    ] = None,
    time_zone: Zone = CHINA,
) -> None:
    """Index deliveries as a static STAC catalogue; no file is moved or changed.

    Ends with 3 where a delivery cannot be used: problems.csv says which, why and what to do.
    """
    from configs.sensors import anchored_sensor
    from flows.progress import Progress
    from tiles.catalog import build_catalog
    from tiles.discovery import discover

    sensor = anchored_sensor(sensor, Path.cwd())
    total = sum(1 for _ in discover(folder, out, sensor)) if folder.is_dir() else 0
    with Progress.current().counting(total, unit="deliveries") as progress:
        built = build_catalog(folder, out, sensor=sensor, time_zone=time_zone, step=progress.step)
    _print(built.entries, time_zone)
    for name, problem, _ in built.problems:
        tell(f"not used: {name}: {problem}")
    tell(f"{len(built.entries)} scenes in {out / 'catalog.json'}")
    if built.problems:
        tell(f"{len(built.problems)} deliveries cannot be used: {out / 'problems.csv'}")
        raise typer.Exit(ExitCode.EXCEPTIONS)


def search(
    where: Where,
    aoi: Area = None,
    bbox: Annotated[str | None, typer.Option(help="Degrees.", metavar="W,S,E,N")] = None,
    begin: Annotated[str | None, typer.Option("--from", metavar="DATE")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE")] = None,
    sensor: Annotated[str | None, typer.Option(help="Sensor, or collection of an API.")] = None,
    max_cloud: Annotated[float | None, typer.Option(help="Percent.", min=0, max=100)] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the items an API finds.")
    ] = Path("items"),
    time_zone: Zone = CHINA,
) -> None:
    """Find scenes by place, date, sensor and cloud; their items go into a config as scenes.

    An API is asked only if the environment variable TUBAN_HOSTS names its host.
    """
    from tiles.catalog import load_catalog, search_entries
    from tiles.remote import is_remote
    from tiles.stacapi import search_api

    area = _area(aoi, bbox)
    first, last = parse_day(begin, "--from"), parse_day(end, "--to")
    if is_remote(where):
        found = search_api(
            where,
            out,
            collections=[sensor] if sensor else [],
            bbox=area.bounds if area is not None else None,
            begin=first,
            end=last,
            max_cloud=max_cloud,
        )
        tell(f"{len(found)} items are kept in {out}")
    else:
        found = search_entries(
            load_catalog(Path(where)),
            area=area,
            begin=first,
            end=last,
            sensor=sensor,
            max_cloud=max_cloud,
            time_zone=time_zone,
        )
    _print(found, time_zone)


def coverage(
    catalog: Catalog,
    counties: Annotated[
        Path, typer.Option(help="Polygons of counties.", metavar="FILE", show_default=False)
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="Field with the county's name.", metavar="FIELD")
    ] = None,
    every: Annotated[str, typer.Option(help="year, quarter or month")] = "quarter",
    out: Out = Path("coverage"),
    time_zone: Zone = CHINA,
) -> None:
    """Tell for each county and period what share is seen without cloud, and where the gaps are.

    Written are coverage.csv and gaps.geojson.
    """
    from flows.coverage import write_coverage

    if every not in ("year", "quarter", "month"):
        raise typer.BadParameter(f"--every {every!r}; write year, quarter or month")
    rows = write_coverage(catalog, counties, name, every, out, time_zone)
    for row in rows:
        typer.echo("\t".join(str(v) for v in row))
    tell(f"gaps: {out / 'gaps.geojson'}")


def pair(
    catalog: Catalog,
    before: Annotated[str, typer.Option(help="First and last day.", metavar="DATE..DATE")],
    after: Annotated[str, typer.Option(help="First and last day.", metavar="DATE..DATE")],
    aoi: Area = None,
    bbox: Annotated[str | None, typer.Option(help="Degrees.", metavar="W,S,E,N")] = None,
    time_zone: Zone = CHINA,
) -> None:
    """Propose the two dates to compare: season, cloud, view and sun, with the reason.

    Ends with 3 where no two dates show the same ground.
    """
    import shapely

    from tiles.catalog import load_catalog
    from tiles.coverage import propose_pairs

    entries = load_catalog(catalog)
    area = _area(aoi, bbox)
    if area is None:
        area = shapely.union_all([e.footprint for e in entries])
    spans = [_span(text, option) for text, option in ((before, "--before"), (after, "--after"))]
    found = propose_pairs(entries, area, before=spans[0], after=spans[1], time_zone=time_zone)
    for number, one in enumerate(found, start=1):
        typer.echo(f"{number}\t{one.before.day} → {one.after.day}\t{one.score:.3f}")
        typer.echo(f"\t{one.reason('zh')}\n\t{one.reason('en')}")
        for role, side in (("before", one.before), ("after", one.after)):
            items = ", ".join(str(e.path) for e in side.entries)
            typer.echo(f"{role}: {{scenes: [{items}]}}")
    if not found:
        tell("no two dates of these periods show the same ground without cloud")
        raise typer.Exit(ExitCode.EXCEPTIONS)


def _print(entries: "list[Entry] | tuple[Entry, ...]", time_zone: str) -> None:
    from zoneinfo import ZoneInfo

    from tiles.catalog import cloud_percent

    for entry in entries:
        day = entry.acquired.astimezone(ZoneInfo(time_zone)).date()
        values = (cloud_percent(entry), entry.number("tuban:usable_percent"))
        cloud, usable = (DASH if v is None else f"{v:.1f} %" for v in values)
        typer.echo(f"{day}\t{entry.sensor}\tcloud {cloud}\tusable {usable}\t{entry.path}")


def _area(aoi: Path | None, bbox: str | None) -> Any:
    import shapely

    if aoi is not None:
        from flows.plan import area_of_interest

        return area_of_interest(aoi, "EPSG:4326")
    if bbox is None:
        return None
    try:
        west, south, east, north = (float(v) for v in bbox.split(","))
    except ValueError:
        raise typer.BadParameter(f"--bbox {bbox!r}; write 114.3,36.6,114.6,36.8") from None
    return shapely.box(west, south, east, north)


def _span(text: str, option: str) -> "tuple[dt.date, dt.date]":
    first, _, last = text.partition("..")
    days = (parse_day(first, option), parse_day(last or first, option))
    if days[0] is None or days[1] is None or days[0] > days[1]:
        raise typer.BadParameter(f"{option} {text!r}; write 2024-04-01..2024-09-30")
    return days[0], days[1]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    for command in (build, search, coverage, pair):
        group.command(command.__name__)(command)
    app.add_typer(group, name="catalog", help="Imagery catalogue: scenes, gaps, the best pair.")
