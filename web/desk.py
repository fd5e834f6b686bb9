"""What one desk serves: a store, its cases, its files, and what run folders can do for it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request

from clues.accounts import Accounts
from clues.cases.casebook import Casebook
from clues.store.repository import Store
from web.services import Services

__all__ = ["Desk", "desk_of"]


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
    """

    store: Store
    casebook: Casebook
    accounts: Accounts
    services: Services
    zone: str
    folder: Path
    secure: bool = False

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
