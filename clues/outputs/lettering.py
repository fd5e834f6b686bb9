"""The letters of products: the shipped Chinese font, what it can write, how wide it writes it."""

import logging
import unicodedata
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

__all__ = ["FONT_NAME", "MISSING", "Lettering", "font_path", "register_font", "writable"]

log = logging.getLogger(__name__)

FONT_NAME = "NotoSansSC"
MISSING = "〓"
"""What printers have always set where the type is missing; never an empty box or nothing."""

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
        return float(register_font().stringWidth(text, size))

    def elided(self, text: str, size: float, width: float) -> str:
        """Return `text`, its end replaced by … where it is wider than `width`."""
        if self.width(text, size) <= width:
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
