"""Files sent to the desk: what is taken, and what hostile files are refused for."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from clues import pdfs
from clues.photos import FileRefused
from clues.uploads import MAX_SCAN, check_upload

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def picture(kind: str = "JPEG", **more: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 60)).save(out, kind, **more)
    return out.getvalue()


def archive(inner: bytes = b"a") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.zip", inner)
    return out.getvalue()


def png_bomb(side: int = 60_000) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def exif_bomb() -> bytes:
    """Return a JPEG whose EXIF directory has 60,000 entries that all point to all of it."""
    entry = struct.pack("<HHII", 0x010F, 2, 60_000, 8)
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 60_000) + entry * 5000
    return picture(exif=b"Exif\0\0" + tiff)


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (picture(), "现场.jpg", "image/jpeg"),
        (picture("PNG"), "a.PNG", "image/png"),
        (PDF, "批文.pdf", "application/pdf"),
        (exif_bomb(), "bomb.jpg", "image/jpeg"),
    ],
)
def test_photos_and_scans_are_taken_by_their_bytes(data: bytes, name: str, kind: str):
    taken = check_upload(data, name)
    assert (taken.media_type, taken.size) == (kind, len(data))


def packed_pdf(inner: bytes, more: bytes = b"") -> bytes:
    """Return a PDF whose objects lie in a packed stream, as most programs write them."""
    stream = zlib.compress(inner)
    head = b"<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d%s>>" % (len(stream), more)
    return PDF.replace(
        b"trailer", b"2 0 obj" + head + b"stream\n" + stream + b"\nendstream\nendobj\ntrailer"
    )


SCRIPT = b"1 0 <</S/JavaScript/JS(app.alert(1))>>"


def test_a_scan_is_not_refused_for_chance(monkeypatch: pytest.MonkeyPatch):
    noise = np.random.default_rng(4).integers(0, 256, 6 << 20, dtype=np.uint8).tobytes()
    noise = b"\xff\xd8MZ\x1f\x8b" + noise + b"/JS\x00/JS\xff"
    image = b"2 0 obj<</Filter/DCTDecode>>stream\n" + noise + b"\nendstream\nendobj\ntrailer"
    assert check_upload(PDF.replace(b"trailer", image), "a.pdf").media_type == "application/pdf"
    assert check_upload(packed_pdf(b"1 0 <</Type/Page>>"), "a.pdf").size
    monkeypatch.setattr(pdfs, "MOST_UNPACKED", 1 << 20)
    with pytest.raises(FileRefused, match="beyond reading"):
        check_upload(packed_pdf(bytes(3 << 20)), "a.pdf")


@pytest.mark.parametrize("at", [0, (1 << 20) - 5, 3 << 20])
def test_packed_scripts_are_found_wherever_they_lie(at: int):
    with pytest.raises(FileRefused, match="JavaScript"):
        check_upload(packed_pdf(b" " * at + SCRIPT), "a.pdf")


def test_names_lose_folders_and_signs_that_act():
    assert check_upload(PDF, "../../etc/a\u202egpj.<b>\r\n.pdf").name == "agpj.b.pdf"
    assert len(check_upload(PDF, "长" * 900 + ".pdf").name) == 200


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "a.jpg"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "a.svg"),
        (b"<?xml version='1.0'?><svg/>", "a.jpg"),
        (b"<!doctype html><script>1</script>", "a.html"),
        (b"\xef\xbb\xbf<html>", "a.png"),
        (picture() + archive(), "a.jpg"),
        (picture()[:20] + b"<script>1</script>" + picture()[20:], "a.jpg"),
        (picture("PNG"), "a.jpg"),
        (picture("GIF"), "a.gif"),
        (picture()[:300], "a.jpg"),
        (png_bomb(), "a.png"),
        (png_bomb(100_000), "a.png"),
        (archive(), "a.zip"),
        (PDF + archive(), "a.pdf"),
        (PDF, "a.jpg"),
        (PDF[:-6], "a.pdf"),
        (PDF.replace(b"/Catalog", b"/Catalog/OpenAction<</S/JavaScript/JS(1)>>"), "a.pdf"),
        (PDF.replace(b"/Catalog", b"/Catalog/OpenAction<</S/J#61vaScript/J#53(1)>>"), "a.pdf"),
        (PDF.replace(b"/Catalog", b"/Catalog/OpenAction<</S/Rendition/JS 3 0 R>>"), "a.pdf"),
        (packed_pdf(SCRIPT), "a.pdf"),
        (packed_pdf(SCRIPT.replace(b"Java", b"J#61va")), "a.pdf"),
        (packed_pdf(b"", b"/X[/ASCIIHexDecode]"), "a.pdf"),
        (PDF.replace(b"/Root", b"/Encrypt 3 0 R/Root"), "a.pdf"),
        (PDF.replace(b"endobj", b"endobj <script>1</script>"), "a.pdf"),
        (b"%PDF-" + picture("PNG") + b"%%EOF", "a.pdf"),
        (b"%PDF-" + bytes(MAX_SCAN) + b"%%EOF", "a.pdf"),
        (b"MZ" + bytes(100), "a.exe"),
    ],
)
def test_hostile_and_foreign_files_are_refused(data: bytes, name: str):
    with pytest.raises(FileRefused) as refusal:
        check_upload(data, name)
    assert refusal.value.told.zh
    assert refusal.value.told.en
