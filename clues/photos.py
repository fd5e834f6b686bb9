"""Photos from the field: what they are, whether they may be opened, where and when they were taken.

A photo comes from outside: its type is told by its bytes, its size and pixels are bounded before
anything is decoded, and no library sees its metadata.
"""

import hashlib
import io
import struct
import warnings
import zipfile
from dataclasses import dataclass

from clues.exif import ExifFacts, read_exif
from configs.errors import InputError
from configs.told import Told

__all__ = [
    "MAX_BYTES",
    "PHOTO_SUFFIXES",
    "SCRIPTS",
    "FileRefused",
    "Photo",
    "is_photo_name",
    "read_photo",
    "thumbnail",
]

MAX_BYTES = 60 << 20
MAX_PIXELS = 120_000_000
MAX_SCANS = 64
"""Scans of a progressive JPEG: each costs as much as the picture."""

PHOTO_SUFFIXES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png"}
UNREAD_SUFFIXES = ("heic", "heif", "dng", "webp", "avif", "gif", "bmp")
KEPT_SEGMENTS = frozenset({0xDB, 0xC4, 0xDD, 0xEE, *range(0xC0, 0xD0)} - {0xC8, 0xCC})
"""JPEG segments that decoding needs: tables, frames, restart interval, Adobe colours."""

FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SCRIPTS = (b"<script", b"<?php", b"<!doctype html", b"<html", b"<svg")
PNG_HEAD = b"\x89PNG\r\n\x1a\n"


class FileRefused(InputError):
    """A file that came back is not taken.

    Parameters
    ----------
    told : Told
        Why, in both languages.
    where, fix : str
    """

    def __init__(self, told: Told, where: str, fix: str) -> None:
        super().__init__(told.en, where, fix)
        self.told = told


@dataclass(frozen=True)
class Photo:
    """A photo that may be kept.

    Attributes
    ----------
    name : str
        As it was delivered.
    sha256 : str
        Of its bytes.
    media_type : str
    width, height : int
        Pixels as stored, before it is turned.
    facts : ExifFacts
    """

    name: str
    sha256: str
    media_type: str
    size: int
    width: int
    height: int
    facts: ExifFacts

    @property
    def file_name(self) -> str:
        """Name under which it is kept: its hash."""
        return f"{self.sha256}.{'png' if self.media_type == 'image/png' else 'jpg'}"


def is_photo_name(name: str) -> bool:
    """Tell whether a name is that of a picture, readable here or not."""
    return _suffix(name) in (*PHOTO_SUFFIXES, *UNREAD_SUFFIXES)


def read_photo(data: bytes, name: str) -> Photo:
    """Check a photo and read what it tells.

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str
        Its name; the suffix must say what the bytes are.

    Raises
    ------
    FileRefused
        If it is too large, no JPEG or PNG, something else besides, or cannot be decoded.
    """
    if len(data) > MAX_BYTES:
        told = Told(f"照片有 {len(data) >> 20} MB", f"the photo has {len(data) >> 20} MB")
        raise FileRefused(told, name, f"at most {MAX_BYTES >> 20} MB")
    kind = _kind(data, name)
    _refuse_two_things(data, name)
    frame = _jpeg(data, name) if kind == "image/jpeg" else _png(data, name)
    if not 0 < frame.width * frame.height <= MAX_PIXELS:
        size = f"{frame.width} × {frame.height}"
        raise FileRefused(
            Told(f"照片有 {size} 像素，过大或为空", f"the photo has {size} pixels"),
            name,
            f"photos of up to {MAX_PIXELS // 10**6} million pixels are taken",
        )
    photo = Photo(
        name,
        hashlib.sha256(data).hexdigest(),
        kind,
        len(data),
        frame.width,
        frame.height,
        read_exif(frame.exif),
    )
    thumbnail(data, photo, 64)
    return photo


def thumbnail(data: bytes, photo: Photo, side: int, quality: int = 80) -> bytes:
    """Return an upright JPEG without metadata, its longer side at most `side` pixels.

    Raises
    ------
    FileRefused
        If the picture cannot be decoded.
    """
    from PIL import Image

    frame = _jpeg(data, photo.name) if photo.media_type == "image/jpeg" else _png(data, photo.name)
    turns = {2: (0,), 3: (3,), 4: (1,), 5: (5,), 6: (4,), 7: (6,), 8: (2,)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the number of pixels is bounded above
            with Image.open(io.BytesIO(frame.picture), formats=["JPEG", "PNG"]) as image:
                if image.format == "JPEG":
                    image.draft("RGB", (2 * side, 2 * side))
                small = image.convert("RGB")
                small.thumbnail((side, side))
        for turn in turns.get(photo.facts.orientation, ()):
            small = small.transpose(Image.Transpose(turn))
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, MemoryError) as error:
        why = f"the picture cannot be decoded ({type(error).__name__})"
        raise FileRefused(
            Told("图像无法解码", why),
            photo.name,
            "copy the photo from the phone again",
        ) from error
    out = io.BytesIO()
    small.save(out, "JPEG", quality=quality)
    return out.getvalue()


