"""Local coordinate systems: a projection of their own, seven parameters, a printed accuracy.

PROJ applies no datum shift between an unnamed datum and CGCS2000 and does not say so: the shift is
therefore made here, step by step, and its result is measured on control points.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from configs.errors import LayerError
from configs.layers import LocalCrs

__all__ = ["Accuracy", "accuracy", "to_national", "zone_crs"]

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Accuracy:
    """How well a local system fits CGCS2000.

    Attributes
    ----------
    promised_m : float
    points : int
        Control points it was measured on; 0 where there are none.
    rms_m, worst_m : float
        Distances on the ground; NaN without control points.
    """

    promised_m: float
    points: int
    rms_m: float
    worst_m: float

    def text(self) -> str:
        """Return the accuracy in words."""
        if not self.points:
            return f"±{self.promised_m:g} m as promised, not measured: no control points"
        return (
            f"{self.rms_m:.3f} m RMS, {self.worst_m:.3f} m at worst on {self.points} control "
            f"points (±{self.promised_m:g} m promised)"
        )


def zone_crs(longitude: float) -> str:
    """Return the CGCS2000 3-degree zone of a longitude, without zone number in the eastings."""
    zone = min(45, max(25, round(longitude / 3)))
    return f"EPSG:{4534 + zone - 25}"


def _steps(local: LocalCrs, where: str) -> tuple[pyproj.Transformer, pyproj.Transformer | None]:
    """Return local x, y to its own degrees, and those to degrees on CGCS2000."""
    try:
        projected = pyproj.CRS(local.projection)
        geodetic = projected.geodetic_crs
    except pyproj.exceptions.CRSError as error:
        raise LayerError(
            f"the projection cannot be read ({error})",
            where,
            "write WKT or PROJ text, such as +proj=tmerc +lon_0=114.5 +x_0=500000 +ellps=GRS80",
        ) from error
    if projected.is_bound or geodetic is None or geodetic.ellipsoid is None:
        raise LayerError(
            "the projection holds a datum shift of its own",
            where,
            "give the projection alone, and the seven parameters under `to_cgcs2000:`",
        )
    unproject = pyproj.Transformer.from_crs(projected, geodetic, always_xy=True)
    if local.to_cgcs2000 is None:
        return unproject, None
    ellipsoid = geodetic.ellipsoid
    axes = f"+a={ellipsoid.semi_major_metre!r} +rf={ellipsoid.inverse_flattening!r}"
    names = ("x", "y", "z", "rx", "ry", "rz", "s")
    shift = " ".join(f"+{n}={v!r}" for n, v in zip(names, local.to_cgcs2000, strict=True))
    return unproject, pyproj.Transformer.from_pipeline(
        "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad "
        f"+step +proj=cart {axes} +step +proj=helmert {shift} +convention={local.rotation} "
        "+step +inv +proj=cart +ellps=GRS80 +step +proj=unitconvert +xy_in=rad +xy_out=deg"
    )


def _lonlat(xy: Points, local: LocalCrs, where: str) -> Points:
    unproject, shift = _steps(local, where)
    lon, lat = unproject.transform(xy[:, 0], xy[:, 1])
    if shift is not None:
        lon, lat = shift.transform(lon, lat)
    return np.column_stack([lon, lat])


def accuracy(local: LocalCrs, where: str) -> Accuracy:
    """Measure a local system on its control points.

    Raises
    ------
    LayerError
        If the control points lie farther off than the system promises.
    """
    points = local.control_points
    if not points:
        return Accuracy(local.accuracy_m, 0, float("nan"), float("nan"))
    found = _lonlat(np.array([[p.x, p.y] for p in points]), local, where)
    known = np.array([[p.lon, p.lat] for p in points])
    _, _, off = pyproj.Geod(ellps="GRS80").inv(*found.T, *known.T)
    rms = float(np.sqrt(np.mean(np.square(off))))
    result = Accuracy(local.accuracy_m, len(points), rms, float(np.max(off)))
    if not np.isfinite(rms) or rms > local.accuracy_m:
        raise LayerError(
            f"the local system misses its control points by {result.text()}",
            where,
            "check order, sign and units of the seven parameters, and `rotation:` "
            "(position_vector or coordinate_frame)",
        )
    return result


def to_national(table: Any, local: LocalCrs, where: str) -> Any:
    """Return a table in a local system in the CGCS2000 3-degree zone of its place.

    Raises
    ------
    LayerError
        If the system cannot be read or misses its control points.
    """
    accuracy(local, where)
    geometry = table.geometry.to_numpy()
    lonlat = _lonlat(shapely.get_coordinates(geometry), local, where)
    finite = lonlat[np.isfinite(lonlat).all(axis=1)]
    crs = zone_crs(float(np.median(finite[:, 0])) if len(finite) else 114.0)
    project = pyproj.Transformer.from_crs("EPSG:4490", crs, always_xy=True)
    moved = shapely.transform(
        geometry,
        lambda xy: np.column_stack(project.transform(*_lonlat(xy, local, where).T)),
    )
    return table.set_geometry(moved).set_crs(crs, allow_override=True)
