"""The small county divided into three, with changes, a lead and a filing across the borders."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
import yaml

from tests.flows.minicounty import (
    CRS,
    NEW_BUILDINGS,
    NORTH,
    PIXEL,
    SIZE,
    WEST,
    box,
    build_mini,
    paint,
    write_config,
    write_image,
)

CODES = ("370305", "370306", "370421")
NAMES = ("甲县", "乙县", "丙县")
LEAD_TEXT = "村民李四反映此处占用耕地"
FILING = "设农备2024-17号"


def write_divisions(folder: Path, codes: Sequence[str] = CODES) -> None:
    """Write three counties that meet in one point, and add them to the layers file."""
    east, south = WEST + SIZE * PIXEL, NORTH - SIZE * PIXEL
    x, y = WEST + 123.3 * PIXEL, NORTH - 66.7 * PIXEL
    lean = x + 90
    outlines = [
        shapely.box(WEST, y, x, NORTH),
        shapely.Polygon([(x, NORTH), (east, NORTH), (east, south), (lean, south), (x, y)]),
        shapely.Polygon([(WEST, y), (x, y), (lean, south), (WEST, south)]),
    ]
    gpd.GeoDataFrame(
        {"XZQDM": list(codes), "XZQMC": list(NAMES)}, geometry=outlines, crs=CRS
    ).to_file(folder / "XZQ.gpkg", index=False)
    add_layer(folder, "division", "XZQ.gpkg")


def add_layer(folder: Path, role: str, source: str, **more: object) -> None:
    """Add a layer to the layers file."""
    path = folder / "LAYERS.yaml"
    file = yaml.safe_load(path.read_text())
    file["layers"] = [s for s in file["layers"] if s["role"] != role]
    file["layers"].append({"role": role, "source": source, **more})
    path.write_text(yaml.safe_dump(file))


def build_three(folder: Path) -> None:
    """Write images, layers and three counties; every kind of answer that could cross a border."""
    build_mini(folder)
    cover = np.zeros((SIZE, SIZE), np.uint8)
    cover[:, ::2] = 0
    write_image(folder / "before.tif", paint(cover, 0))
    for row, col, height, width in NEW_BUILDINGS:
        cover[row : row + height, col : col + width] = 2
    cover[40:60, 110:140] = 2  # a ring across the border of the first two, with a hole on it
    cover[48:50, 122:125] = 0
    cover[90:93, 122:132] = 2
    write_image(folder / "after.tif", paint(cover, 1))
    write_divisions(folder)
    reported = [box(62, 118, 1, 1), box(63, 129, 1, 1), box(170, 20, 1, 1)]
    gpd.GeoDataFrame(
        {
            "XSBH": [f"X{i}" for i in range(3)],
            "JSRQ": ["2025-08-01"] * 3,
            "NR": [LEAD_TEXT] * 3,
        },
        geometry=[shape.centroid for shape in reported],
        crs=CRS,
    ).to_file(folder / "leads.gpkg", index=False)
    add_layer(folder, "lead", "leads.gpkg", fields={"number": "XSBH", "date": "JSRQ", "text": "NR"})
    gpd.GeoDataFrame(
        {"BAH": [FILING], "BARQ": ["2024-11-01"], "BAMJ": [9000.0]},
        geometry=[box(100, 100, 60, 60)],
        crs=CRS,
    ).to_file(folder / "facility.gpkg", index=False)
    add_layer(
        folder,
        "facility",
        "facility.gpkg",
        complete=True,
        fields={"number": "BAH", "filed": "BARQ", "area_m2": "BAMJ"},
    )


def write_run(folder: Path, name: str, code: str, county: str, **changes: object) -> Path:
    """Write the config of one county, or of all (a code that ends in 00)."""
    area = {"county_code": code, "county_name": county, "by_county": True}
    layers = (folder / "LAYERS.yaml").read_text()
    outputs = {"evidence": 0, "formats": ["geojson"], "pictures": 0}
    path = write_config(folder, name=name, area=area, outputs=outputs, **changes)
    (folder / "LAYERS.yaml").write_text(layers)
    return path.rename(folder / f"{name}.yaml")
