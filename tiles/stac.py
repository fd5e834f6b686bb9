"""STAC items as scenes: local assets, band names, scales and the acquisition time."""

import datetime as dt
import re
from pathlib import Path
from typing import Any

from configs.errors import RasterError
from configs.sensors import GENERIC, ROLES, SensorSpec, detect_sensor
from configs.sensors import sensor_spec as spec_of
from tiles.rasters import inspect_raster, probe
from tiles.remote import is_remote, require_host
from tiles.scene import BandSource, MaskSource, Scene

__all__ = ["read_item"]

BROKEN_JSON = (OSError, ValueError, KeyError, TypeError, AttributeError)
"""What the parser raises where a file is no item, beside its own errors."""

COMMON_NAMES = {
    "blue": "blue",
    "green": "green",
    "red": "red",
    "nir": "nir",
    "nir08": "nir",
    "swir16": "swir1",
    "swir22": "swir2",
}


def read_item(path: Path, sensor: str | None = None) -> Scene:
    """Read a STAC item whose assets lie beside it.

    Bands are recognised by ``eo:common_name``, by the band or asset name of the sensor
    (``B02``), or by a role as the asset key. Scale, offset and nodata come from the ``raster``
    fields where they stand.

    Parameters
    ----------
    path : Path
        Item as JSON; asset addresses are relative to it.
    sensor : str or None
        Sensor name; found from the item id or its assets if None.

    Raises
    ------
    RasterError
        If it is no item, if an asset is remote or missing, or if no band is recognised.
    """
    item = _load(path)
    spec_name = sensor or detect_sensor(item.id) or _by_platform(item) or GENERIC
    spec = spec_of(spec_name)
    named: dict[str, BandSource] = {}
    mask = None
    for key in sorted(item.assets):
        asset = item.assets[key]
        for index, fields in enumerate(_bands(asset), start=1):
            if (found := _role(key, fields, spec)) is None or found[0] in named:
                continue
            file = _local(path, key, asset.href)
            probe(file, index)
            named[found[0]] = _source(file, index, fields, spec, found[1])
        for quality in (q for q in spec.quality if q.token == key.upper() and mask is None):
            file = _local(path, key, asset.href)
            mask = MaskSource(file, quality.kind, quality.unusable, meanings=quality.meanings)
    if not named:
        raise RasterError(
            f"no asset is recognised as a band: {', '.join(sorted(item.assets)) or 'none'}",
            str(path),
            "name assets by band (B02) or role (red), or add eo:common_name to them",
        )
    order = [r for r in ROLES if r in named] + [r for r in named if r not in ROLES]
    when = item.datetime or item.common_metadata.start_datetime
    return Scene(
        scene_id=item.id,
        bands={role: named[role] for role in order},
        acquired=when.astimezone(dt.UTC) if when else None,
        sensor=spec_name,
        attribution=spec.attribution,
        mask=mask,
    )


def _load(path: Path) -> Any:
    import pystac

    try:
        item = pystac.Item.from_file(str(path.resolve()))
    except (*BROKEN_JSON, pystac.STACError, pystac.STACTypeError) as error:
        raise RasterError(
            f"not a STAC item ({type(error).__name__}: {error})",
            str(path),
            "give a STAC item (a GeoJSON feature with assets), or the image files themselves",
        ) from error
    return item


def _by_platform(item: Any) -> str | None:
    platform = str(item.properties.get("platform", "")).lower()
    if platform.startswith("sentinel-2"):
        return "sentinel2"
    if platform in ("landsat-8", "landsat-9"):
        return "landsat_oli"
    return "landsat" if platform.startswith("landsat") else None


def _bands(asset: Any) -> list[dict[str, Any]]:
    """Return one mapping per band of an asset: STAC 1.1 ``bands``, or ``eo`` and ``raster``."""
    fields = asset.extra_fields
    eo = fields.get("bands") or fields.get("eo:bands") or [{}]
    raster = fields.get("raster:bands") or [{}] * len(eo)
    return [{**r, **b} for b, r in zip(eo, raster, strict=False)]


def _role(key: str, fields: dict[str, Any], spec: SensorSpec) -> tuple[str, float | None] | None:
    common = fields.get("eo:common_name", fields.get("common_name"))
    wavelength = fields.get("eo:center_wavelength", fields.get("center_wavelength"))
    if common in COMMON_NAMES:
        role = COMMON_NAMES[common]
        band = spec.band(role)
        return role, wavelength or (band.wavelength_um if band else None)
    for name in (str(fields.get("name", "")), re.split(r"[-_]", key)[0]):
        band = spec.band(name) if name else None
        if band and band.analysis and band.stands_in_for is None:
            return band.role, wavelength or band.wavelength_um
    return None


def _local(item: Path, key: str, href: str) -> Path:
    href = href.removeprefix("file://")
    if is_remote(href):
        return Path(require_host(href))
    if re.match(r"^(/vsi|[A-Za-z][A-Za-z0-9+.-]+:/)", href):
        raise RasterError(
            f"the asset {key!r} is not on this machine: {href}",
            str(item),
            "download the assets beside the item and make their addresses relative",
        )
    return item.parent / href


def _source(
    file: Path, index: int, fields: dict[str, Any], spec: SensorSpec, wavelength: float | None
) -> BandSource:
    facts = inspect_raster(file)
    scale, offset, nodata = 1.0, 0.0, facts.nodata
    if not facts.dtype.startswith("float"):
        rule = spec.scale_of(file.as_posix())
        scale = float(fields.get("raster:scale", fields.get("scale", rule.scale)))
        offset = float(fields.get("raster:offset", fields.get("offset", rule.offset)))
        if nodata is None:
            nodata = fields.get("nodata", spec.nodata)
    return BandSource(file, index, scale, offset, nodata, wavelength)
