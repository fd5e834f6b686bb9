"""Where an image lies that is not on the map: by rational polynomials (RPC) or control points.

GDAL's transformers do the warp: of polynomials point by point with the height of the terrain there;
of control points by a thin-plate spline, at the heights that the points have. Here stands what the
warp needs to know beforehand: heights, windows, footprint, ground size.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.errors import TransformWarning
from rasterio.rpc import RPC
from rasterio.transform import GCPTransformer, RPCTransformer
from rasterio.warp import transform, transform_bounds
from rasterio.windows import Window

from configs.errors import RasterError
from tiles.rasters import OPENING, RasterFacts, inspect_raster, open_raster, read_failure
from tiles.scene import Terrain

__all__ = [
    "GROUND_CRS",
    "Orientation",
    "ground_bounds",
    "ground_pixel",
    "map_crs",
    "orientation",
    "pixel_bounds",
    "require_terrain",
    "to_ground",
]

Bounds = tuple[float, float, float, float]
"""West, south, east, north."""

GROUND_CRS = "EPSG:4326"
"""Longitude and latitude of the polynomials."""

LATTICE = 9
"""Points per side at which a cell or an image is projected."""

CHINA = (73.0, 3.0, 136.0, 54.0)
"""Longitudes and latitudes where maps are in 3-degree zones of CGCS2000."""


@dataclass(frozen=True)
class Orientation:
    """How a raw image looks at the ground.

    Attributes
    ----------
    rpc : RPC or None
        Rows and columns count from the file's first pixel.
    terrain : Terrain
        With the constant height filled in where there is no elevation raster.
    points : tuple of tuple of float
        Row, column, longitude, latitude, height of control points where there is no `rpc`.
    """

    rpc: RPC | None
    terrain: Terrain
    points: tuple[tuple[float, float, float, float, float], ...] = ()

    def moved(self, row: float, col: float) -> RPC | list[GroundControlPoint]:
        """Return the polynomials, or the points, of a window whose first pixel is (row, col)."""
        if self.rpc is None:
            return [GroundControlPoint(r - row, c - col, x, y, z) for r, c, x, y, z in self.points]
        values = self.rpc.to_dict()
        values["line_off"] -= row
        values["samp_off"] -= col
        return RPC(**values)

    def transformer(self, **heights: Any) -> RPCTransformer | GCPTransformer:
        """Return rasterio's transformer between pixels and longitude, latitude."""
        if self.rpc is None:
            return GCPTransformer(self.moved(0, 0), tps=True)
        return RPCTransformer(self.rpc, **heights)

    @property
    def options(self) -> dict[str, Any]:
        """GDAL's options of the transformer."""
        terrain = self.terrain
        if self.rpc is None:
            return {"SRC_METHOD": "GCP_TPS"}
        if terrain.dem is None:
            return {"RPC_HEIGHT": terrain.height_m}
        return {"RPC_DEM": terrain.dem.resolve().as_posix(), "RPC_HEIGHT": terrain.geoid_m}

    @property
    def note(self) -> str:
        """What the heights were taken from, for reports."""
        if self.rpc is None:
            heights = [z for *_, z in self.points]
            return f"{len(heights)} control points at {min(heights):g} to {max(heights):g} m"
        if self.terrain.dem is None:
            return f"constant height {self.terrain.height_m:g} m"
        return f"elevation raster {self.terrain.dem.name} {self.terrain.geoid_m:+g} m"


def orientation(facts: RasterFacts, terrain: Terrain) -> Orientation:
    """Return how a raw image looks at the ground.

    Parameters
    ----------
    facts : RasterFacts
        With polynomials or control points.
    terrain : Terrain
        Not used by control points, which have heights. Without elevation raster and height, the
        height that the polynomials are centred on is taken.

    Raises
    ------
    RasterError
        If the elevation raster cannot be opened or has no georeferencing.
    """
    if facts.rpcs is None:
        middle = float(np.mean([z for *_, z in facts.points]))
        return Orientation(None, Terrain(None, middle), facts.points)
    if terrain.dem is None:
        height = facts.rpcs.height_off if terrain.height_m is None else terrain.height_m
        return Orientation(facts.rpcs, Terrain(None, float(height)))
    dem = inspect_raster(terrain.dem)
    if not dem.georeferenced or dem.crs is None:
        raise RasterError(
            "the elevation raster has no georeferencing",
            str(terrain.dem),
            "give one with a CRS, or a constant height (terrain.height_m)",
        )
    return Orientation(facts.rpcs, terrain)


