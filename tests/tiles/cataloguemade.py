"""A catalogue of items without images: places, days, clouds."""

import json
from pathlib import Path

import shapely

AREA = shapely.box(117.0, 36.0, 117.1, 36.1)


def write_catalog(folder: Path, scenes: list[tuple[str, float, float | None]]) -> Path:
    """Write a catalogue of (day, share of the area that is seen from the west, cloud)."""
    west, south, east, north = AREA.bounds
    links = []
    (folder / "items").mkdir(parents=True, exist_ok=True)
    for day, share, cloud in scenes:
        shape = shapely.box(west, south, west + share * (east - west), north)
        item = {
            "id": f"scene-{day}",
            "geometry": json.loads(shapely.to_geojson(shape)),
            "properties": {"datetime": f"{day}T03:00:00Z", "tuban:sensor": "sentinel2"},
            "assets": {},
        }
        if cloud is not None:
            item["properties"] |= {"eo:cloud_cover": cloud}
        (folder / "items" / f"{day}.json").write_text(json.dumps(item))
        links.append({"rel": "item", "href": f"./items/{day}.json"})
    (folder / "catalog.json").write_text(json.dumps({"type": "Catalog", "links": links}))
    return folder
