"""The words of the field: land classes by scheme, change types, uses, outcomes, lines, roles.

A land-class code means nothing without its scheme: 0601 is industry in the Third Survey and rural
road in the 2023 guide. All tables are YAML files in ``configs/vocabularies``.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Literal

from pydantic import Field

from configs.loading import StrictModel, load_preset

__all__ = [
    "COVERS",
    "GROUPS",
    "SCHEMES",
    "ChangeType",
    "LandClass",
    "Line",
    "Outcome",
    "Use",
    "change_type",
    "change_types",
    "cover_name",
    "find_use",
    "land_class",
    "land_classes",
    "role_name",
    "roles",
    "tblx_use",
    "uses",
]

Category = Literal["agricultural", "construction", "unused"]
Language = Literal["zh", "en"]

SCHEMES = ("sandiao", "guide2023")
"""Known schemes of land-class codes."""

COVERS = (
    "cropland",
    "garden",
    "forest",
    "grass",
    "water",
    "built",
    "road",
    "facility",
    "pit",
    "bare",
)
"""What imagery can show. Label number = position + 1; 0 means no label."""

GROUPS = (
    "cropland",
    "garden",
    "forest",
    "grass",
    "wetland",
    "water",
    "construction",
    "transport",
    "rural_road",
    "facility",
    "ridge",
    "unused",
)
"""Groups of land classes that rules speak of."""


@dataclass(frozen=True)
class LandClass:
    """One land class; `cover` is None where the class shows no single cover."""

    scheme: str
    code: str
    name_zh: str
    name_en: str
    category: Category
    group: str
    cover: str | None


@dataclass(frozen=True)
class ChangeType:
    """One kind of change; `number` is its value in the change raster.

    Patches smaller than ``least_m2`` square metres are left out of the list of changes.
    """

    number: int
    code: str
    name_zh: str
    name_en: str
    tblx: str
    use: str
    least_m2: float
    is_construction: bool
    is_pseudo: bool


@dataclass(frozen=True)
class Use:
    """What the land is used for; None in a field means that it cannot be told."""

    code: str
    name_zh: str
    name_en: str
    built: bool
    permanent: bool | None
    agricultural: bool
    linear: bool | None
    group: str | None
    words: tuple[str, ...] = ()


class Outcome(StrEnum):
    """The machine's answer for one parcel on one line; *illegal* is a human verdict only."""

    LEGAL = "legal"
    SUSPECTED = "suspected"
    OTHER = "other"
    NON_NEW = "non_new"
    UNRESOLVED = "unresolved"
    BELOW_THRESHOLD = "below_threshold"

    @property
    def name_zh(self) -> str:
        """Chinese name."""
        return _names().outcomes[self.value].zh

    @property
    def name_en(self) -> str:
        """English name."""
        return _names().outcomes[self.value].en


class Line(StrEnum):
    """A line of judgement; each line partitions a patch by its own documents."""

    LAND = "land"
    MINING = "mining"
    RESERVE = "reserve"
    CROPLAND_USE = "cropland_use"
    RESTORATION = "restoration"

    @property
    def name_zh(self) -> str:
        """Chinese name."""
        return _names().lines[self.value].zh

    @property
    def name_en(self) -> str:
        """English name."""
        return _names().lines[self.value].en


class _Names(StrictModel):
    zh: str
    en: str


class _NamesFile(StrictModel):
    outcomes: dict[str, _Names]
    lines: dict[str, _Names]
    roles: dict[str, _Names]
    covers: dict[str, _Names]


class _ClassRow(_Names):
    code: str
    category: Category
    group: Literal[GROUPS]  # type: ignore[valid-type]
    cover: Literal[COVERS] | None  # type: ignore[valid-type]


class _ClassFile(_Names):
    scheme: str
    classes: tuple[_ClassRow, ...]


class _ChangeRow(_Names):
    number: int
    code: str
    tblx: str
    use: str
    least_m2: float = Field(ge=0)
    is_construction: bool
    is_pseudo: bool


class _ChangeFile(StrictModel):
    change_types: tuple[_ChangeRow, ...]
    tblx: dict[str, str]


class _UseRow(_Names):
    code: str
    built: bool
    permanent: bool | None
    agricultural: bool
    linear: bool | None
    group: str | None
    words: tuple[str, ...]


class _UseFile(StrictModel):
    uses: tuple[_UseRow, ...]
    of_class: dict[str, dict[str, str]]


@cache
def land_classes(scheme: str) -> dict[str, LandClass]:
    """Return the classes of a scheme by code, in the order of the scheme.

    Raises
    ------
    ConfigError
        If there is no such scheme.
    """
    file = load_preset(_ClassFile, "vocabularies", scheme)
    return {
        r.code: LandClass(scheme, r.code, r.zh, r.en, r.category, r.group, r.cover)
        for r in file.classes
    }


