"""A county of 34 clues, with an outline of its own and a building that is approved by half."""

import random
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
import yaml

from tests.flows import minicounty as mini
from tests.web import twocounties

CODE = "370305"
CLUES, SIZE = 34, 320
HALF_APPROVED = 1
"""Place of the building of which an approval covers one half: its clue has two parcels of land."""


def scattered_buildings() -> tuple[tuple[int, int, int, int], ...]:
    """Return buildings that stand apart, so that each becomes a clue."""
    drawn, found = random.Random(5), []
    while len(found) < CLUES:
        row, col, high, wide = (drawn.randrange(*r) for r in ((4, 300), (4, 300), (7, 11), (7, 11)))
        if all(abs(row - r) > 20 or abs(col - c) > 20 for r, c, *_ in found):
            found.append((row, col, high, wide))
    return tuple(found)


def dress(folder: Path) -> None:
    """Add what the county has beside its land use: temporary use, half an approval, its outline."""
    twocounties.add_temporary(folder)
    path = folder / "approval.shp"
    table = gpd.read_file(path, encoding="GBK")
    shapes = dict(zip(table["PWH"], table.geometry, strict=True))
    row, col, high, wide = mini.NEW_BUILDINGS[HALF_APPROVED]
    shapes["鲁政土字〔2024〕8号"] = mini.box(row - 2, col - 2, high + 4, wide // 2 + 2)
    mini.write_approvals(path, shapes)
    x, y, far = mini.WEST, mini.NORTH, SIZE * mini.PIXEL
    outline = shapely.Polygon(
        [(x, y), (x + far, y), (x + far, y - far), (x + far / 3, y - far), (x, y - 0.7 * far)]
    )
    gpd.GeoDataFrame(
        {"XZQDM": [CODE], "XZQMC": ["临淄区"]}, geometry=[outline], crs=mini.CRS
    ).to_file(folder / "XZQ.gpkg", index=False)
    told = yaml.safe_load((folder / "LAYERS.yaml").read_text(encoding="utf-8"))
    told["layers"].append({"role": "division", "source": "XZQ.gpkg"})
    (folder / "LAYERS.yaml").write_text(yaml.safe_dump(told, allow_unicode=True))


def run_many(folder: Path) -> Path:
    """Write the county, work its run and return the run folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mini, "NEW_BUILDINGS", scattered_buildings())
        patch.setattr(mini, "SIZE", SIZE)
        return twocounties.run_county(folder, CODE, dress)
