"""What a worker does for ``tuban monitor``: one tile of a version, or its rasters and patches."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from configs.errors import InputError
from configs.indices import spectral_index
from configs.monitoring import PatchRules
from detect.components import Components, TileRuns, join, label_tile
from detect.indices import index_program
from detect.patches import patch_table
from detect.programs import Program
from detect.series import SeriesSettings, SeriesState, fit_series, series_breaks, update_series
from tiles.files import atomic_path
from tiles.grid import AnalysisGrid, Extent, Tile, plan_tiles
from tiles.labels import burn_labels
from tiles.layerwriter import RasterLayer, write_layers
from tiles.stack import StackReader

__all__ = ["MonitorJob", "MonitorPlan", "TileCounts", "date_of", "finish_version", "work_tile"]

UNMODELLED = -1
"""Day of pixels without a model: nothing can be said of them."""

DAY_TAGS = {
    "UNIT": "days since 1970-01-01",
    "MEANING_ZH": "自1970年1月1日起的天数；0 未发现变化；-1 无模型，不能判断",
    "MEANING_EN": "days since 1970-01-01; 0 no change found; -1 no model, nothing can be said",
}


@dataclass(frozen=True)
class MonitorPlan:
    """What a fit decides for all later versions; plain values but the grid.

    Attributes
    ----------
    grid : AnalysisGrid
    extent : Extent
    bands : tuple of str
        Bands that are read.
    wavelengths : tuple of float or None
        Micrometres.
    index : str or None
        Index that is followed; None: the bands themselves.
    unit : float
        What reflectance one is in the images.
    method, harmonics, trend, settings
        Of `detect.series.fit_series`.
    tile : int
        Side of the tiles of the state.
    drawn : PatchRules
        Which confirmed pixels become patches.
    aoi : bytes or None
        WKB of the area of interest in the grid's CRS.
    """

    grid: AnalysisGrid
    extent: Extent
    bands: tuple[str, ...]
    wavelengths: tuple[float | None, ...]
    index: str | None
    unit: float
    method: Any
    harmonics: int
    trend: bool
    settings: SeriesSettings
    tile: int
    drawn: PatchRules
    aoi: bytes | None = None

    def tiles(self) -> list[Tile]:
        """Return the tiles of the state, row-major."""
        return plan_tiles(self.extent, self.tile)

    def program(self) -> Program | None:
        """Return the program of the index; None where the bands are followed."""
        if self.index is None:
            return None
        index = spectral_index(self.index)
        return index_program(
            [index], self.wavelengths, dates=("before",), names=self.bands, unit=self.unit
        )

    def inside(self, extent: Extent) -> NDArray[np.bool_]:
        """Return which pixels lie in the area of interest."""
        if self.aoi is None:
            return np.ones(extent.shape, np.bool_)
        shapes = [shapely.from_wkb(self.aoi)]
        burnt = burn_labels(shapes, np.ones(1, np.int64), self.grid, extent)
        return np.asarray(burnt == 1, np.bool_)

    def record(self) -> dict[str, Any]:
        """Return the plan as JSON values; `of_record` reads them back."""
        values = asdict(self)
        return values | {
            "grid": self.grid.to_dict(),
            "drawn": self.drawn.model_dump(),
            "aoi": None if self.aoi is None else self.aoi.hex(),
        }

    @classmethod
    def of_record(cls, values: dict[str, Any]) -> "MonitorPlan":
        """Return the plan that `record` told."""
        return cls(
            **values
            | {
                "grid": AnalysisGrid(**values["grid"]),
                "extent": Extent(**values["extent"]),
                "bands": tuple(values["bands"]),
                "wavelengths": tuple(values["wavelengths"]),
                "drawn": PatchRules(**values["drawn"]),
                "settings": SeriesSettings(**values["settings"]),
                "aoi": bytes.fromhex(values["aoi"]) if values["aoi"] else None,
            }
        )


@dataclass(frozen=True)
class MonitorJob:
    """What all tiles of a version share.

    Attributes
    ----------
    plan : MonitorPlan
    reader : StackReader
        The dates this version takes in.
    days : tuple of int
        Theirs, days since 1970-01-01.
    draft : Path
        Folder of the version that is made.
    previous : Path or None
        Folder of the version before; None: fit.
    program : Program or None
        Computes the index; None: the bands themselves are followed.
    """

    plan: MonitorPlan
    reader: StackReader
    days: tuple[int, ...]
    draft: Path
    previous: Path | None = None
    program: Program | None = None

    def values(self, number: int, extent: Extent) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return what is followed on one date: float32 (plane, y, x) and valid (y, x)."""
        image, valid = self.reader.read(number, extent)
        if self.program is None:
            return image / np.float32(self.plan.unit), valid
        values = self.program.run(image, image, valid, fill=float("nan"))
        valid &= np.isfinite(values).all(axis=0)
        return np.where(valid, values, np.float32(0.0)), valid

    def state_path(self, tile: Tile) -> Path:
        """Return the file of a tile's state in this version."""
        return self.draft / "state" / f"{tile.name}.npz"

    def found_path(self, tile: Tile, version: Path | None = None) -> Path:
        """Return the file of what a tile's state tells."""
        return (version or self.draft) / "found" / f"{tile.name}.npz"

    def runs_path(self, tile: Tile) -> Path:
        """Return the file of the newly confirmed pixels of a tile; no part of the version."""
        return self.draft.with_name(f"{self.draft.name}-runs") / f"{tile.name}.npz"


