"""Rows and columns of the ledger, in whatever language, and the values that both languages show."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from clues.outputs.severity import SeverityLevel, severity_text
from clues.outputs.tables import RunTitle
from clues.papers import SHOWN_DATES
from clues.wording import FOREVER
from configs.channels import channel_name
from configs.speech import Speech
from configs.units import area_in
from configs.vocabulary import land_class

__all__ = [
    "CONTROL_AREAS",
    "FILL",
    "Column",
    "Form",
    "Row",
    "class_text",
    "credit_text",
    "day_text",
    "document_texts",
    "fill_in",
    "main_class",
    "measured",
    "no_text",
    "papers_of",
    "place_text",
    "severity",
    "suggestion",
    "told_leads",
    "versions_text",
]

FILL = ("fill", "fill_area", "fill_day")
"""Kinds of columns that inspectors fill in."""

CONTROL_AREAS = {
    "landuse": "cropland_dm2",
    "basic_farmland": "pbf_dm2",
    "redline": "redline_dm2",
    "growth_boundary": "outside_boundary_dm2",
}
"""Area column of findings by the role it is drawn from; for land use that of cropland."""


UNDECIDED = {"zh": "资料不足，不能判定", "en": "not enough is known to decide"}
"""What stands for the name of the rule where none could decide."""

LEAD_TEXTS = {
    "reason_zh": "reason_zh",
    "reason_en": "reason_en",
    "questions_zh": "question_zh",
    "questions_en": "question_en",
}
"""Column of the findings: column of the leads that says as much of a lead."""


@dataclass(frozen=True)
class Row:
    """One clue with what belongs to it; areas are summed over the leading `line`.

    `spread` gives an area by patch, name and unit where the row is one of a list that adds up.
    """

    number: int
    patch: dict[str, Any]
    findings: list[dict[str, Any]]
    coverage: list[dict[str, Any]]
    leads: list[dict[str, Any]] = field(default_factory=list)
    line: str = "land"
    classes: list[dict[str, Any]] = field(default_factory=list)
    title: RunTitle | None = None
    rule_names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    filled: Mapping[str, str] = field(default_factory=dict)
    levels: tuple[SeverityLevel, ...] = ()
    spread: Callable[[str, str, str], Decimal] | None = None

    def numbered(self, number: int) -> "Row":
        """Return the row with its place in the list."""
        return replace(self, number=number)

    def area(self, name: str) -> int:
        """Return the dm² of an area column, summed over the parcels of the leading line."""
        return sum(int(f[name]) for f in self.findings if f["line"] == self.line)

    def area_as(self, unit: str, name: str = "area_dm2") -> Decimal:
        """Return an area of the patch or of its findings, rounded so that the list adds up."""
        if self.spread is not None:
            return self.spread(self.patch["patch_id"], name, unit)
        return area_in(self.patch[name] if name == "area_dm2" else self.area(name), unit)

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
    """One ledger column: title, width in characters, meaning, and how its value is made.

    Attributes
    ----------
    key : str
        Stands for the column when a ledger is read back, see `clues.outputs.ledgerkeys`.
    kind : str
        text, whole, area, degree, measure, picture, or one of `FILL`.
    """

    key: str
    title: str
    width: float
    meaning: str
    value: Callable[[Row], Any]
    kind: str = "text"

    @property
    def is_filled(self) -> bool:
        """Whether inspectors fill it in."""
        return self.kind in FILL

    @property
    def is_checked(self) -> bool:
        """Whether it counts in the check of a row."""
        return not self.is_filled and self.kind != "picture"


@dataclass(frozen=True)
class Form:
    """What the ledger says in one language: columns, names of sheets, words around the table.

    Attributes
    ----------
    columns : tuple of Column
        Of the list.
    pictures : tuple of Column
        Put after the column ``clue_no`` where there are thumbnails.
    last_printed : str
        Key of the column up to which the list is printed.
    leads : tuple of Column
        Of the sheet of leads; none: there is no such sheet.
    sheets : tuple of str
        Names of the list, the machine's sheet, the dictionary, and the sheet of leads.
    gap : (str, str)
        Behind the title, and before each line of the dictionary, where the list lacks something.
    choices : dict of str to sequence of str
        What an inspector may choose, by key.
    hints : dict of str to (str, str)
        Heading and text of the message at a wrong entry, by kind of `FILL`.
    repeated : str
        Meaning of a machine column that the list explains.
    kind : callable
        Name of a change type.
    """

    language: str
    title: str
    columns: tuple[Column, ...]
    pictures: tuple[Column, ...]
    last_printed: str
    machine: tuple[Column, ...]
    leads: tuple[Column, ...]
    sheets: tuple[str, str, str, str]
    total: str
    page: str
    head: tuple[str, str]
    version: str
    gap: tuple[str, str]
    choices: Mapping[str, Sequence[str]]
    hints: Mapping[str, tuple[str, str]]
    repeated: str
    kind: Callable[[Any], str]


def fill_in(key: str, title: str, width: float, meaning: str, kind: str = "fill") -> Column:
    """Return a column that inspectors fill in; it shows what they filled in before."""

    def value(row: Row) -> str | Decimal | dt.date:
        text = row.filled.get(key, "")
        try:
            if text and kind == "fill_area":
                return Decimal(text)
            if text and kind == "fill_day":
                return dt.date.fromisoformat(text[:10])
        except (ArithmeticError, ValueError):
            pass
        return text

    return Column(key, title, width, meaning, value, kind)


def no_text(_row: Row) -> str:
    """Return what stands behind a picture."""
    return ""


def place_text(row: Row) -> str:
    """Return name of the county and, below, longitude and latitude of the centre."""
    lines = (row.patch["county_name"], f"{row.patch['lon']:.5f}", f"{row.patch['lat']:.5f}")
    return "\n".join(line for line in lines if line)


def day_text(value: Any) -> str:
    """Return a date in ISO form, "" where there is none."""
    return value.isoformat() if hasattr(value, "isoformat") and value == value else ""


def measured(name: str, unit: float = 1.0) -> Callable[[Row], float | None]:
    """Return what a column of the patch table holds, in units of `unit`; None where unknown."""

    def value(row: Row) -> float | None:
        told = row.patch.get(name)
        return None if told is None or told != told else float(told) / unit

    return value


def credit_text(row: Row) -> str:
    """Return the credit line of the imagery."""
    return row.title.attribution if row.title else ""


def versions_text(row: Row) -> str:
    """Return the versions of rules, layers and states that the run went by."""
    told = row.title.versions.items() if row.title else ()
    return "; ".join(f"{key}={value}" for key, value in told)


def suggestion(row: Row, speech: Speech) -> str:
    """Return the machine's answer and, below, the rules that led to it, by code and name."""
    own = [f["rule"] for f in row.findings if f["outcome"] == row.patch["outcome"]]
    codes = dict.fromkeys(str(code) for code in own or [row.patch["rule"]] if code)
    names = {"U": UNDECIDED} | dict(row.rule_names)
    rules = [f"{code} {names.get(code, {}).get(speech.language, '')}".strip() for code in codes]
    return "\n".join([speech.outcome(row.patch["outcome"]), *rules])


