"""``tuban judge``: delivered patches against the One-Map."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from configs.errors import ExitCode
from flows.cli.options import tell

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["judge", "register"]


Register = Annotated[
    str | None,
    typer.Option(
        metavar="PLACE",
        help="Of delivered patches: keep their clues in a register (file or URL); the name of "
        "--out names the period.",
    ),
]
OnlyNew = Annotated[bool, typer.Option("--only-new", help="Leave out what another period listed.")]


def judge(
    patches: Annotated[
        Path, typer.Argument(metavar="PATCHES", help="Layer of change patches, or a judged run.")
    ],
    layers: Annotated[Path, typer.Argument(metavar="LAYERS.yaml", help="One-Map by role.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for what is written.")
    ] = None,
    rules: Annotated[
        str | None, typer.Option("--rules", help="Rule set: a shipped name or a YAML file.")
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option("--diff", metavar="RULES", help="Only tell what these rules would change."),
    ] = None,
    was: Annotated[
        Path | None,
        typer.Option(
            metavar="LAYERS.yaml",
            help="Of a judged run: the layers it was judged by, if they have moved.",
        ),
    ] = None,
    quarter: Annotated[
        int | None, typer.Option(min=1, max=4, help="Quarter printed in clue numbers.")
    ] = None,
    register: Register = None,
    only_new: OnlyNew = False,
) -> None:
    """Judge existing patches: which are clues, which are dismissed, and why.

    A judged run is judged again where the layers have changed since, or all of it by other
    --rules; clue numbers stay, both judgements are kept. If it keeps a register, that takes the
    new judgement of the period.
    """
    if diff is not None:
        _tell_difference(patches, layers, rules, diff)
        return
    if out is None:
        raise typer.BadParameter("name a folder for what is written", param_hint="--out")
    if patches.is_dir() and (patches / "findings.parquet").is_file():
        if register is not None:
            raise typer.BadParameter("a judged run goes into its own register: leave it out")
        _tell_again(patches, layers, out, rules, was, quarter)
        return
    _tell_delivered(patches, layers, out, rules, quarter, register, only_new)


def _tell_delivered(
    patches: Path,
    layers: Path,
    out: Path,
    rules: str | None,
    quarter: int | None,
    register: str | None,
    only_new: bool,
) -> None:
    from flows.delivered import judge_delivered

    run = judge_delivered(
        *(patches, layers, out),
        rules=rules or "cn-land",
        quarter=quarter,
        register=register,
        is_new_only=only_new,
    )
    indicators = run.summary["indicators"]
    for name, count in run.summary["tallies"].items():
        typer.echo(f"{name}\t{count}")
    if any(layer["role"] == "landuse" for layer in run.summary["layers"]):
        typer.echo(f"ratio_percent\t{indicators['ratio_percent']:.2f}")
        typer.echo(f"ratio_alert\t{'yes' if indicators['ratio_alert'] else 'no'}")
    tell(f"ledger: {out / 'clues.xlsx'}; why: tuban explain PATCH --run {out}")
    if run.rejects:
        tell(f"{len(run.rejects)} layer rows have problems; they are listed in {out / 'run.json'}")
        raise typer.Exit(ExitCode.EXCEPTIONS)


def _tell_again(
    run: Path, layers: Path, out: Path, rules: str | None, was: Path | None, quarter: int | None
) -> None:
    from flows.again import judge_again

    again = judge_again(run, layers, out, rules=rules, was=was, quarter=quarter)
    typer.echo(f"judged_again\t{again.touched}\t{again.patches}")
    _tell_changes(again.changes)
    tell(f"ledger: {out / 'clues.xlsx'}; the earlier judgement stays in {run}")


def _tell_changes(changes: "pd.DataFrame") -> None:
    for row in changes.to_dict("records"):
        answers = "\t".join(row[k] or "-" for k in ("before", "after"))
        typer.echo(f"{row['line']}\t{row['parcel_id']}\t{answers}")


def _tell_difference(patches: Path, layers: Path, rules: str | None, diff: str) -> None:
    from configs.units import mu
    from flows.rejudging import diff_rules

    found = diff_rules(patches, layers, rules, diff)
    typer.echo(f"rules\t{found.rules}\t{found.other}")
    typer.echo(f"ratio_percent\t{found.ratios[0]:.2f}\t{found.ratios[1]:.2f}")
    for row in found.tally.to_dict("records"):
        answers = "\t".join(row[k] or "-" for k in ("before", "after"))
        typer.echo(f"{row['line']}\t{answers}\t{row['count']}\t{mu(row['area_dm2'])} mu")
    _tell_changes(found.changes)
    parcels = len(set(zip(found.changes["line"], found.changes["parcel_id"], strict=True)))
    tell(f"{parcels} parcels change; {found.findings} findings by {found.other}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("judge")(judge)
