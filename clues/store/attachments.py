"""Attachments in the clue store: files kept under their hash."""

from collections.abc import Iterable

from sqlalchemy import Connection, insert, select

from clues.store import schema

__all__ = ["keep_attachments"]

NAME_LENGTH = 255


def keep_attachments(connection: Connection, files: Iterable[tuple[str, str, str, int]]) -> int:
    """Enter files that are not known yet; return how many.

    Parameters
    ----------
    connection : Connection
    files : iterable of (str, str, str, int)
        SHA-256, name, media type, bytes.
    """
    column = schema.attachments.c
    new = 0
    for digest, name, kind, size in files:
        known = connection.scalar(select(column.id).where(column.sha256 == digest))
        if known is None:
            values = {"sha256": digest, "name": name[-NAME_LENGTH:], "media_type": kind}
            connection.execute(insert(schema.attachments).values(size=size, **values))
            new += 1
    return new
