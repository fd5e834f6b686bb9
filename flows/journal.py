"""An append-only file of checksummed JSON lines that survives a crash in the middle of a line."""

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from tiles.files import told_full

__all__ = ["Journal", "dump_json"]

log = logging.getLogger(__name__)

SUM_DIGITS = 16


def dump_json(value: Any) -> str:
    """Return JSON on one line, keys sorted, the same text for the same value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class Journal:
    """Lines of JSON objects; the last member ``sum`` of each guards the rest of its line.

    Parameters
    ----------
    path : Path
        The file; made by the first `append`.

    Attributes
    ----------
    lines : list of dict
        What was read when the journal was opened.
    damaged : list of int
        Numbers (from 1) of lines that do not match their checksum although whole lines follow:
        not the work of a crash. They are left out of `lines`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        self.damaged: list[int] = []
        self._whole, self._torn = 0, False
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return
        offset = 0
        bad: list[int] = []
        for number, raw in enumerate(data.split(b"\n")[:-1], 1):
            offset += len(raw) + 1
            line = _unseal(raw)
            if line is None:
                bad.append(number)
                continue
            self.lines.append(line)
            self.damaged += bad
            self._whole, bad = offset, []
        self._torn = self._whole < len(data)
        if self._torn:
            log.info("%s: the torn end (%d bytes) is dropped", path, len(data) - self._whole)

    def append(self, line: dict[str, Any]) -> None:
        """Write one line and flush it to disk; a torn end is cut off before.

        The caller holds the lock of the folder.

        Raises
        ------
        ResourceError
            If the disk is full.
        """
        data = _seal(line)
        handle = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        try:
            with told_full(self.path):
                if self._torn:  # by whoever died here before; not what somebody else adds now
                    os.ftruncate(handle, self._whole)
                self._torn, done = True, 0
                while done < len(data):
                    done += os.write(handle, data[done:])
                os.fsync(handle)
        finally:
            os.close(handle)
        self._whole += len(data)
        self._torn = False


def _seal(line: dict[str, Any]) -> bytes:
    body = dump_json(line)
    return f'{body[:-1]},"sum":"{_sum(body)}"}}\n'.encode()


def _unseal(raw: bytes) -> dict[str, Any] | None:
    tail = len(',"sum":""}') + SUM_DIGITS
    try:
        body = raw[:-tail].decode() + "}"
        line = json.loads(raw)
    except ValueError:
        return None
    if not isinstance(line, dict) or line.pop("sum", None) != _sum(body):
        return None
    return line


def _sum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:SUM_DIGITS]
