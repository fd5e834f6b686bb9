"""Display images of a finished run, written for the desk's map tiles."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.store.images import ImageRow
from configs.errors import TubanError
from configs.told import Told
from tiles.files import sha256
from tiles.geodesy import transformer

if TYPE_CHECKING:
    from flows.stages import StageContext
    from tiles.grid import AnalysisGrid, Extent

__all__ = ["IMAGES", "display_images", "drop_old_images", "require_same_images"]

IMAGES = "images"
"""Folder of display images inside the folder of the desk."""

SPARE_PX = 128
"""Ground around the analysed extent that is shown, where the images have it."""

MARK_DIGITS = 12
WGS84 = "EPSG:4326"


def display_images(
    run: Path, summary: dict[str, Any], files: Path
) -> tuple[list[ImageRow], list[Told]]:
    """Write the images of both dates and of the change; those that stand are kept.

    Parameters
    ----------
    run : Path
    summary : dict
        ``run.json``.
    files : Path
        Folder of the desk.

    Returns
    -------
    list of ImageRow
        Without the number of the run in the store.
    list of Told
        Why any are missing: the images of the run are gone or were changed.
    """
    from flows.finished import finished_context

    context = finished_context(run, summary)
    if context is None:
        return [], []
    try:
        require_same_images(context, summary)
        return _written(context, run, files), []
    except TubanError as error:
        told = f"no pictures on the map: {error.what} ({error.where})"
        return [], [Told(f"地图上没有影像：{error.where}", told)]


def require_same_images(context: "StageContext", summary: dict[str, Any]) -> None:
    """Raise where the files of the images are not those that the run saw."""
    from configs.errors import InputError

    seen = summary.get("inputs", {})
    for name, digest in context.plan_key.parts.items():
        if name.startswith("file ") and seen.get(name) != digest:
            raise InputError(
                "the images were changed since the run",
                name.removeprefix("file "),
                "put the images of the run back, or run it again",
            )


def _written(context: "StageContext", run: Path, files: Path) -> list[ImageRow]:
    from flows.fitting import registration_of
    from tiles.deskimages import write_change_image, write_date_images
    from tiles.pairgrid import pair_extent

    plan, folder = context.plan, files / IMAGES
    parts = {r: folder / f".new-{run.name}-{r}.tif" for r in ("before", "after", "change")}
    pair = plan.before, plan.after
    extent = plan.extent.expand(SPARE_PX).intersect(pair_extent(*pair, plan.grid))
    try:
        write_date_images(
            (parts["before"], parts["after"]), pair, plan.grid, extent, registration_of(context)
        )
        write_change_image(parts["change"], context.run.path("change.tif"))
        days = {"before": plan.before, "after": plan.after, "change": plan.after}
        shown = {"before": extent, "after": extent, "change": plan.extent}
        return [
            _row(run.name, role, part, days[role], _degrees(plan.grid, shown[role]))
            for role, part in parts.items()
        ]
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def _degrees(grid: "AnalysisGrid", extent: "Extent") -> tuple[float, float, float, float]:
    move = transformer(grid.crs, WGS84)
    west, south, east, north = move.transform_bounds(*grid.bounds(extent), densify_pts=21)
    return west, south, east, north


def _row(
    run: str, role: str, part: Path, epoch: Any, bounds: tuple[float, float, float, float]
) -> ImageRow:
    """Give a written file its lasting name, after its content; return what the store keeps."""
    from tiles.webtiles import native_zoom

    digest = sha256(part)
    path = part.with_name(f"{run}-{role}-{digest[:MARK_DIGITS]}.tif")
    part.replace(path)
    credit = sorted({s.attribution for s in epoch.scenes if s.attribution})
    return ImageRow(
        image_id=f"{run}-{role}",
        run_id=0,
        run=run,
        role=role,
        path=f"{IMAGES}/{path.name}",
        fingerprint=digest,
        taken_from=epoch.civil_from,
        taken_to=epoch.civil_to,
        attribution="; ".join(credit),
        maxzoom=native_zoom(path),
        **dict(zip(("west", "south", "east", "north"), bounds, strict=True)),
    )


def drop_old_images(files: Path, kept: set[str]) -> None:
    """Remove display images that no store row names any more.

    Parameters
    ----------
    files : Path
        Folder of the desk.
    kept : set of str
        Paths as the store has them.
    """
    for path in (files / IMAGES).glob("*.tif"):
        if f"{IMAGES}/{path.name}" not in kept:
            path.unlink(missing_ok=True)
