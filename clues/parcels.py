"""Parcels: a patch divided on one line of judgement, one set of documents per parcel.

How an inspector divides a patch, and so does this module:

* What is covered by the same documents is one parcel, also in several places.
* Where documents of one role with the same effect (date class, use) overlap, the one with more of
  the patch counts; the overlap is no parcel of its own. Documents of different effect stay apart:
  a late approval over an early one must not hide it.
* If one set of documents covers at least τ of the patch and little cropland is left over, the
  patch is one parcel. If only an uncovered rest that small is left, the rest joins its neighbours.
* A part below 0.01 mu, the tolerance of area comparison, joins its neighbour.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from clues.layers import OneMap
from clues.overlay import Pieces
from clues.slivers import shared_borders
from configs.vocabulary import Line

__all__ = ["LINE_ROLES", "Parcels", "partition"]

LINE_ROLES: dict[Line, tuple[str, ...]] = {
    Line.LAND: (
        "approval",
        "supply",
        "registration",
        "approved_unbuilt",
        "project",
        "temporary",
        "facility",
    ),
    Line.MINING: ("mining_right",),
    Line.RESERVE: ("reserve",),
    Line.CROPLAND_USE: (),
}
"""Roles whose features divide patches on a line."""

DECISIVE_DATE = {"temporary": "valid_to", "mining_right": "valid_to", "facility": "filed"}
"""Date field that decides what a document is worth; `date` for other roles."""

DM2_PER_MU = 200_000 / 3

Ints = NDArray[np.int64]
Signature = tuple[int, ...]


@dataclass(frozen=True)
class Parcels:
    """Parcels of patches on one line, ordered by patch and number.

    Attributes
    ----------
    line : Line
    patch : ndarray of int64, shape (n,)
        Row of the patch table.
    parcel_no : ndarray of int64, shape (n,)
        From 1 in each patch: parcels with documents first, larger first, then north-west.
    area_dm2 : ndarray of int64, shape (n,)
        The parcels of a patch sum up to its area, exactly.
    documents : list of tuple of str
        Sorted keys of the documents each parcel stands on.
    of_piece : ndarray of int64, shape (pieces,)
        Parcel of each piece.
    """

    line: Line
    patch: Ints
    parcel_no: Ints
    area_dm2: Ints
    documents: list[tuple[str, ...]]
    of_piece: Ints

    def __len__(self) -> int:
        return len(self.patch)

    @cached_property
    def pieces(self) -> list[Ints]:
        """Indices of the pieces of each parcel, ascending."""
        order = np.argsort(self.of_piece, kind="stable")
        ends = np.cumsum(np.bincount(self.of_piece, minlength=len(self.patch)))
        return np.split(order, ends[:-1]) if len(self.patch) else []

    def outlines(self, pieces: Pieces) -> NDArray[np.object_]:
        """Return the geometry of each parcel: the patch itself where it is not divided."""
        geometry = pieces.patches.geometry.to_numpy()[self.patch].copy()
        divided = np.bincount(self.patch, minlength=1)[self.patch] > 1
        for i in np.flatnonzero(divided):
            parts = pieces.geometry[self.pieces[i]]
            whole = parts[0] if len(parts) == 1 else shapely.normalize(shapely.union_all(parts))
            geometry[i] = whole
        return np.asarray(geometry)


def partition(
    pieces: Pieces,
    onemap: OneMap,
    line: Line,
    *,
    tau: float = 0.95,
    uncovered_cropland_mu: float = 0.5,
    min_parcel_mu: float = 0.01,
) -> Parcels:
    """Divide the patches of `pieces` on one line.

    Parameters
    ----------
    pieces : Pieces
    onemap : OneMap
        The One-Map the pieces were cut with.
    line : Line
    tau : float
        Share of a patch, 0–1, from which one set of documents stands for all of it …
    uncovered_cropland_mu : float
        … if the cropland outside (gross) is below this.
    min_parcel_mu : float
        A smaller part joins its neighbour.

    Returns
    -------
    Parcels
    """
    entries = _documents(pieces, onemap, Line(line))
    signature = _signatures(entries, len(pieces))
    group = _groups(pieces.patch, signature)
    crop = np.where(_is_cropland(pieces, onemap), pieces.area_dm2, 0)
    several = np.flatnonzero(_group_counts(pieces.patch, group) > 1)
    tolerance = (tau, uncovered_cropland_mu * DM2_PER_MU, min_parcel_mu * DM2_PER_MU)
    bounds = np.searchsorted(pieces.patch, [several, several + 1])
    for start, stop in bounds.T:
        part = slice(start, stop)
        covered = np.array([bool(s) for s in signature[part]])
        group[part] = _settled(
            group[part],
            covered,
            pieces.area_dm2[part],
            crop[part],
            pieces.geometry[part],
            tolerance,
        )
    return _numbered(pieces, Line(line), group, signature, entries)


def _documents(pieces: Pieces, onemap: OneMap, line: Line) -> pd.DataFrame:
    """Return one row per piece and covering document: piece, patch, feature, effect, area."""
    role = pieces.features["role"].to_numpy(dtype=object)[pieces.feature]
    wanted = np.flatnonzero(np.isin(role, LINE_ROLES[line]))
    piece, feature = pieces.owner[wanted], pieces.feature[wanted]
    entries = pd.DataFrame({"piece": piece, "patch": pieces.patch[piece], "feature": feature})
    entries["area"] = pieces.area_dm2[piece]
    entries["effect"] = _effects(entries, pieces, onemap)
    return entries


def _effects(entries: pd.DataFrame, pieces: Pieces, onemap: OneMap) -> Ints:
    """Return a number for role, date class and use: what a document is worth to a patch."""
    names = pd.DataFrame({"role": "", "date": -1, "word": ""}, index=entries.index)
    features = pieces.features.iloc[entries["feature"]]
    names["role"] = features["role"].to_numpy(dtype=object)
    position = features["position"].to_numpy(dtype=np.int64)
    for role in sorted(set(names["role"])):
        rows = np.flatnonzero(names["role"] == role)
        table = onemap.layers[role].table.iloc[position[rows]]
        date = DECISIVE_DATE.get(role, "date")
        if date in table:
            days = _days(table[date])
            before = _days(pieces.patches["before_from"])[entries["patch"].iloc[rows]]
            after = _days(pieces.patches["after_to"])[entries["patch"].iloc[rows]]
            names.iloc[rows, 1] = np.where(
                days < 0, -1, (days > before).astype(int) + (days > after)
            )
            if date == "valid_to":
                names.iloc[rows, 1] = np.where(days < 0, -1, days >= after)
        word = next((w for w in ("use", "kind") if w in table), None)
        if word:
            names.iloc[rows, 2] = table[word].fillna("").to_numpy(dtype=object)
    return np.asarray(names.groupby(["role", "date", "word"]).ngroup(), dtype=np.int64)


def _days(dates: Any) -> Ints:
    """Return day numbers of civil dates; −1 for a missing one."""
    return np.array([d.toordinal() if d == d and d is not None else -1 for d in dates], np.int64)


def _signatures(entries: pd.DataFrame, count: int) -> NDArray[np.object_]:
    """Return for each piece the features that stand for its documents, one per effect.

    Among overlapping documents of one effect the one with the largest area in the patch stands
    for them; among equals the first key.
    """
    entries["in_patch"] = entries.groupby(["patch", "feature"])["area"].transform("sum")
    ranked = entries.sort_values(
        ["piece", "effect", "in_patch", "feature"], ascending=[True, True, False, True]
    )
    chosen = ranked.drop_duplicates(["piece", "effect"]).sort_values(["piece", "feature"])
    signature: NDArray[np.object_] = np.empty(count, dtype=object)
    signature.fill(())
    feature = chosen["feature"].tolist()
    piece, start = np.unique(chosen["piece"].to_numpy(), return_index=True)
    ends = np.append(start[1:], len(feature))
    for i, a, b in zip(piece, start, ends[: len(piece)], strict=True):
        signature[i] = tuple(feature[a:b])
    return signature


def _groups(patch: Ints, signature: NDArray[np.object_]) -> Ints:
    """Return for each piece the first piece of its patch with the same signature."""
    first: dict[tuple[int, Signature], int] = {}
    pairs = zip(patch.tolist(), signature, strict=True)
    return np.array([first.setdefault(p, i) for i, p in enumerate(pairs)], dtype=np.int64)


def _group_counts(patch: Ints, group: Ints) -> Ints:
    """Return the number of groups by patch."""
    first = np.unique(group)
    return np.bincount(patch[first], minlength=1).astype(np.int64)


def _is_cropland(pieces: Pieces, onemap: OneMap) -> NDArray[np.bool_]:
    result = np.zeros(len(pieces), dtype=bool)
    if "landuse" in onemap.layers:
        rows = np.flatnonzero(
            pieces.features["role"].to_numpy(dtype=object)[pieces.feature] == "landuse"
        )
        position = pieces.features["position"].to_numpy(dtype=np.int64)[pieces.feature[rows]]
        group = onemap.layers["landuse"].table["group"].to_numpy(dtype=object)[position]
        result[pieces.owner[rows[group == "cropland"]]] = True
    return result


def _settled(
    group: Ints,
    covered: NDArray[np.bool_],
    area: Ints,
    crop: Ints,
    geometry: NDArray[np.object_],
    tolerance: tuple[float, float, float],
) -> Ints:
    """Return the groups of one patch after small rests have joined, see the module's rules."""
    tau, crop_limit, small = tolerance
    total = int(area.sum())
    names, local = np.unique(group, return_inverse=True)
    size = np.bincount(local, weights=area)
    has_documents = np.zeros(len(names), dtype=bool)
    has_documents[local[covered]] = True
    if has_documents.any():
        main = int(np.argmax(np.where(has_documents, size, -1)))
        outside = local != main
        if size[main] >= tau * total and crop[outside].sum() < crop_limit:
            return np.full_like(group, names[main])
    border: NDArray[np.float64] | None = None
    rest = ~covered
    local = local.copy()
    if (
        has_documents.any()
        and area[rest].sum() <= (1 - tau) * total
        and crop[rest].sum() < crop_limit
    ):
        border = shared_borders(geometry)
        to = border @ (np.eye(len(names))[local] * covered[:, None])
        local[rest] = np.lexsort((-np.broadcast_to(size, to.shape), -to), axis=1)[rest, 0]
    while True:
        size = np.bincount(local, weights=area, minlength=len(names))
        alive = np.flatnonzero(np.bincount(local, minlength=len(names)))
        tiny = alive[size[alive] < small]
        if len(alive) < 2 or not len(tiny):
            return names[local]
        border = shared_borders(geometry) if border is None else border
        least = tiny[np.lexsort((tiny, size[tiny]))[0]]
        to = (border[local == least] @ np.eye(len(names))[local]).sum(axis=0)
        others = alive[alive != least]
        best = others[np.lexsort((others, -size[others], -to[others]))[0]]
        local[local == least] = best


