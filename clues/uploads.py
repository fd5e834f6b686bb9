"""Files that people send to the desk: photos and scans, told by their bytes, re-checked whole.

JPEG and PNG are taken as `clues.photos` takes them. A scan is a PDF without anything that acts: it
begins and ends as one, is nothing else besides, and names no script, launch or embedded file
(`clues.pdfs`).
"""

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from typing import Any

from clues.exif import ExifFacts
from clues.pdfs import UNREADABLE, acting_word
from clues.photos import SCRIPTS, FileRefused, read_photo
from configs.told import Told

__all__ = ["MAX_SCAN", "Upload", "check_upload"]

MAX_SCAN = 40 << 20
ENDS_WITHIN = 2048
NAME_LENGTH = 200

OTHER_HEADS = (b"\x89PNG", b"GIF8", b"PK\x03\x04", b"Rar!", b"\x7fELF")


@dataclass(frozen=True)
class Upload:
    """A file that may be kept.

    Attributes
    ----------
    name : str
        As it was sent, without folders and signs that a terminal or page acts on.
    facts : dict
        What a photo tells: position, accuracy, azimuth, moment, camera, size in pixels.
    """

    name: str
    sha256: str
    media_type: str
    size: int
    facts: dict[str, Any] = field(default_factory=dict)


def check_upload(data: bytes, name: str) -> Upload:
    """Check a file.

    Raises
    ------
    FileRefused
        If it is no JPEG, PNG or PDF, something else besides, too large or broken.
    """
    plain = _plain(name)
    if not data:
        raise FileRefused(Told("文件为空", "the file is empty"), plain, "send it again")
    if data[:5] == b"%PDF-":
        return _scan(data, plain)
    if data.lstrip()[:1] == b"<" or any(s in data[:65536].lower() for s in SCRIPTS):
        told = Told("文件是网页或带脚本的图形", "the file is a page or a drawing with scripts")
        raise FileRefused(told, plain, "send JPEG, PNG or PDF")
    photo = read_photo(data, plain)
    facts = {"width": photo.width, "height": photo.height} | _told(photo.facts)
    return Upload(plain, photo.sha256, photo.media_type, photo.size, facts)


def _scan(data: bytes, name: str) -> Upload:
    if len(data) > MAX_SCAN:
        told = Told(f"PDF 有 {len(data) >> 20} MB", f"the PDF has {len(data) >> 20} MB")
        raise FileRefused(told, name, f"at most {MAX_SCAN >> 20} MB")
    if not name.lower().endswith(".pdf"):
        told = Told(
            "扩展名与内容不符：内容为 PDF", "the name does not say that the bytes are a PDF"
        )
        raise FileRefused(told, name, "send the file under its own name")
    if b"%%EOF" not in data[-ENDS_WITHIN:]:
        raise FileRefused(Told("PDF 不完整", "the PDF is not whole"), name, "send it again")
    lowered = data.lower()
    twofold = any(s in lowered for s in (b"<script", b"<?php", b"<!doctype html", b"<html"))
    if (
        twofold
        or zipfile.is_zipfile(io.BytesIO(data))
        or any(h in data[:1024] for h in OTHER_HEADS)
    ):
        told = Told("PDF 同时又是别的文件", "the PDF is something else as well")
        raise FileRefused(told, name, "scan the document again")
    word = acting_word(data)
    if word == UNREADABLE:
        told = Told("PDF 已加密或无法拆读", "the PDF is encrypted or packed beyond reading")
        raise FileRefused(told, name, "print it to a plain PDF, or scan it")
    if word:
        told = Told(f"PDF 含有可执行内容（{word}）", f"the PDF holds something that acts ({word})")
        raise FileRefused(told, name, "print it to a plain PDF, or scan it")
    return Upload(name, hashlib.sha256(data).hexdigest(), "application/pdf", len(data))


def _plain(name: str) -> str:
    """Return the last part of a name, without control and direction signs."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(c for c in last if c.isprintable() and c not in '"<>|:*?')
    stem, dot, suffix = kept.rpartition(".")
    return f"{stem[: NAME_LENGTH - len(suffix) - 1]}{dot}{suffix}"[-NAME_LENGTH:] or "file"


def _told(facts: ExifFacts) -> dict[str, Any]:
    """Return what a photo tells of where and when it was taken, as plain values."""
    lon, lat = facts.lonlat or (None, None)
    found = {
        "lon": lon,
        "lat": lat,
        "accuracy_m": facts.accuracy_m,
        "azimuth": facts.azimuth,
        "taken": None if facts.taken is None else facts.taken.isoformat(timespec="seconds"),
        "camera": facts.camera or None,
    }
    told: dict[str, Any] = {k: v for k, v in found.items() if v is not None}
    if facts.azimuth is not None and facts.magnetic:
        told["magnetic"] = True
    if facts.lonlat is not None and not facts.fixed:
        told["fixed"] = False
    return told
