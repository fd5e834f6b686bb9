"""Rasters and newly confirmed patches of a monitor's version, from its tiles."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.components import Components, TileRuns, join
from detect.patches import patch_table
from flows.monitor.job import UNMODELLED, MonitorJob, date_of, load_found
from tiles.files import atomic_path
from tiles.grid import Extent
from tiles.layerwriter import RasterLayer, write_layers

__all__ = ["finish_version", "painted"]

DAY_TAGS = {
    "UNIT": "days since 1970-01-01",
    "MEANING_ZH": "自1970年1月1日起的天数；0 未发现变化；-1 无模型，不能判断",
    "MEANING_EN": "days since 1970-01-01; 0 no change found; -1 no model, nothing can be said",
}


def finish_version(job: MonitorJob, names: tuple[str, str], last: int) -> dict[str, Any]:
    """Write rasters and patches of a version from its tiles.

    Parameters
    ----------
    job : MonitorJob
        With all tiles worked.
    names : tuple of str
        Name of the index and of the monitor, for titles.
    last : int
        Last day the version before had taken in; 0 for a fit.

    Returns
    -------
    dict
        ``patches``: how many were newly confirmed; ``noise_pixels``: newly confirmed pixels in
        smaller groups.
    """
    plan = job.plan
    parts = ((t.extent, load_found(job.found_path(t))) for t in plan.tiles())
    write_layers(job.draft, _layers(*names), parts, plan.grid, plan.extent)
    runs = (TileRuns.load(job.runs_path(t)) for t in plan.tiles())
    components = join(runs, floor_px=plan.drawn.floor_px)
    table = _patches(job, components, last)
    with atomic_path(job.draft / "patches.gpkg") as part:
        table.to_file(
            part,
            layer="新增变化图斑",
            driver="GPKG",
            engine="pyogrio",
            geometry_type="MultiPolygon",
            promote_to_multi=True,
        )
    return {"patches": len(table), "noise_pixels": components.noise_pixels}


def _layers(index: str, name: str) -> list[RasterLayer]:
    tags = {"TUBAN_MONITOR": name, "TUBAN_INDEX": index}
    strength = {
        "MEANING_ZH": "首次出现以来与模型的平均差值，负值为下降",
        "MEANING_EN": "mean difference to the model since first seen, negative for a loss",
    }
    sure = {
        "MEANING_ZH": "置信度 0–100；255 无模型",
        "MEANING_EN": "confidence 0–100; 255 no model",
    }
    none = float(UNMODELLED)
    return [
        RasterLayer("first_seen", "int32", none, "首次出现日期 first seen", tags | DAY_TAGS),
        RasterLayer("confirmed", "int32", none, "确认日期 confirmed", tags | DAY_TAGS),
        RasterLayer("magnitude", "float32", float("nan"), "变化幅度 magnitude", tags | strength),
        RasterLayer("confidence", "uint8", 255.0, "置信度 confidence", tags | sure),
    ]


def _patches(job: MonitorJob, components: Components, last: int) -> Any:
    """Return the newly confirmed patches with their dates, magnitude and confidence."""
    days = (date_of(last) if last else None, date_of(job.days[-1]))
    table = patch_table(
        components, job.plan.grid, before=(days[0], days[0]), after=(days[1], days[1])
    )
    wanted = ["patch_id", "n_pixels", "area_dm2", "lon", "lat", "sheet", "geometry"]
    table = table[wanted]
    members = _members(job, components)
    summary = [_summary(*columns) for columns in members]
    for name in ("first_seen", "first_seen_median", "confirmed", "magnitude", "confidence"):
        table[name] = [row[name] for row in summary]
    table["direction"] = ["下降 loss" if row["magnitude"] < 0 else "上升 gain" for row in summary]
    table.insert(2, "area_m2", table.pop("area_dm2") / 100)
    return table


def _members(job: MonitorJob, components: Components) -> Iterator[tuple[NDArray[Any], ...]]:
    """Yield first seen, confirmed, magnitude and confidence of the pixels of each component."""
    owners: list[NDArray[np.int64]] = []
    values: dict[str, list[NDArray[Any]]] = {n: [] for n in FOUND}
    for tile in job.plan.tiles():
        label = painted(components, tile.extent)
        here = label >= 0
        if not here.any():
            continue
        found = load_found(job.found_path(tile))
        owners.append(label[here])
        for name, column in values.items():
            column.append(found[name][here])
    if not owners:
        return
    owner = np.concatenate(owners)
    columns = [np.concatenate(c) for c in values.values()]
    order = np.lexsort((*reversed(columns), owner))
    ends = np.searchsorted(owner[order], np.arange(len(components) + 1))
    for a, b in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        yield tuple(c[order[a:b]] for c in columns)


FOUND = ("first_seen", "confirmed", "magnitude", "confidence")


def painted(components: Components, extent: Extent) -> NDArray[np.int64]:
    """Return the component of each pixel of an extent, -1 for none."""
    out = np.full(extent.shape, -1, np.int64)
    begin, end = np.searchsorted(components.row, (extent.row0, extent.row1))
    for k in range(begin, end):
        first = max(int(components.first[k]), extent.col0)
        last = min(int(components.last[k]) + 1, extent.col1)
        if first < last:
            row = int(components.row[k]) - extent.row0
            out[row, first - extent.col0 : last - extent.col0] = components.comp[k]
    return out


def _summary(
    first: NDArray[Any], confirmed: NDArray[Any], magnitude: NDArray[Any], sure: NDArray[Any]
) -> dict[str, Any]:
    """Summarise a patch: dates as days of its pixels, so that they are dates of images."""
    middle = (len(first) - 1) // 2
    return {
        "first_seen": str(date_of(first.min())),
        "first_seen_median": str(date_of(np.sort(first)[middle])),
        "confirmed": str(date_of(confirmed.max())),
        "magnitude": round(float(np.sort(magnitude)[middle]), 4),
        "confidence": int(np.sort(sure)[middle]),
    }
