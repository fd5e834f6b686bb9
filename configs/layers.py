"""The layers file: which One-Map layer plays which role, and how its fields are read."""

import datetime as dt
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from configs.loading import StrictModel, load_model, load_preset
from configs.mistakes import choice
from configs.vocabulary import SCHEMES, roles, uses

__all__ = [
    "CATALOGUE",
    "SQUARE_METRES",
    "AreaUnit",
    "ControlPoint",
    "County",
    "FieldSpec",
    "LayerSpec",
    "LayersFile",
    "LocalCrs",
    "ParcelSource",
    "PatchSource",
    "Source",
    "Until",
    "parcel_fields",
    "patch_fields",
    "role_fields",
]

AreaUnit = Literal["m2", "mu", "ha", "km2", "acre"]

SQUARE_METRES: dict[str, tuple[int, int]] = {
    "m2": (1, 1),
    "mu": (2000, 3),
    "ha": (10_000, 1),
    "km2": (1_000_000, 1),
    "acre": (40_468_564_224, 10_000_000),
}
"""Square metres of one unit as numerator and denominator, exact."""


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Aliases = Annotated[tuple[str, ...], BeforeValidator(_as_list)]

CATALOGUE = "catalogue:"
DATABASE = "postgresql://"


def _as_source(value: Any) -> Any:
    """Keep the name of a catalogue version or a database as text; all else is a path."""
    if not isinstance(value, str):
        return value
    if value.startswith(DATABASE) and (re.match(r"postgresql://[^/]*:[^/]*@", value)):
        raise ValueError("write no password here: set PGPASSWORD or use ~/.pgpass")
    return value if value.startswith((CATALOGUE, DATABASE)) else Path(value)


Source = Annotated[Path | str, BeforeValidator(_as_source)]
"""A file, ``catalogue:ROLE[@VERSION]`` or ``postgresql://[USER@]HOST/DATABASE``."""


class FieldSpec(StrictModel):
    """One field of a role: its kind, and the names deliveries give it."""

    kind: Literal["text", "date", "number", "area", "flag"] = "text"
    aliases: tuple[str, ...]
    unit: AreaUnit = "m2"
    required: bool = False
    check_only: bool = False


class _FieldsFile(StrictModel):
    fields: dict[str, dict[str, FieldSpec]]
    patches: dict[str, FieldSpec]
    parcels: dict[str, FieldSpec]


class County(StrictModel):
    """The administrative area the layers belong to."""

    code: str = Field("", pattern=r"^[A-Za-z0-9]{0,6}$", description="stands in clue numbers")
    name: str = ""


class Until(StrictModel):
    """A layer is complete up to and including a civil date."""

    until: dt.date


class ControlPoint(StrictModel):
    """A point known in a local system (x east, y north) and in degrees on CGCS2000."""

    x: float
    y: float
    lon: float
    lat: float


class LocalCrs(StrictModel):
    """A local coordinate system: a projection, and seven parameters where its datum is another."""

    projection: str = Field(description="WKT or PROJ text of the projection and its ellipsoid")
    to_cgcs2000: tuple[float, float, float, float, float, float, float] | None = Field(
        None, description="shifts in m, rotations in arc seconds, scale in ppm"
    )
    rotation: Literal["position_vector", "coordinate_frame"] = "position_vector"
    control_points: tuple[ControlPoint, ...] = ()
    accuracy_m: float = Field(gt=0, description="what the surveying office promises")


class LayerSpec(StrictModel):
    """One source of one role."""

    role: str = Field(description="what the layer is, e.g. landuse, approval, redline")
    source: Source = Field(
        description="GPKG, GeoJSON, Shapefile (also zipped), GDB, GeoParquet or coordinate TXT; "
        "catalogue:ROLE[@VERSION]; postgresql://HOST/DATABASE with `layer: SCHEMA.TABLE`"
    )
    as_of: dt.date | None = Field(None, description="of a catalogue: the version in force that day")
    known_on: dt.date | None = Field(None, description="of a catalogue: as it was known that day")
    version: str | None = Field(None, description="set by the catalogue")
    layer: str | None = Field(None, description="layer of a source that holds several")
    encoding: str | None = Field(None, description="of a Shapefile; found by itself if absent")
    fields: dict[str, Aliases] = Field(
        {},
        description="internal field: source field, or several: the first that tells a value counts",
    )
    units: dict[str, AreaUnit] = Field({}, description="unit of an area field: m2, mu, ha, …")
    constants: dict[str, str | int | float | bool] = Field(
        {}, description="internal field: one value for all rows"
    )
    nothing: dict[str, Aliases] = Field(
        {}, description="internal field: words that tell nothing in it, such as 0"
    )
    defaults: dict[str, str | int | float | bool] = Field(
        {}, description="internal field: value of rows that tell nothing"
    )
    where: dict[str, Aliases] = Field(
        {}, description="source field: the values of the rows to read; the others are left out"
    )
    scheme: str = Field("sandiao", description="scheme of land-class codes")
    valid_from: dt.date | None = Field(None, description="the layer tells nothing before")
    valid_to: dt.date | None = Field(None, description="the layer tells nothing after")
    complete: bool | Until = Field(
        False, description="whether absence from the layer means that there is none"
    )
    no_overlap: bool = Field(False, description="report features that overlap each other")
    crs: str | LocalCrs | None = Field(
        None, description="CRS the source must have, or has if it says none; or a local system"
    )
    crs_override: bool = Field(False, description="take crs even where the source says otherwise")

    @field_validator("role")
    @classmethod
    def _known_role(cls, value: str) -> str:
        if value not in roles():
            raise ValueError(f"there is no role {value!r}; {choice(value, roles())}")
        return value

    @field_validator("scheme")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        if value.lower() not in SCHEMES:
            raise ValueError(f"there is no scheme {value!r}; {choice(value, SCHEMES)}")
        return value.lower()

    @model_validator(mode="after")
    def _known_fields(self) -> "LayerSpec":
        known = role_fields(self.role, checked=True)
        for part in ("fields", "units", "constants", "nothing", "defaults"):
            for name in getattr(self, part):
                if name not in known:
                    raise ValueError(
                        f"{part}.{name}: the role {self.role} has no such field; "
                        f"{choice(name, known)}"
                    )
        if self.crs_override and not self.crs:
            raise ValueError("crs_override needs crs")
        if (self.as_of or self.known_on) and not self.from_catalogue:
            raise ValueError("as_of and known_on need `source: catalogue:ROLE`")
        settled = self.model_fields_set - {"role", "source", "as_of", "known_on"}
        if self.from_catalogue and settled:
            raise ValueError(f"a catalogue version settles {', '.join(sorted(settled))} itself")
        return self

    @property
    def from_catalogue(self) -> bool:
        """Whether the source is a version of a catalogue."""
        return isinstance(self.source, str) and self.source.startswith(CATALOGUE)

    @property
    def name(self) -> str:
        """What reports call the source: file name, table, or catalogue version."""
        if isinstance(self.source, Path):
            return self.source.name
        return self.source if self.from_catalogue else str(self.layer)


