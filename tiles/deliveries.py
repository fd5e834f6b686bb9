"""One delivery to one scene: which file holds which band, with which scale, from when."""

import logging
from dataclasses import replace
from pathlib import Path

from configs.errors import RasterError
from configs.sensors import GENERIC, SensorBand, detect_sensor, sensor_spec
from tiles.bands import band_source, checked, own_mask, stack_bands
from tiles.metadata import read_metadata
from tiles.naming import acquired_from_name, band_name, is_ignored, metres, scene_name
from tiles.offsets import require_offset
from tiles.products import multispectral_images, product_scene, require_product
from tiles.rasters import SUFFIXES, inspect_raster
from tiles.scene import Scene
from tiles.stac import read_item

__all__ = ["group_files", "open_scene", "rasters_below"]

log = logging.getLogger(__name__)

STACK_SUFFIXES = (".tif", ".tiff", ".img", ".jp2")


def group_files(paths: list[Path], sensor: str | None = None) -> list[list[Path]]:
    """Join listed single-band files of one scene; everything else stands alone."""
    groups: dict[tuple[Path, str], list[Path]] = {}
    for path in paths:
        single = band_name(path, sensor) and path.is_file() and _has_one_band(path)
        key = (path.parent, scene_name(path, sensor)) if single else (path, "")
        groups.setdefault(key, []).append(path)
    return list(groups.values())


def _has_one_band(path: Path) -> bool:
    try:
        return inspect_raster(path).count == 1
    except RasterError:
        return True  # the name says so; why it cannot be read is told when the scene is opened


def rasters_below(folder: Path) -> list[Path]:
    """Return the files of a folder that may be image rasters, sorted."""
    return sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in SUFFIXES and p.is_file() and not is_ignored(p)
    )


def open_scene(group: list[Path], sensor: str | None, time_zone: str) -> Scene:
    """Open one scene: band files of one scene, one stacked raster, one folder or one STAC item.

    Raises
    ------
    RasterError
        Naming the file that is missing, damaged or not understood.
    """
    scene = _scene(group, sensor, time_zone)
    check = sensor_spec(scene.sensor).offset_check
    doubt = require_offset(scene, check) if check is not None else None
    if doubt is None:
        return scene
    log.warning("%s", doubt.both)
    return replace(scene, doubt=doubt)


def _scene(group: list[Path], sensor: str | None, time_zone: str) -> Scene:
    path = group[0]
    if len(group) > 1:
        return _scene_of_files(group, path.parent, sensor, time_zone)
    if path.suffix.lower() in (".json", ".geojson"):
        return read_item(path, sensor)
    if path.is_dir():
        return _scene_of_folder(path, sensor, time_zone)
    if product := multispectral_images([path], sensor):
        return product_scene(path, path.parent, product[0][1], time_zone, complete=False)
    if inspect_raster(path).count == 1 and band_name(path, sensor):
        return _scene_of_files(group, path.parent, sensor, time_zone)
    return _scene_of_stack(path, sensor, time_zone)


def _scene_of_folder(folder: Path, sensor: str | None, time_zone: str) -> Scene:
    files = rasters_below(folder)
    images = multispectral_images(files, sensor)
    if len(images) == 1:
        return product_scene(images[0][0], folder, images[0][1], time_zone)
    bands = [p for p in files if band_name(p, sensor)]
    names = sorted({scene_name(p, sensor) for p in bands} or {p.stem for p, _ in images})
    if len(names) > 1:
        kind = "bands" if bands else "images"
        raise RasterError(
            f"the folder holds {kind} of {len(names)} scenes: {', '.join(names[:4])}",
            str(folder),
            "give each scene its own folder, or list the band files of one scene",
        )
    if bands:
        return _scene_of_files(bands, folder, sensor, time_zone)
    require_product(folder, files, sensor)
    items = sorted(p for p in folder.glob("*.json") if p.is_file())
    stacks = [p for p in files if p.suffix.lower() in STACK_SUFFIXES]
    if len(items) == 1:
        return read_item(items[0], sensor)
    if len(stacks) == 1:
        return _scene_of_stack(stacks[0], sensor, time_zone)
    raise RasterError(
        f"the folder holds no band files such as *_B02.tif, and {len(stacks)} other rasters",
        str(folder),
        "name the file itself, or name the band files *_B02.tif, *_B03.tif …",
    )


def _scene_of_files(files: list[Path], folder: Path, sensor: str | None, time_zone: str) -> Scene:
    scene_id = scene_name(files[0], sensor)
    tokens = sorted({band_name(p, sensor) for p in files})
    kind = (
        sensor
        or detect_sensor(files[0].name)
        or detect_sensor(scene_id)
        or detect_sensor(folder.name)
        or _by_tokens(tokens)
    )
    spec = sensor_spec(kind)
    known = [(p, b) for p in sorted(files) if (b := spec.band(band_name(p, sensor))) and b.analysis]
    chosen = _chosen(known, folder)
    if not chosen:
        raise RasterError(
            f"none of the bands {', '.join(tokens)} is used for analysis ({spec.title})",
            str(folder),
            "name the right sensor with --sensor, or add the missing band files",
        )
    home = [folder, *(p for p in folder.parents[:4] if detect_sensor(p.name) == kind)]
    metadata = read_metadata(spec, home, scene=scene_id.removesuffix("_SR"), stem=files[0].stem)
    named = {
        role: band_source(inspect_raster(path), 1, spec, band, metadata)
        for role, (path, band) in chosen.items()
    }
    when = acquired_from_name(scene_id, time_zone) or acquired_from_name(folder.name, time_zone)
    return Scene(
        scene_id,
        checked(named),
        metadata.acquired or when,
        kind,
        spec.attribution,
        own_mask(folder, scene_id, spec),
        facts=metadata.facts,
    )


def _chosen(
    known: list[tuple[Path, SensorBand]], folder: Path
) -> dict[str, tuple[Path, SensorBand]]:
    """Choose one file per role: the finest, and a stand-in only where the band is absent."""
    roles = {b.role for _, b in known}
    chosen: dict[str, tuple[Path, SensorBand]] = {}
    for path, band in known:
        if band.stands_in_for in roles:
            continue
        role = band.stands_in_for or band.role
        if role in chosen and metres(chosen[role][0]) == metres(path):
            raise RasterError(
                f"band {band.name} is there twice: {chosen[role][0].name} and {path.name}",
                str(folder),
                "keep one file per band",
            )
        if role not in chosen or metres(path) < metres(chosen[role][0]):
            chosen[role] = (path, band)
    return chosen


def _scene_of_stack(path: Path, sensor: str | None, time_zone: str) -> Scene:
    facts = inspect_raster(path)
    kind = sensor or detect_sensor(path.name) or GENERIC
    spec = sensor_spec(kind)
    metadata = read_metadata(spec, [path.parent] if spec.delivery else [], stem=path.stem)
    return Scene(
        scene_id=path.stem,
        bands=checked(stack_bands(facts, spec, metadata)),
        acquired=metadata.acquired or acquired_from_name(path.name, time_zone),
        sensor=kind,
        attribution=spec.attribution,
        facts=metadata.facts,
    )


def _by_tokens(tokens: list[str]) -> str:
    """Tell the family from the band names alone: only Sentinel-2 writes B02 and has B8A."""
    padded = any(n.startswith("B0") or n == "B8A" for n in tokens)
    few = set(tokens) == {"B2", "B3", "B4", "B8"}
    kind = "sentinel2" if padded or few else "landsat"
    log.info("bands %s are taken as those of %s", tokens, kind)
    return kind
