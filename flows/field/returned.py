"""What came back from the field: files of a folder or zip, before anything in them is believed."""

import stat
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from clues.outputs.fieldreadme import README_NAMES
from clues.photos import MAX_BYTES, FileRefused, is_photo_name
from configs.errors import InputError
from configs.told import Told
from tiles.archives import left_by_system, safe_entries

__all__ = ["Returned", "left_over", "opened", "photo_bytes"]

MAX_FILES = 20_000
MAX_TOTAL = 20 << 30
OWN_NAMES = frozenset({"before.tif", "after.tif", *README_NAMES.values()})
OWN_SUFFIXES = (".qgz", ".qgs", ".pdf", ".kmz", ".gpkg-wal", ".gpkg-shm", ".gpkg-journal")
NOT_READ = Told(
    "未读取：只收 JPEG、PNG 照片和核查登记卡",
    "not read: only JPEG and PNG photos and check cards are",
)


@dataclass(frozen=True)
class Returned:
    """A file that came back: its path in the package and how to read it."""

    name: str
    size: int
    read: Any


@contextmanager
def opened(source: Path) -> Iterator[list[Returned]]:
    """Give the files of a folder or zip, sorted by name, after looking through them."""
    if source.is_dir():
        yield _in_folder(source)
    elif source.is_file():
        entries = safe_entries(source, most_bytes=MAX_TOTAL, most_files=MAX_FILES, by_hand=True)
        with zipfile.ZipFile(source) as archive:
            yield [
                Returned(e.filename, e.file_size, partial(_read_entry, archive, e))
                for e in sorted(entries, key=lambda e: e.filename)
                if not e.is_dir()
            ]
    else:
        raise InputError("it does not exist", str(source), "give a folder or a zip")


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(entry) as handle:
            data = handle.read(entry.file_size + 1)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
        raise FileRefused(
            Told("压缩包中该文件已损坏", f"the entry is damaged ({error})"),
            entry.filename,
            "pack it anew",
        ) from None
    if len(data) != entry.file_size:
        told = Told("文件大小与压缩包目录不符", "the entry is larger than it says")
        raise FileRefused(told, entry.filename, "pack it anew")
    return data


def _in_folder(source: Path) -> list[Returned]:
    found = []
    for path in sorted(source.rglob("*")):
        info = path.lstat()
        name = path.relative_to(source).as_posix()
        if stat.S_ISREG(info.st_mode) and not left_by_system(name):
            found.append(Returned(name, info.st_size, path.read_bytes))
        if len(found) > MAX_FILES:
            raise InputError(f"more than {MAX_FILES} files", str(source), "hand in fewer at a time")
    return found


def photo_bytes(file: Returned) -> bytes:
    """Return the bytes of a photo; those of one that is too large are not read."""
    if file.size > MAX_BYTES:
        told = Told(f"照片有 {file.size >> 20} MB", f"the photo has {file.size >> 20} MB")
        raise FileRefused(told, file.name, f"at most {MAX_BYTES >> 20} MB")
    return bytes(file.read())


def left_over(returned: Sequence[Returned]) -> list[tuple[str, Told]]:
    """Return the files that nobody reads and that did not go out with the package, and why.

    Parameters
    ----------
    returned : sequence of Returned
    """
    stems = [f.name[: -len(".gpkg")] for f in returned if f.name.lower().endswith(".gpkg")]
    own = {stem + suffix for stem in stems for suffix in (*OWN_SUFFIXES, ".qgz~", ".qgs~")}
    for stem in stems:
        folder = stem.rpartition("/")[0]
        own |= {f"{folder}/{name}".lstrip("/") for name in OWN_NAMES}
    own |= {f"{name}.aux.xml" for name in own}
    return [
        (f.name, NOT_READ)
        for f in returned
        if f.name not in own and not f.name.lower().endswith(".gpkg") and not is_photo_name(f.name)
    ]
