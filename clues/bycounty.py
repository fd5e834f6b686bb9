"""Judgement county by county: filings and leads count within the county they belong to."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clues.indicators import indicators
from clues.judgement import Judgement, judge_patches
from clues.layers import OneMap
from clues.rejudge import Rejudged, differences, rejudge
from clues.rowgroups import joined
from configs.layers import County
from configs.rules import RuleSet

__all__ = ["judge_counties", "rejudge_counties"]


def judge_counties(
    patches: Any,
    onemap: OneMap,
    rules: RuleSet,
    counties: Sequence[tuple[str, str]],
    lead_homes: NDArray[np.object_],
    into: Path | None = None,
) -> Judgement:
    """Judge the patches of each county as if there were no other.

    Parameters
    ----------
    patches : GeoDataFrame
        In the order of `counties`.
    onemap : OneMap
    rules : RuleSet
    counties : sequence of (code, name)
        Those that are judged, by code; what lies in another is left out.
    lead_homes : ndarray of str, shape (leads,)
        Code of the county of each lead of the One-Map.
    into : Path, optional
        File for the findings, see `clues.judgement.judge_patches`.

    Returns
    -------
    Judgement
        The tables of the counties one after the other; indicators of all together.
    """
    codes = patches["county_code"].to_numpy(dtype=object)
    found = [
        judge_patches(
            patches[codes == code].reset_index(drop=True),
            _of_county(onemap, code, name, lead_homes == code),
            rules,
            into=None if into is None else into.with_name(f"{into.name}-{code}"),
        )
        for code, name in counties
    ]
    if into is not None:
        parts = [j.kept for j in found if j.kept is not None]
        joined(parts, into)
        for part in parts:
            part.unlink()
    return replace(_together(found, rules), kept=into)


def rejudge_counties(
    judgement: Judgement,
    old: OneMap,
    new: OneMap,
    rules: RuleSet,
    counties: Sequence[tuple[str, str]],
    lead_homes: NDArray[np.object_],
) -> Rejudged:
    """Judge again, county by county, what a new version of the layers touches.

    Parameters
    ----------
    judgement : Judgement
        Of `judge_counties`.
    old, new : OneMap
    rules : RuleSet
    counties : sequence of (code, name)
    lead_homes : ndarray of str, shape (leads,)
        Code of the county of each lead of the new One-Map.
    """
    codes = judgement.patches["county_code"].to_numpy(dtype=object)
    found = [
        rejudge(
            _part(judgement, codes == code),
            old,
            _of_county(new, code, name, lead_homes == code),
            rules,
        )
        for code, name in counties
    ]
    whole = _together([f.judgement for f in found], rules)
    touched = np.concatenate([f.touched for f in found])
    return Rejudged(whole, touched, differences(judgement.findings, whole.findings))


def _part(judgement: Judgement, chosen: NDArray[np.bool_]) -> Judgement:
    """Return a judgement of some of its patches; leads are joined anew to all."""
    patches = judgement.patches[chosen].reset_index(drop=True)
    ids = set(patches["patch_id"])
    findings, coverage = (
        t[t["patch_id"].isin(ids).to_numpy()].reset_index(drop=True)
        for t in (judgement.findings, judgement.coverage)
    )
    return replace(judgement, patches=patches, findings=findings, coverage=coverage)


def _together(found: Sequence[Judgement], rules: RuleSet) -> Judgement:
    judged = _stacked([j.patches for j in found])
    findings = _stacked([j.findings for j in found])
    return Judgement(
        judged,
        findings,
        _stacked([j.coverage for j in found]),
        indicators(judged, findings, rules),
        _stacked([j.leads for j in found]),
    )


def _of_county(onemap: OneMap, code: str, name: str, leads: NDArray[np.bool_]) -> OneMap:
    """Return the One-Map with the leads of one county only; what opens a clue is its own."""
    layers = dict(onemap.layers)
    if "lead" in layers:
        table = layers["lead"].table[leads].reset_index(drop=True)
        layers["lead"] = replace(layers["lead"], table=table)
    file = onemap.file.model_copy(update={"county": County(code=code, name=name)})
    own = replace(onemap, layers=layers, file=file)
    # leads are not among the features: both are made once for all counties
    vars(own).update(features=onemap.features, tree=onemap.tree)
    return own


def _stacked(tables: list[Any]) -> Any:
    full = [t for t in tables if len(t)]
    if len(full) < 2:
        return (full or tables)[0]
    return pd.concat(full, ignore_index=True)
