"""The imagery catalogue: deliveries of any mix as a static STAC catalogue, no file moved."""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import shapely

from configs.errors import InputError, RasterError
from configs.sensors import sensor_name
from tiles.deliveries import open_scene
from tiles.discovery import Delivered, discover
from tiles.files import atomic_path, write_csv_rows, write_json
from tiles.footprint import seen
from tiles.stacitem import scene_item

__all__ = [
    "Built",
    "Entry",
    "build_catalog",
    "catalog_fingerprint",
    "load_catalog",
    "search_entries",
]

PROBLEM_COLUMNS = ("delivery", "problem", "fix")


@dataclass(frozen=True)
class Entry:
    """One scene of a catalogue.

    Attributes
    ----------
    path : Path
        The item, to be named as a scene in a config.
    item : dict
        Its content.
    """

    path: Path
    item: dict[str, Any]

    @property
    def name(self) -> str:
        """Id of the item."""
        return str(self.item["id"])

    @property
    def sensor(self) -> str:
        """Sensor, or the platform where another program wrote the item."""
        properties = self.item["properties"]
        return str(properties.get("tuban:sensor", properties.get("platform", "")))

    @cached_property
    def footprint(self) -> Any:
        """Polygons with data, longitude and latitude."""
        return _geometry(self.item["geometry"], self.item["id"])

    @cached_property
    def usable(self) -> Any:
        """Polygons without cloud and shadow; the footprint where the item does not say."""
        asset = self.item["assets"].get("usable")
        if asset is None:
            return self.footprint
        file = self.path.parent / asset["href"]
        return _geometry(json.loads(file.read_text(encoding="utf-8")), str(file))

    def number(self, name: str) -> float | None:
        """Return a numeric property, None where it is absent."""
        value = self.item["properties"].get(name)
        return float(value) if isinstance(value, int | float) else None

    @property
    def acquired(self) -> dt.datetime:
        """Time of acquisition, UTC."""
        properties = self.item["properties"]
        text = properties.get("datetime") or properties["start_datetime"]
        return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(dt.UTC)


@dataclass(frozen=True)
class Built:
    """What a build made.

    Attributes
    ----------
    entries : tuple of Entry
    problems : tuple of (str, str, str)
        Delivery, what is wrong, what to do.
    """

    entries: tuple[Entry, ...]
    problems: tuple[tuple[str, str, str], ...]


def build_catalog(
    root: Path,
    out: Path,
    *,
    sensor: str | None = None,
    time_zone: str = "Asia/Shanghai",
    step: Callable[[], None] = lambda: None,
) -> Built:
    """Index all deliveries below a folder.

    Written are ``catalog.json``, ``items/ID.json``, ``items/ID.usable.geojson`` and
    ``problems.csv`` with a row for every delivery that cannot be used. What an earlier build
    wrote there and is no longer delivered goes.

    Parameters
    ----------
    root : Path
    out : Path
        Folder of the catalogue.
    sensor : str or None
        See `tiles.discovery.discover`.
    time_zone : str
        Zone of days that names tell without a time.
    step : callable
        Called after every delivery.

    Raises
    ------
    InputError
        If `root` is no folder.
    """
    if not root.is_dir():
        raise InputError("there is no such folder", str(root), "name the folder of deliveries")
    home = out / "items"
    entries: dict[str, Entry] = {}
    problems: list[tuple[str, str, str]] = []
    for found in discover(root, out, sensor):
        name = found.paths[0].relative_to(root).as_posix() or root.name
        try:
            if found.problem:
                raise RasterError(found.problem, name, found.fix)
            entry = _entry(found, home, time_zone, set(entries))
            entries[entry.name] = entry
        except RasterError as error:
            problems.append((name, error.what, error.fix))
        step()
    ordered = sorted(entries.values(), key=lambda e: (e.acquired, e.name))
    _write(out, root, ordered, problems)
    return Built(tuple(ordered), tuple(problems))


def _entry(found: Delivered, home: Path, time_zone: str, taken: set[str]) -> Entry:
    scene = open_scene([p.resolve() for p in found.paths], found.sensor, time_zone)
    view = seen(scene)
    if view.valid.is_empty:
        raise RasterError(
            "the image holds no data", str(found.paths[0]), "copy or download the file again"
        )
    item_id = _unique(re.sub(r"[^\w.\-]", "_", scene.scene_id), taken)
    item = scene_item(scene, item_id, view, home)
    home.mkdir(parents=True, exist_ok=True)
    usable = f"{item_id}.usable.geojson"
    if scene.mask is not None:
        shape = shapely.set_precision(view.usable, 1e-7)
        with atomic_path(home / usable) as part:
            part.write_text(shapely.to_geojson(shape), encoding="utf-8")
        item["assets"]["usable"] = {
            "href": usable,
            "type": "application/geo+json",
            "roles": ["metadata"],
            "title": "Area without cloud, shadow or other exclusions",
        }
    path = home / f"{item_id}.json"
    item["links"] = [
        {"rel": rel, "href": "../catalog.json", "type": "application/json"}
        for rel in ("root", "parent")
    ]
    write_json(path, item)
    return Entry(path, item)


