"""What one tile hands on: runs of weak-change pixels, integer statistics, members to classify.

Everything is in global pixels and whole numbers, so that joining tiles gives the same answer for
any tiling.
"""

import dataclasses
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from detect.component_tables import MEMBER_SEED, Members, Statistics
from detect.cover_runs import CoverRuns
from detect.kernels.runs import (
    bottom_members,
    count_runs,
    extract_runs,
    link_runs,
    number_roots,
    run_statistics,
)
from tiles.files import atomic_path
from tiles.grid import Extent

__all__ = ["Connectivity", "ScoreArrays", "TileRuns", "label_tile"]

Connectivity = Literal[4, 8]

FAR = np.iinfo(np.int64).max
DAMAGE = (
    *(OSError, EOFError, ValueError, TypeError, AttributeError, KeyError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What reading a broken npz may raise."""

ZIP_LEVEL = 1
"""Of zlib: a tenth larger than at the usual level, in a third of the time."""

HEADER = ("connectivity", "floor_px", "min_strong", "limit", "noise_pixels", "noise_components")


MEMBER_COLUMNS = (("member_comp", np.int64), ("values", np.int32))


class ScoreArrays(Protocol):
    """Scores of a tile's core, all of shape (y, x)."""

    @property
    def score(self) -> NDArray[np.uint16]:
        """Quantised scores."""

    @property
    def weak(self) -> NDArray[np.bool_]:
        """Where change is possible."""

    @property
    def strong(self) -> NDArray[np.bool_]:
        """Where change is certain enough to carry a component."""


@dataclass(frozen=True)
class TileRuns:
    """Components of one tile.

    Attributes
    ----------
    core, area : Extent
        Pixels this tile answers for, and those of the whole analysis.
    connectivity : {4, 8}
    floor_px, min_strong : int
        Components with fewer pixels or strong pixels were dropped, unless they touch a seam.
    limit : int
        Members kept per component.
    row, first, last : ndarray of int64, shape (runs,)
        Runs sorted by (row, first) in global pixels; the last column is inclusive.
    comp : ndarray of int32, shape (runs,)
        Component of each run; components are in the order of their first run.
    stats : Statistics
    seam : ndarray of uint8, shape (components,)
        1 where the component touches an edge of the core that is no edge of the area.
    members : Members
    noise_pixels, noise_components : int
        What was dropped.
    covers : CoverRuns
        Of components that are or may be large, where every pixel was classified.
    """

    core: Extent
    area: Extent
    connectivity: Connectivity
    floor_px: int
    min_strong: int
    limit: int
    row: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    comp: NDArray[np.int32]
    stats: Statistics
    seam: NDArray[np.uint8]
    members: Members
    noise_pixels: int
    noise_components: int
    covers: CoverRuns = dataclasses.field(default_factory=CoverRuns.empty)

    def with_votes(self, votes: NDArray[np.int32]) -> "TileRuns":
        """Return the tile with votes (members, 2, classes), in the order of ``members``."""
        if votes.ndim != 3 or votes.shape[:2] != (len(self.members), 2):
            raise InputError(
                f"votes have shape {votes.shape}, members are {len(self.members)}",
                "TileRuns.with_votes",
                "give one row of (2, classes) votes per member, in the order of `members`",
            )
        members = dataclasses.replace(self.members, votes=votes.astype(np.int32))
        return dataclasses.replace(self, members=members)

    def with_values(self, values: NDArray[np.int32]) -> "TileRuns":
        """Return the tile with values (members, k) beside the score, in the order of `members`."""
        if values.ndim != 2 or len(values) != len(self.members):
            raise InputError(
                f"values have shape {values.shape}, members are {len(self.members)}",
                "TileRuns.with_values",
                "give one row per member, in the order of `members`",
            )
        told = np.hstack([self.members.values, values.astype(np.int32)])
        return dataclasses.replace(self, members=dataclasses.replace(self.members, values=told))

    def save(self, path: Path) -> None:
        """Write a compressed npz at once or not at all; equal tiles give equal bytes."""
        base_row, base_col = self.core.row0, self.core.col0
        stored: dict[str, NDArray[Any]] = {
            "header": np.array([getattr(self, name) for name in HEADER], np.int64),
            "extents": np.array([dataclasses.astuple(e) for e in (self.core, self.area)]),
            "row": self.row - base_row,
            "first": self.first - base_col,
            "length": self.last - self.first,
            "comp": self.comp,
            "seam": self.seam,
            "member_comp": self.members.comp,
            "member_row": self.members.row - base_row,
            "member_col": self.members.col - base_col,
            "votes": self.members.votes,
            "values": self.members.values,
        }
        stored |= {f"stats_{name}": a for name, a in self.stats.arrays().items()}
        stored |= {f"covers_{name}": a for name, a in self.covers.arrays().items()}
        with atomic_path(path) as part, part.open("wb") as handle:
            _write_npz(handle, {name: _narrow(array) for name, array in stored.items()})

    @classmethod
    def load(cls, path: Path) -> "TileRuns":
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If the file is no tile product or is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as npz:
                stored = {name: npz[name] for name in npz.files}
            header = dict(zip(HEADER, stored["header"].tolist(), strict=True))
            core, area = (Extent(*(int(v) for v in e)) for e in stored["extents"])
            row, first, member_row, member_col = (
                stored[name].astype(np.int64) + base
                for name, base in (
                    ("row", core.row0),
                    ("first", core.col0),
                    ("member_row", core.row0),
                    ("member_col", core.col0),
                )
            )
            last = first + stored["length"]
            stats = Statistics(**_columns(stored, "stats", Statistics.names()))
            covers = CoverRuns(**_columns(stored, "covers", CoverRuns.names()))
            member_comp, values = (stored[n].astype(t) for n, t in MEMBER_COLUMNS)
            members = Members.of(member_comp, member_row, member_col, values)
            votes, comp = stored["votes"].astype(np.int32), stored["comp"].astype(np.int32)
        except DAMAGE as error:
            raise InputError(
                f"no tile product can be read ({error})",
                str(path),
                "remove the file and resume the run: the tile is worked again",
            ) from error
        rest = {"row": row, "first": first, "last": last, "comp": comp, "stats": stats}
        result = cls(
            core, area, **header, **rest, seam=stored["seam"], members=members, covers=covers
        )
        return result.with_votes(votes)


def _write_npz(handle: IO[bytes], arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays as `numpy.savez_compressed` does, but quickly."""
    with zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED, compresslevel=ZIP_LEVEL) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as part:
                np.lib.format.write_array(part, array, allow_pickle=False)


def _columns(
    stored: dict[str, NDArray[Any]], part: str, names: list[str]
) -> dict[str, NDArray[np.int64]]:
    return {n: stored[f"{part}_{n}"].astype(np.int64) for n in names}


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers in uint8, uint16 or int32 where all fit, else as they are."""
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    for kind in (np.uint8, np.uint16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return values.astype(kind)
    return values


def label_tile(
    scores: ScoreArrays,
    core: Extent,
    area: Extent,
    *,
    connectivity: Connectivity = 8,
    floor_px: int = 4,
    min_strong: int = 0,
    members: int = 64,
) -> TileRuns:
    """Label the weak-change pixels of a tile.

    Parameters
    ----------
    scores : ScoreArrays
        Scores on the core.
    core : Extent
        Pixels of the arrays.
    area : Extent
        Pixels of the whole analysis; edges of `core` inside it are seams.
    connectivity : {4, 8}
        Whether pixels that meet at a corner belong together (8) or not (4).
    floor_px, min_strong : int
        A component with fewer pixels, or fewer strong pixels, is dropped and counted here unless
        it touches a seam; `detect.components.join` must be given at least these.
    members : int
        Pixels with the smallest hash to keep per component.

    Returns
    -------
    TileRuns

    Raises
    ------
    InputError
        If the arrays are not of the core's shape or the connectivity is neither 4 nor 8.
    """
    shapes = {a.shape for a in (scores.score, scores.weak, scores.strong)}
    if shapes != {core.shape} or connectivity not in (4, 8):
        raise InputError(
            f"arrays of shape {sorted(shapes)} for a core of {core.shape}, "
            f"connectivity {connectivity}",
            "label_tile",
            "pass score, weak and strong on the core, and connectivity 4 or 8",
        )
    weak = np.ascontiguousarray(scores.weak)
    row, first, last = (np.empty(count_runs(weak), np.int64) for _ in range(3))
    extract_runs(weak, core.row0, core.col0, row, first, last)
    parent = np.arange(len(row))
    link_runs(row, first, last, np.arange(len(row)), int(connectivity == 8), parent)
    comp = np.empty(len(row), np.int64)
    count = number_roots(parent, comp)
    stats = _statistics(scores, core, (row, first, last, comp), count)
    seam = _touches_seam(stats, core, area)
    keep = seam | ((stats.pixels >= floor_px) & (stats.strong >= min_strong))
    noise = stats.pixels[~keep]
    number = np.cumsum(keep) - 1
    kept = keep[comp]
    row, first, last, comp = row[kept], first[kept], last[kept], number[comp[kept]]
    stats = stats.take(keep)
    return TileRuns(
        core,
        area,
        connectivity,
        floor_px,
        min_strong,
        limit=members,
        row=row,
        first=first,
        last=last,
        comp=comp.astype(np.int32),
        stats=stats,
        seam=seam[keep].astype(np.uint8),
        members=_choose_members(scores, core, (row, first, last, comp), stats.pixels, members),
        noise_pixels=int(noise.sum()),
        noise_components=len(noise),
    )


def _statistics(
    scores: ScoreArrays,
    core: Extent,
    runs: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    count: int,
) -> Statistics:
    sums = np.zeros((count, 3), np.int64)
    box = np.tile(np.array([FAR, -FAR, FAR, -FAR]), (count, 1))
    score = np.ascontiguousarray(scores.score, np.uint16)
    strong = np.ascontiguousarray(scores.strong)
    row, first, last, comp = runs
    run_statistics(row, first, last, comp, score, strong, core.row0, core.col0, sums, box)
    return Statistics(*sums.T.copy(), *box.T.copy())


def _touches_seam(stats: Statistics, core: Extent, area: Extent) -> NDArray[np.bool_]:
    seam = np.zeros(len(stats), bool)
    if core.row0 > area.row0:
        seam |= stats.row_min == core.row0
    if core.row1 < area.row1:
        seam |= stats.row_max == core.row1 - 1
    if core.col0 > area.col0:
        seam |= stats.col_min == core.col0
    if core.col1 < area.col1:
        seam |= stats.col_max == core.col1 - 1
    return seam


def _choose_members(
    scores: ScoreArrays,
    core: Extent,
    runs: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    pixels: NDArray[np.int64],
    limit: int,
) -> Members:
    taken = np.minimum(pixels, limit)
    slots = np.concatenate([[0], np.cumsum(taken)]).astype(np.int64)
    m_row, m_col = np.empty(slots[-1], np.int64), np.empty(slots[-1], np.int64)
    m_hash = np.empty(slots[-1], np.uint64)
    bottom_members(*runs, slots, MEMBER_SEED, m_row, m_col, m_hash)
    score = scores.score[m_row - core.row0, m_col - core.col0].astype(np.int32)[:, None]
    comp = np.repeat(np.arange(len(pixels)), taken)
    return Members.of(comp, m_row, m_col, score).smallest(limit)
