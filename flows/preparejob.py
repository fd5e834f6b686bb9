"""What a worker does for ``tuban prepare``: one tile of one scene, or one scene from its tiles."""

import datetime as dt
import hashlib
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from configs.errors import InputError
from configs.sensors import sensor_file
from flows.environment import give_back_memory
from flows.plan import RunPlan
from tiles.files import write_json
from tiles.footprint import seen
from tiles.grid import Extent, Tile, plan_tiles
from tiles.imagewriter import join_images, write_image
from tiles.lineage import Lineage, scene_lineage
from tiles.pairgrid import scene_extent
from tiles.reader import PairReader
from tiles.registration import Registration
from tiles.scene import BandSource, Scene
from tiles.stacitem import scene_item

__all__ = ["DATES", "PrepareJob", "SceneTask", "TileTask", "join_scene", "prepare_tile"]

DATES = ("before", "after")

PROCESSING = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"


@dataclass(frozen=True)
class SceneTask:
    """One scene of the pair that is to be written.

    Attributes
    ----------
    date : int
        0 before, 1 after.
    number : int
        Place in its epoch.
    name : str
        Names its files; unique in the pair.
    extent : Extent
        Pixels of the grid that are written.
    """

    date: int
    number: int
    name: str
    extent: Extent


@dataclass(frozen=True)
class TileTask:
    """One tile of one scene."""

    scene: SceneTask
    tile: Tile

    @property
    def name(self) -> str:
        """Name used in messages and the manifest."""
        return f"{self.scene.name}/{self.tile.name}"


