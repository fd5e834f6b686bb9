"""One tile from pixels to runs: a chain of calls that a bare worker can import."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from configs.errors import RunError
from detect.auto import ChangeState, halo_px, score_block
from detect.cover_runs import cover_runs, wanted_pixels
from detect.marks import MarkState, marked_scores
from detect.member_values import member_values
from detect.normalise import Radiometry, apply_radiometry
from detect.score import STRONG, Scores
from detect.tile_runs import Connectivity, TileRuns, label_tile
from detect.valid_runs import save_valid_runs
from flows.counties import Counties
from models.fullcover import COMPARED_HALO, compare_covers
from models.landcover import LandcoverState, vote_pair
from models.learnedchange import LearnedState, score_learned
from models.nets import NetState, net_scores
from tiles.block import Block
from tiles.grid import Extent, Tile
from tiles.labels import burn_labels
from tiles.reader import PairReader, wavelengths
from tiles.registration import Registration
from tiles.state import load_states, state_hash

__all__ = ["STATE_CLASSES", "States", "TileJob", "TileSummary", "close_jobs", "run_tile"]

LEAST_MOVED = STRONG // 2
"""Score from which a difference of covers is believed: where the image moved by less than half of
what counts as change, it is the forest that errs. Without it two thirds of what the comparison
adds in cities with a rough map lies below."""


@dataclass(frozen=True)
class States:
    """Everything fitted before the tiles.

    Attributes
    ----------
    registration : Registration
    radiometry : Radiometry
    change : ChangeState
    landcover : LandcoverState
    net : NetState
        Scores change instead of `change` where there is one.
    learned : LearnedState
        The same of a model of labelled change.
    marks : MarkState
        Changed pixels that a monitor told, in place of all of these.
    """

    registration: Registration
    radiometry: Radiometry
    change: ChangeState
    landcover: LandcoverState
    net: NetState = field(default_factory=NetState.none)
    learned: LearnedState = field(default_factory=LearnedState.none)
    marks: MarkState = field(default_factory=MarkState.none)

    @classmethod
    def load(cls, folder: Path) -> "States":
        """Read the states that `tuban fit` or the fit stage wrote."""
        return cls(**load_states(folder, STATE_CLASSES))

    @property
    def halo(self) -> int:
        """Pixels around a tile that scoring and features read."""
        least = max(halo_px(self.change.method, self.change.pixel_m), COMPARED_HALO)
        return max(least, self.net.halo, self.learned.halo)

    @property
    def hash(self) -> str:
        """Hash that is printed on every product."""
        return state_hash({name: getattr(self, name) for name in STATE_CLASSES})


STATE_CLASSES: dict[str, type] = {
    "registration": Registration,
    "radiometry": Radiometry,
    "change": ChangeState,
    "landcover": LandcoverState,
    "net": NetState,
    "learned": LearnedState,
    "marks": MarkState,
}


@dataclass(frozen=True)
class TileJob:
    """What every tile of a run shares; small enough to travel with each task.

    Attributes
    ----------
    reader : PairReader
    states : Path
        Folder of the fitted states.
    states_hash : str
        Their hash: a worker that finds others there refuses.
    folder : Path
        Where tile products go.
    area : Extent
        Pixels of the whole analysis.
    aoi : bytes or None
        WKB of the area of interest in the grid's CRS.
    counties : Counties or None
        Of a run that keeps to county borders: each county has its own runs of change.
    large_px : int
        Pixels from which a component is classified in full.
    exact : bool
        Whether the covers of both dates are compared at every pixel.
    """

    reader: PairReader
    states: Path
    states_hash: str
    folder: Path
    area: Extent
    connectivity: Connectivity
    floor_px: int
    aoi: bytes | None = None
    counties: Counties | None = None
    large_px: int = 1 << 30
    exact: bool = False
    token: str = field(default="", init=False)

    def __post_init__(self) -> None:
        text = f"{self.states_hash}|{self.folder.resolve()}|{self.area}"
        object.__setattr__(self, "token", hashlib.sha256(text.encode()).hexdigest())

    def paths(self, tile: Tile) -> tuple[Path, ...]:
        """Return the files of a tile's product: runs of change (per county), of valid pixels."""
        codes: tuple[str, ...] = ("",)
        if self.counties is not None:
            codes = self.counties.near(self.reader.grid.bounds(tile.extent)).worked
        changed = (self.runs_path(tile, code) for code in codes)
        return *changed, self.folder / f"{tile.name}.valid.npz"

    def runs_path(self, tile: Tile, code: str = "") -> Path:
        """Return the file with the runs of change of a tile, of one county if a code is given."""
        return self.folder / f"{tile.name}{code and '.'}{code}.npz"


@dataclass(frozen=True)
class TileSummary:
    """What the driver learns of a tile; the rest lies in the tile's files."""

    name: str
    pixels: int
    valid_pixels: int
    components: int
    noise_pixels: int


