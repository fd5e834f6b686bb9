"""Tiles that were cut before: files in a folder, the least recently used dropped first."""

import hashlib
import threading
import uuid
from collections import OrderedDict
from pathlib import Path

from configs.errors import ResourceError

__all__ = ["TileCache"]

LIMIT_MB = 512
SUFFIX = ".tile"
PART = ".part-"
DIGITS = 64


class TileCache:
    """Keeps bytes under keys, on disk and within a limit; one process holds a folder at a time.

    Nothing in it is needed: a file that cannot be read is a tile that is cut again.

    Parameters
    ----------
    folder : Path
        Made when missing. What an earlier process kept is found again.
    limit_mb : float
        Bytes of files kept at most.

    Raises
    ------
    ResourceError
        If the folder cannot be made or read.
    """

    def __init__(self, folder: Path, limit_mb: float = LIMIT_MB) -> None:
        self.folder, self._limit = folder, int(limit_mb * 1e6)
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        try:
            self._find()
        except OSError as error:
            raise ResourceError(
                f"the folder of map tiles cannot be used ({error.strerror})",
                str(folder),
                "give the user who serves the desk the right to write there",
            ) from error

    @property
    def size_bytes(self) -> int:
        """Bytes of the files that are kept."""
        return self._bytes

    @staticmethod
    def key(*parts: object) -> str:
        """Return the key of a tile: a hash of all that decides its pixels."""
        return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()

    def get(self, key: str) -> bytes | None:
        """Return what is kept under a key, or None."""
        with self._lock:
            if key not in self._sizes:
                return None
            self._sizes.move_to_end(key)
        try:
            return self._path(key).read_bytes()
        except OSError:
            with self._lock:
                self._bytes -= self._sizes.pop(key, 0)
            return None

    def put(self, key: str, data: bytes) -> None:
        """Keep a tile; a disk that is full keeps none."""
        path = self._path(key)
        part = path.with_name(f"{PART}{uuid.uuid4().hex[:8]}{SUFFIX}")
        try:
            path.parent.mkdir(exist_ok=True)
            part.write_bytes(data)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            return
        with self._lock:
            self._bytes += len(data) - self._sizes.pop(key, 0)
            self._sizes[key] = len(data)
            self._drop()

    def _drop(self) -> None:
        while self._bytes > self._limit and self._sizes:
            old, size = self._sizes.popitem(last=False)
            self._bytes -= size
            self._path(old).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}{SUFFIX}"

    def _find(self) -> None:
        """Take in what is there, the oldest first; remove what was never finished."""
        self.folder.mkdir(parents=True, exist_ok=True)
        found = []
        for path in self.folder.glob(f"??/*{SUFFIX}"):
            if path.name.startswith(PART) or len(path.stem) != DIGITS:
                path.unlink(missing_ok=True)
                continue
            facts = path.stat()
            found.append((facts.st_mtime_ns, path.stem, facts.st_size))
        for _, key, size in sorted(found):
            self._sizes[key] = size
            self._bytes += size
        self._drop()
