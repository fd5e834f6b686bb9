"""Vetting of proposed parcels: every check answered pass, fail or ask, with number and source."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clues.coverage import Documents
from clues.ground import layer_source
from clues.layers import OneMap, build_onemap, with_versions
from clues.measures import Ground, Measured, measure, plain_records
from clues.overlay import grid_of, pieces
from clues.papers import SHOWN_DATES, shown_dates
from clues.slivers import merged
from clues.vettingtext import Vetted, written
from configs.layers import LayersFile
from configs.vetting import Check, VettingRules
from configs.vocabulary import land_class

__all__ = ["ANSWERS", "Vetting", "layers_on", "vet_parcels"]

Answer = Literal["fail", "ask", "pass"]
ANSWERS: tuple[Answer, ...] = ("fail", "ask", "pass")
"""The answers, the worst first: a parcel's is the worst of its checks."""

CATEGORIES = {
    "agricultural": "farmland_dm2",
    "construction": "construction_dm2",
    "unused": "unused_dm2",
}
AREAS = (
    "cropland_dm2",
    "cropland_net_dm2",
    "farmland_dm2",
    "construction_dm2",
    "unused_dm2",
    "unknown_dm2",
)


@dataclass(frozen=True)
class Vetting:
    """The answers for all parcels.

    Attributes
    ----------
    parcels : GeoDataFrame
        The proposed parcels with `outcome` and areas by big class: cropland, other farmland,
        construction, unused, unknown sum up to the parcel.
    checks : DataFrame
        One row per parcel and check: outcome, area against in dm² (low, high), limit, source,
        sentence and question in both languages.
    features : DataFrame
        One row per parcel, check and feature on it, with area and share.
    classes : DataFrame
        One row per parcel and land class: gross, deducted, net dm²; gross sums up to the parcel.
    conflicts : GeoDataFrame
        Outline of what speaks, or may speak, against a parcel, by check.
    """

    parcels: Any
    checks: pd.DataFrame
    features: pd.DataFrame
    classes: pd.DataFrame
    conflicts: Any
    rules: VettingRules
    on: dt.date


def layers_on(file: LayersFile, on: dt.date, crs: str) -> OneMap:
    """Read the layers that were in force on a day.

    A catalogue source without a version of its own is the version of that day; a layer whose
    `valid_from` and `valid_to` leave the day out tells nothing and is not read.

    Raises
    ------
    LayerError
        If a layer is refused, or a catalogue has no version of that day.
    """
    layers = tuple(
        s.model_copy(update={"as_of": on})
        if s.from_catalogue and s.as_of is None and "@" not in str(s.source)
        else s
        for s in file.layers
    )
    file = with_versions(file.model_copy(update={"layers": layers}))
    held = tuple(
        s
        for s in file.layers
        if (s.valid_from is None or s.valid_from <= on) and (s.valid_to is None or on <= s.valid_to)
    )
    return build_onemap(file.model_copy(update={"layers": held}), crs=crs)


def vet_parcels(parcels: Any, onemap: OneMap, rules: VettingRules, on: dt.date) -> Vetting:
    """Check proposed parcels against the One-Map as of a day.

    Parameters
    ----------
    parcels : GeoDataFrame
        Of `clues.proposals.read_proposals`, in the CRS of `onemap`.
    onemap : OneMap
        Of `layers_on`.
    rules : VettingRules
    on : date

    Returns
    -------
    Vetting
        A check passes only if its layer is complete that day and what may speak against the
        parcel is within the limit; it fails, or asks if the rules say so, if what certainly does
        is above it; all else asks.
    """
    import geopandas

    documents = Documents.of(onemap)
    ground = Ground(parcels, onemap, documents, pieces(parcels, onemap), rules, on)
    checks, features, conflicts = [], [], []
    for check in rules.checks:
        found = measure(check, ground)
        listed = _features(check, found, ground)
        rows = _rows(check, found, ground, listed)
        checks.append(rows)
        features.append(listed)
        conflicts.append(_conflicts(check, found, rows, ground))
    order = {p: i for i, p in enumerate(parcels["parcel_id"])}
    table = _by_parcel(checks, order)
    outlines = _by_parcel(conflicts, order)
    classes = _classes(ground)
    return Vetting(
        _headed(ground, table, classes),
        table,
        _by_parcel(features, order),
        classes,
        geopandas.GeoDataFrame(outlines, geometry="geometry", crs=parcels.crs),
        rules,
        on,
    )


