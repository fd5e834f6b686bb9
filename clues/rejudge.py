"""Judging again: what another rule set would answer, and what a new layer version touches."""

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from clues.headlines import headlines
from clues.indicators import indicators
from clues.judgement import Judgement, judge_patches
from clues.layers import LayerTable, OneMap
from clues.leads import join_leads, without_leads
from clues.nearby import metres_of_unit, reach_of
from configs.rules import RuleSet

__all__ = ["Rejudged", "affected", "differences", "rejudge", "renewed", "tally"]

CHANGE_COLUMNS = (
    "patch_id",
    "line",
    "parcel_id",
    "area_dm2",
    "before",
    "after",
    "reason_zh",
    "reason_en",
)


def differences(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return the findings that two judgements of the same patches answer otherwise.

    Parameters
    ----------
    before, after : DataFrame
        Findings of the same patches.

    Returns
    -------
    DataFrame
        Ordered as `after`: patch_id, line, parcel_id, area_dm2, before and after ("outcome rule",
        "" where the parcel or line is not there), reasons of the later answer. A parcel counts as
        the same if its id and area are.
    """
    key = ["patch_id", "line", "parcel_id", "area_dm2"]
    texts = ["reason_zh", "reason_en"]
    old, new = (
        pd.DataFrame(t[[*key, *texts]]).assign(
            answer=[f"{o} {r}" for o, r in zip(t["outcome"], t["rule"], strict=True)]
        )
        for t in (before, after)
    )
    both = new.merge(old.drop(columns=texts), on=key, how="outer", suffixes=("", "_old"))
    both = both.rename(columns={"answer": "after", "answer_old": "before"})
    for name in ("before", "after", *texts):
        both[name] = both[name].fillna("").astype(object)
    changed = both[(both["before"] != both["after"]).to_numpy()]
    order = {p: i for i, p in enumerate(dict.fromkeys([*after["patch_id"], *before["patch_id"]]))}
    place = changed["patch_id"].map(order)
    changed = changed.assign(_place=place).sort_values(["_place", "line", "parcel_id", "after"])
    return changed[list(CHANGE_COLUMNS)].reset_index(drop=True)


def tally(changes: pd.DataFrame) -> pd.DataFrame:
    """Return number and area of changes by earlier and later answer."""
    grouped = changes.groupby(["line", "before", "after"], sort=True)["area_dm2"]
    return grouped.agg(count="size", area_dm2="sum").reset_index()


def affected(patches: Any, old: OneMap, new: OneMap, rules: RuleSet) -> NDArray[np.bool_]:
    """Tell which patches a change from one One-Map to another may touch.

    Leads touch none: they are joined again to all.

    A patch is touched if it meets a feature that is new, gone or different (by key, fields and
    outline), or lies within a distance of it that a rule asks about; all patches are, if a layer
    came, went, or is complete until another day.
    """
    outline = patches.geometry.to_numpy()
    touched = np.zeros(len(outline), dtype=bool)
    tree = shapely.STRtree(outline)
    unit = min(metres_of_unit(new))
    for role in sorted((set(old.layers) | set(new.layers)) - {"lead"}):
        before, after = old.layers.get(role), new.layers.get(role)
        if before is None or after is None or _scope(before) != _scope(after):
            return np.ones(len(outline), dtype=bool)
        changed = _changed(before, after)
        if not len(changed):
            continue
        reach = reach_of(rules, role) / unit
        found = tree.query(changed, predicate="dwithin", distance=1.02 * reach)[1]
        touched[found] = True
    return touched


def _scope(layer: LayerTable) -> tuple[Any, ...]:
    spans = [(s.valid_from, s.valid_to) for s in layer.specs]
    return (layer.complete, *sorted(spans, key=str))


def _changed(before: LayerTable, after: LayerTable) -> NDArray[np.object_]:
    """Return the outlines of the features that differ, of both tables."""
    rows = [_rows(layer.table) for layer in (before, after)]
    own = [
        [i for i, row in enumerate(mine) if row not in other]
        for mine, other in ((rows[0], set(rows[1])), (rows[1], set(rows[0])))
    ]
    tables = (before.table, after.table)
    parts = [t.geometry.to_numpy()[i] for t, i in zip(tables, own, strict=True)]
    return np.asarray(np.concatenate(parts), dtype=object)


def _rows(table: Any) -> list[tuple[str, ...]]:
    """Return every feature as comparable texts: all fields but where it was read from."""
    names = sorted(set(table.columns) - {"geometry", "source", "row"})
    columns = [table[n].astype(str).tolist() for n in names]
    outlines = [g.hex() for g in shapely.to_wkb(table.geometry.to_numpy())]
    return list(zip(*columns, outlines, strict=True))


@dataclass(frozen=True)
class Rejudged:
    """A judgement brought up to date.

    Attributes
    ----------
    judgement : Judgement
        Findings of untouched patches are the old ones, with the layer versions they were judged
        by; those of touched patches are new.
    touched : ndarray of bool, shape (patches,)
    changes : DataFrame
        See `differences`.
    """

    judgement: Judgement
    touched: NDArray[np.bool_]
    changes: pd.DataFrame


def rejudge(
    judgement: Judgement, old: OneMap, new: OneMap, rules: RuleSet, *, batch: int = 5000
) -> Rejudged:
    """Judge again, by the same rules, what a new version of the layers touches.

    The old tables are not altered: both judgements stay.
    """
    patches, _, _ = _judged_alone(judgement)
    return renewed(judgement, patches, affected(patches, old, new, rules), new, rules, batch=batch)


def renewed(
    judgement: Judgement,
    patches: Any,
    touched: NDArray[np.bool_],
    onemap: OneMap,
    rules: RuleSet,
    *,
    batch: int = 5000,
) -> Rejudged:
    """Judge the touched patches of a table; all others keep the findings of a judgement.

    Parameters
    ----------
    judgement : Judgement
        Has findings for every patch that is not touched.
    patches : GeoDataFrame
        All patches, in the order of a run.
    touched : ndarray of bool, shape (patches,)
    onemap : OneMap
    rules : RuleSet
    batch : int
        Patches worked on at a time.
    """
    _, known, covered = _judged_alone(judgement)
    ids = set(patches["patch_id"][touched])
    chosen = patches[touched].reset_index(drop=True)
    again = judge_patches(chosen, onemap, rules, among=patches, batch=batch)
    _, fresh, found = _judged_alone(again)
    findings = _replaced(known, fresh, ids, patches, rules)
    findings = gpd.GeoDataFrame(findings, geometry="geometry", crs=patches.crs)
    coverage = _replaced(covered, found, ids, patches, rules)
    led = join_leads(headlines(patches, findings), findings, onemap, rules)
    judged = headlines(led.patches, led.findings)
    numbers = indicators(judged, led.findings, rules)
    coverage = pd.concat([t for t in (coverage, led.coverage) if len(t)] or [coverage])
    coverage = coverage.reset_index(drop=True)
    result = Judgement(judged, led.findings, coverage, numbers, led.leads)
    return Rejudged(result, touched, differences(judgement.findings, led.findings))


def _judged_alone(judgement: Judgement) -> tuple[Any, Any, Any]:
    return without_leads(judgement.patches, judgement.findings, judgement.coverage)


def _replaced(table: Any, rows: Any, ids: set[str], patches: Any, rules: RuleSet) -> Any:
    """Return a table with the rows of some patches replaced, in the order of a judgement."""
    stays = table["patch_id"].isin(set(patches["patch_id"]) - ids).to_numpy()
    kept = table[stays]
    merged = pd.concat([t for t in (kept, rows) if len(t)] or [table.iloc[:0]], ignore_index=True)
    order = {p: i for i, p in enumerate(patches["patch_id"])}
    lines = {line: i for i, line in enumerate(rules.lines)}
    ranks = np.lexsort(
        (
            np.arange(len(merged)),
            merged["line"].map(lines).to_numpy(),
            merged["patch_id"].map(order).to_numpy(),
        )
    )
    return merged.iloc[ranks].reset_index(drop=True)
