"""Which blocks of a raster are damaged: looked for only after a read has failed.

Reading every block before a run would take as long as the run; a file that opens and ends well
is therefore believed until a block of it cannot be read.
"""

from pathlib import Path

from rasterio.enums import Interleaving
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from configs.errors import DamagedImage
from tiles.rasters import gdal_env, open_raster
from tiles.remote import is_remote
from tiles.scene import Epoch, Scene

__all__ = ["damage_of", "damaged_image", "files_of"]


def files_of(scene: Scene) -> dict[Path, tuple[int, ...]]:
    """Return the files of a scene with the bands that are read of each."""
    found: dict[Path, set[int]] = {}
    for band in (*scene.bands.values(), scene.pan, scene.mask):
        if band is not None:
            found.setdefault(band.path, set()).add(band.index)
    return {path: tuple(sorted(indexes)) for path, indexes in found.items()}


def damage_of(where: str, epochs: tuple[Epoch, ...]) -> DamagedImage | None:
    """Return the damage behind a failed read of a scene's file, None where it cannot be found.

    The file is read again, block by block: what can now be read was a passing failure of the
    disk. Images on other machines are not judged.

    Parameters
    ----------
    where : str
        What the error of the read names.
    epochs : tuple of Epoch
    """
    for scene in (scene for epoch in epochs for scene in epoch.scenes):
        for path, indexes in files_of(scene).items():
            if where.startswith(f"{path},") and not is_remote(path):
                return damaged_image(path, indexes)
    return None


def damaged_image(path: Path, indexes: tuple[int, ...]) -> DamagedImage | None:
    """Read every block of some bands of a file; return an error with the first one that fails."""
    failed: list[tuple[str, Window, str]] = []
    count = 0
    with gdal_env(), open_raster(path) as ds:
        together = ds.interleaving == Interleaving.pixel
        for group in (indexes,) if together else tuple((i,) for i in indexes):
            for _, window in ds.block_windows(group[0]):
                count += 1
                if why := _failure(ds, group, window):
                    failed.append((", ".join(map(str, group)), window, why))
    if not failed:
        return None
    bands, window, why = failed[0]
    rows = f"rows {window.row_off}–{window.row_off + window.height - 1}"
    columns = f"columns {window.col_off}–{window.col_off + window.width - 1}"
    return DamagedImage(
        f"{len(failed)} of {count} blocks of the file are damaged and cannot be read ({why})",
        f"{path}, band {bands}, first block: {rows}, {columns}",
        "copy or download the file again",
    )


def _failure(ds: DatasetReader, indexes: tuple[int, ...], window: Window) -> str:
    try:
        ds.read(list(indexes), window=window)
    except (RasterioError, OSError) as error:
        cause = error.__cause__ if error.__cause__ is not None else error
        return " ".join(str(cause).split()) or type(error).__name__
    return ""
