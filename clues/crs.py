"""The CRS of a layer: what the source says, what the coordinates allow, and what they look like.

A CRS is proposed in the message of an error and never assumed.
"""

from typing import Any

import numpy as np
import pyproj

from configs.errors import LayerError
from tiles.geodesy import transformer

__all__ = ["checked_crs", "crs_name"]

OLD_DATUMS = {4610: "Xian 1980", 4214: "Beijing 1954", 4555: "New Beijing"}
"""Datums that PROJ moves to CGCS2000 by doing nothing, 50 to 150 m off."""


def checked_crs(table: Any, declared: str | None, override: bool, where: str) -> str:
    """Return the CRS of the table, checked against `declared` and the coordinates."""
    own = table.crs
    try:
        wanted = None if declared is None else pyproj.CRS(declared)
    except pyproj.exceptions.CRSError as error:
        raise LayerError(
            f"there is no CRS {declared!r}", where, "write `crs: EPSG:4490` or the like"
        ) from error
    if own is None and wanted is None:
        raise LayerError(
            "the source does not say its CRS",
            where,
            f"add `crs:` to the layer; {_guess(table.total_bounds)}",
        )
    if own is not None and wanted is not None and not override and not _same_crs(own, wanted):
        raise LayerError(
            f"the source says {crs_name(own)}, the layers file says {declared}",
            where,
            "mend `crs:`, or add `crs_override: true` if the source is wrong",
        )
    crs = wanted if wanted is not None and (override or own is None) else own
    _check_datum(crs, where)
    _check_bounds(crs, table.total_bounds, where)
    return crs_name(crs)


def _check_datum(crs: Any, where: str) -> None:
    """Refuse a datum whose shift to CGCS2000 would silently be left out."""
    geodetic = crs.geodetic_crs
    code = None if geodetic is None else geodetic.to_epsg()
    old = OLD_DATUMS.get(code or 0)
    if old is None and crs.is_bound and any(crs.coordinate_operation.towgs84):
        old = "a datum with parameters of its own"
    if old is not None:
        raise LayerError(
            f"{crs.name}: no public transformation leads from {old} to CGCS2000",
            where,
            "write the projection, the seven parameters of your surveying office and their "
            "accuracy under `crs: {projection: …, to_cgcs2000: […], accuracy_m: …}`",
        )


def crs_name(crs: Any) -> str:
    """Return ``EPSG:n`` where the CRS has a number, else its WKT."""
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())


def _same_crs(a: Any, b: Any) -> bool:
    return bool(a.equals(b, ignore_axis_order=True) or crs_name(a) == crs_name(b))


def _check_bounds(crs: Any, bounds: Any, where: str) -> None:
    """Refuse coordinates that cannot be in `crs`: such as degrees called metres."""
    west, south, east, north = (float(v) for v in bounds)
    if not np.isfinite(bounds).all():
        return  # no geometry at all
    problem = ""
    if crs.is_geographic:
        if _within(bounds, (3, 73, 54, 136)) and (north > 90.000001 or _only_swapped(crs, bounds)):
            problem = "latitude and longitude are swapped"
        elif (
            min(west, south) < -180.000001 or east > 360 or max(abs(south), abs(north)) > 90.000001
        ):
            problem = "they are no degrees"
    else:
        centre = _transverse_mercator_easting(crs)
        if centre is not None and max(abs(west - centre[0]), abs(east - centre[0])) > centre[1]:
            problem = f"they lie {abs((west + east) / 2 - centre[0]):,.0f} units off its meridian"
        elif not _on_earth(crs, bounds):
            problem = "they lie outside the projection"
    if problem:
        raise LayerError(
            f"the coordinates x {west:.10g} to {east:.10g}, y {south:.10g} to {north:.10g} "
            f"contradict {crs_name(crs)}: {problem}",
            where,
            _remedy(bounds),
        )


def _only_swapped(crs: Any, bounds: Any) -> bool:
    """Tell whether degrees lie where the CRS is used only with x and y exchanged."""
    area = pyproj.CRS(crs_name(crs)).area_of_use
    if area is None:
        return False
    limits = (area.west, area.south, area.east, area.north)
    return _within(bounds[[1, 0, 3, 2]], limits) and not _within(bounds, limits)


def _transverse_mercator_easting(crs: Any) -> tuple[float, float] | None:
    """Return the false easting and the farthest sensible distance from it, in CRS units."""
    operation = crs.coordinate_operation
    if operation is None or "Transverse Mercator" not in operation.method_name:
        return None
    unit = crs.axis_info[0].unit_conversion_factor or 1.0
    easting = next((p.value for p in operation.params if p.name == "False easting"), None)
    return None if easting is None else (float(easting), 1e6 / unit)


def _on_earth(crs: Any, bounds: Any) -> bool:
    to_lonlat = transformer(crs.to_wkt(), "EPSG:4490")
    lon, lat = to_lonlat.transform([bounds[0], bounds[2]], [bounds[1], bounds[3]])
    return bool(np.isfinite(lon).all() and np.isfinite(lat).all())


def _within(bounds: Any, limits: tuple[float, float, float, float]) -> bool:
    """Tell whether west, south, east, north lie inside the limits."""
    return bool((bounds[:2] >= limits[:2]).all() and (bounds[2:] <= limits[2:]).all())


def _remedy(bounds: Any) -> str:
    """Say what mends coordinates that contradict their CRS; no `crs:` mends swapped axes."""
    if _looks_like(bounds) is None and _looks_like(bounds[[1, 0, 3, 2]]) is not None:
        return _guess(bounds)
    return (
        f"{_guess(bounds)}; then set `crs:`, with `crs_override: true` where the source says "
        "another, or mend the source"
    )


def _guess(bounds: Any) -> str:
    """Say which CRS the coordinates look like."""
    if not np.isfinite(bounds).all():
        return "there are no coordinates to tell it from"
    if (found := _looks_like(bounds)) is not None:
        return f"they look like {found}"
    if (found := _looks_like(bounds[[1, 0, 3, 2]])) is not None:
        return (
            f"x and y are swapped: exchange them in the source (QGIS: Swap X and Y coordinates); "
            f"then they look like {found}"
        )
    return "their CRS cannot be guessed"


def _looks_like(bounds: Any) -> str | None:
    """Return the CRS that the coordinates look like, or None."""
    west, east = float(bounds[0]), float(bounds[2])
    if _within(bounds, (73, 3, 136, 54)):
        return "longitude and latitude in China (EPSG:4490)"
    zone = int(west // 1_000_000)
    if 25 <= zone <= 45 and int(east // 1_000_000) == zone:
        return f"3° zone {zone} with prefix (EPSG:{4513 + zone - 25})"
    if 13 <= zone <= 23 and int(east // 1_000_000) == zone:
        return f"6° zone {zone} with prefix (EPSG:{4491 + zone - 13})"
    if _within(bounds, (100_000, 300_000, 1_000_000, 6_500_000)):
        return (
            "a zone without prefix (EPSG:4534 to 4554, central meridian 75° to "
            "135°; 114° is EPSG:4547)"
        )
    return None
