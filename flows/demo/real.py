"""A real pair for the demo: two clear summer dates of the Sentinel-2 series in the package `nrt`.

The wheel of nrt 0.2.1 (EUPL-1.2, European Commission, Joint Research Centre) carries a cube of
140 Sentinel-2 scenes of a forest in Romania, 2015–2021, EPSG:3035, with a scene classification,
and a tree-cover raster of 2018 (Copernicus). Clear-cuts and a forest road lie between the dates.
"""

import datetime as dt
import re
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from configs.errors import InputError
from tiles.files import sha256

__all__ = ["PACKAGE", "build_real_pair", "fetch_wheel"]

PACKAGE = "nrt==0.2.1"
WHEEL = "nrt-0.2.1-py3-none-any.whl"
WHEEL_SHA256 = "cd0291f99ce91268a0d993f05be1c69678d62504b01d36e7124d0ff3a51b3ee9"
CRS = "EPSG:3035"
PARTS = {
    "sentinel2_cube_subset_romania_10m.nc": {"B02": "B2", "B03": "B3", "B04": "B4", "B08": "B8"},
    "sentinel2_cube_subset_romania_20m.nc": {"B11": "B11"},
}
TREES = "tree_cover_density_2018_romania.tif"
CLEAR = (4, 5, 6, 7)
"""Scene classes that show the ground: vegetation, bare, water, unclassified."""

SUMMER = (7, 8)

CONFIG = """# A real pair of Sentinel-2 scenes (Romania), taken from the Python package {package}.
# Contains modified Copernicus Sentinel data 2016-2020.
version: 1
name: demo-real
quarter: 3
area: {{county_name: Romania (nrt), time_zone: Europe/Bucharest}}
before: {{scenes: [before], date: {before}, mask: before/mask.tif}}
after: {{scenes: [after], date: {after}, mask: after/mask.tif}}
sensor: sentinel2
layers: LAYERS.yaml
detection: {{sensitivity: high}}
"""

LAYERS = """# Land use made from the tree-cover raster of 2018; there are no papers for this place.
version: 1
layers:
  - {role: landuse, source: landuse.gpkg, scheme: sandiao, complete: true}
"""


def fetch_wheel(cache: Path) -> Path:
    """Return the wheel, fetched with pip where it is not in the cache yet.

    Parameters
    ----------
    cache : Path
        Folder that keeps it.

    Raises
    ------
    InputError
        If the package registry cannot be reached or gave another file.
    """
    wheel = cache / WHEEL
    if not wheel.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet",
                   "--disable-pip-version-check", "--only-binary", ":all:",
                   "--dest", str(cache), PACKAGE]  # fmt: skip
        # our own words and no shell
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # nosec B603
        if done.returncode or not wheel.is_file():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise InputError(
                f"the package {PACKAGE} could not be fetched ({last})",
                "tuban demo --real",
                f"run it where the package registry is reachable, or put {WHEEL} into {cache}; "
                "`tuban demo` without --real needs no network",
            )
    if sha256(wheel) != WHEEL_SHA256:
        raise InputError(
            "the file is not the published wheel", str(wheel), "delete it and run the command again"
        )
    return wheel


def _unpack(wheel: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in (*PARTS, TREES):
            (folder / name).write_bytes(archive.read(f"nrt/data/{name}"))


class _Cube:
    """One netCDF cube, read through GDAL: dates, transform, layers by name and date."""

    def __init__(self, path: Path) -> None:
        self.path = path
        first = next(iter(PARTS[path.name].values()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(self._name(first)) as source:
                tags = source.tags()
            x, y = (self._read(axis, 1).ravel() for axis in "xy")
        since = dt.date.fromisoformat(re.findall(r"\d{4}-\d\d-\d\d", tags["time#units"])[0])
        days = [int(d) for d in tags["NETCDF_DIM_time_VALUES"].strip("{}").split(",")]
        self.dates = [since + dt.timedelta(days=d) for d in days]
        step = float(x[1] - x[0])
        self.transform = Affine(step, 0, float(x[0]) - step / 2, 0, -step, float(y[0]) + step / 2)

    def _name(self, variable: str) -> str:
        return f"netcdf:{self.path}:{variable}"

    def _read(self, variable: str, band: int) -> NDArray[np.generic]:
        with rasterio.open(self._name(variable)) as source:
            return np.asarray(source.read(band))

    def layer(self, variable: str, date: dt.date) -> NDArray[np.generic]:
        """Return one variable of one date."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return self._read(variable, self.dates.index(date) + 1)


def _clear_date(cube: _Cube, year: int) -> dt.date:
    """Return the clearest summer date of a year; the earliest of equals."""
    dates = [d for d in cube.dates if d.year == year and d.month in SUMMER]
    clear = [float(np.isin(cube.layer("SCL", d), CLEAR).mean()) for d in dates]
    return dates[int(np.argmax(clear))]


def _write(path: Path, data: NDArray[np.generic], transform: Affine, nodata: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", width=data.shape[1], height=data.shape[0], count=1,
        dtype=data.dtype, crs=CRS, transform=transform, nodata=nodata, compress="deflate",
    ) as target:  # fmt: skip
        target.write(data, 1)


def _land_use(trees: Path, target: Path) -> None:
    """Write forest and grassland polygons from the tree-cover raster."""
    with rasterio.open(trees) as source:
        forest = (source.read(1) >= 30).astype(np.uint8)
        outlines = rasterio.features.shapes(forest, transform=source.transform)
        rows = [(shapely.geometry.shape(g), "0301" if v else "0404") for g, v in outlines]
        crs = source.crs
    table = gpd.GeoDataFrame(
        {"DLBM": [code for _, code in rows]}, geometry=[shape for shape, _ in rows], crs=crs
    )
    target.unlink(missing_ok=True)
    table.to_file(target, driver="GPKG")


def build_real_pair(out: Path) -> Path:
    """Write the pair, a land-use layer and the run config; return the config's path.

    Parameters
    ----------
    out : Path
        Folder; ``cache/`` in it keeps the wheel.

    Raises
    ------
    InputError
        If the wheel cannot be fetched.
    """
    source = out / "cache"
    _unpack(fetch_wheel(source), source)
    cubes = [_Cube(source / name) for name in PARTS]
    dates = [_clear_date(cubes[0], year) for year in (2016, 2020)]
    for folder, date in zip(("before", "after"), dates, strict=True):
        for cube in cubes:
            for band, variable in PARTS[cube.path.name].items():
                path = out / folder / f"S2_{date:%Y%m%d}_{band}.tif"
                _write(path, cube.layer(variable, date), cube.transform, 0)
        usable = np.isin(cubes[0].layer("SCL", date), CLEAR)
        _write(out / folder / "mask.tif", (~usable).astype(np.uint8), cubes[0].transform, None)
    _land_use(source / TREES, out / "landuse.gpkg")
    (out / "LAYERS.yaml").write_text(LAYERS, encoding="utf-8")
    config = out / "real.yaml"
    config.write_text(
        CONFIG.format(package=PACKAGE, before=dates[0], after=dates[1]), encoding="utf-8"
    )
    return config
