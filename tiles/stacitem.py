"""Scenes as STAC items, written so that reading an item gives the same scene again.

What STAC has a field for stands in that field (``eo``, ``raster``, ``proj``, ``view``); the rest
begins with ``tuban:`` and is optional to every reader, ours included.
"""

import json
import os
from pathlib import Path
from typing import Any

import shapely

from configs.errors import RasterError
from configs.sensors import sensor_file, sensor_name, sensor_spec
from tiles.files import sha256
from tiles.footprint import Seen
from tiles.rasters import RasterFacts, inspect_raster
from tiles.remote import address, is_remote
from tiles.scene import BandSource, MaskSource, Scene

__all__ = ["EXTENSIONS", "scene_item"]

EXTENSIONS = [
    "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
    "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/view/v1.0.0/schema.json",
]
COMMON = {
    "blue": "blue",
    "green": "green",
    "red": "red",
    "nir": "nir",
    "swir1": "swir16",
    "swir2": "swir22",
    "pan": "pan",
}
MEDIA = {
    ".tif": "image/tiff; application=geotiff",
    ".tiff": "image/tiff; application=geotiff",
    ".jp2": "image/jp2",
    ".xml": "application/xml",
    ".txt": "text/plain",
    ".rpb": "text/plain",
    ".json": "application/json",
    ".yaml": "application/yaml",
}


def scene_item(scene: Scene, item_id: str, view: Seen, home: Path) -> dict[str, Any]:
    """Return a scene as a STAC 1.1 item.

    Parameters
    ----------
    scene : Scene
        With a time of acquisition.
    item_id : str
    view : Seen
    home : Path
        Folder in which the item will lie; addresses of files are relative to it.

    Raises
    ------
    RasterError
        If nothing tells when the scene was taken.
    """
    if scene.acquired is None:
        raise RasterError(
            "nothing tells when the scene was taken",
            scene.scene_id,
            "put the day into the file name (…_20250305.tif), or give a STAC item with datetime",
        )
    facts = inspect_raster(next(iter(scene.bands.values())).path)
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": EXTENSIONS,
        "id": item_id,
        "geometry": json.loads(shapely.to_geojson(_geojson_ready(view.valid))),
        "bbox": [round(v, 7) for v in view.valid.bounds],
        "properties": {
            "datetime": scene.acquired.isoformat().replace("+00:00", "Z"),
            **_properties(scene, view, facts),
        },
        "links": [],
        "assets": _assets(scene, home),
    }


def _geojson_ready(shape: Any) -> Any:
    return shapely.set_precision(shape, 1e-7)


def _properties(scene: Scene, view: Seen, facts: RasterFacts) -> dict[str, Any]:
    told = scene.facts
    found = {
        "eo:cloud_cover": told.cloud_percent,
        "view:sun_elevation": told.sun_elevation,
        "view:sun_azimuth": told.sun_azimuth,
        "view:off_nadir": told.view_angle,
        "view:azimuth": told.view_azimuth,
        "proj:code": facts.crs if (facts.crs or "").startswith("EPSG") else None,
        "proj:wkt2": facts.crs if facts.crs and not facts.crs.startswith("EPSG") else None,
        "proj:shape": [facts.height, facts.width],
        "proj:transform": None if facts.is_raw else list(facts.transform)[:6],
        "tuban:sensor": sensor_name(scene.sensor),
        "tuban:scene": scene.scene_id,
        "tuban:attribution": scene.attribution or None,
        "tuban:level": told.level or None,
        "tuban:baseline": told.baseline or None,
        "tuban:usable_percent": view.usable_percent if scene.mask else None,
    }
    return {k: v for k, v in found.items() if v is not None}


def _assets(scene: Scene, home: Path) -> dict[str, Any]:
    by_file: dict[Path, dict[int, tuple[str, BandSource]]] = {}
    for role, band in scene.bands.items():
        by_file.setdefault(band.path, {})[band.index] = (role, band)
    assets: dict[str, Any] = {}
    for path, bands in by_file.items():
        key = "image" if len(bands) > 1 else next(iter(bands.values()))[0]
        assets[_free(assets, key)] = _image(path, bands, home, ["data"])
    if scene.pan is not None:
        bands = {scene.pan.index: ("pan", scene.pan)}
        assets["pan"] = _image(scene.pan.path, bands, home, ["data", "pan"])
    if scene.mask is not None:
        assets[_free(assets, "mask")] = _mask(scene.mask, home)
    if own := sensor_file(scene.sensor):
        told = {"roles": ["metadata"], "tuban:sha256": sha256(own)}
        assets["sensor"] = _file(own, home) | told
    spec = sensor_spec(scene.sensor)
    suffixes = (*spec.delivery.rpc, *spec.delivery.metadata) if spec.delivery else ()
    images = [*by_file, *([scene.pan.path] if scene.pan else [])]
    for image in images:
        for suffix in suffixes:
            companion = image.parent / (image.stem + suffix)
            if not is_remote(image) and companion.is_file():
                key = _free(assets, f"{'pan' if image != images[0] else 'image'}{suffix}")
                assets[key] = _file(companion, home) | {"roles": ["metadata"]}
    return assets


def _free(assets: dict[str, Any], key: str) -> str:
    number = 2
    wanted = key
    while key in assets:
        key, number = f"{wanted}-{number}", number + 1
    return key


def _image(
    path: Path, bands: dict[int, tuple[str, BandSource]], home: Path, roles: list[str]
) -> dict[str, Any]:
    count = max(bands)
    listed = [
        _band(*bands[i], home) if i in bands else {"name": f"{i}"} for i in range(1, count + 1)
    ]
    return _file(path, home) | {"roles": roles, "bands": listed}


def _band(role: str, band: BandSource, home: Path) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": role,
        "tuban:role": role,
        "eo:common_name": COMMON.get(role),
        "eo:center_wavelength": band.wavelength_um,
        "raster:scale": band.scale,
        "raster:offset": band.offset,
        "nodata": band.nodata,
    }
    if band.calibration is not None:
        found["tuban:calibration"] = _file(band.calibration, home)["href"]
    return {k: v for k, v in found.items() if v is not None}


def _mask(mask: MaskSource, home: Path) -> dict[str, Any]:
    return _file(mask.path, home) | {
        "roles": ["data-mask"],
        "tuban:mask": {
            "kind": mask.kind,
            "unusable": list(mask.unusable),
            "band": mask.index,
            "margin_m": mask.margin_m,
            "meanings": {name: list(values) for name, values in mask.meanings},
        },
    }


def _file(path: Path, home: Path) -> dict[str, Any]:
    if is_remote(path):
        href = address(path)
    else:
        href = Path(os.path.relpath(path.resolve(), home.resolve())).as_posix()
    media = MEDIA.get(path.suffix.lower())
    return {"href": href} | ({"type": media} if media else {})