@dataclass(frozen=True)
class PrepareJob:
    """What all tasks share; small enough to travel with each.

    Attributes
    ----------
    plan : RunPlan
    registration : Registration
    tiles : Path
        Where tiles go; they are removed once a scene is whole.
    out : Path
        Where scenes and items go.
    size : int
        Side of the tiles.
    cache_mb : float
        Memory for warped cells.
    zone : str
        Time zone of civil dates.
    version : str
        Of the program, for the items.
    """

    plan: RunPlan
    registration: Registration
    tiles: Path
    out: Path
    size: int
    cache_mb: float
    zone: str
    version: str

    def scenes(self) -> list[SceneTask]:
        """Return the scenes that meet the analysis, before first."""
        tasks, taken = [], set[str]()
        for date, epoch in enumerate((self.plan.before, self.plan.after)):
            for number, scene in enumerate(epoch.scenes):
                extent = scene_extent(scene, self.plan.grid).expand(REACH_PX)
                extent = extent.intersect(self.plan.extent)
                if extent.is_empty:
                    continue
                name = f"{DATES[date]}/{_file_name(scene.scene_id)}"
                while name in taken:
                    name += "_"
                taken.add(name)
                tasks.append(SceneTask(date, number, name, extent))
        return tasks

    def tile_tasks(self, scene: SceneTask) -> list[TileTask]:
        """Return the tiles of a scene, row-major."""
        return [TileTask(scene, tile) for tile in plan_tiles(scene.extent, self.size)]

    def tile_path(self, task: TileTask) -> Path:
        """Return where a tile is written."""
        return self.tiles / str(self.size) / task.scene.name / f"{task.tile.name}.tif"

    def scene_paths(self, scene: SceneTask) -> tuple[Path, Path]:
        """Return the image and the item of a scene."""
        return self.out / f"{scene.name}.tif", self.out / f"{scene.name}.json"

    def scene(self, task: SceneTask) -> Scene:
        """Return the scene as delivered; one without a time is of noon of its epoch's date."""
        epoch = (self.plan.before, self.plan.after)[task.date]
        scene = epoch.scenes[task.number]
        if scene.acquired is not None or epoch.civil_from is None:
            return scene
        noon = dt.datetime.combine(epoch.civil_from, dt.time(12), ZoneInfo(self.zone))
        return replace(scene, acquired=noon.astimezone(dt.UTC))

    def require_dates(self) -> None:
        """Refuse a pair of which nothing tells when it was taken: an item needs a time.

        Raises
        ------
        InputError
        """
        for task in self.scenes():
            scene = self.scene(task)
            if scene.acquired is None:
                raise InputError(
                    "nothing tells when the scene was taken",
                    scene.scene_id,
                    f"write the date into the config ({DATES[task.date]}.date)",
                )

    def move(self, task: SceneTask) -> Registration | None:
        """Return the registration applied to the scene."""
        return self.registration if task.date == 1 else None

    @property
    def token(self) -> str:
        """Hash that tells jobs apart in a worker."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


REACH_PX = 64
"""Pixels by which a registered scene may reach beyond its footprint as delivered."""

_readers: dict[str, PairReader] = {}
_lock = threading.RLock()


def prepare_tile(job: PrepareJob, task: TileTask) -> int:
    """Write one tile of one scene; return the number of its valid pixels.

    Raises
    ------
    RasterError
        If pixels cannot be read.
    """
    extent = task.tile.extent
    values, valid = _reader(job).read_scene(task.scene.date, task.scene.number, extent)
    write_image(job.tile_path(task), values, valid, job.plan.grid, extent)
    return int(valid.sum())


def join_scene(job: PrepareJob, task: SceneTask) -> dict[str, Any]:
    """Write one scene and its item from its tiles.

    Returns
    -------
    dict
        ``lineage``: what was done, in words.
    """
    _close_readers()
    give_back_memory()
    image, item = job.scene_paths(task)
    plan, scene = job.plan, job.scene(task)
    lineage = scene_lineage(scene, plan.bands, plan.grid, job.move(task))
    steps = [*lineage.sentences(), *_moved(job.move(task))]
    join_images(
        image,
        [(t.tile.extent, job.tile_path(t)) for t in job.tile_tasks(task)],
        plan.grid,
        task.extent,
        bands=plan.bands,
        wavelengths=plan.wavelengths,
        tags={"TUBAN_SCENE": scene.scene_id, "TUBAN_LINEAGE": "; ".join(steps)},
    )
    write_json(item, _item(job, task, lineage, steps))
    return {"lineage": steps}


def _reader(job: PrepareJob) -> PairReader:
    """Return the reader of a job, opened once per process."""
    token = job.token
    with _lock:
        if token not in _readers:
            _close_readers()
            plan = job.plan
            _readers[token] = PairReader(
                plan.before,
                plan.after,
                plan.grid,
                bands=plan.bands,
                registration=job.registration,
                cache_mb=job.cache_mb,
            )
        return _readers[token]


def _close_readers() -> None:
    """Close the images that tiles of this process have opened, and drop what is kept of them."""
    with _lock:
        for reader in _readers.values():
            reader.close()
        _readers.clear()


def _item(job: PrepareJob, task: SceneTask, lineage: Lineage, steps: list[str]) -> dict[str, Any]:
    image, item = job.scene_paths(task)
    scene = job.scene(task)
    bands = {
        name: BandSource(image, i + 1, wavelength_um=job.plan.wavelengths[i])
        for i, name in enumerate(job.plan.bands)
    }
    made = replace(scene, bands=bands, pan=None, mask=None)
    found = scene_item(made, f"{task.name.replace('/', '-')}", seen(made), item.parent)
    found["assets"].pop("sensor", None)  # these values are scaled already
    own = sensor_file(scene.sensor)
    found["stac_extensions"] = [*found["stac_extensions"], PROCESSING]
    found["properties"] |= {
        "processing:lineage": "; ".join(steps),
        "processing:software": {"tuban": job.version},
        "tuban:grid": job.plan.grid.to_dict(),
    }
    if lineage.sharpening is not None:
        found["properties"]["tuban:sharpening"] = asdict(lineage.sharpening)
    if task.date == 1:
        found["properties"]["tuban:registration"] = asdict(job.registration)
    found["links"] = [
        {"rel": "derived_from", "href": path.resolve().as_uri(), "title": path.name}
        for path in (*lineage.sources, *((own,) if own else ()))
    ]
    return found


def _moved(move: Registration | None) -> list[str]:
    if move is None or not move.used:
        return []
    text = f"registered to the before date by {move.model} ({move.dy:+.3f} rows, "
    return [f"{text}{move.dx:+.3f} columns at the origin; {move.residual_px:.2f} px left)"]


def _file_name(scene_id: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in scene_id)