def pixel_bounds(
    look: Orientation, target: Affine, crs: str, shape: tuple[int, int]
) -> tuple[float, float, float, float] | None:
    """Return the rows and columns of the image that a cell of the grid may need.

    The cell is projected at the lowest and the highest ground in it, so that no pixel between can
    lie outside.

    Parameters
    ----------
    look : Orientation
    target : Affine
        Pixels of the cell to CRS coordinates.
    crs : str
        CRS of the grid.
    shape : tuple of int
        Rows and columns of the cell.

    Returns
    -------
    tuple of float or None
        First and last row, first and last column; None where no height is known.
    """
    rows, cols = (np.linspace(0, n, LATTICE) for n in shape)
    points = [target @ (c, r) for r in rows.tolist() for c in cols.tolist()]
    lons, lats = transform(crs, GROUND_CRS, [x for x, _ in points], [y for _, y in points])
    heights = _height_range(look.terrain, (min(lons), min(lats), max(lons), max(lats)))
    if heights is None:
        return None
    found = [_project(look, lons, lats, h) for h in heights]
    lines, samples = np.concatenate(found, axis=1)
    if not (np.isfinite(lines).all() and np.isfinite(samples).all()):
        return None
    return float(lines.min()), float(lines.max()), float(samples.min()), float(samples.max())


def ground_bounds(look: Orientation, height: int, width: int, crs: str) -> Bounds:
    """Return the box in `crs` that holds the footprint of an image.

    Parameters
    ----------
    look : Orientation
    height, width : int
        Size of the image.
    crs : str
    """
    lons, lats = _ground_lattice(look, height, width)
    box = (float(lons.min()), float(lats.min()), float(lons.max()), float(lats.max()))
    west, south, east, north = transform_bounds(GROUND_CRS, crs, *box, densify_pts=21)
    return float(west), float(south), float(east), float(north)


def ground_pixel(look: Orientation, height: int, width: int, crs: str) -> float:
    """Return the side in CRS units of a pixel at the middle of an image: the root of its area."""
    row, col = height / 2, width / 2
    lons, lats = to_ground(look, [row - 5, row - 5, row + 5], [col - 5, col + 5, col - 5])
    xs, ys = (np.array(v) for v in transform(GROUND_CRS, crs, lons, lats))
    across, along = (xs[1] - xs[0], ys[1] - ys[0]), (xs[2] - xs[0], ys[2] - ys[0])
    return math.sqrt(abs(across[0] * along[1] - across[1] * along[0])) / 10


def map_crs(look: Orientation, height: int, width: int) -> str:
    """Return the CRS in which a raw image is mapped where the config names none.

    In China the 3-degree zone of CGCS2000 of the image's middle, elsewhere the UTM zone.

    Parameters
    ----------
    look : Orientation
    height, width : int
        Size of the image.
    """
    lons, lats = to_ground(look, [height / 2], [width / 2])
    lon, lat = float(lons[0]), float(lats[0])
    west, south, east, north = CHINA
    if west <= lon < east and south <= lat < north:
        # EPSG:4534 has the central meridian 75° E, each further code one 3° farther east.
        return f"EPSG:{4534 + min(max(round(lon / 3), 25), 45) - 25}"
    return f"EPSG:{(32601 if lat >= 0 else 32701) + int((lon + 180) // 6) % 60}"


