"""Verdicts of people: which words mean a real change, which a pseudo-change."""

from functools import cache
from typing import Literal

from configs.loading import StrictModel, load_preset

__all__ = ["Meaning", "verdict_code", "verdict_meaning", "verdict_word"]

Meaning = Literal["real", "pseudo", "open"]
"""What a verdict says of the change on the ground."""


class _Verdict(StrictModel):
    zh: str
    en: str
    words: tuple[str, ...] = ()


class _Verdicts(StrictModel):
    verdicts: dict[Meaning, _Verdict]
    judged: dict[str, _Verdict]


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


@cache
def _codes() -> dict[str, str]:
    judged = load_preset(_Verdicts, "vocabularies", "verdicts").judged
    return {
        _plain(word): code
        for code, verdict in judged.items()
        for word in (code, verdict.zh, verdict.en, *verdict.words)
    }


def verdict_code(word: str) -> str:
    """Return what a word says of a case: legal, illegal, other, false_alarm; "" for none of them.

    Examples
    --------
    >>> verdict_code("违法"), verdict_code("no change"), verdict_code("")
    ('illegal', 'false_alarm', '')
    """
    code = _codes().get(_plain(word))
    if code is None:
        code = {"real": "other", "pseudo": "false_alarm"}.get(verdict_meaning(word) or "", "")
    return code


def verdict_word(code: str, language: Literal["zh", "en"]) -> str:
    """Return the word of a verdict on a case, as ledgers let people choose it.

    Examples
    --------
    >>> verdict_word("illegal", "zh"), verdict_word("illegal", "en")
    ('违法', 'unlawful')
    """
    verdict = load_preset(_Verdicts, "vocabularies", "verdicts").judged[code]
    return verdict.zh if language == "zh" else verdict.en
