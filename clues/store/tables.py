"""What all tables of the clue store are made of: one catalogue of tables, keys, bounds."""

import datetime as dt
from typing import Any

from sqlalchemy import Column, Float, Integer, MetaData

__all__ = ["bounds_columns", "in_utc", "key_column", "metadata"]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def key_column() -> Column[int]:
    """Return the row number of a table."""
    return Column("id", Integer, primary_key=True, autoincrement=True)


def bounds_columns() -> list[Column[float]]:
    """Return the four numbers of a row's bounds."""
    return [Column(name, Float, nullable=False) for name in ("west", "south", "east", "north")]


def in_utc(value: Any) -> Any:
    """Return a moment with its zone, which files do not keep; anything else as it is."""
    if not isinstance(value, dt.datetime):
        return value
    return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
