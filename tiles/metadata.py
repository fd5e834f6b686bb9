"""Metadata files of suppliers: what they tell about an acquisition and its stored values.

Which file tells what stands in the sensor's YAML; here are only the two formats.
"""

import datetime as dt
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from configs.errors import RasterError
from configs.sensors import MetadataFile, SensorBand, SensorSpec
from tiles.scene import SceneFacts

__all__ = ["Metadata", "parse_xml", "read_metadata"]

Look = Callable[[str], str | None]
Found = tuple[MetadataFile, Path, Look]

LIMIT_BYTES = 64_000_000
STEP = re.compile(r"(\w+)(?:\[(\w+)=([^\]']+)\])?")
GROUP = re.compile(r"^\s*(GROUP|END_GROUP|[A-Z0-9_]+)\s*=\s*(.*?)\s*$")


@dataclass(frozen=True)
class Metadata:
    """What the metadata files of one scene tell.

    Attributes
    ----------
    files : tuple of Path
        The files read.
    acquired : datetime or None
        UTC.
    rows, columns : int or None
        Size of the image.
    band_order : tuple of str
        Numbers of the bands as the file lists them; empty where it does not.
    """

    files: tuple[Path, ...] = ()
    acquired: dt.datetime | None = None
    facts: SceneFacts = field(default_factory=SceneFacts)
    rows: int | None = None
    columns: int | None = None
    band_order: tuple[str, ...] = ()
    _found: tuple[Found, ...] = field(default=(), repr=False)

    def scaling(self, path: Path, band: SensorBand, index: int) -> tuple[float, float] | None:
        """Return scale and offset of a band (value = stored × scale + offset), or None.

        Parameters
        ----------
        path : Path
            The image file; rules of the sensor may hold for some paths only.
        band : SensorBand
        index : int
            Position of the band in the sensor's list.
        """
        place = {"band": re.sub(r"^[A-Z]+0*", "", band.name), "index": index}
        for rules, file, look in self._found:
            for rule in rules.radiometry:
                if not re.search(rule.pattern, f"{path.as_posix()}\n{file.name}"):
                    continue
                if rule.divisor:
                    divisor = _number(look(rule.divisor))
                    add = _number(look((rule.add or "").format(**place))) or 0.0
                    if divisor:
                        return 1 / divisor, add / divisor
                    continue
                scale = _number(look((rule.scale or "").format(**place)))
                if scale is None:
                    continue
                offset = _number(look((rule.offset or "").format(**place))) or 0.0
                sun = self._sun() if rule.per_sun else 1.0
                return scale / sun, offset / sun
        return None

    def _sun(self) -> float:
        elevation = self.facts.sun_elevation
        return math.sin(math.radians(elevation)) if elevation and elevation > 0 else 1.0


def read_metadata(
    spec: SensorSpec, folders: Sequence[Path], *, scene: str = "", stem: str = ""
) -> Metadata:
    """Read the metadata files of a scene, as far as they are there.

    Parameters
    ----------
    spec : SensorSpec
    folders : sequence of Path
        Where to look: the first with all its subfolders, the others alone.
    scene, stem : str
        Name of the scene and stem of the image file, put into the file patterns.

    Raises
    ------
    RasterError
        If a file that is there is damaged.
    """
    found: list[Found] = []
    files: list[Path] = []
    for rules in spec.metadata:
        pattern = rules.file.replace("{scene}", re.escape(scene)).replace("{stem}", re.escape(stem))
        path = _find(re.compile(pattern), folders)
        if path is not None:
            look = _xml(path) if rules.format == "xml" else _mtl(path)
            found.append((rules, path, look))
            files.append(path)
    told = _Told(found)
    return Metadata(
        files=tuple(dict.fromkeys(files)),
        acquired=next((t for r, _, look in found if (t := _time(r, look))), None),
        facts=told.facts(),
        rows=told.integer("rows"),
        columns=told.integer("columns"),
        band_order=tuple(re.findall(r"\w+", told.text("band_order"))),
        _found=tuple(found),
    )


