"""Labelled pairs: images of two dates and what people say changed between them."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from configs.loading import StrictModel, load_model
from configs.run import GateSettings
from configs.sensors import anchored_sensor

__all__ = ["LabelledPair", "LabelledPairs"]

NAME = re.compile(r"[\w][\w .-]{0,63}")


class LabelledPair(StrictModel):
    """One place: two images and its labels."""

    name: str = Field(description="of the place; a forest is tried on places it has not seen")
    before: tuple[Path, ...] = Field(min_length=1, description="files, folders or STAC items")
    after: tuple[Path, ...] = Field(min_length=1, description="the same of the later date")
    labels: Path = Field(
        description="raster with a value per pixel, or a layer of polygons of what changed"
    )
    changed: tuple[int, ...] = Field((2,), min_length=1, description="values of changed pixels")
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
        """Read the file; relative paths are taken from its folder."""
        folder = path.resolve().parent
        read = load_model(cls, path)
        pairs = tuple(
            pair.model_copy(
                update={
                    "before": tuple(folder / p for p in pair.before),
                    "after": tuple(folder / p for p in pair.after),
                    "labels": folder / pair.labels,
                    "area": None if pair.area is None else folder / pair.area,
                }
            )
            for pair in read.pairs
        )
        return read.model_copy(
            update={"pairs": pairs, "sensor": anchored_sensor(read.sensor, folder)}
        )
