"""Deliveries to epochs: which file holds which band, from which day, with which scale."""

import datetime as dt
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from configs.errors import RasterError
from configs.sensors import (
    GENERIC,
    ROLES,
    SensorBand,
    SensorSpec,
    detect_sensor,
    role_of_wavelength,
)
from configs.sensors import sensor_spec as spec_of
from tiles.rasters import SUFFIXES, RasterFacts, inspect_raster, probe
from tiles.scene import BandSource, Epoch, MaskSource, Scene
from tiles.stac import read_item

__all__ = ["acquired_from_name", "open_epoch"]

log = logging.getLogger(__name__)

BAND_TOKEN = re.compile(
    r"(?:^|(?<=[_.\-]))B(\d{1,2}A?)(?:_(\d{2})m|_VCID_\d)?(?=[_.\-]|$)", re.IGNORECASE
)
ANY_BIT = tuple(range(32))
DATE_TIME = re.compile(r"(?<!\d)((?:19|20)\d{2})-?(\d{2})-?(\d{2})T(\d{2}):?(\d{2}):?(\d{2})")
DATE = re.compile(r"(?<!\d)((?:19|20)\d{2})([-_.]?)(\d{2})\2(\d{2})(?!\d)")
DAY_OF_YEAR = re.compile(r"L[CETM]\d{7}((?:19|20)\d{2})(\d{3})")


def open_epoch(
    paths: Sequence[Path],
    *,
    sensor: str | None = None,
    date: dt.date | None = None,
    mask: Path | None = None,
    time_zone: str = "Asia/Shanghai",
) -> Epoch:
    """Make an epoch of images of one date.

    Parameters
    ----------
    paths : sequence of Path
        In order of preference, each a stacked raster, a folder of single-band files
        (``*_B02.tif``), or a STAC item. Single-band files of one scene may also be listed.
    sensor : str or None
        Name of a sensor of ``configs/sensors``; found from the file names if None.
    date : date or None
        Civil date; if None the file names or the item tell it, or it stays unknown.
    mask : Path or None
        Raster of the same extent, 0 = usable; it replaces the sensor's own quality band.
    time_zone : str
        Zone of civil dates.

    Returns
    -------
    Epoch
        Bands are named by role (``blue`` … ``swir2``), or ``band1`` … where nothing tells it.

    Raises
    ------
    RasterError
        If a file is missing, damaged or of a format that is not read, if a band is missing at
        one of the scenes, or if the order of bands cannot be told.
    """
    scenes = []
    for group in _groups([Path(p) for p in paths]):
        scene = _open_scene(group, sensor, time_zone)
        if mask is not None:
            scene = replace(scene, mask=_user_mask(mask))
        scenes.append(scene)
    _require_same_bands(scenes)
    epoch = Epoch.of(scenes, time_zone, date)
    told = sorted({d for s in scenes if (d := s.civil_date(time_zone))})
    if date is not None and told and told != [date]:
        log.warning("the date %s was given, the file names say %s", date, told)
    return epoch


def acquired_from_name(name: str, time_zone: str) -> dt.datetime | None:
    """Return the UTC time that a file or product name tells, or None.

    Where a name tells a day and no time, noon of that day in `time_zone` is taken.

    Examples
    --------
    >>> acquired_from_name("T49QCD_20161209T031122_B02.tif", "Asia/Shanghai").isoformat()
    '2016-12-09T03:11:22+00:00'
    """
    for match in DATE_TIME.finditer(name):
        try:
            return dt.datetime(*(int(g) for g in match.groups()), tzinfo=dt.UTC)  # type: ignore[misc, arg-type]
        except ValueError:
            continue
    day = next((d for m in DATE.finditer(name) if (d := _day(m[1], m[3], m[4]))), None)
    numbered = DAY_OF_YEAR.search(name)
    if day is None and numbered:
        day = dt.date(int(numbered[1]), 1, 1) + dt.timedelta(days=int(numbered[2]) - 1)
    if day is None:
        return None
    return dt.datetime.combine(day, dt.time(12), ZoneInfo(time_zone)).astimezone(dt.UTC)


def _day(year: str, month: str, day: str) -> dt.date | None:
    try:
        return dt.date(int(year), int(month), int(day))
    except ValueError:
        return None


