"""The report of a run: one self-contained page a supervisor can read, offline and in print."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely

from clues.outputs.evidence import Pictures
from clues.outputs.page import write_page
from clues.outputs.sheet import EvidenceSheet, Picture, evidence_sheets
from clues.outputs.tables import ClueTables
from configs.channels import channel_name
from configs.units import metres2, mu
from configs.vocabulary import Outcome, change_type, role_name

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["QualityFacts", "write_report"]

TOP_CLUES = 12
MAP_SIDE = 760
COLOURS = {
    "suspected": "#d7191c",
    "unresolved": "#e67300",
    "legal": "#1a9641",
    "other": "#5e8ac7",
    "non_new": "#8a8a8a",
    "below_threshold": "#b9b9b9",
}


@dataclass(frozen=True)
class QualityFacts:
    """What the run knows about its own quality.

    Attributes
    ----------
    checks : sequence of dict
        Pair gate: name, value, limit, unit, passed, remedy.
    notes : sequence of str
        What the detector chose and why.
    landcover : dict
        Per-class F1 of the land-cover model on blocked folds, empty without a model.
    rejects : sequence of dict
        Rows of layers with problems: role and `clues.quality.REPORT_COLUMNS`.
    exceptions : sequence of str
        Everything a reader must know before trusting the list.
    observed : sequence of dict
        The county and its divisions: code, name, area_dm2, observed_dm2, observed_percent.
    """

    checks: Sequence[dict[str, Any]] = ()
    notes: Sequence[str] = ()
    landcover: dict[str, float] = field(default_factory=dict)
    rejects: Sequence[dict[str, Any]] = ()
    exceptions: Sequence[str] = ()
    observed: Sequence[dict[str, Any]] = ()


def write_report(
    tables: ClueTables,
    path: Path,
    quality: QualityFacts,
    pictures: Pictures,
    overview: Picture,
) -> None:
    """Write the report page.

    Parameters
    ----------
    tables : ClueTables
    path : Path
        ``report.html``; written atomically, opens without network.
    quality : QualityFacts
    pictures : callable
        As in `clues.outputs.evidence.write_sheets`; called for the first clues by priority.
    overview : Picture
        The whole area after the change, as the map's background.
    """
    write_page(
        path,
        "report.html.j2",
        title=tables.title,
        outcomes=_by_outcome(_observed(tables.patches)),
        leads=_lead_rows(tables),
        types=_by_type(_observed(tables.clues)),
        rules=_by_rule(tables.findings),
        total=_figures(_observed(tables.patches)["area_dm2"]),
        clue_total=_figures(_observed(tables.clues)["area_dm2"]),
        indicators=_indicator_rows(tables.indicators),
        alert=bool(tables.indicators["ratio_alert"]),
        map=_map(tables, overview),
        top=[_top(sheet, pictures) for sheet in _first_by_priority(tables)],
        quality=quality,
        rejects=_named_rows(quality.rejects),
        colours=COLOURS,
    )


INDICATORS = {
    "ratio_percent": ("违法占用耕地比例（疑似）%", "suspected cropland share, %"),
    "ratio_limit_percent": ("预警线 %", "alert from, %"),
    "ratio_percent_if_open_are_suspected": ("若存疑均属违法 %", "if all open were suspected, %"),
    "ratio_suspected_cropland_mu": ("疑似违法占耕地（亩）", "suspected cropland, mu"),
    "ratio_new_construction_cropland_mu": ("新增建设占耕地（亩）", "cropland newly built on, mu"),
}


def _indicator_rows(indicators: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"zh": zh, "en": en, "value": f"{indicators[name]:.2f}"}
        for name, (zh, en) in INDICATORS.items()
    ]


def _named_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a report with the names of their layers."""
    return [
        row | {"role_zh": role_name(row["role"]), "role_en": role_name(row["role"], "en")}
        for row in rows
    ]


def _figures(areas: Any) -> dict[str, Any]:
    total = int(areas.sum())
    return {"count": len(areas), "m2": metres2(total), "mu": mu(total)}


