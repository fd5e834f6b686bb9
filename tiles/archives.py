"""Zip archives of strangers: looked through before anything in them is opened or unpacked."""

import stat
import unicodedata
import zipfile
from pathlib import Path
from typing import IO
from xml.parsers import expat

from configs.errors import InputError

__all__ = ["left_by_system", "require_plain_xml", "safe_entries"]

MOST_BYTES = 1 << 30
MOST_FILES = 20_000
MOST_RATIO = 200
"""Unpacked bytes to packed ones; what people write stays far below."""
SMALL = 1 << 20
"""An entry up to this size may be packed as tightly as it likes."""
BLOCK = 1 << 14
SYSTEM_NAMES = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def safe_entries(
    path: Path,
    *,
    most_bytes: int = MOST_BYTES,
    most_files: int = MOST_FILES,
    fix: str = "ask for the file again, or pack it anew with an ordinary program",
    by_hand: bool = False,
) -> list[zipfile.ZipInfo]:
    """Return the entries of a zip archive; refuse one that is damaged or made to do harm.

    Refused are: names that leave the folder, names that stand there twice (also where a file
    system takes upper and lower case for one), links, encrypted and unusually packed entries, too
    many or too large ones, and entries that unpack to far more than they are.

    Parameters
    ----------
    path : Path
    most_bytes, most_files : int
        Limits on all entries together, unpacked, and on their number.
    fix : str
        What the reader can do about it.
    by_hand : bool
        Packed by people on whatever they have: backslashes of Windows become slashes, and what
        systems add of themselves is left out. Both are looked through like all else.

    Raises
    ------
    InputError
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
        raise InputError(f"it is no readable zip archive ({error})", str(path), fix) from error
    if len(entries) > most_files:
        raise InputError(f"{len(entries)} entries, at most {most_files}", str(path), fix)
    seen: set[str] = set()
    for entry in entries:
        if by_hand:
            entry.filename = entry.filename.replace("\\", "/")
        fault = _fault(entry, by_hand)
        plain = unicodedata.normalize("NFC", entry.filename).casefold()
        if fault is None and plain in seen:
            fault = "its name stands there twice"
        if fault is not None:
            raise InputError(f"entry {entry.filename[:80]!r}: {fault}", str(path), fix)
        seen.add(plain)
    size = sum(entry.file_size for entry in entries)
    if size > most_bytes:
        told = f"{size / 1e6:.0f} MB unpacked, at most {most_bytes / 1e6:.0f} MB"
        raise InputError(told, str(path), fix)
    return [e for e in entries if not (by_hand and left_by_system(e.filename))]


def left_by_system(name: str) -> bool:
    """Tell whether a file is one that a desktop puts beside those of people.

    Examples
    --------
    >>> [left_by_system(n) for n in ("__MACOSX/a/._b.gpkg", "a/.DS_Store", "a/b.gpkg")]
    [True, True, False]
    """
    *folders, last = name.split("/")
    system = last.startswith("._") or last.lower() in SYSTEM_NAMES
    return system or "__MACOSX" in folders


def _fault(entry: zipfile.ZipInfo, by_hand: bool) -> str | None:
    """Return what is wrong with an entry."""
    name = entry.orig_filename
    if by_hand:
        name = name.replace("\\", "/")
    parts = name.replace("\\", "/").split("/")
    if not name or "\0" in name or "\\" in name or ":" in parts[0]:
        return "its name is no plain path"
    if name.startswith("/") or ".." in parts:
        return "its name leads out of the folder"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "it is a link"
    if entry.flag_bits & 0x1:
        return "it is encrypted"
    if entry.compress_type not in METHODS:
        return "it is packed in an unusual way"
    if entry.file_size > SMALL and entry.file_size > MOST_RATIO * max(entry.compress_size, 1):
        return f"it unpacks to {entry.file_size / 1e6:.0f} MB of next to nothing"
    return None


def require_plain_xml(part: IO[bytes], where: str, fix: str) -> None:
    """Refuse an XML text with a document type: entities could read files or fill the memory.

    Parameters
    ----------
    part : file
        Read up to its first element.
    where, fix : str
        For the message.
    """
    begun = False

    def refuse(*_: object) -> None:
        raise InputError("an XML part declares a document type", where, fix)

    def begin(*_: object) -> None:
        nonlocal begun
        begun = True

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = begin
    try:
        while not begun:
            block = part.read(BLOCK)
            parser.Parse(block, not block)
            if not block:
                return
    except expat.ExpatError as error:
        raise InputError(f"an XML part is damaged ({error})", where, fix) from error
