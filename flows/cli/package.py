"""``tuban package``: build, check, merge and redact hand-in packages."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from configs.errors import ExitCode
from flows.cli.options import Out, tell

if TYPE_CHECKING:
    from clues.packages import Manifest

__all__ = ["register"]

Packages = Annotated[list[Path], typer.Argument(metavar="PACKAGE…", help="packages (.zip)")]
Package = Annotated[Path, typer.Argument(metavar="PACKAGE", help="package (.zip)")]


def build(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a finished run")],
    out: Out = Path(),
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Put the evidence sheets in.")
    ] = False,
    photos: Annotated[
        bool, typer.Option("--photos", help="Put what came back from the field in.")
    ] = False,
) -> None:
    """Build the package of a run: tables, ledger, layers, report, and a manifest to check it by."""
    from flows.packaging import build_package

    _say(*build_package(run, out, evidence=evidence, photos=photos))


def verify(package: Package) -> None:
    """Check a package without its run: files, checksums, sums and indicators; 1 if it is wrong."""
    from clues.packagecheck import check_package

    checked = check_package(package)
    for fault in checked.faults:
        typer.echo(f"FAIL {fault.what}\n     where: {fault.where}\n     fix:   {fault.fix}")
    if checked.faults or checked.package is None:
        tell(f"{package}: {len(checked.faults)} faults")
        raise typer.Exit(ExitCode.USER_ERROR)
    typer.echo(f"manifest\t{checked.package.manifest_sha256}")
    _say(package, checked.package.manifest)


def merge(
    packages: Packages,
    out: Out = Path(),
    code: Annotated[
        str, typer.Option(help="Code of the area.", show_default="what the counties share")
    ] = "",
    name: Annotated[str, typer.Option(help="Name of the area.")] = "",
) -> None:
    """Merge packages of counties that were run with one fitted state: equal to one joint run."""
    from flows.packaging import merge_packages

    _say(*merge_packages(packages, out, code=code, name=name))


def redact(
    package: Package,
    out: Out = Path(),
    grid: Annotated[float, typer.Option(help="Side of the cells in metres, at least 500.")] = 500.0,
) -> None:
    """Write a public export: counts and areas by cells; no places, names, numbers or pictures."""
    from flows.redacting import redact_package

    _say(*redact_package(package, out, cell_m=grid))


def _say(path: Path, manifest: "Manifest") -> None:
    """Print what a package holds."""
    from configs.units import metres2, mu

    told = manifest.totals
    area = int(told["area_dm2"])
    clues = f", {told['clues']} clues" if "clues" in told else ""
    typer.echo(
        f"{path}: {told['patches']} patches{clues}, {metres2(area)} m² = {mu(area)} mu, "
        f"{len(manifest.files)} files"
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True)
    for name, command in (("build", build), ("verify", verify)):
        group.command(name)(command)
    for name, other in (("merge", merge), ("redact", redact)):
        group.command(name)(other)
    app.add_typer(group, name="package", help="Hand-in packages: build, check, merge, redact.")
