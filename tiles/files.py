"""Files that are whole or absent: atomic writes, JSON and CSV; fingerprints, free space."""

import csv
import errno
import glob
import hashlib
import json
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from configs.errors import ResourceError, TubanError

__all__ = [
    "Fences",
    "atomic_path",
    "companions",
    "fenced",
    "fences",
    "fingerprint",
    "free_bytes",
    "fsync_folder",
    "require_free",
    "sha256",
    "told_full",
    "write_csv_rows",
    "write_json",
]

PART_MARK = ".part-"

LEAST_FREE = 64 << 10
"""A disk with fewer free bytes is full: what fails to be written there failed for that."""

Fences = Mapping[Path, Callable[[], None]]
"""What raises, by folder, where this process may no longer write below it; can be pickled."""

_process_fences: dict[Path, Callable[[], None]] = {}
_thread = threading.local()

TELLING = (".rpb", ".rpc", ".txt", ".xml", ".hdr", ".tfw", ".wld", ".j2w", ".prj")
"""Suffixes of files that say how an image is to be read."""


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; rename it to `target` when the block succeeds.

    The file is flushed to disk before the rename, so that a reader sees the old file or the
    whole new one. On error the temporary file is removed and `target` stays as it was. Where a
    fence stands around the folder, it is asked before the rename.

    Parameters
    ----------
    target : Path
        Final path; its folder is made when missing. The temporary name keeps the suffix.

    Yields
    ------
    Path
        Where to write.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{PART_MARK}{uuid.uuid4().hex[:8]}-{target.name}")
    try:
        with told_full(target):
            yield part
            with part.open("rb+") as handle:
                os.fsync(handle.fileno())
            _require_inside(target)
            part.replace(target)
            fsync_folder(target.parent)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, FileNotFoundError):
            _require_inside(target)  # whoever took the folder over removed what was unfinished
        raise


def write_json(path: Path, value: Any, *, plain: Callable[[Any], Any] | None = None) -> None:
    """Write a value as JSON for programs and people: UTF-8, a line per entry, put in place whole.

    Parameters
    ----------
    path : Path
    value : any
    plain : callable, optional
        Makes what JSON lacks into what it has, such as `str`; by default such a value is refused.
    """
    with atomic_path(path) as part:
        text = json.dumps(value, indent=1, ensure_ascii=False, default=plain)
        part.write_text(text + "\n", encoding="utf-8")


def write_csv_rows(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows, heads first, as CSV that any spreadsheet opens, put in place whole.

    UTF-8 with byte order mark; lines end with CR LF (RFC 4180).
    """
    with atomic_path(path) as part, part.open("w", encoding="utf-8-sig", newline="") as handle:
        csv.writer(handle).writerows(rows)


@contextmanager
def fenced(around: Fences, *, thread: bool = False) -> Iterator[None]:
    """Let `atomic_path` ask, before it puts a file in place, whether it still may.

    Parameters
    ----------
    around : mapping of Path to callable
        What raises where a folder belongs to somebody else by now.
    thread : bool
        For this thread alone, as on a worker that serves several runs.
    """
    if thread:
        before = getattr(_thread, "fences", {})
        _thread.fences = {**before, **around}
    else:
        _process_fences.update(around)
    try:
        yield
    finally:
        if thread:
            _thread.fences = before
        else:
            for folder in around:
                _process_fences.pop(folder, None)


def fences() -> Fences:
    """Return the fences that stand in this process, to be set up again on its workers."""
    return dict(_process_fences)


def _require_inside(target: Path) -> None:
    around = {**_process_fences, **getattr(_thread, "fences", {})}
    for folder in target.parent.resolve().joinpath("_").parents if around else ():
        if folder in around:
            around[folder]()


@contextmanager
def told_full(target: Path) -> Iterator[None]:
    """Say so where writing fails for want of room, whichever library writes.

    Raises
    ------
    ResourceError
        Instead of an error that comes of a full disk or an exhausted quota.
    """
    try:
        yield
    except TubanError:
        raise
    except Exception as error:
        if not _is_full(error, target):
            raise
        raise ResourceError(
            "no space left on the disk",
            str(target),
            "free some space or choose another --out folder, then run the same command again: "
            "it goes on from here",
        ) from error


def _is_full(error: BaseException | None, target: Path) -> bool:
    """Tell a full disk; libraries in C say it in words, or only that they cannot write."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "No space left" in str(error) or "disk is full" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return free_bytes(target.parent) < LEAST_FREE


def fsync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def fingerprint(path: Path) -> str:
    """Return a fingerprint of a file or of all files below a folder.

    Files up to 64 MiB are hashed whole; of larger ones the size and 64 evenly spaced blocks of
    256 KiB are hashed, which notices every change of practice at the cost of 16 MiB of reading.

    Parameters
    ----------
    path : Path
        File or folder.

    Returns
    -------
    str
        32 hex digits.

    Raises
    ------
    OSError
        If a file cannot be read; it names the file.
    """
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        size = file.stat().st_size
        digest.update(f"{file.name if file == path else file.relative_to(path)}:{size}\n".encode())
        try:
            _add_content(digest, file, size)
        except OSError as error:
            error.filename = error.filename or str(file)
            raise
    return digest.hexdigest()[:32]


def _add_content(digest: "hashlib._Hash", file: Path, size: int) -> None:
    with file.open("rb") as handle:
        if size <= 64 << 20:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
            return
        for step in range(64):
            handle.seek((size - (1 << 18)) * step // 63)
            digest.update(handle.read(1 << 18))


def companions(path: Path) -> list[Path]:
    """Return the small files that tell something about an image file, sorted.

    These are polynomials, metadata and headers of the same stem, and the assets that a STAC item
    names.

    Parameters
    ----------
    path : Path
        A folder has none: its files are its own.
    """
    if not path.is_file():
        return []
    if path.suffix.lower() in (".json", ".geojson"):
        try:
            assets = json.loads(path.read_text(encoding="utf-8")).get("assets", {}).values()
            named = [path.parent / str(a["href"]).removeprefix("file://") for a in assets]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return []
        return sorted(p for p in named if p.is_file())
    beside = (p for p in path.parent.glob(f"{glob.escape(path.stem)}*") if p != path)
    return sorted(p for p in beside if p.suffix.lower() in TELLING and p.is_file())


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk that holds `folder` (or its nearest existing parent)."""
    probe = folder.resolve()
    while not probe.exists():
        probe = probe.parent
    return shutil.disk_usage(probe).free


def require_free(folder: Path, needed: int) -> None:
    """Raise `ResourceError` unless `needed` bytes are free where `folder` lies."""
    free = free_bytes(folder)
    if free < needed:
        raise ResourceError(
            f"{needed / 1e6:.1f} MB are needed and {free / 1e6:.1f} MB are free",
            str(folder),
            "free some space or choose another --out folder",
        )
