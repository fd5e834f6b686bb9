"""Facts of the papers: coverage by documents that pass a date test, their dates, areas and uses."""

import datetime as dt
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clues.coverage import TESTS, Documents, Epochs, Links, Passed, passed
from clues.facts import FactColumn, KeyLists
from clues.ground import (
    CAUSE,
    Cropland,
    Cut,
    completeness,
    cropland_of,
    keys_by_parcel,
    layer_source,
)
from clues.nearby import MAYBE_FACILITY, FiledUse
from configs.vocabulary import uses

if TYPE_CHECKING:
    from clues.layers import OneMap

__all__ = ["SHOWN_DATES", "document_date", "paper_facts", "shown_dates"]

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
    "unbuilt_before",
    "project_before",
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
    "approved_unbuilt": ("date",),
    "project": ("date",),
    "reserve": (),
    "restoration": ("date",),
    "former_clue": ("date",),
}
UNDATED = ("redline", "reserve")
"""Roles that are named by words instead of dates."""
ROUNDING_DM2 = 100.0
"""Two ways to add up one area may differ by this much."""
UNTOLD_USES = ("building", "hardened", "moved_earth", "work_camp", "unknown", "bare", "unchanged")
"""Uses now that fit any approved use: a building site is not yet a use."""


def paper_facts(
    onemap: "OneMap",
    patches: Any,
    documents: Documents,
    links: Links,
    cut: Cut,
    epochs: Epochs,
    filed: FiledUse,
) -> dict[tuple[str, ...], Callable[[], list[FactColumn]]]:
    """Return what makes the facts of documents for the parcels of one line, by their names."""
    view = _View(onemap, documents, links, cut, epochs)
    use = patches["use"].fillna("").to_numpy(dtype=object)[cut.parcel_patch]
    makers: dict[tuple[str, ...], Callable[[], list[FactColumn]]] = {
        (f"{name}_share", f"{name}_documents"): partial(view.coverage, name)
        for name in TESTS
        if name != "registration_by_after"
    }
    makers |= {(f"{name}_uncovered_cropland",): partial(view.uncovered, name) for name in UNCOVERED}
    makers |= {
        (f"{name}_share", f"{name}_documents"): partial(view.patch_coverage, name, tests)
        for name, tests in PATCH_TESTS.items()
    }
    makers["redline_documents",] = partial(view.lying_on, "redline")
    makers["use_compatible",] = partial(view.compatibility, use)
    makers["temporary_end", "reclaim_until"] = partial(view.ends, "temporary", "temporary_end")
    makers["mining_end",] = partial(view.ends, "mining", "mining_end")
    makers["filed_area", "filing_used_area", "over_filed_area"] = partial(
        view.filed_area, filed, use
    )
    return makers


