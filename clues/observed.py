"""How much of a county and of its divisions a run could observe at both dates, as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from tiles.files import write_csv_rows
from tiles.geodesy import ellipsoidal_area

if TYPE_CHECKING:
    from clues.layers import OneMap

__all__ = ["ObservedArea", "named_divisions", "observed_areas", "write_observed"]

DM2 = 100.0
HEADER = (
    "行政区代码 code",
    "行政区 area",
    "面积_公顷 area_ha",
    "可观测_公顷 observed_ha",
    "可观测比例_% observed_percent",
)


@dataclass(frozen=True)
class ObservedArea:
    """What of an area was observed at both dates.

    Attributes
    ----------
    code, name : str
        Of the county (the first row of a table) or of a division.
    area_dm2, observed_dm2 : int
        What lies beyond the images was not observed.
    """

    code: str
    name: str
    area_dm2: int
    observed_dm2: int

    @property
    def percent(self) -> float:
        """Share that was observed, percent with two decimals."""
        return round(100.0 * self.observed_dm2 / self.area_dm2, 2) if self.area_dm2 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "code": self.code,
            "name": self.name,
            "area_dm2": self.area_dm2,
            "observed_dm2": self.observed_dm2,
            "observed_percent": self.percent,
        }


def observed_areas(
    hidden: NDArray[np.object_],
    imaged: shapely.Geometry,
    *,
    aoi: shapely.Geometry | None,
    onemap: "OneMap | None",
    county: tuple[str, str],
    crs: str,
) -> list[ObservedArea]:
    """Return what was observed of the county and of each division.

    The county is the area of interest; without one the divisions together; without these what
    both dates show.

    Parameters
    ----------
    hidden : ndarray of Polygon, shape (n,)
        Ground that was not observed; the polygons do not overlap.
    imaged : Polygon
        What the images of both dates cover.
    aoi : Polygon or MultiPolygon, optional
    onemap : OneMap or None
        Its role ``division`` tells counties, towns or villages.
    county : tuple of str
        Code and name of the first row.
    crs : str
        Of all coordinates.
    """
    divisions = named_divisions(onemap, aoi)
    whole = aoi if aoi is not None else shapely.union_all([d[2] for d in divisions])
    if whole.is_empty:
        whole = imaged
    tree = shapely.STRtree(hidden)
    return [
        _area(code, name, shape, imaged, hidden, tree, crs)
        for code, name, shape in [(*county, whole), *divisions]
    ]


def named_divisions(
    onemap: "OneMap | None", aoi: shapely.Geometry | None = None
) -> list[tuple[str, str, shapely.Geometry]]:
    """Return code, name and outline of the divisions, by code and name."""
    layer = onemap.layers.get("division") if onemap is not None else None
    if layer is None:
        return []
    shapes: dict[tuple[str, str], list[shapely.Geometry]] = {}
    table = layer.table
    for code, name, shape in zip(table["number"], table["name"], table.geometry, strict=True):
        shapes.setdefault((_text(code), _text(name)), []).append(shape)
    found = []
    for (code, name), parts in sorted(shapes.items()):
        outline = shapely.union_all(parts)
        outline = outline if aoi is None else shapely.intersection(outline, aoi)
        if outline.area > 0:
            found.append((code, name, outline))
    return found


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)


def _area(
    code: str,
    name: str,
    outline: shapely.Geometry,
    imaged: shapely.Geometry,
    hidden: NDArray[np.object_],
    tree: shapely.STRtree,
    crs: str,
) -> ObservedArea:
    near = np.sort(tree.query(outline, predicate="intersects"))
    lost = shapely.intersection(shapely.intersection(outline, imaged), hidden[near])
    shapes = np.array([outline, shapely.intersection(outline, imaged), *lost], object)
    areas = ellipsoidal_area(shapes, crs)
    whole, shown = (round(float(a) * DM2) for a in areas[:2])
    gone = round(float(areas[2:].sum()) * DM2)
    return ObservedArea(code, name, whole, min(max(shown - gone, 0), whole))


def write_observed(areas: Sequence[ObservedArea], path: Path) -> None:
    """Write the table as CSV that spreadsheets open with Chinese characters."""
    rows = [
        (a.code, a.name, f"{a.area_dm2 / 1e6:.2f}", f"{a.observed_dm2 / 1e6:.2f}", a.percent)
        for a in areas
    ]
    write_csv_rows(path, [HEADER, *rows])