@dataclass(frozen=True)
class _Frame:
    """The picture without metadata, its size, and the first EXIF segment."""

    picture: bytes
    width: int
    height: int
    exif: bytes = b""


def _kind(data: bytes, name: str) -> str:
    told, found = PHOTO_SUFFIXES.get(_suffix(name)), None
    if data[:3] == b"\xff\xd8\xff":
        found = "image/jpeg"
    elif data[:8] == PNG_HEAD:
        found = "image/png"
    if data[4:8] == b"ftyp" or _suffix(name) in ("heic", "heif"):
        told_heic = Told("照片为 HEIC 格式，无法读取", "the photo is in HEIC, which is not read")
        raise FileRefused(told_heic, name, "let the phone save photos as JPEG")
    if found is None:
        neither = Told("文件不是 JPEG，也不是 PNG", "the file is no JPEG and no PNG")
        raise FileRefused(neither, name, "hand in the photos as JPEG")
    if told != found:
        suffix = _suffix(name)
        raise FileRefused(
            Told(
                f"扩展名为 .{suffix}，内容却是 {found}",
                f"the name says .{suffix}, the bytes are {found}",
            ),
            name,
            "hand in the file as the camera wrote it",
        )
    return found


def _refuse_two_things(data: bytes, name: str) -> None:
    """Refuse files that another program would open as something else."""
    lowered = data[:65536].lower()
    other = Told("PDF", "a PDF") if b"%PDF-" in data[:1024] else None
    if other is None and any(s in lowered for s in SCRIPTS):
        other = Told("带脚本的网页", "a page with scripts")
    if other is None and zipfile.is_zipfile(io.BytesIO(data)):
        other = Told("压缩包", "an archive")
    if other is not None:
        told = Told(f"照片同时又是{other.zh}", f"the photo is {other.en} as well")
        raise FileRefused(told, name, "hand in the file as the camera wrote it")


def _jpeg(data: bytes, name: str) -> _Frame:
    """Walk the segments up to the first scan; keep what decoding needs."""
    kept, at, exif, size = [b"\xff\xd8"], 2, b"", (0, 0)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        length = struct.unpack_from(">H", data, at + 2)[0]
        segment = data[at : at + 2 + length]
        if length < 2 or len(segment) < 2 + length:
            break
        if marker in FRAMES and length >= 8:
            size = struct.unpack_from(">HH", segment, 5)[::-1]
        if marker == 0xE1 and segment[4:10] == b"Exif\0\0" and not exif:
            exif = segment[10:]
        if marker == 0xDA:
            if data.count(b"\xff\xda", at) > MAX_SCANS:
                many = Told("JPEG 扫描次数过多", "the photo has too many scans")
                raise FileRefused(many, name, "save it as a plain JPEG")
            return _Frame(b"".join([*kept, data[at:]]), *size, exif)
        if marker in KEPT_SEGMENTS:
            kept.append(segment)
        at += 2 + length
    empty = Told("JPEG 中没有图像", "the JPEG has no picture")
    raise FileRefused(empty, name, "copy the photo from the phone again")


def _png(data: bytes, name: str) -> _Frame:
    """Walk the chunks; keep those of the picture."""
    kept, at, exif, size = [PNG_HEAD], 8, b"", (0, 0)
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        chunk, kind = data[at : at + 12 + length], data[at + 4 : at + 8]
        if len(chunk) < 12 + length:
            break
        if kind == b"IHDR" and length == 13:
            size = struct.unpack_from(">II", chunk, 8)
        if kind == b"eXIf" and not exif:
            exif = chunk[8:-4][:65536]
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(chunk)
        if kind == b"IEND":
            return _Frame(b"".join(kept), *size, exif)
        at += 12 + length
    cut = Told("PNG 不完整", "the PNG is not whole")
    raise FileRefused(cut, name, "copy the photo from the phone again")


def _suffix(name: str) -> str:
    return name.rsplit(".", 1)[-1].lower() if "." in name else ""
