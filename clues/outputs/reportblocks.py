"""What a report is made of: chapters of texts, tables and figures, before any file format."""

from dataclasses import dataclass
from typing import Literal

from clues.outputs.figure import Figure
from configs.vocabulary import Language

__all__ = ["Block", "Chapter", "Column", "Document", "Graphic", "Pair", "Points", "Table", "Words"]

Tone = Literal["plain", "note", "alert", "good"]


@dataclass(frozen=True)
class Words:
    """A paragraph."""

    text: str
    tone: Tone = "plain"
    kind: Literal["words"] = "words"


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    sentences: tuple[str, ...]
    tone: Tone = "plain"
    kind: Literal["points"] = "points"


@dataclass(frozen=True)
class Column:
    """A column; figures stand to the right. `share` is its part of the width on paper."""

    title: str
    figures: bool = False
    share: float = 1.0


@dataclass(frozen=True)
class Table:
    """A table; with `total` the last row is the sum of the others.

    Attributes
    ----------
    swatches : tuple of str
        Colour before the first cell of each row; empty without.
    tones : tuple of str
        Tone of each row's last cell; empty for plain ones.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    total: bool = False
    swatches: tuple[str, ...] = ()
    tones: tuple[Tone, ...] = ()
    kind: Literal["table"] = "table"


@dataclass(frozen=True)
class Graphic:
    """A figure, with a caption where no table above says what it shows."""

    figure: Figure
    caption: str = ""
    wide: bool = False
    kind: Literal["graphic"] = "graphic"


@dataclass(frozen=True)
class Pair:
    """The same place at both dates, with what is said of it."""

    title: str
    before: Figure
    after: Figure
    captions: tuple[str, str]
    swipe: str
    lines: tuple[Words, ...]
    kind: Literal["pair"] = "pair"


Block = Words | Points | Table | Graphic | Pair


@dataclass(frozen=True)
class Chapter:
    """A chapter; `key` names it in links."""

    key: str
    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A report in one language.

    Attributes
    ----------
    hint : str
        How to compare the dates of a clue, where the format lets the reader do so.
    """

    language: Language
    title: str
    subtitle: str
    contents: str
    hint: str
    chapters: tuple[Chapter, ...]
    footer: str
    page: str