def severity(row: Row, language: str) -> str:
    """Return what the highest level of severity of a clue is called; a hint, no verdict."""
    return severity_text(row.findings, row.levels, language)


def main_class(row: Row) -> tuple[str, str]:
    """Return scheme and code of the land class before that takes most of the patch."""
    areas: dict[tuple[str, str], int] = {}
    for piece in row.classes:
        pair = (str(piece["scheme"] or ""), str(piece["code"] or ""))
        areas[pair] = areas.get(pair, 0) + int(piece["area_dm2"])
    known = {pair: area for pair, area in areas.items() if pair[1]}
    return max(known, key=known.__getitem__) if known else ("", "")


def class_text(row: Row, language: str) -> str:
    """Return the land class before that takes most of the patch: name, code and scheme."""
    scheme, code = main_class(row)
    found = land_class(scheme, code)
    name = "" if found is None else found.name_zh if language == "zh" else found.name_en
    return f"{name} {code} ({scheme})".strip() if code else ""


def told_leads(row: Row) -> str:
    """Name what points at the clue: imagery, and each lead with its day and distance."""
    parts = ["卫片"] if row.patch.get("origin", "image") == "image" else []
    return "\n".join(parts + [_lead_name(lead) for lead in row.leads])


def _lead_name(lead: dict[str, Any]) -> str:
    far = lead["distance_m"]
    place = "" if far != far else f"距{far:.2f} m"
    name = channel_name(lead["channel"]).zh
    return f"{name}{lead['number'] or ''}（{day_text(lead['received']) or '日期不详'}）{place}"


def papers_of(role: str, speech: Speech) -> Callable[[Row], str]:
    """Return what writes the documents of one role on a clue, as `document_texts`."""

    def value(row: Row) -> str:
        return document_texts(row, speech, only=role)

    return value


def document_texts(row: Row, speech: Speech, only: str = "") -> str:
    """Return the documents on a clue with date and share, one to a line.

    Control lines are no papers: they have columns of their own.
    """
    zh, parts = speech.language == "zh", []
    for c in row.coverage:
        if c["role"] != only if only else c["role"] not in SHOWN_DATES:
            continue
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
