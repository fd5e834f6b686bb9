"""Verdicts of people: which words mean a real change, which a pseudo-change."""

from functools import cache
from typing import Literal

from configs.loading import StrictModel, load_preset

__all__ = ["VERDICTS", "Meaning", "verdict_meaning"]

Meaning = Literal["real", "pseudo", "open"]
VERDICTS: tuple[Meaning, ...] = ("real", "pseudo", "open")
"""What a verdict says of the change on the ground."""


class _Verdict(StrictModel):
    zh: str
    en: str
    words: tuple[str, ...] = ()


class _Verdicts(StrictModel):
    verdicts: dict[Meaning, _Verdict]


def _plain(word: str) -> str:
    return "".join(word.replace("_", " ").replace("-", " ").split()).casefold()


@cache
def _by_word() -> dict[str, Meaning]:
    found: dict[str, Meaning] = {}
    for code, verdict in load_preset(_Verdicts, "vocabularies", "verdicts").verdicts.items():
        for word in (code, verdict.zh, verdict.en, *verdict.words):
            found[_plain(word)] = code
    return found


def verdict_meaning(word: str) -> Meaning | None:
    """Return what a word says of the change on the ground; None where it is not known.

    Examples
    --------
    >>> verdict_meaning("违法"), verdict_meaning("No change"), verdict_meaning("maybe")
    ('real', 'pseudo', None)
    """
    return _by_word().get(_plain(word))
