"""Comments and files of clues and cases."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from clues.cases.actors import Actor
from clues.cases.bookkeeping import Bookkeeping
from clues.cases.casefiles import keep_file
from clues.cases.refusals import CaseRefused
from clues.store import cases as kept
from clues.store.attachments import keep_attachments
from clues.store.sealing import row_hashes
from clues.store.worklistrows import refresh
from configs.told import Told

__all__ = ["Sayings"]

LONGEST = 4000


class Sayings(Bookkeeping):
    """What people say and show; see `clues.cases.casebook.Casebook`."""

    def comment(
        self, actor: Actor, clue_no: str, text: str, case_no: str | None = None
    ) -> dict[str, Any]:
        """Say something of a clue as it is shown now; return the comment."""
        said = text.strip()
        if not 0 < len(said) <= LONGEST:
            raise CaseRefused(
                Told("留言为空或过长", "the comment is empty or too long"),
                clue_no,
                Told(f"不超过 {LONGEST} 字", f"at most {LONGEST} signs"),
            )

        def work(connection: Any) -> dict[str, Any]:
            clue, row = self.thing(connection, actor, clue_no, case_no)
            now = dt.datetime.now(dt.UTC)
            values = {"object_id": clue.object_id, "patch_key": clue.patch_key, "text": said}
            values |= {"case_id": row.id if row else None, "by": actor.name, "at": now}
            key = kept.add_comment(connection, values)
            rows = row_hashes(connection, "comment", [key])
            self.about(connection, actor, clue, row, "comment.add", {"text": said}, rows)
            refresh(connection, [clue.object_id])
            return {"id": key, "text": said, "by": actor.name, "at": now, "case_no": case_no}

        return self.write(work)

    def attach(
        self,
        actor: Actor,
        clue_no: str,
        data: bytes,
        name: str,
        media_type: str,
        *,
        kind: str = "document",
        case_no: str | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Keep a file that was looked into already, and link it to a clue; return the link.

        Parameters
        ----------
        actor : Actor
        clue_no : str
        data : bytes
        name, media_type : str
            As they were checked.
        kind : str
            Such as ``photo`` or ``document``.
        case_no : str, optional
        facts : mapping, optional
            What the file tells, such as position and azimuth.
        """
        if self.attachments is None:
            raise CaseRefused(
                Told("未设置附件目录", "there is no folder of attachments"),
                clue_no,
                Told("由管理员设置附件目录", "the administrator sets one"),
            )
        digest = keep_file(self.attachments, data)

        def work(connection: Any) -> dict[str, Any]:
            clue, row = self.thing(connection, actor, clue_no, case_no)
            now = dt.datetime.now(dt.UTC)
            keep_attachments(connection, [(digest, name, media_type, len(data))], actor.name)
            link: dict[str, Any] = {"object_id": clue.object_id, "kind": kind}
            link |= {"facts": dict(facts or {}), "case_id": row.id if row else None}
            link |= {"by": actor.name, "at": now}
            key = kept.link_attachment(connection, digest, link)
            told = {"sha256": digest, "name": name, "kind": kind, "size": len(data)}
            rows = row_hashes(connection, "link", [key])
            self.about(connection, actor, clue, row, "attachment.add", told, rows)
            refresh(connection, [clue.object_id])
            return told | {"id": key, "media_type": media_type, "by": actor.name, "at": now}

        return self.write(work)
