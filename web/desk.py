"""What one desk serves: a store, its cases, its files, and what run folders can do for it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request

from clues.accounts import Accounts
from clues.cases.casebook import Casebook
from clues.store.repository import Store
from web.answers import Kept, Packed
from web.services import Services

__all__ = ["Desk", "TheDesk", "desk_of"]

COUNTS = 500
"""Counts that are kept: one by caller and filters."""


@dataclass(frozen=True)
class Desk:
    """What one desk serves.

    Attributes
    ----------
    zone : str
        Time zone of civil days.
    folder : Path
        Holds ``attachments`` and ``cache``.
    secure : bool
        Whether browsers reach it by HTTPS only.
    points, counts, told : Kept
        Points of the map, counts and public figures, by the last change of the store.
    """

    store: Store
    casebook: Casebook
    accounts: Accounts
    services: Services
    zone: str
    folder: Path
    secure: bool = False
    points: Kept[Packed] = field(default_factory=Kept)
    counts: Kept[int] = field(default_factory=lambda: Kept(COUNTS))
    told: Kept[Any] = field(default_factory=Kept)

    @property
    def attachments(self) -> Path:
        """Files kept under their hash."""
        return self.folder / "attachments"

    @property
    def cache(self) -> Path:
        """What can be made again."""
        return self.folder / "cache"


def desk_of(request: Request) -> Desk:
    """Return the desk that serves a request."""
    found: Any = request.app.state.desk
    assert isinstance(found, Desk)
    return found


async def _desk_of(request: Request) -> Desk:
    return desk_of(request)  # what is no coroutine costs a thread of its own


TheDesk = Annotated[Desk, Depends(_desk_of)]
