"""Files of the desk: which somebody may open."""

from typing import NamedTuple

from sqlalchemy import Connection, or_, select

from clues.store import schema
from clues.store.cases import case_seen
from clues.store.worklist import Scope, visible

__all__ = ["KeptFile", "seen_file"]


class KeptFile(NamedTuple):
    """A file that is kept under its hash."""

    sha256: str
    name: str
    media_type: str
    size: int


def seen_file(connection: Connection, sha256: str, scope: Scope) -> KeptFile | None:
    """Return a file that is linked to a clue or case somebody sees; None otherwise."""
    if scope.redacted:
        return None
    file, link, row, case = (
        t.c for t in (schema.attachments, schema.attachment_links, schema.worklist, schema.cases)
    )
    asked = (
        select(file.sha256, file.name, file.media_type, file.size)
        .join(schema.attachment_links, link.attachment_id == file.id)
        .join(schema.worklist, row.object_id == link.object_id)
        .outerjoin(schema.cases, case.id == link.case_id)
        .where(file.sha256 == sha256, visible(scope), or_(case.id.is_(None), case_seen(scope)))
        .order_by(link.id)
        .limit(1)
    )
    found = connection.execute(asked).first()
    return None if found is None else KeptFile(*found)
