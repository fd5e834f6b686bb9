"""The clue store: the only place that reads and writes the database.

A run is registered in one transaction and only once; clue numbers are handed out in the order
(county, anchor) and never reused.
"""

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from clues.store import schema
from clues.store.inserting import (
    RunRecord,
    insert_clues,
    insert_layers,
    insert_parcels,
    insert_patches,
    insert_run,
    numbers_of,
)
from clues.store.keeping import keep_copy
from clues.store.leads import keep_leads
from clues.store.renewing import renew, things_of
from clues.store.sealing import seal_present, seal_run
from clues.store.worklistrows import refresh
from configs.errors import StoreAway, StoreError

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["Store"]

log = logging.getLogger(__name__)

PROGRAM = "tuban"
"""Who did what nobody asked for by name."""

LOCK = 20250306
"""Names the lock that writers of a server wait for."""


PATIENCE_MS = 30_000
"""Writers of a file wait so long for each other."""


class Store:
    """A clue store behind a database URL; SQLite files are opened in WAL mode.

    Parameters
    ----------
    url : str
        SQLAlchemy URL, such as ``sqlite:////data/tuban.sqlite``.
    scope : str, optional
        Name of a run: of a register that holds many, only its clues are told.
    """

    def __init__(self, url: str, scope: str | None = None) -> None:
        if url.startswith(("postgresql://", "postgres://")):
            url = "postgresql+psycopg://" + url.partition("://")[2]
        self.url, self.scope = url, scope
        self.engine: Engine = _engine(url)
        event.listen(self.engine, "handle_error", self._told, retval=True)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _sqlite_pragmas)
            self._file: tuple[int, int] | None = None
            for moment in ("do_connect", "checkout"):
                event.listen(self.engine, moment, self._require_same_file)

    @property
    def place(self) -> str:
        """Where the store is, without any password."""
        url = self.engine.url
        is_file = self.engine.dialect.name == "sqlite"
        return str(url.database) if is_file else url.render_as_string(hide_password=True)

    @classmethod
    def at(cls, place: Path | str, scope: str | None = None) -> "Store":
        """Open the SQLite file or the URL and bring its schema up to date."""
        if isinstance(place, Path):
            place.parent.mkdir(parents=True, exist_ok=True)
            place = f"sqlite:///{place}"
        store = cls(place, scope)
        store.migrate()
        return store

    def migrate(self, revision: str = "head", *, keep: bool = True) -> None:
        """Bring the schema to the newest version, or an empty store to an older one.

        A file as it was stays beside it, as ``<name>.before-<version>.sqlite``, unless it is not
        to be kept.

        Raises
        ------
        StoreError
            If a later version of the program wrote it.
        """
        config = _migrations()
        if revision != "head":
            self._require_known(revision)
        with self.transaction() as connection:
            if not self._is_newest(connection):
                config.attributes["connection"] = connection
                if keep:
                    self._keep_old(connection)
                command.upgrade(config, revision)
                if revision != "head":
                    return
                if connection.scalar(select(func.count()).select_from(schema.events)) == 0:
                    seal_present(connection, PROGRAM)
                refresh(connection)

    def _keep_old(self, connection: Connection) -> None:
        """Keep a store as it was; of a server only tell what is altered, it has its own backups."""
        present = MigrationContext.configure(connection).get_current_revision()
        if present is None:
            return
        if self.engine.dialect.name == "sqlite" and self.engine.url.database:
            keep_copy(Path(self.engine.url.database), present)
        else:
            log.warning(
                "the tables of %s are of version %s: brought up to date", self.place, present
            )

    def look(self) -> None:
        """Raise where the store cannot be worked with; nothing is written.

        Raises
        ------
        StoreError
            If a later version of the program wrote it, or it is no store.
        StoreAway
            If it cannot be reached.
        """
        with self.engine.connect() as connection:
            self._is_newest(connection)

    def _is_newest(self, connection: Connection) -> bool:
        present = MigrationContext.configure(connection).get_current_revision()
        if present is not None:
            self._require_known(present)
        scripts = ScriptDirectory.from_config(_migrations())
        return present == scripts.get_current_head()

    def _require_known(self, revision: str) -> None:
        scripts = ScriptDirectory.from_config(_migrations())
        if revision not in {s.revision for s in scripts.walk_revisions()}:
            raise StoreError(
                f"the clue store is of schema {revision}, which this version does not know",
                self.place,
                "use the version of tuban that wrote it, or a later one",
            )

    def close(self) -> None:
        """Close all connections; a SQLite file is then one file again."""
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        self.engine.dispose()

    def register(
        self,
        run: RunRecord,
        patches: "gpd.GeoDataFrame",
        findings: "gpd.GeoDataFrame | Iterable[gpd.GeoDataFrame]",
        leads: "gpd.GeoDataFrame | None" = None,
        before: "Callable[[Connection], None] | None" = None,
        numbered: "Callable[[Connection, dict[str, str]], None] | None" = None,
        beside: "Callable[[Connection, int, dict[str, int]], None] | None" = None,
        after: "Callable[[Connection, int, dict[str, str]], None] | None" = None,
        who: str = PROGRAM,
    ) -> dict[str, str]:
        """Store a judged run; return the clue number of every patch that is a clue.

        Parameters
        ----------
        run : RunRecord
        patches : GeoDataFrame
            All patches in the order (county, anchor), with ``disposition``.
        findings : GeoDataFrame or iterable of them
            One row per parcel and line, whole or batch by batch.
        leads : GeoDataFrame, optional
            See `clues.leads.LEAD_COLUMNS`.
        before : callable, optional
            Looks at the register before anything of a new run is entered, in the same transaction.
        numbered : callable, optional
            Is told the numbers of the clues of a new run before most of it is entered, in the same
            transaction, which may yet fail.
        beside : callable, optional
            Enters what else belongs to a new run, from its row and those of its patches.
        after : callable, optional
            Looks at a run, new or not, and the numbers of its clues, in the same transaction.
        who : str
            Who enters it.

        Returns
        -------
        dict of str to str
            patch_id to clue_no. For a run registered before, the numbers given then.
        """
        now = dt.datetime.now(dt.UTC)
        with self.transaction() as connection:
            known = connection.scalar(
                select(schema.runs.c.id).where(schema.runs.c.run_key == run.run_key)
            )
            if known is None:
                if before is not None:
                    before(connection)
                run_id = insert_run(connection, run, now)
                keys = insert_patches(connection, run_id, patches)
                insert_clues(connection, keys, run, patches, now)
                if numbered is not None:
                    numbered(connection, numbers_of(connection, run_id))
                insert_parcels(connection, run_id, keys, run, findings, now)
                insert_layers(connection, run.layers, now)
                if leads is not None:
                    keep_leads(connection, leads)
                if beside is not None:
                    beside(connection, run_id, keys)
                seal_run(connection, run_id, who)
                renew(connection, things_of(connection, run_id))
                known = run_id
            numbers = numbers_of(connection, known)
            if after is not None:
                after(connection, known, numbers)
            return numbers

    def counts(self) -> dict[str, int]:
        """Return the number of rows of every table."""
        with self.engine.connect() as connection:
            return {
                name: connection.scalar(select(func.count()).select_from(table)) or 0
                for name, table in sorted(schema.metadata.tables.items())
            }

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[Connection]:
        """Give a connection whose work is kept whole or not at all.

        Of several at the same time one waits for the other before it reads anything.

        Parameters
        ----------
        wait : bool
            False: `StoreAway` where another is at work, for what may as well be left.
        """
        if self.engine.dialect.name == "sqlite":
            with self._alone(wait) as connection:
                yield connection
        else:
            with self.engine.begin() as connection:
                if wait:
                    connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
                elif not connection.scalar(select(func.pg_try_advisory_xact_lock(LOCK))):
                    raise StoreAway("another writes", self.place, "try again in a moment")
                yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give a connection whose reads all see the store of one moment."""
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect() as plain:
                connection = plain.execution_options(isolation_level="AUTOCOMMIT")
                connection.exec_driver_sql("BEGIN")
                try:
                    yield connection
                finally:
                    connection.exec_driver_sql("ROLLBACK")
        else:
            level = self.engine.execution_options(isolation_level="REPEATABLE READ")
            with level.connect() as connection:
                yield connection

    def _require_same_file(self, *_event: Any) -> None:
        """Raise where another file is in its place, or none: SQLite would write on into the old."""
        try:
            found = Path(self.place).stat()
        except OSError:
            there = None
        else:
            there = found.st_dev, found.st_ino
        if self._file is None:
            self._file = there
        elif there != self._file:
            raise StoreAway(
                "the file of the store was moved, removed or replaced while it was open",
                self.place,
                "put it back; or end the program, and start it again with the file that is there",
            )

    def _told(self, context: Any) -> StoreError | None:
        """Return what an operator can do about a store that is away, locked or full."""
        error = context.sqlalchemy_exception
        if isinstance(error, DatabaseError) and "not a database" in str(error.orig):
            return StoreError(
                "the file is no clue store", self.place, "name another file, or put it back"
            )
        if isinstance(error, DatabaseError) and "malformed" in str(error.orig):
            return StoreError(
                "the clue store is damaged",
                self.place,
                "put a copy in its place or restore a backup (`tuban desk restore`); a run makes "
                "its own store anew where it is moved away, without what people filled in",
            )
        if not isinstance(error, OperationalError):
            return None
        is_file = self.engine.dialect.name == "sqlite"
        kind = StoreError if "no such" in str(error.orig) else StoreAway
        return kind(
            f"the clue store refuses: {' '.join(str(error.orig).split())}",
            self.place,
            "check that the folder is writable, the disk not full and no other program holds the "
            "file, then run the same command again: it goes on from here"
            if is_file
            else "check that the server runs and lets you in, then run the same command again: "
            "it goes on from here",
        )

    @contextmanager
    def _alone(self, wait: bool) -> Iterator[Connection]:
        # the driver would begin to write only at the first insert, after others have read
        with self.engine.connect() as plain:
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql(f"PRAGMA busy_timeout={PATIENCE_MS if wait else 0}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("clues.store") / "migrations"))
    return config


def _engine(url: str) -> Engine:
    try:
        return create_engine(url)
    except (ArgumentError, ImportError) as error:
        raise StoreError(
            f"the clue store cannot be opened ({type(error).__name__})",
            url.rpartition("@")[2],
            "name a SQLite file or a URL such as postgresql://user@host/database; a server needs "
            "`pip install tuban[postgis]`",
        ) from error


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        f"busy_timeout={PATIENCE_MS}",
        "foreign_keys=ON",
        "synchronous=FULL",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
