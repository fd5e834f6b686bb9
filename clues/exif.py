"""What a photo says of itself (EXIF): the few facts a check needs, read with bounds on everything.

EXIF is a small TIFF whose directories point anywhere in it. Read in full it can be made to copy
hundreds of megabytes out of 64 kB, so this reader takes only the tags it wants, each of at most
`MAX_VALUES` values.
"""

import datetime as dt
import struct
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ExifFacts", "read_exif"]

MAX_ENTRIES, MAX_VALUES = 512, 64
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8}
"""Bytes per value of the TIFF types that the wanted tags may have."""

ORIENTATION, MAKE, MODEL, TIME, EXIF_IFD, GPS_IFD = 0x0112, 0x010F, 0x0110, 0x0132, 0x8769, 0x8825
TIME_ORIGINAL = 0x9003
LAT_REF, LAT, LON_REF, LON, STAMP, STATUS, DOP = 1, 2, 3, 4, 7, 9, 11
DIRECTION_REF, DIRECTION, DATUM, DATE, ERROR = 16, 17, 18, 29, 31
WANTED = frozenset(
    {ORIENTATION, MAKE, MODEL, TIME, EXIF_IFD, GPS_IFD, TIME_ORIGINAL}
    | {LAT_REF, LAT, LON_REF, LON, STAMP, STATUS, DOP}
    | {DIRECTION_REF, DIRECTION, DATUM, DATE, ERROR}
)

Value = str | tuple[float, ...]


@dataclass(frozen=True)
class ExifFacts:
    """The facts, None where the photo does not tell them or tells nonsense.

    Attributes
    ----------
    lonlat : tuple of float or None
        WGS 84 degrees. The place 0, 0, which cameras write without a fix, is none.
    accuracy_m : float or None
    fixed : bool
        False where the receiver says that it had no fix: the place is an old or guessed one.
    dilution : float or None
        How much the constellation spoils the place (DOP).
    datum : str
        To which the degrees belong, as written; "" where nothing is.
    azimuth : float or None
        Degrees clockwise from north, 0 ≤ azimuth < 360.
    magnetic : bool
        The azimuth counts from magnetic north.
    taken : datetime or None
        On the clock of the camera, without zone.
    satellites : datetime or None
        Time of the position, UTC.
    orientation : int
        1 to 8, how the picture is to be turned.
    camera : str
    """

    lonlat: tuple[float, float] | None = None
    accuracy_m: float | None = None
    fixed: bool = True
    dilution: float | None = None
    datum: str = ""
    azimuth: float | None = None
    magnetic: bool = False
    taken: dt.datetime | None = None
    satellites: dt.datetime | None = None
    orientation: int = 1
    camera: str = ""


def read_exif(tiff: bytes) -> ExifFacts:
    r"""Read the facts out of the TIFF inside an EXIF segment.

    Parameters
    ----------
    tiff : bytes
        What follows ``Exif\0\0``; anything may stand in it.

    Returns
    -------
    ExifFacts
        Without what is damaged: a photo is never refused for its EXIF.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return ExifFacts()
    main = _directory(tiff, struct.unpack_from(order + "I", tiff, 4)[0], order)
    exif = _directory(tiff, _offset(main.get(EXIF_IFD)), order)
    gps = _directory(tiff, _offset(main.get(GPS_IFD)), order)
    lon = _degrees(gps.get(LON), gps.get(LON_REF), ("E", "W"), 180)
    lat = _degrees(gps.get(LAT), gps.get(LAT_REF), ("N", "S"), 90)
    known = lon is not None and lat is not None and (lon, lat) != (0, 0)
    azimuth = _number(gps.get(DIRECTION))
    turned = _number(main.get(ORIENTATION))
    return ExifFacts(
        lonlat=(lon, lat) if known and lon is not None and lat is not None else None,
        accuracy_m=_positive(gps.get(ERROR)),
        fixed=_text(gps.get(STATUS)).upper()[:1] != "V",
        dilution=_positive(gps.get(DOP)),
        datum=_text(gps.get(DATUM))[:40].strip(),
        azimuth=azimuth % 360 if azimuth is not None and 0 <= azimuth <= 360 else None,
        magnetic=_text(gps.get(DIRECTION_REF)) == "M",
        taken=_moment(_text(exif.get(TIME_ORIGINAL)) or _text(main.get(TIME))),
        satellites=_satellite_time(gps),
        orientation=int(turned) if turned is not None and turned in range(1, 9) else 1,
        camera=" ".join(t for t in (_text(main.get(MAKE)), _text(main.get(MODEL))) if t)[:60],
    )


def _directory(tiff: bytes, start: int, order: str) -> dict[int, Value]:
    if not 8 <= start <= len(tiff) - 2:
        return {}
    count = min(struct.unpack_from(order + "H", tiff, start)[0], MAX_ENTRIES)
    found: dict[int, Value] = {}
    for i in range(count):
        at = start + 2 + 12 * i
        if at + 12 > len(tiff):
            break
        tag, kind, values = struct.unpack_from(order + "HHI", tiff, at)
        if tag not in WANTED or kind not in SIZES or not 0 < values <= MAX_VALUES:
            continue
        size = SIZES[kind] * values
        first = at + 8 if size <= 4 else struct.unpack_from(order + "I", tiff, at + 8)[0]
        raw = tiff[first : first + size]
        if len(raw) == size:
            found.setdefault(tag, _value(raw, kind, values, order))
    return found


def _value(raw: bytes, kind: int, count: int, order: str) -> Value:
    if kind in (2, 7):
        return raw.split(b"\0")[0].decode("utf-8", errors="replace").strip()
    if kind in (5, 10):
        letter = "I" if kind == 5 else "i"
        whole = struct.unpack(f"{order}{2 * count}{letter}", raw)
        pairs = zip(whole[::2], whole[1::2], strict=True)
        return tuple(n / d if d else float("nan") for n, d in pairs)
    return struct.unpack(f"{order}{count}{ {1: 'B', 3: 'H', 4: 'I', 9: 'i'}[kind] }", raw)


def _text(value: Value | None) -> str:
    return "".join(c for c in value if c.isprintable()) if isinstance(value, str) else ""


def _number(value: Value | None) -> float | None:
    if not isinstance(value, tuple) or value[0] != value[0]:
        return None
    return float(value[0])


def _positive(value: Value | None) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _offset(value: Value | None) -> int:
    return int(_number(value) or 0)


def _degrees(
    value: Value | None, reference: Value | None, names: tuple[str, str], most: float
) -> float | None:
    """Return signed degrees of degrees, minutes, seconds; without a hemisphere there are none."""
    side = _text(reference).upper()[:1]
    if not isinstance(value, tuple) or not 1 <= len(value) <= 3 or side not in names:
        return None
    parts = (*value, 0.0, 0.0)[:3]
    total = float(parts[0]) + float(parts[1]) / 60 + float(parts[2]) / 3600
    sound = parts[0] >= 0 and 0 <= parts[1] < 60.01 and 0 <= parts[2] < 60.01 and total <= most
    return (total if side == names[0] else -total) if sound else None


def _moment(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None


def _satellite_time(gps: Mapping[int, Value]) -> dt.datetime | None:
    stamp, day = gps.get(STAMP), _text(gps.get(DATE))
    if not isinstance(stamp, tuple) or len(stamp) != 3 or any(v != v for v in stamp):
        return None
    hours, minutes, seconds = (int(v) for v in stamp)
    moment = _moment(f"{day.replace('-', ':')} {hours:02d}:{minutes:02d}:{seconds:02d}")
    return None if moment is None else moment.replace(tzinfo=dt.UTC)
