"""``tuban vet``: proposed parcels against the One-Map."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from configs.errors import ExitCode
from flows.cli.options import Out, parse_day, tell

__all__ = ["register", "vet"]


def vet(
    parcels: Annotated[
        Path, typer.Argument(metavar="PARCELS", help="Layer of proposed parcels, any format.")
    ],
    layers: Annotated[Path, typer.Argument(metavar="LAYERS.yaml", help="One-Map by role.")],
    out: Out,
    on: Annotated[
        str | None,
        typer.Option(help="Layers and documents of this day count.", show_default="today"),
    ] = None,
    rules: Annotated[
        str, typer.Option(help="Rule set for vetting: a shipped name or a YAML file.")
    ] = "vet-land",
    lang: Annotated[
        Literal["both", "zh", "en"], typer.Option(help="Language of workbook and page.")
    ] = "both",
) -> None:
    """Examine proposed parcels: plan, land classes, control lines, documents, rights, hazards.

    Every check answers pass, fail or ask; a layer that is absent or not complete makes it ask.
    """
    from flows import vetting as flow
    from flows.civilday import home_day

    day = parse_day(on, "--on") or home_day()
    languages: dict[str, tuple[Literal["zh", "en"], ...]] = {
        "both": ("zh", "en"),
        "zh": ("zh",),
        "en": ("en",),
    }
    run = flow.vet(parcels, layers, out, on=day, rules=rules, languages=languages[lang])
    typer.echo(f"on\t{day}")
    for answer, count in run.summary["tallies"].items():
        typer.echo(f"{answer}\t{count}")
    found = run.vetting.checks
    for parcel, answer in zip(
        run.vetting.parcels["parcel_id"], run.vetting.parcels["outcome"], strict=True
    ):
        own = found[found["parcel_id"] == parcel]
        parts = [
            f"{name}: {', '.join(own.loc[own['outcome'] == name, 'check'])}"
            for name in ("fail", "ask")
            if (own["outcome"] == name).any()
        ]
        typer.echo("\t".join([parcel, answer, *parts]))
    tell(f"why: {out / 'vet.html'}; tables: {out / 'vet.xlsx'}")
    if run.rejects:
        tell(f"{len(run.rejects)} rows have problems; they are listed in {out / 'run.json'}")
        raise typer.Exit(ExitCode.EXCEPTIONS)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("vet")(vet)