def _groups(paths: list[Path]) -> list[list[Path]]:
    """Join listed single-band files of one scene; everything else stands alone."""
    groups: dict[tuple[Path, str], list[Path]] = {}
    for path in paths:
        match = BAND_TOKEN.search(path.stem)
        single = match is not None and path.is_file() and inspect_raster(path).count == 1
        key = (path.parent, _scene_name(path)) if single else (path, "")
        groups.setdefault(key, []).append(path)
    return list(groups.values())


def _open_scene(group: list[Path], sensor: str | None, time_zone: str) -> Scene:
    path = group[0]
    if len(group) > 1:
        return _scene_of_files(group, path.parent, sensor, time_zone)
    if path.suffix.lower() in (".json", ".geojson"):
        return read_item(path, sensor)
    if path.is_dir():
        return _scene_of_folder(path, sensor, time_zone)
    facts = inspect_raster(path)
    if facts.count == 1 and BAND_TOKEN.search(path.stem):
        return _scene_of_files(group, path.parent, sensor, time_zone)
    return _scene_of_stack(facts, sensor, time_zone)


def _scene_of_folder(folder: Path, sensor: str | None, time_zone: str) -> Scene:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES)
    bands = [p for p in files if BAND_TOKEN.search(p.stem)]
    if bands:
        names = sorted({_scene_name(p) for p in bands})
        if len(names) > 1:
            raise RasterError(
                f"the folder holds bands of {len(names)} scenes: {', '.join(names[:4])}",
                str(folder),
                "give each scene its own folder, or list the band files of one scene",
            )
        return _scene_of_files(bands, folder, sensor, time_zone)
    items = sorted(p for p in folder.glob("*.json") if p.is_file())
    stacks = [p for p in files if p.suffix.lower() in (".tif", ".tiff", ".img", ".jp2")]
    if len(items) == 1:
        return read_item(items[0], sensor)
    if len(stacks) == 1:
        return _scene_of_stack(inspect_raster(stacks[0]), sensor, time_zone)
    raise RasterError(
        f"the folder holds no band files such as *_B02.tif, and {len(stacks)} other rasters",
        str(folder),
        "name the file itself, or name the band files *_B02.tif, *_B03.tif …",
    )


def _scene_of_files(files: list[Path], folder: Path, sensor: str | None, time_zone: str) -> Scene:
    scene_id = _scene_name(files[0])
    tokens = sorted({_band_name(p) for p in files})
    kind = sensor or detect_sensor(scene_id) or detect_sensor(folder.name) or _by_tokens(tokens)
    spec = spec_of(kind)
    known = [(p, b) for p in sorted(files) if (b := spec.band(_band_name(p))) and b.analysis]
    roles = {b.role for _, b in known}
    chosen: dict[str, tuple[int, Path, SensorBand]] = {}
    for path, band in known:
        if band.stands_in_for in roles:
            continue
        role, metres = band.stands_in_for or band.role, _metres(path)
        if role in chosen and chosen[role][0] == metres:
            raise RasterError(
                f"band {band.name} is there twice: {chosen[role][1].name} and {path.name}",
                str(folder),
                "keep one file per band",
            )
        if role not in chosen or metres < chosen[role][0]:
            chosen[role] = (metres, path, band)
    if not chosen:
        raise RasterError(
            f"none of the bands {', '.join(tokens)} is used for analysis ({spec.title})",
            str(folder),
            "name the right sensor with --sensor, or add the missing band files",
        )
    named = {
        role: _band(inspect_raster(path), 1, spec, band.wavelength_um)
        for role, (_, path, band) in chosen.items()
    }
    when = acquired_from_name(scene_id, time_zone) or acquired_from_name(folder.name, time_zone)
    mask = _own_mask(folder, scene_id, spec)
    return Scene(scene_id, _checked(named), when, kind, spec.attribution, mask)


def _scene_of_stack(facts: RasterFacts, sensor: str | None, time_zone: str) -> Scene:
    kind = sensor or detect_sensor(facts.path.name) or GENERIC
    spec = spec_of(kind)
    named: dict[str, BandSource] = {}
    for i, (role, wavelength) in enumerate(_stack_roles(facts, spec)):
        if role is not None:
            named[role] = _band(facts, i + 1, spec, wavelength)
    return Scene(
        scene_id=facts.path.stem,
        bands=_checked(named),
        acquired=acquired_from_name(facts.path.name, time_zone),
        sensor=kind,
        attribution=spec.attribution,
    )


