"""How a report speaks: words, names and numbers in one language and one unit of area."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from clues.outputs.reportfigures import Tally, rows_in
from clues.outputs.reportmodel import ReportModel
from configs.reportwords import report_words
from configs.units import UNIT_NAMES, area_in, metres2
from configs.vocabulary import COVERS, Language, Outcome, change_type, cover_name

__all__ = ["Teller", "Template"]

Template = Literal["quarterly", "annual"]


@dataclass(frozen=True)
class Teller:
    """Says things of a model in one language."""

    model: ReportModel
    language: Language
    template: Template

    def __call__(self, key: str, /, **values: object) -> str:
        """Return a word or sentence of the vocabulary; ``unit`` need not be given."""
        return report_words().say(key, self.language, **({"unit": self.unit} | values))

    @property
    def unit(self) -> str:
        """Name of the unit of area."""
        names = UNIT_NAMES[self.model.title.speech.area_unit]
        return names[0] if self.language == "zh" else names[1]

    def area(self, area_dm2: int) -> str:
        """Return an area in the unit of the report; it may be negative."""
        size = area_in(abs(area_dm2), self.model.title.speech.area_unit)
        return f"{'-' if area_dm2 < 0 else ''}{size:,}"

    def areas(self, areas: Sequence[int]) -> list[str]:
        """Return areas of the rows of a table, which add up to its total."""
        return [f"{a:,}" for a in self.sizes(areas)]

    def sizes(self, areas: Sequence[int], whole: Decimal | None = None) -> list[Decimal]:
        """Return what `areas` writes as numbers; they may add up to a `whole` of another table."""
        return rows_in(areas, self.model.title.speech.area_unit, whole)

    def net(self, lost: str, won: str) -> str:
        """Return what is won less what is lost, as both are written."""
        first, second = (Decimal(text.replace(",", "")) for text in (lost, won))
        return f"{second - first:,}"

    def metres(self, area_dm2: int) -> str:
        """Return square metres."""
        return f"{metres2(area_dm2):,}"

    def tally_cells(self, tallies: Sequence[Tally], *, metres: bool = False) -> list[list[str]]:
        """Return number and area of each row and of the total as the cells of a table."""
        whole = [sum(getattr(t, n) for t in tallies) for n in ("count", "area_dm2")]
        counts = [f"{t.count:,}" for t in tallies] + [f"{whole[0]:,}"]
        areas = [*self.areas([t.area_dm2 for t in tallies]), self.area(whole[1])]
        if not metres:
            return [list(row) for row in zip(counts, areas, strict=True)]
        squares = [self.metres(a) for a in (*(t.area_dm2 for t in tallies), whole[1])]
        return [list(row) for row in zip(counts, squares, areas, strict=True)]

    def outcome(self, code: str) -> str:
        """Return the name of an outcome; without approvals nothing is suspected."""
        if code == Outcome.SUSPECTED.value and not self.model.has_approvals:
            return self("unverified")
        return self.model.title.speech.outcome(code, self.language)

    def change(self, code: str) -> str:
        """Return the name of a change type."""
        kind = change_type(code)
        return kind.name_zh if self.language == "zh" else kind.name_en

    def cover(self, code: str) -> str:
        """Return the name of a cover."""
        return cover_name(code, self.language) if code in COVERS else self("unknown")

    def line(self, code: str) -> str:
        """Return the name of a line of judgement."""
        return self.model.title.speech.line(code, self.language)

    def role(self, code: str) -> str:
        """Return the name of a layer role."""
        return self.model.title.speech.role(code, self.language)

    def rule(self, code: str) -> str:
        """Return what a rule or mark means, — where the run does not tell."""
        text = self.model.rule_names.get(code)
        if code == "U":
            return self("undecided")
        return "—" if text is None else text[self.language]

    def day(self, day: dt.date | None) -> str:
        """Return a day."""
        return day.isoformat() if day is not None else self("no_day")

    def percent(self, value: float) -> str:
        """Return a percentage with two decimals, without its sign."""
        return f"{Decimal(str(value)):.2f}"

    def joined(self, sentences: Iterable[str]) -> str:
        """Join sentences as the language does."""
        return ("" if self.language == "zh" else " ").join(sentences)

    @property
    def place(self) -> str:
        """Name of the county with its code."""
        title = self.model.title
        code = "" if title.county_code == "000000" else title.county_code
        if self.language == "zh":
            return title.county_name or (f"{code} " if code else self("this_county"))
        return f"{title.county_name} {code}".strip() or self("this_county")
