"""What a check compares beside sealed rows: the derived worklist, the files that are known."""

from typing import Any

from sqlalchemy import Connection, select

from clues.audit.hashing import canonical
from clues.store import schema
from clues.store.worklistrows import worklist_rows

__all__ = ["listed_otherwise", "stored_files"]


def listed_otherwise(connection: Connection) -> str:
    """Return the first clue whose row in the worklist is not what it is to be; "" for none."""
    names = [c.name for c in schema.worklist.c]
    asked = select(schema.worklist).order_by(schema.worklist.c.clue_no)
    present = {str(r["clue_no"]): dict(r) for r in connection.execute(asked).mappings()}
    for row in worklist_rows(connection):
        found = present.pop(row["clue_no"], None)
        if found is None or _text(found, names) != _text(row, names):
            return str(row["clue_no"])
    return min(present, default="")


def _text(row: dict[str, Any], names: list[str]) -> str:
    return canonical([row[n] for n in names])


def stored_files(connection: Connection) -> list[tuple[str, str]]:
    """Return hash and name of the files of clues and cases that are linked to something."""
    file, link = schema.attachments.c, schema.attachment_links.c
    asked = (
        select(file.sha256, file.name)
        .where(file.id.in_(select(link.attachment_id)))
        .order_by(file.id)
    )
    return [(str(digest), str(name)) for digest, name in connection.execute(asked)]
