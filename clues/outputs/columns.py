"""Rows and columns of the ledger, and its columns where a rule set speaks English."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from clues.papers import SHOWN_DATES
from clues.wording import FOREVER
from configs.speech import Speech
from configs.units import SCORE_UNIT, UNIT_NAMES, area_in, metres2
from configs.vocabulary import change_type

__all__ = ["Column", "Form", "Row", "day_text", "document_texts", "english_form"]

CONTROL_AREAS = {
    "landuse": "cropland_dm2",
    "basic_farmland": "pbf_dm2",
    "redline": "redline_dm2",
    "growth_boundary": "outside_boundary_dm2",
}
"""Area column of findings by the role it is drawn from; for land use that of cropland."""


LEAD_TEXTS = {
    "reason_zh": "reason_zh",
    "reason_en": "reason_en",
    "questions_zh": "question_zh",
    "questions_en": "question_en",
}
"""Column of the findings: column of the leads that says as much of a lead."""


@dataclass(frozen=True)
class Row:
    """One clue with what belongs to it; areas are summed over the leading `line`."""

    number: int
    patch: dict[str, Any]
    findings: list[dict[str, Any]]
    coverage: list[dict[str, Any]]
    leads: list[dict[str, Any]] = field(default_factory=list)
    line: str = "land"

    def area(self, name: str) -> int:
        """Return the dm² of an area column, summed over the parcels of the leading line."""
        return sum(int(f[name]) for f in self.findings if f["line"] == self.line)

    def joined(self, name: str, separator: str = "\n") -> str:
        """Return the non-empty texts of a column of findings and leads, in order, each once."""
        texts = [str(f[name]) for f in self.findings if f[name]]
        told = LEAD_TEXTS.get(name, "")
        for lead in self.leads if told else ():
            if lead[told] and not any(lead[told] in text for text in texts):
                texts.append(str(lead[told]))
        return separator.join(dict.fromkeys(texts))


@dataclass(frozen=True)
class Column:
    """One ledger column: title, width in characters, meaning, and how its value is made."""

    title: str
    width: int
    meaning: str
    value: Callable[[Row], Any]
    kind: str = "text"


@dataclass(frozen=True)
class Form:
    """What the ledger says in one language: columns, names of sheets, words around the table.

    Attributes
    ----------
    sheets : tuple of str
        Names of the list, the machine's sheet and the dictionary.
    choices : dict of str to list of str
        What an inspector may fill in, by column title.
    repeated : str
        Meaning of a machine column that the list explains.
    kind : callable
        Name of a change type.
    """

    title: str
    columns: tuple[Column, ...]
    machine: tuple[Column, ...]
    sheets: tuple[str, str, str]
    total: str
    page: str
    head: tuple[str, str]
    version: str
    choices: dict[str, list[str]]
    repeated: str
    kind: Callable[[Any], str]


def day_text(value: Any) -> str:
    """Return a date in ISO form, "" where there is none."""
    return value.isoformat() if hasattr(value, "isoformat") and value == value else ""


def measured(name: str, unit: float = 1.0) -> Callable[[Row], float | None]:
    """Return what a column of the patch table holds, in units of `unit`; None where unknown."""

    def value(row: Row) -> float | None:
        told = row.patch.get(name)
        return None if told is None or told != told else float(told) / unit

    return value


def document_texts(row: Row, speech: Speech) -> str:
    """Return the documents and control lines on a clue with date and share, one to a line."""
    zh, parts = speech.language == "zh", []
    for c in row.coverage:
        name, number = speech.role(c["role"]), c["number"] or c["key"]
        day = day_text(c["date"]) or ("日期不详" if zh else "date unknown")
        dated = bool(SHOWN_DATES.get(c["role"]))
        share = Decimal(str(c["share"])) * 100
        if c["parcel_id"] != row.patch["patch_id"]:
            number = f"{number} [{c['parcel_id']}]"
        if zh:
            parts.append(f"{name}{number}{f'（{day}）' * dated}覆盖{share:.2f}%")
        else:
            if len(SHOWN_DATES.get(c["role"], ())) > 1:
                end = day_text(c["valid_to"])
                day = f"{day} – {'' if end == FOREVER else end}".rstrip()
            parts.append(f"{name} {number}{f' ({day})' * dated} covers {share:.2f} %")
    return "\n".join(dict.fromkeys(parts))


def english_form(speech: Speech) -> Form:
    """Return the ledger in English, with areas of the layers that the rule set names."""
    return Form(
        "land-change clues: leads with reasons, never a verdict",
        _english_columns(speech),
        _english_machine(),
        ("clues", "machine", "dictionary"),
        "Total",
        "&CPage &P of &N",
        ("column or code", "meaning"),
        "version of",
        {"Finding": ["lawful", "unlawful", "other", "no change"], "Put right": ["yes", "no"]},
        REPEATED,
        lambda kind: str(kind.name_en),
    )


def _english_columns(speech: Speech) -> tuple[Column, ...]:
    unit, symbol = speech.area_unit, UNIT_NAMES[speech.area_unit][1]
    head = (
        Column("No.", 6, "row of this sheet", lambda r: r.number, "whole"),
        Column("Place", 20, "administrative area, or latitude and longitude", _place),
        Column("Clue", 19, "number of the clue, never used again", lambda r: r.patch["clue_no"]),
        Column("Patch", 16, "number of the patch", lambda r: r.patch["patch_id"]),
        Column(
            "Change", 16, "type of change", lambda r: change_type(r.patch["change_type"]).name_en
        ),
        Column(
            "Before", 11, "last day of the earlier image", lambda r: day_text(r.patch["before_to"])
        ),
        Column("After", 11, "last day of the later image", lambda r: day_text(r.patch["after_to"])),
        Column("Area (m²)", 15, "on the ellipsoid", lambda r: metres2(r.patch["area_dm2"]), "area"),
    )
    areas = [] if unit == "m2" else [_area("Area", "of the patch", None, unit, symbol)]
    areas += [
        _area(speech.role(role).capitalize(), "taken by the patch", name, unit, symbol)
        for role, name in CONTROL_AREAS.items()
        if role in speech.roles
    ]
    return (*head, *areas, *_english_answers(speech))


def _place(row: Row) -> str:
    return row.patch["county_name"] or f"{row.patch['lat']:.5f}, {row.patch['lon']:.5f}"


def _area(title: str, meaning: str, name: str | None, unit: str, symbol: str) -> Column:
    def value(unit: str, row: Row) -> Decimal:
        return area_in(row.patch["area_dm2"] if name is None else row.area(name), unit)

    return Column(f"{title} ({symbol})", 14, meaning, partial(value, unit), "area")


def _english_answers(speech: Speech) -> tuple[Column, ...]:
    told = "filled in by the inspector"
    return (
        Column(
            "Suggestion",
            18,
            "of the machine, never a verdict",
            lambda r: speech.outcome(r.patch["outcome"]),
        ),
        Column("Rule", 8, "code of the deciding rule", lambda r: r.joined("rule", ", ")),
        Column(
            "Documents and lines",
            36,
            "number (date), share of the parcel",
            partial(document_texts, speech=speech),
        ),
        Column("Reason", 60, "parcel by parcel", lambda r: r.joined("reason_en")),
        Column("To ask", 36, "in the files or on site", lambda r: r.joined("questions_en")),
        Column("Priority", 8, "the larger the sooner", lambda r: int(r.patch["priority"]), "whole"),
        Column("Finding", 13, told, lambda r: "", "fill"),
        Column("Project", 18, told, lambda r: "", "fill"),
        Column("Holder", 18, told, lambda r: "", "fill"),
        Column("Put right", 10, told, lambda r: "", "fill"),
        Column("Remarks", 24, told, lambda r: "", "fill"),
    )


REPEATED = "as on the first sheet"


def _english_machine() -> tuple[Column, ...]:
    return (
        Column("Clue", 19, REPEATED, lambda r: r.patch["clue_no"]),
        Column("Patch", 16, REPEATED, lambda r: r.patch["patch_id"]),
        Column("Source", 14, "number in the delivery", lambda r: r.patch["source_id"] or ""),
        Column("Longitude", 12, "centre", lambda r: round(float(r.patch["lon"]), 6), "degree"),
        Column("Latitude", 12, "centre", lambda r: round(float(r.patch["lat"]), 6), "degree"),
        Column("Change code", 16, "type of change", lambda r: r.patch["change_type"]),
        Column(
            "Confidence",
            10,
            "0–100, −1: not known",
            lambda r: int(r.patch["confidence"]),
            "whole",
        ),
        *_english_measures(),
        Column("Outcome", 14, "code of the suggestion", lambda r: r.patch["outcome"]),
        Column("Rules", 16, "all that hold", lambda r: r.joined("rules", ", ")),
        Column("Flags", 14, "raised marks", lambda r: r.joined("flags", ", ")),
        Column("Features", 30, "keys of documents", lambda r: r.joined("documents", ", ")),
    )


def _english_measures() -> tuple[Column, ...]:
    pixels = "after minus before, mean of the patch's pixels, at most 64 of them"
    return (
        Column("Mean width (m)", 12, "of elongated patches", measured("width_m"), "measure"),
        Column(
            "Strength",
            10,
            "of the strongest tenth of the pixels, in multiples of the threshold",
            measured("magnitude_p90", SCORE_UNIT),
            "measure",
        ),
        Column("Vegetation", 11, f"change of NDVI: {pixels}", measured("ndvi_change"), "measure"),
        Column("Built-up", 11, f"change of NDBI: {pixels}", measured("ndbi_change"), "measure"),
        Column("Water", 11, f"change of NDWI: {pixels}", measured("ndwi_change"), "measure"),
    )
