"""Labelled pairs: images of two dates and what people say changed between them."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from configs.errors import ConfigError
from configs.loading import StrictModel, load_model
from configs.runparts import GateSettings
from configs.sensors import anchored_sensor

__all__ = ["LEAST_PLACES", "LabelledPair", "LabelledPairs"]

LEAST_PLACES = 3
"""Fewest labelled places where something changed: below, nothing can be said of chance."""

NAME = re.compile(r"[\w][\w .-]{0,63}")


class LabelledPair(StrictModel):
    """One place: two images and its labels."""

    name: str = Field(description="of the place; a forest is tried on places it has not seen")
    before: tuple[Path, ...] = Field(min_length=1, description="files, folders or STAC items")
    after: tuple[Path, ...] = Field(min_length=1, description="the same of the later date")
    labels: Path | None = Field(
        None, description="raster with a value per pixel, or a layer of polygons of what changed"
    )
    changed: tuple[int, ...] = Field(
        (2,), description="values of changed pixels; [] where nothing changed, labels or none"
    )
    unchanged: tuple[int, ...] = Field(
        (1,), min_length=1, description="values of unchanged pixels; all others are unknown"
    )
    area: Path | None = Field(
        None, description="polygons of what was looked at; by default all of the pair"
    )

    @field_validator("before", "after", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return [value] if isinstance(value, str | Path) else value

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if NAME.fullmatch(value) is None:
            raise ValueError("a place is called by up to 64 letters, digits, spaces, _ . and -")
        return value

    @model_validator(mode="after")
    def _one_meaning(self) -> "LabelledPair":
        both = sorted(set(self.changed) & set(self.unchanged))
        if both:
            raise ValueError(f"the value {both[0]} is both changed and unchanged")
        if self.labels is None and self.changed:
            raise ValueError("labels are missing; where nothing changed, write changed: []")
        return self


class LabelledPairs(StrictModel):
    """Labelled pairs of one sensor, to learn change from; paths are relative to the file."""

    version: Literal[1] = 1
    sensor: str | None = Field(
        None, description="shipped name or YAML path; found by itself if absent"
    )
    crs: str | None = Field(None, description="CRS of images that have none")
    gate: GateSettings = GateSettings()
    pairs: tuple[LabelledPair, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _own_names(self) -> "LabelledPairs":
        names = [pair.name for pair in self.pairs]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"two pairs are called {twice[0]!r}: give each place its own name")
        return self

    @classmethod
    def load(cls, path: Path) -> "LabelledPairs":
        """Read the file; relative paths are taken from its folder.

        Raises
        ------
        ConfigError
            If it breaks its contract, or too few places changed to learn from.
        """
        folder = path.resolve().parent
        read = load_model(cls, path)
        telling = sum(bool(pair.changed) for pair in read.pairs)
        if telling < LEAST_PLACES:
            raise ConfigError(
                f"places where something changed: {telling}, at least {LEAST_PLACES} are needed",
                str(path),
                "label more places, or cut a large one into several pairs",
            )
        pairs = tuple(
            pair.model_copy(
                update={
                    "before": tuple(folder / p for p in pair.before),
                    "after": tuple(folder / p for p in pair.after),
                    "labels": None if pair.labels is None else folder / pair.labels,
                    "area": None if pair.area is None else folder / pair.area,
                }
            )
            for pair in read.pairs
        )
        return read.model_copy(
            update={"pairs": pairs, "sensor": anchored_sensor(read.sensor, folder)}
        )
