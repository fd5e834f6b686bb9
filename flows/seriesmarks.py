"""A monitor in a run: what a growing series confirmed takes the place of comparing two dates.

The pair still gives dates, pictures, registration and land cover, so that clues of a series come
out like those of a pair: judged, in the ledger, with evidence sheets.
"""

import datetime as dt
import logging
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigError
from configs.monitoring import MonitorConfig
from configs.told import Told
from detect.components import Components
from detect.marks import MarkState
from detect.valid_runs import mask_runs
from flows.monitor.found import painted
from flows.monitor.job import MonitorPlan, date_of, is_drawn, load_found
from flows.monitor.monitoring import fit_monitor, update_monitor
from flows.plan import RunPlan
from flows.stagekeys import RunOptions
from flows.versions import Version, Versions

__all__ = ["SeenDays", "marks_of", "series_version"]

if TYPE_CHECKING:
    import geopandas as gpd

log = logging.getLogger(__name__)

EPOCH = dt.date(1970, 1, 1)
FOLDER = "monitors"
"""Beside the config of the monitor."""


def series_version(config: Path, options: RunOptions) -> tuple[Path, tuple[Told, ...]]:
    """Bring the monitor of a config up to date; return its newest version and what was left out.

    Parameters
    ----------
    config : Path
        Config of the monitor; it is fitted where that was not done yet.
    options : RunOptions
    """
    monitor = MonitorConfig.load(config)
    out = config.resolve().parent / FOLDER
    notes: list[str] = []
    if not Versions(out / f"{monitor.name}-{monitor.key8}").all():
        notes += fit_monitor(config, out, options).notes
    result = update_monitor(config, out, options)
    aside = [n for n in (*notes, *result.notes) if n.startswith("set aside")]
    for note in result.notes:
        log.info("monitor %s: %s", monitor.name, note)
    told = tuple(Told("时序监测有影像不能使用，已搁置", f"monitor: {note}") for note in aside)
    return result.version.folder, told


def marks_of(version: Path, plan: RunPlan) -> MarkState:
    """Return what a version of a monitor confirmed and first saw between the dates of a run.

    Parameters
    ----------
    version : Path
        Folder of the version.
    plan : RunPlan

    Raises
    ------
    ConfigError
        If the run works on another grid than the monitor, or a date is not known.
    """
    facts = Version(version, int(version.name[1:])).facts
    monitor = MonitorPlan.of_record(facts["plan"])
    _require_same_grid(monitor, plan)
    after, until = _day(plan.before.civil_to), _day(plan.after.civil_to)
    rows, firsts, lasts, sures = [], [], [], []
    for tile in monitor.tiles():
        found = load_found(version / "found" / f"{tile.name}.npz")
        seen = found["first_seen"]
        mask = (found["confirmed"] > 0) & (seen > after) & (seen <= until)
        mask &= is_drawn(found["magnitude"], monitor.drawn)
        row, first, last = mask_runs(mask, tile.extent)
        rows.append(row)
        firsts.append(first)
        lasts.append(last)
        places = (row - tile.extent.row0, first - tile.extent.col0, last - tile.extent.col0)
        sures.append(_means(found["confidence"], places))
    runs = (np.concatenate(rows), np.concatenate(firsts), np.concatenate(lasts))
    return MarkState.of(runs, np.concatenate(sures), f"{version.parent.parent.name} {version.name}")


@dataclass(frozen=True)
class SeenDays:
    """The days on which a series saw change in each component of a run.

    Attributes
    ----------
    first, last : ndarray of int64, shape (components,)
        Days since 1970-01-01; ``last`` is 0 where the series saw none.
    images : list of date
        Of the series, ascending.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    images: list[dt.date]

    @classmethod
    def of(cls, components: Components, version: Path, plan: RunPlan) -> Self:
        """Read them from a version of a monitor.

        Parameters
        ----------
        components : Components
        version : Path
            Folder of the version.
        plan : RunPlan
        """
        facts = Version(version, int(version.name[1:])).facts
        after, until = _day(plan.before.civil_to), _day(plan.after.civil_to)
        least = np.full(len(components), until + 1, np.int64)
        most = np.zeros(len(components), np.int64)
        for tile in MonitorPlan.of_record(facts["plan"]).tiles():
            label = painted(components, tile.extent)
            if (label < 0).all():
                continue
            seen = load_found(version / "found" / f"{tile.name}.npz")["first_seen"]
            here = (label >= 0) & (seen > after) & (seen <= until)
            np.minimum.at(least, label[here], seen[here])
            np.maximum.at(most, label[here], seen[here])
        images = sorted({dt.date.fromisoformat(s["date"]) for s in facts["scenes"]})
        return cls(least, most, images)

    def dated(self, patches: "gpd.GeoDataFrame", start: int = 0) -> "gpd.GeoDataFrame":
        """Return patches with the dates between which they changed.

        The after dates are the first and the last day on which the series saw change in a patch.
        The ground was as before on the before date of the run for certain, and until the last image
        before the change at most: clouds may have hidden its beginning, so that a paper of the days
        between cannot be told to be older or younger than the change.

        Parameters
        ----------
        patches : GeoDataFrame
            One per component, in their order.
        start : int
            Component of the first patch.
        """
        columns = ("before_from", "before_to", "after_from", "after_to")
        rows = [[patches[name].iloc[i] for name in columns] for i in range(len(patches))]
        own = slice(start, start + len(patches))
        days = zip(self.first[own].tolist(), self.last[own].tolist(), strict=True)
        for row, (first, last) in zip(rows, days, strict=True):
            if last:
                day = date_of(first)
                place = bisect_left(self.images, day)
                row[1] = max(row[1], self.images[place - 1]) if place else row[1]
                row[2], row[3] = day, date_of(last)
        values = np.array(rows, dtype=object).reshape(-1, len(columns))
        return patches.assign(**{name: values[:, i] for i, name in enumerate(columns)})


def _require_same_grid(monitor: MonitorPlan, plan: RunPlan) -> None:
    if monitor.grid.grid_id != plan.grid.grid_id:
        raise ConfigError(
            "the pair is worked on another grid than the monitor",
            f"detection.series: {monitor.grid.crs} {monitor.grid.x_resolution} m",
            "name crs, resolution and origin of the monitor as grid: in the config",
        )


def _day(day: dt.date | None) -> int:
    if day is None:
        raise ConfigError(
            "the dates of the images are not known",
            "before: and after: in the config",
            "add `date: YYYY-MM-DD`: a series is cut by the dates of the pair",
        )
    return (day - EPOCH).days


def _means(
    values: NDArray[np.uint8], runs: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Return the mean of each run, rounded down."""
    row, first, last = runs
    sums = np.zeros((values.shape[0], values.shape[1] + 1), np.int64)
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return np.asarray((sums[row, last + 1] - sums[row, first]) // (last - first + 1), np.int64)
