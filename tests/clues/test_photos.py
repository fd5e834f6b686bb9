"""Photos from the field: what may be opened, and what a hostile file can do."""

import datetime as dt
import io
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from clues.exif import ExifFacts, read_exif
from clues.photos import MAX_PIXELS, is_photo_name, read_photo, thumbnail
from configs.errors import InputError


def scene(width=120, height=80):
    colours = np.zeros((height, width, 3), np.uint8)
    colours[: height // 2, : width // 2] = (250, 20, 20)
    return Image.fromarray(colours)


def jpeg(exif=None, **options):
    out = io.BytesIO()
    scene().save(out, "JPEG", **({"exif": exif} if exif is not None else {}), **options)
    return out.getvalue()


def told(lonlat=(114.5, 36.6), azimuth=90.0, orientation=1, **gps):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F], exif[0x0110] = "Maker", "Phone 3"
    exif.get_ifd(0x8769)[0x9003] = "2025:10:05 09:30:00"
    place = exif.get_ifd(0x8825)
    if lonlat:
        lon, lat = lonlat
        place[1], place[3] = "N" if lat >= 0 else "S", "E" if lon >= 0 else "W"
        place[2], place[4] = sexagesimal(abs(lat)), sexagesimal(abs(lon))
    place[16], place[17] = "T", azimuth
    place[7], place[29] = (1.0, 30.0, 0.0), "2025:10:05"
    place[31] = 4.5
    place.update(gps)
    return exif


def sexagesimal(degrees):
    minutes = degrees % 1 * 60
    return float(int(degrees)), float(int(minutes)), minutes % 1 * 60


def test_a_photo_tells_place_direction_and_time():
    photo = read_photo(jpeg(told((114.534967, -36.58573))), "dcim/IMG_1.JPG")
    facts = photo.facts
    assert facts.lonlat == pytest.approx((114.534967, -36.58573), abs=1e-6)
    assert (facts.azimuth, facts.magnetic, facts.accuracy_m) == (90.0, False, 4.5)
    assert facts.taken == dt.datetime(2025, 10, 5, 9, 30)
    assert facts.satellites == dt.datetime(2025, 10, 5, 1, 30, tzinfo=dt.UTC)
    assert (photo.width, photo.height, photo.media_type) == (120, 80, "image/jpeg")
    assert facts.camera == "Maker Phone 3"
    assert photo.file_name == f"{photo.sha256}.jpg"


def test_a_png_may_tell_as_much():
    out = io.BytesIO()
    scene().save(out, "PNG", exif=told())
    assert read_photo(out.getvalue(), "a.png").facts.lonlat == pytest.approx((114.5, 36.6))


@pytest.mark.parametrize("lonlat", [None, (0.0, 0.0)])
def test_a_place_that_is_none_is_not_taken(lonlat):
    assert read_photo(jpeg(told(lonlat)), "a.jpg").facts.lonlat is None


def test_a_latitude_without_hemisphere_is_no_place():
    exif = told()
    del exif.get_ifd(0x8825)[1]
    assert read_photo(jpeg(exif), "a.jpg").facts.lonlat is None


@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_stand_upright_without_metadata(turn):
    upright = [None, (0, 0), (1, 0), (1, 1), (0, 1), (0, 0), (1, 0), (1, 1), (0, 1)][turn]
    data = jpeg(told(orientation=turn))
    small = Image.open(io.BytesIO(thumbnail(data, read_photo(data, "a.jpg"), 40)))
    assert not small.getexif()
    wide = small.width > small.height
    assert wide == (turn < 5)
    right, low = upright
    x = small.width // 4 + right * small.width // 2
    y = small.height // 4 + low * small.height // 2
    assert small.getpixel((x, y))[0] > 200


def overlapping_directory(entries=5000):
    """Return a TIFF whose every entry points at the same 64 kB."""
    rows = b"".join(struct.pack("<HHII", 0x9000 + i, 7, 65000, 8) for i in range(entries))
    return b"II*\0" + struct.pack("<IH", 8, entries) + rows


def with_segment(data, marker, content):
    return (
        data[:2]
        + b"\xff"
        + bytes([marker])
        + struct.pack(">H", len(content) + 2)
        + content
        + data[2:]
    )


def test_an_exif_bomb_costs_nothing():
    tiff = overlapping_directory()
    data = with_segment(jpeg(), 0xE1, b"Exif\0\0" + tiff)
    for _ in range(40):
        data = with_segment(data, 0xE1, b"Exif\0\0" + tiff)
    tracemalloc.start()
    assert read_photo(data, "a.jpg").facts.lonlat is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * len(data)


@pytest.mark.parametrize("cut", [0, 4, 8, 9, 10, 21, 40])
def test_damaged_exif_is_no_facts(cut):
    tiff = told().tobytes()[6:]
    assert isinstance(read_exif(tiff[:cut]), ExifFacts)
    loop = b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x8825, 4, 1, 8)
    assert read_exif(loop).lonlat is None


def test_random_bytes_in_exif_do_no_harm():
    rng = np.random.default_rng(3)
    good = bytearray(told().tobytes()[6:])
    for _ in range(400):
        bad = bytearray(good)
        for at in rng.integers(0, len(bad), 6):
            bad[at] = int(rng.integers(256))
        facts = read_exif(bytes(bad))
        assert facts.lonlat is None or (abs(facts.lonlat[0]) <= 180 and abs(facts.lonlat[1]) <= 90)
        assert facts.azimuth is None or 0 <= facts.azimuth < 360


def png_of(width, height):
    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress(b"\0" * 999))
        + chunk(b"IEND", b"")
    )


def zipped():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as pack:
        pack.writestr("a.txt", "x")
    return out.getvalue()


HOSTILE = {
    "too many pixels": (png_of(40_000, 40_000), "a.png", "pixels"),
    "empty png": (png_of(30, 30), "a.png", "decoded"),
    "half a jpeg": (jpeg()[:400], "a.jpg", "decoded|no picture"),
    "no jpeg": (b"GIF89a" + b"\0" * 99, "a.jpg", "no JPEG"),
    "png called jpg": (png_of(3, 3), "a.jpg", "the bytes are image/png"),
    "heic": (b"\0\0\0\x18ftypheic" + b"\0" * 99, "a.heic", "HEIC, which is not read"),
    "heic called jpg": (b"\0\0\0\x18ftypheic" + b"\0" * 99, "a.jpg", "HEIC"),
    "jpeg and zip": (jpeg() + zipped(), "a.jpg", "an archive as well"),
    "jpeg and pdf": (with_segment(jpeg(), 0xFE, b"%PDF-1.7"), "a.jpg", "a PDF as well"),
    "jpeg and page": (with_segment(jpeg(), 0xFE, b"<ScRipt>"), "a.jpg", "scripts as well"),
    "scans": (jpeg() + b"\xff\xda" * 100, "a.jpg", "too many scans"),
    "nothing": (b"", "a.jpg", "no JPEG"),
    "frame only": (b"\xff\xd8\xff\xc0\x00\x0b\x08" + b"\xff" * 8, "a.jpg", "no picture"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(name):
    data, called, what = HOSTILE[name]
    with pytest.raises(InputError, match=what):
        read_photo(data, called)


def test_pixels_are_bounded_before_decoding():
    tracemalloc.start()
    with pytest.raises(InputError, match="pixels"):
        read_photo(png_of(MAX_PIXELS // 10, 11), "a.png")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_names_of_pictures():
    assert is_photo_name("A.HEIC")
    assert not is_photo_name("form.gpkg")
