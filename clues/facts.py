"""Facts of parcels as columns: what is known of each, between which bounds, and from where."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clues.catalogue import Fact, catalogue

__all__ = ["CAUSES", "FactColumn", "FactTable", "plain_value"]

Floats = NDArray[np.float64]
ORDERED = ("area", "length", "share", "count", "date", "bool")

CAUSES = ("", "layer", "incomplete", "date", "class", "use", "paper")
"""Why a fact is not known: no layer, a layer that is not complete, a date between the images or
missing, an unknown land class, an unknown use, nobody has told."""


@dataclass(frozen=True)
class FactColumn:
    """One fact of n parcels.

    Attributes
    ----------
    low, high : ndarray of float64, shape (n,)
        Bounds of an ordered fact (areas in dm², dates as day numbers, yes/no as 1/0); equal where
        the fact is known. Zeros for other kinds.
    values : ndarray of object, shape (n,), or None
        Codes, texts, or tuples of (number, ISO date or "") of documents.
    known : ndarray of bool, shape (n,)
    cause : ndarray of int8, shape (n,)
        Position in `CAUSES`; 0 where known.
    source : str
        Layers with versions, or ``patch``.
    features : ndarray of object or None
        Per parcel the tuple of feature keys the fact is drawn from.
    """

    fact: Fact
    low: Floats
    high: Floats
    values: NDArray[np.object_] | None
    known: NDArray[np.bool_]
    cause: NDArray[np.int8]
    source: str
    features: NDArray[np.object_] | None = None

    @classmethod
    def bounded(
        cls,
        name: str,
        low: Any,
        high: Any,
        *,
        cause: Any = 0,
        source: str = "patch",
        features: NDArray[np.object_] | None = None,
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
        cls,
        name: str,
        values: Any,
        *,
        known: Any = True,
        cause: Any = 0,
        source: str = "patch",
        features: NDArray[np.object_] | None = None,
    ) -> "FactColumn":
        """Return a code, text or documents fact."""
        own = np.empty(len(values), dtype=object)
        own[:] = values
        is_known = np.broadcast_to(known, own.shape).astype(bool)
        causes = np.where(is_known, 0, np.broadcast_to(cause, own.shape)).astype(np.int8)
        zeros = np.zeros(len(own))
        return cls(catalogue()[name], zeros, zeros, own, is_known, causes, source, features)

    def recorded(self, row: int) -> dict[str, Any]:
        """Return the fact of one parcel for a trace, as plain JSON values."""
        entry: dict[str, Any] = {"known": bool(self.known[row]), "source": self.source}
        if self.values is not None:
            entry["value"] = self.values[row]
        elif self.known[row]:
            entry["value"] = plain_value(self.fact.kind, self.low[row])
        else:
            entry["low"] = plain_value(self.fact.kind, self.low[row])
            entry["high"] = plain_value(self.fact.kind, self.high[row])
        if self.cause[row]:
            entry["cause"] = CAUSES[self.cause[row]]
        if self.features is not None and self.features[row]:
            entry["features"] = list(self.features[row])
        return entry


def plain_value(kind: str, number: float) -> int | float | bool | str | None:
    """Return a bound as JSON holds it: dm² whole, dates in ISO form, None for an open end."""
    if not np.isfinite(number):
        return None
    if kind == "date":
        return dt.date.fromordinal(int(number)).isoformat()
    if kind == "bool":
        return bool(number)
    return int(number) if kind in ("area", "count") else round(float(number), 9)


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

    def __len__(self) -> int:
        return len(self.parcels)

    def __getitem__(self, name: str) -> FactColumn:
        if name not in self.columns:
            self.columns[name] = self._untold(name)
        return self.columns[name]

    def add(self, *columns: FactColumn) -> None:
        """Add columns under the names of their facts."""
        for column in columns:
            self.columns[column.fact.name] = column

    def _untold(self, name: str) -> FactColumn:
        """Return the column of a fact that no layer and no patch tells."""
        fact, n, cause = catalogue()[name], len(self), CAUSES.index("paper")
        if fact.kind not in ORDERED:
            empty = () if fact.kind == "documents" else None
            return FactColumn.named(name, [empty] * n, known=False, cause=cause, source="")
        top = {"bool": 1.0, "share": 1.0}.get(fact.kind, np.inf)
        bottom = -np.inf if fact.kind == "date" else 0.0
        low, high = np.full(n, bottom), np.full(n, top)
        return FactColumn.bounded(name, low, high, cause=cause, source="")