def _observed(patches: "gpd.GeoDataFrame") -> "gpd.GeoDataFrame":
    """Return the patches without the places that only leads name."""
    if "origin" not in patches:
        return patches
    return patches[(patches["origin"] == "image").to_numpy()]


def _lead_rows(tables: ClueTables) -> list[dict[str, Any]]:
    """Return each lead with the clue it supports or opened."""
    numbers = dict(zip(tables.patches["patch_id"], tables.patches["clue_no"], strict=True))
    return [
        lead | {"clue_no": numbers[patch], "name": channel_name(lead["channel"])}
        for patch, leads in sorted(tables.leads_by_patch().items())
        for lead in leads
    ]


def _by_outcome(patches: "gpd.GeoDataFrame") -> list[dict[str, Any]]:
    rows = []
    for outcome in Outcome:
        chosen = patches[patches["outcome"] == outcome.value]
        names = {"code": outcome.value, "zh": outcome.name_zh, "en": outcome.name_en}
        rows.append(names | _figures(chosen["area_dm2"]))
    return rows


def _by_type(clues: "gpd.GeoDataFrame") -> list[dict[str, Any]]:
    rows = []
    for code, chosen in clues.groupby("change_type", sort=True):
        kind = change_type(str(code))
        names = {"zh": kind.name_zh, "en": kind.name_en, "number": kind.number}
        rows.append(names | _figures(chosen["area_dm2"]))
    return sorted(rows, key=lambda r: r["number"])


def _by_rule(findings: "gpd.GeoDataFrame") -> list[dict[str, Any]]:
    rows = []
    for (line, rule), chosen in findings.groupby(["line", "rule"], sort=True):
        rows.append({"line": line, "rule": rule} | _figures(chosen["area_dm2"]))
    return rows


def _first_by_priority(tables: ClueTables) -> list[EvidenceSheet]:
    order = tables.clues.sort_values(["priority", "clue_no"], ascending=[False, True])
    wanted = list(order["patch_id"][:TOP_CLUES])
    chosen = replace(
        tables,
        patches=tables.patches[tables.patches["patch_id"].isin(wanted)],
        findings=tables.findings[tables.findings["patch_id"].isin(wanted)],
        coverage=tables.coverage[tables.coverage["patch_id"].isin(wanted)],
    )
    sheets = {sheet.patch_id: sheet for sheet in evidence_sheets(chosen)}
    return [sheets[patch_id] for patch_id in wanted]


def _top(sheet: EvidenceSheet, pictures: Pictures) -> dict[str, Any]:
    frame = sheet.frame()
    before, after = pictures(frame)
    return {
        "sheet": sheet,
        "before": _data_uri(before),
        "after": _data_uri(after),
        "before_date": before.civil_date,
        "after_date": after.civil_date,
        "path": _svg_path(sheet.outline, frame, 200.0),
    }


def _map(tables: ClueTables, overview: Picture) -> dict[str, Any]:
    west, south, east, north = overview.bounds
    height = MAP_SIDE * (north - south) / (east - west)
    shapes = [
        {
            "path": _svg_path(shape, overview.bounds, MAP_SIDE, height),
            "colour": COLOURS[outcome],
            "name": clue_no or patch_id,
        }
        for shape, outcome, clue_no, patch_id in zip(
            tables.patches.geometry,
            tables.patches["outcome"],
            tables.patches["clue_no"],
            tables.patches["patch_id"],
            strict=True,
        )
    ]
    return {
        "width": MAP_SIDE,
        "height": round(height),
        "image": _data_uri(overview),
        "shapes": shapes,
    }


def _svg_path(
    shape: Any, bounds: tuple[float, float, float, float], width: float, height: float | None = None
) -> str:
    west, south, east, north = bounds
    height = width if height is None else height
    parts = []
    for ring in shapely.get_rings(shapely.get_parts(shape)):
        points = shapely.get_coordinates(ring)
        xs = (points[:, 0] - west) / (east - west) * width
        ys = (north - points[:, 1]) / (north - south) * height
        parts.append("M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True)) + "Z")
    return "".join(parts)


def _data_uri(picture: Picture) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture.image).save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
