"""`tuban indices`: the spectral indices known by name."""

import json
from typing import Annotated, Any

import typer

__all__ = ["register"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True)
    group.command("list")(list_indices)
    group.command("show")(show_index)
    app.add_typer(group, name="indices", help="Spectral indices known by name.")


def list_indices(
    domain: Annotated[
        str | None, typer.Option(help="vegetation, water, urban, soil, burn, snow, radar …")
    ] = None,
    sensor: Annotated[
        str | None,
        typer.Option(help="Only those that this sensor (or YAML file) has the bands for."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the indices: name, domain, bands, title.

    Any of them is a detection method: `--method index:NDBI`.
    """
    from configs.errors import InputError
    from configs.indices import index_catalogue

    found = list(index_catalogue().values())
    domains = sorted({i.domain for i in found})
    if domain is not None and domain not in domains:
        raise InputError(
            f"there is no domain {domain!r}", "--domain", f"use one of {', '.join(domains)}"
        )
    found = [i for i in found if domain in (None, i.domain)]
    if sensor is not None:
        found = [i for i in found if _has_bands(i, sensor)]
    if as_json:
        typer.echo(json.dumps([_plain(i) for i in found], indent=1, ensure_ascii=False))
        return
    for index in found:
        typer.echo(f"{index.name:<14}{index.domain:<12}{' '.join(index.bands):<16}{index.title}")
    typer.echo(f"{len(found)} indices", err=True)


def _has_bands(index: Any, sensor: str) -> bool:
    from configs.errors import InputError
    from configs.sensors import sensor_spec
    from detect.indices import index_bands

    bands = sensor_spec(sensor).bands
    try:
        index_bands(index, [b.wavelength_um for b in bands], [b.name for b in bands])
    except InputError:
        return False
    return True


def show_index(
    name: Annotated[str, typer.Argument(help="For example NDVI; capitals rarely matter.")],
    as_json: AsJson = False,
) -> None:
    """Show the formula of an index, what its letters mean, and where it comes from."""
    from configs.indices import quantities, spectral_index

    index, known = spectral_index(name), quantities()
    if as_json:
        typer.echo(json.dumps(_plain(index), indent=1, ensure_ascii=False))
        return
    typer.echo(f"{index.name}: {index.title} ({index.domain})")
    typer.echo(f"  {index.formula}")
    for letter in index.bands:
        band = known.bands[letter]
        where = "{}–{} µm".format(*band.wavelength_um) if band.wavelength_um else "by name"
        typer.echo(f"  {letter:<8}{band.title} · {band.title_zh}, {where}")
    for constant in index.constants:
        if constant in known.wavelengths:
            typer.echo(f"  {constant:<8}middle of band {known.wavelengths[constant]} in nm")
        else:
            told = known.constants[constant]
            value = "no default" if told.default is None else f"{told.default:g}"
            typer.echo(f"  {constant:<8}{told.title}: {value}")
    typer.echo(f"  {index.reference}")


def _plain(index: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(index)
