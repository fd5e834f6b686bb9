"""Verdicts of people in the clue store."""

from typing import Any

from sqlalchemy import select

from clues.store import schema
from clues.store.repository import Store

__all__ = ["clue_numbers", "stored_verdicts"]


def stored_verdicts(store: Store) -> list[dict[str, Any]]:
    """Return all verdicts in the order they were entered.

    Returns
    -------
    list of dict
        ``patch_id``, ``parcel_no``, ``line``, ``verdict``, ``reason``, ``by``, ``at``, ``source``.
    """
    table, patch = schema.verdicts.c, schema.patches.c
    names = ("parcel_no", "line", "verdict", "reason", "by", "at", "source")
    query = (
        select(patch.patch_id, *(table[n] for n in names))
        .join(schema.patches, patch.id == table.patch_key)
        .order_by(table.id)
    )
    with store.engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def clue_numbers(store: Store) -> dict[str, str]:
    """Return the clue number of every patch that is a clue."""
    clue = schema.clues.c
    with store.engine.connect() as connection:
        found = connection.execute(select(clue.object_id, clue.clue_no))
        return {str(patch): str(number) for patch, number in found}