class _View:
    """The tables every fact of documents is made from."""

    def __init__(
        self, onemap: "OneMap", documents: Documents, links: Links, cut: Cut, epochs: Epochs
    ) -> None:
        self.onemap, self.documents, self.links = onemap, documents, links
        self.cut, self.epochs = cut, epochs
        self.total = cut.parcel_area
        self._passed: dict[str, Passed] = {}

    def passed(self, name: str) -> Passed:
        if name not in self._passed:
            self._passed[name] = passed(
                name, self.documents, self.links, self.epochs, self.cut.patch
            )
        return self._passed[name]

    @cached_property
    def cropland(self) -> Cropland:
        return cropland_of(self.onemap, self.documents, self.links, self.cut)

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

    def coverage(self, name: str) -> list[FactColumn]:
        role, own = TESTS[name][0], self.passed(name)
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
        return lambda i: (documents.named(i), shown_dates(documents, i, dates))

    def lying_on(self, role: str) -> list[FactColumn]:
        """Return the features of a role on each parcel, whatever their dates."""
        rows = self.documents.links_of(role, self.links)
        keys = keys_by_parcel(self.documents, self.links, self.cut, rows)
        source = layer_source(self.onemap, role)
        return [FactColumn.documents(f"{role}_documents", keys, self._shown(None), source=source)]

    def uncovered(self, name: str) -> list[FactColumn]:
        role, own, cropland = TESTS[name][0], self.passed(name), self.cropland
        low = self.cut.by_parcel(np.where(self._on(own.possible), 0.0, cropland.low))
        high = self.cut.by_parcel(np.where(self._on(own.certain), 0.0, cropland.high))
        low = np.where(self._complete(role), low, 0.0)
        undated = self._undated(own)
        rest = CAUSE["class"] if "landuse" in self.onemap.layers else CAUSE["layer"]
        column = FactColumn.bounded(
            f"{name}_uncovered_cropland",
            low,
            high,
            cause=np.where(undated, CAUSE["date"], rest),
            source=layer_source(self.onemap, role, "landuse"),
        )
        return [column]

    def _undated(self, own: Passed) -> NDArray[np.bool_]:
        """Tell on which parcels lies a document whose date leaves open whether it passes."""
        doubtful = self._on(own.possible) & ~self._on(own.certain)
        return self.cut.by_parcel(np.where(doubtful, self.cut.area, 0.0)) > 0

    def patch_coverage(self, name: str, tests: tuple[str, ...]) -> list[FactColumn]:
        roles, parts = tuple(TESTS[t][0] for t in tests), [self.passed(t) for t in tests]
        sure = np.logical_or.reduce([p.certain for p in parts])
        maybe = np.logical_or.reduce([p.possible for p in parts])
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

    def compatibility(self, use: NDArray[np.object_]) -> list[FactColumn]:
        """Return whether the use now is the approved one, unknown where either is not told."""
        pairs = self._pairs(self.passed("approval_before"))
        approved = self.documents.columns["use"][pairs.members]
        clear = _tells_use(approved)
        n, owner = len(use), pairs.owner
        same = np.bincount(owner, weights=approved == use[owner], minlength=n) > 0
        unclear = np.bincount(owner, weights=~clear, minlength=n) > 0
        told = _tells_use(use) & (np.diff(pairs.offsets) > 0)
        low = (told & same).astype(np.float64)
        high = 1.0 - (told & ~same & ~unclear)
        source = layer_source(self.onemap, "approval")
        cause = CAUSE["use"]
        return [FactColumn.bounded("use_compatible", low, high, cause=cause, source=source)]

    def ends(self, test: str, name: str) -> list[FactColumn]:
        """Return the latest end of the permits on each parcel, and a year later."""
        role, pairs = TESTS[test][0], self._pairs(self.passed(test))
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

    def filed_area(self, filed: FiledUse, use: NDArray[np.object_]) -> list[FactColumn]:
        """Return the filed area of each parcel, what is used of it, and by how much that is over.

        All farm facilities of the run inside a filing count together: a filing is used up by
        its neighbours too.
        """
        own = self.passed("facility_filed").possible
        pairs, n = self._pairs(self.passed("facility_filed")), len(self.total)
        areas = np.floor(self.documents.columns["area_m2"][pairs.members] * 100.0 + 0.5)
        inside = self.cut.by_parcel(_link_areas(self.cut, self.links, own))
        known = uses()
        sure = np.array([u in known and known[u].group == "facility" for u in use], dtype=bool)
        maybe = sure | np.isin(use.astype(str), MAYBE_FACILITY)

        def summed(weights: Floats) -> Floats:
            sums = np.bincount(pairs.owner, weights=weights, minlength=n)
            return sums.astype(np.float64)

        low, high = summed(np.nan_to_num(areas)), summed(areas)
        high[np.diff(pairs.offsets) == 0] = np.nan
        others = [
            np.maximum(summed(total[pairs.members]) - np.where(mine, inside, 0.0), 0.0)
            for total, mine in ((filed.certain, sure), (filed.possible, maybe))
        ]
        others = [np.where(o < ROUNDING_DM2, 0.0, o) for o in others]
        used = self.total + others[0], self.total + others[1]
        over = np.maximum(used[0] - high, 0.0), np.maximum(used[1] - low, 0.0)
        columns = {
            "filed_area": (low, high),
            "filing_used_area": used,
            "over_filed_area": (np.nan_to_num(over[0]), over[1]),
        }
        source, cause = layer_source(self.onemap, "facility"), CAUSE["paper"]
        return [
            FactColumn.bounded(name, *bounds, cause=cause, source=source)
            for name, bounds in columns.items()
        ]


def _link_areas(cut: Cut, links: Links, chosen: NDArray[np.bool_]) -> Floats:
    """Return per piece its area times the number of chosen documents on it."""
    count = np.bincount(links.piece[chosen], minlength=len(cut.area))
    return np.asarray(cut.area * count, dtype=np.float64)


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


def shown_dates(documents: Documents, document: int, fields: tuple[str, ...] | None = None) -> str:
    """Return the dates that name a document, in ISO form: its own, or those of its term.

    What has no dates is named by its name, kind and status; a term without end stays open.
    """
    if documents.role[document] in UNDATED:
        words = [documents.columns[name][document] for name in ("name", "kind", "status")]
        return ", ".join(str(w) for w in words if w is not None and w == w)
    names = fields or SHOWN_DATES.get(str(documents.role[document]), ())
    days = [document_date(documents, document, n) for n in names]
    texts = ["" if d is None or d == dt.date.max else d.isoformat() for d in days]
    return " – ".join(texts).rstrip() if any(texts) else ""


def _next_year(day: float) -> float:
    if np.isnan(day):
        return day
    date = dt.date.fromordinal(int(day))
    if date.year >= dt.MAXYEAR:
        return day
    last = date.month == 2 and date.day == 29
    return float(date.replace(year=date.year + 1, day=28 if last else date.day).toordinal())
