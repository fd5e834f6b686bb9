"""What one evidence sheet says: the model behind the PDF and the HTML page."""

import datetime as dt
import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.objects import FATE_NAMES
from clues.outputs.severity import SeverityLevel, severity_text
from clues.outputs.tables import ClueTables, RunTitle
from clues.papers import SHOWN_DATES
from configs.channels import channel_name
from configs.speech import Speech
from configs.units import area_in, metres2
from configs.vocabulary import Line, change_type
from tiles.geodesy import to_cgcs2000

__all__ = ["EvidenceSheet", "Picture", "evidence_sheets", "frame_of"]

AREA_LABELS = {
    "cropland_dm2": ("耕地", "Cropland"),
    "farmland_dm2": ("其他农用地", "Other farmland"),
    "construction_dm2": ("建设用地", "Construction land"),
    "unused_dm2": ("未利用地", "Unused land"),
    "pbf_dm2": ("永久基本农田", "Basic farmland"),
    "redline_dm2": ("生态保护红线", "Ecological redline"),
    "outside_boundary_dm2": ("城镇开发边界外", "Outside growth boundary"),
}


class Picture(Protocol):
    """A piece of imagery as `tiles.chips` cuts it."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """RGB, shape (y, x, 3)."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in the CRS of the run."""

    @property
    def scene_id(self) -> str:
        """Scene the picture came from."""

    @property
    def civil_date(self) -> dt.date | None:
        """Its date."""

    @property
    def attribution(self) -> str:
        """Credit line."""

    @property
    def sensor(self) -> str:
        """Name of the sensor for people."""

    @property
    def unseen(self) -> float:
        """Share of the picture without image, which is striped."""


@dataclass(frozen=True)
class EvidenceSheet:
    """Everything one clue's sheet shows, already in words and figures.

    Attributes
    ----------
    facts : tuple of (zh, en, value)
        Head of the sheet.
    areas : tuple of (zh, en, m², area in `unit`)
    documents : tuple of (number and part, role, dates, m², share %)
        Of documents alone; areas inside control lines stand under `areas`.
    document_keys : tuple of str
        Key of the feature behind each row of `documents`.
    reasons : tuple of (parcel, zh, en)
    traces : tuple of (zh, en)
        Line, parcel, rule and outcome of each finding among `reasons`; empty for leads.
    outline : Polygon or MultiPolygon
        In `crs`, that of the run.
    parcels : tuple of (parcel_id, outcome, geometry)
        Parcels of the land line, for the outline's parts.
    rings : tuple of (name, points)
        All rings of the outline, in the order of coordinate TXT; points are longitude and latitude
        on CGCS2000, the first one not repeated.
    """

    clue_no: str
    patch_id: str
    title: RunTitle
    crs: str
    facts: tuple[tuple[str, str, str], ...]
    areas: tuple[tuple[str, str, Decimal, Decimal], ...]
    documents: tuple[tuple[str, str, str, Decimal, Decimal], ...]
    document_keys: tuple[str, ...]
    reasons: tuple[tuple[str, str, str], ...]
    traces: tuple[tuple[str, str], ...]
    questions: tuple[tuple[str, str], ...]
    outline: Any
    parcels: tuple[tuple[str, str, Any], ...]
    rings: tuple[tuple[str, tuple[tuple[float, float], ...]], ...]

    @property
    def unit(self) -> str:
        """Unit of area beside square metres: that of the rule set, or hectares."""
        return _second_unit(self.title)

    @property
    def outline_hash(self) -> str:
        """First 16 hex digits of the SHA-256 over the outline (WKB, little endian)."""
        return hashlib.sha256(shapely.to_wkb(self.outline, byte_order=1)).hexdigest()[:16]

    def frame(self, margin: float = 0.6) -> tuple[float, float, float, float]:
        """Return a square west, south, east, north around the patch in CRS units."""
        return frame_of(self.outline, margin)


def frame_of(outline: Any, margin: float = 0.6) -> tuple[float, float, float, float]:
    """Return a square west, south, east, north around an outline in CRS units."""
    west, south, east, north = outline.bounds
    half = max(east - west, north - south) * (0.5 + margin)
    x, y = (west + east) / 2, (south + north) / 2
    return x - half, y - half, x + half, y + half


