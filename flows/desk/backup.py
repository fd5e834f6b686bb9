"""``tuban desk backup``: store and files of a desk, consistent while it is served, checksummed."""

import datetime as dt
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.errors import ResourceError
from tiles.files import fsync_folder, sha256, told_full

if TYPE_CHECKING:
    from clues.store.dumping import Dump
    from flows.desk.place import DeskPlace

__all__ = ["FILES", "FORMAT", "MANIFEST", "ROWS", "Backup", "back_up"]

MANIFEST, ROWS, FILES = "manifest.json", "rows", "files"
FORMAT = 1
LEFT_OUT = ("cache",)
"""Folders of a desk that can be made again."""

KEYS = "keys"
"""Folder of signing keys: who holds a backup must not be able to sign in the name of the desk."""

IMAGES = "images"
UNFINISHED = (".part-", ".new-")
BUFFER = 1 << 20


@dataclass(frozen=True)
class Backup:
    """A backup that was written.

    Attributes
    ----------
    folder : Path
    rows, files : int
    digest : str
        SHA-256 of its manifest, which holds those of all parts.
    """

    folder: Path
    rows: int
    files: int
    digest: str


def back_up(
    place: "DeskPlace", target: Path, *, images: bool = True, now: dt.datetime | None = None
) -> Backup:
    """Write a backup into a new folder below `target`; it is whole or not there.

    First the rows as they are at one moment, then the files: a file is always there before a row
    names it, and none is ever changed.

    Raises
    ------
    InputError
        If there is no store.
    ResourceError
        If the backup cannot be written, or a file that a row names is not there.
    """
    from clues.store.dumping import dump_store

    moment = now or dt.datetime.now(dt.UTC)
    folder = target / f"tuban-desk-{moment:%Y%m%dT%H%M%SZ}"
    if folder.exists():
        raise ResourceError("the backup is there already", str(folder), "wait a second")
    part = target / f".part-{folder.name}"
    shutil.rmtree(part, ignore_errors=True)
    store = place.open()
    try:
        with told_full(folder):
            (part / ROWS).mkdir(parents=True)
            dump = dump_store(store, part / ROWS)
            files = _copied(place.files, part / FILES, images=images)
            _require_named(store, files, images=images)
            digest = _write_manifest(part, dump, files, moment, images=images)
            part.rename(folder)
            fsync_folder(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    finally:
        store.close()
    return Backup(folder, sum(t.rows for t in dump.tables.values()), len(files), digest)


def _copied(source: Path, target: Path, *, images: bool) -> dict[str, dict[str, Any]]:
    """Copy the files of a desk; return size and SHA-256 of each copy."""
    found = {}
    for path in _kept(source, images=images):
        name = path.relative_to(source).as_posix()
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            found[name] = _copy(path, copy)
        except FileNotFoundError:  # an image that `desk add` replaced meanwhile
            copy.unlink(missing_ok=True)
    return found


def _kept(source: Path, *, images: bool) -> Iterator[Path]:
    skipped = {*LEFT_OUT, KEYS, *(() if images else (IMAGES,))}
    for path in sorted(source.rglob("*")):
        parts = path.relative_to(source).parts
        if path.is_symlink() or not path.is_file() or parts[0] in skipped:
            continue
        if not path.name.startswith(UNFINISHED):
            yield path


def _copy(source: Path, target: Path) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reading, target.open("wb") as writing:
        while block := reading.read(BUFFER):
            digest.update(block)
            size += len(block)
            writing.write(block)
        writing.flush()
        os.fsync(writing.fileno())
    return {"bytes": size, "sha256": digest.hexdigest()}


def _require_named(store: Any, files: dict[str, dict[str, Any]], *, images: bool) -> None:
    """Raise where a display image that the store names was not copied."""
    from clues.store.images import images as listed

    if not images:
        return
    with store.engine.connect() as connection:
        rows = listed(connection)
    for row in rows:
        if files.get(row.path, {}).get("sha256") != row.fingerprint:
            raise ResourceError(
                f"the image {row.image_id} is not there, or was replaced meanwhile",
                row.path,
                "repeat the backup; if it stays, bring the run in again with `tuban desk add`",
            )


def _write_manifest(
    part: Path,
    dump: "Dump",
    files: dict[str, dict[str, Any]],
    moment: dt.datetime,
    *,
    images: bool,
) -> str:
    tables = {
        name: {
            "rows": told.rows,
            "sha256": told.sha256,
            "columns": dump.columns[name],
            "file_sha256": sha256(part / ROWS / f"{name}.jsonl.gz"),
        }
        for name, told in dump.tables.items()
    }
    told = {
        "format": FORMAT,
        "kind": "tuban desk backup",
        "tuban": version("tuban"),
        "at": moment.isoformat(timespec="seconds"),
        "revision": dump.revision,
        "images": images,
        "tables": tables,
        "files": files,
    }
    data = (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()
    path = part / MANIFEST
    with path.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    return hashlib.sha256(data).hexdigest()
