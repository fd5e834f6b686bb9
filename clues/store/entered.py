"""When clues were entered into the store: the day from which somebody can act on them."""

import datetime as dt
from zoneinfo import ZoneInfo

from sqlalchemy import select

from clues.store import schema
from clues.store.repository import Store
from clues.store.tables import in_utc

__all__ = ["entered_days"]


def entered_days(store: Store, zone: str) -> dict[str, dt.date]:
    """Return the civil day on which each clue was entered, by clue number.

    Parameters
    ----------
    store : Store
    zone : str
        Time zone of civil days.
    """
    columns = schema.clues.c
    with store.engine.connect() as connection:
        rows = connection.execute(select(columns.clue_no, columns.registered_at)).all()
    found = {}
    for number, moment in rows:
        found[str(number)] = in_utc(moment).astimezone(ZoneInfo(zone)).date()
    return found
