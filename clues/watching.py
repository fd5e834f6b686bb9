"""Documents against what was built: area inside per period and together, and what adjoins.

The documents are cut by the built patches of all periods, each document for itself: every piece
knows which patches cover it, so that patches of two periods on one place are counted once.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from clues.coverage import date_days
from clues.layers import LayerTable, OneMap
from clues.overlay import pieces
from configs.layers import LayersFile
from configs.vocabulary import uses
from configs.watching import WatchRules
from tiles.geodesy import DM2_PER_M2, ellipsoidal_area, metres_per_unit

__all__ = ["Built", "Period", "built_in", "watched_documents"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SURE, MAYBE = 2, 1
DOCUMENT_COLUMNS = ("role", "key", "number", "holder", "date", "expires", "renewed", "source")


@dataclass(frozen=True)
class Period:
    """What one run or delivery saw.

    Attributes
    ----------
    name : str
        Folder or file.
    patches : GeoDataFrame
        Patch table.
    first, last : date or None
        Between these days the whole area was watched: the latest first image, the earliest last.
    observed : ndarray of float64, shape (documents,), or None
        Share of each document that could be observed; None where the source does not tell.
    """

    name: str
    patches: Any
    first: dt.date | None
    last: dt.date | None
    observed: Floats | None = None


def watched_documents(onemap: OneMap, rules: WatchRules) -> Any:
    """Return the documents of the watched roles that are on the map, by role, then key."""
    frames = []
    for role, watched in rules.roles.items():
        layer = onemap.layers.get(role)
        if layer is None or not len(layer.table):
            continue
        table = layer.table
        frame = pd.DataFrame({"key": table["key"].to_numpy(dtype=object)})
        frame["role"], frame["source"] = role, f"{layer.spec.name}@{layer.version}"
        for name in ("number", "holder"):
            frame[name] = table[name].to_numpy(dtype=object) if name in table else None
        frame["date"] = _first_told([table[n] for n in watched.date])
        frame["expires"] = _first_told([table[watched.expires]]) if watched.expires else None
        renewed = table[watched.renewal].to_numpy() if watched.renewal else None
        frame["renewed"] = False if renewed is None else [v is True or v == 1 for v in renewed]
        frame["geometry"] = table.geometry.to_numpy()
        frames.append(frame)
    columns = [*DOCUMENT_COLUMNS, "geometry"]
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    documents = gpd.GeoDataFrame(table[columns], geometry="geometry", crs=onemap.crs)
    area = ellipsoidal_area(documents.geometry.to_numpy(), onemap.crs)
    documents["area_dm2"] = np.rint(area * DM2_PER_M2).astype(np.int64)
    return documents


def _first_told(columns: Sequence[Any]) -> list[dt.date | None]:
    told = zip(*columns, strict=True)
    return [next((v for v in row if v is not None and v == v), None) for row in told]


@dataclass(frozen=True)
class Built:
    """What was built in and beside the documents.

    Attributes
    ----------
    documents : GeoDataFrame
    periods : tuple of Period
        In the order of their last image.
    patches : DataFrame
        Patches that are or may be built, of all periods: period, patch_id, use, before_from,
        after_to as day numbers.
    link_piece, link_patch : ndarray of int64, shape (links,)
        Which patch covers which piece of a document.
    sure : ndarray of int64, shape (links,)
        `SURE` where the use of the patch carries the document out, `MAYBE` where it is unknown.
    piece_document, piece_area : ndarray of int64, shape (pieces,)
    outside_dm2, outside_maybe_dm2 : ndarray of int64, shape (documents,)
        Built outside every document of the role, adjoining this one; with what may be built.
    outside_patches : tuple of tuple of int
        The patches behind it, by document.
    """

    documents: Any
    periods: tuple[Period, ...]
    patches: pd.DataFrame
    link_piece: Ints
    link_patch: Ints
    sure: Ints
    piece_document: Ints
    piece_area: Ints
    outside_dm2: Ints
    outside_maybe_dm2: Ints
    outside_patches: tuple[tuple[int, ...], ...]

    @cached_property
    def link_document(self) -> Ints:
        """Document of each link."""
        return self.piece_document[self.link_piece]

    def area(self, chosen: Bools) -> Ints:
        """Return the dm² of each document under any of the chosen links, each place once."""
        covered = np.unique(self.link_piece[chosen])
        areas = self.piece_area[covered].astype(np.float64)
        sums = np.bincount(
            self.piece_document[covered], weights=areas, minlength=len(self.documents)
        )
        return np.asarray(np.rint(sums), dtype=np.int64)

    def by_period(self, least: int = SURE) -> tuple[Ints, Ints]:
        """Return the built dm² (periods, documents) of each period, and of all up to it."""
        period = self.patches["period"].to_numpy(dtype=np.int64)[self.link_patch]
        counted = self.sure >= least
        own = [self.area(counted & (period == t)) for t in range(len(self.periods))]
        together = [self.area(counted & (period <= t)) for t in range(len(self.periods))]
        shape = (len(self.periods), len(self.documents))
        return np.array(own, np.int64).reshape(shape), np.array(together, np.int64).reshape(shape)

    def days(self, name: str) -> Floats:
        """Return a day of the patch of each link as a number."""
        return self.patches[name].to_numpy(dtype=np.float64)[self.link_patch]


def built_in(documents: Any, periods: Sequence[Period], rules: WatchRules) -> Built:
    """Cut the documents by the built patches of all periods.

    Parameters
    ----------
    documents : GeoDataFrame
        Of `watched_documents`.
    periods : sequence of Period
        Patches in the CRS of the documents; of any order.
    rules : WatchRules
    """
    ordered = tuple(sorted(periods, key=lambda p: (p.last or dt.date.max, p.name)))
    patches, shapes = _built_patches(ordered)
    crs = documents.crs.to_string()
    keys = np.array([f"{i:09d}" for i in range(len(patches))], dtype=object)
    table = gpd.GeoDataFrame({"key": keys}, geometry=shapes, crs=documents.crs)
    nothing = pd.DataFrame()
    layer = LayerTable("patch", (), table, nothing, nothing, "", True)
    cut = pieces(documents, OneMap(crs, {"patch": layer}, LayersFile()), min_area_m2=0)
    patch = cut.features["position"].to_numpy(dtype=np.int64)[cut.feature]
    states = _states(documents, patches, rules)
    sure = states[_role_numbers(documents, rules)[cut.patch[cut.owner]], patch]
    kept = sure > 0
    outside = _outside(documents, patches, shapes, states, rules)
    return Built(
        documents,
        ordered,
        patches,
        cut.owner[kept],
        patch[kept],
        sure[kept],
        cut.patch,
        cut.area_dm2,
        *outside,
    )


def _built_patches(periods: Sequence[Period]) -> tuple[pd.DataFrame, NDArray[np.object_]]:
    """Return the patches whose use is built or not known, of all periods."""
    frames, shapes = [], [np.empty(0, dtype=object)]
    known = uses()
    for number, period in enumerate(periods):
        use = period.patches["use"].fillna("unknown").astype(str).to_numpy()
        rows = [i for i, u in enumerate(use) if u == "unknown" or (u in known and known[u].built)]
        own = period.patches.iloc[rows]
        frames.append(
            pd.DataFrame(
                {
                    "period": np.full(len(own), number, dtype=np.int64),
                    "patch_id": own["patch_id"].astype(str).to_numpy(dtype=object),
                    "use": use[rows].astype(object),
                    "before_from": date_days(own["before_from"]),
                    "after_to": date_days(own["after_to"]),
                }
            )
        )
        shapes.append(own.geometry.to_numpy())
    return pd.concat(frames, ignore_index=True), np.concatenate(shapes)


def _role_numbers(documents: Any, rules: WatchRules) -> Ints:
    names = list(rules.roles)
    return np.array([names.index(r) for r in documents["role"]], dtype=np.int64)


def _states(documents: Any, patches: pd.DataFrame, rules: WatchRules) -> Ints:
    """Return for each role and patch whether it carries documents of the role out."""
    use = patches["use"].to_numpy(dtype=object)
    rows = []
    for watched in rules.roles.values():
        wanted = set(watched.uses) or {n for n, u in uses().items() if u.built}
        rows.append([SURE if u in wanted else MAYBE if u == "unknown" else 0 for u in use])
    return np.array(rows, dtype=np.int64).reshape(len(rules.roles), len(use))


def _outside(
    documents: Any, patches: pd.DataFrame, shapes: Any, states: Ints, rules: WatchRules
) -> tuple[Ints, Ints, tuple[tuple[int, ...], ...]]:
    """Return what adjoins each document outside all of its role, and the patches behind it.

    A patch counts for the document it overlaps most; if it overlaps none, for the nearest.
    """
    n = len(documents)
    areas = np.zeros((2, n), dtype=np.int64)
    behind: list[tuple[int, ...]] = [()] * n
    if not n or not len(patches):
        return areas[0], areas[1], tuple(behind)
    crs, outline = documents.crs.to_string(), documents.geometry.to_numpy()
    west, south, east, north = shapely.total_bounds(outline)
    unit = min(metres_per_unit(crs, (west + east) / 2, (south + north) / 2))
    number = _role_numbers(documents, rules)
    for role in sorted(set(number.tolist())):
        rows, own = np.flatnonzero(number == role), np.flatnonzero(states[role])
        reach = rules.adjoining_m / unit
        patch, document = shapely.STRtree(outline[rows]).query(
            shapes[own], predicate="dwithin", distance=reach
        )
        patch, document = own[patch], rows[document]
        inside = shapely.area(shapely.intersection(shapes[patch], outline[document]))
        apart = shapely.distance(shapes[patch], outline[document])
        order = np.lexsort((document, apart, -inside, patch))
        parts: dict[int, list[tuple[int, Any]]] = {}
        for first, group in _runs(patch[order]):
            near = document[order[group]]
            rest = shapely.difference(shapes[first], shapely.union_all(outline[near]))
            if not rest.is_empty:
                parts.setdefault(int(near[0]), []).append((first, rest))
        for row, found in parts.items():
            for level, least in enumerate((SURE, MAYBE)):
                united = shapely.union_all([g for p, g in found if states[role, p] >= least])
                areas[level, row] = round(_square_metres(united, crs) * DM2_PER_M2)
            behind[row] = tuple(p for p, _ in found)
    return areas[0], areas[1], tuple(behind)


def _square_metres(shape: Any, crs: str) -> float:
    parts = [p for p in shapely.get_parts(shape) if p.geom_type in ("Polygon", "MultiPolygon")]
    return float(ellipsoidal_area(np.array(parts, dtype=object), crs).sum()) if parts else 0.0


def _runs(values: Ints) -> list[tuple[int, slice]]:
    """Return each value of a sorted array with the slice where it stands."""
    starts: list[int] = (
        np.flatnonzero(np.r_[True, values[1:] != values[:-1]]).tolist() if len(values) else []
    )
    ends = [*list(starts)[1:], len(values)]
    return [(int(values[a]), slice(int(a), int(b))) for a, b in zip(starts, ends, strict=False)]