class _DrawnSource(StrictModel):
    """How outlines drawn elsewhere are read."""

    layer: str | None = None
    encoding: str | None = None
    fields: dict[str, Aliases] = Field({})
    units: dict[str, AreaUnit] = Field({})
    constants: dict[str, str | int | float | bool] = Field(
        {}, description="internal field: one value for all patches"
    )
    uses: dict[str, str] = Field({}, description="value of the source's use field: use code")
    scheme: str = "sandiao"
    crs: str | None = None
    crs_override: bool = False

    @classmethod
    def known(cls) -> tuple[str, dict[str, FieldSpec]]:
        """Return what the outlines are called and their fields."""
        return "patches", patch_fields()

    @model_validator(mode="after")
    def _known_words(self) -> "_DrawnSource":
        name, known = self.known()
        for part in ("fields", "units", "constants"):
            for field in getattr(self, part):
                if field not in known:
                    raise ValueError(
                        f"{part}.{field}: {name} have no such field; {choice(field, known)}"
                    )
        for word, code in self.uses.items():
            if code not in uses():
                raise ValueError(f"uses.{word}: there is no use {code!r}; {choice(code, uses())}")
        return self


class PatchSource(_DrawnSource):
    """Change patches drawn elsewhere, judged instead of detected ones."""

    source: Path
    before_date: dt.date | None = Field(None, description="for patches that do not tell it")
    after_date: dt.date | None = Field(None, description="for patches that do not tell it")


class ParcelSource(_DrawnSource):
    """How proposed parcels are read; which file is named when they are vetted."""

    @classmethod
    def known(cls) -> tuple[str, dict[str, FieldSpec]]:
        """Return what the outlines are called and their fields."""
        return "parcels", parcel_fields()


class LayersFile(StrictModel):
    """The One-Map of a county: layers by role, and delivered patches if there are any."""

    in_schema: ClassVar[bool] = True

    version: Literal[1] = 1
    county: County | None = None
    oldest: dt.date = Field(
        dt.date(1950, 1, 1), description="`tuban layers check` reports dates before it"
    )
    catalogue: Path | None = Field(None, description="store folder of `tuban layers import`")
    patches: PatchSource | None = None
    parcels: ParcelSource | None = None
    layers: tuple[LayerSpec, ...] = ()

    @classmethod
    def load(cls, path: Path) -> "LayersFile":
        """Read a layers file; relative sources are taken from the file's folder."""
        file, folder = load_model(cls, path), path.resolve().parent
        layers = tuple(
            s.model_copy(update={"source": folder / s.source}) if isinstance(s.source, Path) else s
            for s in file.layers
        )
        patches, catalogue = file.patches, file.catalogue
        if patches is not None:
            patches = patches.model_copy(update={"source": folder / patches.source})
        if catalogue is not None:
            catalogue = folder / catalogue
        update = {"layers": layers, "patches": patches, "catalogue": catalogue}
        return file.model_copy(update=update)


@cache
def _catalogue() -> _FieldsFile:
    return load_preset(_FieldsFile, "vocabularies", "layer_fields")


def role_fields(role: str, *, checked: bool = False) -> dict[str, FieldSpec]:
    """Return the fields of a role by internal name, ``id`` first.

    Parameters
    ----------
    role : str
    checked : bool
        With those that only the quality check reads.
    """
    fields = _catalogue().fields[role]
    return {name: f for name, f in fields.items() if checked or not f.check_only}


def patch_fields() -> dict[str, FieldSpec]:
    """Return the fields of delivered patches by internal name, ``id`` first."""
    return _catalogue().patches


def parcel_fields() -> dict[str, FieldSpec]:
    """Return the fields of proposed parcels by internal name, ``id`` first."""
    return _catalogue().parcels
