"""Parts of large components: where two uses lie in one change, there are two patches.

Every pixel of a large component has a pair of covers. Pixels of the same kind that hang together
are a part; parts below a least size, and rims, join the neighbour with which they share the longest
border, the smallest first. A rim has fewer pixels than pixel edges around it: it is narrower than
two pixels, and all of it is a mixture of what lies at its sides. All of it works on joined runs and
whole numbers, so the tiling leaves no trace.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.component_tables import Members, Statistics, sums
from detect.components import PERCENT, Components
from detect.cover_runs import CoverRuns
from detect.kernels.borders import border_lengths
from detect.kernels.runs import link_runs, number_roots
from detect.merging import Merger

__all__ = ["PartTable", "Parts", "find_parts", "split"]

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """Parts of the large components of an area.

    Attributes
    ----------
    row, first, last, pair, strong, score_sum, filled : ndarray of int64, shape (runs,)
        Runs sorted by (component, row, first): what `detect.cover_runs.CoverRuns` tells, each
        taking the filled hole at its right with it (``filled`` pixels).
    cover_votes : ndarray of integers, shape (runs, 2, covers)
    comp, part : ndarray of int64, shape (runs,)
        Component and part of each run; parts are numbered from 0 in the order of their first run.
    line : ndarray of int64, shape (runs,)
        A row of its own for every row of every component: no two components are neighbours.
    reach : int
        1 if parts may meet at a corner.
    """

    row: Numbers
    first: Numbers
    last: Numbers
    pair: Numbers
    strong: Numbers
    score_sum: Numbers
    filled: Numbers
    cover_votes: NDArray[np.integer]
    comp: Numbers
    part: Numbers
    line: Numbers
    reach: int

    def __len__(self) -> int:
        return int(self.part.max()) + 1 if len(self.part) else 0

    @property
    def owner(self) -> Numbers:
        """Component of each part."""
        owner = np.empty(len(self), np.int64)
        owner[self.part] = self.comp
        return owner

    @property
    def votes(self) -> Numbers:
        """Votes for all pixels of each part, (parts, 2, covers)."""
        return sums(self.part, self.cover_votes, len(self))

    def united(
        self,
        kinds: NDArray[np.integer],
        least_px: int = 0,
        doubtful: NDArray[np.bool_] | None = None,
    ) -> "Parts":
        """Return the parts with neighbours of one kind united, small ones and rims absorbed.

        Parameters
        ----------
        kinds : ndarray of int, shape (parts,)
        least_px : int
            A part with fewer pixels, or a rim, joins the neighbour with which it shares the longest
            border (then the larger one, then the first), the smallest part first; 0: none does.
        doubtful : ndarray of bool, shape (parts,), optional
            Parts that join a neighbour in the same way, whatever their size.
        """
        size = np.zeros(len(self), np.int64)
        np.add.at(size, self.part, self.last - self.first + 1)
        one, other, length = (np.empty(6 * len(self.part), np.int64) for _ in range(3))
        runs = (self.line, self.first, self.last, self.part)
        inner = np.zeros(len(self), np.int64)
        count = border_lengths(*runs, self.reach, one, other, length, inner)
        edges = 2 * (size + np.bincount(self.part, minlength=len(self)) - inner)
        pairs = zip(
            one[:count].tolist(), other[:count].tolist(), length[:count].tolist(), strict=True
        )
        weak = np.zeros(len(self), np.bool_) if doubtful is None else doubtful
        merger = Merger(
            size.tolist(), edges.tolist(), np.asarray(kinds).tolist(), weak.tolist(), pairs
        )
        merged = merger.work(least_px)
        return dataclasses.replace(self, part=_in_order(merged[self.part]))


@dataclass(frozen=True)
class PartTable:
    """What a join keeps of parts: far less than what they are found in.

    Attributes
    ----------
    comp : ndarray of int64
        Components that parts replace.
    row, first, last, part : ndarray of int32, shape (runs,)
        Runs sorted by (component, row, first), filled holes in them.
    stats : Statistics
    filled, votes, n_members, high_score, values : ndarray
        One row per part, as in `detect.components.Components`.
    """

    comp: Numbers
    row: NDArray[np.int32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    part: NDArray[np.int32]
    stats: Statistics
    filled: Numbers
    votes: Numbers
    n_members: Numbers
    high_score: Numbers
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.filled)

    @classmethod
    def of(cls, components: Components, parts: Parts, members: Members) -> "PartTable":
        """Return what is kept of the parts that `find_parts` found in some components.

        Parameters
        ----------
        components : Components
        parts : Parts
        members : Members
            Of the components that have these parts, at least.
        """
        row, first, last, part = _fused(
            np.array([parts.row, parts.first, parts.last, parts.part], np.int64)
        ).astype(np.int32)
        return cls(
            np.unique(parts.comp),
            *(row, first, last, part),
            stats=_part_statistics(parts),
            **_part_columns(components, parts, members),
        )

    @classmethod
    def concatenate(cls, batches: Sequence["PartTable"]) -> "PartTable":
        """Return the parts of all batches, numbered on."""
        starts = np.cumsum([0, *(len(b) for b in batches)])
        columns: dict[str, Any] = {
            f.name: np.concatenate([getattr(b, f.name) for b in batches])
            for f in dataclasses.fields(cls)
            if f.name not in ("part", "stats")
        }
        part = [b.part + np.int32(at) for b, at in zip(batches, starts[:-1], strict=True)]
        stats = Statistics.concatenate([b.stats for b in batches])
        return cls(**columns, part=np.concatenate(part), stats=stats)


def _in_order(part: Numbers) -> Numbers:
    """Return numbers from 0 in the order of first appearance."""
    _, first, which = np.unique(part, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first)).astype(np.int64)[which.reshape(-1)]


def find_parts(
    components: Components, kinds: NDArray[np.integer], least_px: int, covers: CoverRuns
) -> Parts:
    """Find the parts of the components whose covers are told.

    Parameters
    ----------
    components : Components
    kinds : ndarray of int, shape (covers²,)
        Kind of change that each pair of covers means, from 0.
    least_px : int
        Fewest pixels of a part, unless the component has no more.
    covers : CoverRuns
        All of some components, in any order: a batch of ``components.large``.

    Returns
    -------
    Parts
    """
    stats = components.stats
    covers = covers.take(covers.by_component).wide()
    height = stats.row_max - stats.row_min + 2
    base = np.cumsum(height) - height - stats.row_min
    line, last = covers.row + base[covers.comp], covers.last.copy()
    ends = _run_ends(components, covers.comp, base, line, covers.first)
    joined = (ends[1:] == ends[:-1]) & (line[1:] == line[:-1])
    filled = np.zeros(len(line), np.int64)
    filled[:-1] = np.where(joined, covers.first[1:] - last[:-1] - 1, 0)
    last += filled
    kind = np.asarray(kinds, np.int64)[covers.pair]
    reach = int(components.connectivity == 8)
    by_kind = line + kind * (int(height.sum()) + 1)
    order = np.lexsort((covers.first, by_kind))
    parent, label = np.arange(len(order)), np.empty(len(order), np.int64)
    runs = by_kind[order], covers.first[order], last[order]
    link_runs(*runs, np.arange(len(order)), reach, parent)
    number_roots(parent, label)
    part = np.empty(len(order), np.int64)
    part[order] = label
    part = _in_order(part)
    of_part = np.zeros(int(part.max()) + 1 if len(part) else 0, np.int64)
    of_part[part] = kind
    parts = Parts(
        covers.row,
        covers.first,
        last,
        covers.pair,
        covers.strong,
        covers.score_sum,
        filled,
        covers.votes,
        covers.comp,
        part,
        line,
        reach,
    )
    return parts.united(of_part, least_px)


def _run_ends(
    components: Components, wanted: Numbers, base: Numbers, line: Numbers, col: Numbers
) -> Numbers:
    """Return the last column of the component's run that holds each pixel."""
    own = np.zeros(len(components), np.bool_)
    own[wanted] = True
    mine = own[components.comp]
    comp, first, last = (a[mine] for a in (components.comp, components.first, components.last))
    lines = components.row[mine] + base[comp]
    order = np.lexsort((first, lines))
    return np.asarray(last[order][_position(lines[order], first[order], line, col)], np.int64)


