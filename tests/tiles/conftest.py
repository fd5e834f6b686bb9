"""Small rasters for the tests of the imagery room."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

MakeTif = Callable[..., Path]
Texture = Callable[..., NDArray[np.float32]]


@pytest.fixture
def make_tif(tmp_path: Path) -> MakeTif:
    """Return a function that writes an array (band, y, x) as GeoTIFF and gives its path."""

    def make(
        name: str,
        values: NDArray[np.generic],
        *,
        x: float = 500000.0,
        y: float = 4000000.0,
        size: float = 10.0,
        crs: str | None = "EPSG:32650",
        transform: Affine | None = None,
        nodata: float | None = None,
        descriptions: tuple[str, ...] = (),
    ) -> Path:
        values = values[None] if values.ndim == 2 else values
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            dtype=values.dtype,
            count=len(values),
            height=values.shape[1],
            width=values.shape[2],
            crs=crs,
            transform=transform or Affine(size, 0, x, 0, -size, y),
            nodata=nodata,
        ) as ds:
            ds.write(values)
            for i, text in enumerate(descriptions):
                ds.set_band_description(i + 1, text)
        return path

    return make


@pytest.fixture
def texture() -> Callable[..., NDArray[np.float32]]:
    """Return a function that makes a smooth random field between 0.02 and 1."""

    def make(shape: tuple[int, int], seed: int = 0, sigma: float = 1.5) -> NDArray[np.float32]:
        from scipy import ndimage

        noise = np.random.default_rng(seed).standard_normal(shape)
        field = ndimage.gaussian_filter(noise, sigma, mode="wrap")
        field += 0.5 * ndimage.gaussian_filter(noise, 4 * sigma, mode="wrap") * 4
        return (0.3 + 0.1 * field / field.std()).clip(0.02, 1).astype(np.float32)

    return make
