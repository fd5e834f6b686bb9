"""Two small counties side by side, each run once, and one desk that serves both."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import rasterio
import yaml
from affine import Affine

from flows.runner import work_run
from flows.stagekeys import RunOptions
from tests.flows import minicounty as mini

EAST = 20_000.0
"""Metres between the counties."""

COUNTIES = {"370305": ("临淄区", 0.0), "370306": ("周村区", EAST)}
QUICK = {
    "outputs": {"evidence": "none", "formats": ["geojson"], "pictures": 0},
}


def move(folder: Path, metres: float) -> None:
    """Move a written county to the east."""
    for path in sorted(folder.glob("*.tif")):
        with rasterio.open(path, "r+") as raster:
            raster.transform = Affine.translation(metres, 0) * raster.transform
    for name in ("landuse.gpkg", "temporary.gpkg", "approval.shp"):
        path = folder / name
        table = gpd.read_file(path, encoding="GBK" if name.endswith("shp") else None)
        table = table.set_geometry(table.translate(metres, 0))
        path.unlink()
        if name.endswith("shp"):
            mini.write_approvals(path, dict(zip(table["PWH"], table.geometry, strict=True)))
        else:
            table.to_file(path, index=False)


def add_temporary(folder: Path) -> None:
    """Add a layer of temporary land use, of which there is some where nothing changed."""
    values = {"XKWH": ["临2024-1"], "QSRQ": ["2024-06-01"], "DQRQ": ["2026-06-01"]}
    outline = [mini.box(180, 4, 6, 6)]
    table = gpd.GeoDataFrame(values, geometry=outline, crs=mini.CRS)
    table.to_file(folder / "temporary.gpkg", index=False)
    told = yaml.safe_load((folder / "LAYERS.yaml").read_text(encoding="utf-8"))
    told["layers"].append({"role": "temporary", "source": "temporary.gpkg", "complete": True})
    (folder / "LAYERS.yaml").write_text(yaml.safe_dump(told, allow_unicode=True))


def run_county(folder: Path, code: str, dress: Callable[[Path], None] = add_temporary) -> Path:
    """Write a county, dress it with more layers, work its run and return the run folder."""
    name, metres = COUNTIES[code]
    config = mini.build_mini(folder)
    dress(folder)
    if metres:
        move(folder, metres)
    told: dict[str, Any] = yaml.safe_load(config.read_text(encoding="utf-8"))
    told |= {"name": f"run-{code}", "area": {"county_code": code, "county_name": name}, **QUICK}
    config.write_text(yaml.safe_dump(told, allow_unicode=True), encoding="utf-8")
    done = work_run(config, folder / "runs", RunOptions(workers=2), plain=True)
    return Path(done["folder"])
