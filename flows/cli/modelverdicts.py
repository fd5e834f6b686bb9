"""``tuban model retrain`` and ``propose``: learning from what people found on the ground."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.model import GROUP_HELP, Registry, opened
from flows.cli.options import group_of, tell

if TYPE_CHECKING:
    from models.feedbackscores import FeedbackScores

__all__ = ["propose", "register", "retrain"]

Verdicts = Annotated[
    list[Path] | None,
    typer.Option(
        "--verdicts",
        metavar="FILE",
        help="Verdicts: a filled-in ledger, CSV, XLSX or clue store; may be given several times.",
        show_default="clues.sqlite of the runs",
    ),
]


def retrain(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Run folders.")],
    verdicts: Verdicts = None,
    name: Annotated[str, typer.Option(help="Name of the model.")] = "verdicts",
    force: Annotated[
        bool, typer.Option("--force", help="Use the new model even if it is not better.")
    ] = False,
    registry: Registry = None,
) -> None:
    """Learn true against pseudo change from verdicts; a model that is not better is not used."""
    from flows.civilday import home_day
    from flows.learning import retraining

    done = retraining.retrain(
        runs,
        opened(registry),
        sources=verdicts or (),
        name=name,
        created=home_day(),
        force=force,
    )
    typer.echo("\tpseudo dismissed\treal dismissed\tBrier score")
    names = {"none": "before: no model", "in_use": "before: in use", "new": "after: unseen ground"}
    for key in ("none", "in_use", "new"):
        if key in done.scores:
            typer.echo(_line(names[key], done.scores[key]))
    for note in done.notes:
        tell(note)
    typer.echo(done.why)
    if done.promoted:
        typer.echo(f"{done.path}: in use; runs take it with feedback: {{model: in-use}}")
    else:
        typer.echo(f"{done.path}: kept, not in use; --force, or `tuban model use {done.path.stem}`")


def _line(name: str, scores: "FeedbackScores") -> str:
    return (
        f"{name}\t{scores.pseudo_gone} of {scores.pseudo}\t"
        f"{scores.real_lost} of {scores.real}\t{scores.brier:.4f}"
    )


def propose(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Workbook (.xlsx) or table (.csv) to fill in.")
    ],
    count: Annotated[int, typer.Option(min=1, help="Most patches to name.")] = 20,
    verdicts: Verdicts = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    registry: Registry = None,
) -> None:
    """Name the patches of a run to inspect next: those whose verdicts would teach most."""
    from flows.learning import proposing

    if out.suffix.lower() not in (".xlsx", ".csv"):
        raise typer.BadParameter(f"--out {out}: end it with .xlsx or .csv")
    chosen = proposing.propose(
        run, opened(registry), sources=verdicts or (), count=count, out=out, force=force
    )
    for one in chosen:
        percent = "–" if one.percent is None else f"{one.percent} %"
        kind = "control" if one.control else "doubt"
        typer.echo("\t".join([one.patch["patch_id"], one.patch["change_type"], percent, kind]))
    tell(f"{len(chosen)} patches, with reasons: {out}")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = group_of(app, "model", GROUP_HELP)
    group.command("retrain")(retrain)
    group.command("propose")(propose)
