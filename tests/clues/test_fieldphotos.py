"""Which photos from the field count for a clue, and what is held against the others."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import shapely

from clues.fieldphotos import AWAY_DEGREES, MARKS, ClueGround, match_photo
from clues.photos import read_photo
from tests.clues.conftest import E0, N0
from tests.clues.test_photos import jpeg, told
from tiles.geodesy import transformer

CRS = "EPSG:4526"
AFTER = dt.date(2025, 9, 6)
GROUND = ClueGround(
    ["A"], np.array([shapely.box(E0, N0, E0 + 100, N0 + 60)], dtype=object), [AFTER], CRS
)
BESIDE, INSIDE = (E0 + 140, N0 + 30), (E0 + 50, N0 + 30)


def marks(place, azimuth=270.0, day="2025:10:05 09:30:00", **gps):
    lonlat = transformer(CRS, "EPSG:4490").transform(*place)
    exif = told(lonlat, azimuth=azimuth if azimuth is not None else 0.0)
    exif.get_ifd(0x8769)[0x9003] = day
    directory = exif.get_ifd(0x8825)
    directory[29] = day[:10]
    if azimuth is None:
        del directory[17]
    directory.update({int(tag[1:]): value for tag, value in gps.items()})
    photo = read_photo(jpeg(exif), "a.jpg")
    zone = ZoneInfo("Asia/Shanghai")
    found = match_photo(photo, "A", GROUND, dt.date(2025, 11, 1), zone)
    assert all(all(MARKS[m]) for m in found.marks)
    return found.marks


@pytest.mark.parametrize(
    ("gps", "expected"),
    [
        ({}, ()),
        ({"t9": "V"}, ("no_fix",)),
        ({"t9": "A"}, ()),
        ({"t11": 99.0}, ("weak_fix",)),
        ({"t11": 1.8}, ()),
        ({"t18": "GCJ-02"}, ("datum",)),
        ({"t18": "TOKYO"}, ("datum",)),
        ({"t18": "WGS-84"}, ()),
        ({"t18": "WGS 84"}, ()),
        ({"t18": "cgcs2000"}, ()),
        ({"t31": 80.0}, ("vague",)),
    ],
)
def test_a_device_that_doubts_its_place_is_believed(gps, expected):
    assert marks(INSIDE, **gps) == expected


@pytest.mark.parametrize(
    ("place", "azimuth", "expected"),
    [
        (BESIDE, 270.0, ()),
        (BESIDE, 270.0 + AWAY_DEGREES, ()),
        (BESIDE, 90.0, ("away",)),
        (BESIDE, 20.0, ("away",)),
        (BESIDE, None, ("no_azimuth",)),
        (INSIDE, 90.0, ()),
        (INSIDE, None, ()),
        ((E0 + 50, N0 - 40), 3.0, ()),
        ((E0 + 50, N0 - 40), 183.0, ("away",)),
        ((E0 + 180, N0 + 30), 90.0, ("outside",)),
    ],
)
def test_a_photo_beside_the_patch_looks_at_it(place, azimuth, expected):
    assert marks(place, azimuth) == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2025:09:05 18:00:00", ("old",)),
        ("2025:09:06 09:30:00", ("old",)),
        ("2025:09:07 09:30:00", ()),
    ],
)
def test_the_day_of_the_later_image_is_not_later(day, expected):
    assert marks(INSIDE, day=day) == expected
