"""The parts of a run config: settings of area, dates, grid, detection, outputs."""

import datetime as dt
import re
from pathlib import Path
from typing import Any, Literal
from zoneinfo import available_timezones

from pydantic import Field, field_validator, model_validator

from configs.loading import StrictModel
from configs.mistakes import choice
from configs.vocabulary import Language, change_types

__all__ = [
    "LEDGER_FORMATS",
    "METHODS",
    "REMOTE",
    "AreaSettings",
    "CloudSettings",
    "DateRule",
    "DetectionSettings",
    "EpochSettings",
    "FeedbackSettings",
    "FreshnessSettings",
    "GateSettings",
    "GridSettings",
    "LandcoverSettings",
    "OutputSettings",
    "ReportSettings",
    "TerrainSettings",
]


METHODS = ("auto", "cva", "mad", "irmad", "isfa", "texture", "structure", "logratio", "omnibus")

LEDGER_FORMATS = (
    *("xlsx", "geojson", "gpkg", "parquet", "csv"),
    *("kmz", "shp", "txt", "bhtb", "update"),
)
"""Formats of the clue ledger."""

REMOTE = re.compile(r"^https?:/", re.IGNORECASE)
"""Scenes may be addresses, which have no folder."""


class AreaSettings(StrictModel):
    """The administrative area of the run."""

    county_code: str = Field("000000", pattern=r"^\d{6}$", description="GB/T 2260 county code")
    county_name: str = Field(
        "",
        description="name printed in titles and file names; by default that of the layers file",
    )
    time_zone: str = Field("Asia/Shanghai", description="zone of civil dates")
    aoi: Path | None = Field(None, description="polygon layer that limits the analysis")
    by_county: bool = Field(
        False,
        description="cut patches along the county borders of the division layer; a county_code "
        "that ends in 00 then stands for all counties of the city or province",
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"there is no time zone {value!r}; write one such as Asia/Shanghai")
        return value


class DateRule(StrictModel):
    """Which images of the catalogue make a date: the newest, or the best match, that is usable."""

    begin: dt.date | None = Field(None, description="first civil day")
    end: dt.date | None = Field(None, description="last civil day")
    months: tuple[int, int] | None = Field(
        None, description="first and last month that count, such as [4, 10]; all if absent"
    )
    apart_days: tuple[int, int] = Field(
        (1, 3660), description="days between the two dates, at least and at most; of before only"
    )
    sensor: str | None = Field(None, description="shipped name or YAML path; any if absent")
    max_cloud: float | None = Field(None, ge=0, le=100, description="percent of a scene")
    least_usable_percent: float = Field(
        80.0, gt=0, le=100, description="share of the area that is seen without cloud"
    )
    within_days: int = Field(
        0, ge=0, le=366, description="earlier scenes of so many days fill what the newest lacks"
    )

    @model_validator(mode="after")
    def _in_order(self) -> "DateRule":
        if self.begin and self.end and self.begin > self.end:
            raise ValueError("begin lies after end: swap the two dates")
        if not 1 <= self.apart_days[0] <= self.apart_days[1]:
            raise ValueError("apart_days are the least and the most days, 1 or more")
        if self.months is not None and not all(1 <= m <= 12 for m in self.months):
            raise ValueError("months are numbers from 1 to 12, the first and the last one")
        return self


class EpochSettings(StrictModel):
    """The images of one date, named or found in the catalogue.

    The first usable pixel in the order wins.
    """

    scenes: tuple[Path, ...] = Field((), description="files, folders or STAC items")
    latest: DateRule | None = Field(
        None, description="instead of scenes: the newest usable images of the catalogue"
    )
    best: DateRule | None = Field(
        None,
        description="instead of scenes, of before only: the images of the catalogue that are best "
        "compared with the later date",
    )
    order: Literal["newest", "oldest", "given"] = Field(
        "newest", description="which scene lies on top; given: as listed"
    )
    date: dt.date | None = Field(None, description="civil date, if the scenes do not tell it")
    mask: Path | None = Field(None, description="raster of the same extent, 0 = usable")
    attribution: str | None = Field(None, description="credit line, instead of the sensor's own")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        return {data: {}} if data in ("latest", "best") else data

    @model_validator(mode="after")
    def _one_way(self) -> "EpochSettings":
        named = [bool(self.scenes), self.latest is not None, self.best is not None]
        if sum(named) != 1:
            raise ValueError("name the images by one of scenes, latest and best")
        return self

    @property
    def rule(self) -> DateRule | None:
        """How the images are found in the catalogue; None where they are named."""
        return self.latest or self.best


