"""Judging again with a document that people attached: what the layers know of it decides.

A document whose outline lies in a layer was judged by that outline, and is again. One that no layer
holds, or holds without an outline, cannot make anything legal: where it would change the answer if
it covered the parcel, the parcel becomes unresolved, and the reason says who attached it, what it
would mean, and what is missing.
"""

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import shapely

from clues.judgement import judge_patches
from clues.layers import DOCUMENT_ROLES, LayerTable, OneMap
from clues.nearby import metres_of_unit
from clues.rejudge import differences
from clues.ways import PURSUED, UNDECIDED
from configs.errors import InputError
from configs.layers import LayerSpec, role_fields
from configs.mistakes import choice
from configs.rules import RuleSet
from configs.told import Told
from configs.vocabulary import Outcome, role_name

__all__ = ["Attached", "Paper", "judge_with_paper", "same_number"]

Known = Literal["covers", "elsewhere", "unlocated", "unknown"]
MOSTLY = 0.5
"""Share of a parcel from which on an outcome elsewhere is the one for it."""


@dataclass(frozen=True)
class Paper:
    """A document as somebody attached it.

    Attributes
    ----------
    role : str
        Of `DOCUMENT_ROLES`.
    number : str
    date : date or None
        None where the layer is to tell it.
    by : str
        Who attached it.
    on : date
        Civil day on which it was attached.
    """

    role: str
    number: str
    date: dt.date | None
    by: str
    on: dt.date


@dataclass(frozen=True)
class Attached:
    """What judging again answered.

    Attributes
    ----------
    known : str
        What the layers know of the document.
    told : Told
        The same in words.
    findings : GeoDataFrame
        Of the patch; those that the document makes doubtful are unresolved.
    differences : DataFrame
        See `clues.rejudge.differences`.
    """

    known: Known
    told: Told
    findings: Any
    differences: pd.DataFrame


def same_number(one: str, other: str) -> bool:
    """Tell whether two numbers are the same but for brackets, widths and blanks.

    Examples
    --------
    >>> same_number("鲁政土字〔2024〕7号", "鲁政土字[2024] ７号")
    True
    """
    return _plain(one) == _plain(other)


def _plain(number: str) -> str:
    folded = unicodedata.normalize("NFKC", str(number)).casefold()
    folded = re.sub(r"[〔【［\[(〈<]", "[", folded)
    folded = re.sub(r"[〕】］\])〉>]", "]", folded)
    return re.sub(r"\s+", "", folded)


def judge_with_paper(
    patches: Any,
    patch_id: str,
    before: Any,
    onemap: OneMap,
    rules: RuleSet,
    paper: Paper,
) -> Attached:
    """Judge one patch of a run again, by the layers as they are now and an attached document.

    Parameters
    ----------
    patches : GeoDataFrame
        All patches of the run, without what was judged of them.
    patch_id : str
    before : DataFrame
        Findings of the patch so far.
    onemap : OneMap
    rules : RuleSet
    paper : Paper

    Raises
    ------
    InputError
        If the role is none of documents.
    """
    if paper.role not in DOCUMENT_ROLES:
        raise InputError(
            f"{paper.role!r} is no role of documents", "role", choice(paper.role, DOCUMENT_ROLES)
        )
    own = patches[(patches["patch_id"] == patch_id).to_numpy()].reset_index(drop=True)
    plain = judge_patches(own, onemap, rules, among=patches).findings
    known, told = _known(own.geometry.iloc[0], onemap, paper)
    findings = plain
    if known in ("unknown", "unlocated"):
        supposed = _with(onemap, paper, own.geometry.iloc[0])
        meant = judge_patches(own, supposed, rules, among=patches).findings
        findings = _doubtful(plain, meant, told, rules)
    else:
        findings = plain.assign(
            reason_zh=[_after(told.zh, r, "") for r in plain["reason_zh"]],
            reason_en=[_after(told.en, r, " ") for r in plain["reason_en"]],
        )
    return Attached(known, told, findings, differences(before, findings))


