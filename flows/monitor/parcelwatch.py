"""The parcels of a monitor's version: series, findings, table, map and page."""

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from configs.errors import RasterError
from configs.monitoring import MonitorConfig
from flows.monitor.job import MonitorJob
from flows.monitor.parceljob import ParcelGroup, group_parcels, read_group
from flows.monitor.plan import open_dates
from flows.stages import RunOptions
from flows.versions import Version
from flows.workers import map_tiles, require_all_worked
from tiles.files import atomic_path
from tiles.stack import StackReader

if TYPE_CHECKING:
    from clues.parcelseries import ParcelSeries, SeriesModel

__all__ = ["report_parcels"]

SERIES_NAME = "parcels.npz"

Arrays = dict[str, NDArray[Any]]


def report_parcels(
    config: MonitorConfig,
    options: RunOptions,
    job: MonitorJob,
    records: Sequence[dict[str, Any]],
    before: Version | None,
) -> dict[str, Any]:
    """Write the series of all parcels and what they tell into the draft of a version.

    Only dates that the version before has not read for the same parcels are read.

    Parameters
    ----------
    config : MonitorConfig
        With a layer of parcels.
    options : RunOptions
    job : MonitorJob
        With all tiles worked.
    records : sequence of dict
        Scenes of all dates up to this version.
    before : Version or None

    Returns
    -------
    dict
        Number of parcels per status, ``problems`` (rows of the layer with problems).

    Raises
    ------
    LayerError
        If the layer cannot be used.
    RasterError
        If a scene of an earlier date is needed and gone.
    """
    from clues.outputs import monitoring as outputs
    from clues.parcelseries import parcel_findings
    from clues.proposals import read_proposals

    assert config.parcels is not None
    parcels, problems = read_proposals(config.parcels, config.parcel_rules.how)
    shapes = parcels.geometry.to_crs(job.plan.grid.crs).to_numpy()
    digest = _digest(parcels["parcel_id"].tolist(), shapes)
    earlier = _earlier(before, digest)
    needed = _job_of(config, job, records, earlier)
    groups = group_parcels(shapes, job.plan.grid, job.plan.extent)
    read = _read(needed, groups, options, len(parcels))
    arrays = _joined(earlier, read, needed.days)
    path = job.draft / SERIES_NAME
    with atomic_path(path) as part, part.open("wb") as handle:
        told = np.frombuffer(digest.encode(), np.uint8)
        np.savez_compressed(handle, digest=told, **arrays)  # type: ignore[arg-type]
    series, model = _series(parcels, arrays), _model(config, job)
    findings = parcel_findings(series, model, config.parcel_rules)
    notes = _notes(config, series, records)
    report = outputs.ParcelReport(series, findings, model, config.parcel_rules, notes)
    outputs.write_parcel_geopackage(report, job.draft / "parcels.gpkg")
    outputs.write_parcel_workbook(report, job.draft / "parcels.xlsx")
    outputs.write_parcel_page(report, job.draft / "parcels.html")
    counts = findings["status"].value_counts().to_dict()
    return {str(k): int(v) for k, v in counts.items()} | {"problems": len(problems)}


def _digest(names: list[Any], shapes: Any) -> str:
    digest = hashlib.sha256("\n".join(str(n) for n in names).encode())
    for shape in shapes:
        digest.update(shapely.to_wkb(shape))
    return digest.hexdigest()[:32]


def _earlier(before: Version | None, digest: str) -> Arrays | None:
    """Return the series of the version before if it is of the same parcels."""
    path = None if before is None else before.path(SERIES_NAME)
    if path is None or not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as npz:
        arrays = {name: npz[name] for name in npz.files}
    return arrays if arrays.pop("digest").tobytes().decode() == digest else None


def _job_of(
    config: MonitorConfig,
    job: MonitorJob,
    records: Sequence[dict[str, Any]],
    earlier: Arrays | None,
) -> MonitorJob:
    """Return the job of the dates that are still to be read."""
    known = set() if earlier is None else set(earlier["days"].tolist())
    days = sorted({_day(r["date"]) for r in records} - known)
    if set(days) == set(job.days):
        return job
    wanted = [r for r in records if _day(r["date"]) in days]
    groups = [[Path(p) for p in r["paths"]] for r in wanted]
    dates, notes = open_dates(config, groups)
    if notes:
        raise RasterError(
            f"the parcels were not read before, and not all earlier scenes can be read: {notes[0]}",
            str(config.parcels),
            "put the scene back, or name the parcels of the version before",
        )
    reader = StackReader(tuple(d.epoch for d in dates), job.plan.grid, job.plan.bands)
    return replace(job, reader=reader, days=tuple(d.number for d in dates))