class FreshnessSettings(StrictModel):
    """How old the newest images of the catalogue may be for the job."""

    oldest_days: int | None = Field(
        None,
        ge=0,
        description="days from the after date that the catalogue gives to the day of the run, or "
        "to the end of its rule; any if absent",
    )
    when_older: Literal["tell", "refuse"] = Field(
        "tell", description="tell: the run goes on and says so; refuse: it does not start"
    )


class GridSettings(StrictModel):
    """The analysis grid; by default that of the coarser date, of before if both are alike."""

    crs: str | None = None
    resolution: float | None = Field(None, gt=0, description="in CRS units")
    origin: tuple[float, float] | None = Field(
        None, description="x and y of the north-west corner of pixel (0, 0)"
    )
    pansharpen: bool = Field(True, description="use panchromatic images that are delivered")


class TerrainSettings(StrictModel):
    """Heights for images that come with rational polynomials (RPC) and no map projection."""

    dem: Path | None = Field(None, description="elevation raster, metres")
    geoid_m: float = Field(0.0, description="height of its zero above the ellipsoid")
    height_m: float | None = Field(None, description="constant height above the ellipsoid")

    @model_validator(mode="after")
    def _one_of_both(self) -> "TerrainSettings":
        if self.dem is not None and self.height_m is not None:
            raise ValueError("dem and height_m exclude each other: keep one")
        if self.dem is None and self.geoid_m:
            raise ValueError("geoid_m belongs to an elevation raster: name it as dem")
        return self


class CloudSettings(StrictModel):
    """Clouds and shadows: how they are found, and how far around them nothing is compared."""

    search: Literal["auto", "always", "never"] = Field(
        "auto", description="auto: at dates of which a scene has no quality raster"
    )
    detector: Literal["colours", "s2cloudless"] = Field(
        "colours", description="s2cloudless: an optional package, for Sentinel-2 Level-1C"
    )
    margin_m: float = Field(60.0, ge=0, description="metres added around what the search finds")
    mask_margin_m: float | None = Field(
        None,
        ge=0,
        description="metres added around clouds, shadows and snow of delivered and own masks; "
        "by default what the sensor says, and none around a mask of your own",
    )


class GateSettings(StrictModel):
    """Limits of the pair gate."""

    max_residual_px: float = Field(0.5, gt=0, description="registration RMSE after correction")
    max_shift_px: float = Field(8.0, gt=0, description="largest shift that may be corrected")
    min_overlap_percent: float = Field(5.0, ge=0, le=100, description="usable share of the area")
    register_pair: bool = Field(True, description="correct the shift between the dates")


class DetectionSettings(StrictModel):
    """How change is found."""

    method: str = Field("auto", description=f"{', '.join(METHODS)} or index:NAME")
    sensitivity: Literal["low", "medium", "high"] = "medium"
    target: Literal["any", "construction"] = "any"
    threshold: Literal["default", "otsu", "kittler", "rosin", "significance"] = Field(
        "default", description="how a statistic is cut; auto has its own way"
    )
    significance: float = Field(
        1e-3, ge=1e-6, le=0.2, description="share of unchanged pixels that a significance lets by"
    )
    looks: float | None = Field(
        None, gt=0, description="equivalent number of looks of radar images; absent: estimated"
    )
    net: str | None = Field(
        None,
        min_length=1,
        description="a stored net that scores pixels instead of the method (`tuban model net`): "
        "name or hash, a .tuban file, or in-use",
    )
    model: str | None = Field(
        None,
        min_length=1,
        description="a stored model learned from labelled pairs (`tuban model train --labels`): "
        "name or hash, a .tuban file, or in-use",
    )
    series: Path | None = Field(
        None,
        description="config of a monitor (`tuban monitor`) that tells change instead of the method",
    )
    floor_px: int = Field(4, ge=1, description="components below are noise: counted, not traced")
    min_strong_px: int = Field(1, ge=1, description="strong pixels a component needs to survive")
    hole_px: int = Field(4, ge=0, description="holes up to this size are filled")
    connectivity: Literal[4, 8] = 8
    smooth_outlines: bool = Field(
        True, description="smooth the steps of slanted edges; pixels and areas stay"
    )
    least_area_m2: dict[str, float] = Field(
        {}, description="smallest patch by change type, instead of the vocabulary's"
    )

    @field_validator("least_area_m2")
    @classmethod
    def _known_types(cls, value: dict[str, float]) -> dict[str, float]:
        codes = tuple(c.code for c in change_types())
        for code, area in value.items():
            if code not in codes:
                raise ValueError(f"there is no change type {code!r}; {choice(code, codes)}")
            if not 0 <= area < float("inf"):
                raise ValueError(f"the least area of {code} must be 0 or more square metres")
        return dict(sorted(value.items()))

    @field_validator("method")
    @classmethod
    def _known_method(cls, value: str) -> str:
        if value not in METHODS and not re.fullmatch(r"index:\w+", value, flags=re.ASCII):
            raise ValueError(
                f"there is no method {value!r}; {choice(value, METHODS)} or index:NAME"
            )
        return value

    @model_validator(mode="after")
    def _one_model(self) -> "DetectionSettings":
        named = [n for n in ("net", "model", "series") if getattr(self, n) is not None]
        if len(named) > 1:
            raise ValueError(f"{' and '.join(named)} exclude each other: keep one")
        return self

    @model_validator(mode="after")
    def _own_threshold_of_auto(self) -> "DetectionSettings":
        if self.method == "auto" and self.threshold != "default":
            raise ValueError("auto has its own threshold: leave threshold out or name a method")
        return self


