"""The formats of the clue ledger: which writers there are, what their files are called."""

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clues.outputs.filenames import official_name
from clues.outputs.tables import ClueTables
from configs.errors import InputError, TubanError
from configs.mistakes import choice

if TYPE_CHECKING:
    from flows.pictures import Thumbnails

__all__ = [
    "FORMATS",
    "NO_PICTURES",
    "Format",
    "chosen_formats",
    "export_ledger",
    "run_thumbnails",
    "writers_of",
]

log = logging.getLogger(__name__)

NO_PICTURES: Mapping[str, tuple[bytes, bytes]] = {}


@dataclass(frozen=True)
class Format:
    """One format of the ledger.

    Attributes
    ----------
    name : str
        In a run folder.
    zh, en : str
        Topic in the official name.
    suffix : str
        Ending of the official name.
    pictured : bool
        Whether it shows thumbnails.
    """

    name: str
    zh: str
    en: str
    suffix: str
    pictured: bool = False

    def official(self, tables: ClueTables, day: dt.date) -> str:
        """Return the official name of the file."""
        topic = self.zh if tables.title.speech.language == "zh" else self.en
        return official_name(tables.title, topic, day, self.suffix)


FORMATS: Mapping[str, Format] = {
    "xlsx": Format("clues.xlsx", "卫片执法线索台账", "clue-ledger", "xlsx", pictured=True),
    "geojson": Format("clues.geojson", "卫片执法线索", "clues", "geojson"),
    "gpkg": Format("clues.gpkg", "卫片执法线索", "clues", "gpkg"),
    "parquet": Format("clues.parquet", "卫片执法线索", "clues", "parquet"),
    "csv": Format("clues.csv", "卫片执法线索台账", "clue-ledger", "csv"),
    "kmz": Format("clues.kmz", "卫片执法线索", "clues", "kmz", pictured=True),
    "shp": Format("clues-shp.zip", "卫片执法线索SHP", "clues-shp", "zip"),
    "txt": Format("clues.txt", "线索坐标", "coordinates", "txt"),
    "bhtb": Format("bhtb.zip", "变化图斑", "changed-patches", "zip"),
    "update": Format("update.zip", "地类更新过程", "land-use-update", "zip"),
}


def chosen_formats(names: Iterable[str], where: str) -> tuple[str, ...]:
    """Return formats in their fixed order, each once; `InputError` names an unknown one."""
    wanted = {name.strip().lower() for name in names if name.strip()}
    for name in sorted(wanted - set(FORMATS)):
        raise InputError(f"there is no format {name!r}", where, choice(name, tuple(FORMATS)))
    if not wanted:
        raise InputError("no format is named", where, f"name some of: {', '.join(FORMATS)}")
    return tuple(name for name in FORMATS if name in wanted)


def writers_of(
    names: Iterable[str],
    tables: ClueTables,
    run: Path,
    thumbnails: "Callable[[], Thumbnails]",
) -> dict[str, Callable[[Path], None]]:
    """Return what writes each format.

    Parameters
    ----------
    names : iterable of str
        Of `FORMATS`.
    tables : ClueTables
    run : Path
        Folder of the run: its store holds the verdicts of an update.
    thumbnails : callable
        Gives the pictures; called only by formats that show some, and not before they are written.
    """
    from clues.outputs import (
        coordinates,
        exchange,
        flattables,
        geopackage,
        kmz,
        ledger,
        shapefile,
        survey,
    )

    tables = tables.with_blanks()
    writers: dict[str, Callable[[Path], None]] = {
        "xlsx": lambda path: ledger.write_ledger(tables, path, thumbnails()),
        "geojson": lambda path: exchange.write_geojson(tables, path),
        "gpkg": lambda path: geopackage.write_geopackage(tables, path),
        "parquet": lambda path: flattables.write_geoparquet(tables, path),
        "csv": lambda path: flattables.write_csv(tables, path),
        "kmz": lambda path: kmz.write_kmz(tables, path, thumbnails()),
        "shp": lambda path: shapefile.write_shapefile(tables, path),
        "txt": lambda path: coordinates.write_coordinates(tables, path),
        "bhtb": lambda path: survey.write_survey_patches(tables, path),
        "update": lambda path: _write_update(tables, run, path),
    }
    return {name: writers[name] for name in names}


def _write_update(tables: ClueTables, run: Path, path: Path) -> None:
    from clues.outputs.survey import write_update_package
    from flows.registering import run_verdicts

    write_update_package(tables, path, run_verdicts(run))


def export_ledger(
    run: Path, names: Iterable[str], out: Path, *, day: dt.date, pictures: int = 500
) -> list[Path]:
    """Write the ledger of a finished run in some formats, by their official names.

    Parameters
    ----------
    run : Path
        Folder of a finished run.
    names : iterable of str
        Of `FORMATS`.
    out : Path
        Folder; files of the same name are replaced.
    day : date
        Printed in the names.
    pictures : int
        Clues with thumbnails at most, those of the highest priority; none where the images of the
        run are not at hand.

    Returns
    -------
    list of Path
        In the order of `FORMATS`.

    Raises
    ------
    InputError
        If the folder holds no finished run, or a format is unknown or cannot hold the clues.
    """
    from flows.finished import finished_tables

    chosen = chosen_formats(names, "--format")
    tables = finished_tables(run)
    cut: list[Thumbnails] = []

    def thumbnails() -> "Thumbnails":
        if not cut:
            cut.append(run_thumbnails(run, tables, pictures))
        return cut[0]

    files = []
    for name, write in writers_of(chosen, tables, run, thumbnails).items():
        files.append(out / FORMATS[name].official(tables, day))
        write(files[-1])
    return files


def run_thumbnails(run: Path, tables: ClueTables, most: int) -> "Thumbnails":
    """Return thumbnails of a finished run; none where it has no images, or they are gone."""
    from flows.finished import finished_context, run_summary
    from flows.pictures import cutter_of, thumbnails

    context = finished_context(run, run_summary(run)) if most else None
    if context is None:
        return NO_PICTURES
    try:
        with cutter_of(context) as cutter:
            return thumbnails(cutter, tables, first=most)
    except TubanError as error:
        log.warning("no pictures in the ledger: %s", error.what)
        return NO_PICTURES
