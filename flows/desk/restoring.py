"""``tuban desk restore``: a backup into an empty place, and every checksum compared."""

import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from configs.errors import InputError
from flows.desk.backup import FILES, FORMAT, MANIFEST, ROWS
from tiles.files import sha256, told_full

if TYPE_CHECKING:
    from clues.store.dumping import Dump
    from flows.desk.place import DeskPlace

__all__ = ["Restored", "restore_backup"]

FIX = "use another backup"


@dataclass(frozen=True)
class Restored:
    """A desk that was restored."""

    store: str
    rows: int
    files: int


def restore_backup(source: Path, place: "DeskPlace") -> Restored:
    """Restore a backup; the place must be empty, and stays so if anything is wrong.

    Parameters
    ----------
    source : Path
        Folder that `flows.desk.backup.back_up` wrote, of either kind of store.
    place : DeskPlace

    Raises
    ------
    InputError
        If the backup is not whole, or files are in the way.
    StoreError
        If the store is not empty.
    """
    manifest = _manifest(source)
    dump = _dump(manifest)
    _require_whole(source, manifest)
    _require_empty(place)
    part = place.files.with_name(f".part-{uuid.uuid4().hex[:8]}-{place.files.name}")
    try:
        with told_full(place.files):
            part.mkdir(parents=True)
            for name in manifest["files"]:
                (part / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / FILES / name, part / name)
            where = _restore_rows(source / ROWS, dump, place)
            if place.files.is_dir():
                place.files.rmdir()
            part.rename(place.files)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return Restored(where, sum(t.rows for t in dump.tables.values()), len(manifest["files"]))


def _restore_rows(rows: Path, dump: "Dump", place: "DeskPlace") -> str:
    """Enter the rows; a SQLite file appears when it is whole."""
    from clues.store.repository import Store
    from clues.store.restoring import enter_dump, require_empty, require_same_rows

    path = None if "://" in place.store else Path(place.store)
    part = path and path.with_name(f".part-{uuid.uuid4().hex[:8]}-{path.name}")
    if part is not None:
        part.parent.mkdir(parents=True, exist_ok=True)
    store = Store(place.store if part is None else f"sqlite:///{part}")
    try:
        require_empty(store)
        enter_dump(store, dump, rows)
        require_same_rows(store, dump)
        store.migrate(keep=False)  # the backup is kept
        where = store.place if path is None else str(path)
    except BaseException:
        store.engine.dispose()
        _remove(part)
        raise
    store.close()
    if part is not None and path is not None:
        part.rename(path)
    return where


def _remove(part: Path | None) -> None:
    if part is not None:
        for end in ("", "-wal", "-shm"):
            part.with_name(part.name + end).unlink(missing_ok=True)


def _manifest(source: Path) -> dict[str, Any]:
    path = source / MANIFEST
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        known = told["kind"] == "tuban desk backup" and told["format"] == FORMAT
        names = [*told["files"], *(f"{name}.jsonl.gz" for name in told["tables"])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the folder holds no backup of a desk ({type(error).__name__})", str(path), FIX
        ) from error
    if not known:
        raise InputError(
            "the backup is of another kind or version", str(path), "use the tuban that wrote it"
        )
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
            raise InputError(f"the backup names a file elsewhere: {name}", str(path), FIX)
    return dict(told)


def _dump(manifest: dict[str, Any]) -> "Dump":
    from clues.store.dumping import Dump, TableSum

    tables = manifest["tables"]
    return Dump(
        manifest["revision"],
        {name: TableSum(int(t["rows"]), str(t["sha256"])) for name, t in tables.items()},
        {name: [(str(n), str(k)) for n, k in t["columns"]] for name, t in tables.items()},
    )


def _require_whole(source: Path, manifest: dict[str, Any]) -> None:
    """Raise `InputError` naming the first part that is gone or has another checksum."""
    wanted = {f"{FILES}/{name}": told["sha256"] for name, told in manifest["files"].items()}
    wanted |= {
        f"{ROWS}/{name}.jsonl.gz": told["file_sha256"] for name, told in manifest["tables"].items()
    }
    for name, digest in wanted.items():
        path = source / name
        if path.is_symlink() or not path.is_file():
            raise InputError("a part of the backup is gone", str(path), FIX)
        if sha256(path) != digest:
            raise InputError("a part of the backup was altered", str(path), FIX)


def _require_empty(place: "DeskPlace") -> None:
    if "://" not in place.store and Path(place.store).exists():
        raise InputError("the store is there already", place.store, "name a new file with --store")
    files = place.files
    if files.exists() and (not files.is_dir() or any(files.iterdir())):
        raise InputError(
            "the folder for the files of the desk is not empty",
            str(files),
            "name a new folder with --files",
        )
