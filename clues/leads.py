"""Leads of people joined to clues: which patch a report concerns, and what it does to it.

A lead supports the patch it lies on, else the nearest clue within reach and time, else the nearest
dismissed patch, which it opens again. A lead that concerns no patch is a clue of its own; leads
beside it support that clue. Distances are metres on the ground, rounded to 1 mm; among equals the
earlier row counts, so that the answer does not depend on the order of leads.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from clues.coverage import date_days
from clues.layers import DOCUMENT_ROLES, OneMap
from clues.leadplaces import documents_at, place_outlines, place_rows
from clues.leadtexts import LEAD_LINE, Told, lead_finding, lead_id, told
from clues.shape import ground_lengths
from configs.articles import Leads
from configs.errors import ConfigError
from configs.rules import RuleSet
from tiles.geodesy import metres_per_unit, to_cgcs2000

__all__ = ["LEAD_COLUMNS", "Led", "extended", "join_leads", "no_leads", "without_leads"]

LEAD_COLUMNS = (
    "lead_id",
    "key",
    "number",
    "channel",
    "received",
    "text",
    "relation",
    "patch_id",
    "distance_m",
    "in_time",
    "reason_zh",
    "reason_en",
    "question_zh",
    "question_en",
)
"""Columns of the lead table before `geometry`: the place as it was reported.

