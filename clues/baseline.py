"""Confirmed changes in the land-use layer: parcels cut by outlines, classes after, areas balanced.

The parcels are arranged with the confirmed outlines as patches are with documents. What keeps its
class keeps its number; what has another class, or was cut off, is a parcel of its own with a number
that no parcel had before. The pieces of a parcel sum up to its area, to the last dm².
"""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from clues.layers import LayerTable, OneMap
from clues.overlay import Pieces, apportion, grid_of, pieces
from clues.slivers import merged
from configs.crosswalk import class_of_use, told_class
from configs.layers import LayersFile
from configs.vocabulary import land_class
from tiles.geodesy import DM2_PER_M2, ellipsoidal_area

__all__ = ["CHANGE_COLUMNS", "UNSETTLED_COLUMNS", "Baseline", "Confirmed", "changed_parcels"]

CHANGE_COLUMNS = (
    *("object_id", "clue_no", "former_id", "former_code", "id", "code", "scheme", "area_dm2"),
    *("after", "told_by"),
)
UNSETTLED_COLUMNS = ("object_id", "clue_no", "parcel", "former_code", "use", "told", "why")

AREA = "area_m2"
"""Column of a land-use version with balanced areas."""

SERIAL = re.compile(r"(\d{10})(\d{8})")
"""A BSM: county and layer, then a serial number."""


@dataclass(frozen=True)
class Confirmed:
    """Ground of which people said that it really changed.

    Attributes
    ----------
    geometry : Polygon or MultiPolygon
    after : date
        From when on it was seen.
    use : str
        What the machine takes the land for now, a use code.
    told : str
        Land class or use that people told: a code or a word; "" where they did not.
    """

    object_id: str
    clue_no: str
    geometry: Any
    after: dt.date
    use: str = ""
    told: str = ""


@dataclass(frozen=True)
class Baseline:
    """A land-use table with confirmed changes.

    Attributes
    ----------
    table : GeoDataFrame
        All parcels, with balanced areas in `area_m2`.
    changes : DataFrame
        `CHANGE_COLUMNS`: one row per new parcel; `told_by` is ``people`` or ``machine``.
    unsettled : DataFrame
        `UNSETTLED_COLUMNS`: confirmed changes whose class is not known; they change nothing.
    replaced : tuple of str
        Parcels that were cut and keep their number.
    gone : tuple of str
        Parcels of which nothing is left.
    serials : dict of str to int
        The last number given out, by series: numbers are never used again.
    """

    table: Any
    changes: pd.DataFrame
    unsettled: pd.DataFrame
    replaced: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    serials: dict[str, int] = field(default_factory=dict)


def changed_parcels(
    landuse: Any, confirmed: Sequence[Confirmed], serials: dict[str, int] | None = None
) -> Baseline:
    """Cut land-use parcels by confirmed changes.

    Parameters
    ----------
    landuse : GeoDataFrame
        A version, see `clues.versions.version_table`.
    confirmed : sequence of Confirmed
        In the CRS of `landuse`; where two overlap the later one counts, of equals the one with the
        greater number.
    serials : dict, optional
        As an earlier `Baseline` left them.

    Returns
    -------
    Baseline
        The same for any order of the input. Ground that has its class already stays as it is.
    """
    crs = landuse.crs.to_string()
    landuse = landuse.sort_values("id", ignore_index=True)
    totals = _totals(landuse, crs)
    order = sorted(confirmed, key=lambda c: (c.after, c.object_id))
    numbers = _Numbers(landuse["id"], serials or {})
    near = _near(landuse, order)
    cut = _cut(landuse.iloc[near], totals[near], order, crs)
    target, unsettled = _targets(landuse.iloc[near], cut, order)
    parts = _parts(cut, target, landuse.iloc[near], totals[near], crs)
    table = landuse.assign(**{AREA: totals / DM2_PER_M2})
    if parts.empty:
        return Baseline(table, _frame([], CHANGE_COLUMNS), unsettled, serials=numbers.last)
    fresh, changes = _new_rows(parts, table.iloc[near], order, numbers)
    cut_ids = set(parts["former_id"])
    kept = table[~table["id"].isin(cut_ids)]
    whole = pd.concat([kept, fresh]).sort_values("id", ignore_index=True)
    stays = tuple(sorted(cut_ids & set(fresh["id"])))
    gone = tuple(sorted(cut_ids - set(stays)))
    return Baseline(whole, changes, unsettled, stays, gone, numbers.last)


