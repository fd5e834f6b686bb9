"""The only door to raster files: allowed formats, one look at a header, errors with a remedy."""

import math
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.rpc import RPC
from rasterio.windows import Window

from configs.errors import RasterError
from tiles.remote import is_remote, require_host

__all__ = [
    "CACHE_MB",
    "DRIVERS",
    "SUFFIXES",
    "RasterFacts",
    "crs_name",
    "gdal_env",
    "inspect_raster",
    "open_raster",
    "probe",
    "read_failure",
]

CACHE_MB = 64
"""GDAL's block cache per process, MB; the blocks of images are kept by `tiles.sources`."""

DRIVERS = ("GTiff", "COG", "ENVI", "JP2OpenJPEG", "HFA", "PNG", "BMP")
"""Formats a user's raster may have. None of them can refer to other files or to the network."""

SUFFIXES = (".tif", ".tiff", ".jp2", ".img", ".dat", ".bsq", ".bil", ".bip", ".png", ".bmp", "")
"""Suffixes under which a folder is searched for rasters."""

OPENING = threading.Lock()
"""Held while the warning filters are changed, which is not safe between threads."""

LEAST_POINTS = 10
"""Control points from which on they tell where each pixel lies; the corners alone do not."""

OTHER_SCHEME = re.compile(r"^(/vsi|[A-Za-z][A-Za-z0-9+.-]+:/)")


@dataclass(frozen=True)
class RasterFacts:
    """What a raster's header says.

    Attributes
    ----------
    crs : str or None
        ``EPSG:n`` or WKT.
    transform : Affine
        Pixel (column, row) to CRS x, y.
    georeferenced : bool
        Whether the file carries a transform at all.
    descriptions : tuple of str
        Name of each band, empty where there is none.
    wavelengths_um : tuple of float or None
        Band centres in micrometres.
    rpcs : RPC or None
        Rational polynomials, from the file or from ``.rpb`` or ``_RPC.TXT`` beside it.
    control_points : int
        Ground control points of an image that is not geocoded.
    points : tuple of tuple of float
        These points in longitude and latitude: row, column, longitude, latitude, height. Empty
        where there are too few to place an image, or where they are in another CRS.
    """

    path: Path
    driver: str
    height: int
    width: int
    count: int
    dtype: str
    crs: str | None
    transform: Affine
    georeferenced: bool
    nodata: float | None
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    descriptions: tuple[str, ...]
    wavelengths_um: tuple[float | None, ...]
    rpcs: RPC | None = None
    control_points: int = 0
    points: tuple[tuple[float, float, float, float, float], ...] = ()

    @property
    def is_raw(self) -> bool:
        """Whether only rational polynomials or many control points tell where the image lies."""
        return not self.georeferenced and (self.rpcs is not None or bool(self.points))

    @property
    def pixel_area(self) -> float:
        """Area of a pixel in squared CRS units."""
        return abs(float(self.transform.determinant))

    @property
    def is_north_up(self) -> bool:
        """Whether rows run west to east and columns north to south, without rotation."""
        t = self.transform
        turn = max(abs(t.b) / abs(t.a or 1), abs(t.d) / abs(t.e or 1))
        return bool(t.a > 0 and t.e < 0 and turn < 1e-9)


def gdal_env() -> rasterio.Env:
    """Return GDAL's settings here: a small block cache, messages to the log, no scripts.

    Of a remote file nothing is asked but itself: no listing, no companions, no stored passwords.
    """
    return rasterio.Env(
        GDAL_CACHEMAX=CACHE_MB,
        GDAL_VRT_ENABLE_PYTHON="NO",
        GDAL_HTTP_NETRC="NO",
        GDAL_HTTP_TIMEOUT=60,
        GDAL_HTTP_MAX_RETRY=3,
    )


def open_raster(path: Path) -> DatasetReader:
    """Open a raster of an allowed format for reading.

    Parameters
    ----------
    path : Path
        A regular file, or an address on an allowed host (see `tiles.remote`). Virtual rasters
        and GDAL's virtual paths are refused, also as overviews that a file refers to.

    Raises
    ------
    RasterError
        Naming the file.
    """
    name = _name_for_gdal(path)
    try:
        alone = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"} if is_remote(path) else {}
        with OPENING, warnings.catch_warnings(), gdal_env(), rasterio.Env(**alone):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            ds = DatasetReader(name, driver=list(DRIVERS), sharing=False)
            other = ds.tags(ns="OVERVIEWS").get("OVERVIEW_FILE")
    except (RasterioError, ValueError) as error:
        _require_image(path)
        raise RasterError(
            f"the file cannot be opened as a raster ({_one_line(error)})",
            str(path),
            f"give a whole file in one of these formats: {', '.join(DRIVERS)}",
        ) from error
    if other:
        ds.close()
        raise RasterError(
            f"the file refers to another file for its overviews: {other}",
            str(path),
            "remove OVERVIEW_FILE from its .aux.xml",
        )
    return ds


