"""Facts of the papers: coverage by documents that pass a date test, their dates, areas and uses."""

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clues.coverage import TESTS, Documents, Epochs, Links, Passed, passed
from clues.facts import FactColumn, KeyLists
from clues.ground import CAUSE, Cropland, Cut, completeness, keys_by_parcel, layer_source
from configs.vocabulary import uses

if TYPE_CHECKING:
    from clues.layers import OneMap

__all__ = ["document_date", "paper_facts"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PATCH_TESTS: dict[str, tuple[str, ...]] = {
    "patch_approval": ("approval_by_after",),
    "patch_permit": ("approval_by_after", "temporary"),
    "patch_ground": ("approval_by_after", "supply_by_after", "registration_by_after"),
    "patch_application": ("application",),
    "patch_temporary": ("temporary",),
    "patch_mining": ("mining",),
}
"""Tests asked of the whole patch: a document anywhere on it counts."""

UNCOVERED = (
    "approval_before",
    "supply_before",
    "registration_before",
    "temporary_in_force",
    "facility_filed",
)
SHOWN_DATES: dict[str, tuple[str, ...]] = {
    "approval": ("date",),
    "supply": ("date",),
    "registration": ("date",),
    "facility": ("filed",),
    "temporary": ("valid_from", "valid_to"),
    "mining_right": ("valid_from", "valid_to"),
    "project": (),
}
UNTOLD_USES = ("building", "hardened", "moved_earth", "work_camp", "unknown", "bare", "unchanged")
"""Uses now that fit any approved use: a building site is not yet a use."""


def paper_facts(
    onemap: "OneMap",
    patches: Any,
    documents: Documents,
    links: Links,
    cut: Cut,
    epochs: Epochs,
    cropland: Cropland,
) -> list[FactColumn]:
    """Return all facts of documents for the parcels of one line."""
    tests = {name: passed(name, documents, links, epochs, cut.patch) for name in TESTS}
    view = _View(onemap, documents, links, cut, epochs)
    out: list[FactColumn] = []
    for name, own in tests.items():
        if name != "registration_by_after":
            out += view.coverage(name, own)
    for name in UNCOVERED:
        out.append(view.uncovered(name, tests[name], cropland))
    for name, parts in PATCH_TESTS.items():
        out += view.patch_coverage(name, [(TESTS[p][0], tests[p]) for p in parts])
    use = patches["use"].to_numpy(dtype=object)[cut.parcel_patch]
    out.append(view.compatibility(tests["approval_before"], use))
    out += view.ends("temporary_end", "temporary", tests["temporary"])
    out += view.ends("mining_end", "mining_right", tests["mining"])
    out += view.filed_area(tests["facility_filed"])
    return out


class _View:
    """The tables every fact of documents is made from."""

    def __init__(
        self, onemap: "OneMap", documents: Documents, links: Links, cut: Cut, epochs: Epochs
    ) -> None:
        self.onemap, self.documents, self.links = onemap, documents, links
        self.cut, self.epochs = cut, epochs
        self.total = cut.parcel_area

    def _on(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        on = np.zeros(len(self.cut.area), dtype=bool)
        on[self.links.piece[chosen]] = True
        return on

    def _complete(self, role: str) -> NDArray[np.bool_]:
        return completeness(self.onemap, role, self.epochs)[self.cut.parcel_patch]

    def _causes(self, roles: tuple[str, ...], certain: Floats, possible: Floats) -> Any:
        missing = all(r not in self.onemap.layers for r in roles)
        rest = CAUSE["layer"] if missing else CAUSE["incomplete"]
        return np.where(possible > certain, CAUSE["date"], rest)

    def coverage(self, name: str, own: Passed) -> list[FactColumn]:
        role = TESTS[name][0]
        certain = self.cut.by_parcel(np.where(self._on(own.certain), self.cut.area, 0.0))
        possible = self.cut.by_parcel(np.where(self._on(own.possible), self.cut.area, 0.0))
        high = np.where(self._complete(role), possible, self.total)
        source = layer_source(self.onemap, role)
        keys = keys_by_parcel(self.documents, self.links, self.cut, np.flatnonzero(own.possible))
        dates = ("applied",) if name == "application" else SHOWN_DATES[role]
        return [
            FactColumn.bounded(
                f"{name}_share",
                certain / self.total,
                high / self.total,
                cause=self._causes((role,), certain, possible),
                source=source,
                features=keys,
            ),
            FactColumn.documents(f"{name}_documents", keys, self._shown(dates), source=source),
        ]

    def _shown(self, dates: tuple[str, ...] | None) -> Callable[[int], tuple[str, str]]:
        """Return what writes (number, dates) of a document; dates None: the usual of its role."""
        documents = self.documents
        return lambda i: (documents.named(i), _shown_dates(documents, i, dates))

    def uncovered(self, name: str, own: Passed, cropland: Cropland) -> FactColumn:
        role = TESTS[name][0]
        low = self.cut.by_parcel(np.where(self._on(own.possible), 0.0, cropland.low))
        high = self.cut.by_parcel(np.where(self._on(own.certain), 0.0, cropland.high))
        low = np.where(self._complete(role), low, 0.0)
        return FactColumn.bounded(
            f"{name}_uncovered_cropland",
            low,
            high,
            cause=CAUSE["class"] if "landuse" in self.onemap.layers else CAUSE["layer"],
            source=layer_source(self.onemap, role, "landuse"),
        )

    def patch_coverage(self, name: str, parts: list[tuple[str, Passed]]) -> list[FactColumn]:
        roles = tuple(role for role, _ in parts)
        sure = np.logical_or.reduce([p.certain for _, p in parts])
        maybe = np.logical_or.reduce([p.possible for _, p in parts])
        whole = self.cut.by_patch(self.cut.area)
        certain = self.cut.by_patch(np.where(self._on(sure), self.cut.area, 0.0))
        possible = self.cut.by_patch(np.where(self._on(maybe), self.cut.area, 0.0))
        complete = np.logical_and.reduce([self._complete(r) for r in roles])
        source = layer_source(self.onemap, *roles)
        by_patch = Cut(
            self.cut.area,
            self.cut.patch,
            self.cut.patch,
            np.arange(self.cut.n_patches),
            self.cut.n_patches,
        )
        keys = keys_by_parcel(self.documents, self.links, by_patch, np.flatnonzero(maybe))
        keys = keys.take(self.cut.parcel_patch)
        dates = ("applied",) if name == "patch_application" else None
        return [
            FactColumn.bounded(
                f"{name}_share",
                certain / whole,
                np.where(complete, possible, whole) / whole,
                cause=self._causes(roles, certain, possible),
                source=source,
                features=keys,
            ),
            FactColumn.documents(f"{name}_documents", keys, self._shown(dates), source=source),
        ]

    def _pairs(self, own: Passed) -> KeyLists:
        """Return the documents that may pass, per parcel."""
        return keys_by_parcel(self.documents, self.links, self.cut, np.flatnonzero(own.possible))

    def compatibility(self, own: Passed, use: NDArray[np.object_]) -> FactColumn:
        """Return whether the use now is the approved one, unknown where either is not told."""
        pairs = self._pairs(own)
        approved = self.documents.columns["use"][pairs.members]
        clear = _tells_use(approved)
        n, owner = len(use), pairs.owner
        same = np.bincount(owner, weights=approved == use[owner], minlength=n) > 0
        unclear = np.bincount(owner, weights=~clear, minlength=n) > 0
        told = _tells_use(use) & (np.diff(pairs.offsets) > 0)
        low = (told & same).astype(np.float64)
        high = 1.0 - (told & ~same & ~unclear)
        source = layer_source(self.onemap, "approval")
        return FactColumn.bounded("use_compatible", low, high, cause=CAUSE["use"], source=source)

    def ends(self, name: str, role: str, own: Passed) -> list[FactColumn]:
        """Return the latest end of the permits on each parcel, and a year later."""
        pairs = self._pairs(own)
        days, owner = self.documents.columns["valid_to"][pairs.members], pairs.owner
        low = np.full(len(self.total), -np.inf)
        np.fmax.at(low, owner, days)
        open_end = np.bincount(owner, weights=np.isnan(days), minlength=len(low)) > 0
        low[np.isinf(low)] = np.nan
        high = np.where(open_end, np.nan, low)
        source = layer_source(self.onemap, role)
        out = [FactColumn.bounded(name, low, high, cause=CAUSE["date"], source=source)]
        if role == "temporary":
            later = [np.array([_next_year(d) for d in x]) for x in (low, high)]
            out.append(
                FactColumn.bounded("reclaim_until", *later, cause=CAUSE["date"], source=source)
            )
        return out

    def filed_area(self, own: Passed) -> list[FactColumn]:
        """Return the sum of the filed areas on each parcel, and by how much it is exceeded."""
        pairs, n = self._pairs(own), len(self.total)
        areas = np.floor(self.documents.columns["area_m2"][pairs.members] * 100.0 + 0.5)
        low, high = (
            np.bincount(pairs.owner, weights=w, minlength=n).astype(np.float64)
            for w in (np.nan_to_num(areas), areas)
        )
        high[np.diff(pairs.offsets) == 0] = np.nan
        source = layer_source(self.onemap, "facility")
        over = np.maximum(self.total - high, 0.0), np.maximum(self.total - low, 0.0)
        paper = CAUSE["paper"]
        return [
            FactColumn.bounded("filed_area", low, high, cause=paper, source=source),
            FactColumn.bounded(
                "over_filed_area", np.nan_to_num(over[0]), over[1], cause=paper, source=source
            ),
        ]


def _tells_use(codes: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Tell which codes name a use that can agree or disagree with another."""
    clear = [u for u in uses() if u not in UNTOLD_USES]
    return np.isin(codes.astype(str), clear)


def document_date(documents: Documents, document: int, field: str | None = None) -> dt.date | None:
    """Return the civil date of a document: the named one, or the first of those that name it."""
    role = str(documents.role[document])
    name = field or next(iter(SHOWN_DATES.get(role, ())), "date")
    day = documents.columns[name][document]
    return None if np.isnan(day) else dt.date.fromordinal(int(day))


def _shown_dates(documents: Documents, document: int, fields: tuple[str, ...] | None = None) -> str:
    """Return the dates that name a document, in ISO form: its own, or those of its term."""
    names = fields or SHOWN_DATES.get(str(documents.role[document]), ())
    days = [document_date(documents, document, n) for n in names]
    texts = ["" if d is None else d.isoformat() for d in days]
    return " – ".join(texts) if any(texts) else ""


def _next_year(day: float) -> float:
    if np.isnan(day):
        return day
    date = dt.date.fromordinal(int(day))
    if date.year >= dt.MAXYEAR:
        return day
    last = date.month == 2 and date.day == 29
    return float(date.replace(year=date.year + 1, day=28 if last else date.day).toordinal())