def evidence_sheets(tables: ClueTables) -> list[EvidenceSheet]:
    """Return the sheets of all clues in ledger order."""
    tables = tables.whole()
    findings, coverage = tables.findings_by_patch(), tables.coverage_by_patch()
    leads = tables.leads_by_patch()
    parcels: dict[str, list[tuple[str, str, Any]]] = {}
    land = tables.findings[tables.findings["line"] == "land"]
    for patch, parcel, outcome, shape in zip(
        land["patch_id"], land["parcel_id"], land["outcome"], land.geometry, strict=True
    ):
        parcels.setdefault(patch, []).append((parcel, outcome, shape))
    crs = tables.patches.crs.to_string()
    clues = tables.clues
    sheets = []
    for record, shape in zip(
        clues.drop(columns="geometry").to_dict("records"), clues.geometry, strict=True
    ):
        key = str(record["patch_id"])
        sheets.append(
            _sheet(
                tables.title,
                {str(k): v for k, v in record.items()},
                findings.get(key, []),
                coverage.get(key, []),
                leads.get(key, []),
                (shape, tuple(parcels.get(key, [])), crs),
                tables.levels,
            )
        )
    return sheets


def _sheet(
    title: RunTitle,
    patch: dict[str, Any],
    findings: list[dict[str, Any]],
    coverage: list[dict[str, Any]],
    leads: list[dict[str, Any]],
    shapes: tuple[Any, Any, Any],
    levels: tuple[SeverityLevel, ...],
) -> EvidenceSheet:
    first = [f for f in findings if f["line"] == findings[0]["line"]]
    land = [f for f in findings if f["line"] == "land"] or first
    unit = _second_unit(title)
    areas = [("图斑", "Patch", *_measured(patch["area_dm2"], unit))]
    for name, (zh, en) in AREA_LABELS.items():
        total = sum(int(f[name]) for f in land)
        areas.append((zh, en, *_measured(total, unit)))
    shown = [c for c in coverage if c["role"] in SHOWN_DATES]
    documents = dict.fromkeys((_document(c, title.speech), str(c["key"])) for c in shown)
    outline, parcels, crs = shapes
    questions = [(f["questions_zh"], f["questions_en"]) for f in findings if f["questions_zh"]]
    reasons = [(f["parcel_id"], f["reason_zh"], f["reason_en"]) for f in findings]
    traces = [_trace(f, title.speech) for f in findings]
    for lead in leads:
        if not any(lead["reason_zh"] in zh for _, zh, _ in reasons):
            reasons.append((str(lead["lead_id"]), lead["reason_zh"], lead["reason_en"]))
            traces.append(("", ""))
            if lead["question_zh"]:
                questions.append((lead["question_zh"], lead["question_en"]))
    return EvidenceSheet(
        clue_no=str(patch["clue_no"]),
        patch_id=str(patch["patch_id"]),
        title=title,
        crs=crs,
        facts=(
            *_facts(title, patch),
            *_severity_fact(findings, levels),
            *_width_fact(patch),
            *_fate_fact(patch),
            *_source_facts(patch, leads),
        ),
        areas=tuple(areas),
        documents=tuple(row for row, _ in documents),
        document_keys=tuple(key for _, key in documents),
        reasons=tuple(reasons),
        traces=tuple(traces),
        questions=tuple(dict.fromkeys(questions)),
        outline=outline,
        parcels=parcels,
        rings=_rings(outline, crs),
    )


def _second_unit(title: RunTitle) -> str:
    spoken = title.speech.area_unit
    return spoken if spoken != "m2" else "ha"


def _measured(area_dm2: int, unit: str) -> tuple[Decimal, Decimal]:
    """Return square metres and the second unit of a sheet."""
    return metres2(area_dm2), area_in(area_dm2, unit)


def _document(covered: dict[str, Any], speech: Speech) -> tuple[str, str, str, Decimal, Decimal]:
    """Return a row of the document table; parts of a patch are told apart by their number."""
    name = str(covered["number"] or covered["key"])
    part = str(covered["parcel_id"]).removeprefix(str(covered["patch_id"]))
    days = [covered["date"], covered.get("valid_to")]
    texts = [d.isoformat() for d in days if hasattr(d, "isoformat") and d == d]
    return (
        f"{name} ({covered['parcel_id']})" if part else name,
        f"{speech.role(covered['role'], 'zh')} {speech.role(covered['role'], 'en')}",
        " – ".join(texts) or "—",
        metres2(covered["area_dm2"]),
        Decimal(str(round(100 * float(covered["share"]), 2))),
    )


