"""Covers and members of large components in scratch files: told while tiles are joined, read later.

A fifth of the components of an area are large, and of these every pixel is told. While a join goes
on nobody knows which names will be one component, so the rows go to a file as they come; when all
is joined they are sorted into batches of whole components, which are read one after another.
"""

import io
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from detect.component_tables import Columns, Members
from detect.cover_runs import CoverRuns

__all__ = ["BATCH_RUNS", "Large", "LargeSpool", "Spool", "Spooled"]

BATCH_RUNS = 200_000
"""Cover runs of a batch, unless one component has more (finding parts takes some 200 MB)."""

Rows = TypeVar("Rows", bound=Columns)


class _Records(Generic[Rows]):
    """Rows of a table of one kind as records of a file that nobody else sees.

    Parameters
    ----------
    like : table
        With the columns of all rows; its own rows are of no matter.
    folder : Path or None
        Where the file lies until it is closed; in memory by default.
    """

    def __init__(self, like: Rows, folder: Path | None) -> None:
        self.like, self.folder = like.take(np.zeros(0, np.int64)), folder
        columns = self.like.arrays().items()
        self.kind = np.dtype(
            [(n, a.dtype, a.shape[1:]) for n, a in columns if 0 not in a.shape[1:]]
        )
        file: IO[bytes] = (
            io.BytesIO() if folder is None else tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        )
        self.file = file
        self.close = weakref.finalize(self, file.close)

    def of(self, rows: Rows) -> NDArray[Any]:
        """Return a table as records."""
        out = np.empty(len(rows.arrays()["comp"]), self.kind)
        for name in self.kind.names or ():
            out[name] = rows.arrays()[name]
        return out

    def table(self, records: NDArray[Any]) -> Rows:
        """Return records as a table."""
        names = self.kind.names or ()
        empty = self.like.arrays()
        return type(self.like)(
            **{
                n: records[n] if n in names else np.empty((len(records), *a.shape[1:]), a.dtype)
                for n, a in empty.items()
            }
        )

    def write(self, at: int, records: NDArray[Any]) -> None:
        """Put records at a place, counted in records."""
        self.file.seek(at * self.kind.itemsize)
        self.file.write(records.view(np.uint8).data)

    def read(self, at: int, count: int) -> NDArray[Any]:
        """Return records from a place on."""
        self.file.seek(at * self.kind.itemsize)
        return np.frombuffer(self.file.read(count * self.kind.itemsize), self.kind)


class Spooled(Generic[Rows]):
    """Rows in batches of whole components, in the order in which they were told."""

    def __init__(self, records: _Records[Rows], starts: NDArray[np.int64]) -> None:
        self._records, self._starts = records, starts

    def __len__(self) -> int:
        return int(self._starts[-1])

    def batch(self, number: int) -> Rows:
        """Return the rows of a batch."""
        at, end = self._starts[number : number + 2].tolist()
        return self._records.table(self._records.read(at, end - at))


class Spool(Generic[Rows]):
    """Rows whose components have names yet, in the order in which they come.

    Parameters
    ----------
    like : table
        With the columns of the rows.
    folder : Path or None
    """

    def __init__(self, like: Rows, folder: Path | None) -> None:
        self._records, self._counts = _Records(like, folder), np.zeros(0, np.int64)

    def add(self, rows: Rows) -> None:
        """Append rows; their column ``comp`` holds names."""
        records = self._records.of(rows)
        self._records.write(int(self._counts.sum()), records)
        self._counts = np.append(self._counts, len(records))

    def tally(self, number: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """Return how many rows each of `count` components has; `number` is as for `settled`."""
        out = np.zeros(count, np.int64)
        for records in self._parts():
            comp = number[records["comp"]]
            out += np.bincount(comp[comp >= 0], minlength=count)
        return out

    def settled(self, number: NDArray[np.int64], edges: NDArray[np.int64]) -> Spooled[Rows]:
        """Return the rows by batches of components; the spool is used up.

        Parameters
        ----------
        number : ndarray of int64, shape (names,)
            Component of each name, −1 where its rows are dropped.
        edges : ndarray of int64, shape (batches + 1,)
            First component of each batch, and how many components there are.
        """
        counts = np.add.reduceat(np.append(self.tally(number, int(edges[-1])), 0), edges[:-1])
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        target, at = _Records(self._records.like, self._records.folder), starts[:-1].tolist()
        for records in self._parts():
            comp = number[records["comp"]]
            own = records[comp >= 0]
            own["comp"] = comp[comp >= 0]
            batch = np.searchsorted(edges, own["comp"], side="right") - 1
            order = np.argsort(batch, kind="stable")
            begins = np.flatnonzero(np.diff(batch[order], prepend=-1)).tolist()
            for begin, end in pairwise([*begins, len(order)]):
                into = int(batch[order[begin]])
                target.write(at[into], own[order[begin:end]])
                at[into] += end - begin
        self._records.close()
        return Spooled(target, starts)

    def _parts(self) -> Iterator[NDArray[Any]]:
        at = 0
        for count in self._counts.tolist():
            yield self._records.read(at, count)
            at += count


@dataclass(frozen=True)
class Large:
    """What a join keeps of large components.

    Attributes
    ----------
    covers : Spooled of CoverRuns
        Where the tiles told them; filled holes have none.
    members : Spooled of Members
        Without votes.
    count : int
        Batches.
    """

    covers: Spooled[CoverRuns]
    members: Spooled[Members]
    count: int

    def batches(self) -> Iterator[tuple[CoverRuns, Members]]:
        """Yield covers and members, of some components at a time and of all their pixels."""
        for number in range(self.count):
            yield self.covers.batch(number), self.members.batch(number)


class LargeSpool:
    """Takes covers and members of components that are, or may become, large.

    Parameters
    ----------
    folder : Path or None
        Where scratch files lie; in memory by default.
    most : int
        Cover runs of a batch, unless one component has more.
    """

    def __init__(self, folder: Path | None, most: int) -> None:
        self.folder, self.most = folder, most
        self._covers: Spool[CoverRuns] | None = None
        self._members: Spool[Members] | None = None

    def add_covers(self, covers: CoverRuns) -> None:
        """Append covers of names."""
        if len(covers):
            narrow = covers.narrow()
            self._covers = self._covers or Spool(narrow, self.folder)
            self._covers.add(narrow)

    def add_members(self, members: Members) -> None:
        """Append members of names, as `Members.narrow` returns them."""
        if len(members):
            self._members = self._members or Spool(members, self.folder)
            self._members.add(members)

    def settled(self, number: NDArray[np.int64], count: int) -> Large:
        """Return all by components; the spool is used up.

        Parameters
        ----------
        number : ndarray of int64, shape (names,)
            Component of each name, −1 of those that are not large.
        count : int
            Components.
        """
        covers = self._covers or Spool(CoverRuns.empty().narrow(), None)
        members = self._members or Spool(Members.empty().narrow(), None)
        edges = _edges(covers.tally(number, count), self.most)
        settled = covers.settled(number, edges), members.settled(number, edges)
        return Large(*settled, count=len(edges) - 1)


def _edges(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return the first component of each batch of at most `most` rows, and their number."""
    total, edges = np.cumsum(rows), [0]
    while edges[-1] < len(rows):
        held = int(total[edges[-1] - 1]) if edges[-1] else 0
        end = int(np.searchsorted(total, held + most, side="right"))
        edges.append(max(end, edges[-1] + 1))
    return np.array(edges, np.int64)
