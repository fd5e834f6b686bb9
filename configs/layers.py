"""The layers file: which One-Map layer plays which role, and how its fields are read."""

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from configs.loading import StrictModel, load_model, load_preset
from configs.vocabulary import SCHEMES, roles, uses

__all__ = [
    "SQUARE_METRES",
    "AreaUnit",
    "County",
    "FieldSpec",
    "LayerSpec",
    "LayersFile",
    "PatchSource",
    "Until",
    "patch_fields",
    "role_fields",
]

AreaUnit = Literal["m2", "mu", "ha", "km2"]

SQUARE_METRES: dict[str, tuple[int, int]] = {
    "m2": (1, 1),
    "mu": (2000, 3),
    "ha": (10_000, 1),
    "km2": (1_000_000, 1),
}
"""Square metres of one unit as numerator and denominator, exact."""


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Aliases = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class FieldSpec(StrictModel):
    """One field of a role: its kind, and the names deliveries give it."""

    kind: Literal["text", "date", "number", "area", "flag"] = "text"
    aliases: tuple[str, ...]
    unit: AreaUnit = "m2"
    required: bool = False


class _FieldsFile(StrictModel):
    fields: dict[str, dict[str, FieldSpec]]
    patches: dict[str, FieldSpec]


class County(StrictModel):
    """The administrative area the layers belong to."""

    code: str = Field(pattern=r"^\d{6}$")
    name: str = ""


class Until(StrictModel):
    """A layer is complete up to and including a civil date."""

    until: dt.date


class LayerSpec(StrictModel):
    """One source file of one role."""

    role: str = Field(description="what the layer is, e.g. landuse, approval, redline")
    source: Path = Field(description="GPKG, GeoJSON, Shapefile (also zipped), GDB or GeoParquet")
    layer: str | None = Field(None, description="layer of a source that holds several")
    encoding: str | None = Field(None, description="of a Shapefile; found by itself if absent")
    fields: dict[str, Aliases] = Field({}, description="internal field: source field or aliases")
    units: dict[str, AreaUnit] = Field({}, description="unit of an area field: m2, mu, ha, km2")
    constants: dict[str, str | int | float | bool] = Field(
        {}, description="internal field: one value for all rows"
    )
    scheme: str = Field("sandiao", description="scheme of land-class codes")
    valid_from: dt.date | None = Field(None, description="the layer tells nothing before")
    valid_to: dt.date | None = Field(None, description="the layer tells nothing after")
    complete: bool | Until = Field(
        False, description="whether absence from the layer means that there is none"
    )
    no_overlap: bool = Field(False, description="report features that overlap each other")
    crs: str | None = Field(None, description="CRS the source must have, or has if it says none")
    crs_override: bool = Field(False, description="take crs even where the source says otherwise")

    @field_validator("role")
    @classmethod
    def _known_role(cls, value: str) -> str:
        if value not in roles():
            raise ValueError(f"there is no role {value!r}; choose one of: {', '.join(roles())}")
        return value

    @field_validator("scheme")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        if value.lower() not in SCHEMES:
            raise ValueError(f"there is no scheme {value!r}; choose one of: {', '.join(SCHEMES)}")
        return value.lower()

    @model_validator(mode="after")
    def _known_fields(self) -> "LayerSpec":
        known = role_fields(self.role)
        for part in ("fields", "units", "constants"):
            for name in getattr(self, part):
                if name not in known:
                    raise ValueError(
                        f"{part}.{name}: the role {self.role} has no such field; "
                        f"it has: {', '.join(known)}"
                    )
        if self.crs_override and not self.crs:
            raise ValueError("crs_override needs crs")
        return self


class PatchSource(StrictModel):
    """Change patches drawn elsewhere, judged instead of detected ones."""

    source: Path
    layer: str | None = None
    encoding: str | None = None
    fields: dict[str, Aliases] = Field({})
    units: dict[str, AreaUnit] = Field({})
    uses: dict[str, str] = Field({}, description="value of the source's use field: use code")
    before_date: dt.date | None = Field(None, description="for patches that do not tell it")
    after_date: dt.date | None = Field(None, description="for patches that do not tell it")
    scheme: str = "sandiao"
    crs: str | None = None
    crs_override: bool = False

    @model_validator(mode="after")
    def _known_words(self) -> "PatchSource":
        for part in ("fields", "units"):
            for name in getattr(self, part):
                if name not in patch_fields():
                    raise ValueError(
                        f"{part}.{name}: patches have no such field; "
                        f"they have: {', '.join(patch_fields())}"
                    )
        for word, code in self.uses.items():
            if code not in uses():
                raise ValueError(
                    f"uses.{word}: there is no use {code!r}; choose one of: {', '.join(uses())}"
                )
        return self


class LayersFile(StrictModel):
    """The One-Map of a county: layers by role, and delivered patches if there are any."""

    version: Literal[1] = 1
    crs_note: str | None = None
    county: County | None = None
    patches: PatchSource | None = None
    layers: tuple[LayerSpec, ...] = ()

    @classmethod
    def load(cls, path: Path) -> "LayersFile":
        """Read a layers file; relative sources are taken from the file's folder."""
        file, folder = load_model(cls, path), path.resolve().parent
        layers = tuple(s.model_copy(update={"source": folder / s.source}) for s in file.layers)
        patches = file.patches
        if patches is not None:
            patches = patches.model_copy(update={"source": folder / patches.source})
        return file.model_copy(update={"layers": layers, "patches": patches})


@cache
def _catalogue() -> _FieldsFile:
    return load_preset(_FieldsFile, "vocabularies", "layer_fields")


def role_fields(role: str) -> dict[str, FieldSpec]:
    """Return the fields of a role by internal name, ``id`` first."""
    return _catalogue().fields[role]


def patch_fields() -> dict[str, FieldSpec]:
    """Return the fields of delivered patches by internal name, ``id`` first."""
    return _catalogue().patches