class LandcoverSettings(StrictModel):
    """Land cover of both dates by a forest trained on the run's own land-use layer, or stored."""

    enabled: bool = True
    model: str | None = Field(
        None,
        min_length=1,
        description="stored model instead of learning: a name or hash of `tuban model list`, "
        "a .tuban file, or in-use",
    )
    classifier: Literal["forest", "boosting"] = Field(
        "forest", description="a random forest, or boosted trees"
    )
    trees: int = Field(60, ge=1, le=500, description="of the forest; rounds of boosting")
    max_depth: int = Field(12, ge=2, le=30)
    samples_per_class: int = Field(3000, ge=50)
    erode_px: int = Field(
        1,
        ge=0,
        description="pixels dropped along parcel borders, or the registration residual if it is "
        "more",
    )
    mode: Literal["two_stage", "exact"] = Field(
        "two_stage", description="exact: every pixel of both dates, compared as a second source"
    )
    split_above_m2: float = Field(
        6400.0,
        gt=0,
        description="components from this size on are classified in full and split where their "
        "uses part; 6400 is what the votes of 64 pixels of 10 m see whole, two parts of half of it",
    )

    @model_validator(mode="after")
    def _model_is_used(self) -> "LandcoverSettings":
        if self.model is not None and not self.enabled:
            raise ValueError("a model is named and land cover is not enabled: leave one out")
        return self


class FeedbackSettings(StrictModel):
    """A model of what people found on the ground: what it is sure about is a pseudo-change."""

    model: str | None = Field(
        None,
        min_length=1,
        description="a model of `tuban model retrain`: name or hash, a .tuban file, or in-use",
    )
    sure_percent: float | None = Field(
        None,
        ge=50,
        le=100,
        description="probability from which a patch is dismissed by it; by default the model's "
        "own, at which it dismissed no real change, doubted verdicts aside, on unseen ground",
    )


class OutputSettings(StrictModel):
    """What is written for people."""

    evidence: Literal["all", "none"] | int = Field("all", description="sheets, or the first n")
    formats: tuple[str, ...] = Field(
        ("xlsx", "geojson", "gpkg"), description=f"of the ledger: {', '.join(LEDGER_FORMATS)}"
    )
    pictures: int = Field(
        500, ge=0, description="clues with before and after in xlsx and kmz, by priority"
    )
    sample: int = Field(
        0, ge=0, description="units of an accuracy sample for people to fill in; 0: none"
    )
    package: bool = Field(False, description="build the hand-in package")

    @field_validator("formats")
    @classmethod
    def _known_formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in LEDGER_FORMATS:
                raise ValueError(f"there is no format {name!r}; {choice(name, LEDGER_FORMATS)}")
        return tuple(name for name in LEDGER_FORMATS if name in value)


class ReportSettings(StrictModel):
    """What the report of a run is like."""

    template: Literal["quarterly", "annual"] = "quarterly"
    language: Language | None = Field(None, description="by default that of the rule set")
    clues: int = Field(12, ge=0, le=60, description="first clues shown with both dates")
    previous: Path | None = Field(
        None, description="folder of the run of the previous period, to compare with"
    )
    assessment: Path | None = Field(
        None, description="folder that `tuban assess` wrote: how accurate the map is"
    )
