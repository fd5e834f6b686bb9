"""The words of reports in both languages, with the names of the checks of an image pair."""

import re
from functools import cache

from configs.articles import Text
from configs.loading import StrictModel, load_preset
from configs.vocabulary import Language

__all__ = ["ReportWords", "report_words"]


class _Remedy(StrictModel):
    zh: str
    en: str


class ReportWords(StrictModel):
    """Words by key, names of versions, units and checks, and remedies of checks."""

    words: dict[str, Text]
    names: dict[str, Text]
    units: dict[str, Text]
    checks: dict[str, Text]
    remedies: tuple[_Remedy, ...]

    def say(self, key: str, language: Language, /, **values: object) -> str:
        """Return a word or sentence with its values filled in."""
        text = getattr(self.words[key], language)
        return re.sub(r"\{(\w+)\}", lambda m: str(values[m[1]]), text)

    def remedy(self, text: str, language: Language) -> str:
        """Return the remedy of a check; one that has no Chinese words stays as it is."""
        if language == "en":
            return text
        return next((r.zh for r in self.remedies if r.en == text), text)


@cache
def report_words() -> ReportWords:
    """Return the words of reports."""
    return load_preset(ReportWords, "vocabularies", "report")
