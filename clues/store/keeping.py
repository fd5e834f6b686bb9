"""A copy of a store as it was, before a later version of the program alters its tables."""

import logging
import sqlite3
from pathlib import Path

from configs.errors import StoreAway
from tiles.files import atomic_path

__all__ = ["keep_copy"]

log = logging.getLogger(__name__)


def keep_copy(file: Path, revision: str) -> Path:
    """Copy a SQLite store beside itself, whole, also while others read it; return the copy.

    Parameters
    ----------
    file : Path
    revision : str
        Of its tables: part of the name of the copy.

    Raises
    ------
    StoreAway
        If the copy cannot be written: nothing is altered then.
    """
    target = file.with_name(f"{file.stem}.before-{revision}{file.suffix}")
    try:
        with atomic_path(target) as part:
            source, copy = sqlite3.connect(file), sqlite3.connect(part)
            try:
                source.backup(copy)
            finally:
                copy.close()
                source.close()
    except (OSError, sqlite3.Error) as error:
        raise StoreAway(
            f"the tables of the store are of version {revision} and are brought up to date, but no "
            f"copy can be kept: {getattr(error, 'what', error)}",
            str(target),
            "let the folder be written and free some space, then run the same command again",
        ) from error
    log.warning(
        "the store %s of version %s is brought up to date; as it was, it lies in %s",
        file.name,
        revision,
        target,
    )
    return target
