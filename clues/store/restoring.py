"""A clue store made of a dump: the same rows, checked against their checksums."""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    column,
    func,
    insert,
    inspect,
    select,
    table,
    text,
)
from sqlalchemy.types import NullType

from clues.store import schema
from clues.store.dumping import LEFT_OUT, Dump, TableSum, decoder, dump_store
from clues.store.repository import Store
from configs.errors import InputError, StoreError

__all__ = ["enter_dump", "require_empty", "require_same_rows"]

AT_ONCE = 500
TYPES: Mapping[str, Any] = {
    "bytes": LargeBinary(),
    "date": Date(),
    "moment": DateTime(timezone=True),
    "json": JSON(),
    "plain": NullType(),
}


def require_empty(store: Store) -> None:
    """Raise `StoreError` where a store holds anything: a backup never mixes with what is there."""
    there = set(inspect(store.engine).get_table_names())
    with store.engine.connect() as connection:
        for known in schema.metadata.sorted_tables:
            if known.name in there and connection.scalar(select(func.count()).select_from(known)):
                raise StoreError(
                    f"the store is not empty: {known.name} has rows",
                    store.place,
                    "restore into a new file or an empty database",
                )


def enter_dump(store: Store, dump: Dump, folder: Path) -> None:
    """Enter the rows of a dump into an empty store, and bring it to the newest schema.

    The schema is that of the dump while rows are entered; they are all there or none is.

    Raises
    ------
    InputError
        If a file is not as the dump tells.
    StoreError
        If a later version of the program made the dump.
    """
    store.migrate(dump.revision)
    with store.transaction() as connection:
        for name in dump.tables:
            _enter(connection, name, dump.columns[name], folder / f"{name}.jsonl.gz")
        if store.engine.dialect.name == "postgresql":
            _go_on_counting(connection, tuple(dump.tables))


def require_same_rows(store: Store, dump: Dump) -> dict[str, TableSum]:
    """Return the checksums of a restored store; raise where they differ from the dump.

    Raises
    ------
    StoreError
        Naming the first table.
    """
    found = dump_store(store, None, dump).tables
    for name, told in dump.tables.items():
        if found.get(name) != told:
            raise StoreError(
                f"the restored table {name} is not that of the backup",
                store.place,
                "restore again into an empty place; if it stays, the backup is damaged",
            )
    return dict(found)


def _enter(
    connection: Connection, name: str, columns: Sequence[tuple[str, str]], path: Path
) -> None:
    known = {t.name for t in schema.metadata.sorted_tables} - set(LEFT_OUT)
    if name not in known:
        raise InputError(f"the backup has a table {name!r}", str(path), "use the whole backup")
    target = table(name, *(column(n, TYPES[kind]) for n, kind in columns))
    decoders = [(n, decoder(kind)) for n, kind in columns]
    rows = _rows(path, decoders)
    while batch := list(islice(rows, AT_ONCE)):
        connection.execute(insert(target), batch)


def _rows(path: Path, decoders: list[tuple[str, Any]]) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(path, "rb") as lines:
            for line in lines:
                values = json.loads(line)
                yield {n: make(v) for (n, make), v in zip(decoders, values, strict=True)}
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"a table of the backup cannot be read ({type(error).__name__})",
            str(path),
            "use another backup",
        ) from error


def _go_on_counting(connection: Connection, names: Sequence[str]) -> None:
    """Let a server number new rows after those that were entered."""
    for known in schema.metadata.sorted_tables:
        key = list(known.primary_key.columns)
        counts = len(key) == 1 and isinstance(key[0].type, Integer)
        if known.name not in names or not counts or key[0].autoincrement is not True:
            continue
        last = connection.scalar(select(func.max(key[0])))
        if last is not None:
            asked = text("SELECT setval(pg_get_serial_sequence(:name, :key), :last)")
            connection.execute(asked, {"name": known.name, "key": key[0].name, "last": last})
