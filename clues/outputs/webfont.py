"""The shipped font for pages: cut down to the letters of a page, so that it can travel within it.

A page opens without network and on machines without Chinese letters, so the letters are in it; all
of the font would be 3 MB in each. Glyphs keep their numbers; those of other letters are empty. The
result is a WOFF file (W3C, WOFF File Format 1.0) with the tables that a browser asks for.
"""

import struct
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from clues.outputs.lettering import font_path, register_font

__all__ = ["woff_of"]

KEPT = ("OS/2", "gasp", "head", "hhea", "maxp", "name", "post")
"""Tables taken over as they are, but for the checksum in ``head``."""

MAGIC_SUM = 0xB1B0AFBA
ADJUSTMENT = slice(8, 12)
"""Place of the checksum of the whole in ``head``."""

HAS_WORDS, HAS_MORE, HAS_SCALE, HAS_TWO_SCALES, HAS_MATRIX = 0x1, 0x20, 0x8, 0x40, 0x80
"""Flags of the parts of a glyph that is made of others."""


def woff_of(letters: Iterable[str]) -> bytes:
    """Return the shipped font with the glyphs of some letters, as WOFF.

    Parameters
    ----------
    letters : iterable of str
        Single characters; those that the font has no glyph for are left out.

    Examples
    --------
    >>> woff_of("土地")[:4]
    b'wOFF'
    """
    glyphs = {ord(c): g for c in set(letters) if (g := _glyph_numbers().get(ord(c)))}
    wanted = np.array(sorted(_with_parts({0, *glyphs.values()})), dtype=np.int64)
    source, starts = _tables(), _starts()
    sizes = np.zeros(starts.size - 1, dtype=np.int64)
    sizes[wanted] = np.diff(starts)[wanted]
    outlines = b"".join(source["glyf"][starts[g] : starts[g + 1]] for g in wanted.tolist())
    places = np.concatenate([[0], np.cumsum(sizes)]).astype(">u4")
    tables = {name: source[name] for name in KEPT}
    tables |= {"glyf": outlines, "loca": places.tobytes(), "cmap": _cmap(glyphs)}
    tables["hmtx"] = _metrics(wanted)
    tables["head"] = _signed(tables)
    return _packed(tables)


@lru_cache(maxsize=1)
def _glyph_numbers() -> Mapping[int, int]:
    return {int(c): int(g) for c, g in register_font().face.charToGlyph.items() if c <= 0xFFFF}


@lru_cache(maxsize=1)
def _tables() -> Mapping[str, bytes]:
    data = font_path().read_bytes()
    (count,) = struct.unpack_from(">H", data, 4)
    found = {}
    for i in range(count):
        tag, _, start, size = struct.unpack_from(">4sIII", data, 12 + 16 * i)
        found[tag.decode()] = data[start : start + size]
    return found


@lru_cache(maxsize=1)
def _starts() -> NDArray[np.int64]:
    """Return where each glyph begins in ``glyf``, and where the last one ends."""
    return np.frombuffer(_tables()["loca"], ">u4").astype(np.int64)


def _with_parts(glyphs: set[int]) -> set[int]:
    """Return glyphs with those that they are made of."""
    found: set[int] = set()
    while open_ones := glyphs - found:
        found |= open_ones
        glyphs = glyphs | {part for g in open_ones for part in _parts(g)}
    return found


def _parts(glyph: int) -> list[int]:
    start, end = _starts()[glyph : glyph + 2].tolist()
    outline = _tables()["glyf"][start:end]
    if not outline or struct.unpack_from(">h", outline)[0] >= 0:
        return []
    parts, at, more = [], 10, True
    while more:
        flags, part = struct.unpack_from(">HH", outline, at)
        parts.append(part)
        at += 8 if flags & HAS_WORDS else 6
        at += 2 * bool(flags & HAS_SCALE) + 4 * bool(flags & HAS_TWO_SCALES)
        at += 8 * bool(flags & HAS_MATRIX)
        more = bool(flags & HAS_MORE)
    return parts


