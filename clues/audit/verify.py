"""The check of a store against its own events: names the first thing that does not fit."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clues.audit.checkpoints import check_signature, read_public_key
from clues.audit.hashing import GENESIS, canonical, event_hash, text_hash
from clues.cases.casefiles import file_path
from clues.store.checkpoints import stored_checkpoints
from clues.store.events import raw_events
from clues.store.presence import listed_otherwise, stored_files
from clues.store.repository import Store
from clues.store.sealing import KINDS, name_of, row_hashes
from configs.errors import TubanError
from tiles.files import sha256

__all__ = ["Verification", "verify"]


@dataclass(frozen=True)
class Verification:
    """What a check found.

    Attributes
    ----------
    events, rows, files, checkpoints : int
        Checked until the first fault.
    broken : str
        The first thing that does not fit; "" where all does.
    """

    events: int
    rows: int
    files: int
    checkpoints: int
    broken: str


class _Broken(Exception):
    """Carries what does not fit."""


class _Check:
    """One check, and how far it came."""

    def __init__(self, store: Store, attachments: Path | None, public_key: Path | None) -> None:
        self.store, self.attachments = store, attachments
        self.key = None if public_key is None else read_public_key(public_key)
        self.events = self.rows = self.files = self.checkpoints = 0
        self.sealed: dict[str, dict[str, str]] = {}
        self.hashes: dict[int, str] = {}

    def run(self, connection: Any) -> None:
        self._events(connection)
        self._checkpoints(connection)
        for kind in (*KINDS, "parcels"):
            self._rows(connection, kind)
        if wrong := listed_otherwise(connection):
            raise _Broken(f"the row of clue {wrong} in the worklist was altered")
        if self.attachments is not None:
            self._files(connection, self.attachments)

    def _events(self, connection: Any) -> None:
        previous = GENESIS
        for event in raw_events(connection):
            seq = self.events + 1
            if event["seq"] != seq:
                raise _Broken(f"event {seq} is missing: event {event['seq']} stands in its place")
            rows = event.pop("rows")
            try:
                told = {n: _parsed(event[n]) for n in ("before", "after")}
                own = event_hash(event | told)
            except (ValueError, TypeError) as error:
                raise _Broken(f"event {seq} was altered: it cannot be read ({error})") from error
            if event["previous_hash"] != previous:
                raise _Broken(f"event {seq} was altered: it does not follow event {seq - 1}")
            if own != event["hash"]:
                raise _Broken(f"event {seq} was altered: its hash is of other values")
            if (text_hash(rows) if rows else None) != event["rows_sha256"]:
                raise _Broken(f"event {seq} was altered: the hashes of its rows are others")
            for line in (rows or "").splitlines():
                kind, key, digest = line.split(" ")
                self.sealed.setdefault(kind, {})[key] = digest
            previous = self.hashes[seq] = event["hash"]
            self.events = seq

    def _checkpoints(self, connection: Any) -> None:
        for checkpoint in stored_checkpoints(connection):
            seq = checkpoint["seq"]
            if self.hashes.get(seq) != checkpoint["hash"]:
                raise _Broken(f"event {seq} is not the one that checkpoint {seq} signed")
            if self.key is not None and (wrong := check_signature(checkpoint, self.key)):
                raise _Broken(wrong)
            self.checkpoints += 1

    def _rows(self, connection: Any, kind: str) -> None:
        sealed = self.sealed.get(kind, {})
        for _, key, digest in self._read(connection, kind):
            wanted = sealed.pop(key, "")
            if not wanted:
                name = name_of(connection, kind, key)
                raise _Broken(f"{name} was entered past the events")
            if wanted != digest:
                raise _Broken(f"{name_of(connection, kind, key)} was altered")
            self.rows += 1
        gone = [key for key, digest in sealed.items() if digest]
        if gone:
            raise _Broken(f"{name_of(connection, kind, gone[0])} was taken out")

    def _read(self, connection: Any, kind: str) -> Iterator[tuple[str, str, str]]:
        last = ""
        try:
            for row in row_hashes(connection, kind):
                last = row[1]
                yield row
        except (ValueError, TypeError) as error:
            after = f"the {kind} after {last}" if last else f"the first {kind}"
            raise _Broken(f"{after} was altered: it cannot be read ({error})") from error

    def _files(self, connection: Any, folder: Path) -> None:
        for digest, name in stored_files(connection):
            path = file_path(folder, digest)
            if not path.is_file():
                raise _Broken(f"attachment {digest} ({name}) is missing: {path}")
            if sha256(path) != digest:
                raise _Broken(f"attachment {digest} ({name}) was altered: {path}")
            self.files += 1


def _parsed(text: str | None) -> Any:
    if text is None:
        return None
    value = json.loads(text)
    if canonical(value) != text:
        raise ValueError("it is written in another way")
    return value


def verify(
    store: Store, attachments: Path | None = None, public_key: Path | None = None
) -> Verification:
    """Check events, checkpoints, rows under audit, the worklist and files; name the first fault.

    Parameters
    ----------
    store : Store
    attachments : Path, optional
        Folder of files kept under their hash; without it files are not checked.
    public_key : Path, optional
        Of the checkpoints; without it their signatures are not checked, only what they pin.
    """
    check, broken = _Check(store, attachments, public_key), ""
    try:
        with store.snapshot() as connection:
            check.run(connection)
    except _Broken as error:
        broken = str(error)
    except TubanError as error:
        broken = f"the store cannot be read after event {check.events}: {error.what}"
    return Verification(check.events, check.rows, check.files, check.checkpoints, broken)
