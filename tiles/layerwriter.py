"""Several rasters of one extent at a time, part by part, to cloud-optimised GeoTIFFs."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window

from configs.errors import ResourceError
from tiles.files import PART_MARK, atomic_path
from tiles.grid import AnalysisGrid, Extent
from tiles.rasters import gdal_env

__all__ = ["RasterLayer", "write_layers"]

BLOCK = 512

COG_OPTIONS = {
    "COMPRESS": "ZSTD",
    "LEVEL": "1",
    "BLOCKSIZE": str(BLOCK),
    "OVERVIEW_RESAMPLING": "NEAREST",
    "OVERVIEWS": "AUTO",
    "BIGTIFF": "IF_SAFER",
}


@dataclass(frozen=True)
class RasterLayer:
    """One raster that is to be written.

    Attributes
    ----------
    name : str
        Key of its values in the parts; ``NAME.tif`` is its file.
    dtype : str
    nodata : float
    title : str
        Description of the band, Chinese and English.
    tags : mapping of str to str
    """

    name: str
    dtype: str
    nodata: float
    title: str
    tags: Mapping[str, str] = field(default_factory=dict)


def write_layers(
    folder: Path,
    layers: Sequence[RasterLayer],
    parts: Iterable[tuple[Extent, Mapping[str, NDArray[Any]]]],
    grid: AnalysisGrid,
    extent: Extent,
) -> list[Path]:
    """Write rasters of one band each; memory does not grow with them.

    Parameters
    ----------
    folder : Path
    layers : sequence of RasterLayer
    parts : iterable of (Extent, mapping of name to ndarray)
        They cover `extent` together.
    grid : AnalysisGrid
    extent : Extent

    Returns
    -------
    list of Path
        Each replaced as a whole when the writing has succeeded.

    Raises
    ------
    ResourceError
        If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = f"{PART_MARK}{uuid.uuid4().hex[:8]}-plain-"
    plain = {layer.name: folder / f"{mark}{layer.name}.tif" for layer in layers}
    targets = [folder / f"{layer.name}.tif" for layer in layers]
    try:
        with gdal_env():
            with ExitStack() as stack:
                opened = {
                    x.name: stack.enter_context(_opened(plain, x, grid, extent)) for x in layers
                }
                for part, values in parts:
                    rows, cols = part.slices_in(extent)
                    window = Window(cols.start, rows.start, part.width, part.height)
                    for name, ds in opened.items():
                        ds.write(values[name], 1, window=window)
            for layer, target in zip(layers, targets, strict=True):
                with atomic_path(target) as file:
                    copy_raster(plain[layer.name], file, driver="COG", **COG_OPTIONS)
    except RasterioError as error:
        raise ResourceError(
            f"the raster cannot be written ({error})", str(folder), "check the disk and run again"
        ) from error
    finally:
        for path in plain.values():
            path.unlink(missing_ok=True)
    return targets


def _opened(
    plain: Mapping[str, Path], layer: RasterLayer, grid: AnalysisGrid, extent: Extent
) -> Any:
    ds = rasterio.open(
        plain[layer.name],
        "w",
        driver="GTiff",
        dtype=layer.dtype,
        count=1,
        height=extent.height,
        width=extent.width,
        crs=grid.crs,
        transform=grid.transform(extent),
        nodata=layer.nodata,
        tiled=True,
        blockxsize=BLOCK,
        blockysize=BLOCK,
        BIGTIFF="IF_SAFER",
    )
    ds.set_band_description(1, layer.title)
    ds.update_tags(**dict(layer.tags))
    return ds
