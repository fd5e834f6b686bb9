"""A sentence in both languages, for what a run says to people."""

from typing import NamedTuple

from configs.vocabulary import Language

__all__ = ["Told"]


class Told(NamedTuple):
    """One thing said in Chinese and in English.

    Examples
    --------
    >>> Told("无图层", "no layer").both
    '无图层 no layer'
    """

    zh: str
    en: str

    @property
    def both(self) -> str:
        """Both languages one after the other, for logs and ``run.json``."""
        return f"{self.zh} {self.en}"

    def in_language(self, language: Language) -> str:
        """Return the sentence in one language."""
        return self.zh if language == "zh" else self.en
