"""Reports of a finished run, and the report that a run writes itself."""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.outputs.filenames import official_name
from clues.outputs.report import report_document, write_report
from clues.outputs.reportbuilding import build_report
from clues.outputs.reportmodel import ReportModel
from clues.outputs.tables import ClueTables
from configs.errors import InputError, RasterError
from configs.runparts import ReportSettings
from flows.finished import finished_context, finished_tables, run_summary
from flows.trust import assessment_of, quality_of
from tiles.geodesy import metres_per_unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from flows.stages import StageContext
    from tiles.chips import ChipCutter

__all__ = ["report_model", "report_settings", "write_reports"]

CHIP_PX = 256
TOPICS = {
    "quarterly": ("季度监测报告", "quarterly report"),
    "annual": ("年度监测报告", "annual report"),
}


def report_model(
    tables: ClueTables,
    folder: Path,
    summary: "Mapping[str, Any]",
    settings: ReportSettings,
    context: "StageContext | None",
) -> ReportModel:
    """Return the model of the report of a run.

    Parameters
    ----------
    tables : ClueTables
        With clue numbers.
    folder : Path
        Of the run.
    summary : mapping
        ``run.json``, or as much of it as is known.
    settings : ReportSettings
    context : StageContext or None
        With the images of the run; None: the report has no pictures.
    """
    assessment = None if settings.assessment is None else assessment_of(settings.assessment)
    previous = None if settings.previous is None else finished_tables(settings.previous)
    with _cutter(context) as cutter:
        return build_report(
            tables,
            quality_of(folder, summary, assessment),
            None if cutter is None else lambda bounds: cutter.cut(bounds, CHIP_PX),
            None if context is None else context.overview.picture(),
            issued=_issued(tables, folder),
            previous=previous,
            top=settings.clues,
            metres=_metres(tables),
        )


def _issued(tables: ClueTables, folder: Path) -> "pd.DataFrame | None":
    """Return the patches as the run found them, where people have edited them since."""
    import pandas as pd

    path = folder / "work" / "patches.parquet"
    if "edit" not in tables.patches or not (tables.patches["edit"] != "").any():
        return None
    names = ["patch_id", "county_code", "county_name", "area_dm2"]
    return pd.read_parquet(path, columns=names) if path.is_file() else None


def _metres(tables: ClueTables) -> tuple[float, float]:
    """Return the ground metres of a unit of the CRS amid the patches."""
    if not len(tables.patches):
        return 1.0, 1.0
    west, south, east, north = (float(v) for v in tables.patches.total_bounds)
    crs = tables.patches.crs.to_string()
    return metres_per_unit(crs, (west + east) / 2, (south + north) / 2)


@contextmanager
def _cutter(context: "StageContext | None") -> "Iterator[ChipCutter | None]":
    if context is None:
        yield None
        return
    from flows.pictures import cutter_of

    with cutter_of(context) as cutter:
        yield cutter


def _require_images(context: "StageContext | None") -> None:
    """Say what can be done where the images of a finished run have gone."""
    if context is None:
        return
    try:
        _ = context.plan
    except RasterError as error:
        raise InputError(
            f"the images of the run cannot be read: {error.what}",
            error.where,
            "put them back where they were, or give --no-pictures",
        ) from error


def report_settings(run: Path, **chosen: Any) -> ReportSettings:
    """Return the settings of the run's config, with what is chosen instead (None: not chosen)."""
    kept = run_summary(run).get("config", {}).get("report", {})
    return ReportSettings(**(kept | {k: v for k, v in chosen.items() if v is not None}))


def write_reports(
    run: Path,
    out: Path,
    formats: Sequence[str],
    settings: ReportSettings,
    *,
    day: dt.date,
    pictures: bool = True,
) -> list[Path]:
    """Write the reports of a finished run.

    Parameters
    ----------
    run : Path
        Folder of a run of `tuban run` or `tuban judge`.
    out : Path
        Folder.
    formats : sequence of str
        Of `clues.outputs.report.FORMATS`.
    settings : ReportSettings
    day : date
        In the names of the files.
    pictures : bool
        With pictures of the images of the run; they must still be where they were.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        If the run is not finished, or images, assessment or previous run cannot be read.
    """
    summary = run_summary(run)
    tables = finished_tables(run)
    context = finished_context(run, summary) if pictures else None
    _require_images(context)
    model = report_model(tables, run, summary, settings, context)
    language = settings.language or tables.title.speech.language
    document = report_document(model, language, settings.template)
    topic = TOPICS[settings.template][0 if language == "zh" else 1]
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / official_name(tables.title, topic, day, suffix) for suffix in formats]
    for path in paths:
        write_report(document, path)
    return paths
