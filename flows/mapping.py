"""Map sheets of a finished run: parts, base pictures, PDF and PNG."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clues.outputs.filenames import official_name
from clues.outputs.mapparts import (
    BasePictures,
    Bounds,
    Division,
    MapPart,
    map_parts,
    part_of_bounds,
    safe_name,
)
from clues.outputs.maps import MapReport, write_map
from clues.outputs.mapwords import MapLook
from flows.finished import finished_context, finished_tables, run_summary
from tiles.files import atomic_path

__all__ = ["DrawnMap", "draw_maps", "named_divisions_of", "run_pictures"]

TOPICS = {"zh": ("线索分布图", "线索分布图公开版"), "en": ("clue map", "public clue map")}


@dataclass(frozen=True)
class DrawnMap:
    """One sheet that was drawn: its files and what came of it."""

    part: MapPart
    files: tuple[Path, ...]
    report: MapReport


def draw_maps(
    run: Path,
    out: Path,
    look: MapLook,
    *,
    day: dt.date,
    by: str = "county",
    bounds: Bounds | None = None,
    image: bool = True,
    png_dpi: int | None = 150,
) -> list[DrawnMap]:
    """Draw the map sheets of a finished run.

    Parameters
    ----------
    run : Path
        Folder of a finished run.
    out : Path
        Folder for the sheets.
    look : MapLook
    day : date
        Printed in the names of the files.
    by : {"county", "township", "sheet"}
    bounds : tuple of float, optional
        West, south, east, north in degrees; one sheet of these instead.
    image : bool
        With the image of the later date below; runs without imagery have none.
    png_dpi : int, optional
        Also write pictures, so fine.

    Raises
    ------
    InputError
        If there is nothing to map or the images are gone.
    """
    tables, summary = finished_tables(run), run_summary(run)
    crs = tables.patches.crs.to_string()
    divisions = named_divisions_of(summary, crs)
    wanted = map_parts(tables, divisions, by) if bounds is None else [part_of_bounds(bounds, crs)]
    drawn = []
    with run_pictures(run, summary, wanted=image and not look.public) as pictures:
        for part in wanted:
            topic = TOPICS[look.language][look.public]
            whole = "_".join(x for x in (topic, safe_name(part.key), look.paper) if x)
            path = out / official_name(tables.title, whole, day, "pdf")
            report = write_map(path, part, tables, divisions, look, pictures)
            files = [path]
            if png_dpi is not None:
                files.append(_picture_of(path, png_dpi))
            drawn.append(DrawnMap(part, tuple(files), report))
    return drawn


def named_divisions_of(summary: dict[str, Any], crs: str) -> list[Division]:
    """Return the administrative divisions that the layers of a run name; none without layers."""
    from clues.layers import OneMap, read_role
    from clues.observed import named_divisions
    from configs.layers import LayersFile

    name = summary.get("inputs", {}).get("layers") or summary.get("config", {}).get("layers")
    if not name or not Path(str(name)).is_file():
        return []
    file = LayersFile.load(Path(str(name)))
    specs = tuple(spec for spec in file.layers if spec.role == "division")
    if not specs:
        return []
    onemap = OneMap(crs, {"division": read_role("division", specs, crs=crs)}, file)
    return [Division(*one) for one in named_divisions(onemap)]


@contextmanager
def run_pictures(
    run: Path, summary: dict[str, Any], *, wanted: bool = True
) -> Iterator[BasePictures | None]:
    """Give the pictures of the later date of a run; None where it has none."""
    context = finished_context(run, summary) if wanted else None
    if context is None:
        yield None
        return
    from flows.fitting import registration_of
    from tiles.basemap import BaseImage

    plan = context.plan
    with BaseImage(plan.before, plan.after, plan.grid, registration_of(context)) as base:

        def picture(bounds: Bounds, most_px: int) -> tuple[Any, Bounds]:
            made = base.picture(bounds, most_px)
            return made.image, made.bounds

        yield picture


def _picture_of(pdf: Path, dpi: int) -> Path:
    """Write the first page of a PDF as PNG beside it."""
    import pypdfium2

    path = pdf.with_suffix(".png")
    document = pypdfium2.PdfDocument(pdf)
    try:
        image = document[0].render(scale=dpi / 72).to_pil().convert("RGB")
    finally:
        document.close()
    with atomic_path(path) as part:
        image.save(part, "PNG", dpi=(dpi, dpi))
    return path