def _day(text: str) -> int:
    return (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days


def _read(job: MonitorJob, groups: list[ParcelGroup], options: RunOptions, count: int) -> Arrays:
    """Read the series of all parcels; one without pixels has none."""
    arrays: Arrays = {
        "median": np.full((len(job.days), count), np.nan, np.float32),
        "share": np.zeros((len(job.days), count), np.float32),
        **{name: np.zeros(count, np.int64) for name in ("pixels", "lost", "lost_since")},
    }
    failed = []
    for group, result in map_tiles(
        partial(read_group, job),
        groups,
        scheduler=options.scheduler,
        workers=options.workers,
        memory=options.memory,
    ):
        if result.value is None:
            failed.append(group.name)
            continue
        for name, values in result.value._asdict().items():
            arrays[name][..., list(group.numbers)] = values
    require_all_worked(failed, len(groups), job.draft)
    return arrays


def _joined(earlier: Arrays | None, read: Arrays, days: tuple[int, ...]) -> Arrays:
    """Return the series of earlier and new dates in order."""
    new = np.array(days, np.int64)
    if earlier is None:
        return {"days": new} | read
    order = np.argsort(np.concatenate([earlier["days"], new]), kind="stable")
    joined = {"days": np.concatenate([earlier["days"], new])[order]}
    for name in ("median", "share"):
        joined[name] = np.concatenate([earlier[name], read[name]])[order]
    return joined | {name: read[name] for name in ("pixels", "lost", "lost_since")}


def _series(parcels: Any, arrays: Arrays) -> "ParcelSeries":
    from clues.parcelseries import ParcelSeries

    return ParcelSeries(parcels, **arrays)


def _model(config: MonitorConfig, job: MonitorJob) -> "SeriesModel":
    from clues.parcelseries import SeriesModel

    plan = job.plan
    assert plan.index is not None
    return SeriesModel(
        plan.index,
        plan.method,
        plan.harmonics,
        plan.trend,
        plan.settings,
        _day(config.history.end.isoformat()),
    )


def _notes(
    config: MonitorConfig, series: "ParcelSeries", records: Sequence[dict[str, Any]]
) -> list[tuple[str, str, str, str]]:
    """Return what the answers hold for: monitor, layer, images, method, limits."""
    first, last = (dt.date(1970, 1, 1) + dt.timedelta(days=int(d)) for d in series.days[[0, -1]])
    rules, count, end = config.parcel_rules, len(series.days), config.history.end
    name = f"{config.name} (tuban {installed('tuban')})"
    assert config.parcels is not None
    layer, parcels = config.parcels.name, len(series.parcels)
    drop, slope, part = rules.least_drop, rules.least_trend, 100 * rules.least_share
    area, level = rules.least_area_m2, rules.significance
    method = f"{config.index}, {config.method.upper()}"
    return [
        ("监测", "monitor", name, name),
        ("地块图层", "parcels", f"{layer}：{parcels}个地块", f"{layer}: {parcels} parcels"),
        (
            "影像",
            "images",
            f"{len(records)}景，{count}个日期，{first}至{last}；历史期截至{end}",
            f"{len(records)} scenes of {count} dates, {first} to {last}; history up to {end}",
        ),
        (
            "方法",
            "method",
            f"{method}；趋势为去季节后逐月中位数的Theil–Sen斜率，用Mann–Kendall检验（按Hamed与Rao，1998年修正）",
            f"{method}; trend: Theil–Sen slope of monthly medians without season, Mann–Kendall "
            "test corrected after Hamed and Rao (1998)",
        ),
        (
            "标记条件",
            "flagged if",
            f"中位数突降{drop:g}以上并确认；或确认下降的面积占{part:g}%以上且不小于{area:g}平方米；"
            f"或每年下降{slope:g}以上（显著性水平{level:g}）",
            f"the median drops by {drop:g} or more; or a loss is confirmed on {part:g} % and "
            f"{area:g} m² or more; or it declines by {slope:g} or more per year (p ≤ {level:g})",
        ),
    ]
