"""Facts of parcels as columns: what is known of each, between which bounds, and from where."""

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from json.encoder import encode_basestring
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clues.catalogue import Fact, catalogue

__all__ = ["CAUSES", "DocumentLists", "FactColumn", "FactTable", "KeyLists", "plain_value"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ORDERED = ("area", "length", "share", "count", "date", "bool")

CAUSES = ("", "layer", "incomplete", "date", "class", "use", "paper", "weak")
"""Why a fact is not known: no layer, a layer that is not complete, a date between the images or
missing, an unknown land class, an unknown use, nobody has told, imagery tells it too weakly."""


@dataclass(frozen=True)
class KeyLists:
    """Features behind a fact, parcel by parcel.

    Attributes
    ----------
    offsets : ndarray of int64, shape (n + 1,)
        Parcel i has ``members[offsets[i]:offsets[i + 1]]``, ascending.
    members : ndarray of int64
        Rows of `names`.
    names : ndarray of object
        Keys of all features, sorted.
    """

    offsets: Ints
    members: Ints
    names: NDArray[np.object_]

    @classmethod
    def of(cls, parcel: Ints, member: Ints, n: int, names: NDArray[np.object_]) -> "KeyLists":
        """Return the distinct pairs of parcel (−1: none) and member as lists of n parcels."""
        pairs = np.unique(parcel[parcel >= 0] * len(names) + member[parcel >= 0])
        owner, members = np.divmod(pairs, max(len(names), 1))
        return cls(np.searchsorted(owner, np.arange(n + 1)), members, names)

    @property
    def owner(self) -> Ints:
        """Parcel of each member."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def take(self, rows: Ints) -> "KeyLists":
        """Return the lists of chosen parcels, with repetition."""
        count = np.diff(self.offsets)[rows]
        ends = np.concatenate([[0], np.cumsum(count)])
        within = np.arange(ends[-1]) - np.repeat(ends[:-1], count)
        return KeyLists(
            ends, self.members[np.repeat(self.offsets[rows], count) + within], self.names
        )

    def at(self, row: int) -> list[int]:
        """Return the members of one parcel."""
        found: list[int] = self.members[self.offsets[row] : self.offsets[row + 1]].tolist()
        return found

    def __getitem__(self, row: int) -> tuple[str, ...]:
        return tuple([str(self.names[i]) for i in self.at(row)])


@dataclass(frozen=True)
class DocumentLists:
    """Documents of parcels as (number, dates), put into words only where they are asked for."""

    keys: KeyLists
    show: Callable[[int], tuple[str, str]]

    def __len__(self) -> int:
        return len(self.keys.offsets) - 1

    def __getitem__(self, row: int) -> tuple[tuple[str, str], ...]:
        return tuple(self.show(i) for i in self.keys.at(row))

    def __iter__(self) -> Iterator[tuple[tuple[str, str], ...]]:
        return (self[i] for i in range(len(self)))


@dataclass(frozen=True)
class FactColumn:
    """One fact of n parcels.

    Attributes
    ----------
    low, high : ndarray of float64, shape (n,)
        Bounds of an ordered fact (areas in dm², dates as day numbers, yes/no as 1/0); equal where
        the fact is known. Zeros for other kinds.
    values : ndarray of object, shape (n,), DocumentLists, or None
        Codes, texts, or tuples of (number, ISO date or "") of documents.
    known : ndarray of bool, shape (n,)
    cause : ndarray of int8, shape (n,)
        Position in `CAUSES`; 0 where known.
    source : str
        Layers with versions, or ``patch``.
    features : KeyLists or None
        Keys of the features the fact is drawn from.
    """

    fact: Fact
    low: Floats
    high: Floats
    values: "NDArray[np.object_] | DocumentLists | None"
    known: NDArray[np.bool_]
    cause: NDArray[np.int8]
    source: str
    features: KeyLists | None = None

    @classmethod
    def bounded(
        cls,
        name: str,
        low: Any,
        high: Any,
        *,
        cause: Any = 0,
        source: str = "patch",
        features: KeyLists | None = None,
    ) -> "FactColumn":
        """Return an ordered fact from its bounds; NaN bounds are open."""
        lower, upper = np.array(low, dtype=np.float64), np.array(high, dtype=np.float64)
        lower = np.where(np.isnan(lower), -np.inf, lower)
        upper = np.where(np.isnan(upper), np.inf, upper)
        known = lower == upper
        causes = np.where(known, 0, np.broadcast_to(cause, known.shape)).astype(np.int8)
        return cls(catalogue()[name], lower, upper, None, known, causes, source, features)

    @classmethod
    def named(
        cls, name: str, values: Any, *, known: Any = True, cause: Any = 0, source: str = "patch"
    ) -> "FactColumn":
        """Return a code or text fact, or documents written out."""
        own = np.empty(len(values), dtype=object)
        own[:] = values
        is_known = np.broadcast_to(known, own.shape).astype(bool)
        causes = np.where(is_known, 0, np.broadcast_to(cause, own.shape)).astype(np.int8)
        zeros = np.zeros(len(own))
        return cls(catalogue()[name], zeros, zeros, own, is_known, causes, source)

    @classmethod
    def documents(
        cls, name: str, keys: KeyLists, show: Callable[[int], tuple[str, str]], *, source: str
    ) -> "FactColumn":
        """Return the documents of each parcel; `show` gives (number, dates) of one."""
        lists = DocumentLists(keys, cache(show))
        n = len(lists)
        zeros, told = np.zeros(n), np.ones(n, dtype=bool)
        return cls(catalogue()[name], zeros, zeros, lists, told, np.zeros(n, np.int8), source, keys)

    def recorded(self, row: int) -> dict[str, Any]:
        """Return the fact of one parcel for a trace, as plain JSON values.

        ``value`` where it is known; else ``low``, ``high`` (None: open) and ``cause``; the keys
        of the ``features`` it is drawn from, if any.
        """
        entry = self._entries(np.array([row]))[0]
        if self.features is not None and self.values is None and self.features[row]:
            entry["features"] = list(self.features[row])
        return entry

    def _entries(self, rows: Ints) -> list[dict[str, Any]]:
        """Return `recorded` of chosen parcels, without ``features``."""
        entries: list[dict[str, Any]]
        if self.values is not None:
            entries = [{"value": self.values[row]} for row in rows.tolist()]
        else:
            low, high = (plain_values(self.fact.kind, x[rows]) for x in (self.low, self.high))
            entries = [
                {"value": a} if known else {"low": a, "high": b}
                for a, b, known in zip(low, high, self.known[rows].tolist(), strict=True)
            ]
        causes = self.cause[rows]
        for i in np.flatnonzero(causes).tolist():
            entries[i]["cause"] = CAUSES[causes[i]]
        return entries

    def cause_of(self, row: int) -> str:
        """Return why the fact of one parcel is not known, "" where it is."""
        return CAUSES[self.cause[row]]

    def told(self, rows: Ints, write: Callable[[dict[str, Any]], str]) -> list[str]:
        """Return the words of `write` for the facts of chosen parcels; equal facts are put once.

        `write` is given what `recorded` gives, without ``features``.
        """
        if isinstance(self.values, DocumentLists):
            return [write(entry) for entry in self._entries(rows)]
        columns = (self.low, self.high) if self.values is None else (self.values,)
        marks = list(zip(*(c[rows].tolist() for c in (*columns, self.cause)), strict=True))
        first: dict[Any, int] = {}
        for mark, row in zip(marks, rows.tolist(), strict=True):
            first.setdefault(mark, row)
        entries = self._entries(np.fromiter(first.values(), dtype=np.int64))
        words = dict(zip(first, map(write, entries), strict=True))
        return [words[mark] for mark in marks]

    def written(self, rows: Ints) -> list[str]:
        """Return `recorded` of chosen parcels as JSON texts."""
        if self.values is not None:
            return self.told(rows, _JSON.encode)
        bounds = (_number_texts(self.fact.kind, x[rows]) for x in (self.low, self.high))
        causes = [f',"cause":"{name}"' if name else "" for name in CAUSES]
        own = (self.known[rows].tolist(), self.cause[rows].tolist(), self._feature_texts(rows))
        return [
            f'{{"value":{a}{causes[c]}{f}}}' if k else f'{{"low":{a},"high":{b}{causes[c]}{f}}}'
            for a, b, k, c, f in zip(*bounds, *own, strict=True)
        ]

    def _feature_texts(self, rows: Ints) -> list[str]:
        texts = [""] * len(rows)
        if self.features is not None:
            lists = self.features.take(rows)
            keys = [encode_basestring(k) for k in lists.names[lists.members].tolist()]
            ends = lists.offsets.tolist()
            for i in np.flatnonzero(np.diff(lists.offsets)).tolist():
                texts[i] = f',"features":[{",".join(keys[ends[i] : ends[i + 1]])}]'
        return texts


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _number_texts(kind: str, numbers: Floats) -> list[str]:
    """Return `plain_values` as JSON texts; no such text holds a comma."""
    distinct, place = np.unique(numbers, return_inverse=True)
    texts = _JSON.encode(plain_values(kind, distinct))[1:-1].split(",")
    return [texts[i] for i in place.tolist()]


def plain_value(kind: str, number: float) -> int | float | bool | str | None:
    """Return `plain_values` of one bound."""
    value: int | float | bool | str | None = plain_values(kind, np.array([number]))[0]
    return value


def plain_values(kind: str, numbers: Floats) -> list[Any]:
    """Return bounds as JSON holds them: dm² whole, dates in ISO form, None for an open end."""
    finite = np.isfinite(numbers)
    plain: list[Any]
    if kind in ("area", "count", "date", "bool"):
        plain = np.where(finite, numbers, 1).astype(np.int64).tolist()
        if kind == "date":
            names = {day: dt.date.fromordinal(day).isoformat() for day in set(plain)}
            plain = [names[day] for day in plain]
        elif kind == "bool":
            plain = [bool(number) for number in plain]
    else:
        plain = [round(number, 9) for number in numbers.tolist()]
    for i in np.flatnonzero(~finite).tolist():
        plain[i] = None
    return plain


@dataclass(frozen=True)
class FactTable:
    """All facts of the parcels of one line.

    Attributes
    ----------
    parcels : ndarray of object, shape (n,)
        Parcel ids.
    patches : ndarray of object, shape (n,)
        Patch ids.
    """

    parcels: NDArray[np.object_]
    patches: NDArray[np.object_]
    columns: dict[str, FactColumn] = field(default_factory=dict)
    _deferred: dict[str, Callable[[], Iterable[FactColumn]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.parcels)

    def __getitem__(self, name: str) -> FactColumn:
        if name not in self.columns and name in self._deferred:
            self.add(*self._deferred[name]())
        if name not in self.columns:
            self.columns[name] = self._untold(name)
        return self.columns[name]

    def add(self, *columns: FactColumn) -> None:
        """Add columns under the names of their facts."""
        for column in columns:
            self.columns[column.fact.name] = column

    def defer(self, names: Iterable[str], make: Callable[[], Iterable[FactColumn]]) -> None:
        """Let `make` give the columns of these names once one of them is asked for."""
        for name in names:
            self._deferred[name] = make

    def _untold(self, name: str) -> FactColumn:
        """Return the column of a fact that no layer and no patch tells."""
        fact, n, cause = catalogue()[name], len(self), CAUSES.index("paper")
        if fact.kind not in ORDERED:
            empty: Any = () if fact.kind == "documents" else None
            return FactColumn.named(name, [empty] * n, known=False, cause=cause, source="")
        top = {"bool": 1.0, "share": 1.0}.get(fact.kind, np.inf)
        bottom = -np.inf if fact.kind == "date" else 0.0
        low, high = np.full(n, bottom), np.full(n, top)
        return FactColumn.bounded(name, low, high, cause=cause, source="")
