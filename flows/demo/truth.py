"""The truth of the demo county as a file: what changed, what only looks so, and what is right."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio.features
import shapely

from configs.vocabulary import change_type
from flows.demo.documents import PAPERS
from flows.demo.imagery import Scenery, transform_of

__all__ = ["read_truth", "write_truth"]

CHANGES, PSEUDO = "changes", "pseudo"


def _changes(scene: Scenery) -> gpd.GeoDataFrame:
    rows = []
    for change in scene.changes:
        expected = PAPERS[change.item.papers]
        land = expected.land
        if change.item.kind == "photovoltaic" and land == ("suspected",):
            land = ("suspected", "unresolved")  # an array may keep the land's nature: a question
        rows.append(
            {
                "change_id": change.change_id,
                "kind": change.item.kind,
                "name_zh": change_type(change.item.kind).name_zh,
                "area_m2": round(change.geometry.area, 2),
                "host_code": change.host_code,
                "papers": change.item.papers,
                "land": ",".join(land),
                "mining": ",".join(expected.mining),
                "also": expected.also,
                "why": expected.why,
                "hidden": change.hidden,
                "seam": change.item.seam,
                "holes": shapely.get_num_interior_rings(change.geometry),
                "geometry": change.geometry,
            }
        )
    return gpd.GeoDataFrame(rows, crs=scene.frame.crs)


def _pseudo(scene: Scenery) -> gpd.GeoDataFrame:
    numbers = sorted(scene.pseudo)
    kinds = [scene.pseudo[n] for n in numbers]
    shapes = list(scene.land.geometry.to_numpy()[numbers])
    for sky in scene.skies:
        for kind, where in sky.loose:
            outlines = rasterio.features.shapes(
                where.astype(np.uint8), mask=where, transform=transform_of(scene.frame)
            )
            for outline, _ in outlines:
                kinds.append(kind)
                shapes.append(shapely.geometry.shape(outline))
    return gpd.GeoDataFrame(
        {"kind": kinds, "area_m2": np.round([s.area for s in shapes], 2)},
        geometry=shapes,
        crs=scene.frame.crs,
    )


def write_truth(scene: Scenery, out: Path) -> Path:
    """Write ``truth.gpkg`` with the layers ``changes`` and ``pseudo``.

    Parameters
    ----------
    scene : Scenery
    out : Path
        Folder.

    Returns
    -------
    Path
        The file. Columns of ``changes``: change_id, kind, name_zh, area_m2, host_code, papers,
        land and mining (outcomes that are right, comma-separated), also, why, hidden, seam, holes.
    """
    path = out / "truth.gpkg"
    path.unlink(missing_ok=True)
    _changes(scene).to_file(path, layer=CHANGES, driver="GPKG")
    _pseudo(scene).to_file(path, layer=PSEUDO, driver="GPKG")
    return path


def read_truth(path: Path) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Return the changes and the pseudo-changes of a truth file."""
    return gpd.read_file(path, layer=CHANGES), gpd.read_file(path, layer=PSEUDO)
