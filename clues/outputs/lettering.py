"""The letters of products: the shipped Chinese font, what it can write, how wide it writes it."""

import logging
import re
import unicodedata
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

__all__ = ["FONT_NAME", "MISSING", "Lettering", "font_path", "register_font", "wrapped", "writable"]

log = logging.getLogger(__name__)

FONT_NAME = "NotoSansSC"
MISSING = "〓"
"""What printers have always set where the type is missing; never an empty box or nothing."""

CLOSING = "，。；：、）】〕》」』！？％,.;:)!?%…"
OPENING = "（【〔《「『"
_TOKENS = re.compile(r"\s+|[!-~À-ʯ°′″²–]+(?: (?:%|m²|mu|亩|ha)(?![a-z]))?|.")
"""What a line is broken between: words, figures with their unit, single ideographs."""

ASCENT, DESCENT = 0.9, 0.22
"""Ink of this font above and below the baseline, in ems."""


def font_path() -> Path:
    """Return the Chinese font shipped with the package (Noto Sans SC, OFL, GB 2312 subset)."""
    fonts = resources.files("clues.outputs") / "fonts"
    return Path(str(fonts)) / "NotoSansSC-Regular-GB2312.ttf"


@lru_cache(maxsize=1)
def register_font() -> Any:
    """Make the shipped font known to reportlab once and return it."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    font = TTFont(FONT_NAME, str(font_path()))
    pdfmetrics.registerFont(font)
    return font


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(chr(c) for c in register_font().face.charToGlyph)


class _Widths(dict[str, float]):
    """Advance of each letter in thousandths of an em; of one without glyph, that of its mark."""

    def __missing__(self, letter: str) -> float:
        face = register_font().face
        width = float(face.charWidths.get(ord(letter), face.charWidths[ord(MISSING)]))
        self[letter] = width
        return width


@lru_cache(maxsize=1)
def _widths() -> _Widths:
    return _Widths()


def writable(text: str) -> tuple[str, str]:
    """Return `text` as the font can write it and the characters that it cannot.

    Parameters
    ----------
    text : str
        Control characters become spaces; compatibility forms become their plain form.

    Returns
    -------
    tuple of str
        The text with `MISSING` in place of each character without a glyph, and these
        characters, each once, in the order of their code points.

    Examples
    --------
    >>> writable("北京市")
    ('北京市', '')
    >>> writable("\U00020bb7野村")
    ('〓野村', '𠮷')
    """
    known = _known()
    if known.issuperset(text):
        return text, ""
    letters, missing = [], set()
    for letter in text:
        if letter in known:
            letters.append(letter)
        elif unicodedata.category(letter) in ("Cc", "Cf", "Zs", "Zl", "Zp"):
            letters.append(" ")
        else:
            plain = unicodedata.normalize("NFKC", letter)
            if not known.issuperset(plain):
                missing.add(letter)
                plain = MISSING
            letters.append(plain)
    return "".join(letters), "".join(sorted(missing))


class Lettering:
    """Writes texts of one product in the shipped font and remembers what it could not write.

    Parameters
    ----------
    where : str
        The product, for the warning.

    Attributes
    ----------
    missing : set of str
        Characters that became `MISSING`.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.missing: set[str] = set()

    def fit(self, text: str) -> str:
        """Return `text` as the font can write it."""
        fitted, missing = writable(text)
        self.missing.update(missing)
        return fitted

    def width(self, text: str, size: float) -> float:
        """Return the width of a text in points."""
        widths = _widths()
        return sum(widths[letter] for letter in text) * size / 1000

    def elided(self, text: str, size: float, width: float) -> str:
        """Return `text`, its end replaced by … where it is wider than `width`."""
        if self.width(text, size) <= width + 1e-6:
            return text
        while text and self.width(text + "…", size) > width:
            text = text[:-1]
        return text.rstrip() + "…"

    @property
    def note(self) -> str:
        """What a product prints about characters that it could not write; "" if none."""
        if not self.missing:
            return ""
        codes = " ".join(f"U+{ord(letter):04X}" for letter in sorted(self.missing))
        return f"{MISSING} = {codes} 字库缺字 not in the shipped font"

    def warn(self) -> None:
        """Log what could not be written, if anything."""
        if self.missing:
            log.warning(
                "%s: the shipped font has no glyph for %s; %s stands in their place "
                "(names in the tables and exchange files are whole)",
                self.where,
                " ".join(f"{letter} (U+{ord(letter):04X})" for letter in sorted(self.missing)),
                MISSING,
            )


def wrapped(letters: Lettering, text: str, size: float, width: float) -> list[str]:
    """Return a text in lines not wider than `width`.

    Lines break at spaces and between ideographs; none begins with a mark that closes or ends
    with one that opens.

    Parameters
    ----------
    letters : Lettering
    text : str
        As the font can write it, see `Lettering.fit`.
    size, width : float
        Points.
    """
    lines: list[list[str]] = [[]]
    used = 0.0
    for token in _TOKENS.findall(text):
        long = letters.width(token, size)
        if used + long > width and token.strip():
            carried: list[str] = []
            if lines[-1] and (token[0] in CLOSING or lines[-1][-1] in OPENING):
                carried.append(lines[-1].pop())
            lines.append(carried)
            used = sum(letters.width(t, size) for t in carried)
            while used + long > width and len(token) > 1:
                cut = max(1, int(len(token) * (width - used) / long))
                while cut > 1 and used + letters.width(token[:cut], size) > width:
                    cut -= 1
                lines[-1].append(token[:cut])
                lines.append([])
                token, used = token[cut:], 0.0
                long = letters.width(token, size)
        if token.strip() or lines[-1]:
            lines[-1].append(token)
            used += long
    return ["".join(line).rstrip() for line in lines if line] or [""]
