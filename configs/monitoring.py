"""The monitor config: a growing series of images, how it is fitted, and what is reported of it."""

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from configs.layers import ParcelSource
from configs.loading import StrictModel, load_model
from configs.runparts import REMOTE, AreaSettings, GridSettings
from configs.sensors import anchored_sensor, sensor_file, sensor_spec

__all__ = [
    "CatalogQuery",
    "HistorySettings",
    "MonitorConfig",
    "ParcelRules",
    "PatchRules",
    "SeriesMethod",
    "SeriesRules",
]

SeriesMethod = Literal["ewma", "cusum", "mosum", "ccdc"]


class CatalogQuery(StrictModel):
    """Scenes of a catalogue of `tuban catalog build` that meet the area and all conditions."""

    source: Path = Field(description="folder of the catalogue")
    begin: dt.date | None = Field(None, description="first civil date")
    end: dt.date | None = Field(None, description="last civil date")
    sensor: str | None = Field(None, description="shipped name or YAML path")
    max_cloud: float | None = Field(None, ge=0, le=100, description="percent")


class HistorySettings(StrictModel):
    """The dates that teach what is normal; later ones are judged against them."""

    begin: dt.date | None = Field(None, description="first civil date")
    end: dt.date = Field(description="last civil date")
    harmonics: int = Field(2, ge=1, le=4, description="waves per year of the season")
    trend: bool = Field(False, description="a straight line beside the season")

    @model_validator(mode="after")
    def _in_order(self) -> "HistorySettings":
        if self.begin is not None and self.begin >= self.end:
            raise ValueError("history.begin lies after history.end: swap the two dates")
        return self


class SeriesRules(StrictModel):
    """How a series is followed; what is absent is as published for the method."""

    history: Literal["auto", "all", "robust", "stable"] = Field(
        "auto", description="which observations make the model"
    )
    memory: float = Field(0.3, gt=0, le=1, description="EWMA: weight of the newest observation")
    limit: float = Field(3.0, gt=0, description="EWMA: limit in standard deviations")
    alpha: float = Field(
        0.0, ge=0, le=0.5, description="chance of a false signal; 0: as published for the method"
    )
    window: float = Field(0.25, gt=0, le=1, description="MOSUM: part of the history that is summed")
    confirm: int = Field(
        0, ge=0, le=1000, description="signals in a row that confirm; 0: 3, with CCDC 6"
    )
    clip: float = Field(5.0, gt=0, description="residuals are held within so many deviations")
    least_sigma: float = Field(0.0, ge=0, description="least standard deviation, in index units")


class PatchRules(StrictModel):
    """Which confirmed pixels are drawn as patches; the rasters hold all of them."""

    least_change: float = Field(0.1, ge=0, description="in units of the index or band")
    direction: Literal["loss", "gain", "both"] = "both"
    floor_px: int = Field(4, ge=1, description="smaller patches are counted, not drawn")


class ParcelRules(StrictModel):
    """When a parcel is flagged."""

    how: ParcelSource = Field(ParcelSource(), description="field names and CRS of the layer")
    least_drop: float = Field(
        0.1, gt=0, description="change of the parcel's median that counts, in units of the index"
    )
    least_share: float = Field(
        0.2, gt=0, le=1, description="disturbed part of a parcel that counts"
    )
    least_area_m2: float = Field(400.0, ge=0, description="disturbed area that counts")
    least_trend: float = Field(0.02, gt=0, description="change per year that counts")
    significance: float = Field(0.01, gt=0, lt=1, description="of the Mann–Kendall test")
    seen_share: float = Field(
        0.5, gt=0, le=1, description="cloud-free part of a parcel that makes a date count"
    )


class MonitorConfig(StrictModel):
    """Everything one monitor depends on; paths are relative to the config file."""

    version: Literal[1] = 1
    name: str = Field(pattern=r"^[\w.-]+$", description="name of the monitor's folder")
    area: AreaSettings = AreaSettings()
    scenes: tuple[Path, ...] = Field((), description="files, folders, STAC items, in any order")
    folder: Path | None = Field(None, description="folder below which every delivery is a scene")
    catalog: CatalogQuery | None = None
    sensor: str | None = Field(
        None, description="shipped name or YAML path; found by itself if absent"
    )
    grid: GridSettings = GridSettings()
    index: str | None = Field("NDVI", description="an index of `tuban indices list`; or bands")
    bands: tuple[str, ...] = Field((), description="bands by role instead of an index")
    method: SeriesMethod = "ewma"
    history: HistorySettings
    months: tuple[int, int] | None = Field(
        None, description="first and last month that count, e.g. [4, 10]; all if absent"
    )
    cloud_margin_m: float | None = Field(
        None, ge=0, description="metres added around clouds and shadows of quality rasters"
    )
    series: SeriesRules = SeriesRules()
    patches: PatchRules = PatchRules()
    parcels: Path | None = Field(None, description="layer of parcels that are reported one by one")
    parcel_rules: ParcelRules = ParcelRules()

    @model_validator(mode="before")
    @classmethod
    def _bands_replace_the_default(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("bands") and "index" not in data:
            return data | {"index": None}
        return data

    @model_validator(mode="after")
    def _one_of_each(self) -> "MonitorConfig":
        named = [bool(self.scenes), self.folder is not None, self.catalog is not None]
        if sum(named) != 1:
            raise ValueError("name the images by one of scenes, folder and catalog")
        if (self.index is None) == (not self.bands):
            raise ValueError("name either an index or bands, not both")
        if self.parcels is not None and self.index is None:
            raise ValueError("parcels are reported by an index: name one instead of bands")
        if self.months is not None and not all(1 <= m <= 12 for m in self.months):
            raise ValueError("months are numbers from 1 to 12, the first and the last one")
        if len(self.bands) > 1 and self.method != "ccdc":
            raise ValueError(f"{self.method} follows one band or index; several: method: ccdc")
        return self

    def counts(self, day: dt.date) -> bool:
        """Return whether images of a day's month count; months may run over the year's end."""
        if self.months is None:
            return True
        first, last = self.months
        inside = first <= day.month <= last
        return inside if first <= last else day.month >= first or day.month <= last

    @property
    def key8(self) -> str:
        """Eight digits of what decides a state: all but the images, which grow in number."""
        later = {"scenes", "folder", "catalog", "parcels", "parcel_rules", "patches"}
        data = self.model_dump(mode="json", exclude=later)
        if file := sensor_file(self.sensor or ""):
            sensor_spec(str(file))
            data["sensor"] = hashlib.sha256(file.read_bytes()).hexdigest()
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:8]

    @classmethod
    def load(cls, path: Path) -> "MonitorConfig":
        """Read a config; relative paths are taken from the file's folder."""
        return load_model(cls, path).anchored(path.resolve().parent)

    def anchored(self, folder: Path) -> "MonitorConfig":
        """Return the config with all paths absolute."""

        def fix(path: Path | None) -> Path | None:
            return path if path is None or REMOTE.match(str(path)) else folder / path

        catalog = self.catalog
        if catalog is not None:
            catalog = catalog.model_copy(update={"source": folder / catalog.source})
        return self.model_copy(
            update={
                "area": self.area.model_copy(update={"aoi": fix(self.area.aoi)}),
                "scenes": tuple(fix(p) for p in self.scenes),
                "folder": fix(self.folder),
                "sensor": anchored_sensor(self.sensor, folder),
                "catalog": catalog,
                "parcels": fix(self.parcels),
            }
        )
