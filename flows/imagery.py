"""Which images the patches of runs come from, as ``run.json`` tells it to models of verdicts."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely

from clues.outputs.imagesources import ImageSource
from configs.errors import InputError, RasterError
from configs.sensors import sensor_name
from flows.keys import code_fingerprint
from tiles.footprint import outline

if TYPE_CHECKING:
    from flows.plan import RunPlan
    from tiles.scene import Epoch, Scene

__all__ = [
    "Imagery",
    "image_sources",
    "imagery_of_runs",
    "run_imagery",
    "same_pixels",
    "season_of",
    "sensors_of",
]

PIXEL_TOLERANCE = 0.1
"""Share by which the pixel size may differ: texture is measured in pixels."""

ROOMS = ("detect", "models", "tiles")
"""Whose code decides what is measured of a patch."""


@dataclass(frozen=True)
class Imagery:
    """Images of a run, and the code that found patches in them.

    Attributes
    ----------
    sensor : str
        Of the earlier date; "" where it is not known.
    season : str
        Months of both dates.
    pixel_m : float
        0 where it is not known.
    code : str
        Fingerprint of the code.
    """

    sensor: str = ""
    season: str = ""
    pixel_m: float = 0.0
    code: str = ""

    @property
    def record(self) -> dict[str, Any]:
        """As ``run.json`` holds it."""
        return asdict(self)


def run_imagery(plan: "RunPlan") -> Imagery:
    """Return the images of a planned run."""
    return Imagery(
        sensors_of(plan.before), season_of(plan), round(plan.pixel_m, 4), code_fingerprint(ROOMS)
    )


def image_sources(plan: "RunPlan") -> tuple[ImageSource, ...]:
    """Return the scenes of both dates of a planned run, in the order in which they are used."""
    return tuple(
        ImageSource(
            date,
            scene.sensor_title,
            scene.scene_id,
            _corners(scene),
        )
        for date, epoch in (("before", plan.before), ("after", plan.after))
        for scene in epoch.scenes
    )


def _corners(scene: "Scene") -> tuple[tuple[float, float], ...]:
    """Return the outline of a scene; empty where its header tells none."""
    try:
        shape = outline(scene, "EPSG:4490")
    except RasterError:
        return ()
    hull = shapely.simplify(shapely.convex_hull(shape), 1e-7)
    points = shapely.get_coordinates(hull.exterior)[:-1]
    return tuple((round(float(x), 7), round(float(y), 7)) for x, y in points)


def imagery_of_runs(runs: Sequence[Path]) -> Imagery:
    """Return the images that runs have in common; seasons and codes are listed.

    Raises
    ------
    InputError
        If they have different sensors or pixel sizes: no model can learn from both.
    """
    found = {run.resolve().name: _told(run) for run in runs}
    (first, one), *others = sorted(found.items())
    for name, other in others:
        if other.sensor != one.sensor or not same_pixels(other.pixel_m, one.pixel_m):
            raise InputError(
                f"the runs have different images: {first} {_brief(one)}; {name} {_brief(other)}",
                ", ".join(str(run) for run in runs),
                "learn from runs of one sensor and pixel size; make a model for each",
            )
    seasons, codes = ({getattr(i, n) for i in found.values()} for n in ("season", "code"))
    return Imagery(one.sensor, "; ".join(sorted(seasons)), one.pixel_m, ", ".join(sorted(codes)))


def _told(run: Path) -> Imagery:
    """Return what ``run.json`` says; nothing is known of delivered patches."""
    path = run / "run.json"
    try:
        told = json.loads(path.read_bytes()).get("imagery") if path.is_file() else None
        return Imagery(**told) if told else Imagery()
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"it cannot be read which images the run has ({type(error).__name__})",
            str(path),
            "finish the run with `tuban run`",
        ) from error


def _brief(imagery: Imagery) -> str:
    if not imagery.sensor:
        return "tells none"
    return f"{imagery.sensor}, {imagery.pixel_m:.3g} m"


def same_pixels(one: float, other: float) -> bool:
    """Tell whether two pixel sizes are alike within `PIXEL_TOLERANCE`."""
    return abs(one - other) <= PIXEL_TOLERANCE * other


def sensors_of(epoch: "Epoch") -> str:
    """Return the sensors of a date, sorted."""
    return ", ".join(sorted({sensor_name(scene.sensor) for scene in epoch.scenes}))


def season_of(plan: "RunPlan") -> str:
    """Return the months of both dates, such as ``4 → 9`` or ``4–5 → 9``; "?" where untold."""
    return " → ".join(_months(epoch) for epoch in (plan.before, plan.after))


def _months(epoch: "Epoch") -> str:
    if epoch.civil_from is None or epoch.civil_to is None:
        return "?"
    first, last = epoch.civil_from.month, epoch.civil_to.month
    return str(first) if first == last else f"{first}–{last}"
