"""Deliveries in a folder tree: what belongs together as one scene, whatever the mix."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from configs.errors import RasterError
from configs.sensors import detect_sensor, sensor_spec
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
    """

    paths: tuple[Path, ...]
    problem: str = ""
    fix: str = ""


def discover(root: Path, skip: Path | None = None) -> Iterator[Delivered]:
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
    """
    for folder, names, files in os.walk(root):
        here = Path(folder)
        names[:] = sorted(n for n in names if not n.startswith(".") and here / n != skip)
        if _is_product(here, names, files):
            names[:] = []
            yield Delivered((here,))
            continue
        yield from _loose([here / name for name in sorted(files) if not name.startswith(".")])


def _is_product(folder: Path, names: list[str], files: list[str]) -> bool:
    kind = detect_sensor(folder.name)
    if folder.suffix.upper() == ".SAFE":
        return kind is not None
    if kind is None or detect_sensor(folder.parent.name) == kind:
        return False
    if sensor_spec(kind).delivery is not None:
        images = multispectral_images([folder / f for f in files], None)
        return len(images) <= 1
    return bool(names or files)


def _loose(files: list[Path]) -> Iterator[Delivered]:
    taken: set[Path] = set()
    for item in (f for f in files if f.suffix.lower() in (".json", ".geojson")):
        if _is_item(item):
            yield Delivered((item,))
    for file in files:
        if file.suffix.lower() in PACKED and detect_sensor(file.name):
            yield Delivered((file,), "the delivery is packed", "unpack it into its own folder")
    rasters = [f for f in files if f.suffix.lower() in SUFFIXES and not is_ignored(f)]
    for image, _ in multispectral_images(rasters, None):
        taken.add(image)
        yield Delivered((image,))
    single = [f for f in rasters if f not in taken and band_name(f)]
    for group in group_files(single):
        taken.update(group)
        yield Delivered(tuple(group))
    for file in rasters:
        if file not in taken and not is_product_image(file, None) and _is_stack(file):
            yield Delivered((file,))


def _is_item(file: Path) -> bool:
    if file.stat().st_size > 4_000_000:
        return False
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, OSError):
        return False
    is_feature = isinstance(content, dict) and content.get("type") == "Feature"
    return is_feature and {"stac_version", "assets"} <= content.keys()


def _is_stack(file: Path) -> bool:
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
        kind = detect_sensor(file.name)
        known = kind is not None and sensor_spec(kind).stack(facts.count) is not None
        return facts.count >= (LEAST_BANDS - 1 if known else LEAST_BANDS)
    except RasterError:
        return True  # a damaged image is told when the scene is opened
