"""JSON Schema of the files that people write: what editors check them by."""

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from configs.layers import LayersFile
from configs.run import RunConfig

__all__ = ["SCHEMA_FILES", "editor_schema", "json_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

SCHEMA_FILES: dict[str, type[BaseModel]] = {
    "tuban.schema.json": RunConfig,
    "LAYERS.schema.json": LayersFile,
}
"""What `tuban init` writes beside a config and a layers file; their first lines name it."""

SHORT_FORMS = {
    "EpochSettings": {"enum": ["latest", "best"]},
    "CloudSettings": {"enum": ["colours", "s2cloudless"]},
}
"""Parts for which one word may stand."""

FILLED = ("before", "after")
"""Keys that a profile may fill, so that a file may lack them."""


def editor_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a file as people may write it.

    It is wider than the model in two things: short forms, and keys that a profile fills.
    """
    schema = {"$schema": DIALECT} | model.model_json_schema()
    parts = schema.get("$defs", {})
    for name in SHORT_FORMS.keys() & parts.keys():
        parts[name] = {"anyOf": [parts[name], SHORT_FORMS[name]]}
    if model is RunConfig:
        schema["required"] = [name for name in schema["required"] if name not in FILLED]
    return schema


def json_schema(models: Iterable[type[BaseModel]]) -> str:
    """Return the JSON Schema of the models, by class name, as indented JSON."""
    schemas = {m.__name__: editor_schema(m) for m in models}
    return json.dumps(schemas, indent=2, ensure_ascii=False, sort_keys=True)