def _by_parcel(parts: list[pd.DataFrame], order: dict[str, int]) -> pd.DataFrame:
    """Stack the tables of the checks, by parcel, then check, as made."""
    full = [p for p in parts if len(p)]
    table = pd.concat(full or parts[:1], ignore_index=True)
    place = table["parcel_id"].map(order).to_numpy(dtype=np.int64)
    return table.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)


def _features(check: Check, found: Measured, ground: Ground) -> pd.DataFrame:
    """Return the features behind a check with their area on each parcel."""
    documents, links, cut = ground.documents, ground.links, ground.pieces
    piece, document = links.piece[found.links], links.document[found.links]
    pairs = np.column_stack([cut.patch[piece], document])
    unique, inverse = np.unique(pairs, axis=0, return_inverse=True)
    weights = cut.area_dm2[piece]
    area = np.bincount(inverse.reshape(-1), weights=weights, minlength=len(unique))
    parcel, document = unique[:, 0].astype(np.int64), unique[:, 1].astype(np.int64)
    certain = np.ones(len(unique), dtype=bool)
    np.logical_and.at(certain, inverse.reshape(-1), found.clear)
    ids = ground.parcels["parcel_id"].to_numpy(dtype=object)
    dated = bool(SHOWN_DATES.get(str(check.role)))
    own: dict[str, Any] = {
        "parcel_id": ids[parcel],
        "check": check.code,
        "role": documents.role[document],
        "key": documents.key[document],
        "number": [documents.named(d) for d in document],
        "name": documents.columns["name"][document],
        "kind": documents.columns["kind"][document],
        **{c: _told(c, check, ground, document) for c in ("status", "scheme", "code")},
        "dates": [shown_dates(documents, d, None) if dated else "" for d in document],
        "certain": certain,
        "area_dm2": np.rint(area).astype(np.int64),
        "share": np.rint(area) / ground.total[parcel],
    }
    texts = ("number", "name", "kind", "status", "scheme", "code", "dates")
    return pd.DataFrame(own | {n: pd.Series(own[n], dtype=object) for n in texts})


def _told(column: str, check: Check, ground: Ground, document: NDArray[np.int64]) -> list[Any]:
    """Return what the layer of a check says of features in one of its columns."""
    layer = ground.onemap.layers.get(str(check.role))
    if layer is None or column not in layer.table:
        return [None] * len(document)
    own = layer.table[column].to_numpy(dtype=object)[ground.documents.position[document]]
    return [None if v is None or v != v else str(v) for v in own]


def _rows(check: Check, found: Measured, ground: Ground, features: pd.DataFrame) -> pd.DataFrame:
    """Return the answers of one check with their sentences, one row per parcel."""
    uses = ground.parcels["use"].to_numpy(dtype=object)
    limit = np.array([check.limit.dm2(float(a)) for a in ground.total])
    above, within = found.low > limit, (found.high <= limit) & found.sure
    asked = np.isin(uses.astype(str), check.ask_for_uses) | (check.otherwise == "ask")
    use_untold = (uses == "unknown") & bool(check.ask_for_uses) & ~asked
    outcome = np.where(within, "pass", np.where(above & ~asked & ~use_untold, "fail", "ask"))
    cause = np.where(above & use_untold, "use", found.cause)
    cause = np.where(within | (above & ~use_untold), "", cause)
    told: dict[str, list[dict[str, Any]]] = {}
    for feature in plain_records(features):
        told.setdefault(feature["parcel_id"], []).append(feature)
    rows = []
    source = layer_source(ground.onemap, check.role) if check.role else ""
    for i, parcel in enumerate(ground.records):
        own = told.get(parcel["parcel_id"], [])
        vetted = Vetted(
            check,
            ground.rules,
            parcel,
            ground.on,
            str(outcome[i]),
            str(cause[i]),
            int(found.low[i]),
            min(int(found.high[i]), int(ground.total[i])) if check.role else int(found.high[i]),
            float(limit[i]),
            own,
        )
        rows.append(_row(vetted, source, [f["key"] for f in own]))
    return pd.DataFrame(rows)


def _row(vetted: Vetted, source: str, keys: list[str]) -> dict[str, Any]:
    known = vetted.cause != "stated"
    row: dict[str, Any] = {
        "parcel_id": vetted.parcel["parcel_id"],
        "check": vetted.check.code,
        "outcome": vetted.outcome,
        "cause": vetted.cause,
        "low_dm2": vetted.low,
        "high_dm2": vetted.high if known else None,
        "share_low": vetted.low / int(vetted.parcel["area_dm2"]),
        "share_high": vetted.high / int(vetted.parcel["area_dm2"]) if known else None,
        "limit_dm2": vetted.limit,
        "limit": vetted.check.limit.value,
        "limit_unit": vetted.check.limit.unit,
        "source": source,
        "features": ",".join(keys),
    }
    for language in ("zh", "en"):
        row[f"sentence_{language}"], row[f"question_{language}"] = written(vetted, language)
    return row


