"""Raw images of invented terrain, by a forward RPC model that shares nothing with the product."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A pushbroom image as RPC00B: offsets, scales and four cubic polynomials."""

    lon: float
    lat: float
    lines: int
    samples: int
    gsd: float
    look: float = 0.35
    height: float = 200.0
    moved: tuple[float, float] = (0.0, 0.0)
    coefficients: dict[str, list[float]] = field(default_factory=dict)

    def scales(self) -> tuple[float, float, float]:
        """Return half the footprint in degrees of longitude and latitude, and 500 m of height."""
        metres = 111320 * np.cos(np.radians(self.lat))
        return self.samples * self.gsd / 2 / metres, self.lines * self.gsd / 2 / 110950, 500.0

    def polynomials(self) -> dict[str, list[float]]:
        """Return the twenty coefficients of the four polynomials."""
        found = {k: [0.0] * 20 for k in ("line_num", "line_den", "samp_num", "samp_den")}
        parallax = 500.0 * self.look / (self.gsd / 2)
        # 1, L, P, H, LP, LH, PH, L2, P2, H2, PLH, L3, LP2, LH2, L2P, P3, PH2, L2H, P2H, H3
        for number, value in (
            (1, 1.0),
            (3, parallax / self.samples),
            (4, 1e-3),
            (7, 3e-4),
            (11, 1e-4),
        ):
            found["samp_num"][number] = value
        for number, value in ((2, -1.0), (1, 0.02), (3, 0.1 * parallax / self.lines), (5, 4e-4)):
            found["line_num"][number] = value
        found["samp_den"][:3], found["line_den"][:3] = [1.0, 2e-4, -1e-4], [1.0, 0.0, 3e-4]
        return found

    def project(self, lon: Array, lat: Array, height: Array) -> tuple[Array, Array]:
        """Return line and sample of ground points; the centre of the first pixel is (0, 0)."""
        scale = self.scales()
        x, y = (lon - self.lon) / scale[0], (lat - self.lat) / scale[1]
        z = (height - self.height) / scale[2]
        first = [np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x, y * y, z * z, x * y * z]
        cubes = [x**3, x * y * y, x * z * z, x * x * y, y**3, y * z * z]
        terms = np.stack([*first, *cubes, x * x * z, y * y * z, z**3])
        p = {k: np.tensordot(np.array(v), terms, 1) for k, v in self.polynomials().items()}
        line = p["line_num"] / p["line_den"] * self.lines / 2 + (self.lines - 1) / 2
        sample = p["samp_num"] / p["samp_den"] * self.samples / 2 + (self.samples - 1) / 2
        return line + self.moved[0], sample + self.moved[1]

    def ground(self, terrain: Callable[[Array, Array], Array]) -> tuple[Array, Array]:
        """Return longitude and latitude that each pixel sees, by Newton's method on the terrain."""
        lines, samples = np.mgrid[: self.lines, : self.samples].astype(float)
        x, y = np.full(lines.shape, self.lon), np.full(lines.shape, self.lat)
        step, off = 1e-6, np.array(np.inf)
        while np.abs(off).max() > 1e-3:
            row, col = self.project(x, y, terrain(x, y))
            row_x, col_x = self.project(x + step, y, terrain(x + step, y))
            row_y, col_y = self.project(x, y + step, terrain(x, y + step))
            a, b, c, d = col_x - col, col_y - col, row_x - row, row_y - row
            off = np.stack([samples - col, lines - row])
            x = x + step * (d * off[0] - b * off[1]) / (a * d - b * c)
            y = y + step * (a * off[1] - c * off[0]) / (a * d - b * c)
        return x, y

    def write_rpb(self, path: Path) -> None:
        """Write the ``.rpb`` file of a delivery."""
        scale, p = self.scales(), self.polynomials()
        values = {
            "errBias": 1.0, "errRand": 0.5,
            "lineOffset": (self.lines - 1) / 2 + self.moved[0],
            "sampOffset": (self.samples - 1) / 2 + self.moved[1],
            "latOffset": self.lat, "longOffset": self.lon, "heightOffset": self.height,
            "lineScale": self.lines / 2, "sampScale": self.samples / 2,
            "latScale": scale[1], "longScale": scale[0], "heightScale": scale[2],
        }  # fmt: skip
        text = ['satId = "GF2";', 'bandId = "MSS";', 'SpecId = "RPC00B";', "BEGIN_GROUP = IMAGE"]
        text += [f"\t{name} = {float(value)!r};" for name, value in values.items()]
        for name in ("line_num", "line_den", "samp_num", "samp_den"):
            key = f"{name[:4]}{name[5:].capitalize()}Coef"
            text += [f"\t{key} = (", ",\n".join(f"\t\t\t{float(v)!r}" for v in p[name]) + ");"]
        path.write_text("\n".join([*text, "END_GROUP = IMAGE", "END;"]) + "\n", encoding="ascii")


def write_raw(path: Path, bands: NDArray[np.generic]) -> None:
    """Write an image without any georeferencing."""
    size = {"height": bands.shape[1], "width": bands.shape[2], "count": len(bands)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", driver="GTiff", dtype=bands.dtype, **size) as raster:
        raster.write(bands)


def write_dem(
    path: Path, terrain: Callable[[Array, Array], Array], box: tuple[float, float, float, float]
) -> None:
    """Write the terrain at 0.0002° (about 20 m) over west, south, east, north."""
    west, south, east, north = box
    size = 2e-4
    width, height = round((east - west) / size), round((north - south) / size)
    lon = west + (np.arange(width) + 0.5) * size
    lat = north - (np.arange(height) + 0.5) * size
    values = terrain(*np.meshgrid(lon, lat)).astype(np.float32)
    profile = {"height": height, "width": width, "count": 1, "crs": "EPSG:4326"}
    transform = Affine(size, 0, west, 0, -size, north)
    with rasterio.open(
        path, "w", driver="GTiff", dtype="float32", transform=transform, **profile
    ) as raster:
        raster.write(values, 1)