def require_terrain(look: Orientation, box: Bounds, crs: str, where: str) -> None:
    """Refuse an elevation raster that does not cover the area.

    Parameters
    ----------
    look : Orientation
    box : tuple of float
        Area of the analysis inside the image.
    crs : str
        Of the box.
    where : str
        Image named in the message.

    Raises
    ------
    RasterError
    """
    if look.terrain.dem is None:
        return
    facts = inspect_raster(look.terrain.dem)
    assert facts.crs is not None
    wanted = transform_bounds(crs, facts.crs, *box, densify_pts=21)
    has = _box(facts.transform, facts.height, facts.width)
    common = (
        min(wanted[2], has[2]) - max(wanted[0], has[0]),
        min(wanted[3], has[3]) - max(wanted[1], has[1]),
    )
    area = (wanted[2] - wanted[0]) * (wanted[3] - wanted[1])
    share = max(common[0], 0.0) * max(common[1], 0.0) / area
    if share < 1 - 1e-6:
        raise RasterError(
            f"the elevation raster covers {100 * share:.1f} % of the area of {where}",
            str(look.terrain.dem),
            "give one that covers the whole area, limit the area (area.aoi), or give a constant "
            "height (terrain.height_m)",
        )


def _project(
    look: Orientation, lons: Sequence[float], lats: Sequence[float], height: float
) -> NDArray[np.float64]:
    """Return rows and columns of ground points at one height, shape (2, n); pixel edges count."""
    with look.transformer(RPC_HEIGHT=height) as transformer:
        return np.array(transformer.rowcol(list(lons), list(lats), op=float), np.float64)


def _ground_lattice(
    look: Orientation, height: int, width: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows, cols = np.meshgrid(
        np.linspace(0, height, LATTICE), np.linspace(0, width, LATTICE), indexing="ij"
    )
    return to_ground(look, rows.ravel().tolist(), cols.ravel().tolist())


def to_ground(
    look: Orientation, rows: Sequence[float], cols: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return longitudes and latitudes of pixels (edges count), on the terrain where it is known.

    Parameters
    ----------
    look : Orientation
    rows, cols : sequence of float
    """
    found = _unproject(look, rows, cols, look.options)
    missing = ~np.isfinite(found).all(axis=0)
    if missing.any() and look.rpc is not None:
        flat = _unproject(look, rows, cols, {"RPC_HEIGHT": look.rpc.height_off})
        found[:, missing] = flat[:, missing]
    return found[0], found[1]


def _unproject(
    look: Orientation, rows: Sequence[float], cols: Sequence[float], options: dict[str, Any]
) -> NDArray[np.float64]:
    with OPENING, warnings.catch_warnings(), look.transformer(**options) as transformer:
        warnings.simplefilter("ignore", TransformWarning)
        return np.array(transformer.xy(list(rows), list(cols), offset="ul"), np.float64)


def _height_range(terrain: Terrain, box: Bounds) -> tuple[float, float] | None:
    """Return the lowest and highest ground above the ellipsoid in a box of degrees."""
    if terrain.dem is None:
        assert terrain.height_m is not None
        return terrain.height_m, terrain.height_m
    with open_raster(terrain.dem) as ds:
        west, south, east, north = transform_bounds(GROUND_CRS, ds.crs, *box, densify_pts=21)
        back = ~ds.transform
        corners = [back @ (x, y) for x in (west, east) for y in (south, north)]
        cols, rows = ([c[i] for c in corners] for i in (0, 1))
        r0, r1 = max(math.floor(min(rows)) - 2, 0), min(math.ceil(max(rows)) + 2, ds.height)
        c0, c1 = max(math.floor(min(cols)) - 2, 0), min(math.ceil(max(cols)) + 2, ds.width)
        if r0 >= r1 or c0 >= c1:
            return None
        window = Window(c0, r0, c1 - c0, r1 - r0)
        with read_failure(terrain.dem, (1,), window):
            ground = ds.read(1, window=window, masked=True).compressed()
    ground = ground[np.isfinite(ground)]
    if not len(ground):
        return None
    return float(ground.min()) + terrain.geoid_m, float(ground.max()) + terrain.geoid_m


def _box(t: Affine, height: int, width: int) -> Bounds:
    corners = [t @ (c, r) for c in (0, width) for r in (0, height)]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), max(xs), max(ys)