`relation`: attached | reopened | opened. `in_time`: yes | unknown; of an opened lead "".
"""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Led:
    """Judged tables with the leads in them.

    Attributes
    ----------
    patches : GeoDataFrame
        With a row for every clue that a lead opened (`origin` "lead", no area) after the others
        (`origin` "image").
    findings : GeoDataFrame
        With a finding on the line "lead" for every patch that leads open.
    coverage : DataFrame
        Documents and control lines on the places of opened clues, on the line "lead".
    leads : GeoDataFrame
        One row per lead, see `LEAD_COLUMNS`.
    rows : sequence of dict
        The findings that leads made, whole.
    order : ndarray of int
        Place of each of `findings` among those without leads and then `rows`.
    """

    patches: Any
    findings: Any
    coverage: pd.DataFrame
    leads: Any
    rows: Sequence[dict[str, Any]] = ()
    order: Ints = field(default_factory=lambda: np.empty(0, np.int64))


@dataclass(frozen=True)
class _Limits:
    within: float
    days_before: float
    days_after: float
    radius: float

    @classmethod
    def of(cls, rules: RuleSet, spec: Leads) -> "_Limits":
        names = (spec.within, spec.days_before, spec.days_after, spec.radius)
        return cls(*(rules.number(n) for n in names))


def no_leads(crs: Any) -> Any:
    """Return a lead table without rows."""
    columns: dict[str, Any] = {n: pd.Series(dtype=object) for n in LEAD_COLUMNS}
    columns["distance_m"] = pd.Series(dtype=np.float64)
    return gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries([], crs=crs), crs=crs)


def without_leads(patches: Any, findings: Any, coverage: Any) -> tuple[Any, Any, Any]:
    """Return patches, findings and coverage as imagery and documents alone made them."""
    if "origin" in patches:
        patches = patches[(patches["origin"] == "image").to_numpy()].drop(columns="origin")
    tables = (t[(t["line"] != LEAD_LINE).to_numpy()] for t in (findings, coverage))
    findings, coverage = (t.reset_index(drop=True) for t in tables)
    return patches.reset_index(drop=True), findings, coverage


def join_leads(patches: Any, findings: Any, onemap: OneMap, rules: RuleSet) -> Led:
    """Join the leads of the One-Map to judged patches.

    Parameters
    ----------
    patches, findings : GeoDataFrame
        Judged, without leads, in the CRS of `onemap`.
    onemap : OneMap
        Its layer of the role ``lead`` holds points, lines or polygons.
    rules : RuleSet
        Its `leads` say how near and how long before or after the images.

    Raises
    ------
    ConfigError
        If there are leads, and the rule set says nothing about them.
    """
    patches = patches.assign(origin="image")
    layer = onemap.layers.get("lead")
    if layer is None or not len(layer.table):
        return Led(patches, findings, pd.DataFrame(), no_leads(patches.crs))
    if rules.leads is None:
        raise ConfigError(
            "there is a layer of leads, and the rule set does not say how to join them",
            f"rule set {rules.name}",
            "add `leads:` as in cn-land.yaml, or take the layer out",
        )
    limits = _Limits.of(rules, rules.leads)
    reported = _reported(layer.table, onemap.crs)
    found = _joined(reported, patches, limits, onemap.crs)
    words = Told(rules, rules.leads, limits.within, f"lead@{layer.version}")
    found = told(found, reported, patches, words)
    leads = gpd.GeoDataFrame(
        found[list(LEAD_COLUMNS)].reset_index(drop=True),
        geometry=reported.geometry.to_numpy(),
        crs=patches.crs,
    )
    places = reported[(found["relation"] == "opened").to_numpy()].copy()
    radius = places["radius"].fillna(limits.radius).to_numpy()
    places["place"] = place_outlines(places.geometry.to_numpy(), radius, onemap.crs)
    wider = extended(patches, list(place_rows(places, patches, onemap)))
    coverage = documents_at(places, onemap)
    rows = [lead_finding(g, wider, findings, words) for g in _groups(found)]
    for row in rows:
        own = coverage[(coverage["patch_id"] == row["patch_id"]).to_numpy()]
        row["documents"] = ",".join(own["key"][own["role"].isin(DOCUMENT_ROLES).to_numpy()])
    more = extended(findings, rows)
    order = {p: i for i, p in enumerate(wider["patch_id"])}
    rank = np.argsort([order[p] for p in more["patch_id"]], kind="stable")
    return Led(wider, more.iloc[rank].reset_index(drop=True), coverage, leads, rows, rank)


def _reported(table: Any, crs: str) -> Any:
    """Return the leads in the order of day, then id, each with an id that names it for good."""
    xy = shapely.get_coordinates(shapely.centroid(table.geometry.to_numpy()))
    lonlat = to_cgcs2000(xy, crs)
    rows = table.assign(
        lead_id=lead_id(table, lonlat),
        received=table["date"],
        day=date_days(table["date"]),
        radius=pd.to_numeric(table["radius_m"]).to_numpy(dtype=np.float64),
    )
    return rows.sort_values(["day", "lead_id"], na_position="last", ignore_index=True)


def _joined(reported: Any, patches: Any, limits: _Limits, crs: str) -> pd.DataFrame:
    """Return for each lead its relation, the patch (or the lead that opened a clue), distance."""
    n = len(reported)
    shapes = reported.geometry.to_numpy()
    reach = np.fmax(limits.within, np.nan_to_num(reported["radius"].to_numpy()))
    lead, patch, distance = _near(shapes, patches.geometry.to_numpy(), reach, crs)
    day = reported["day"].to_numpy()
    timely = _in_time(day[lead], patches.iloc[patch], limits)
    is_clue = (patches["disposition"] == "clue").to_numpy()
    out = pd.DataFrame(
        {"relation": "opened", "at": np.arange(n), "distance_m": np.nan, "in_time": ""},
        index=range(n),
    )
    out["near"], out["near_m"] = -1, np.nan
    nearest = np.lexsort((patch, distance, lead))
    _, first = np.unique(lead[nearest], return_index=True)
    best = nearest[first]
    out.loc[lead[best], "near"], out.loc[lead[best], "near_m"] = patch[best], distance[best]
    usable = np.flatnonzero(timely > 0)
    keys = (patch, distance, ~is_clue[patch], distance > 0, lead)
    order = usable[np.lexsort(tuple(k[usable] for k in keys))]
    rows, first = np.unique(lead[order], return_index=True)
    chosen = order[first]
    out.loc[rows, "relation"] = np.where(is_clue[patch[chosen]], "attached", "reopened")
    out.loc[rows, "at"], out.loc[rows, "distance_m"] = patch[chosen], distance[chosen]
    out.loc[rows, "in_time"] = np.where(timely[chosen] == 2, "yes", "unknown")
    _join_to_opened(out, shapes, reach, day, limits, crs)
    ids = patches["patch_id"].to_numpy(dtype=object)
    own = reported["lead_id"].to_numpy(dtype=object)
    opens = out["in_time"].eq("").to_numpy() | out["beside"].to_numpy()
    out["patch_id"] = [
        own[a] if o else ids[a] for a, o in zip(out["at"].to_numpy(), opens, strict=True)
    ]
    for name in ("lead_id", "key", "number", "channel", "received", "text"):
        out[name] = reported[name].to_numpy(dtype=object)
    return out


def _join_to_opened(
    out: pd.DataFrame, shapes: Any, reach: Floats, day: Floats, limits: _Limits, crs: str
) -> None:
    """Attach leads that concern no patch to the earlier lead beside them that opens a clue."""
    out["beside"] = False
    alone = np.flatnonzero(out["relation"] == "opened")
    first, second, distance = _near(shapes[alone], shapes[alone], reach[alone], crs)
    opened: set[int] = set()
    for i in range(len(alone)):
        mine = np.flatnonzero((first == i) & np.isin(second, sorted(opened)))
        apart = np.abs(day[alone[i]] - day[alone[second[mine]]])
        mine = mine[~(apart > limits.days_after)]
        if not len(mine):
            opened.add(i)
            continue
        best = mine[np.lexsort((second[mine], distance[mine]))[0]]
        row, at = alone[i], alone[second[best]]
        known = not np.isnan(day[row] - day[at])
        values = ("attached", at, distance[best], "yes" if known else "unknown", True)
        out.loc[row, ["relation", "at", "distance_m", "in_time", "beside"]] = values


def _near(
    shapes: NDArray[np.object_], others: NDArray[np.object_], reach: Floats, crs: str
) -> tuple[Ints, Ints, Floats]:
    """Return the pairs within reach (metres on the ground) with their distance, to 1 mm."""
    if not len(shapes) or not len(others):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    west, south, east, north = shapely.total_bounds(shapes)
    scale = metres_per_unit(crs, (west + east) / 2, (south + north) / 2)
    mine, theirs = (shapely.transform(g, lambda xy: xy * scale) for g in (shapes, others))
    first, second = (
        shapely.STRtree(theirs)
        .query(mine, predicate="dwithin", distance=1.02 * reach)
        .astype(np.int64)
    )
    lines = shapely.shortest_line(mine[first], theirs[second])
    measured = np.round(ground_lengths(shapely.transform(lines, lambda xy: xy / scale), crs), 3)
    kept = measured <= reach[first]
    return first[kept], second[kept], measured[kept]


def _in_time(day: Floats, patches: Any, limits: _Limits) -> Ints:
    """Return 2 where a lead came in time for a patch, 1 where a date is missing, 0 else."""
    early = day < date_days(patches["before_from"]) - limits.days_before
    late = day > date_days(patches["after_to"]) + limits.days_after
    known = ~np.isnan(day + date_days(patches["before_from"]) + date_days(patches["after_to"]))
    return np.where(early | late, 0, 1 + known).astype(np.int64)


def _groups(found: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the leads of each patch or place that leads open, the nearest first."""
    opens = set(found["patch_id"][found["relation"] != "attached"])
    own = found[found["patch_id"].isin(opens).to_numpy()].copy()
    own["_far"] = own["distance_m"].fillna(-1.0)
    for _, group in own.sort_values(["_far", "lead_id"]).groupby("patch_id", sort=True):
        yield group


def extended(table: Any, rows: list[dict[str, Any]]) -> Any:
    """Return a table with more rows; a column they do not tell gets 0, NaN or None by its kind."""
    if not rows:
        return table
    columns = {}
    for name in table.columns:
        kind = table[name].dtype
        number = isinstance(kind, np.dtype) and kind.kind in "iufb"
        nothing = (np.nan if kind.kind == "f" else kind.type(0)) if number else None
        own = np.empty(len(rows), dtype=kind if number else object)
        own[:] = [row.get(name, nothing) for row in rows]
        columns[name] = np.concatenate([table[name].to_numpy(), own])
    if "geometry" not in columns:
        return pd.DataFrame(columns)
    return gpd.GeoDataFrame(columns, geometry="geometry", crs=table.crs)