def _metrics(wanted: NDArray[np.int64]) -> bytes:
    """Return ``hmtx`` with the side bearings of the wanted glyphs; others are zero."""
    source = _tables()
    (long,) = struct.unpack_from(">H", source["hhea"], 34)
    words = np.frombuffer(source["hmtx"], ">u2").copy()
    keep = np.zeros(_starts().size - 1, dtype=bool)
    keep[wanted] = True
    words[1 : 2 * long : 2][~keep[:long]] = 0
    words[2 * long :][~keep[long:]] = 0
    return bytes(words.tobytes())


def _cmap(glyphs: Mapping[int, int]) -> bytes:
    """Return ``cmap`` with one table of format 4: runs of letters with consecutive glyphs."""
    codes = sorted(glyphs)
    runs: list[list[int]] = []
    for code in codes:
        if runs and code == runs[-1][1] + 1 and glyphs[code] - code == runs[-1][2]:
            runs[-1][1] = code
        else:
            runs.append([code, code, glyphs[code] - code])
    if not runs or runs[-1][1] != 0xFFFF:
        runs.append([0xFFFF, 0xFFFF, 1])
    first, last, delta = np.array(runs, dtype=np.int64).T
    count = len(runs)
    power = 1 << (count.bit_length() - 1)
    head = (4, 16 + 8 * count, 0, 2 * count, 2 * power, power.bit_length() - 1, 2 * (count - power))
    ends, starts, steps = (bytes(a.astype(">u2").tobytes()) for a in (last, first, delta & 0xFFFF))
    table = struct.pack(">7H", *head) + ends + b"\0\0" + starts + steps + bytes(2 * count)
    return struct.pack(">HHHHI", 0, 1, 3, 1, 12) + table


def _plain(tables: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return tables as their checksums are made of: without that of the whole."""
    head = bytearray(tables["head"])
    head[ADJUSTMENT] = bytes(4)
    return {**tables, "head": bytes(head)}


def _checksum(data: bytes) -> int:
    words = np.frombuffer(data + b"\0" * (-len(data) % 4), ">u4")
    return int(words.sum(dtype=np.uint64)) & 0xFFFFFFFF


def _signed(tables: Mapping[str, bytes]) -> bytes:
    """Return ``head`` with the checksum of the font that the tables make."""
    plain = _plain(tables)
    count, power = len(plain), 1 << (len(plain).bit_length() - 1)
    start = 12 + 16 * count
    lines = [
        struct.pack(
            ">IHHHH", 0x10000, count, 16 * power, power.bit_length() - 1, 16 * (count - power)
        )
    ]
    total = 0
    for name in sorted(plain):
        data = plain[name]
        lines.append(struct.pack(">4sIII", name.encode(), _checksum(data), start, len(data)))
        start += len(data) + -len(data) % 4
        total += _checksum(data)
    total = (total + _checksum(b"".join(lines))) & 0xFFFFFFFF
    head = bytearray(plain["head"])
    head[ADJUSTMENT] = struct.pack(">I", (MAGIC_SUM - total) & 0xFFFFFFFF)
    return bytes(head)


def _packed(tables: Mapping[str, bytes]) -> bytes:
    """Return tables as WOFF, each packed where that makes it smaller."""
    names, plain = sorted(tables), _plain(tables)
    start, whole = 44 + 20 * len(names), 12 + 16 * len(names)
    entries, parts = [], []
    for name in names:
        data = tables[name]
        packed = min(zlib.compress(data, 6), data, key=len)
        told = (name.encode(), start, len(packed), len(data), _checksum(plain[name]))
        entries.append(struct.pack(">4sIIII", *told))
        parts.append(packed + b"\0" * (-len(packed) % 4))
        start, whole = start + len(parts[-1]), whole + len(data) + -len(data) % 4
    head = struct.pack(
        ">4sIIHHIHHIIIII", b"wOFF", 0x10000, start, len(names), 0, whole, 1, 0, 0, 0, 0, 0, 0
    )
    return head + b"".join(entries) + b"".join(parts)
