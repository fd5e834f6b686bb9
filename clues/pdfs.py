"""Scans as PDF: whether anything in them acts, also where it is written in disguise.

Names may be written with codes (``/J#61vaScript``), and objects may be packed into streams
(``/ObjStm``). Codes are read, packed objects are unpacked piece by piece.
"""

import re
import zlib
from collections.abc import Iterator

__all__ = ["UNREADABLE", "acting_word"]

UNREADABLE = "?"
"""Told of a PDF that cannot be looked into: encrypted, or packed in a rare way or too much."""

ACTS = re.compile(
    rb"/(JavaScript|Launch|EmbeddedFiles?|RichMedia|Rendition|XFA|SubmitForm|ImportData|GoToE"
    rb"|JS(?=\s*[(<]))\b"
)
ENCRYPTED = re.compile(rb"/Encrypt\b")
PACKED = re.compile(rb"/ObjStm\b")
RARE = re.compile(rb"/(ASCIIHexDecode|ASCII85Decode|LZWDecode|RunLengthDecode|Crypt)\b")
CODE = re.compile(rb"#([0-9A-Fa-f]{2})")
STREAM = re.compile(rb"\bstream\r?\n")

LONGEST = 64
"""Bytes of a name with all its codes: pieces overlap by so many."""

STEP, PIECE = 1 << 16, 1 << 20
MOST_UNPACKED, MOST_STREAMS = 512 << 20, 50_000


def acting_word(data: bytes) -> str:
    """Return the first name in a PDF that acts; `UNREADABLE` where nobody can tell; else "".

    Examples
    --------
    >>> acting_word(b"%PDF-1.4 1 0 obj<</S/J#61vaScript>>endobj")
    'JavaScript'
    """
    plain = _named(data)
    if found := ACTS.search(plain):
        return found.group(1).decode()
    packed = PACKED.search(plain)
    if ENCRYPTED.search(plain) or (packed and RARE.search(plain)):
        return UNREADABLE
    return _packed_word(data) if packed else ""


def _packed_word(data: bytes) -> str:
    left = MOST_UNPACKED
    for count, start in enumerate(STREAM.finditer(data)):
        for piece in _unpacked(data, start.end()):
            left -= len(piece)
            if found := ACTS.search(_named(piece)):
                return found.group(1).decode()
            if left < 0:
                return UNREADABLE
        if count == MOST_STREAMS:
            return UNREADABLE
    return ""


def _named(data: bytes) -> bytes:
    """Return bytes with the codes of names read."""
    return CODE.sub(lambda code: bytes([int(code.group(1), 16)]), data)


def _unpacked(data: bytes, start: int) -> Iterator[bytes]:
    """Yield what is packed from a place on, in pieces that overlap; nothing where nothing is."""
    inflating, before = zlib.decompressobj(), b""
    for at in range(start, len(data), STEP):
        waiting = data[at : at + STEP]
        while waiting:
            try:
                piece = inflating.decompress(waiting, PIECE)
            except zlib.error:
                return
            yield before + piece
            before = (before + piece)[-LONGEST:]
            waiting = inflating.unconsumed_tail
        if inflating.eof:
            return