def _frame(rows: list[Any], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(columns))


def _totals(landuse: Any, crs: str) -> NDArray[np.int64]:
    """Return the dm² of all parcels: as an earlier baseline balanced them, else as drawn."""
    drawn = ellipsoidal_area(landuse.geometry.to_numpy(), crs)
    kept = landuse[AREA].to_numpy(float) if AREA in landuse else np.full(len(landuse), np.nan)
    told = np.where(np.isnan(kept), drawn, kept)
    return np.asarray(np.rint(told * DM2_PER_M2), dtype=np.int64)


class _Numbers:
    """Numbers of new parcels; one that any parcel had is never given out again."""

    def __init__(self, known: Any, serials: dict[str, int]) -> None:
        self.last = dict(serials)
        self.known = set(known)
        for number in self.known:
            series, serial = self._split(number)
            if series is not None:
                self.last[series] = max(self.last.get(series, 0), serial)

    @staticmethod
    def _split(number: str) -> tuple[str | None, int]:
        match = SERIAL.fullmatch(number)
        if match:
            return match[1], int(match[2])
        return ("", int(number)) if number.isdigit() else (None, 0)

    def next(self, parent: str) -> str:
        """Return the next number after the parcel that is cut."""
        series, _ = self._split(parent)
        name = parent if series is None else series
        while True:
            self.last[name] = self.last.get(name, 0) + 1
            if series is None:
                number = f"{parent}-{self.last[name]}"
            else:
                width = 8 if series else len(parent)
                number = f"{series}{self.last[name]:0{width}d}"
            if number not in self.known:
                self.known.add(number)
                return number


def _near(landuse: Any, order: Sequence[Confirmed]) -> NDArray[np.int64]:
    """Return the parcels that meet a confirmed outline."""
    tree = shapely.STRtree(landuse.geometry.to_numpy())
    outlines = np.array([c.geometry for c in order], dtype=object)
    found = tree.query(outlines, predicate="intersects")[1]
    return np.asarray(np.unique(found), dtype=np.int64)


def _cut(parcels: Any, totals: NDArray[np.int64], order: Sequence[Confirmed], crs: str) -> Pieces:
    """Return the pieces of parcels; features are the confirmed outlines in their order."""
    import geopandas as gpd

    keys = pd.Series([f"{i:08d}" for i in range(len(order))], dtype=object)
    outlines = gpd.array.from_shapely(np.array([c.geometry for c in order], dtype=object))
    layer = gpd.GeoDataFrame({"key": keys}, geometry=outlines, crs=crs)
    empty = pd.DataFrame()
    former = LayerTable("former_clue", (), layer, empty, empty, "", True)
    onemap = OneMap(crs, {"former_clue": former}, LayersFile())
    return pieces(parcels.reset_index(drop=True).assign(area_dm2=totals), onemap)


@dataclass(frozen=True)
class _Target:
    """The class of a piece after the change, and who told it; no code: it stays as it is."""

    code: str = ""
    by: str = ""
    why: str = ""


def _target(one: Confirmed, scheme: str, town: str) -> _Target:
    if one.told:
        told = told_class(one.told, scheme, town)
        return _Target(told.code, "people") if told else _Target(why="told_unknown")
    row = class_of_use(one.use, scheme, town)
    if row is None or (row.code is None and not row.stays):
        return _Target(why="not_told")
    return _Target(row.code or "", "machine")


def _targets(
    parcels: Any, cut: Pieces, order: Sequence[Confirmed]
) -> tuple[dict[int, tuple[int, _Target]], pd.DataFrame]:
    """Return by piece the outline that counts and the class it brings; and what is not settled."""
    told: dict[int, tuple[int, _Target]] = {}
    open_: dict[tuple[str, str], tuple[str, ...]] = {}
    columns = [_texts(parcels, name) for name in ("id", "code", "scheme", "town", "source")]
    for piece in range(len(cut)):
        covering = cut.feature[cut.offsets[piece] : cut.offsets[piece + 1]]
        if not len(covering):
            continue
        last = int(covering.max())
        one = order[last]
        parcel, code, scheme, town, source = (c[int(cut.patch[piece])] for c in columns)
        target = _target(one, scheme, town)
        if source in (one.clue_no, one.object_id) and target.by != "people":
            continue  # an earlier baseline settled it: only people change that
        if target.why:
            row = (one.object_id, one.clue_no, parcel, code, one.use, one.told, target.why)
            open_[one.object_id, parcel] = row
        elif target.code and target.code != code:
            told[piece] = (last, target)
    return told, _frame([open_[key] for key in sorted(open_)], UNSETTLED_COLUMNS)


