"""Channels by which people report: hotline, petition, web, patrol."""

from functools import cache

from configs.articles import Text
from configs.loading import StrictModel, load_preset

__all__ = ["channel_name"]


class _Channel(StrictModel):
    zh: str
    en: str
    words: tuple[str, ...] = ()


class _Channels(StrictModel):
    channels: dict[str, _Channel]


def _plain(word: str) -> str:
    return "".join(word.split()).casefold()


@cache
def _by_word() -> dict[str, Text]:
    found = {}
    for code, channel in load_preset(_Channels, "vocabularies", "channels").channels.items():
        for word in (code, channel.zh, channel.en, *channel.words):
            found[_plain(word)] = Text(zh=channel.zh, en=channel.en)
    return found


def channel_name(word: str | None) -> Text:
    """Return the name of a channel in both languages; an unknown word stands for itself.

    Examples
    --------
    >>> channel_name("12336").en, channel_name("网站").zh, channel_name("村委会").en
    ('12336 hotline', '网络举报', '村委会')
    """
    known = _by_word().get(_plain(word or ""))
    return known or Text(zh=str(word).strip(), en=str(word).strip())
