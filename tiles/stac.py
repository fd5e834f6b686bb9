"""STAC items as scenes: assets, band names, scales and the time of acquisition."""

import datetime as dt
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urljoin

from configs.bandroles import ROLES
from configs.errors import RasterError
from configs.sensors import (
    GENERIC,
    SensorSpec,
    detect_sensor,
    sensor_file,
    sensor_names,
)
from configs.sensors import sensor_spec as spec_of
from tiles.files import sha256
from tiles.rasters import inspect_raster, probe
from tiles.remote import address, fetch_json, is_remote, require_host
from tiles.scene import BandSource, MaskSource, Scene, SceneFacts

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
    """Read a STAC item: its assets lie beside it, or on an allowed host.

    Bands are recognised by ``eo:common_name``, by the band or asset name of the sensor
    (``B02``), or by a role as the asset key. Scale, offset and nodata come from the ``raster``
    fields where they stand.

    Parameters
    ----------
    path : Path
        Item as JSON, or its address; addresses of assets are relative to it.
    sensor : str or None
        Sensor name; found from the item if None.

    Raises
    ------
    RasterError
        If it is no item, if an asset is missing or its host not allowed, if no band is
        recognised, or if it was made by another sensor file than there is now.
    """
    item = _load(path)
    properties = item.properties
    own = None if is_remote(path) else _own_sensor(item, path, sensor)
    spec_name = sensor or own or _sensor_of(item)
    spec = spec_of(spec_name)
    named = _named_bands(item, path, spec)
    pan = named.pop("pan", None)
    if not named:
        raise RasterError(
            f"no asset is recognised as a band: {', '.join(sorted(item.assets)) or 'none'}",
            str(path),
            "name assets by band (B02) or role (red), or add eo:common_name to them",
        )
    order = [r for r in ROLES if r in named] + [r for r in named if r not in ROLES]
    when = item.datetime or item.common_metadata.start_datetime
    return Scene(
        scene_id=str(properties.get("tuban:scene", item.id)),
        bands={role: named[role] for role in order},
        acquired=when.astimezone(dt.UTC) if when else None,
        sensor=spec_name,
        attribution=str(properties.get("tuban:attribution", spec.attribution)),
        mask=_mask(item, path, spec),
        pan=pan,
        facts=_facts(properties),
    )


def _load(path: Path) -> Any:
    import pystac

    try:
        if is_remote(path):
            return pystac.Item.from_dict(fetch_json(path))
        return pystac.Item.from_file(str(path.resolve()))
    except (*BROKEN_JSON, pystac.STACError, pystac.STACTypeError) as error:
        if isinstance(error, RasterError):
            raise
        raise RasterError(
            f"not a STAC item ({type(error).__name__}: {error})",
            str(path),
            "give a STAC item (a GeoJSON feature with assets), or the image files themselves",
        ) from error


def _own_sensor(item: Any, path: Path, named: str | None) -> str | None:
    """Return the sensor file by which an item was made, None where there is none.

    Scales stand in the item, so one made by another file would be read with other scales than
    the file tells.
    """
    asset = item.assets.get("sensor")
    told = None if asset is None else asset.extra_fields.get("tuban:sha256")
    file = None if told is None else _place(path, "sensor", asset.href)
    if file is not None and not file.is_file():
        file = None
    own = None if named is None else sensor_file(named)
    prepared = "tuban:grid" in item.properties
    checked = [file] if file else []
    if own is not None and own.is_file() and "tuban:sensor" in item.properties and not prepared:
        checked.append(own)
    for now in checked:
        if sha256(now) != told:
            raise RasterError(
                f"the item was not made by the sensor file {now.name} as it is now",
                str(path),
                f"build the catalogue again: tuban catalog build DIR --sensor {now}",
            )
    return str(file.resolve()) if file else None


def _sensor_of(item: Any) -> str:
    told = item.properties.get("tuban:sensor")
    if told in sensor_names():
        return str(told)
    return detect_sensor(item.id) or _by_platform(item) or GENERIC


def _by_platform(item: Any) -> str | None:
    platform = str(item.properties.get("platform", "")).lower()
    if platform.startswith("sentinel-2"):
        return "sentinel2"
    if platform.startswith("sentinel-1"):
        return "sentinel1"
    if platform in ("landsat-8", "landsat-9"):
        return "landsat_oli"
    return "landsat" if platform.startswith("landsat") else None


