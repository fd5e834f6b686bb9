"""What speaks against a proposed parcel in dm²: at least so much, at most so much, and why.

A layer that may lack something tells the least only; what it lacks may take all of the parcel.
"""

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clues.coverage import Documents, Links
from clues.layers import OneMap
from clues.overlay import Pieces
from configs.vetting import Check, VettingRules

__all__ = ["Ground", "Measured", "measure", "plain_records"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Objects = NDArray[np.object_]

FORBIDS, UNTOLD, PERMITS = 0, 1, 2
"""What a plan zone says of a use; where zones lie on one another, the least counts."""


@dataclass(frozen=True)
class Ground:
    """Parcels cut along the One-Map, on a day.

    Attributes
    ----------
    parcels : GeoDataFrame
        Of `clues.proposals.read_proposals`.
    """

    parcels: Any
    onemap: OneMap
    documents: Documents
    pieces: Pieces
    rules: VettingRules
    on: dt.date

    @cached_property
    def links(self) -> Links:
        """Which feature lies on which piece."""
        return Links.of(self.pieces)

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The parcels as plain records, without outline."""
        return plain_records(self.parcels.drop(columns="geometry"))

    @cached_property
    def total(self) -> Ints:
        """Area of each parcel in dm²."""
        return np.asarray(self.parcels["area_dm2"].to_numpy(dtype=np.int64))

    def sum_of(self, chosen: Bools) -> Ints:
        """Sum up the area of chosen pieces by parcel."""
        own = self.pieces.patch[chosen]
        sums = np.bincount(own, weights=self.pieces.area_dm2[chosen], minlength=len(self.total))
        return np.rint(sums).astype(np.int64)

    def on_pieces(self, rows: Ints) -> Bools:
        """Return the pieces of chosen links."""
        mask = np.zeros(len(self.pieces), dtype=bool)
        mask[self.links.piece[rows]] = True
        return mask

    @cached_property
    def landuse(self) -> Ints:
        """Row of the land-use table of each piece, −1 where there is none."""
        rows = self.documents.links_of("landuse", self.links)
        found = np.full(len(self.pieces), -1, dtype=np.int64)
        piece, first = np.unique(self.links.piece[rows], return_index=True)
        found[piece] = self.documents.position[self.links.document[rows[first]]]
        return found

    def of_class(self, column: str) -> Objects:
        """Return a column of the land-use table for each piece, None where it is not known."""
        values: Objects = np.full(len(self.pieces), None, dtype=object)
        if "landuse" in self.onemap.layers:
            own = self.onemap.layers["landuse"].table[column].to_numpy(dtype=object)
            there = self.landuse >= 0
            values[there] = own[self.landuse[there]]
        return values


@dataclass(frozen=True)
class Measured:
    """What one check found, by parcel.

    Attributes
    ----------
    low, high : ndarray of int64, shape (n,)
        dm² that speak against the parcel for certain, and at most.
    sure : bool
        Whether the layer is complete that day: without that, no parcel passes.
    cause : ndarray of object, shape (n,)
        Why what lies between is not told, one of `configs.vetting.CAUSES`.
    against : ndarray of bool, shape (pieces,)
        Pieces that speak against their parcel, or may.
    links : ndarray of int64
        Links to the features that the answer is drawn from.
    clear : ndarray of bool
        Of each of them, whether it is known to count, or what it says.
    """

    low: Ints
    high: Ints
    sure: bool
    cause: Objects
    against: Bools
    links: Ints
    clear: Bools


def plain_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as plain records; a missing value is None."""
    return [
        {str(k): None if v is None or v != v else v for k, v in record.items()}
        for record in table.to_dict("records")
    ]


def _counting(check: Check, ground: Ground, document: Ints) -> tuple[Bools, Bools]:
    """Return which features count on the day for certain, and which may.

    A feature counts from its date on (``dated``) or within its term (``term``: a right whose
    renewal is accepted goes on). A missing date leaves it open.
    """
    columns, day = ground.documents.columns, ground.on.toordinal()
    certain = np.ones(len(document), dtype=bool)
    possible = certain.copy()
    with np.errstate(invalid="ignore"):
        if check.dates == "dated":
            date = columns["date"][document]
            return date <= day, ~(date > day)
        if check.dates == "term":
            begins, ends = columns["valid_from"][document], columns["valid_to"][document]
            goes_on = np.array([r is True for r in columns["renewal"][document]], dtype=bool)
            certain = (begins <= day) & ((ends >= day) | goes_on)
            possible = ~(begins > day) & (~(ends < day) | goes_on)
    return certain, possible


def measure(check: Check, ground: Ground) -> Measured:
    """Return what speaks against each parcel by one check."""
    return {
        "covered": _covered,
        "outside": _outside,
        "zoned": _zoned,
        "classed": _classed,
        "stated": _stated,
    }[check.measure](check, ground)


def _links(check: Check, ground: Ground) -> tuple[Ints, bool, str]:
    """Return the links to the role of a check, whether its layer is complete, and why it is not."""
    role = str(check.role)
    rows = ground.documents.links_of(role, ground.links)
    sure = ground.onemap.is_complete(role, ground.on)
    return rows, sure, "incomplete" if role in ground.onemap.layers else "layer"


def _same(cause: str, ground: Ground) -> Objects:
    return np.full(len(ground.total), cause, dtype=object)


def _all(rows: Ints) -> Bools:
    return np.ones(len(rows), dtype=bool)


def _covered(check: Check, ground: Ground) -> Measured:
    rows, sure, cause = _links(check, ground)
    certain, possible = _counting(check, ground, ground.links.document[rows])
    low = ground.sum_of(ground.on_pieces(rows[certain]))
    may = ground.on_pieces(rows[possible])
    high = ground.sum_of(may) if sure else ground.total
    cause = "date" if sure else cause
    kept, clear = rows[possible], certain[possible]
    return Measured(low, high, sure, _same(cause, ground), may, kept, clear)


def _outside(check: Check, ground: Ground) -> Measured:
    rows, sure, cause = _links(check, ground)
    inside = ground.on_pieces(rows)
    outside = ground.total - ground.sum_of(inside)
    low = outside if sure else np.zeros_like(outside)
    return Measured(low, outside, sure, _same(cause, ground), ~inside, rows, _all(rows))


def _zoned(check: Check, ground: Ground) -> Measured:
    rows, sure, absent = _links(check, ground)
    says = np.full(len(ground.pieces), PERMITS, dtype=np.int64)
    piece, document = ground.links.piece[rows], ground.links.document[rows]
    use = ground.parcels["use"].to_numpy(dtype=object)
    told = _permits(ground, document, use[ground.pieces.patch[piece]])
    np.minimum.at(says, piece, told)
    bare = ~ground.on_pieces(rows)
    says[bare] = FORBIDS if sure else UNTOLD
    low, high = ground.sum_of(says == FORBIDS), ground.sum_of(says < PERMITS)
    untold = ground.sum_of((says == UNTOLD) & ~bare) > 0
    cause = np.where(use == "unknown", "use", np.where(untold, "zone", absent))
    if absent == "layer":
        cause = _same(absent, ground)
    return Measured(low, high, sure, cause.astype(object), says < PERMITS, rows, told != UNTOLD)


def _permits(ground: Ground, document: Ints, use: Objects) -> Ints:
    """Return what each zone says of each use."""
    columns, told = ground.documents.columns, []
    for i, own in zip(document.tolist(), use, strict=True):
        name, number = str(columns["name"][i] or ""), str(columns["number"][i] or "")
        zone = next(
            (
                z
                for z in ground.rules.zones
                if any(w in name for w in z.words) or number in z.numbers
            ),
            None,
        )
        if zone is None or (own == "unknown" and zone.uses):
            told.append(UNTOLD)
        else:
            told.append(PERMITS if own in zone.uses else FORBIDS)
    return np.array(told, dtype=np.int64)


def _classed(check: Check, ground: Ground) -> Measured:
    rows, sure, cause = _links(check, ground)
    group = ground.of_class("group")
    own = np.isin(group.astype(str), check.groups)
    untold = np.array([g is None or g != g for g in group], dtype=bool)
    low = ground.sum_of(own)
    both = own | untold
    kept = rows[both[ground.links.piece[rows]]]
    cause = "class" if sure else cause
    high = ground.sum_of(both)
    return Measured(low, high, sure, _same(cause, ground), both, kept, _all(kept))


def _stated(check: Check, ground: Ground) -> Measured:
    stated = ground.parcels["stated_m2"].to_numpy(dtype=np.float64)
    told = ~np.isnan(stated)
    differs = np.rint(np.abs(np.where(told, stated, 0.0) * 100 - ground.total)).astype(np.int64)
    low = np.where(told, differs, 0)
    high = np.where(told, differs, np.iinfo(np.int64).max)
    none, nothing = np.zeros(len(ground.pieces), dtype=bool), np.empty(0, dtype=np.int64)
    return Measured(low, high, True, _same("stated", ground), none, nothing, _all(nothing))
