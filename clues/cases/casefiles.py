"""Files of cases, kept under their hash: the same file once, never written over."""

import hashlib
from pathlib import Path

from tiles.files import atomic_path, sha256

__all__ = ["file_path", "keep_file"]


def file_path(folder: Path, digest: str) -> Path:
    """Return where the file of a hash lies."""
    return folder / digest[:2] / digest


def keep_file(folder: Path, data: bytes) -> str:
    """Keep a file; return its SHA-256. One that is there whole is left as it is."""
    digest = hashlib.sha256(data).hexdigest()
    path = file_path(folder, digest)
    if not (path.is_file() and sha256(path) == digest):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            part.write_bytes(data)
    return digest
