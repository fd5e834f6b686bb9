"""What is decided when a run is opened: images out of the catalogue, and layers that are at hand.

Both decisions are kept in the run folder, so that the same command goes on with the same images
after a crash, whatever the catalogue has taken in since.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from configs.errors import InputError
from configs.run import RunConfig
from configs.runparts import EpochSettings
from configs.told import Told
from flows.counties import counties_of
from flows.plan import outline_of
from tiles.catalog import Entry, load_catalog
from tiles.files import write_json
from tiles.usable import ChosenDate, best_match, newest_usable

__all__ = ["OPENING_NAME", "Opening", "images_of"]

OPENING_NAME = "opening.json"
LONLAT = "EPSG:4326"
DATES = ("before", "after")
SUMMARY_NAME = "run.json"


@dataclass(frozen=True)
class Opening:
    """What was decided when a run was opened.

    Attributes
    ----------
    request : str
        Hash of what the config asks for; "" where it names its images.
    scenes : dict of str to list of str
        Images found for a date.
    days : dict of str to str
        Newest civil day of each of these dates.
    reasons : tuple of Told
        Why these.
    missing : tuple of Told
        Layers that are not at hand.
    old : tuple of Told
        That the newest images are older than the job allows.
    series : str or None
        Version of the monitor that tells change.
    released : bool
        Whether the pair was refused, so that the next start looks for other images.
    """

    request: str = ""
    scenes: Mapping[str, list[str]] | None = None
    days: Mapping[str, str] | None = None
    reasons: tuple[Told, ...] = ()
    missing: tuple[Told, ...] = ()
    old: tuple[Told, ...] = ()
    series: str | None = None
    released: bool = False

    @classmethod
    def of(cls, folder: Path) -> "Opening":
        """Read what a run folder keeps; nothing where it keeps nothing."""
        try:
            values = json.loads((folder / OPENING_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return cls()
        names = ("reasons", "missing", "old")
        told = {name: tuple(Told(*t) for t in values.get(name, ())) for name in names}
        return cls(**values | told)

    @staticmethod
    def is_finished(folder: Path) -> bool:
        """Tell whether the run of a folder is finished, and holds its images no longer."""
        return (folder / SUMMARY_NAME).is_file()

    def keep(self, folder: Path) -> "Opening":
        """Write it into a run folder; the reasons of the same images stay as they were told."""
        kept = Opening.of(folder)
        same = kept.request == self.request and kept.scenes == self.scenes
        found = replace(self, reasons=kept.reasons) if same else self
        if found != kept or not (folder / OPENING_NAME).is_file():
            write_json(folder / OPENING_NAME, asdict(found))
        return found

    def applied(self, config: RunConfig) -> RunConfig:
        """Return a config with the images that were found, as if it named them."""
        changes = {}
        for name, scenes in (self.scenes or {}).items():
            epoch: EpochSettings = getattr(config, name)
            found = {"scenes": tuple(Path(s) for s in scenes), "latest": None, "best": None}
            changes[name] = epoch.model_copy(update=found)
        return config.model_copy(update=changes)

    @property
    def gaps(self) -> tuple[Told, ...]:
        """What readers must know of it before they trust a list."""
        return (*self.old, *self.missing)

    @property
    def record(self) -> dict[str, Any]:
        """What ``run.json`` says of it."""
        images = {
            name: {"day": (self.days or {})[name], "scenes": scenes}
            for name, scenes in (self.scenes or {}).items()
        }
        why = [{"zh": t.zh, "en": t.en} for t in self.reasons]
        missing = [{"zh": t.zh, "en": t.en} for t in self.missing]
        told = {"images": images, "why_images": why, "missing_layers": missing}
        told |= {"old_images": [{"zh": t.zh, "en": t.en} for t in self.old]}
        return told | ({"series": self.series} if self.series else {})


def images_of(
    config: RunConfig, out: Path, *, fresh: bool = False, today: dt.date | None = None
) -> Opening:
    """Return the images that a config asks of its catalogue.

    What an unfinished run of the same config found is taken as it was found.

    Parameters
    ----------
    config : RunConfig
    out : Path
        Folder of all runs.
    fresh : bool
        Look again, whatever an unfinished run found.
    today : date, optional
        Day from which the age of images is counted; by default today, where the area is.

    Raises
    ------
    InputError
        If the catalogue cannot be read, has no usable date, or only dates that are too old.
    """
    if config.before.rule is None and config.after.rule is None:
        return Opening()
    request = _request(config)
    if not fresh and (kept := _unfinished(config.name, request, out)):
        return kept
    assert config.catalog is not None
    entries = load_catalog(config.catalog)
    found = _chosen(config, entries)
    old = _too_old(config, found.get("after"), today)
    return Opening(
        request,
        {name: [str(e.path) for e in date.images.entries] for name, date in found.items()},
        {name: date.day.isoformat() for name, date in found.items()},
        tuple(date.reason for date in found.values()),
        old=old,
    )


def _too_old(
    config: RunConfig, after: ChosenDate | None, today: dt.date | None
) -> tuple[Told, ...]:
    """Tell that the newest usable images are older than the job allows, or refuse them."""
    limit, rule = config.freshness.oldest_days, config.after.latest
    if limit is None or after is None or rule is None:
        return ()
    day = today or dt.datetime.now(ZoneInfo(config.area.time_zone)).date()
    age = (min(day, rule.end or day) - after.day).days
    if age <= limit:
        return ()
    if config.freshness.when_older == "refuse":
        raise InputError(
            f"the newest usable images are of {after.day}, more than {limit} days old: what "
            "happened since cannot show",
            "after: latest in the config",
            "bring new images into the catalogue (tuban catalog build), lower "
            "least_usable_percent, or allow it in the config: freshness: {when_older: tell} goes "
            f"on and says so in the list, freshness: {{oldest_days: {age}}} takes these as fresh",
        )
    return (
        Told(
            f"后时相为 {after.day}，已超过 {limit} 天，此后的变化不在本清单内",
            f"the later date, {after.day}, is more than {limit} days old: what changed since is "
            "not in this list",
        ),
    )


def _request(config: RunConfig) -> str:
    asked = config.model_dump(
        mode="json", include={"name", "area", "before", "after", "grid", "sensor", "catalog"}
    )
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def _unfinished(name: str, request: str, out: Path) -> Opening | None:
    """Return what the newest unfinished run of a request found."""
    found = []
    for path in sorted(out.glob(f"{name}-*/{OPENING_NAME}")):
        kept = Opening.of(path.parent)
        held = kept.request == request and not kept.released
        if held and not kept.is_finished(path.parent):
            found.append((sorted((kept.days or {}).items()), path.parent.name, kept))
    return max(found, key=lambda f: f[:2])[2] if found else None


def _chosen(config: RunConfig, entries: list[Entry]) -> dict[str, ChosenDate]:
    """Return the dates by rule, the later one first: the earlier one is chosen for it."""
    zone, area = config.area.time_zone, _area(config, entries)
    found: dict[str, ChosenDate] = {}
    later = config.after.date
    if (rule := config.after.latest) is not None:
        found["after"] = newest_usable(entries, area, rule, role="after", time_zone=zone)
        later = found["after"].first
    if (rule := config.before.latest) is not None:
        found["before"] = newest_usable(
            entries, area, rule, role="before", time_zone=zone, later=later
        )
    if (rule := config.before.best) is not None:
        found["before"] = best_match(entries, area, rule, found["after"], time_zone=zone)
    return {name: found[name] for name in DATES if name in found}


def _area(config: RunConfig, entries: list[Entry]) -> Any:
    """Return the area of the run in longitude and latitude; what the catalogue shows if open."""
    import shapely

    area = outline_of(config, LONLAT, counties_of(config, LONLAT))
    return shapely.union_all([e.footprint for e in entries]) if area is None else area
