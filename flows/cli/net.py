"""``tuban model net``: store a net that was trained elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.model import GROUP_HELP, Registry, opened
from flows.cli.options import group_of, tell

__all__ = ["net", "register"]


def net(
    path: Annotated[Path, typer.Argument(metavar="NET.onnx", help="ONNX file.")],
    bands: Annotated[
        str, typer.Option(help="Bands it reads at each date, in its order: B02,B03,B04,B08")
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the model.", show_default="name of the file")
    ] = None,
    threshold: Annotated[float, typer.Option(help="Probability from which a pixel changed.")] = 0.5,
    scale: Annotated[
        float, typer.Option(help="What reflectance is multiplied by before the net sees it.")
    ] = 1.0,
    registry: Registry = None,
) -> None:
    """Try a net of your own and store it: `detection: {net: NAME}` or `tuban detect --net NAME`.

    One input of float32 (1, 2 × bands, side, side), the earlier date first; one output
    (1, 1, side, side), the probability of change. Needs the extra `onnx`.
    """
    from flows.civilday import home_day
    from flows.storednet import store_net

    stored, card = store_net(
        path,
        opened(registry).folder,
        name=name or path.stem,
        bands=tuple(part.strip() for part in bands.split(",") if part.strip()),
        created=home_day(),
        scale=scale,
        threshold=threshold,
    )
    for note in card.notes:
        tell(note)
    typer.echo(f"{stored}: use it with detection.net: {card.label}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    group_of(app, "model", GROUP_HELP).command("net")(net)
