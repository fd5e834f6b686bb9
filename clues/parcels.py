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
from numpy.typing import NDArray

from clues.layers import OneMap
from clues.overlay import Pieces, grid_of
from clues.slivers import merged, shared_borders, strongest
from configs.vocabulary import Line

__all__ = ["DM2_PER_MU", "LINE_ROLES", "Parcels", "partition"]

LINE_ROLES: dict[str, tuple[str, ...]] = {
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
    Line.RESTORATION: ("restoration",),
}
"""Roles whose features divide patches on a line, unless a rule set names others."""

DECISIVE_DATE = {"temporary": "valid_to", "mining_right": "valid_to", "facility": "filed"}
"""Date field that decides what a document is worth; `date` for other roles."""

DM2_PER_MU = 200_000 / 3
"""1 mu = 2000/3 m², in 0.01 m²."""

Ints = NDArray[np.int64]
Signature = tuple[int, ...]


@dataclass(frozen=True)
class Parcels:
    """Parcels of patches on one line, ordered by patch and number.

    Attributes
    ----------
    line : str
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

    line: str
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
        parts = np.flatnonzero(divided[self.of_piece])
        geometry[divided] = merged(
            pieces.geometry[parts], self.of_piece[parts], grid_of(str(pieces.patches.crs))
        )
        return np.asarray(geometry)


def partition(
    pieces: Pieces,
    onemap: OneMap,
    line: str,
    *,
    documents: tuple[str, ...] | None = None,
    tau: Any = 0.95,
    uncovered_cropland_mu: float = 0.5,
    min_parcel_mu: float = 0.01,
) -> Parcels:
    """Divide the patches of `pieces` on one line.

    Parameters
    ----------
    pieces : Pieces
    onemap : OneMap
        The One-Map the pieces were cut with.
    line : str
        Name of the line.
    documents : tuple of str, optional
        Roles whose features divide patches; those of `LINE_ROLES` if not given.
    tau : float or ndarray of float64, shape (patches,)
        Share of a patch, 0–1, from which one set of documents stands for all of it …
    uncovered_cropland_mu : float
        … if the cropland outside (gross) is below this.
    min_parcel_mu : float
        A smaller part joins its neighbour.

    Returns
    -------
    Parcels
    """
    roles = LINE_ROLES.get(line, ()) if documents is None else documents
    entries = _documents(pieces, onemap, roles)
    signature = _signatures(entries, len(pieces))
    group = _groups(pieces.patch, signature)
    crop = np.where(_is_cropland(pieces, onemap), pieces.area_dm2, 0)
    group = _settled(
        group,
        pieces,
        crop,
        np.array([bool(s) for s in signature], dtype=bool),
        tau=tau,
        crop_limit=uncovered_cropland_mu * DM2_PER_MU,
        small=min_parcel_mu * DM2_PER_MU,
    )
    return _numbered(pieces, line, group, signature, entries)


def _documents(pieces: Pieces, onemap: OneMap, roles: tuple[str, ...]) -> pd.DataFrame:
    """Return one row per piece and covering document: piece, patch, feature, effect, area."""
    role = pieces.features["role"].to_numpy(dtype=object)[pieces.feature]
    wanted = np.flatnonzero(np.isin(role, roles))
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
    pieces: Pieces,
    crop: Ints,
    covered: NDArray[np.bool_],
    *,
    tau: Any,
    crop_limit: float,
    small: float,
) -> Ints:
    """Return the groups after small rests have joined, see the rules of the module.

    Parameters
    ----------
    group : ndarray of int64, shape (pieces,)
        First piece of the group.
    crop : ndarray of int64, shape (pieces,)
        Cropland in dm².
    covered : ndarray of bool, shape (pieces,)
        Whether there is any document.
    """
    patch, area, n = pieces.patch, pieces.area_dm2, len(pieces.patches)
    total, total_crop = _sums(patch, area, n), _sums(patch, crop, n)
    size, group_crop = _sums(group, area, len(group)), _sums(group, crop, len(group))
    first = np.unique(group)
    documented = first[covered[first]]
    largest = documented[np.lexsort((documented, -size[documented], patch[documented]))]
    chosen, at = np.unique(patch[largest], return_index=True)
    main = np.full(n, -1)
    main[chosen] = largest[at]
    one = (main >= 0) & (size[main] >= tau * total) & (total_crop - group_crop[main] < crop_limit)
    group = np.where(one[patch], main[patch], group)
    open_area, open_crop = (_sums(patch[~covered], v[~covered], n) for v in (area, crop))
    joins = (main >= 0) & ~one & (open_area <= (1 - tau) * total) & (open_crop < crop_limit)
    tiny = (size[group] < small) & (total[patch] > size[group]) & ~one[patch]
    moving = (joins[patch] & ~covered) | np.isin(patch, patch[tiny])
    if moving.any():
        _join_rests(group, pieces, joins[patch] & ~covered, moving, small)
    return group


def _sums(index: Ints, values: Ints, count: int) -> Ints:
    """Return whole-number sums of values by index."""
    result = np.zeros(count, dtype=np.int64)
    np.add.at(result, index, values)
    return result


def _join_rests(
    group: Ints, pieces: Pieces, rest: NDArray[np.bool_], moving: NDArray[np.bool_], small: float
) -> None:
    """Let uncovered rests, piece by piece, then groups below `small` join neighbours, in place."""
    face, neighbour, length = shared_borders(pieces.geometry, pieces.patch, moving)
    rows = np.searchsorted(face, np.arange(len(group) + 1))

    def borders(members: list[int], *, past_rests: bool) -> dict[int, float]:
        found: dict[int, float] = {}
        for member in members:
            for k in range(rows[member], rows[member + 1]):
                other = int(group[neighbour[k]])
                if other != group[member] and not (past_rests and rest[neighbour[k]]):
                    found[other] = found.get(other, 0.0) + float(length[k])
        return found

    for patch in np.unique(pieces.patch[moving]).tolist():
        start, stop = np.searchsorted(pieces.patch, [patch, patch + 1]).tolist()
        size = dict.fromkeys(sorted(set(group[start:stop].tolist())), 0.0)
        for i in range(start, stop):
            size[int(group[i])] += float(pieces.area_dm2[i])
        open_pieces = [i for i in range(start, stop) if rest[i]]
        if open_pieces:
            kept = [int(group[i]) for i in range(start, stop) if not rest[i]]
            default = min(kept, key=lambda g: (-size[g], g))
            targets = [borders([i], past_rests=True) for i in open_pieces]
            for i, to in zip(open_pieces, targets, strict=True):
                size[int(group[i])] -= float(pieces.area_dm2[i])
                group[i] = strongest(to, size) if to else default
                size[int(group[i])] += float(pieces.area_dm2[i])
        while True:
            alive = [g for g in size if size[g] > 0]
            least = min(alive, key=lambda g: (size[g], g))
            if size[least] >= small or len(alive) < 2:
                break
            members = [i for i in range(start, stop) if group[i] == least]
            to = borders(members, past_rests=False)
            best = strongest(to or dict.fromkeys((g for g in alive if g != least), 0.0), size)
            group[members] = best
            size[best] += size.pop(least)


def _numbered(
    pieces: Pieces,
    line: str,
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
