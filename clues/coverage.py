"""Documents against dates: which pieces are covered by a document that passes a date test.

Construction began in (T1, T2], the two image dates. A document of day d is certainly before it if
d ≤ first day of T1, certainly after it if d > last day of T2, else images cannot tell. The same
holds for "by T2". A missing date cannot be told either.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from clues.layers import OneMap
    from clues.overlay import Pieces

__all__ = ["TESTS", "Documents", "Epochs", "Links", "Passed", "date_days", "passed", "passed_alone"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def date_days(dates: Any) -> Floats:
    """Return civil dates as proleptic day numbers, NaN where missing."""
    return np.array(
        [np.nan if d is None or d != d else d.toordinal() for d in dates], dtype=np.float64
    )


def _is_missing(value: Any) -> bool:
    return value is None or value != value


@dataclass(frozen=True)
class Epochs:
    """First and last day of both dates, one entry per patch (or per link); NaN where unknown."""

    before_from: Floats
    before_to: Floats
    after_from: Floats
    after_to: Floats

    @classmethod
    def of(cls, patches: Any) -> "Epochs":
        """Return the epochs of a patch table."""
        names = ("before_from", "before_to", "after_from", "after_to")
        return cls(*(date_days(patches[n]) for n in names))

    def take(self, rows: NDArray[np.int64]) -> "Epochs":
        """Return the epochs of chosen rows."""
        return Epochs(
            self.before_from[rows], self.before_to[rows], self.after_from[rows], self.after_to[rows]
        )


@dataclass(frozen=True)
class Documents:
    """The features of all roles in one table, in the order of `OneMap.features`.

    Attributes
    ----------
    position : ndarray of int64, shape (n,)
        Row in the table of the role.
    columns : dict of str to ndarray, shape (n,)
        date, applied, filed, valid_from, valid_to as day numbers; area_m2; the texts number,
        kind, use, holder, mark, name, status; renewal.
    """

    role: NDArray[np.object_]
    key: NDArray[np.object_]
    position: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, onemap: "OneMap") -> "Documents":
        """Return the documents of a One-Map."""
        features = onemap.features
        role = features["role"].to_numpy(dtype=object)
        key = features["key"].to_numpy(dtype=object)
        position = features["position"].to_numpy(dtype=np.int64)
        n = len(role)
        columns: dict[str, NDArray[Any]] = {
            name: np.full(n, np.nan)
            for name in ("date", "applied", "filed", "valid_from", "valid_to", "area_m2")
        }
        texts = ("number", "kind", "use", "renewal", "holder", "mark", "name", "status")
        columns |= {name: np.full(n, None) for name in texts}
        for name, layer in onemap.layers.items():
            rows = np.flatnonzero(role == name)
            for field, values in columns.items():
                if field not in layer.table:
                    continue
                own = layer.table[field].to_numpy()[position[rows]]
                is_date = field in ("date", "applied", "filed", "valid_from", "valid_to")
                values[rows] = date_days(own) if is_date else own
        return cls(role, key, position, columns)

    @cached_property
    def _role_number(self) -> tuple[dict[str, int], NDArray[np.int64]]:
        names, number = np.unique(self.role.astype(str), return_inverse=True)
        return {str(n): i for i, n in enumerate(names)}, number.astype(np.int64)

    def links_of(self, role: str, links: "Links") -> NDArray[np.int64]:
        """Return the links to documents of one role."""
        names, number = self._role_number
        return np.flatnonzero(number[links.document] == names.get(role, -1))

    def named(self, document: int) -> str:
        """Return the number of a document, or its id where it has none; a plan zone by its name."""
        number, name = (self.columns[n][document] for n in ("number", "name"))
        if self.role[document] == "plan" and not _is_missing(name):
            return f"{'' if _is_missing(number) else number} {name}".strip()
        return str(self.key[document]).partition(":")[2] if _is_missing(number) else str(number)


@dataclass(frozen=True)
class Links:
    """Which document lies on which piece; parallel arrays, ordered by piece, then key."""

    piece: NDArray[np.int64]
    document: NDArray[np.int64]

    @classmethod
    def of(cls, pieces: "Pieces") -> "Links":
        """Return the links of the pieces of a batch; features and documents have one order."""
        return cls(pieces.owner, pieces.feature)


@dataclass(frozen=True)
class Passed:
    """Per link: whether the document passes for certain, and whether it may pass."""

    certain: Bools
    possible: Bools


def _le(day: Floats, first: Floats, last: Floats) -> Passed:
    """Compare day ≤ T, where T lies in [first, last]: certain, possible."""
    return Passed(day <= first, ~(day > last))


def _ge(day: Floats, first: Floats, last: Floats) -> Passed:
    return Passed(day >= last, ~(day < first))


def _both(a: Passed, b: Passed) -> Passed:
    return Passed(a.certain & b.certain, a.possible & b.possible)


def _before(day: Floats, t: Epochs) -> Passed:
    """Dated before construction began."""
    return _le(day, t.before_from, t.after_to)


def _by_after(day: Floats, t: Epochs) -> Passed:
    return _le(day, t.after_from, t.after_to)


def _after(day: Floats, t: Epochs) -> Passed:
    """Dated after the later image for certain."""
    return Passed(day > t.after_to, day > t.after_to)


def _in_force(c: dict[str, Any], t: Epochs) -> Passed:
    return _both(_before(c["valid_from"], t), _ge(c["valid_to"], t.after_from, t.after_to))


def _kind(c: dict[str, Any], kind: str) -> Passed:
    own = np.array([k == kind for k in c["kind"]], dtype=bool)
    return Passed(own, own)


def _always(n: int) -> Passed:
    return Passed(np.ones(n, dtype=bool), np.ones(n, dtype=bool))


def _mining_valid(c: dict[str, Any], t: Epochs) -> Passed:
    accepted = np.array([r is True for r in c["renewal"]], dtype=bool)
    end = _ge(c["valid_to"], t.after_from, t.after_to)
    end = Passed(end.certain | accepted, end.possible | accepted)
    return _both(_kind(c, "mining"), _both(_before(c["valid_from"], t), end))


def _numbered(c: dict[str, Any]) -> Passed:
    """Whether the paper has a number: without one it proves nothing."""
    own = np.array([not _is_missing(n) and bool(str(n).strip()) for n in c["number"]], dtype=bool)
    return Passed(own, own)


def _unbuilt(c: dict[str, Any], t: Epochs) -> Passed:
    """Approved before construction began, and not marked W (built before approval, this year)."""
    own = np.array([str(m).strip().upper() != "W" for m in c["mark"]], dtype=bool)
    return _both(Passed(own, own), _before(c["date"], t))


Test = Callable[[dict[str, Any], Epochs], Passed]

TESTS: dict[str, tuple[str, Test]] = {
    "approval_before": ("approval", lambda c, t: _before(c["date"], t)),
    "approval_by_after": ("approval", lambda c, t: _by_after(c["date"], t)),
    "approval_late": ("approval", lambda c, t: _after(c["date"], t)),
    "application": ("approval", lambda c, t: _by_after(c["applied"], t)),
    "supply_before": ("supply", lambda c, t: _before(c["date"], t)),
    "supply_by_after": ("supply", lambda c, t: _by_after(c["date"], t)),
    "registration_before": ("registration", lambda c, t: _before(c["date"], t)),
    "registration_by_after": ("registration", lambda c, t: _by_after(c["date"], t)),
    "temporary": ("temporary", lambda c, t: _by_after(c["valid_from"], t)),
    "temporary_in_force": ("temporary", _in_force),
    "facility_filed": ("facility", lambda c, t: _by_after(c["filed"], t)),
    "unbuilt_before": ("approved_unbuilt", _unbuilt),
    "project": ("project", lambda c, t: _always(len(c["date"]))),
    "project_before": ("project", lambda c, t: _both(_numbered(c), _before(c["date"], t))),
    "reserve": ("reserve", lambda c, t: _always(len(c["date"]))),
    "restoration": ("restoration", lambda c, t: _by_after(c["date"], t)),
    "mining_valid": ("mining_right", _mining_valid),
    "mining": (
        "mining_right",
        lambda c, t: _both(_kind(c, "mining"), _by_after(c["valid_from"], t)),
    ),
    "exploration": ("mining_right", lambda c, t: _kind(c, "exploration")),
}
"""Name → role and date test of its documents."""


def passed(
    name: str, documents: Documents, links: Links, epochs: Epochs, patch: NDArray[np.int64]
) -> Passed:
    """Return which links pass the named test.

    Parameters
    ----------
    epochs : Epochs
        Of the patches.
    patch : ndarray of int64, shape (pieces,)
        Position of each piece's patch.
    """
    rows = documents.links_of(TESTS[name][0], links)
    own = passed_alone(name, documents, links.document[rows], epochs.take(patch[links.piece[rows]]))
    certain = np.zeros(len(links.piece), dtype=bool)
    possible = np.zeros(len(links.piece), dtype=bool)
    certain[rows], possible[rows] = own.certain, own.possible
    return Passed(certain, possible)


def passed_alone(
    name: str, documents: Documents, chosen: NDArray[np.int64], epochs: Epochs
) -> Passed:
    """Return which chosen documents pass the named test, each against its own epochs."""
    columns = {n: v[chosen] for n, v in documents.columns.items()}
    with np.errstate(invalid="ignore"):
        return TESTS[name][1](columns, epochs)
