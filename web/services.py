"""What the desk needs of run folders; `flows.desk.services` gives it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from configs.vocabulary import Language

__all__ = ["Export", "NewPaper", "Outline", "Rejudgement", "Services"]


@dataclass(frozen=True)
class Export:
    """A file made for a caller; it is removed once it is sent."""

    path: Path
    name: str
    media_type: str


@dataclass(frozen=True)
class NewPaper:
    """A document that somebody at the desk attaches to a clue.

    Attributes
    ----------
    role : str
        Role of the layer that would hold it: approval, supply, …
    number : str
        As it is printed on the document.
    date : str
        ISO day of the document; "" where the layer tells it.
    note : str
    attachment : str
        SHA-256 of the scan; "" without one.
    by : str
        Who attaches it.
    """

    role: str
    number: str
    date: str
    by: str
    note: str = ""
    attachment: str = ""


@dataclass(frozen=True)
class Outline:
    """Outlines that somebody at the desk drew in place of that of a clue.

    Attributes
    ----------
    polygons : tuple of dict
        GeoJSON geometries in WGS84; several cut the patch.
    by : str
    """

    polygons: tuple[Mapping[str, Any], ...]
    by: str
    change_type: str = ""


@dataclass(frozen=True)
class Rejudgement:
    """What judging again answered.

    Attributes
    ----------
    findings : list of dict
        As `clues.store.worklist` tells parcels.
    differences : list of dict
        parcel_id, line, before, after, reason_zh, reason_en.
    found : str
        ``covers`` | ``elsewhere`` | ``unlocated`` | ``unknown``: what the layers know of it.
    is_kept : bool
        Whether the findings stand now; not where the document cuts the clue into other parcels.
    """

    findings: list[dict[str, Any]] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)
    found: str = "unknown"
    told_zh: str = ""
    told_en: str = ""
    is_kept: bool = True


class Services(Protocol):
    """What flows does for the desk."""

    def formats(self) -> tuple[str, ...]:
        """Return the formats in which clues can be exported."""
        ...

    def export(self, format_name: str, clue_nos: Collection[str], language: Language) -> Export:
        """Write the clues named, and nothing else, as a file."""
        ...

    def rejudge(self, clue_no: str, paper: NewPaper) -> Rejudgement:
        """Judge a clue again with a document that was attached to it."""
        ...

    def outline(self, clue_no: str, outline: Outline) -> dict[str, Any]:
        """Take a drawn or cut outline over as a new version; return the clues it became."""
        ...
