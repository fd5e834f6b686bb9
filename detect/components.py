"""Joining tiles: one set of components for the whole area, the same for any tiling.

Bands of tiles come from north to south. In memory are the runs of the open band and those that
may survive: components that end inside a band are judged at once, those that reach its last row
stay open. Survivors have enough strong pixels (hysteresis) and enough pixels (floor); their small
holes are filled and they are numbered by anchor.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from detect.closed import Closed
from detect.component_tables import Members, Statistics, sums
from detect.inner import Looks, even_inside
from detect.joined_runs import BandRuns, fused, holes_to_fill, rows_of, spans
from detect.kernels.runs import link_runs, number_roots
from detect.spool import BATCH_RUNS, Large, LargeSpool
from detect.tile_runs import Connectivity, ScoreArrays, TileRuns, label_tile

__all__ = [
    "Components",
    "Connectivity",
    "Members",
    "ScoreArrays",
    "Statistics",
    "TileRuns",
    "join",
    "label_tile",
]

FAR = 1 << 62
"""A column beyond every grid."""

RUNS = ("row", "first", "last")
COLUMNS = ("filled", "anchor_row", "anchor_col", "votes", "n_members", "high_score", "values")
"""One row per component each, beside the statistics."""

PERCENT = 90
"""Percentile of the scores that tells how strong a change is where it is strongest."""


@dataclass(frozen=True)
class Components:
    """Surviving components, in the order of their anchors (first row, then first column).

    Attributes
    ----------
    connectivity : {4, 8}
    row, first, last, comp : ndarray of int32 or int64, shape (runs,)
        Runs sorted by (row, first), last column inclusive; runs of a row never touch.
    stats : Statistics
        ``pixels`` counts the filled holes, the other sums do not.
    filled : ndarray of int64, shape (components,)
        Pixels of filled holes.
    anchor_row, anchor_col : ndarray of int64, shape (components,)
        First pixel.
    votes : ndarray of int64, shape (components, 2, classes)
        Sum over the member pixels: those with the smallest hash of the whole component.
    n_members : ndarray of int64, shape (components,)
    high_score : ndarray of int64, shape (components,)
        90th percentile of the scores of the member pixels.
    values : ndarray of float64, shape (components, k)
        Means of the members' other values, NaN where none is; of evenness see `detect.inner`.
    noise_pixels, noise_components : int
        What was dropped by tiles and join together.
    large : Large or None
        Covers and members of the large components that the join was asked to keep them of.
    """

    connectivity: Connectivity
    row: NDArray[np.integer]
    first: NDArray[np.integer]
    last: NDArray[np.integer]
    comp: NDArray[np.integer]
    stats: Statistics
    filled: NDArray[np.int64]
    anchor_row: NDArray[np.int64]
    anchor_col: NDArray[np.int64]
    votes: NDArray[np.int64]
    n_members: NDArray[np.int64]
    high_score: NDArray[np.int64]
    values: NDArray[np.float64]
    noise_pixels: int
    noise_components: int
    large: Large | None = None

    def __len__(self) -> int:
        return len(self.stats)

    def take(self, keep: NDArray[np.bool_]) -> "Components":
        """Return the components of a mask, in their order; nothing of large ones is kept."""
        number, mine = np.cumsum(keep) - 1, keep[self.comp]
        runs = {n: getattr(self, n)[mine] for n in RUNS}
        return self._with_rows(keep, runs, number[self.comp[mine]])

    def batches(self, most: int) -> Iterator["Components"]:
        """Yield at most so many components at a time, in their order; none once if there are none.

        Runs are int64 and nothing of large components is kept.
        """
        for start, stop in spans(len(self), most):
            here = rows_of(self.row, self.stats, start, stop)
            comp = self.comp[here]
            mine = (comp >= start) & (comp < stop)
            runs = {n: getattr(self, n)[here][mine].astype(np.int64) for n in RUNS}
            own = comp[mine].astype(np.int64) - start
            yield self._with_rows(slice(start, stop), runs, own)

    def _with_rows(
        self, rows: Any, runs: dict[str, Any], comp: NDArray[np.integer]
    ) -> "Components":
        kept: dict[str, Any] = {n: getattr(self, n)[rows] for n in COLUMNS}
        kept |= {"comp": comp, "stats": self.stats.take(rows), "large": None}
        return dataclasses.replace(self, **runs, **kept)


def join(
    tiles: Iterable[TileRuns],
    *,
    connectivity: Connectivity = 8,
    min_strong: int = 1,
    floor_px: int = 4,
    hole_px: int = 0,
    large_px: int | None = None,
    scratch: Path | None = None,
    batch_runs: int = BATCH_RUNS,
) -> Components:
    """Join tiles into the components of the area.

    Parameters
    ----------
    tiles : iterable of TileRuns
        In row-major order; tiles of one band share their rows. Tiles may be missing: nothing is
        known to have changed there. Read lazily, a band at a time.
    connectivity : {4, 8}
        As the tiles were labelled.
    min_strong, floor_px : int
        Fewest strong pixels and fewest pixels of a survivor, at least those of the tiles.
    hole_px : int
        A hole is a set of pixels outside all survivors that hang together by the dual
        connectivity (4 for 8, 8 for 4) and do not reach the outside of the area. Holes of at most
        this many pixels are filled unless another survivor lies in them.
    large_px : int, optional
        Pixels from which the members and covers of a component are kept; by default of none.
    scratch : Path, optional
        Folder on a disk for what is kept of large components; in memory by default. The files
        have no name there and go with what is returned.
    batch_runs : int
        Cover runs of large components that are read back at a time.

    Returns
    -------
    Components

    Raises
    ------
    InputError
        If tiles are out of order, overlap, or were labelled with other settings.
    """
    large = None if large_px is None else LargeSpool(scratch, batch_runs)
    least = FAR if large_px is None else large_px
    joiner = _Joiner(connectivity, min_strong, floor_px, least, large)
    for band in _bands(tiles):
        joiner.add(band)
    return _fill_holes(joiner.finish(), hole_px)


def _bands(tiles: Iterable[TileRuns]) -> Iterator[list[TileRuns]]:
    reached = -FAR
    for _, group in groupby(tiles, key=lambda tile: tile.core.row0):
        band = [dataclasses.replace(tile, covers=tile.covers.narrow()) for tile in group]
        cores = [tile.core for tile in band]
        in_order = all(a.col1 <= b.col0 for a, b in pairwise(cores))
        if cores[0].row0 < reached or not in_order or len({c.row1 for c in cores}) > 1:
            raise InputError(
                f"the tiles of the band at row {cores[0].row0} are out of order or overlap",
                "join(tiles)",
                "pass the tiles of one plan in row-major order, each once",
            )
        reached = cores[0].row1
        yield band


class _Joiner:
    """State of a join between two bands.

    A *node* is a component of this band's union-find: first the open ones, then the tiles'. A
    *name* stays with a component from the band where it appears; when open components grow
    together, the greater name becomes a child of the smaller one in `parent`.
    """

    def __init__(
        self,
        connectivity: Connectivity,
        min_strong: int,
        floor_px: int,
        large_px: int,
        large: LargeSpool | None,
    ) -> None:
        self.connectivity, self.min_strong, self.floor_px = connectivity, min_strong, floor_px
        self.large_px, self.large = large_px, large
        self.noise_pixels = self.noise_components = 0
        self.parent: list[int] = []
        self.runs = BandRuns()
        self.tail = np.empty((4, 0), np.int64)  # (row, first, last, node) of the open last row
        self.open_name = np.empty(0, np.int64)
        self.open_stats = Statistics.empty()
        self.open_members: Members | None = None
        self.done: list[Closed] = []

    def add(self, band: list[TileRuns]) -> None:
        """Take in the next band."""
        for tile in band:
            self._require_settings(tile)
            self.noise_pixels += tile.noise_pixels
            self.noise_components += tile.noise_components
        n_open = len(self.open_name)
        offsets = n_open + np.cumsum([0, *(len(tile.stats) for tile in band)])
        runs = np.concatenate(
            [
                np.array([t.row, t.first, t.last, t.comp + o])
                for t, o in zip(band, offsets[:-1], strict=True)
            ],
            axis=1,
        )
        runs = np.take(runs, np.lexsort((runs[1], runs[0])), axis=1)  # rows lie in one piece
        parent = np.arange(offsets[-1])
        row, first, last, node = np.concatenate([self.tail, runs], axis=1)
        link_runs(row, first, last, node, int(self.connectivity == 8), parent)
        label = np.empty(len(parent), np.int64)
        count = number_roots(parent, label)

        stats = Statistics.concatenate([self.open_stats, *(t.stats for t in band)])
        stats = stats.merged(label, count)
        members = self._merge_members(band, offsets, label)
        runs[3] = label[runs[3]]
        last_row = band[0].core.row1 - 1
        is_open = stats.row_max == last_row
        keep = self._judge(stats, is_open)
        name = self._names(label[:n_open], keep)
        large = keep & (is_open | (stats.pixels >= self.large_px))
        if self.large is not None:
            for t, o in zip(band, offsets[:-1], strict=True):
                self.large.add_covers(t.covers.renumbered(large[label[o:]], name[label[o:]]))

        runs = fused(runs[:, keep[runs[3]]])
        self.runs.add(np.array([*runs[:3], name[runs[3]]]))
        number = np.cumsum(is_open) - 1
        tail = runs[:, runs[0] == last_row]
        self.tail = np.array([*tail[:3], number[tail[3]]])
        self._close(name, stats, members, keep & ~is_open)
        self.open_name, self.open_stats = name[is_open], stats.take(is_open)
        self.open_members = members.renumbered(is_open, number)

    def finish(self) -> Components:
        """Close what is open and number the survivors."""
        members = self.open_members
        if members is not None:
            keep = self._judge(self.open_stats, np.zeros(len(self.open_name), bool))
            self._close(self.open_name, self.open_stats, members, keep)
        done = Closed.concatenate(self.done)
        self.done.clear()
        place = self._places(done.name)
        row, first, last, comp = self.runs.drained(place)
        begin = np.full(len(done.name), len(comp))
        np.minimum.at(begin, comp, np.arange(len(comp)))
        order = np.argsort(begin)  # of survivors by their first run
        rank = np.argsort(order)
        large = None
        if self.large is not None:
            number = np.where(done.stats.pixels >= self.large_px, rank, -1)
            large = self.large.settled(np.append(number, -1)[place], len(order))
        return Components(
            self.connectivity,
            row,
            first,
            last,
            rank.astype(np.int32)[comp],
            done.stats.take(order),
            np.zeros(len(order), np.int64),
            row[begin[order]].astype(np.int64),
            first[begin[order]].astype(np.int64),
            done.votes[order],
            done.n_members[order],
            done.high_score[order],
            done.values[order],
            self.noise_pixels,
            self.noise_components,
            large,
        )

    def _require_settings(self, tile: TileRuns) -> None:
        if (
            tile.connectivity != self.connectivity
            or tile.floor_px > self.floor_px
            or tile.min_strong > self.min_strong
        ):
            raise InputError(
                f"a tile was labelled with connectivity {tile.connectivity}, floor "
                f"{tile.floor_px} and {tile.min_strong} strong pixels; the join asks for "
                f"{self.connectivity}, {self.floor_px} and {self.min_strong}",
                f"tile at row {tile.core.row0}, column {tile.core.col0}",
                "work the tiles again with the settings of the join",
            )

    def _judge(self, stats: Statistics, is_open: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which components stay; count the others as noise."""
        keep = is_open | ((stats.strong >= self.min_strong) & (stats.pixels >= self.floor_px))
        self.noise_pixels += int(stats.pixels[~keep].sum())
        self.noise_components += int((~keep).sum())
        return keep

    def _merge_members(
        self, band: list[TileRuns], offsets: NDArray[np.int64], label: NDArray[np.int64]
    ) -> Members:
        parts = [self.open_members] if self.open_members is not None else []
        parts += [
            dataclasses.replace(tile.members, comp=tile.members.comp + offset)
            for tile, offset in zip(band, offsets[:-1], strict=True)
        ]
        filled = [p for p in parts if len(p)]
        if len({(p.votes.shape[2], p.values.shape[1]) for p in filled}) > 1:
            raise InputError(
                "some tiles carry votes or values and others do not, or others",
                f"band at row {band[0].core.row0}",
                "attach the votes of one land-cover state and the same values to every tile",
            )
        members = Members.concatenate(filled or parts[:1])
        members = dataclasses.replace(members, comp=label[members.comp])
        return members.smallest(band[0].limit)

    def _names(self, open_label: NDArray[np.int64], keep: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the name of each component of the band, −1 for those that are dropped."""
        name = np.full(len(keep), FAR)
        np.minimum.at(name, open_label, self.open_name)
        for child, root in zip(self.open_name.tolist(), name[open_label].tolist(), strict=True):
            self.parent[child] = root
        fresh = (name == FAR) & keep
        name[fresh] = len(self.parent) + np.arange(fresh.sum())
        self.parent.extend(name[fresh].tolist())
        return np.where(keep, name, -1)

    def _close(
        self,
        name: NDArray[np.int64],
        stats: Statistics,
        members: Members,
        closed: NDArray[np.bool_],
    ) -> None:
        number = np.cumsum(closed) - 1
        mine = members.renumbered(closed, number)
        votes = sums(mine.comp, mine.votes, int(closed.sum()))
        n_members = np.bincount(mine.comp, minlength=len(votes)).astype(np.int64)
        high, values = mine.percentile(len(votes), PERCENT), mine.means(len(votes))
        own = stats.take(closed)
        kept = mine.take((own.pixels >= self.large_px)[mine.comp]).narrow()
        if len(own):
            runs = self.runs.since(int(own.row_min.min()), self._places(name[closed]))
            values, kept = even_inside(runs, Looks.of(mine), values, kept)
        if self.large is not None:
            named = dataclasses.replace(kept, comp=name[closed][kept.comp])
            self.large.add_members(named.narrow())
        self.done.append(Closed(name[closed], own, votes, n_members, high, values))

    def _places(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return for every name the place of its component in `chosen` names, −1 for none."""
        names = np.array(self.parent, np.int64)
        label = np.empty(len(names), np.int64)
        place = np.full(number_roots(names, label), -1)
        place[label[chosen]] = np.arange(len(chosen))
        return place[label]


def _fill_holes(components: Components, hole_px: int) -> Components:
    runs = components.row, components.first, components.last, components.comp
    row, first, last, comp = runs
    closed = holes_to_fill(runs, components.stats, components.connectivity, hole_px)
    filled = np.zeros(len(components), np.int64)
    np.add.at(filled, comp[closed], first[closed] - last[closed - 1] - 1)
    begins, ends = np.ones(len(row), bool), np.ones(len(row), bool)
    begins[closed], ends[closed - 1] = False, False
    pixels = components.stats.pixels + filled
    return dataclasses.replace(
        components,
        row=row[begins],
        first=first[begins],
        last=last[ends],
        comp=comp[begins],
        stats=dataclasses.replace(components.stats, pixels=pixels),
        filled=filled,
    )
