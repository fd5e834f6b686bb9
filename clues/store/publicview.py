"""What the public is told of clues: numbers by coarse cells, nothing that leads to a plot."""

import math
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from clues.store import schema

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CELL", "last_change", "public_cells", "public_totals"]

CELL = 0.05
"""Degrees of a cell, some five kilometres."""

FIELDS = ("county_code", "change_type", "outcome")


def last_change(connection: Connection) -> int:
    """Return the number of the last event that is no account's; the worklist has no other cause."""
    event = schema.events.c
    asked = select(event.seq).where(~event.subject.startswith("user:"))
    return int(connection.scalar(asked.order_by(event.seq.desc()).limit(1)) or 0)


def public_cells(connection: Connection) -> list[dict[str, Any]]:
    """Return the open clues counted by cell, county, change type and outcome.

    Areas are rounded as `clues.publiccells.blur` does where few clues stand behind them.
    """
    found = _blurred(_rows(connection, cells=True), ["column", "row", *FIELDS])
    return [
        {"west": round(row.pop("column") * CELL, 4), "south": round(row.pop("row") * CELL, 4)} | row
        for row in found
    ]


def public_totals(connection: Connection) -> list[dict[str, Any]]:
    """Return the open clues counted by county, change type and outcome."""
    return _blurred(_rows(connection, cells=False), list(FIELDS))


def _rows(connection: Connection, *, cells: bool) -> "pd.DataFrame":
    import pandas as pd

    row = schema.worklist.c
    asked = select(row.lon, row.lat, *(row[n] for n in FIELDS), row.area_dm2)
    rows = [
        (
            math.floor((lon or 0.0) / CELL) if cells else 0,
            math.floor((lat or 0.0) / CELL) if cells else 0,
            *(county, kind or "unknown", outcome, int(area)),
        )
        for lon, lat, county, kind, outcome, area in connection.execute(
            asked.where(row.is_over.is_(False))
        )
    ]
    return pd.DataFrame(rows, columns=["column", "row", *FIELDS, "area_dm2"])


def _blurred(table: "pd.DataFrame", keys: list[str]) -> list[dict[str, Any]]:
    from clues.publiccells import blur

    if not len(table):
        return []
    grouped = table.groupby(keys, sort=True)["area_dm2"]
    told = blur(grouped.agg(patches="size", area_dm2="sum").reset_index()).table
    names = [*keys, "patches", "area_dm2"]
    return [
        {n: v.item() if hasattr(v, "item") else v for n, v in zip(names, values, strict=True)}
        | {"rounded": bool(rounded)}
        for *values, rounded in zip(*(told[n] for n in (*names, "rounded")), strict=True)
    ]