def _texts(table: Any, name: str) -> list[str]:
    return ["" if v is None or v != v else str(v) for v in table[name]]


def _parts(
    cut: Pieces,
    target: dict[int, tuple[int, _Target]],
    parcels: Any,
    totals: NDArray[np.int64],
    crs: str,
) -> pd.DataFrame:
    """Return the polygons that parcels fall into, with areas that sum up to the parcels' own.

    Columns: parcel (row of `parcels`), former_id, outline (−1: what keeps its class), target,
    geometry, area_dm2; of each parcel what keeps its class first, the largest first.
    """
    changed = np.isin(cut.patch, cut.patch[sorted(target)])
    rows = np.flatnonzero(changed)
    outline = np.array([target[i][0] if i in target else -1 for i in rows.tolist()], dtype=np.int64)
    pairs, group = np.unique(
        np.column_stack([cut.patch[rows], outline]), axis=0, return_inverse=True
    )
    shapes = merged(cut.geometry[rows], group.reshape(-1), grid_of(crs))
    shapes, of = shapely.get_parts(shapes, return_index=True)
    shapes = shapely.normalize(shapes)
    weight = ellipsoidal_area(shapes, crs)
    parcel, outline = pairs[of, 0], pairs[of, 1]
    bounds = shapely.bounds(shapes).reshape(-1, 4)
    order = np.lexsort((bounds[:, 0], -bounds[:, 3], -weight, outline, parcel))
    parcel, outline, shapes, weight = parcel[order], outline[order], shapes[order], weight[order]
    names, place = np.unique(parcel, return_inverse=True)
    brought = {(int(cut.patch[i]), last): told for i, (last, told) in target.items()}
    ids = np.array(_texts(parcels, "id"), dtype=object)
    return pd.DataFrame(
        {
            "parcel": parcel,
            "former_id": ids[parcel] if len(parcel) else [],
            "outline": outline,
            "target": [
                brought.get(pair) for pair in zip(parcel.tolist(), outline.tolist(), strict=True)
            ],
            "geometry": pd.Series(list(shapes), dtype=object),
            "area_dm2": apportion(weight, place.reshape(-1), totals[names]),
        }
    )


def _new_rows(
    parts: pd.DataFrame, parcels: Any, order: Sequence[Confirmed], numbers: _Numbers
) -> tuple[Any, pd.DataFrame]:
    """Return the parcels after the cut and the list of changes."""
    import geopandas as gpd

    rows, changes, kept = [], [], set()
    records = parcels.drop(columns="geometry").to_dict("records")
    for part in parts.to_dict("records"):
        row: dict[str, Any] = {str(k): v for k, v in records[part["parcel"]].items()}
        former = (row["id"], row["code"])
        if part["outline"] < 0 and row["id"] not in kept:
            kept.add(row["id"])
        else:
            row["id"] = numbers.next(row["id"])
        by = ""
        if part["outline"] >= 0:
            one, target = order[part["outline"]], part["target"]
            row |= {"code": target.code, "source": one.clue_no or one.object_id}
            by = target.by
            if _group(row["scheme"], target.code) != "cropland":
                row["kcxs"] = np.nan
        row[AREA] = part["area_dm2"] / DM2_PER_M2
        rows.append(row | {"geometry": part["geometry"]})
        if row["id"] != former[0]:
            whose = (one.object_id, one.clue_no) if by else ("", "")
            now = (row["id"], row["code"], row["scheme"], part["area_dm2"])
            changes.append((*whose, *former, *now, one.after if by else None, by))
    columns = list(parcels.columns)
    table = gpd.GeoDataFrame(pd.DataFrame(rows)[columns], geometry="geometry", crs=parcels.crs)
    return table, _frame(changes, CHANGE_COLUMNS)


def _group(scheme: str, code: str) -> str:
    found = land_class(scheme, code)
    return found.group if found else ""
