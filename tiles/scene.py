"""Scenes and epochs as plain values: which file holds which band, from when, and how to read it."""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from configs.errors import InputError
from configs.sensors import GENERIC, sensor_spec
from configs.told import Told

__all__ = ["BandSource", "Epoch", "MaskSource", "Scene", "SceneFacts", "SetAside", "Terrain"]

GROWING = ("cloud", "cirrus", "shadow", "snow", "dilated")
"""Meanings whose edges are uncertain; the edge of the data is not."""


@dataclass(frozen=True)
class BandSource:
    """One band of one file; physical value = stored value × scale + offset.

    With a `calibration` file that is an amplitude, and the value its calibrated power.
    """

    path: Path
    index: int = 1
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    wavelength_um: float | None = None
    calibration: Path | None = None


@dataclass(frozen=True)
class MaskSource:
    """A raster that tells which pixels may be used.

    Attributes
    ----------
    kind : {"values", "bits"}
        ``values``: a pixel is unusable where the raster holds one of `unusable`.
        ``bits``: unusable where any of these bit numbers is set.
    meanings : tuple of (str, tuple of int)
        What the values or bits mean: nodata, saturated, cloud, cirrus, shadow, snow, dilated.
    margin_m : float
        Metres on the ground by which clouds, shadows and snow are grown.
    """

    path: Path
    kind: Literal["values", "bits"]
    unusable: tuple[int, ...]
    index: int = 1
    meanings: tuple[tuple[str, tuple[int, ...]], ...] = ()
    margin_m: float = 0.0

    @property
    def growing(self) -> tuple[int, ...]:
        """Values or bits that grow; all where nothing tells what they mean."""
        if not self.meanings:
            return self.unusable
        return tuple(sorted({v for name, vs in self.meanings if name in GROWING for v in vs}))


@dataclass(frozen=True)
class SceneFacts:
    """What the supplier's metadata tell about an acquisition; None where they do not.

    Attributes
    ----------
    level : str
        Product level as the supplier names it: ``Level-2A``, ``L1TP``, ``LEVEL1A``.
    baseline : str
        Version of the processing.
    cloud_percent : float or None
    sun_elevation, sun_azimuth, view_angle, view_azimuth : float or None
        Degrees; `view_angle` off nadir, `view_azimuth` clockwise from north.
    """

    level: str = ""
    baseline: str = ""
    cloud_percent: float | None = None
    sun_elevation: float | None = None
    sun_azimuth: float | None = None
    view_angle: float | None = None
    view_azimuth: float | None = None


@dataclass(frozen=True)
class SetAside:
    """A scene that cannot be used, and why; the other scenes of its date go on without it."""

    scene: str
    reason: str
    fix: str


@dataclass(frozen=True)
class Terrain:
    """Heights for images that come with rational polynomials (RPC) instead of a map projection.

    Attributes
    ----------
    dem : Path or None
        Elevation raster, metres.
    height_m : float or None
        Constant height above the ellipsoid, used without `dem`; None: the height that the
        polynomials are centred on.
    geoid_m : float
        Added to the elevation raster: height of its zero above the ellipsoid.
    """

    dem: Path | None = None
    height_m: float | None = None
    geoid_m: float = 0.0


@dataclass(frozen=True)
class Scene:
    """One acquisition.

    Attributes
    ----------
    scene_id : str
        Name used in outputs.
    bands : dict of str to BandSource
        By role (``blue`` …, or ``band1`` … where nothing tells it).
    acquired : datetime or None
        UTC, timezone-aware.
    sensor : str
        Name of a sensor of ``configs/sensors``, or ``generic``.
    attribution : str
        Credit line printed under every picture.
    pan : BandSource or None
        Panchromatic image that sharpens the bands where the grid is finer than they are.
    terrain : Terrain
        Heights for files with rational polynomials.
    facts : SceneFacts
        What the supplier tells about the acquisition.
    doubt : Told or None
        What the reader of a report must know of it.
    """

    scene_id: str
    bands: dict[str, BandSource]
    acquired: dt.datetime | None = None
    sensor: str = "generic"
    attribution: str = ""
    mask: MaskSource | None = None
    pan: BandSource | None = None
    terrain: Terrain = Terrain()
    facts: SceneFacts = SceneFacts()
    doubt: Told | None = None

    @property
    def sensor_title(self) -> str:
        """What people call its sensor; "" where nothing tells which one it was."""
        known = self.sensor != GENERIC
        return sensor_spec(self.sensor).title.partition(",")[0] if known else ""

    def civil_date(self, time_zone: str) -> dt.date | None:
        """Return the calendar date of the acquisition in the area's time zone."""
        return self.acquired.astimezone(ZoneInfo(time_zone)).date() if self.acquired else None


@dataclass(frozen=True)
class Epoch:
    """One date of the pair: an ordered list of scenes, the first usable pixel wins.

    Attributes
    ----------
    scenes : tuple of Scene
    civil_from, civil_to : date or None
        First and last civil date of the scenes; None where no scene tells and none was given
        (allowed for `detect`, not for judgement).
    set_aside : tuple of SetAside
        Scenes of this date that cannot be used.
    """

    scenes: tuple[Scene, ...]
    civil_from: dt.date | None = None
    civil_to: dt.date | None = None
    set_aside: tuple[SetAside, ...] = ()
    bands: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not self.scenes:
            raise InputError("an epoch has no scene", "Epoch", "name at least one image")
        common = [b for b in self.scenes[0].bands if all(b in s.bands for s in self.scenes[1:])]
        object.__setattr__(self, "bands", tuple(common))

    @classmethod
    def of(
        cls, scenes: list[Scene], time_zone: str = "Asia/Shanghai", date: dt.date | None = None
    ) -> "Epoch":
        """Make an epoch; `date` overrides what the scenes say."""
        days = [date] if date else [d for s in scenes if (d := s.civil_date(time_zone))]
        return cls(tuple(scenes), min(days, default=None), max(days, default=None))
