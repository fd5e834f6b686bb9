"""The run config: what one run reads, how it detects and judges."""

import datetime as dt
import hashlib
import json
import os
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from pydantic import ConfigDict, Field, field_validator, model_validator

from configs.loading import StrictModel, load_model
from configs.profiles import ProfileName, filled, profile_values
from configs.runparts import (
    REMOTE,
    AreaSettings,
    CloudSettings,
    DetectionSettings,
    EpochSettings,
    FeedbackSettings,
    FreshnessSettings,
    GateSettings,
    GridSettings,
    LandcoverSettings,
    OutputSettings,
    ReportSettings,
    TerrainSettings,
)
from configs.sensors import anchored_sensor

__all__ = ["MODEL_SUFFIX", "RunConfig", "models_folder"]

MODEL_SUFFIX = ".tuban"
"""Ending of the files of stored models."""


def models_folder(beside: Path) -> Path:
    """Return where models are stored: what TUBAN_MODELS names, else a folder beside the config."""
    named = os.environ.get("TUBAN_MODELS")
    return Path(named).absolute() if named else beside / "tuban-models"


class RunConfig(StrictModel):
    """Everything one run depends on; paths are relative to the config file."""

    model_config = ConfigDict(
        validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )
    in_schema: ClassVar[bool] = True

    version: Literal[1] = 1
    name: str = Field(pattern=r"^[\w.-]+$", description="name of the run folder")
    profile: ProfileName | None = Field(
        None, description="the job at hand: fills what the config leaves open"
    )
    quarter: int | None = Field(
        None,
        ge=1,
        le=4,
        description="quarter printed in clue numbers; by default that of the after date",
    )
    area: AreaSettings = AreaSettings()
    before: EpochSettings
    after: EpochSettings
    sensor: str | None = Field(
        None, description="shipped name or YAML path; found by itself if absent"
    )
    grid: GridSettings = GridSettings()
    terrain: TerrainSettings = TerrainSettings()
    clouds: CloudSettings = Field(
        CloudSettings(), description="settings, or only the name of the detector: s2cloudless"
    )
    gate: GateSettings = GateSettings()
    detection: DetectionSettings = DetectionSettings()
    landcover: LandcoverSettings = LandcoverSettings()
    feedback: FeedbackSettings = FeedbackSettings()
    layers: Path | None = Field(None, description="LAYERS.yaml: One-Map layers by role")
    missing_layers: Literal["refuse", "leave_out"] = Field(
        "refuse",
        description="what becomes of a run whose layers cannot be read; left out, their questions "
        "stay open and the run says so",
    )
    catalog: Path | None = Field(
        None,
        description="imagery catalogue: where dates are found, and when unseen ground is seen next",
    )
    freshness: FreshnessSettings = FreshnessSettings()
    models: Path | None = Field(
        None,
        description="folder of stored models; by default $TUBAN_MODELS, else tuban-models beside "
        "the config",
    )
    register_place: str | None = Field(
        None,
        alias="register",
        min_length=1,
        description="clues of all periods in one place: a SQLite file or the URL of a database; "
        "by default each run has a store of its own",
    )
    clue_list: Literal["open", "new"] = Field(
        "open",
        description="with a register: list all that is open, or only what no other period listed; "
        "the rest stands in a sheet of its own",
    )
    rules: str = Field("cn-land", description="rule set: a shipped name or a YAML path")
    outputs: OutputSettings = OutputSettings()
    report: ReportSettings = ReportSettings()
    seed: int = Field(0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _filled_by_profile(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("profile") not in get_args(ProfileName):
            return data
        return filled(data, profile_values(str(data["profile"])))

    @field_validator("clouds", mode="before")
    @classmethod
    def _named_detector(cls, value: Any) -> Any:
        return {"detector": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _dates_can_be_had(self) -> "RunConfig":
        ruled = [name for name in ("before", "after") if getattr(self, name).rule is not None]
        if ruled and self.catalog is None:
            raise ValueError(f"{ruled[0]} is found in a catalogue: name it as catalog")
        if self.after.best is not None:
            raise ValueError("best is for before: find the later date by latest")
        if self.before.best is not None and self.after.latest is None:
            raise ValueError("before: best needs after: latest, with which it is compared")
        if self.before.date and self.after.date and self.before.date > self.after.date:
            raise ValueError("before.date lies after after.date: swap the two dates")
        return self

    @classmethod
    def load(cls, path: Path) -> "RunConfig":
        """Read a config; relative paths are taken from the file's folder."""
        return load_model(cls, path).anchored(path.resolve().parent)

    def anchored(self, folder: Path) -> "RunConfig":
        """Return the config with all paths absolute."""

        def fix(value: Any) -> Any:
            if isinstance(value, Path):
                return value if REMOTE.match(str(value)) else folder / value
            if isinstance(value, tuple):
                return tuple(fix(v) for v in value)
            return value

        changes: dict[str, Any] = {"layers": fix(self.layers), "catalog": fix(self.catalog)}
        changes["models"] = fix(self.models) or models_folder(folder)
        if self.register_place is not None and "://" not in self.register_place:
            changes["register_place"] = str(folder / self.register_place)
        for name, fields in (
            ("area", ["aoi"]),
            ("terrain", ["dem"]),
            ("report", ["previous", "assessment"]),
            ("detection", ["series"]),
            ("before", ["scenes", "mask"]),
            ("after", ["scenes", "mask"]),
        ):
            part = getattr(self, name)
            changes[name] = part.model_copy(update={f: fix(getattr(part, f)) for f in fields})
        for name, key in (
            ("landcover", "model"),
            ("feedback", "model"),
            ("detection", "model"),
            ("detection", "net"),
        ):
            part = changes.get(name, getattr(self, name))
            model = getattr(part, key)
            if model is not None and model.endswith(MODEL_SUFFIX):
                changes[name] = part.model_copy(update={key: str(folder / model)})
        changes["sensor"] = anchored_sensor(self.sensor, folder)
        if self.rules.endswith((".yaml", ".yml")):
            changes["rules"] = str(folder / self.rules)
        return self.model_copy(update=changes)

    def quarter_of(self, after: dt.date | None) -> int:
        """Return the quarter of the run: as stated, else that of its after date, if it has one."""
        return self.quarter or ((after.month + 2) // 3 if after else 1)

    def digest(self, *fields: str) -> str:
        """Return a hash of the named top-level fields (all that change results if none)."""
        data = self.model_dump(mode="json", include=set(fields) or None)
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]