def _numbered(
    pieces: Pieces,
    line: Line,
    group: Ints,
    signature: NDArray[np.object_],
    entries: pd.DataFrame,
) -> Parcels:
    """Make numbered parcels of the groups of pieces, and name their documents."""
    first, parcel = np.unique(group, return_inverse=True)
    patch = pieces.patch[first]
    size = np.zeros(len(first), dtype=np.int64)
    np.add.at(size, parcel, pieces.area_dm2)
    north_west = np.full(len(first), len(pieces))
    np.minimum.at(north_west, parcel, np.arange(len(pieces)))
    bare = np.array([not signature[i] for i in first], dtype=bool)
    order = np.lexsort((north_west, -size, bare, patch))
    rank = np.empty(len(first), dtype=np.int64)
    rank[order] = np.arange(len(first))
    patch = patch[order]
    starts = np.searchsorted(patch, patch)
    own = [signature[p] == signature[g] for p, g in enumerate(group)]
    mine = entries[np.array(own, dtype=bool)[entries["piece"]]]
    keys = pieces.features["key"].to_numpy(dtype=object)[mine["feature"]]
    named = pd.DataFrame({"parcel": rank[parcel[mine["piece"]]], "key": keys}).drop_duplicates()
    documents: list[tuple[str, ...]] = [()] * len(first)
    for number, key in named.sort_values(["parcel", "key"]).itertuples(index=False):
        documents[number] = (*documents[number], key)
    return Parcels(
        line, patch, np.arange(len(patch)) - starts + 1, size[order], documents, rank[parcel]
    )
