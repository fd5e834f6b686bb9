"""Counties of a run that keeps to their borders: whose pixel is whose, whose lead is whose.

A county border is a wall. A pixel belongs to the county that holds its centre, components and their
holes end there, and filings and leads count within their county. So the answer for one county is
the same whichever others are worked with it: that is what lets packages of counties be merged.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from configs.errors import ConfigError, InputError
from tiles.labels import burn_labels

if TYPE_CHECKING:
    from configs.run import RunConfig
    from tiles.grid import AnalysisGrid, Extent

__all__ = ["Counties", "County", "counties_of", "worked_counties"]

DIGITS = 6
"""Digits of a county in the code of a town or village."""


@dataclass(frozen=True)
class County:
    """One county; `outline` is WKB in the CRS of the run."""

    code: str
    name: str
    outline: bytes


@dataclass(frozen=True)
class Counties:
    """The counties of the division layer, by code, and those that a run works.

    Attributes
    ----------
    known : tuple of County
        All of them: where outlines overlap, a pixel is the first one's in every run.
    worked : tuple of str
        Codes.
    version : str
        Of the division layer.
    """

    known: tuple[County, ...]
    worked: tuple[str, ...]
    version: str

    @property
    def own(self) -> list[County]:
        """The worked counties, by code."""
        return [c for c in self.known if c.code in self.worked]

    def shapes(self) -> NDArray[np.object_]:
        """Return the outlines of all known counties."""
        return np.asarray(shapely.from_wkb([c.outline for c in self.known]), dtype=object)

    def area(self) -> shapely.Geometry:
        """Return the worked counties as one outline."""
        return shapely.union_all(shapely.from_wkb([c.outline for c in self.own]))

    def near(self, bounds: tuple[float, float, float, float]) -> "Counties":
        """Return the counties that meet a box (west, south, east, north)."""
        meet = shapely.intersects(self.shapes(), shapely.box(*bounds))
        known = tuple(c for c, m in zip(self.known, meet.tolist(), strict=True) if m)
        codes = {c.code for c in known}
        return Counties(known, tuple(c for c in self.worked if c in codes), self.version)

    def masks(
        self, grid: "AnalysisGrid", extent: "Extent"
    ) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yield each worked county that may have pixels of an extent, and which are its own."""
        near = self.near(grid.bounds(extent))
        if not near.worked:
            return
        labels = np.arange(1, len(near.known) + 1, dtype=np.int16)
        owner = burn_labels(near.shapes(), labels, grid, extent)
        for label, county in enumerate(near.known, 1):
            if county.code in near.worked:
                yield county.code, owner == label

    def homes(self, places: NDArray[np.object_]) -> NDArray[np.object_]:
        """Return the code of the county of each place: the one it lies in, else the nearest."""
        points, shapes = shapely.centroid(places), self.shapes()
        codes = np.array([c.code for c in self.known], dtype=object)
        apart = np.array([shapely.distance(shapes, p) for p in points]).reshape(-1, len(shapes))
        return codes[apart.argmin(axis=1)] if len(points) else np.empty(0, dtype=object)


def counties_of(config: "RunConfig", crs: str) -> Counties | None:
    """Return the counties of a run that is to keep to their borders; None of any other.

    Raises
    ------
    ConfigError
        If the config names no layers.
    InputError
        If there is no division layer, or it does not hold the county of the config.
    """
    area = config.area
    if not area.by_county:
        return None
    if config.layers is None:
        raise ConfigError(
            "area.by_county needs a division layer, and the run has no layers",
            "layers: in the config",
            "name a LAYERS.yaml with a layer of the role division",
        )
    layer = _division_layer(config.layers, crs)
    known = tuple(_counties(layer.table, config.layers))
    prefix = area.county_code
    while prefix.endswith("00"):
        prefix = prefix[:-2]
    worked = tuple(c.code for c in known if c.code.startswith(prefix))
    if not worked:
        codes = ", ".join(c.code for c in known[:8]) or "none"
        raise InputError(
            f"the division layer does not hold county {area.county_code}",
            f"area.county_code; there are {codes}",
            "write the code of one county, or of a city or province (ending in 00) for all in it",
        )
    return Counties(known, worked, layer.version)


def worked_counties(layers: Path, crs: str, codes: Iterable[str]) -> Counties:
    """Return the counties of the division layer, of which a run worked some.

    Parameters
    ----------
    layers : Path
        LAYERS.yaml.
    crs : str
    codes : iterable of str

    Raises
    ------
    InputError
        If there is no division layer.
    """
    layer = _division_layer(layers, crs)
    return Counties(tuple(_counties(layer.table, layers)), tuple(sorted(codes)), layer.version)


def _division_layer(layers: Path, crs: str) -> Any:
    from clues.layers import read_role, with_versions
    from configs.layers import LayersFile

    file = with_versions(LayersFile.load(layers))
    specs = tuple(spec for spec in file.layers if spec.role == "division")
    if not specs:
        raise InputError(
            "area.by_county needs a layer of the role division",
            str(layers),
            "add one with codes of 6, 9 or 12 digits, or leave area.by_county out",
        )
    return read_role("division", specs, crs=crs)


def _counties(table: Any, where: Path) -> Iterator[County]:
    """Yield the counties that divisions (counties, towns or villages) make, by code."""
    shapes: dict[str, list[shapely.Geometry]] = {}
    names: dict[str, str] = {}
    for number, name, shape in zip(table["number"], table["name"], table.geometry, strict=True):
        code = str(number or "")[:DIGITS]
        if len(code) != DIGITS or not code.isdigit():
            raise InputError(
                f"a division has the code {number!r}",
                str(where),
                "give every division a code of 6, 9 or 12 digits",
            )
        shapes.setdefault(code, []).append(shape)
        if len(str(number)) == DIGITS and isinstance(name, str):
            names[code] = name
    for code, parts in sorted(shapes.items()):
        outline = shapely.normalize(shapely.union_all(parts))
        yield County(code, names.get(code, ""), shapely.to_wkb(outline))
