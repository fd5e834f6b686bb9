"""Coordinate TXT: the exchange text of land parcels (报批地块坐标), X north, Y east.

A head in brackets, then per parcel one record that ends with ``@`` (points, hectares, parcel
number, parcel name, kind, sheet, use, land class) and one line per boundary point (point, ring, X,
Y). Rings inside another are holes.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import shapely

from configs.errors import LayerError

__all__ = ["read_coordinate_text"]

RECORD = ("DS", "PZMJ", "DKBH", "DKMC", "TXLX", "TFH", "YTDM", "DLBM")
NORTHING = (1_700_000.0, 6_200_000.0)
"""Of land in China; no easting lies there, with or without zone number."""
DATUM_NAMES = ("2000", "CGCS")


@dataclass
class _Parcel:
    line: int
    values: dict[str, str]
    rings: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


def read_coordinate_text(path: Path, encoding: str | None, where: str) -> Any:
    """Read a coordinate TXT.

    Parameters
    ----------
    path : Path
    encoding : str, optional
        UTF-8 or GB18030, found from the bytes if not given.
    where : str
        For errors.

    Returns
    -------
    GeoDataFrame
        One row per parcel: DKBH, DKMC, PZMJ (hectares), TFH, YTDM, DLBM as texts. The CRS is
        that of the head if it tells CGCS2000, the zone and its width; else None.

    Raises
    ------
    LayerError
        Naming the line that cannot be read, or where north and east are swapped.
    """
    import geopandas

    head, parcels = _parse(_text(path, encoding, where), where)
    if not parcels:
        raise LayerError(
            "the text holds no parcel record (a line that ends with @)",
            where,
            "export the coordinates again in the exchange format of land approval",
        )
    shapes = [_shape(parcel, where) for parcel in parcels]
    columns = {name: [p.values.get(name) for p in parcels] for name in RECORD}
    table = geopandas.GeoDataFrame(columns, geometry=shapes)
    code = _declared(head, table.total_bounds[0])
    return table.set_crs(code) if code else table


def _text(path: Path, encoding: str | None, where: str) -> str:
    data = path.read_bytes()
    for name in (encoding,) if encoding else ("utf-8-sig", "gb18030"):
        try:
            return data.decode(str(name))
        except (UnicodeDecodeError, LookupError):
            continue
    raise LayerError(
        "the text is neither UTF-8 nor GBK", where, "save it as UTF-8, or add `encoding:`"
    )


def _parse(text: str, where: str) -> tuple[dict[str, str], list[_Parcel]]:
    head: dict[str, str] = {}
    parcels: list[_Parcel] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip().replace("\uff0c", ",")
        if not line or line.startswith("["):
            continue
        parts = [p.strip() for p in line.split(",")]
        if line.endswith("@"):
            parcels.append(_Parcel(number, dict(zip(RECORD, parts[:-1], strict=False))))
        elif "=" in line and not parcels:
            name, _, value = line.partition("=")
            head[name.strip()] = value.strip()
        elif parcels:
            _add_point(parcels[-1], parts, f"{where}, line {number}")
        else:
            raise LayerError(
                f"{line[:40]!r} is neither head, record nor point",
                f"{where}, line {number}",
                "a record ends with @, a point is: name, ring, X (north), Y (east)",
            )
    for parcel in parcels:
        _check_count(parcel, where)
    return head, parcels


def _add_point(parcel: _Parcel, parts: list[str], where: str) -> None:
    try:
        ring, north, east = parts[1], float(parts[2]), float(parts[3])
    except (IndexError, ValueError):
        raise LayerError(
            f"{','.join(parts)[:60]!r} is no boundary point",
            where,
            "write: name, ring, X (north), Y (east)",
        ) from None
    if not NORTHING[0] <= north <= NORTHING[1] and NORTHING[0] <= east <= NORTHING[1]:
        raise LayerError(
            f"X {north:.10g} is no northing in China, Y {east:.10g} is one: the axes are swapped",
            where,
            "write X (north) first, then Y (east)",
        )
    parcel.rings.setdefault(ring, []).append((east, north))


def _check_count(parcel: _Parcel, where: str) -> None:
    stated, found = parcel.values.get("DS", ""), sum(len(r) for r in parcel.rings.values())
    closing = sum(len(r) > 1 and r[0] == r[-1] for r in parcel.rings.values())
    if stated.isdigit() and int(stated) not in (found, found - closing):
        raise LayerError(
            f"the record tells {stated} points, {found} follow",
            f"{where}, line {parcel.line}",
            "the text was cut off or edited: export it again",
        )


def _shape(parcel: _Parcel, where: str) -> Any:
    polygons = []
    for name, points in parcel.rings.items():
        if len(set(points)) < 3:
            raise LayerError(
                f"ring {name} has {len(set(points))} points",
                f"{where}, line {parcel.line}",
                "a ring needs three points or more",
            )
        polygons.append(shapely.Polygon(points))
    if not polygons:
        return None
    shells = sorted(polygons, key=lambda p: -p.area)
    result = shells[0]
    if len(shells) > 1 and all(p.is_valid for p in shells):
        for ring in shells[1:]:
            result = result.symmetric_difference(ring)
    elif len(shells) > 1:
        result = shapely.MultiPolygon(shells)
    return result


def _declared(head: dict[str, str], west: float) -> str | None:
    """Return the CRS that the head tells, or None where it does not tell all of it."""
    datum, width, zone = (head.get(n, "") for n in ("坐标系", "几度分带", "带号"))
    number = re.search(r"\d+", zone)
    if not any(n in datum.upper() for n in DATUM_NAMES) or number is None:
        return None
    z = int(number.group())
    prefixed = west >= 1e6
    if width.startswith("3") and 25 <= z <= 45:
        return f"EPSG:{(4513 if prefixed else 4534) + z - 25}"
    if width.startswith("6") and 13 <= z <= 23:
        return f"EPSG:{(4491 if prefixed else 4502) + z - 13}"
    return None
