"""Leads in the clue store: one row per lead, linked to the clue it supports or opened."""

from typing import Any

import shapely
from sqlalchemy import Connection, insert, select, update

from clues.store import schema

__all__ = ["keep_leads"]


def keep_leads(connection: Connection, leads: Any) -> None:
    """Enter leads, or renew those that are known by their id: none is ever there twice.

    Parameters
    ----------
    connection : Connection
    leads : GeoDataFrame
        Of a judgement whose clues are registered, see `clues.leads.LEAD_COLUMNS`.
    """
    table, clue, patch = schema.leads, schema.clues.c, schema.patches.c
    known = set(connection.scalars(select(table.c.lead_id)))
    pairs = select(patch.patch_id, clue.id).join(schema.clues, clue.object_id == patch.object_id)
    clues = {str(p): int(i) for p, i in connection.execute(pairs)}
    wkb, bounds = shapely.to_wkb(leads.geometry.to_numpy()), leads.geometry.bounds.to_numpy()
    for i, row in enumerate(leads.drop(columns="geometry").to_dict("records")):
        distance, received = row["distance_m"], row["received"]
        values = {
            "number": row["number"] or None,
            "source": row["channel"] or "",
            "received": received if hasattr(received, "isoformat") else None,
            "text": row["text"] or "",
            "relation": row["relation"],
            "distance_m": None if distance != distance else float(distance),
            "clue_id": clues.get(str(row["patch_id"])),
            "geometry": wkb[i],
            **dict(zip(("west", "south", "east", "north"), map(float, bounds[i]), strict=True)),
        }
        if row["lead_id"] in known:
            change = update(table).where(table.c.lead_id == row["lead_id"])
            connection.execute(change.values(**values))
        else:
            connection.execute(insert(table).values(lead_id=row["lead_id"], **values))
