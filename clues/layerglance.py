"""A look at layers before a run: whether they can be read, how many rows, how many are faulty.

Everything that would refuse a layer is found; outlines are neither brought to the CRS of the run
nor to its precision, and not compared with each other, which takes most of the time of reading.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyproj
import shapely

from clues.crs import crs_name
from clues.layerrows import chosen_of, parsed_rows, source_of
from clues.layers import with_versions
from configs.layers import LayersFile, LayerSpec, role_fields
from tiles.geodesy import to_cgcs2000, transformer

__all__ = ["AwayLayer", "LayerGlance", "Place", "glance_at", "glance_at_file"]

Box = tuple[float, float, float, float]
"""West, south, east, north."""

PARTS = 21
"""Parts of a side of a box that is brought into another CRS, where it is bent."""


@dataclass(frozen=True)
class Place:
    """The box of a run in its CRS."""

    bounds: Box
    crs: str


@dataclass(frozen=True)
class AwayLayer:
    """A source that lies beside the box of a run; `km` are between their middles."""

    name: str
    source: str
    rows: int
    km: int


@dataclass(frozen=True)
class LayerGlance:
    """What a look at all sources of a role found.

    Attributes
    ----------
    role : str
    rows : int
        With an outline.
    problems : int
        Values that cannot be read or mean nothing known, outlines that are missing or broken.
    away : tuple of AwayLayer
        Empty where the place of the run is not known.
    """

    role: str
    rows: int
    problems: int
    away: tuple[AwayLayer, ...] = ()


def glance_at_file(path: Path, place: Place | None = None) -> list[LayerGlance]:
    """Look at the layers of a layers file, by role in order of their names.

    Parameters
    ----------
    path : Path
    place : Place, optional
        Of the run that is to be judged against them.

    Raises
    ------
    ConfigError
        If the layers file breaks its contract.
    LayerError
        If a layer would be refused.
    """
    file = with_versions(LayersFile.load(path))
    names = sorted({spec.role for spec in file.layers})
    return [glance_at((s for s in file.layers if s.role == name), place) for name in names]


def glance_at(specs: Iterable[LayerSpec], place: Place | None = None) -> LayerGlance:
    """Look at the sources of one role, at least one.

    Raises
    ------
    LayerError
        If one would be refused.
    """
    rows = problems = 0
    away = []
    for spec in specs:
        source = source_of(spec)
        table, report = parsed_rows(spec, source, role_fields(spec.role))
        table, found = chosen_of(spec, source, table, report)
        shapes = source.geometry.to_numpy()[table["row"].to_numpy() - 1]
        drawn = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
        rows += int(drawn.sum())
        problems += len(found) + int((~drawn | ~shapely.is_valid(shapes)).sum())
        if place is not None and drawn.any():
            west, south, east, north = map(float, shapely.total_bounds(shapes[drawn]))
            box = (west, south, east, north)
            if (km := _km_away(box, crs_name(source.crs), place)) is not None:
                away.append(AwayLayer(spec.name, str(spec.source), int(drawn.sum()), km))
    return LayerGlance(spec.role, rows, problems, tuple(away))


def _km_away(bounds: Box, crs: str, place: Place) -> int | None:
    """Return how far the box of a layer lies from a place, middle to middle; None if they meet."""
    west, south, east, north = _bounds_in(crs, place)
    if bounds[0] <= east and bounds[2] >= west and bounds[1] <= north and bounds[3] >= south:
        return None
    ends = [_middle(bounds, crs), _middle(place.bounds, place.crs)]
    metres = float(pyproj.Geod(ellps="GRS80").inv(*ends[0], *ends[1])[2])
    return round(metres / 1000)


def _bounds_in(crs: str, place: Place) -> Box:
    """Return the box of a place in another CRS, by way of CGCS2000.

    Most layers are in a CRS of that; the first way from another datum takes a tenth of a second.
    """
    west, south, east, north = place.bounds
    box = shapely.segmentize(shapely.box(*place.bounds), max(east - west, north - south) / PARTS)
    lonlat = to_cgcs2000(shapely.get_coordinates(box), place.crs)
    x, y = transformer("EPSG:4490", crs).transform(lonlat[:, 0], lonlat[:, 1])
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _middle(bounds: Box, crs: str) -> tuple[float, float]:
    """Return longitude and latitude of the middle of a box."""
    west, south, east, north = bounds
    lon, lat = transformer(crs, "EPSG:4490").transform((west + east) / 2, (south + north) / 2)
    return float(lon), float(lat)