_open_jobs: dict[str, tuple[PairReader, States]] = {}
_open_lock = threading.Lock()


def run_tile(job: TileJob, tile: Tile) -> TileSummary:
    """Work one tile and write its product.

    Parameters
    ----------
    job : TileJob
    tile : Tile

    Returns
    -------
    TileSummary

    Raises
    ------
    RasterError
        If its pixels cannot be read.
    RunError
        If the fitted states are not those the run was planned with.
    """
    reader, states = _tools(job)
    block = reader.read(tile.extent, states.halo)
    normalised = apply_radiometry(block, states.radiometry)
    scores = _scores(states, block)
    if job.exact and states.landcover.is_known:
        weak, strong = compare_covers(states.landcover, block, normalised.after)
        moved = scores.score >= LEAST_MOVED
        scores = Scores(
            scores.score, scores.weak | (weak & moved), scores.strong | (strong & moved)
        )
    seen = np.zeros(tile.extent.shape, np.bool_)
    found = []
    for code, inside in _parts(job, tile.extent):
        seen |= inside
        own = Scores(scores.score * inside, scores.weak & inside, scores.strong & inside)
        runs = _labelled(job, states, tile, block, normalised.after, own)
        runs.save(job.runs_path(tile, code))
        found.append(runs)
    imaged = block.valid[block.core_slices]
    valid = imaged & seen
    save_valid_runs(job.paths(tile)[-1], valid, tile.extent, imaged)
    components, noise = sum(len(r.stats) for r in found), sum(r.noise_pixels for r in found)
    return TileSummary(tile.name, valid.size, int(valid.sum()), components, noise)


def _parts(job: TileJob, extent: Extent) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield what is worked apart, by code, and its pixels: the counties, or all of interest.

    Pixels outside take part in statistics of windows, and in nothing else: what is found near a
    border does not depend on where the border runs.
    """
    grid = job.reader.grid
    inside = np.ones(extent.shape, np.bool_)
    if job.aoi is not None:
        shape = np.array([shapely.from_wkb(job.aoi)], dtype=object)
        inside = burn_labels(shape, np.ones(1, np.int16), grid, extent) > 0
    if job.counties is None:
        yield "", inside
        return
    for code, own in job.counties.masks(grid, extent):
        yield code, own & inside


def _labelled(
    job: TileJob,
    states: States,
    tile: Tile,
    block: Block,
    after: NDArray[np.float32],
    scores: Scores,
) -> TileRuns:
    """Return the runs of change with the votes and values of their members."""
    runs = label_tile(
        scores, tile.extent, job.area, connectivity=job.connectivity, floor_px=job.floor_px
    )
    rows, cols = runs.members.row - block.extent.row0, runs.members.col - block.extent.col0
    votes = vote_pair(states.landcover, block.before, after, block.valid, rows, cols)
    values = member_values(
        block, after, rows, cols, wavelengths(job.reader.before, job.reader.bands)
    )
    runs = runs.with_votes(votes).with_values(values)
    return _with_covers(runs, job, states, block, after, scores)


def _scores(states: States, block: Block) -> Scores:
    """Score change by the monitor, the net or the model of the run, else by its method."""
    if states.marks.is_there:
        return marked_scores(states.marks, block)
    if states.net.is_there:
        return net_scores(states.net, block)
    if states.learned.scores_change:
        return score_learned(block, states.learned)
    return score_block(block, states.change)


def _with_covers(
    runs: TileRuns,
    job: TileJob,
    states: States,
    block: Block,
    after: NDArray[np.float32],
    scores: Scores,
) -> TileRuns:
    """Return the runs with the covers of all pixels of components that are or may be large."""
    if not states.landcover.is_known:
        return runs
    pixels = wanted_pixels(runs, job.large_px)
    local = pixels[0] - block.extent.row0, pixels[1] - block.extent.col0
    votes = vote_pair(states.landcover, block.before, after, block.valid, *local)
    return replace(runs, covers=cover_runs(pixels, votes, scores, runs.core))


def _tools(job: TileJob) -> tuple[PairReader, States]:
    """Return the reader and the states of a job, opened once per process."""
    with _open_lock:
        if job.token not in _open_jobs:
            states = States.load(job.states)
            if states.hash != job.states_hash:
                raise RunError(
                    "the fitted states are not those of this run",
                    str(job.states),
                    "run the same command again; it fits them anew",
                )
            _close_all()
            _open_jobs[job.token] = (job.reader, states)
        return _open_jobs[job.token]


def close_jobs() -> None:
    """Close the images that tiles of this process have opened, and drop the blocks kept of them."""
    with _open_lock:
        _close_all()


def _close_all() -> None:
    for reader, _ in _open_jobs.values():
        reader.close()
    _open_jobs.clear()