def _conflicts(check: Check, found: Measured, rows: pd.DataFrame, ground: Ground) -> pd.DataFrame:
    """Return the outline of what speaks, or may speak, against each parcel that does not pass."""
    open_ones = (rows["outcome"].to_numpy() != "pass") & (rows["cause"].to_numpy() != "layer")
    cut = ground.pieces
    chosen = np.flatnonzero(found.against & open_ones[cut.patch])
    parcel, group = np.unique(cut.patch[chosen], return_inverse=True)
    shapes: NDArray[np.object_] = np.empty(0, dtype=object)
    if len(chosen):
        shapes = merged(cut.geometry[chosen], group, grid_of(ground.onemap.crs))
    table = pd.DataFrame({"parcel_id": rows["parcel_id"].to_numpy(dtype=object)[parcel]})
    table["check"] = check.code
    table["outcome"] = rows["outcome"].to_numpy(dtype=object)[parcel]
    area = np.bincount(group, weights=cut.area_dm2[chosen], minlength=len(parcel))
    table["area_dm2"] = np.rint(area).astype(np.int64)
    table["geometry"] = pd.Series(shapes, dtype=object)
    return table


def _classes(ground: Ground) -> pd.DataFrame:
    """Return the land classes of each parcel, in the order of category, scheme and code."""
    cut = ground.pieces
    columns = ("scheme", "code", "category", "group")
    own = {name: ground.of_class(name) for name in columns}
    table = pd.DataFrame({"parcel": cut.patch, "gross_dm2": cut.area_dm2})
    for name, values in own.items():
        table[name] = ["" if v is None or v != v else str(v) for v in values]
    ridge = np.array([0.0 if v is None or v != v else float(v) for v in ground.of_class("kcxs")])
    crop = table["group"].to_numpy() == "cropland"
    net = np.floor(cut.area_dm2 * (1.0 - np.where(crop, ridge, 0.0)) + 0.5).astype(np.int64)
    table["net_dm2"] = net
    table["rank"] = [(*CATEGORIES, "").index(c) for c in table["category"]]
    by = ["parcel", "rank", "scheme", "code", "category", "group"]
    sums = table.groupby(by, sort=True)[["gross_dm2", "net_dm2"]].sum().reset_index()
    ids = ground.parcels["parcel_id"].to_numpy(dtype=object)
    sums.insert(0, "parcel_id", ids[sums["parcel"].to_numpy()])
    known = [land_class(s, c) for s, c in zip(sums["scheme"], sums["code"], strict=True)]
    sums["name_zh"] = [k.name_zh if k else "地类不明" for k in known]
    sums["name_en"] = [k.name_en if k else "class not known" for k in known]
    sums["deducted_dm2"] = sums["gross_dm2"] - sums["net_dm2"]
    sums["share"] = sums["gross_dm2"].to_numpy() / ground.total[sums["parcel"].to_numpy()]
    return sums.drop(columns=["parcel", "rank"])


def _headed(ground: Ground, checks: pd.DataFrame, classes: pd.DataFrame) -> Any:
    """Return the parcels with their worst answer and their areas by big class."""
    rank = checks["outcome"].map({a: i for i, a in enumerate(ANSWERS)})
    worst = rank.groupby(checks["parcel_id"]).min()
    parcels = ground.parcels.copy()
    parcels["outcome"] = [ANSWERS[worst[p]] for p in parcels["parcel_id"]]
    group, category = ground.of_class("group"), ground.of_class("category")
    crop = group == "cropland"
    sums = {"cropland_dm2": ground.sum_of(crop)}
    for name, column in CATEGORIES.items():
        sums[column] = ground.sum_of((category == name) & ~crop)
    sums["unknown_dm2"] = ground.total - np.sum(list(sums.values()), axis=0)
    net = classes[classes["group"] == "cropland"].groupby("parcel_id")["net_dm2"].sum()
    sums["cropland_net_dm2"] = parcels["parcel_id"].map(net).fillna(0).astype(np.int64).to_numpy()
    for column in AREAS:
        parcels[column] = sums[column]
    return parcels
