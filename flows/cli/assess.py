"""`tuban assess`: how good a change map is."""

from pathlib import Path
from typing import Annotated, Any

import typer

from configs.errors import InputError
from flows.cli.options import tell

__all__ = ["register"]

Changed = Annotated[
    list[int] | None,
    typer.Option(min=0, max=255, help="Value of a TRUTH raster that is change: default all but 0."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("assess")(assess)


def assess(
    change_map: Annotated[
        Path, typer.Argument(metavar="MAP", help="0 not observed, 1 no change, 2 and more changed")
    ],
    truth: Annotated[
        Path | None, typer.Argument(help="raster on the same pixels, or polygons of the change")
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for what is written.")] = Path(
        "assessment"
    ),
    design: Annotated[
        int | None, typer.Option(min=4, help="Draw a stratified sample of so many units.")
    ] = None,
    sample: Annotated[
        Path | None, typer.Option(help="The sample that people filled in: estimate areas.")
    ] = None,
    share: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Part of a patch that must be covered.")
    ] = 0.5,
    pixel_m: Annotated[
        float | None, typer.Option(min=0.01, help="Pixel size in metres, for a map without CRS.")
    ] = None,
    changed: Changed = None,
) -> None:
    """Score a change map: against a TRUTH, or by areas with 95 % intervals from a sample.

    Where no truth of every pixel exists: draw a sample with --design 300, let people fill in
    `reference` at each point, and hand it back with --sample.
    """
    from flows.assessing import against_sample, against_truth, design_sample

    if sum(choice is not None for choice in (truth, design, sample)) != 1:
        raise InputError(
            "one of TRUTH, --design and --sample is needed", "tuban assess", "see --help"
        )
    if design is not None:
        drawn = design_sample(change_map, design, out)
        for name, count in drawn["strata"].items():
            typer.echo(f"{name:<12}{count:>6} units")
        tell(f"fill in `reference` in {out / 'sample.geojson'}, then use --sample")
    elif sample is not None:
        _print_estimate(against_sample(change_map, sample, out))
    elif truth is not None:
        options: dict[str, Any] = {"share": share, "pixel_m": pixel_m, "changed": changed or ()}
        _print_scores(against_truth(change_map, truth, out, **options))
    tell(f"written: {out}")


def _print_scores(result: dict[str, Any]) -> None:
    pixels = result["pixels"]
    names = ("precision", "recall", "f1", "iou", "kappa", "boundary_iou")
    typer.echo("pixels   " + "  ".join(f"{n} {_share(pixels[n])}" for n in names))
    typer.echo(
        f"{'patches':<16}{'true':>6}{'found':>7}{'recall':>8}"
        f"{'mapped':>8}{'right':>7}{'precision':>11}{'F1':>7}"
    )
    limits = [p["from_m2"] / 10_000 for p in result["patches"]]
    for k, row in enumerate(result["patches"]):
        upto = f"–{limits[k + 1]:g} ha" if k + 1 < len(limits) else " ha and more"
        typer.echo(
            f"{f'{limits[k]:g}{upto}':<16}{row['true_patches']:>6}{row['found']:>7}"
            f"{_share(row['recall']):>8}{row['mapped_patches']:>8}{row['right']:>7}"
            f"{_share(row['precision']):>11}{_share(row['f1']):>7}"
        )
    typer.echo(f"not observed {result['not_observed_percent']:g} %")


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _print_estimate(estimate: Any) -> None:
    typer.echo(f"{'class':<12}{'area ha':>22}{'mapped ha':>14}{'user':>16}{'producer':>16}")
    for k, name in enumerate(estimate.classes):
        area, user, producer = estimate.areas[k], estimate.users[k], estimate.producers[k]
        typer.echo(
            f"{name:<12}{f'{area.value:,.1f} ± {area.margin:,.1f}':>22}{estimate.mapped[k]:>14,.1f}"
            f"{f'{user.value:.2f} ± {user.margin:.2f}':>16}"
            f"{f'{producer.value:.2f} ± {producer.margin:.2f}':>16}"
        )
    typer.echo(f"overall {estimate.overall.value:.2f} ± {estimate.overall.margin:.2f} (95 %)")
