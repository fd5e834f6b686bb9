"""What a report says, in figures and pictures: one model behind the page, the document, the PDF."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clues.outputs.reportfigures import CroplandFlow, Tally
from clues.outputs.tables import RunTitle
from configs.told import Told

__all__ = [
    "LeadingClue",
    "MapPatch",
    "Pane",
    "PeriodFigures",
    "QualityFacts",
    "ReportModel",
    "Ring",
]

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class QualityFacts:
    """What the run knows about its own quality.

    Attributes
    ----------
    checks : sequence of dict
        Pair gate: name, value, limit, unit, passed, remedy.
    notes : sequence of str
        What the detector chose and why, in English: for technicians.
    landcover : dict
        Per-class F1 of the land-cover model on blocked folds, empty without a model.
    rejects : sequence of dict
        Rows of layers with problems: role and `clues.quality.REPORT_COLUMNS`.
    exceptions : sequence of Told or None
        Everything a reader must know before trusting the list; None where the run kept no record.
    observed : sequence of dict
        The county and its divisions: code, name, area_dm2, observed_dm2, observed_percent.
    layers : sequence of dict
        Layers of the One-Map: role, name, version, features, rejects, complete.
    assessment : dict
        ``assessment.json`` of `tuban assess`, empty without one.
    images : sequence of Told
        Why these images were taken of the catalogue; empty where the config names them.
    latency : dict
        ``p50_days`` and ``p90_days`` from the last image to the clue; empty where not known.
    """

    checks: Sequence[dict[str, Any]] = ()
    notes: Sequence[str] = ()
    landcover: Mapping[str, float] = field(default_factory=dict)
    rejects: Sequence[dict[str, Any]] = ()
    exceptions: Sequence[Told] | None = ()
    observed: Sequence[dict[str, Any]] = ()
    layers: Sequence[dict[str, Any]] = ()
    assessment: Mapping[str, Any] = field(default_factory=dict)
    images: Sequence[Told] = ()
    latency: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Pane:
    """A picture as it goes into files.

    Attributes
    ----------
    jpeg : bytes
    """

    jpeg: bytes
    day: dt.date | None
    attribution: str


@dataclass(frozen=True)
class MapPatch:
    """A patch of the overview map; rings in shares of the map's width and height from its top left.

    Attributes
    ----------
    number : int
        Place among the first clues by priority, 0 for all others.
    """

    name: str
    outcome: str
    rings: tuple[Ring, ...]
    number: int


@dataclass(frozen=True)
class LeadingClue:
    """One of the first clues by priority; without pictures where there is no imagery."""

    number: int
    clue_no: str
    lon: float
    lat: float
    sheet: str
    reasons: tuple[Told, ...]
    questions: tuple[Told, ...]
    change_type: str
    outcome: str
    areas: Tally
    before: Pane | None
    after: Pane | None
    rings: tuple[Ring, ...]


@dataclass(frozen=True)
class PeriodFigures:
    """What two periods are compared by."""

    batch: str
    days: tuple[dt.date | None, dt.date | None]
    patches: Tally
    clues: Tally
    suspected: Tally
    unresolved: Tally
    cropland: tuple[CroplandFlow, ...]
    ratio_percent: float


@dataclass(frozen=True)
class ReportModel:
    """Everything a report says, without words of its own.

    Attributes
    ----------
    title : RunTitle
    period : PeriodFigures
    previous : PeriodFigures or None
    again : int
        Clues that touch a clue of the previous period.
    outcomes, types, classes, rules : tuple of (key, Tally)
        Patches by outcome; clues by change type; patches by county and class of the later date;
        findings by line, rule and outcome.
    stages : tuple of (county, stage, Tally or None)
        See `clues.outputs.reportfigures.county_stages`.
    fates : tuple of (fate, Tally)
        Patches by what they are compared with earlier periods; empty where no register tells.
    zones : tuple of (role, name, suspected, unresolved)
    covers, flows
        See `clues.outputs.reportfigures.cover_flows`.
    flags : tuple of (code, Tally)
        Suspected and unresolved parcels by mark.
    gravest : (Told, Tally) or None
        Name of the highest level of severity of the rule set, and the parcels that reach it.
    verdicts : tuple of (word, clues)
        What people found, in the words of the ledger; empty while nobody has looked.
    rectified : tuple of (rectified, way, clues)
        What people filled in of rectification: yes or no, and how; either may be empty.
    overview : Pane or None
    map_bounds : tuple of float
        West, south, east, north; `map_metres` metres are a unit to the east and to the north.
    rule_names : dict
        Names of rules and marks by code.
    """

    title: RunTitle
    quality: QualityFacts
    indicators: Mapping[str, Any]
    period: PeriodFigures
    previous: PeriodFigures | None
    again: int
    outcomes: tuple[tuple[str, Tally], ...]
    types: tuple[tuple[str, Tally], ...]
    classes: tuple[tuple[tuple[str, ...], Tally], ...]
    rules: tuple[tuple[tuple[str, ...], Tally], ...]
    stages: tuple[tuple[str, str, Tally | None], ...]
    fates: tuple[tuple[str, Tally], ...]
    zones: tuple[tuple[str, str, Tally, Tally], ...]
    covers: tuple[str, ...]
    flows: Mapping[tuple[str, str], int]
    flags: tuple[tuple[str, Tally], ...]
    gravest: tuple[Told, Tally] | None
    verdicts: tuple[tuple[str, int], ...]
    rectified: tuple[tuple[str, str, int], ...]
    leads: tuple[dict[str, Any], ...]
    first: tuple[LeadingClue, ...]
    overview: Pane | None
    map_patches: tuple[MapPatch, ...]
    map_bounds: tuple[float, float, float, float]
    map_metres: tuple[float, float]
    rule_names: Mapping[str, Mapping[str, str]]

    @property
    def has_approvals(self) -> bool:
        """Whether approvals were among the layers: else nothing can be called suspected."""
        return any(layer["role"] == "approval" for layer in self.quality.layers)