def land_class(scheme: str | None, code: str | None) -> LandClass | None:
    """Return the class of a code, or None when scheme or code is unknown.

    The suffixes K (adjustable back to cropland) and A (sub-type) fall back to the base code, a
    six-digit code of the 2023 guide to its four-digit parent.

    Examples
    --------
    >>> land_class("sandiao", "0601").name_en, land_class("guide2023", "0601").name_en
    ('industrial land', 'rural road')
    >>> land_class("sandiao", "1104A").group, land_class("sandiao", "0602C")
    ('water', None)
    """
    if scheme not in SCHEMES or not code:
        return None
    known, text = land_classes(scheme), code.strip().upper()
    fallbacks = [text, text[:-1] if text[-1:] in ("K", "A") else ""]
    if scheme == "guide2023" and text.isdigit():
        fallbacks.append(text[:4])
    return next((known[c] for c in fallbacks if c in known), None)


@cache
def _change_file() -> _ChangeFile:
    return load_preset(_ChangeFile, "vocabularies", "change_types")


@cache
def change_types() -> tuple[ChangeType, ...]:
    """Return the change types in the order of their raster values."""
    rows = _change_file().change_types
    return tuple(
        ChangeType(
            *(r.number, r.code, r.zh, r.en, r.tblx, r.use),
            *(r.least_m2, r.is_construction, r.is_pseudo),
        )
        for r in sorted(rows, key=lambda r: r.number)
    )


@cache
def _change_types_by_code() -> dict[str, ChangeType]:
    return {c.code: c for c in change_types()}


def change_type(code: str | None) -> ChangeType:
    """Return the change type of a code; an unknown code is the type `unknown`."""
    by_code = _change_types_by_code()
    return by_code.get(code or "unknown", by_code["unknown"])


@cache
def _use_file() -> _UseFile:
    return load_preset(_UseFile, "vocabularies", "uses")


@cache
def uses() -> dict[str, Use]:
    """Return the uses by code."""
    found = {}
    for row in _use_file().uses:
        fields = row.model_dump(exclude={"zh", "en"})
        found[row.code] = Use(name_zh=row.zh, name_en=row.en, **fields)
    return found


def _plain(text: str) -> str:
    return re.sub(r"[\s_\-]+", "", text).casefold()


@cache
def _use_words() -> dict[str, Use]:
    words: dict[str, Use] = {}
    for use in uses().values():
        for word in (use.code, use.name_zh, use.name_en, *use.words):
            if _plain(word):
                words.setdefault(_plain(word), use)
    return words


def find_use(text: str | None, scheme: str | None = None) -> Use | None:
    """Return the use that a word, or a land-class code of `scheme`, stands for.

    Parameters
    ----------
    text : str or None
        Use code, Chinese or English word, or code or name of a land class, such as 0601.
    scheme : str, optional
        Scheme of land classes; without it neither their codes nor their names are understood.

    Returns
    -------
    Use or None
        None when nothing known matches.

    Examples
    --------
    >>> find_use("厂房").code, find_use("0601", "guide2023").code, find_use("xyz")
    ('industry', 'rural_road', None)
    """
    if not text or not text.strip():
        return None
    found = _use_words().get(_plain(text))
    if found is not None or scheme not in SCHEMES:
        return found
    classes = land_classes(scheme).values()
    names = {_plain(name): c.code for c in classes for name in (c.name_zh, c.name_en)}
    code = names.get(_plain(text), text)
    if land_class(scheme, code) is not None:
        prefixes = _use_file().of_class.get(scheme, {})
        longest = (code[:n] for n in range(len(code), 1, -1))
        found = next((uses()[prefixes[t]] for t in longest if t in prefixes), None)
    return found


def tblx_use(tblx: str | None) -> Use | None:
    """Return the use a delivered patch type (TBLX) stands for; ``1`` is read as ``01``."""
    text = (tblx or "").strip().upper()
    code = _change_file().tblx.get(text.zfill(2) if text.isdigit() else text)
    return uses()[code] if code else None


@cache
def _names() -> _NamesFile:
    return load_preset(_NamesFile, "vocabularies", "names")


def roles() -> tuple[str, ...]:
    """Return the layer roles in their fixed order."""
    return tuple(_names().roles)


def role_name(role: str, language: Language = "zh") -> str:
    """Return the name of a layer role for people."""
    name = _names().roles[role]
    return name.zh if language == "zh" else name.en


def cover_name(cover: str, language: Language = "zh") -> str:
    """Return the name of a cover of `COVERS` for people."""
    name = _names().covers[cover]
    return name.zh if language == "zh" else name.en