def _facts(properties: dict[str, Any]) -> SceneFacts:
    return SceneFacts(
        level=str(properties.get("tuban:level", properties.get("processing:level", ""))),
        baseline=str(
            properties.get("tuban:baseline", properties.get("s2:processing_baseline", ""))
        ),
        cloud_percent=_number(properties.get("eo:cloud_cover")),
        sun_elevation=_number(properties.get("view:sun_elevation")),
        sun_azimuth=_number(properties.get("view:sun_azimuth")),
        view_angle=_number(
            properties.get("view:off_nadir", properties.get("view:incidence_angle"))
        ),
        view_azimuth=_number(properties.get("view:azimuth")),
    )


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def _named_bands(item: Any, path: Path, spec: SensorSpec) -> dict[str, BandSource]:
    named: dict[str, BandSource] = {}
    for key in sorted(item.assets):
        asset = item.assets[key]
        for index, fields in enumerate(_bands(asset), start=1):
            if (found := _role(key, fields, spec)) is None or found[0] in named:
                continue
            file = _place(path, key, asset.href)
            probe(file, index)
            named[found[0]] = _source(file, index, fields, spec, found[1], path)
    return named


def _bands(asset: Any) -> list[dict[str, Any]]:
    """Return one mapping per band of an asset: STAC 1.1 ``bands``, or ``eo`` and ``raster``."""
    fields = asset.extra_fields
    eo = fields.get("bands") or fields.get("eo:bands") or [{}]
    raster = fields.get("raster:bands") or [{}] * len(eo)
    return [{**r, **b} for b, r in zip(eo, raster, strict=False)]


def _role(key: str, fields: dict[str, Any], spec: SensorSpec) -> tuple[str, float | None] | None:
    wavelength = fields.get("eo:center_wavelength", fields.get("center_wavelength"))
    if told := fields.get("tuban:role"):
        return str(told), wavelength
    common = fields.get("eo:common_name", fields.get("common_name"))
    if common in COMMON_NAMES:
        role = COMMON_NAMES[common]
        band = spec.band(role)
        return role, wavelength or (band.wavelength_um if band else None)
    for name in (str(fields.get("name", "")), re.split(r"[-_]", key)[0]):
        band = spec.band(name) if name else None
        if band and band.analysis and band.stands_in_for is None:
            return band.role, wavelength or band.wavelength_um
    return None


def _mask(item: Any, path: Path, spec: SensorSpec) -> MaskSource | None:
    for key in sorted(item.assets):
        asset = item.assets[key]
        told = asset.extra_fields.get("tuban:mask")
        if told:
            file = _place(path, key, asset.href)
            meanings = tuple((n, tuple(v)) for n, v in told.get("meanings", {}).items())
            values = tuple(int(v) for v in told["unusable"])
            kind: Literal["values", "bits"] = "values" if told["kind"] == "values" else "bits"
            margin = float(told.get("margin_m", 0))
            return MaskSource(file, kind, values, int(told.get("band", 1)), meanings, margin)
    keys = {key.upper(): key for key in sorted(item.assets)}
    for quality in spec.quality:
        if key := keys.get(quality.token):
            file = _place(path, key, item.assets[key].href)
            return MaskSource(
                file,
                quality.kind,
                quality.unusable,
                meanings=quality.meanings,
                margin_m=quality.margin_m,
            )
    return None


def _place(item: Path, key: str, href: str) -> Path:
    href = href.removeprefix("file://")
    if is_remote(href):
        return Path(require_host(href))
    if re.match(r"^(/vsi|[A-Za-z][A-Za-z0-9+.-]+:/)", href):
        raise RasterError(
            f"the asset {key!r} is not on this machine: {href}",
            str(item),
            "download the assets beside the item and make their addresses relative",
        )
    if is_remote(item):
        return Path(require_host(urljoin(address(item), href)))
    return item.parent / href


def _source(
    file: Path,
    index: int,
    fields: dict[str, Any],
    spec: SensorSpec,
    wavelength: float | None,
    item: Path,
) -> BandSource:
    facts = inspect_raster(file)
    scale, offset, nodata = 1.0, 0.0, facts.nodata
    if not facts.dtype.startswith("float"):
        rule = spec.scale_of(f"{file.as_posix()}\n{item.name}")
        scale = float(fields.get("raster:scale", fields.get("scale", rule.scale)))
        offset = float(fields.get("raster:offset", fields.get("offset", rule.offset)))
        if nodata is None:
            nodata = fields.get("nodata", spec.nodata)
    told = fields.get("tuban:calibration")
    calibration = _place(item, "calibration", str(told)) if told else None
    return BandSource(file, index, scale, offset, nodata, wavelength, calibration)