def _position(lines: Numbers, firsts: Numbers, line: Numbers, col: Numbers) -> Numbers:
    """Return the last of the sorted (line, first column) that is not behind each pixel."""
    low = min(int(firsts.min(initial=0)), int(col.min(initial=0)))
    span = max(int(firsts.max(initial=0)), int(col.max(initial=0))) - low + 1
    keys, asked = lines * span + (firsts - low), line * span + (col - low)
    return np.asarray(np.searchsorted(keys, asked, side="right") - 1, np.int64)


def split(components: Components, parts: PartTable) -> Components:
    """Return the components with the large ones replaced by their parts.

    A part is numbered and named by its own first pixel, so the part that holds the first pixel of
    the component keeps the id of the whole. Its votes are those of all its pixels. Score at the
    90th percentile and other values are those of its member pixels; where it has none, those of
    the component.

    Parameters
    ----------
    components : Components
    parts : PartTable
        Of all components that have parts.
    """
    if not len(parts):
        return components
    whole = np.ones(len(components), np.bool_)
    whole[parts.comp] = False
    rest = components.take(whole)
    row, first, last, comp = (
        np.concatenate([a.astype(np.int32), b])
        for a, b in (
            (rest.row, parts.row),
            (rest.first, parts.first),
            (rest.last, parts.last),
            (rest.comp, len(rest) + parts.part),
        )
    )
    by_place = np.lexsort((first, row))
    row, first, last, comp = row[by_place], first[by_place], last[by_place], comp[by_place]
    begin = np.full(len(rest) + len(parts), len(comp))
    np.minimum.at(begin, comp, np.arange(len(comp)))
    order = np.argsort(begin)
    rank = np.argsort(order)
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(rest, name), getattr(parts, name)])[order]
        for name in ("filled", "votes", "n_members", "high_score", "values")
    }
    stats = Statistics.concatenate([rest.stats, parts.stats]).take(order)
    return dataclasses.replace(
        rest,
        row=row,
        first=first,
        last=last,
        comp=rank.astype(np.int32)[comp],
        stats=stats,
        anchor_row=row[begin[order]].astype(np.int64),
        anchor_col=first[begin[order]].astype(np.int64),
        **columns,
    )


