"""All rows of a clue store as text, at one moment, while others write: for backups.

One file per table: JSON lines, packed. The checksum of a table is over its lines, so that SQLite
and PostgreSQL with the same rows have the same checksums, and either is restored from the other.
"""

import base64
import datetime as dt
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from alembic.migration import MigrationContext
from sqlalchemy import (
    JSON,
    Connection,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    Table,
    select,
)

from clues.audit.hashing import moment_text
from clues.store import schema
from clues.store.repository import Store

__all__ = ["LEFT_OUT", "Dump", "TableSum", "decoder", "dump_rows", "dump_store", "kind_of"]

LEFT_OUT = ("sessions",)
"""Tables that no backup holds: everybody signs in again."""

AT_ONCE = 1000
SUFFIX = ".jsonl.gz"


class SupportsWrite(Protocol):
    """Takes bytes."""

    def write(self, data: bytes, /) -> Any:
        """Write them."""
        ...


@dataclass(frozen=True)
class TableSum:
    """Rows of a table and the SHA-256 of their lines."""

    rows: int
    sha256: str


@dataclass(frozen=True)
class Dump:
    """A store at one moment.

    Attributes
    ----------
    revision : str
        Of the schema.
    tables : mapping of str to TableSum
        In the order in which they can be entered.
    columns : mapping of str to list of (str, str)
        Name and kind of the columns of each table.
    """

    revision: str
    tables: Mapping[str, TableSum]
    columns: Mapping[str, list[tuple[str, str]]]


def kind_of(column: Any) -> str:
    """Return how values of a column are written: date, moment, bytes, json or plain."""
    for kind, name in (
        (DateTime, "moment"),
        (Date, "date"),
        (LargeBinary, "bytes"),
        (JSON, "json"),
    ):
        if isinstance(column.type, kind):
            return name
    return "plain"


def dump_store(store: Store, folder: Path | None, like: Dump | None = None) -> Dump:
    """Write the rows of a store as they are at one moment; nobody waits for it.

    Parameters
    ----------
    store : Store
    folder : Path or None
        Gets one file per table; None to compute the checksums alone.
    like : Dump, optional
        Only the tables that it has: it may be of an earlier schema, and the store with it.
    """
    sums: dict[str, TableSum] = {}
    columns: dict[str, list[tuple[str, str]]] = {}
    with _one_moment(store) as connection:
        revision = MigrationContext.configure(connection).get_current_revision() or ""
        for table in schema.metadata.sorted_tables:
            if table.name in LEFT_OUT or (like is not None and table.name not in like.tables):
                continue
            columns[table.name] = [(c.name, kind_of(c)) for c in table.columns]
            if folder is None:
                sums[table.name] = dump_rows(connection, table, None)
                continue
            with gzip.GzipFile(folder / f"{table.name}{SUFFIX}", "wb", 3, mtime=0) as target:
                sums[table.name] = dump_rows(connection, table, target)
    return Dump(revision, sums, columns)


def dump_rows(connection: Connection, table: Table, target: SupportsWrite | None) -> TableSum:
    """Write the rows of a table as lines; return their number and checksum."""
    digest, count = hashlib.sha256(), 0
    for line in _lines(connection, table):
        digest.update(line)
        count += 1
        if target is not None:
            target.write(line)
    return TableSum(count, digest.hexdigest())


def _lines(connection: Connection, table: Table) -> Iterator[bytes]:
    kinds = [kind_of(column) for column in table.columns]
    key = list(table.primary_key.columns)
    asked = select(table).order_by(*key)
    rows = connection.execution_options(yield_per=AT_ONCE).execute(asked)
    lines = (_line(row, kinds) for row in rows)
    # servers sort texts by their language, files by bytes
    numbered = all(isinstance(column.type, Integer) for column in key)
    yield from (lines if numbered else sorted(lines))


def _line(row: Any, kinds: list[str]) -> bytes:
    values = [_plain(value, kind) for value, kind in zip(row, kinds, strict=True)]
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return f"{text}\n".encode()


def _plain(value: Any, kind: str) -> Any:
    if value is None or kind in ("plain", "json"):
        return value
    if kind == "bytes":
        return base64.b64encode(bytes(value)).decode()
    if kind == "date":
        return value.isoformat()
    return moment_text(value)


def decoder(kind: str) -> Any:
    """Return what makes a value of what `dump_rows` wrote; None stays None."""
    made: dict[str, Any] = {
        "bytes": base64.b64decode,
        "date": dt.date.fromisoformat,
        "moment": dt.datetime.fromisoformat,
    }
    make = made.get(kind)
    if make is None:
        return lambda value: value
    return lambda value: None if value is None else make(value)


@contextmanager
def _one_moment(store: Store) -> Iterator[Connection]:
    """Give a connection that sees the store as it is now, whatever others write meanwhile."""
    with store.engine.connect() as plain:
        if store.engine.dialect.name == "sqlite":
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("SELECT count(*) FROM alembic_version").scalar()
            try:
                yield connection
            finally:
                connection.exec_driver_sql("ROLLBACK")
        else:
            connection = plain.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection
