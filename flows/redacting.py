"""Public exports of hand-in packages."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from clues.packagecheck import require_whole
from clues.packagepublic import public_manifest
from clues.packages import Manifest, write_package
from clues.packagetotals import PackageTables, read_tables
from configs.errors import InputError
from flows.packagefiles import Files
from flows.packaging import require_apart, target_of

__all__ = ["redact_package"]

PUBLIC_TOPIC = "公开成果"
OTHERWISE = "EPSG:4490"
"""CGCS2000 in degrees."""


def redact_package(path: Path, out: Path, *, cell_m: float = 500.0) -> tuple[Path, Manifest]:
    """Write a public export of a package: counts on a coarse grid, see `clues.publiccells`.

    Parameters
    ----------
    path : Path
        Package of a run, or a merged one.
    out : Path
        Folder or ``.zip``.
    cell_m : float
        Side of the cells in metres, at least `clues.publiccells.LEAST_CELL_M`.
    """
    from clues.publiccells import CellGrid, blur, count_cells, write_cells

    require_apart(out, [path])
    package = require_whole(path)
    told = package.manifest
    if told.kind == "public":
        raise InputError("the package is public already", str(path), "name the package of a run")
    tables = _in_known_crs(read_tables(package))
    lonlat = tables.patches[["lon", "lat"]].to_numpy(dtype=float)
    bounds = (*lonlat.min(axis=0), *lonlat.max(axis=0)) if len(lonlat) else (0.0, 0.0, 0.0, 0.0)
    grid = CellGrid.over(bounds, tables.patches.crs.to_string(), cell_m)
    cells = blur(count_cells(tables, grid))
    manifest = public_manifest(package, tables, cells, grid)
    target = target_of(out, manifest, PUBLIC_TOPIC, [path])
    with TemporaryDirectory(prefix="tuban-package-") as folder:
        scratch = Path(folder)
        named = write_cells(cells, grid, scratch)
        files: Files = {name: (scratch / name, zh, en) for name, (zh, en) in named.items()}
        return target, write_package(target, manifest, files)


def _in_known_crs(tables: PackageTables) -> PackageTables:
    """Return tables in a registered CRS: the names and origins of others are not for the public."""
    authority = tables.patches.crs.to_authority(min_confidence=100)
    if authority is not None and authority[0] == "EPSG":
        known = ":".join(authority)
        return replace(tables, patches=tables.patches.set_crs(known, allow_override=True))
    return replace(tables, patches=tables.patches.to_crs(OTHERWISE))
