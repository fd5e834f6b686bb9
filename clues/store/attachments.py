"""Attachments in the clue store: files kept under their hash."""

from collections.abc import Iterable

from sqlalchemy import Connection, insert, select

from clues.store import schema
from clues.store.events import append
from clues.store.sealing import row_hashes

__all__ = ["keep_attachments"]

NAME_LENGTH = 255


def keep_attachments(
    connection: Connection, files: Iterable[tuple[str, str, str, int]], who: str = "tuban"
) -> int:
    """Enter files that are not known yet; return how many.

    Parameters
    ----------
    connection : Connection
    files : iterable of (str, str, str, int)
        SHA-256, name, media type, bytes.
    who : str
        Who brought them.
    """
    column = schema.attachments.c
    fresh = []
    for digest, name, kind, size in files:
        known = connection.scalar(select(column.id).where(column.sha256 == digest))
        if known is None:
            values = {"sha256": digest, "name": name[-NAME_LENGTH:], "media_type": kind}
            connection.execute(insert(schema.attachments).values(size=size, **values))
            fresh.append(digest)
    if fresh:
        rows = tuple(row_hashes(connection, "attachment", fresh))
        told = {"files": len(fresh)}
        append(connection, who=who, what="attachment.keep", subject="files", after=told, rows=rows)
    return len(fresh)