def _unique(name: str, taken: set[str]) -> str:
    number = 2
    wanted = name
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    return name


def _write(
    out: Path, root: Path, entries: Sequence[Entry], problems: Sequence[tuple[str, str, str]]
) -> None:
    links = [{"rel": "root", "href": "./catalog.json", "type": "application/json"}]
    links += [
        {
            "rel": "item",
            "href": f"./items/{e.path.name}",
            "type": "application/geo+json",
            "title": f"{e.acquired:%Y-%m-%d} {e.sensor}",
        }
        for e in entries
    ]
    catalog = {
        "type": "Catalog",
        "stac_version": "1.1.0",
        "id": re.sub(r"[^\w.\-]", "_", root.resolve().name) or "catalog",
        "description": "Imagery deliveries; the files stay where they are.",
        "links": links,
    }
    write_json(out / "catalog.json", catalog)
    keep = {e.path.name for e in entries} | {f"{e.name}.usable.geojson" for e in entries}
    for old in sorted((out / "items").glob("*.*json")):
        if old.name not in keep:
            old.unlink()
    write_csv_rows(out / "problems.csv", [PROBLEM_COLUMNS, *problems])


def load_catalog(folder: Path) -> list[Entry]:
    """Return the scenes of a static catalogue, in the order of its links.

    Parameters
    ----------
    folder : Path
        Folder with ``catalog.json``, or that file.

    Raises
    ------
    InputError
        If there is no such catalogue or it is damaged.
    """
    file = folder / "catalog.json" if folder.is_dir() else folder
    if not file.is_file():
        raise InputError(
            "there is no catalogue", str(folder), "make one with tuban catalog build FOLDER -o OUT"
        )
    return list(_items(file))


def catalog_fingerprint(folder: Path) -> str:
    """Return a hash of what a catalogue says: of its items, in the order of its links."""
    told = json.dumps([entry.item for entry in load_catalog(folder)], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def _items(file: Path) -> Iterator[Entry]:
    for link in _json(file).get("links", []):
        if link.get("rel") == "item":
            path = (file.parent / link["href"]).resolve()
            yield Entry(path, _json(path))
        elif link.get("rel") == "child":
            yield from _items((file.parent / link["href"]).resolve())


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"the catalogue is damaged ({error})", str(file), "build the catalogue again"
        ) from error


def _geometry(value: Any, where: str) -> Any:
    try:
        return shapely.make_valid(shapely.from_geojson(json.dumps(value)))
    except shapely.errors.GEOSException as error:
        raise InputError(f"no geometry ({error})", where, "build the catalogue again") from error


def search_entries(
    entries: Sequence[Entry],
    *,
    area: Any = None,
    begin: dt.date | None = None,
    end: dt.date | None = None,
    sensor: str | None = None,
    max_cloud: float | None = None,
    time_zone: str = "Asia/Shanghai",
) -> list[Entry]:
    """Return the scenes that meet all conditions, by time of acquisition.

    Parameters
    ----------
    entries : sequence of Entry
    area : shapely geometry, optional
        Longitude and latitude; the footprint must meet it.
    begin, end : date, optional
        First and last civil date.
    sensor : str, optional
        Name, or the file of a sensor.
    max_cloud : float, optional
        Percent: the supplier's figure, or what the quality band excludes where there is none.
    time_zone : str
        Zone of civil dates.
    """
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(time_zone)
    found = []
    for entry in entries:
        day = entry.acquired.astimezone(zone).date()
        cloud = cloud_percent(entry)
        if (
            (begin is None or day >= begin)
            and (end is None or day <= end)
            and (sensor is None or entry.sensor == sensor_name(sensor))
            and (max_cloud is None or cloud is None or cloud <= max_cloud)
            and (area is None or entry.footprint.intersects(area))
        ):
            found.append(entry)
    return sorted(found, key=lambda e: (e.acquired, e.name))


def cloud_percent(entry: Entry) -> float | None:
    """Return the cloud of a scene in percent: the supplier's figure, or 100 − usable."""
    told = entry.number("eo:cloud_cover")
    if told is not None:
        return told
    usable = entry.number("tuban:usable_percent")
    return None if usable is None else round(100 - usable, 2)