def _stack_roles(facts: RasterFacts, spec: SensorSpec) -> list[tuple[str | None, float | None]]:
    """Return role and wavelength of each band; a role None leaves the band out."""
    known = [w for w in facts.wavelengths_um if w is not None]
    if len(known) == facts.count:
        roles = [role_of_wavelength(w) for w in known]
        return [
            (r if r and roles.index(r) == i else f"band{i + 1}", known[i])
            for i, r in enumerate(roles)
        ]
    told = [spec.band(d.strip()) for d in facts.descriptions]
    bands = [b for b in told if b is not None]
    if len(bands) < facts.count or len({b.role for b in bands}) < facts.count:
        bands = list(spec.stack(facts.count) or ())
    if not bands:
        return [(f"band{i + 1}", None) for i in range(facts.count)]
    present = {b.role for b in bands}
    return [
        (
            None if not b.analysis or b.stands_in_for in present else (b.stands_in_for or b.role),
            b.wavelength_um,
        )
        for b in bands
    ]


def _band(
    facts: RasterFacts, index: int, spec: SensorSpec, wavelength_um: float | None
) -> BandSource:
    scale, offset, nodata = facts.scales[index - 1], facts.offsets[index - 1], facts.nodata
    if not facts.dtype.startswith("float"):
        if (scale, offset) == (1.0, 0.0):
            rule = spec.scale_of(facts.path.as_posix())
            scale, offset = rule.scale, rule.offset
        nodata = spec.nodata if nodata is None else nodata
    return BandSource(facts.path, index, scale, offset, nodata, wavelength_um)


def _checked(named: dict[str, BandSource]) -> dict[str, BandSource]:
    """Order the bands by role and make sure that each can be read to its end."""
    order = [r for r in ROLES if r in named] + [r for r in named if r not in ROLES]
    for path, index in sorted({(b.path, b.index) for b in named.values()}):
        probe(path, index)
    return {role: named[role] for role in order}


def _require_same_bands(scenes: list[Scene]) -> None:
    first = scenes[0]
    for scene in scenes[1:]:
        if missing := [b for b in first.bands if b not in scene.bands]:
            raise RasterError(
                f"the scene lacks the band {', '.join(missing)} that {first.scene_id} has",
                scene.scene_id,
                "give the same bands for every scene of a date",
            )


def _scene_name(path: Path) -> str:
    """Return the file name without the band token."""
    name = BAND_TOKEN.sub("", path.stem)
    return re.sub(r"[_.\-]{2,}(?=$)|[_.\-]+$", "", name) or path.parent.name


def _band_name(path: Path) -> str:
    match = BAND_TOKEN.search(path.stem)
    return f"B{match[1].upper()}" if match else ""


def _metres(path: Path) -> int:
    """Return the resolution a file name tells (``_B02_10m``), 0 where it tells none."""
    match = BAND_TOKEN.search(path.stem)
    return int(match[2] or 0) if match else 0


def _by_tokens(tokens: list[str]) -> str:
    """Tell the family from the band names alone: only Sentinel-2 writes B02 and has B8A."""
    padded = any(n.startswith("B0") or n == "B8A" for n in tokens)
    few = set(tokens) == {"B2", "B3", "B4", "B8"}
    kind = "sentinel2" if padded or few else "landsat"
    log.info("bands %s are taken as those of %s", tokens, kind)
    return kind


def _own_mask(folder: Path, scene_id: str, spec: SensorSpec) -> MaskSource | None:
    """Return the sensor's own quality raster, if it was delivered with the scene."""
    product = scene_id.removesuffix("_SR")
    for quality in spec.quality:
        token = re.compile(rf"[_.\-]{quality.token}(?:[_.\-]|$)", re.IGNORECASE)
        found = sorted(
            p
            for p in folder.rglob(f"{product}*")
            if p.is_file() and p.suffix.lower() in SUFFIXES and token.search(p.stem)
        )
        if found:
            return MaskSource(found[0], quality.kind, quality.unusable, meanings=quality.meanings)
    return None


def _user_mask(path: Path) -> MaskSource:
    facts = inspect_raster(path)
    if facts.dtype.startswith("float"):
        raise RasterError(
            f"the mask holds {facts.dtype} values",
            str(path),
            "save it as whole numbers, 0 = usable",
        )
    probe(path, 1)
    return MaskSource(path, "bits", ANY_BIT)
