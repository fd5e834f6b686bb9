"""What a worker does for ``tuban monitor``: one tile of a version."""

import datetime as dt
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from configs.errors import InputError
from configs.indices import spectral_index
from configs.monitoring import PatchRules
from detect.indices import index_program
from detect.programs import Program
from detect.series import SeriesSettings, SeriesState, fit_series, series_breaks, update_series
from detect.tile_runs import label_tile
from tiles.files import atomic_path
from tiles.grid import AnalysisGrid, Extent, Tile, plan_tiles
from tiles.labels import burn_labels
from tiles.stack import StackReader

__all__ = [
    "UNMODELLED",
    "MonitorJob",
    "MonitorPlan",
    "TileCounts",
    "date_of",
    "is_drawn",
    "load_found",
    "work_tile",
]

UNMODELLED = -1
"""Day of pixels without a model: nothing can be said of them."""


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
        before = load_found(job.found_path(tile, job.previous))
        inside = job.plan.inside(tile.extent)
        for number, day in enumerate(job.days):
            values, valid = job.values(number, tile.extent)
            state = update_series(state, day, values, valid & inside)
    state.save(job.state_path(tile))
    found = _found(state)
    confirmed = found["confirmed"] > 0
    new = confirmed if before is None else confirmed & (found["confirmed"] != before["confirmed"])
    _save(job.found_path(tile), found)
    drawn = new & is_drawn(found["magnitude"], job.plan.drawn)
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
    breaks, modelled = series_breaks(state), state.modelled
    none = np.int32(UNMODELLED)
    return {
        "first_seen": np.where(modelled, breaks.first_seen, none),
        "confirmed": np.where(modelled, breaks.confirmed, none),
        "magnitude": np.where(modelled, breaks.magnitude, np.float32(np.nan)),
        "confidence": np.where(modelled, breaks.confidence, np.uint8(255)),
    }


def is_drawn(magnitude: NDArray[np.float32], rules: PatchRules) -> NDArray[np.bool_]:
    """Return where a change is large enough and of a direction that is drawn."""
    size = {"loss": -magnitude, "gain": magnitude, "both": np.abs(magnitude)}[rules.direction]
    return np.asarray(size >= rules.least_change, np.bool_)


def _save(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    with atomic_path(path) as part, part.open("wb") as handle:
        np.savez_compressed(handle, **arrays)  # type: ignore[arg-type]


def load_found(path: Path) -> dict[str, NDArray[Any]]:
    """Read what the state of a tile tells.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as npz:
            return {name: npz[name] for name in npz.files}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(
            f"what the version before tells cannot be read ({error})",
            str(path),
            "copy the version back from a backup",
        ) from error


def date_of(day: int | np.integer[Any]) -> dt.date:
    """Return the date of a day counted from 1 January 1970."""
    return dt.date(1970, 1, 1) + dt.timedelta(days=int(day))
