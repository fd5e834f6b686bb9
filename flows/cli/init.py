"""`tuban init`: a commented config and layers file to start from."""

import json
import re
from enum import StrEnum
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Annotated, Any

import typer

from configs.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["Profile", "init", "register"]

CONFIG_NAME = "tuban.yaml"
LAYERS_NAME = "LAYERS.yaml"
COMMENTS_AT = 28
"""Column of the comments behind the values of the config."""


class Profile(StrEnum):
    """The job a config is made for."""

    ANNUAL = "annual"
    QUARTERLY = "quarterly"
    EMERGENCY = "emergency"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write.")] = Path(),
    profile: Annotated[Profile, typer.Option(help="The job at hand.")] = Profile.ANNUAL,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files.")] = False,
) -> None:
    """Write tuban.yaml and LAYERS.yaml, with a comment on every key and the schemas of editors."""
    from configs.schemas import SCHEMA_FILES
    from tiles.files import atomic_path

    values = _told(profile) | {"file": CONFIG_NAME, "name": profile.value}
    texts = {
        CONFIG_NAME: _aligned(Template(_template("run.yaml")).substitute(values)),
        LAYERS_NAME: _template("layers.yaml"),
    }
    there = [folder / name for name in texts if (folder / name).exists()]
    if there and not force:
        raise ConfigError(
            f"{', '.join(p.name for p in there)} is there already",
            str(folder.resolve()),
            "name another folder, or overwrite with --force",
        )
    schemas = {name: _schema(model) for name, model in SCHEMA_FILES.items()}
    for name, text in (texts | schemas).items():
        with atomic_path(folder / name) as part:
            part.write_text(text, encoding="utf-8")
        typer.echo(folder / name)
    typer.echo(f"next: fill in the images and layers, then `tuban check {folder / CONFIG_NAME}`")


def _told(profile: Profile) -> dict[str, str]:
    """Return what a profile fills in, for the comments of the config."""
    from configs.profiles import profile_values
    from configs.runparts import GateSettings, OutputSettings

    preset = profile_values(profile.value)
    gate = GateSettings().model_dump() | preset.get("gate", {})
    outputs = OutputSettings().model_dump() | preset["outputs"]
    return {
        "profile": profile.value,
        "sensitivity": preset["detection"]["sensitivity"],
        "target": preset["detection"]["target"],
        "evidence": str(outputs["evidence"]),
        "sample": str(outputs["sample"]),
        "package": str(outputs["package"]).lower(),
        "missing": preset.get("missing_layers", "refuse"),
        "register": preset.get("register", "register.sqlite"),
        "clue_list": preset.get("clue_list", "open"),
        "freshness": _inline(preset["freshness"]),
        "residual": str(gate["max_residual_px"]),
        "overlap": str(gate["min_overlap_percent"]),
    }


def _aligned(text: str) -> str:
    """Return a text whose comments behind values begin in one column, where there is room."""
    behind = re.compile(r"^(.*?\S) +(?=# )", re.MULTILINE)
    return behind.sub(lambda found: f"{found[1]:<{COMMENTS_AT}} ", text)


def _inline(values: dict[str, Any]) -> str:
    return f"{{{', '.join(f'{name}: {value}' for name, value in values.items())}}}"


def _schema(model: "type[BaseModel]") -> str:
    from configs.schemas import editor_schema

    return f"{json.dumps(editor_schema(model), indent=1, ensure_ascii=False)}\n"


def _template(name: str) -> str:
    return (resources.files("flows.cli") / "templates" / name).read_text(encoding="utf-8")
