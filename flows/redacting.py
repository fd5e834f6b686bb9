"""Public exports of hand-in packages."""

from pathlib import Path
from tempfile import TemporaryDirectory

from clues.packagecheck import require_whole
from clues.packages import Manifest, write_package
from clues.packagetotals import read_tables
from configs.errors import InputError
from flows.packaging import Files, require_apart, target_of

__all__ = ["redact_package"]

PUBLIC_TOPIC = "公开成果"


def redact_package(path: Path, out: Path, *, cell_m: float = 500.0) -> tuple[Path, Manifest]:
    """Write a public export of a package: counts on a coarse grid, see `clues.publiccells`.

    Parameters
    ----------
    path : Path
        Package of a run, or a merged one.
    out : Path
        Folder or ``.zip``.
    cell_m : float
        Side of the cells in metres.
    """
    from clues.publiccells import CellGrid, count_cells, write_cells

    require_apart(out, [path])
    package = require_whole(path)
    told = package.manifest
    if told.kind == "public":
        raise InputError("the package is public already", str(path), "name the package of a run")
    tables = read_tables(package)
    crs = tables.patches.crs.to_string()
    lonlat = tables.patches[["lon", "lat"]].to_numpy(dtype=float)
    bounds = (*lonlat.min(axis=0), *lonlat.max(axis=0)) if len(lonlat) else (0.0, 0.0, 0.0, 0.0)
    grid = CellGrid.over(bounds, crs, cell_m)
    cells = count_cells(tables, grid)
    with TemporaryDirectory(prefix="tuban-package-") as folder:
        scratch = Path(folder)
        named = write_cells(cells, grid, scratch)
        files: Files = {name: (scratch / name, zh, en) for name, (zh, en) in named.items()}
        manifest = Manifest(
            kind="public",
            title=told.title,
            counties=[],
            totals={n: int(cells[n].sum()) for n in ("patches", "area_dm2")},
            versions={n: told.versions[n] for n in ("tuban", "rules") if n in told.versions},
            epochs=told.epochs,
            rules=told.rules,
            attribution=told.attribution,
            details={
                "crs": crs,
                "cell": grid.step,
                "left_out": {"leads": len(tables.patches) - int(cells["patches"].sum())},
            },
        )
        target = target_of(out, manifest, PUBLIC_TOPIC, [path])
        return target, write_package(target, manifest, files)