def _facts(title: RunTitle, patch: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    kind, speech = change_type(patch["change_type"]), title.speech
    outcome = [speech.outcome(patch["outcome"], language) for language in ("zh", "en")]
    confidence = int(patch["confidence"])
    return (
        ("线索编号", "Clue", str(patch["clue_no"])),
        ("图斑编号", "Patch", str(patch["patch_id"])),
        ("行政区", "County", f"{title.county_code} {title.county_name}"),
        ("变化类型", "Change", f"{kind.name_zh} {kind.name_en}"),
        ("置信度", "Confidence", "未知 unknown" if confidence < 0 else f"{confidence} %"),
        ("前时相", "Before", _span(patch["before_from"], patch["before_to"])),
        ("后时相", "After", _span(patch["after_from"], patch["after_to"])),
        ("中心点", "Centre", f"{patch['lon']:.6f}°E {patch['lat']:.6f}°N (CGCS2000)"),
        ("图幅号", "Sheet", str(patch["sheet"])),
        ("判定建议", "Suggestion", " ".join(outcome)),
    )


def _severity_fact(
    findings: list[dict[str, Any]], levels: tuple[SeverityLevel, ...]
) -> tuple[tuple[str, str, str], ...]:
    """Return which figure of a standard the area reaches; a hint, no verdict."""
    names = (severity_text(findings, levels, language) for language in ("zh", "en"))
    told = " ".join(name for name in names if name)
    return (("严重程度提示（非认定）", "Severity hint, no verdict", told),) if told else ()


def _width_fact(patch: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """Return the mean width of an elongated patch."""
    width: Any = patch.get("width_m")
    known = width is not None and width == width
    return (("平均宽度", "Mean width", f"{float(width):.1f} m"),) if known else ()


def _fate_fact(patch: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """Return what a register tells of a clue that it knew before."""
    fate, first = patch.get("fate"), patch.get("first_seen")
    if not isinstance(fate, str) or fate == "new" or not isinstance(first, dt.date):
        return ()
    told = f"{' '.join(FATE_NAMES[fate])} {first.isoformat()}"
    return (("变化状态", "Fate, first seen", told),)


def _source_facts(
    patch: dict[str, Any], leads: list[dict[str, Any]]
) -> tuple[tuple[str, str, str], ...]:
    """Return where a clue comes from, if leads point at it."""
    if not leads:
        return ()
    image = ["卫片"] if patch.get("origin", "image") == "image" else []
    counted = dict.fromkeys(channel_name(x["channel"]).zh for x in leads)
    return (("线索来源", "Sources", "、".join([*image, *counted])),)


def _span(first: Any, last: Any) -> str:
    if not hasattr(first, "isoformat"):
        return "—"
    return first.isoformat() if first == last else f"{first.isoformat()} – {last.isoformat()}"


def _trace(finding: dict[str, Any], speech: Speech) -> tuple[str, str]:
    """Return which rule decided what on which line, in both languages."""
    code, outcome = str(finding["line"]), finding["outcome"]
    if code in {line.value for line in Line}:
        zh, en = Line(code).name_zh, Line(code).name_en
    else:
        zh, en = speech.role(code, "zh"), speech.role(code, "en")
    parcel, rule = finding["parcel_id"], finding["rule"]
    return (
        f"{zh} · {parcel} · 规则 {rule} · {speech.outcome(outcome, 'zh')}",
        f"{en} · {parcel} · rule {rule} · {speech.outcome(outcome, 'en')}",
    )


def _rings(shape: Any, crs: str) -> tuple[tuple[str, tuple[tuple[float, float], ...]], ...]:
    found = []
    for number, ring in enumerate(shapely.get_rings(shapely.get_parts(shape)), start=1):
        points = to_cgcs2000(shapely.get_coordinates(ring)[:-1], crs)
        name = f"环{number} ring {number}"
        found.append((name, tuple((float(x), float(y)) for x, y in points)))
    return tuple(found)