class _Told:
    """The first answer to each question."""

    def __init__(self, found: list[Found]) -> None:
        self._found = found

    def text(self, name: str) -> str:
        for rules, _, look in self._found:
            for place in getattr(rules, name):
                if value := look(place):
                    return value
        return ""

    def number(self, name: str) -> float | None:
        return _number(self.text(name))

    def integer(self, name: str) -> int | None:
        value = self.number(name)
        return None if value is None else int(value)

    def facts(self) -> SceneFacts:
        elevation, zenith = self.number("sun_elevation"), self.number("sun_zenith")
        if elevation is None and zenith is not None:
            elevation = 90.0 - zenith
        angle, cloud = self.number("view_angle"), self.number("cloud_percent")
        return SceneFacts(
            level=self.text("level"),
            baseline=self.text("baseline"),
            # Landsat writes −1 where it does not know.
            cloud_percent=cloud if cloud is not None and 0 <= cloud <= 100 else None,
            sun_elevation=elevation,
            sun_azimuth=self.number("sun_azimuth"),
            view_angle=None if angle is None else abs(angle),
            view_azimuth=self.number("view_azimuth"),
        )


def _find(pattern: re.Pattern[str], folders: Sequence[Path]) -> Path | None:
    for i, folder in enumerate(folders):
        names = folder.rglob("*") if i == 0 else folder.glob("*")
        matching = [p for p in names if pattern.search(p.name) and p.is_file()]
        if matching:
            return min(matching)
    return None


def parse_xml(path: Path) -> ET.Element:
    """Return the root of a supplier's XML file.

    Raises
    ------
    RasterError
        If it is damaged, or declares a document type or entities.
    """
    text = _text(path)
    if "<!DOCTYPE" in text[:4096] or "<!ENTITY" in text:
        raise _damaged(path, "it declares a document type, which metadata do not need")
    try:
        return ET.fromstring(text.encode())  # nosec B314 # no document type, no entities: above
    except ET.ParseError as error:
        raise _damaged(path, str(error)) from error


def _xml(path: Path) -> Look:
    root = parse_xml(path)

    def look(place: str) -> str | None:
        steps = [STEP.fullmatch(step) for step in place.split("/")]
        if not all(steps):
            return None
        query = "/".join(
            f"{{*}}{step[1]}" + (f"[@{step[2]}='{step[3]}']" if step[2] else "")
            for step in steps
            if step
        )
        return _first(root.findall(f".//{query}"))

    return look


def _first(elements: list[ET.Element]) -> str | None:
    return next((t for e in elements if (t := (e.text or "").strip())), None)


def _mtl(path: Path) -> Look:
    values: dict[str, str] = {}
    group = ""
    for line in _text(path).splitlines():
        match = GROUP.match(line)
        if match is None:
            continue
        key, value = match[1], match[2].strip('"')
        if key == "GROUP":
            group = value
        elif key != "END_GROUP":
            values.setdefault(key, value)
            values[f"{group}/{key}"] = value
    if not values:
        raise _damaged(path, "it holds no KEY = VALUE line")
    return values.get


def _text(path: Path) -> str:
    if path.stat().st_size > LIMIT_BYTES:
        raise _damaged(path, f"it is larger than {LIMIT_BYTES // 1_000_000} MB")
    return path.read_bytes().decode("utf-8", errors="replace").strip("\x00")


def _damaged(path: Path, why: str) -> RasterError:
    return RasterError(
        f"the metadata file cannot be read ({why})",
        str(path),
        "copy or download the file again, or remove it to go on without what it tells",
    )


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _time(rules: MetadataFile, look: Look) -> dt.datetime | None:
    day = next((v for place in rules.acquired if (v := look(place))), None)
    if day is None:
        return None
    time = next((v for place in rules.time_of_day if (v := look(place))), None)
    text = f"{day}T{time}" if time else day
    # Suppliers write more digits of a second than a clock has.
    text = re.sub(r"(\.\d{1,6})\d*", r"\1", text.strip().replace(" ", "T").replace("Z", "+00:00"))
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    if "T" not in text:
        found = found.replace(hour=12)
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZoneInfo(rules.time_zone))
    return found.astimezone(dt.UTC)
