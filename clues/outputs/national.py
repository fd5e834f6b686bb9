"""The national reference system of hand-ins, and the day that they bear."""

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    import geopandas as gpd

    from clues.outputs.tables import ClueTables

__all__ = ["in_national_crs", "last_day", "national_zone", "zone_crs_of"]

ZONES = (25, 45)
"""Three-degree zones of the country."""

ANYWHERE = "EPSG:4490"


def national_zone(tables: "ClueTables") -> int | None:
    """Return the three-degree zone of the middle patch; None outside the country's zones."""
    longitudes = tables.patches["lon"].to_numpy(dtype=np.float64)
    if not len(longitudes):
        return None
    zone = round(float(np.median(longitudes)) / 3)
    return zone if ZONES[0] <= zone <= ZONES[1] else None


def zone_crs_of(zone: int) -> str:
    """Return the CRS of a zone of CGCS2000, with the number of the zone in the eastings."""
    return f"EPSG:{4513 + zone - ZONES[0]}"


def in_national_crs(shapes: "gpd.GeoSeries", tables: "ClueTables") -> "gpd.GeoSeries":
    """Return shapes in the zone of the run, or in degrees of CGCS2000 outside the country.

    Coordinates are rounded to what both are known to: 0.1 mm, 10⁻⁹ degrees.
    """
    zone = national_zone(tables)
    moved = shapes.to_crs(ANYWHERE if zone is None else zone_crs_of(zone))
    decimals = 9 if zone is None else 4
    moved[:] = shapely.transform(moved.to_numpy(), lambda xy: xy.round(decimals))
    return moved


def last_day(tables: "ClueTables") -> dt.date:
    """Return the last day of imagery, which hand-ins bear: their bytes do not tell when."""
    days = [day for day in tables.patches["after_to"] if isinstance(day, dt.date) and day == day]
    return max(days, default=dt.date(max(tables.title.year, 1901), 1, 1))