class TileCounts(NamedTuple):
    """Pixels of a tile: with a model, with a confirmed change, newly confirmed."""

    modelled: int
    confirmed: int
    new: int


class _Scores(NamedTuple):
    score: NDArray[np.uint16]
    weak: NDArray[np.bool_]
    strong: NDArray[np.bool_]


def work_tile(job: MonitorJob, tile: Tile) -> TileCounts:
    """Fit or take on the state of one tile, and write it beside what it tells.

    Raises
    ------
    RasterError
        If pixels cannot be read.
    InputError
        If the state of the version before is damaged.
    """
    before: dict[str, NDArray[Any]] | None = None
    if job.previous is None:
        state = _fitted(job, tile)
    else:
        state = SeriesState.load(job.previous / "state" / f"{tile.name}.npz")
        before = _load(job.found_path(tile, job.previous))
        inside = job.plan.inside(tile.extent)
        for number, day in enumerate(job.days):
            values, valid = job.values(number, tile.extent)
            state = update_series(state, day, values, valid & inside)
    state.save(job.state_path(tile))
    found = _found(state)
    confirmed = found["confirmed"] > 0
    new = confirmed if before is None else confirmed & (found["confirmed"] != before["confirmed"])
    _save(job.found_path(tile), found)
    drawn = new & _is_drawn(found["magnitude"], job.plan.drawn)
    scores = _Scores(found["confidence"].astype(np.uint16), drawn, drawn)
    floor = job.plan.drawn.floor_px
    runs = label_tile(scores, tile.extent, job.plan.extent, floor_px=floor, members=1)
    runs.save(job.runs_path(tile))
    modelled = found["first_seen"] != UNMODELLED
    return TileCounts(int(modelled.sum()), int(confirmed.sum()), int(new.sum()))


def _fitted(job: MonitorJob, tile: Tile) -> SeriesState:
    plan, extent = job.plan, tile.extent
    planes = 1 if plan.index is not None else len(plan.bands)
    values = np.empty((len(job.days), planes, *extent.shape), np.float32)
    valid = np.empty((len(job.days), *extent.shape), np.bool_)
    inside = plan.inside(extent)
    for number in range(len(job.days)):
        values[number], seen = job.values(number, extent)
        valid[number] = seen & inside
    return fit_series(
        np.array(job.days, np.int64),
        values,
        valid,
        method=plan.method,
        harmonics=plan.harmonics,
        trend=plan.trend,
        settings=plan.settings,
    )


def _found(state: SeriesState) -> dict[str, NDArray[Any]]:
    """Return what a state tells, with `UNMODELLED` days where there is no model."""
    breaks, modelled = series_breaks(state), state.arrays["count"] > 0
    none = np.int32(UNMODELLED)
    return {
        "first_seen": np.where(modelled, breaks.first_seen, none),
        "confirmed": np.where(modelled, breaks.confirmed, none),
        "magnitude": np.where(modelled, breaks.magnitude, np.float32(np.nan)),
        "confidence": np.where(modelled, breaks.confidence, np.uint8(255)),
    }


def _is_drawn(magnitude: NDArray[np.float32], rules: PatchRules) -> NDArray[np.bool_]:
    """Return where a change is large enough and of a direction that is drawn."""
    size = {"loss": -magnitude, "gain": magnitude, "both": np.abs(magnitude)}[rules.direction]
    return np.asarray(size >= rules.least_change, np.bool_)


def _save(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    with atomic_path(path) as part, part.open("wb") as handle:
        np.savez_compressed(handle, **arrays)  # type: ignore[arg-type]


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as npz:
            return {name: npz[name] for name in npz.files}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(
            f"what the version before tells cannot be read ({error})",
            str(path),
            "copy the version back from a backup",
        ) from error


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
    parts = ((t.extent, _load(job.found_path(t))) for t in plan.tiles())
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
        label = _painted(components, tile.extent)
        here = label >= 0
        if not here.any():
            continue
        found = _load(job.found_path(tile))
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


def _painted(components: Components, extent: Extent) -> NDArray[np.int64]:
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
        "first_seen": date_of(first.min()),
        "first_seen_median": date_of(np.sort(first)[middle]),
        "confirmed": date_of(confirmed.max()),
        "magnitude": round(float(np.sort(magnitude)[middle]), 4),
        "confidence": int(np.sort(sure)[middle]),
    }


def date_of(day: int | np.integer[Any]) -> dt.date:
    """Return the date of a day counted from 1 January 1970."""
    return dt.date(1970, 1, 1) + dt.timedelta(days=int(day))
