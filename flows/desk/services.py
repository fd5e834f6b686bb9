"""What run folders do for the desk: exports, judging again, outlines taken over."""

import datetime as dt
import threading
from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from configs.vocabulary import Language
from flows.desk.exports import DESK_FORMATS, export
from flows.desk.rejudging import Rejudging
from web.services import Export, NewPaper, Outline, Rejudgement

if TYPE_CHECKING:
    from clues.store.repository import Store
    from flows.desk.place import DeskPlace

__all__ = ["DeskServices"]


class DeskServices:
    """Services of a desk, see `web.services.Services`.

    Parameters
    ----------
    place : DeskPlace
    store : Store
        That the desk serves.
    zone : str
        Time zone of civil days.
    """

    def __init__(self, place: "DeskPlace", store: "Store", zone: str) -> None:
        self.place, self.store, self.zone = place, store, zone
        self._drawing = threading.Lock()
        self._rejudging = Rejudging(place.files, store, zone)

    def formats(self) -> tuple[str, ...]:
        """Return the formats in which clues can be exported."""
        return DESK_FORMATS

    def export(
        self,
        format_name: str,
        clue_nos: Collection[str],
        language: Language,
        day: dt.date | None = None,
    ) -> Export:
        """Write the clues named, and nothing else, as a file."""
        today = day or dt.datetime.now(ZoneInfo(self.zone)).date()
        return export(self.place.files, self.store, format_name, clue_nos, language, today)

    def rejudge(self, clue_no: str, paper: NewPaper) -> Rejudgement:
        """Judge a clue again with a document that was attached to it."""
        return self._rejudging.rejudge(clue_no, paper)

    def warm(self) -> None:
        """Load what the first judging again would wait for."""
        self._rejudging.warm()

    def outline(self, clue_no: str, outline: Outline) -> dict[str, Any]:
        """Take a drawn or cut outline over as a new version; return the clues it became.

        One at a time: the outputs of the run are written again.
        """
        from flows.desk.outline import take_outline

        with self._drawing:
            return take_outline(self.place, self.store, clue_no, outline)
