"""``tuban detect``: change alone, from two images to a raster."""

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.options import Tile, Workers, tell

__all__ = ["detect", "register"]


Method = Annotated[
    str,
    typer.Option(
        help="auto, cva, mad, irmad, isfa, texture, structure, logratio, omnibus or index:NAME"
    ),
]
Sensor = Annotated[
    str | None, typer.Option(help="sensor or its YAML file, if the images do not tell")
]
Net = Annotated[
    str | None,
    typer.Option(help="stored net that scores instead of the method: name, hash or .tuban file"),
]
Model = Annotated[
    str | None,
    typer.Option(help="stored model of labelled change: name, hash, .tuban file or in-use"),
]
Crs = Annotated[str | None, typer.Option(help="CRS of the result; of images without one")]
Split = Annotated[
    str, typer.Option(help="default, otsu, kittler, rosin or significance; not of auto")
]
Significance = Annotated[
    float, typer.Option(help="share of unchanged pixels that a significance lets by")
]
Register = Annotated[
    bool, typer.Option("--register/--no-register", help="correct the shift between the dates")
]


def detect(
    before: Annotated[Path, typer.Argument(help="raster, folder of *_B02.tif files, STAC item")],
    after: Annotated[Path, typer.Argument(help="the same of the later date")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="raster to write: 1 no change, 2 change")
    ],
    method: Method = "auto",
    net: Net = None,
    model: Model = None,
    sensitivity: Annotated[str, typer.Option(help="low, medium or high")] = "medium",
    target: Annotated[str, typer.Option(help="any or construction")] = "any",
    threshold: Split = "default",
    significance: Significance = 1e-3,
    register_pair: Register = True,
    sensor: Sensor = None,
    crs: Crs = None,
    workers: Workers = None,
    tile: Tile = 1024,
) -> None:
    """Find change between two images of one place, without any training or tuning."""
    from configs.loading import validated
    from configs.run import RunConfig, models_folder
    from configs.sensors import anchored_sensor
    from flows.runner import change_raster
    from flows.stages import RunOptions

    config = validated(
        RunConfig,
        {
            "name": "detect",
            "before": {"scenes": [before.resolve()]},
            "after": {"scenes": [after.resolve()]},
            "sensor": anchored_sensor(sensor, Path.cwd()),
            "grid": {"crs": crs},
            "gate": {"register_pair": register_pair},
            "detection": {
                "method": method,
                "net": net,
                "model": model,
                "sensitivity": sensitivity,
                "target": target,
                "threshold": threshold,
                "significance": significance,
            },
            "landcover": {"enabled": False},
            "models": models_folder(Path.cwd()),
        },
        "tuban detect",
    )
    values = change_raster(config, out, RunOptions(workers=workers, tile=tile))
    _show(out, values, register_pair)


def _show(out: Path, values: dict[str, Any], registered: bool) -> None:
    for note in values["notes"]:
        tell(note)
    changed, observed = values["changed_pixels"], values["observed_pixels"]
    share = 100 * changed / observed if observed else 0.0
    typer.echo(
        f"{out}: {values['patches']} patches, {changed} of {observed} observed pixels, "
        f"{share:.2f} %, {_shift(values['shift_px'], registered)}"
    )


def _shift(shift_px: list[float] | None, registered: bool) -> str:
    if shift_px is not None:
        return f"shift corrected {shift_px[0]:+.2f} rows {shift_px[1]:+.2f} columns"
    why = "too few clear windows with texture" if registered else "as asked"
    return f"shift NOT measured, nothing corrected ({why})"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("detect")(detect)
