"""What map sheets show: the whole, townships, national sheets, or given bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.outputs.tables import ClueTables
from configs.errors import InputError
from tiles.geodesy import sheet_bounds, transformer

__all__ = [
    "SPARE",
    "BasePictures",
    "Bounds",
    "Division",
    "MapPart",
    "map_parts",
    "part_of_bounds",
    "safe_name",
]

Bounds = tuple[float, float, float, float]
TOWN_DIGITS = 9
SPARE, SHEET_SPARE = 1.03, 1.005
"""Ground that a frame shows to that of its part; a national sheet is to fit at its own scale."""


class BasePictures(Protocol):
    """Gives the picture of a frame: RGB and the bounds that it really covers."""

    def __call__(self, bounds: Bounds, most_px: int, /) -> tuple[NDArray[np.uint8], Bounds]:
        """Return RGB of shape (y, x, 3) and its west, south, east, north."""


@dataclass(frozen=True)
class Division:
    """An administrative division in the CRS of the run."""

    code: str
    name: str
    shape: Any


@dataclass(frozen=True)
class MapPart:
    """What one sheet shows.

    Attributes
    ----------
    key : str
        For file names; "" for the whole.
    name : str
        For the title; "" for the whole.
    bounds : tuple of float
        In the CRS of the run; the frame holds at least this.
    shape : geometry or None
        Clues outside it are drawn without number; its edge is drawn.
    title : str
        Instead of the usual one.
    whole : bool
        Made of whole divisions.
    spare : float
        Ground that the frame shows to that of `bounds`, at least.
    """

    key: str
    name: str
    bounds: Bounds
    shape: Any = None
    title: str = ""
    whole: bool = True
    spare: float = SPARE


def map_parts(tables: ClueTables, divisions: Sequence[Division], by: str) -> list[MapPart]:
    """Return the parts of a run: all of it, its townships, or its 1:10 000 sheets.

    Parameters
    ----------
    tables : ClueTables
    divisions : sequence of Division
    by : {"county", "township", "sheet"}
        Townships and sheets without clues are left out.

    Raises
    ------
    InputError
        If there are no clues, or townships are wanted and the run names none.
    """
    clues = tables.clues
    if not len(clues):
        raise InputError("the run has no clues", tables.title.run_name, "there is nothing to map")
    if by == "county":
        shapes = np.array([*clues.geometry, *(d.shape for d in divisions)], dtype=object)
        return [MapPart("", "", _bounds(shapes))]
    if by == "sheet":
        crs = tables.patches.crs.to_string()
        return [_national_sheet(number, crs) for number in sorted(set(clues["sheet"]))]
    if not divisions:
        raise InputError(
            "the layers of the run have no division layer",
            tables.title.run_name,
            "add a layer of role division to the layers file, or choose --by county or sheet",
        )
    points = shapely.point_on_surface(clues.geometry.to_numpy())
    found = []
    for division in towns(divisions):
        shapely.prepare(division.shape)
        own = clues.geometry.to_numpy()[shapely.intersects(division.shape, points)]
        if len(own):
            name = division.name or division.code
            bounds = _bounds(np.array([division.shape, *own], dtype=object))
            found.append(MapPart(name, name, bounds, division.shape))
    return found


def towns(divisions: Sequence[Division]) -> list[Division]:
    """Return the divisions with township codes; all of them where no code is one."""
    named = [d for d in divisions if len(d.code) == TOWN_DIGITS]
    return named or list(divisions)


def part_of_bounds(lonlat: Bounds, crs: str) -> MapPart:
    """Return the part between longitudes and latitudes on CGCS2000.

    Raises
    ------
    InputError
        If the bounds are none.
    """
    west, south, east, north = lonlat
    if not (-180 <= west < east <= 180 and -90 < south < north < 90):
        raise InputError(
            f"{west}, {south}, {east}, {north} are no bounds",
            "--bounds",
            "give west,south,east,north in degrees, such as 114.5,36.6,114.6,36.7",
        )
    shape = _from_lonlat(shapely.box(*lonlat), crs)
    return MapPart("bounds", "", _bounds(np.array([shape], dtype=object)), shape, whole=False)


def _national_sheet(number: str, crs: str) -> MapPart:
    shape = _from_lonlat(shapely.box(*sheet_bounds(number)), crs)
    bounds = _bounds(np.array([shape], dtype=object))
    return MapPart(number, number, bounds, shape, whole=False, spare=SHEET_SPARE)


def _from_lonlat(shape: Any, crs: str) -> Any:
    """Return a rectangle of degrees in the CRS; its sides may bend there."""

    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer("EPSG:4490", crs).transform(xy[:, 0], xy[:, 1]))

    return shapely.transform(shapely.segmentize(shape, 0.01), move)


def _bounds(shapes: NDArray[Any]) -> Bounds:
    west, south, east, north = (float(v) for v in shapely.total_bounds(shapes))
    return west, south, east, north


def safe_name(name: str) -> str:
    """Return a name as a part of a file name."""
    kept = "".join(c if c.isalnum() or c in "-_（）()" else "_" for c in name)
    return kept.strip("_")[:60]