def _known(outline: Any, onemap: OneMap, paper: Paper) -> tuple[Known, Told]:
    """Return what the layers know of a document, and the sentence that says so."""
    name = role_name(paper.role, "zh"), role_name(paper.role, "en")
    day = f"（{paper.date}）" if paper.date else "", f" ({paper.date})" if paper.date else ""
    head = Told(
        f"{paper.by} 于 {paper.on} 附上{name[0]}{paper.number}{day[0]}。",
        f"{paper.by} attached on {paper.on} the {name[1]} {paper.number}{day[1]}.",
    )
    layer = onemap.layers.get(paper.role)
    shapes = [] if layer is None else _outlines(layer, paper.number)
    if shapes:
        found = shapely.union_all(shapes)
        if shapely.area(shapely.intersection(found, outline)) > 0:
            return "covers", Told(
                f"{head.zh}图层中有此文件，其范围已计入判定。",
                f"{head.en} The layer holds its outline, which the judgement counts.",
            )
        scale = metres_of_unit(onemap)
        flat = [shapely.transform(g, lambda xy: xy * scale) for g in (found, outline)]
        metres = round(float(shapely.distance(*flat)))
        return "elsewhere", Told(
            f"{head.zh}图层中此文件的范围不在此处，相距约 {metres} 米，不改变判定。",
            f"{head.en} In the layer its outline lies elsewhere, about {metres} m away: "
            "it changes nothing.",
        )
    listed = layer is not None and any(_numbered(layer.not_on_map, paper.number))
    if listed:
        return "unlocated", Told(
            f"{head.zh}图层中有此文件但没有可用的范围，无法核对是否覆盖本地块。",
            f"{head.en} The layer holds it without a usable outline: whether it covers the parcel "
            "cannot be checked.",
        )
    return "unknown", Told(
        f"{head.zh}图层中没有此文件，无法核对是否覆盖本地块。",
        f"{head.en} No layer holds it: whether it covers the parcel cannot be checked.",
    )


def _outlines(layer: LayerTable, number: str) -> list[Any]:
    rows = np.flatnonzero(_numbered(layer.table, number))
    return list(layer.table.geometry.to_numpy()[rows])


def _numbered(table: Any, number: str) -> list[bool]:
    """Tell which rows are of a number."""
    told = table["number"].tolist() if "number" in table else []
    return [isinstance(own, str) and same_number(own, number) for own in told]


def _with(onemap: OneMap, paper: Paper, outline: Any) -> OneMap:
    """Return the layers as if the document covered an outline."""
    import geopandas as gpd

    layer = onemap.layers.get(paper.role)
    row: dict[str, Any] = dict.fromkeys(role_fields(paper.role))
    row |= {"id": paper.number, "number": paper.number, "date": paper.date, "row": 0}
    row |= {"key": f"{paper.role}:attached:{paper.number}", "source": paper.by}
    added = gpd.GeoDataFrame([row], geometry=[outline], crs=onemap.crs)
    if layer is None:
        spec = LayerSpec(role=paper.role, source="attached.gpkg")
        nothing = pd.DataFrame(columns=[c for c in added.columns if c != "geometry"])
        layer = LayerTable(paper.role, (spec,), added, pd.DataFrame(), nothing, "attached", False)
    else:
        added = added.reindex(columns=layer.table.columns).astype(object)
        both = pd.concat([layer.table.astype(object), added], ignore_index=True)
        table = gpd.GeoDataFrame(both, geometry="geometry", crs=onemap.crs)
        layer = replace(layer, table=table.sort_values("key", ignore_index=True))
    return replace(onemap, layers={**onemap.layers, paper.role: layer})


def _doubtful(plain: Any, meant: Any, told: Told, rules: RuleSet) -> Any:
    """Return the findings; what the document would change is unresolved, never legal."""
    rows = []
    for row in plain.to_dict("records"):
        other = _answer_for(row, meant)
        if row["outcome"] in PURSUED and other is not None and other["outcome"] not in PURSUED:
            rows.append(_unresolved(row, other, told))
        else:
            zh, en = _after(told.zh, row["reason_zh"], ""), _after(told.en, row["reason_en"], " ")
            rows.append(row | {"reason_zh": zh, "reason_en": en})
    table = pd.DataFrame(rows, columns=plain.columns)
    return type(plain)(table, geometry="geometry", crs=plain.crs)


def _answer_for(row: dict[str, Any], meant: Any) -> dict[str, Any] | None:
    """Return the supposed finding that takes most of a parcel."""
    own = meant[(meant["line"] == row["line"]).to_numpy()]
    area = shapely.area(row["geometry"])
    for other in own.to_dict("records"):
        common = shapely.area(shapely.intersection(row["geometry"], other["geometry"]))
        if common > MOSTLY * area:
            return {str(k): v for k, v in other.items()}
    return None


def _unresolved(row: dict[str, Any], other: dict[str, Any], told: Told) -> dict[str, Any]:
    outcome = Outcome(other["outcome"])
    if_zh = f"若其范围覆盖本地块且日期属实，则为{outcome.name_zh}（{other['rule']}）"
    if_en = (
        f"if its outline covers the parcel and the date holds, it is {outcome.name_en} "
        f"({other['rule']})"
    )
    return row | {
        "outcome": Outcome.UNRESOLVED.value,
        "rule": UNDECIDED,
        "rules": UNDECIDED,
        "also_possible": ",".join(dict.fromkeys([other["rule"], row["rule"]])),
        "questions_zh": "请补充该文件的范围并核对原件",
        "questions_en": "bring the outline of the document and check the original",
        "reason_zh": f"{told.zh}{if_zh}；未经核对，故存疑。此前判定：{row['reason_zh']}",
        "reason_en": f"{told.en} Unresolved until it is checked: {if_en}. "
        f"Judged before: {row['reason_en']}",
    }


def _after(told: str, reason: str, blank: str) -> str:
    return f"{told}{blank}{reason}"