def _require_image(path: Path) -> None:
    """Say of a file that is no image what it is."""
    if is_remote(path):
        return
    with path.open("rb") as handle:
        head = handle.read(512).lstrip().lower()
    if head.startswith(b"<vrtdataset"):
        raise RasterError(
            "virtual rasters (VRT) are refused: they may refer to any other file",
            str(path),
            "name the image files themselves; scenes: takes several",
        )
    if not head or head.startswith((b"<!doctype", b"<html", b"<?xml", b"{")):
        kind = "a text or web page, no image" if head else "empty"
        raise RasterError(
            f"the file is {kind}", str(path), "download the file again; the last try failed"
        )


def _name_for_gdal(path: Path) -> str:
    if is_remote(path):
        return f"/vsicurl/{require_host(path)}"
    if OTHER_SCHEME.match(path.as_posix()):
        raise RasterError(
            "only local raster files are read, and those of allowed hosts",
            str(path),
            "copy the image here and name the copy",
        )
    if not path.is_file():
        raise RasterError("there is no such raster file", str(path), "check the path")
    return path.resolve().as_posix()


def inspect_raster(path: Path) -> RasterFacts:
    """Read a raster's header.

    Raises
    ------
    RasterError
        If it cannot be opened.
    """
    with gdal_env(), open_raster(path) as ds:
        none = ds.transform == Affine.identity()
        rpcs = _polynomials(ds, path)
        return RasterFacts(
            path=path,
            driver=str(ds.driver),
            height=int(ds.height),
            width=int(ds.width),
            count=int(ds.count),
            dtype=str(ds.dtypes[0]),
            crs=crs_name(ds.crs) if ds.crs and not (none and rpcs) else None,
            transform=ds.transform,
            georeferenced=not none,
            nodata=None if ds.nodata is None else float(ds.nodata),
            scales=tuple(float(s) for s in ds.scales),
            offsets=tuple(float(o) for o in ds.offsets),
            descriptions=tuple(d or "" for d in ds.descriptions),
            wavelengths_um=tuple(_wavelength(ds.tags(i + 1)) for i in range(ds.count)),
            rpcs=rpcs,
            control_points=len(ds.gcps[0]),
            points=_control_points(ds) if none else (),
        )


def _control_points(ds: DatasetReader) -> tuple[tuple[float, float, float, float, float], ...]:
    points, crs = ds.gcps
    if len(points) < LEAST_POINTS or crs is None or crs.to_epsg() != 4326:
        return ()
    return tuple((p.row, p.col, p.x, p.y, p.z or 0.0) for p in points)


def crs_name(crs: CRS) -> str:
    """Return ``EPSG:n`` where a CRS has such a code, else its WKT."""
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())


def probe(path: Path, *indexes: int) -> None:
    """Read the last pixel of some bands, so that a truncated file is found before the work begins.

    Raises
    ------
    RasterError
        Naming the file and the bands.
    """
    with gdal_env(), open_raster(path) as ds:
        window = Window(ds.width - 1, ds.height - 1, 1, 1)
        # GDAL reads zeros behind the end of a plain binary file and says nothing.
        needed = ds.count * ds.height * ds.width * np.dtype(ds.dtypes[0]).itemsize
        if ds.driver == "ENVI" and path.stat().st_size < needed and not _is_gzip(path):
            raise RasterError(
                f"the file has {path.stat().st_size} bytes and needs {needed}: it is truncated",
                f"{path}, band {', '.join(str(i) for i in indexes)}",
                "copy or download the file again",
            )
        with read_failure(path, indexes, window):
            ds.read(list(indexes), window=window)


@contextmanager
def read_failure(path: Path, indexes: tuple[int, ...], window: Window) -> Iterator[None]:
    """Turn a failure of reading pixels into a `RasterError` that names file, bands and window."""
    try:
        yield
    except (RasterioError, OSError) as error:
        numbers = ", ".join(str(i) for i in indexes)
        rows = f"rows {int(window.row_off)}–{int(window.row_off + window.height) - 1}"
        cols = f"columns {int(window.col_off)}–{int(window.col_off + window.width) - 1}"
        raise RasterError(
            f"pixels cannot be read ({_one_line(error)}); the file may be truncated or damaged",
            f"{path}, band {numbers}, {rows}, {cols}",
            "copy or download the file again",
        ) from error


def _polynomials(ds: DatasetReader, path: Path) -> RPC | None:
    try:
        return ds.rpcs
    except (ValueError, KeyError, IndexError) as error:
        raise RasterError(
            f"the rational polynomials cannot be read ({_one_line(error)})",
            str(path),
            "copy the .rpb or _RPC.TXT file of the delivery again",
        ) from error


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(2) == b"\x1f\x8b"


def _one_line(error: Exception) -> str:
    cause = error.__cause__ if error.__cause__ is not None else error
    return " ".join(str(cause).split()) or type(error).__name__


def _wavelength(tags: dict[str, str]) -> float | None:
    text = tags.get("wavelength", tags.get("CENTRAL_WAVELENGTH_UM", ""))
    try:
        value = float(text)
    except ValueError:
        return None
    units = tags.get("wavelength_units", "").lower()
    if units.startswith("nano") or (not units and value > 100):
        value /= 1000
    return value if math.isfinite(value) and value > 0 else None
