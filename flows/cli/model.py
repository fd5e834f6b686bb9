"""``tuban model``: train, list, show, choose and hand on models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from configs.errors import ExitCode
from flows.cli.options import group_of, tell

if TYPE_CHECKING:
    from models.registry import ModelRegistry

__all__ = ["GROUP_HELP", "Registry", "add", "export", "opened", "register", "show", "train", "use"]

GROUP_HELP = "Stored models: train, choose, hand on."

Registry = Annotated[
    Path | None,
    typer.Option(
        "--registry",
        metavar="DIR",
        help="Folder of models.",
        show_default="$TUBAN_MODELS, else tuban-models",
    ),
]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="Name, or first digits of the hash.")]


def opened(folder: Path | None) -> "ModelRegistry":
    """Return the registry of a folder, or of the one that holds where none is named."""
    from configs.run import models_folder
    from models.registry import ModelRegistry

    return ModelRegistry(folder or models_folder(Path.cwd()))


def train(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG.yaml]", help="run config: learn land cover")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="PAIRS.yaml", help="labelled pairs: learn change instead"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the model.", show_default="that of run or file")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Use a change model that the labels do not prove.")
    ] = False,
    registry: Registry = None,
) -> None:
    """Learn and store a model: land cover from a run's land-use map, or change from labels.

    Land cover is learned exactly as the fit of the run does it. Change is learned from pairs whose
    changes somebody mapped; each place is tried with a model of the others.
    """
    if (config is None) == (labels is None):
        raise typer.BadParameter("give a run config, or labelled pairs with --labels")
    if labels is not None:
        _train_change(labels, registry, name, force)
        return
    assert config is not None
    from configs.run import RunConfig
    from flows.civilday import home_day
    from flows.learning.modeltraining import train_landcover

    settings = RunConfig.load(config)
    folder = registry or settings.models
    assert folder is not None  # settled by load
    path, card = train_landcover(settings, folder, name=name or settings.name, created=home_day())
    for figure in ("macro_f1", "macro_f1_map", "kappa"):
        if figure in card.metrics:
            typer.echo(f"{figure}\t{card.metrics[figure]:.3f}")
    for note in card.notes:
        tell(note)
    typer.echo(f"{path}: use it with landcover.model: {card.label}")


def _train_change(labels: Path, registry: Path | None, name: str | None, force: bool) -> None:
    from flows.civilday import home_day
    from flows.learning.changetraining import train_change

    path, card, trained = train_change(
        labels,
        opened(registry).folder,
        name=name or labels.stem,
        created=home_day(),
        force=force,
    )
    typer.echo("place\tF1\tF1 of auto")
    for place in trained.places:
        typer.echo(f"{place.name}\t{place.learned:.3f}\t{place.auto:.3f}")
    typer.echo(f"mean\t{card.metrics['f1']:.3f}\t{card.metrics['f1_auto']:.3f}")
    for note in card.notes:
        tell(note)
    typer.echo(f"{path}: use it with detection.model: {card.label}, or tuban detect --model")


def list_models(
    registry: Registry = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models: in use or not, name and hash, kind, day, sensor, months, mean F1.

    Ends with 3 where a file is refused, or the model in use is not there.
    """
    import json

    from configs.errors import InputError

    models = opened(registry)
    found, (used, faults) = models.list(), models.used()
    cards = [(path in used, card) for path, card in found if not isinstance(card, InputError)]
    if as_json:
        rows = [json.loads(c.to_json()) | {"in_use": chosen} for chosen, c in cards]
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        for chosen, card in cards:
            score = card.metrics.get("macro_f1", card.metrics.get("f1"))
            typer.echo(
                "\t".join(
                    [
                        "*" if chosen else " ",
                        card.label,
                        card.kind,
                        card.created.isoformat(),
                        card.sensor,
                        card.season,
                        "–" if score is None else f"{score:.3f}",
                    ]
                )
            )
    tell(f"{len(cards)} models in {models.folder}; * in use")
    refused = [f"refused: {error}" for _, error in found if isinstance(error, InputError)]
    refused += [f"in use: {error}" for error in faults]
    for text in refused:
        tell(text)
    if refused:
        raise typer.Exit(ExitCode.EXCEPTIONS)


def show(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name, first digits of the hash, or a file.")
    ],
    lang: Annotated[Literal["both", "zh", "en"], typer.Option(help="Language.")] = "both",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    registry: Registry = None,
) -> None:
    """Show the card of a model: what it learned from, how well, for which images."""
    from configs.run import MODEL_SUFFIX
    from models.cards import card_lines
    from models.modelfile import open_model

    is_file = model.endswith(MODEL_SUFFIX) or Path(model).is_file()
    card = open_model(Path(model) if is_file else opened(registry).find(model))[0]
    if as_json:
        typer.echo(card.to_json())
        return
    blocks = []
    if lang in ("both", "zh"):
        blocks.append("\n".join(card_lines(card, "zh")))
    if lang in ("both", "en"):
        blocks.append("\n".join(card_lines(card, "en")))
    typer.echo("\n\n".join(blocks))


def use(model: Model, registry: Registry = None) -> None:
    """Choose a model: later runs whose config says `landcover: {model: in-use}` take it."""
    card = opened(registry).use(model)
    typer.echo(f"{card.kind}: {card.label}")


def export(
    model: Model,
    path: Annotated[Path, typer.Argument(help="File .tuban, or a folder that is there.")],
    registry: Registry = None,
) -> None:
    """Write a model for another machine; `tuban model add` takes it over there."""
    typer.echo(str(opened(registry).export(model, path)))


def add(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Model file of another machine.")],
    registry: Registry = None,
) -> None:
    """Take over a model from elsewhere; a file that was altered or is none is refused."""
    typer.echo(str(opened(registry).add(path)))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = group_of(app, "model", GROUP_HELP)
    for name, command in (("train", train), ("list", list_models), ("show", show)):
        group.command(name)(command)
    for name, other in (("use", use), ("export", export), ("add", add)):
        group.command(name)(other)
