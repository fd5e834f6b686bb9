"""Building the model of a report from the judged tables of a run and its pictures."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import shapely

from clues.objects import FATE_NAMES
from clues.outputs.evidence import Pictures
from clues.outputs.reportcrowd import crowded, map_patches, rings_in
from clues.outputs.reportfigures import (
    Tally,
    county_stages,
    cover_flows,
    covers_of,
    cropland_flows,
    observed,
    tally_by,
    zone_tallies,
)
from clues.outputs.reportmarks import flag_tallies, gravest_level
from clues.outputs.reportmodel import (
    LeadingClue,
    MapPatch,
    Pane,
    PeriodFigures,
    QualityFacts,
    ReportModel,
)
from clues.outputs.sheet import Picture, frame_of
from clues.outputs.tables import ClueTables
from configs.told import Told
from configs.vocabulary import COVERS, Outcome

__all__ = ["build_report", "period_figures"]

TOP_CLUES = 12
MOST_OUTLINES = 20_000
"""Patches that a map shows one by one."""


def build_report(
    tables: ClueTables,
    quality: QualityFacts,
    pictures: Pictures | None = None,
    overview: Picture | None = None,
    *,
    issued: "pd.DataFrame | None" = None,
    previous: ClueTables | None = None,
    top: int = TOP_CLUES,
    metres: tuple[float, float] = (1.0, 1.0),
) -> ReportModel:
    """Return the model of a report.

    Parameters
    ----------
    tables : ClueTables
    quality : QualityFacts
    pictures : callable, optional
        As in `clues.outputs.evidence.write_sheets`; called for the first clues by priority.
    overview : Picture, optional
        The whole area after the change, as the map's background.
    issued : DataFrame, optional
        The patches as they were before people edited them; by default nothing was edited.
    previous : ClueTables, optional
        Of the previous period.
    top : int
        Clues with pictures.
    metres : tuple of float
        Ground metres in a unit of the CRS to the east and to the north.
    """
    seen = observed(tables.patches)
    covers, flows = cover_flows(seen)
    first = _first_by_priority(tables, top)
    bounds = overview.bounds if overview is not None else _frame(tables.patches)
    ranks = {patch: i for i, patch in enumerate(first, start=1)}
    return ReportModel(
        title=tables.title,
        quality=quality,
        indicators=tables.indicators,
        period=period_figures(tables),
        previous=None if previous is None else period_figures(previous),
        again=0 if previous is None else _touching(tables, previous),
        outcomes=_by_outcome(seen),
        types=tuple((k[0], t) for k, t in tally_by(observed(tables.clues), ["change_type"])),
        classes=tuple(_by_class(seen)),
        rules=tuple(tally_by(tables.findings, ["line", "rule", "outcome"])),
        stages=tuple(county_stages(tables, issued)),
        fates=_by_fate(seen),
        zones=tuple(zone_tallies(tables)),
        covers=covers,
        flows=flows,
        flags=tuple(flag_tallies(tables)),
        gravest=gravest_level(tables),
        verdicts=_filled(tables, "verdict"),
        rectified=_filled(tables, "rectified", "rectification"),
        leads=_leads(tables),
        first=_leading(tables, first, pictures),
        overview=None if overview is None else _pane(overview),
        map_patches=_map_patches(tables, bounds, ranks),
        map_bounds=bounds,
        map_metres=metres,
        rule_names=tables.rule_names,
    )


def period_figures(tables: ClueTables) -> PeriodFigures:
    """Return what a period is compared by."""
    seen, clues = observed(tables.patches), observed(tables.clues)
    own = tables.findings[(tables.findings["line"] == tables.leading_line).to_numpy()]
    by = {k[0]: t for k, t in tally_by(own, ["outcome"])}
    days = [d for n in ("before_from", "after_to") for d in seen[n] if hasattr(d, "isoformat")]
    return PeriodFigures(
        tables.title.batch,
        (min(days, default=None), max(days, default=None)),
        tally_by(seen, [])[0][1],
        tally_by(clues, [])[0][1],
        by.get(Outcome.SUSPECTED.value, Tally()),
        by.get(Outcome.UNRESOLVED.value, Tally()),
        tuple(cropland_flows(seen)),
        float(tables.indicators["ratio_percent"]),
    )


def _touching(tables: ClueTables, previous: ClueTables) -> int:
    """Return how many clues touch a clue of the previous period."""
    earlier = previous.clues.geometry
    if not len(earlier) or not len(tables.clues):
        return 0
    tree = shapely.STRtree(earlier.to_crs(tables.patches.crs).to_numpy())
    found = tree.query(tables.clues.geometry.to_numpy(), predicate="intersects")
    return len(np.unique(found[0]))


def _filled(tables: ClueTables, *keys: str) -> tuple[Any, ...]:
    """Return how often people filled in the same words on a clue."""
    own = (tables.filled.get(p, {}) for p in tables.clues["patch_id"])
    found = [tuple(str(cells.get(k) or "") for k in keys) for cells in own]
    told = [words for words in found if any(words)]
    return tuple((*words, told.count(words)) for words in sorted(set(told)))


def _by_outcome(patches: Any) -> tuple[tuple[str, Tally], ...]:
    by = {k[0]: t for k, t in tally_by(patches, ["outcome"])}
    return tuple((o.value, by.get(o.value, Tally())) for o in Outcome)


def _by_fate(patches: Any) -> tuple[tuple[str, Tally], ...]:
    """Return patches by fate; nothing where all are new, as without a register."""
    if "fate" not in patches or not (patches["fate"] != "new").any():
        return ()
    by = {k[0]: t for k, t in tally_by(patches, ["fate"])}
    return tuple((fate, by[fate]) for fate in FATE_NAMES if fate in by)


def _by_class(patches: Any) -> list[tuple[tuple[str, ...], Tally]]:
    later = patches.assign(cover=covers_of(patches)[1])
    found = tally_by(later, ["county_code", "county_name", "cover"])
    order = (*COVERS, "unknown")
    return sorted(found, key=lambda row: (*row[0][:2], order.index(row[0][2])))


def _leads(tables: ClueTables) -> tuple[dict[str, Any], ...]:
    """Return each lead with the clue it supports or opened."""
    numbers = dict(zip(tables.patches["patch_id"], tables.patches["clue_no"], strict=True))
    return tuple(
        lead | {"clue_no": numbers[patch]}
        for patch, leads in sorted(tables.leads_by_patch().items())
        for lead in leads
    )


def _first_by_priority(tables: ClueTables, top: int) -> list[str]:
    order = tables.clues.sort_values(["priority", "clue_no"], ascending=[False, True])
    return [str(p) for p in order["patch_id"][:top]]


def _leading(
    tables: ClueTables, wanted: Sequence[str], pictures: Pictures | None
) -> tuple[LeadingClue, ...]:
    rows, leads = tables.patches.set_index("patch_id"), tables.leads_by_patch()
    findings: Any = tables.only(set(wanted)).findings
    found = []
    for number, patch in enumerate(wanted, start=1):
        row, parts = rows.loc[patch], findings[(findings["patch_id"] == patch).to_numpy()]
        own = parts[(parts["line"] == tables.leading_line).to_numpy()]
        said = [*parts.to_dict("records"), *leads.get(patch, [])]
        frame = frame_of(row["geometry"])
        panes = [_pane(p) for p in pictures(frame)] if pictures is not None else [None, None]
        found.append(
            LeadingClue(
                number=number,
                clue_no=str(row["clue_no"]),
                lon=float(row["lon"]),
                lat=float(row["lat"]),
                sheet=str(row["sheet"]),
                reasons=_said(said, ("reason_zh", "reason_en")),
                questions=_said(
                    said, ("questions_zh", "questions_en"), ("question_zh", "question_en")
                ),
                change_type=str(row["change_type"]),
                outcome=str(row["outcome"]),
                areas=Tally(
                    len(own),
                    int(row["area_dm2"]),
                    int(own["cropland_dm2"].sum()),
                    int(own["pbf_dm2"].sum()),
                ),
                before=panes[0],
                after=panes[1],
                rings=rings_in([row["geometry"]], frame)[0],
            )
        )
    return tuple(found)


def _said(records: Sequence[dict[str, Any]], *pairs: tuple[str, str]) -> tuple[Told, ...]:
    """Return what is said in both languages, each sentence once."""
    found = [Told(r[zh], r[en]) for r in records for zh, en in pairs if r.get(zh)]
    return tuple(dict.fromkeys(found))


def _frame(patches: Any) -> tuple[float, float, float, float]:
    """Return the bounds of all patches with a margin."""
    if not len(patches):
        return 0.0, 0.0, 1.0, 1.0
    west, south, east, north = (float(v) for v in patches.total_bounds)
    rim = 0.05 * max(east - west, north - south, 1e-6)
    return west - rim, south - rim, east + rim, north + rim


def _map_patches(
    tables: ClueTables, bounds: tuple[float, float, float, float], ranks: Mapping[str, int]
) -> tuple[MapPatch, ...]:
    if len(tables.patches) > MOST_OUTLINES:
        return crowded(tables, bounds, ranks)
    return map_patches(tables.patches, tables.patches.geometry.to_numpy(), bounds, ranks)


def _pane(picture: Picture) -> Pane:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture.image).save(buffer, "JPEG", quality=82)
    return Pane(buffer.getvalue(), picture.civil_date, picture.attribution)