def _fused(runs: Numbers) -> Numbers:
    """Make one run of those of a part that touch; columns are sorted by (component, row, first)."""
    row, first, last, part = runs
    begins = np.ones(len(row), np.bool_)
    begins[1:] = (row[1:] != row[:-1]) | (first[1:] != last[:-1] + 1) | (part[1:] != part[:-1])
    at = np.flatnonzero(begins)
    fused = runs[:, at].copy()
    fused[2] = last[np.append(at, len(row))[1:] - 1]
    return np.asarray(fused, np.int64)


def _part_statistics(parts: Parts) -> Statistics:
    runs = Statistics(
        parts.last - parts.first + 1,
        parts.strong,
        parts.score_sum,
        parts.row,
        parts.row,
        parts.first,
        parts.last,
    )
    return runs.merged(parts.part, len(parts))


def _part_columns(components: Components, parts: Parts, members: Members) -> dict[str, Any]:
    """Return filled pixels, votes, members, scores and values of the parts."""
    count, owner, votes = len(parts), parts.owner, parts.votes
    filled = np.zeros(count, np.int64)
    np.add.at(filled, parts.part, parts.filled)
    scored = np.zeros(count, np.int64)
    np.add.at(scored, parts.part, parts.last - parts.first + 1)
    own = np.zeros(len(components), np.bool_)
    own[parts.comp] = True
    members = members.take(own[members.comp])
    base = np.zeros(len(components), np.int64)
    base[parts.comp] = parts.line - parts.row
    at = _position(parts.line, parts.first, members.row + base[members.comp], members.col)
    mine = dataclasses.replace(members, comp=parts.part[at])
    held = np.bincount(mine.comp, minlength=count)
    high, values = components.high_score[owner].copy(), components.values[owner].copy()
    told = held > 0
    mine = mine.renumbered(told, np.cumsum(told) - 1)
    high[told] = mine.percentile(int(told.sum()), PERCENT)
    values[told] = mine.means(int(told.sum()))
    return {
        "filled": filled,
        "votes": votes,
        "n_members": scored - filled,
        "high_score": high,
        "values": values,
    }
