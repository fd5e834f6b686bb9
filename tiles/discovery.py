"""Deliveries in a folder tree: what belongs together as one scene, whatever the mix."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from configs.errors import RasterError
from configs.sensors import detect_sensor, sensor_file, sensor_spec
from tiles.deliveries import group_files
from tiles.naming import band_name, is_ignored
from tiles.products import is_product_image, multispectral_images
from tiles.rasters import SUFFIXES, inspect_raster

__all__ = ["Delivered", "discover"]

PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".7z", ".rar")
QUALITY = re.compile(r"[_.\-](QA_\w+|BQA|SCL|mask|cloud)([_.\-]|$)", re.IGNORECASE)
PICTURES = ("PNG", "BMP")
LEAST_BANDS = 3


@dataclass(frozen=True)
class Delivered:
    """What one scene is made of, or why it is none.

    Attributes
    ----------
    paths : tuple of Path
        One folder, one file, or the band files of one scene.
    problem, fix : str
        Empty where the delivery may be opened.
    sensor : str or None
        The sensor to open it with, where one was given and the delivery is its own.
    """

    paths: tuple[Path, ...]
    problem: str = ""
    fix: str = ""
    sensor: str | None = None


def discover(
    root: Path, skip: Path | None = None, sensor: str | None = None
) -> Iterator[Delivered]:
    """Yield the deliveries below a folder, in the order of their paths.

    A product folder (``*.SAFE``, or named as a sensor names its products) is one scene. Elsewhere
    a STAC item, a multispectral image of a known product, the band files of one name, and every
    raster of three bands or more, or of two of a known sensor, are one scene each.
    Nothing is opened but headers.

    Parameters
    ----------
    root : Path
    skip : Path or None
        Folder that is left out.
    sensor : str or None
        A sensor, by name or file, that is asked first. Its own are deliveries that are named as
        it says; if it says nothing, those of which no shipped sensor knows the name.
    """
    for folder, names, files in os.walk(root):
        here = Path(folder)
        names[:] = sorted(n for n in names if not n.startswith(".") and here / n != skip)
        if _is_product(here, names, files, sensor):
            names[:] = []
            yield Delivered((here,), sensor=_claimed(here.name, sensor))
            continue
        beside = [here / name for name in sorted(files) if not name.startswith(".")]
        yield from _items(beside)
        own = [f for f in beside if _claimed(f.name, sensor)]
        yield from _loose(own, sensor)
        yield from _loose([f for f in beside if f not in own], None)


def _claimed(name: str, sensor: str | None) -> str | None:
    """Return the sensor that was given where a file or folder of that name is its own."""
    if sensor is None:
        return None
    kind = detect_sensor(name, sensor)
    unnamed = kind is None and sensor_file(sensor) and sensor_spec(sensor).name_pattern is None
    return sensor if kind == sensor or unnamed else None


def _is_product(folder: Path, names: list[str], files: list[str], sensor: str | None) -> bool:
    kind = detect_sensor(folder.name, sensor)
    if folder.suffix.upper() == ".SAFE":
        return kind is not None
    if kind is None or detect_sensor(folder.parent.name, sensor) == kind:
        return False
    if sensor_spec(kind).delivery is not None:
        own = _claimed(folder.name, sensor)
        images = multispectral_images([folder / f for f in files], own)
        return len(images) <= 1
    return bool(names or files)


def _items(files: list[Path]) -> Iterator[Delivered]:
    for item in (f for f in files if f.suffix.lower() in (".json", ".geojson")):
        if _is_item(item):
            yield Delivered((item,))


def _loose(files: list[Path], sensor: str | None) -> Iterator[Delivered]:
    taken: set[Path] = set()
    for file in files:
        if file.suffix.lower() in PACKED and detect_sensor(file.name, sensor):
            yield Delivered((file,), "the delivery is packed", "unpack it into its own folder")
    rasters = [f for f in files if f.suffix.lower() in SUFFIXES and not is_ignored(f)]
    for image, _ in multispectral_images(rasters, sensor):
        taken.add(image)
        yield Delivered((image,), sensor=sensor)
    single = [f for f in rasters if f not in taken and band_name(f, sensor)]
    for group in group_files(single, sensor):
        taken.update(group)
        yield Delivered(tuple(group), sensor=sensor)
    for file in rasters:
        if file in taken or is_product_image(file, sensor):
            continue
        if _is_stack(file, sensor):
            yield Delivered((file,), sensor=sensor)


def _is_item(file: Path) -> bool:
    if file.stat().st_size > 4_000_000:
        return False
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, OSError):
        return False
    is_feature = isinstance(content, dict) and content.get("type") == "Feature"
    return is_feature and {"stac_version", "assets"} <= content.keys()


def _is_stack(file: Path, sensor: str | None) -> bool:
    if QUALITY.search(file.stem):
        return False
    if file.suffix == "" and not any(
        file.with_name(file.name + s).is_file() for s in (".hdr", ".HDR")
    ):
        return False
    try:
        facts = inspect_raster(file)
        if facts.driver in PICTURES and not facts.georeferenced:
            return False
        kind = sensor or detect_sensor(file.name)
        known = kind is not None and sensor_spec(kind).stack(facts.count) is not None
        return facts.count >= (LEAST_BANDS - 1 if known else LEAST_BANDS)
    except RasterError:
        return True  # a damaged image is told when the scene is opened
