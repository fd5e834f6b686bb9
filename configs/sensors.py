"""What a sensor's files mean: band names, wavelengths, roles, scales, quality bands, credit.

Inside the project a band is named by its *role* (``blue``, ``green``, ``red``, ``nir``, ``swir1``,
``swir2`` …), so that two sensors can be compared; a band whose role nobody tells is ``band1`` ….
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from configs.bandroles import Role
from configs.errors import ConfigError
from configs.loading import StrictModel, available, load_model, load_preset
from configs.mistakes import choice

__all__ = [
    "GENERIC",
    "Calibration",
    "DeliveredImage",
    "Delivery",
    "Gains",
    "MetadataFile",
    "OffsetCheck",
    "QualityBand",
    "Radiometry",
    "ScaleRule",
    "SensorBand",
    "SensorSpec",
    "anchored_sensor",
    "detect_sensor",
    "sensor_file",
    "sensor_name",
    "sensor_names",
    "sensor_spec",
]

GENERIC = "generic"


def _compiled(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return text


Pattern = Annotated[str, AfterValidator(_compiled)]


class SensorBand(StrictModel):
    """One band as the supplier names it, and its role here."""

    name: str
    role: Role
    wavelength_um: float | None = Field(None, gt=0)
    analysis: bool = Field(True, description="used for change detection")
    stands_in_for: Role | None = Field(None, description="role it takes where that band is absent")


class ScaleRule(StrictModel):
    """Physical value = stored integer × scale + offset, for files whose path matches."""

    pattern: Pattern = Field("", description="regular expression searched in the path")
    scale: float = 1.0
    offset: float = 0.0


class QualityBand(StrictModel):
    """The sensor's own quality raster, delivered beside the bands."""

    token: str = Field(description="part of the file name, between _ and _ or .")
    kind: Literal["values", "bits"]
    classes: dict[
        Literal["nodata", "saturated", "cloud", "cirrus", "shadow", "snow", "dilated"],
        tuple[int, ...],
    ] = Field(description="values or bit numbers by meaning; all of them are unusable")
    margin_m: float = Field(0.0, ge=0, description="metres added around cloud, shadow and snow")

    @property
    def unusable(self) -> tuple[int, ...]:
        """All values or bits that make a pixel unusable, sorted."""
        return tuple(sorted({v for values in self.classes.values() for v in values}))

    @property
    def meanings(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The classes as plain values, in the order of the file."""
        return tuple(self.classes.items())


class DeliveredImage(StrictModel):
    """One stacked image of a delivery folder."""

    file: Pattern = Field(description="regular expression on the file name; group 1 is the product")
    bands: tuple[str, ...] = Field(description="band names in the order of the file")


class Delivery(StrictModel):
    """A folder of one product: stacked images, each with companions of the same stem.

    The image is named ``PRODUCT-MSS1.tiff``, its metadata ``PRODUCT-MSS1.xml`` and its rational
    polynomial coefficients ``PRODUCT-MSS1.rpb``, for example.
    """

    image: DeliveredImage = Field(description="multispectral image")
    pan: DeliveredImage | None = Field(None, description="panchromatic image of the same product")
    pan_required: bool = True
    rpc: tuple[str, ...] = Field((), description="suffixes of coefficient files, preferred first")
    sensor_geometry: Pattern | None = Field(
        None, description="product names that match are not georeferenced and need coefficients"
    )
    metadata: tuple[str, ...] = Field((), description="suffixes of which one must be there")


class Radiometry(StrictModel):
    """Where a metadata file tells the scale of the stored values.

    Either ``scale`` and ``offset`` (value = stored × scale + offset), or ``divisor`` and ``add``
    (value = (stored + add) / divisor). Places may hold ``{band}``, the band name without leading
    letters and zeros, and ``{index}``, its position in the list of bands.
    """

    pattern: Pattern = Field("", description="searched in the path and the metadata file's name")
    scale: str | None = None
    offset: str | None = None
    divisor: str | None = None
    add: str | None = Field(None, description="absent in the file = 0")
    per_sun: bool = Field(False, description="divide by the sine of the sun's elevation")


class MetadataFile(StrictModel):
    """A metadata file of the supplier and where it tells what.

    A place in XML is ``TAG`` or ``PARENT/TAG``, each also as ``TAG[attribute=value]``; in the text
    of Landsat ``KEY`` or ``GROUP/KEY``. Of several places the first that is there counts.
    """

    file: Pattern = Field(
        description="regular expression on the file name; {stem} = stem of the image"
    )
    format: Literal["xml", "mtl"]
    acquired: tuple[str, ...] = ()
    time_of_day: tuple[str, ...] = Field((), description="where `acquired` is a day only")
    time_zone: str = Field("UTC", description="of `acquired`, where the file does not say")
    level: tuple[str, ...] = ()
    baseline: tuple[str, ...] = ()
    cloud_percent: tuple[str, ...] = ()
    sun_elevation: tuple[str, ...] = ()
    sun_zenith: tuple[str, ...] = ()
    sun_azimuth: tuple[str, ...] = ()
    view_angle: tuple[str, ...] = Field((), description="degrees off nadir, or incidence")
    view_azimuth: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    band_order: tuple[str, ...] = Field((), description="numbers of the bands, comma-separated")
    radiometry: tuple[Radiometry, ...] = ()


class Calibration(StrictModel):
    """Where radar products tell the divisor that turns amplitudes into backscatter.

    Vectors at some lines of the image, each with divisors at some of its pixels.
    """

    images: Pattern = Field(description="regular expression on file names of images as delivered")
    file: str = Field(description="name of the calibration file; {stem} = stem of the image")
    vectors: str = Field(description="elements, one per line")
    line: str = "line"
    pixel: str = "pixel"
    value: str = Field(description="element with the divisors")

    def is_delivered(self, name: str) -> bool:
        """Return whether an image is the supplier's own and has to be calibrated."""
        return re.search(self.images, name) is not None

    def file_of(self, stem: str) -> str:
        """Return the name of the calibration file of an image."""
        return self.file.replace("{stem}", stem)


class Gains(StrictModel):
    """Coefficients that a supplier publishes for a year: radiance = stored × gain + offset."""

    year: int = Field(ge=1999, description="in which the images were taken")
    images: Pattern = Field("", description="searched in the file name: satellite and camera")
    gain: dict[str, float] = Field(description="by band name, W·m⁻²·sr⁻¹·µm⁻¹ per count")
    offset: dict[str, float] = Field({}, description="by band name; 0 where it is not given")


class OffsetCheck(StrictModel):
    """A constant that suppliers add to stored values since some version, looked for in pixels.

    The darkest thousandth of the darkest band is below `without` where the constant is not in
    the stored values, and between `present` and `bright` where it is; else it does not tell.
    """

    stored: int = Field(description="the constant")
    since: str = Field(description="version from which it is added")
    without: int
    present: int
    bright: int


class SensorSpec(StrictModel):
    """One sensor family."""

    extends: str | None = Field(
        None, description="shipped sensor whose entries hold where this file has none"
    )
    title: str
    attribution: str
    source: str = Field(description="the delivery description this file follows")
    name_pattern: Pattern | None = Field(None, description="regular expression of its file names")
    kind: Literal["optical", "radar"] = "optical"
    nodata: float | None = Field(None, description="stored value of no data in integer files")
    bands: tuple[SensorBand, ...]
    stacks: tuple[tuple[str, ...], ...] = Field((), description="band orders of stacked files")
    band_token: Pattern | None = Field(
        None, description="band in a file name, instead of B02; group 1 is the name"
    )
    ignore: Pattern | None = Field(
        None, description="file names that are no band although named so"
    )
    scales: tuple[ScaleRule, ...] = (ScaleRule(),)
    quality: tuple[QualityBand, ...] = Field((), description="the first that is there counts")
    metadata: tuple[MetadataFile, ...] = ()
    delivery: Delivery | None = None
    offset_check: OffsetCheck | None = None
    calibration: Calibration | None = None
    gains: tuple[Gains, ...] = Field((), description="of years, where metadata tell no scale")

    @model_validator(mode="before")
    @classmethod
    def _extended(cls, data: Any) -> Any:
        base = data.get("extends") if isinstance(data, dict) else None
        if base is None:
            return data
        if base not in sensor_names():
            raise ValueError(f"extends: {choice(str(base), sensor_names())}")
        return _shipped(base).model_dump() | data

    @model_validator(mode="after")
    def _stacks_name_known_bands(self) -> "SensorSpec":
        images = (self.delivery.image, self.delivery.pan) if self.delivery else ()
        orders = (*self.stacks, *(image.bands for image in images if image))
        for name in (n for order in orders for n in order):
            if self.band(name) is None:
                raise ValueError(f"stacks: there is no band {name!r}")
        for name in (n for g in self.gains for n in (*g.gain, *g.offset)):
            if self.band(name) is None:
                raise ValueError(f"gains: there is no band {name!r}")
        return self

    def band(self, name: str) -> SensorBand | None:
        """Return the band of a supplier's name (``B2`` and ``B02`` are one) or of a role."""
        wanted = _plain(name)
        return next((b for b in self.bands if wanted in (_plain(b.name), b.role)), None)

    def stack(self, count: int) -> tuple[SensorBand, ...] | None:
        """Return the bands of a stacked file with `count` bands, or None if the order is open."""
        names = next((s for s in self.stacks if len(s) == count), None)
        return tuple(b for n in names if (b := self.band(n))) if names else None

    def scale_of(self, path: str) -> ScaleRule:
        """Return the first scale rule whose pattern is found in the path."""
        return next((r for r in self.scales if re.search(r.pattern, path)), ScaleRule())

    def gain_of(self, file_name: str, year: int | None, band: str) -> tuple[float, float] | None:
        """Return the published gain and offset of a band for the year of an image, or None."""
        for found in self.gains:
            if found.year == year and band in found.gain and re.search(found.images, file_name):
                return found.gain[band], found.offset.get(band, 0.0)
        return None


def _plain(name: str) -> str:
    return re.sub(r"^b0*(?=\d)", "b", name.lower())


def sensor_names() -> list[str]:
    """Return the names of the shipped sensors, sorted."""
    return available("sensors")


def sensor_file(name: str) -> Path | None:
    """Return the file if a sensor is named by its own file, None for a shipped one."""
    return Path(name) if name.endswith((".yaml", ".yml")) else None


def sensor_name(name: str) -> str:
    """Return what a sensor is called: its shipped name, or the stem of its own file.

    Examples
    --------
    >>> sensor_name("/data/sensors/our_gf2.yaml"), sensor_name("gf2_pms")
    ('our_gf2', 'gf2_pms')
    """
    file = sensor_file(name)
    return name if file is None else file.stem


def anchored_sensor(name: str | None, folder: Path) -> str | None:
    """Return how a sensor is named from anywhere: its own file by its whole path."""
    file = None if name is None else sensor_file(name)
    return name if file is None else str((folder / file).resolve())


def sensor_spec(name: str) -> SensorSpec:
    """Return a shipped sensor, or that of a file.

    Parameters
    ----------
    name : str
        Shipped name, or the path of a YAML file.

    Raises
    ------
    ConfigError
        If there is none of that name (the nearest one is suggested), or if the file is absent
        or wrong.
    """
    file = sensor_file(name)
    if file is None:
        return _shipped(name)
    if not file.is_file():
        raise ConfigError(
            "there is no such sensor file",
            str(file),
            "mend the path, which counts from the config's folder; a shipped sensor is named "
            "without .yaml",
        )
    told = file.stat()
    return _own(file, told.st_mtime_ns, told.st_size)


@lru_cache(maxsize=32)
def _shipped(name: str) -> SensorSpec:
    return load_preset(SensorSpec, "sensors", name)


@lru_cache(maxsize=32)
def _own(file: Path, _changed: int, _size: int) -> SensorSpec:
    return load_model(SensorSpec, file)


def detect_sensor(file_name: str, own: str | None = None) -> str | None:
    """Return the sensor whose naming rule a file or folder name follows, or None.

    Parameters
    ----------
    file_name : str
    own : str or None
        A sensor that is asked before the shipped ones.

    Examples
    --------
    >>> detect_sensor("T49QCD_20161209T031122_B02.tif")
    'sentinel2'
    """
    names = sensor_names() if own is None else [own, *sensor_names()]
    for name in names:
        pattern = sensor_spec(name).name_pattern
        if pattern and re.search(pattern, file_name):
            return name
    return None
