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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from detect.closed import Closed
from detect.component_tables import Members, Statistics
from detect.cover_runs import CoverRuns
from detect.holes import gaps_to_fill
from detect.inner import Looks, Runs, even_inside
from detect.kernels.runs import link_runs, number_roots
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

PERCENT = 90
"""Percentile of the scores that tells how strong a change is where it is strongest."""


@dataclass(frozen=True)
class Components:
    """Surviving components, in the order of their anchors (first row, then first column).

    Attributes
    ----------
    connectivity : {4, 8}
    row, first, last, comp : ndarray of int64, shape (runs,)
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
    members : Members
        Of the large components that the join was asked to keep them of, without votes.
    covers : CoverRuns
        Of the same components, where the tiles told them; filled holes have none.
    """

    connectivity: Connectivity
    row: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    comp: NDArray[np.int64]
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
    members: Members
    covers: CoverRuns

    def __len__(self) -> int:
        return len(self.stats)

    def take(self, keep: NDArray[np.bool_]) -> "Components":
        """Return the components of a mask, in their order."""
        number, mine = np.cumsum(keep) - 1, keep[self.comp]
        runs = {n: getattr(self, n)[mine] for n in ("row", "first", "last")}
        own = (
            *("stats", "filled", "anchor_row", "anchor_col"),
            *("votes", "n_members", "high_score", "values"),
        )
        rest: dict[str, Any] = {n: getattr(self, n) for n in own}
        kept = {n: a.take(keep) if n == "stats" else a[keep] for n, a in rest.items()}
        kept |= {n: getattr(self, n).renumbered(keep, number) for n in ("members", "covers")}
        return dataclasses.replace(self, comp=number[self.comp[mine]], **runs, **kept)


def join(
    tiles: Iterable[TileRuns],
    *,
    connectivity: Connectivity = 8,
    min_strong: int = 1,
    floor_px: int = 4,
    hole_px: int = 0,
    large_px: int | None = None,
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

    Returns
    -------
    Components

    Raises
    ------
    InputError
        If tiles are out of order, overlap, or were labelled with other settings.
    """
    joiner = _Joiner(connectivity, min_strong, floor_px, FAR if large_px is None else large_px)
    for band in _bands(tiles):
        joiner.add(band)
    return _fill_holes(joiner.finish(), hole_px)


def _bands(tiles: Iterable[TileRuns]) -> Iterator[list[TileRuns]]:
    reached = -FAR
    for _, group in groupby(tiles, key=lambda tile: tile.core.row0):
        band = list(group)
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
        self, connectivity: Connectivity, min_strong: int, floor_px: int, large_px: int
    ) -> None:
        self.connectivity, self.min_strong, self.floor_px = connectivity, min_strong, floor_px
        self.large_px = large_px
        self.noise_pixels = self.noise_components = 0
        self.parent: list[int] = []
        self.runs: list[NDArray[np.int64]] = []  # (row, first, last, name) per band
        self.tail = np.empty((4, 0), np.int64)  # (row, first, last, node) of the open last row
        self.open_name = np.empty(0, np.int64)
        self.open_stats = Statistics.empty()
        self.open_members: Members | None = None
        self.done: list[Closed] = []
        self.covers: list[CoverRuns] = []  # of names, per band

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
        runs = runs[:, np.lexsort((runs[1], runs[0]))]
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
        told = [
            t.covers.renumbered(large[label[o:]], name[label[o:]])
            for t, o in zip(band, offsets[:-1], strict=True)
        ]
        self.covers += [c.narrow() for c in told if len(c)]

        runs = _fuse(runs[:, keep[runs[3]]])
        self.runs.append(np.array([*runs[:3], name[runs[3]]]))
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
        names = np.array(self.parent, np.int64)
        label = np.empty(len(names), np.int64)
        survivor = np.full(number_roots(names, label), -1)
        survivor[label[done.name]] = np.arange(len(done.name))
        row, first, last, name = np.concatenate([self.tail[:, :0], *self.runs], axis=1)
        self.runs.clear()
        comp = survivor[label[name]]
        alive = comp >= 0
        row, first, last, comp = row[alive], first[alive], last[alive], comp[alive]
        _, begin = np.unique(comp, return_index=True)
        order = np.argsort(begin)  # of survivors by their first run
        rank = np.argsort(order)
        place = survivor[label]
        large = (place >= 0) & np.append(done.stats.pixels >= self.large_px, False)[place]
        covers = CoverRuns.drained(self.covers, large, np.append(rank, -1)[place])
        return Components(
            self.connectivity,
            row,
            first,
            last,
            rank[comp],
            done.stats.take(order),
            np.zeros(len(order), np.int64),
            row[begin[order]],
            first[begin[order]],
            done.votes[order],
            done.n_members[order],
            done.high_score[order],
            done.values[order],
            self.noise_pixels,
            self.noise_components,
            done.members.renumbered(np.ones(len(order), bool), rank),
            covers,
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
        votes = np.zeros((int(closed.sum()), *members.votes.shape[1:]), np.int64)
        np.add.at(votes, mine.comp, mine.votes)
        n_members = np.bincount(mine.comp, minlength=len(votes)).astype(np.int64)
        high, values = mine.percentile(len(votes), PERCENT), mine.means(len(votes))
        own = stats.take(closed)
        kept = mine.take((own.pixels >= self.large_px)[mine.comp]).narrow()
        if len(own):
            runs = self._runs_of(name[closed], int(own.row_min.min()))
            values, kept = even_inside(runs, Looks.of(mine), values, kept)
        self.done.append(Closed(name[closed], own, votes, n_members, high, values, kept))

    def _runs_of(self, closed: NDArray[np.int64], row_min: int) -> Runs:
        """Return the runs of closed components, numbered in their order."""
        names = np.array(self.parent, np.int64)
        label = np.empty(len(names), np.int64)
        number = np.full(number_roots(names, label), -1)
        number[label[closed]] = np.arange(len(closed))
        begin = len(self.runs)
        while begin and (not self.runs[begin - 1].size or self.runs[begin - 1][0, -1] >= row_min):
            begin -= 1
        row, first, last, name = np.concatenate([self.tail[:, :0], *self.runs[begin:]], axis=1)
        comp = number[label[name]]
        mine = comp >= 0
        return row[mine], first[mine], last[mine], comp[mine]


def _fuse(runs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Make one run of those that touch in a row (they were cut by a vertical seam)."""
    row, first, last = runs[:3]
    begins = np.ones(len(row), bool)
    begins[1:] = (row[1:] != row[:-1]) | (first[1:] != last[:-1] + 1)
    ends = np.ones(len(row), bool)
    ends[:-1] = begins[1:]
    fused = runs[:, begins].copy()
    fused[2] = last[ends]
    return fused


def _fill_holes(components: Components, hole_px: int) -> Components:
    row, first, last, comp = components.row, components.first, components.last, components.comp
    closed = gaps_to_fill(row, first, last, comp, components.connectivity, hole_px)
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
