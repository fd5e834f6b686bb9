"""``tuban demo``: a synthetic county with known truth, or real Sentinel-2 images, in one go."""

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.options import Out, Scheduler, Tile, Workers, tell

__all__ = ["register"]


def demo(
    out: Out = Path("runs/demo"),
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another county.")] = 1,
    difficulty: Annotated[int, typer.Option(min=1, max=3, help="1 easy, 2, 3 hard.")] = 2,
    size: Annotated[int, typer.Option(min=256, help="Side of the images, 10 m pixels.")] = 1024,
    real: Annotated[
        bool, typer.Option("--real", help="Real Sentinel-2 images from the package nrt.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Without Prefect.")] = False,
    workers: Workers = None,
    scheduler: Scheduler = "threads",
    tile: Tile = 512,
) -> None:
    """Make a county with known truth, run it, and score the run against the truth."""
    from flows.stages import RunOptions

    options = RunOptions(scheduler, workers, tile)
    if real:
        from flows.demo.real import build_real_pair

        tell("fetching the Sentinel-2 series of the package nrt")
        summary = _work(build_real_pair(out / "real"), out, options, plain)
        _next_steps(Path(summary["folder"]))
        return
    from flows.demo.county import build_county

    tell(f"building the county: seed {seed}, difficulty {difficulty}, {size} x {size} pixels")
    county = build_county(out / "county", seed, difficulty, size_px=size)
    summary = _work(county.config, out, options, plain)
    _score(summary, county.truth)
    _next_steps(Path(summary["folder"]))


def _work(config: Path, out: Path, options: Any, plain: bool) -> dict[str, Any]:
    from flows.cli.run import show
    from flows.runner import work_run

    summary = work_run(config, out, options, plain=plain)
    show(summary)
    return summary


def _score(summary: dict[str, Any], truth: Path) -> None:
    from flows.demo.score import add_score, score_lines, score_run

    folder = Path(summary["folder"])
    score = score_run(folder, truth)
    add_score(folder, score)
    typer.echo("")
    for line in score_lines(score):
        typer.echo(line)


def _next_steps(folder: Path) -> None:
    """Say what to look at, and what comes next with images and layers of one's own."""
    first = _first_clue(folder)
    sheet = folder / "evidence" / f"{first}.pdf"
    steps = [
        ("open", folder / "report.html", "what was found, what could not be seen"),
        ("then", folder / "clues.xlsx", "a row for each clue; people fill in the grey cells"),
        ("the first clue", sheet, "both dates, the layers over it, documents, reasons"),
        ("why it is one", f"tuban explain {first} --run {folder}", ""),
        ("work the clues", f"tuban desk add {folder} --store desk.sqlite", ""),
        ("step by step", "docs/tutorial/first-case.md", "up to a closed case"),
        ("your own images", "tuban init mine", "how to fill it in: docs/how-to/real-imagery.md"),
        ("then", "tuban check mine/tuban.yaml", "before tuban run mine/tuban.yaml"),
    ]
    if not sheet.is_file():
        del steps[2]
    activate = Path(sys.executable).with_name("activate")
    if shutil.which("tuban") is None and activate.is_file():
        steps.insert(2, ("put tuban on the path", f"source {activate}", ""))
    typer.echo("\nnext")
    for what, how, why in steps:
        typer.echo(f"{what:<22}{how}{f'  # {why}' if why else ''}")


def _first_clue(folder: Path) -> str:
    """Return the number of the first clue of the list."""
    features = json.loads((folder / "clues.geojson").read_text(encoding="utf-8"))["features"]
    return str(features[0]["properties"]["clue_no"]) if features else "CLUE"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)
