"""A real forest watched quarter by quarter: a road of 2017 and clear-cuts of 2020, Sentinel-2."""

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
import yaml
from numpy.typing import NDArray
from scipy import ndimage

from flows.demo.real import _Cube, _land_use
from tiles.catalog import build_catalog

CUBE = "sentinel2_cube_subset_romania_10m.nc"
TREES = "tree_cover_density_2018_romania.tif"
BANDS = {"B2": "B02", "B3": "B03", "B4": "B04", "B8": "B08", "SCL": "SCL"}
CLEAR = (4, 5, 6, 7)
ZONE = "Europe/Bucharest"
LOST = -0.2
"""Summer NDVI of 2020 less that of 2016 from which a pixel counts as lost."""

ROAD_FROM_ROW = 70
"""The road runs through the rows from here on; the clear-cuts of 2020 lie before."""

LEAST_PX = 4
LEAST_CLEAR = 0.95

MONITOR = {
    "version": 1,
    "name": "forest",
    "area": {"time_zone": ZONE},
    "folder": "scenes",
    "sensor": "sentinel2_harmonised",
    "method": "ccdc",
    "history": {"end": dt.date(2018, 12, 31)},
    "patches": {"least_change": 0.2, "direction": "loss"},
}
RUN = {
    "version": 1,
    "name": "forest",
    "profile": "quarterly",
    "area": {"time_zone": ZONE, "county_code": "000000"},
    "catalog": "catalog",
    "freshness": {"oldest_days": None},
    "sensor": "sentinel2_harmonised",
    "layers": "LAYERS.yaml",
    "detection": {"series": "monitor.yaml"},
    "landcover": {"enabled": False},
    "outputs": {"evidence": 2, "formats": ["xlsx", "geojson"], "pictures": 0},
}
SUMMER = {"latest": {"months": [5, 10], "least_usable_percent": 95}}
YEAR_AGO = {"latest": SUMMER["latest"] | {"apart_days": [330, 560]}}
HISTORY = {"latest": SUMMER["latest"] | {"end": dt.date(2016, 12, 31)}}
LAYERS = "version: 1\nlayers:\n  - {role: landuse, source: landuse.gpkg, complete: true}\n"


class Forest:
    """The series, delivered piece by piece into a folder.

    Parameters
    ----------
    source : Path
        Folder of the cube.
    home : Path
        Where scenes, catalogue, layers and configs are written.
    """

    def __init__(self, source: Path, home: Path) -> None:
        self.cube, self.home = _Cube(source / CUBE), home
        home.mkdir(parents=True, exist_ok=True)
        _land_use(source / TREES, home / "landuse.gpkg")
        (home / "LAYERS.yaml").write_text(LAYERS)
        (home / "monitor.yaml").write_text(yaml.safe_dump(MONITOR))

    def deliver(self, until: dt.date) -> int:
        """Write the scenes up to a day that are not there; return how many.

        The catalogue, which pairs are taken from, holds the clear ones.
        """
        new = [d for d in self.cube.dates if d <= until and not self._scene(d).is_dir()]
        for day in new:
            self._write(day)
            if np.isin(self.cube.layer("SCL", day), CLEAR).mean() > LEAST_CLEAR:
                shutil.copytree(self._scene(day), self.home / "clear" / self._scene(day).name)
        build_catalog(
            self.home / "clear",
            self.home / "catalog",
            sensor="sentinel2_harmonised",
            time_zone=ZONE,
        )
        return len(new)

    def config(self, quarter: int, *, before: dict[str, object] = YEAR_AGO) -> Path:
        """Write the run config of a quarter."""
        values = RUN | {"quarter": quarter, "before": before, "after": SUMMER}
        path = self.home / "tuban.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    def quarters(self) -> Iterator[tuple[int, int, dt.date]]:
        """Yield year, quarter and last day of the quarters after the history."""
        for year in (2019, 2020):
            for quarter in (1, 2, 3, 4):
                first = dt.date(year + quarter // 4, quarter % 4 * 3 + 1, 1)
                yield year, quarter, first - dt.timedelta(days=1)

    def summer(self, year: int) -> NDArray[np.float64]:
        """Return the median NDVI of a summer, an estimate that shares nothing with the monitor."""
        planes = []
        for day in (d for d in self.cube.dates if d.year == year and 6 <= d.month <= 9):
            red, nir = (self.cube.layer(b, day).astype(float) for b in ("B4", "B8"))
            ndvi = (nir - red) / np.maximum(nir + red, 1)
            planes.append(np.where(np.isin(self.cube.layer("SCL", day), CLEAR), ndvi, np.nan))
        return np.asarray(np.nanmedian(planes, axis=0))

    def lost(self) -> NDArray[np.bool_]:
        """Return what the summers say was lost: the pseudo-label."""
        return np.asarray(self.summer(2020) - self.summer(2016) < LOST)

    def _scene(self, day: dt.date) -> Path:
        name = f"S2A_MSIL2A_{day:%Y%m%d}T092031_N0214_R093_T34TGQ_{day:%Y%m%d}T120000"
        return self.home / "scenes" / name

    def _write(self, day: dt.date) -> None:
        home = self._scene(day)
        home.mkdir(parents=True)
        profile = {"driver": "GTiff", "height": 100, "width": 100, "count": 1, "crs": "EPSG:3035"}
        for band, name in BANDS.items():
            plane = self.cube.layer(band, day)
            file = home / f"T34TGQ_{day:%Y%m%d}T092031_{name}.tif"
            place = self.cube.transform
            with rasterio.open(file, "w", dtype=plane.dtype, transform=place, **profile) as target:
                target.write(plane, 1)


def places(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Return the connected places of a mask, those of a few pixels left out."""
    label, count = ndimage.label(mask, np.ones((3, 3)))
    found = [label == n for n in range(1, count + 1)]
    return [place for place in found if place.sum() >= LEAST_PX]


def is_road(place: NDArray[np.bool_]) -> bool:
    """Tell whether a place of the pseudo-label belongs to the road."""
    return bool(np.nonzero(place)[0].min() >= ROAD_FROM_ROW)
