"""The pages of reference that the program itself tells: commands and keys of configs.

Run ``python docs/reference.py``, or ``make reference``; a test holds that the pages are current.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from configs.labelled import LabelledPairs
from configs.layers import LayersFile
from configs.monitoring import MonitorConfig
from configs.run import RunConfig
from flows.cli.app import build_app

FOLDER = Path(__file__).parent / "reference"

FILES = {
    "Run config": (RunConfig, "`tuban run`, `check`, `fit`, `prepare`; written by `tuban init`"),
    "Layers file": (LayersFile, "`tuban layers`, `judge`, `vet`, and `layers:` of a run config"),
    "Monitor config": (MonitorConfig, "`tuban monitor`"),
    "Labelled pairs": (LabelledPairs, "`tuban model train --labels`"),
}


def commands(group: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the commands of a group with their names, groups first."""
    for name, command in group.commands.items():
        yield (*above, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*above, name))


def cell(text: Any) -> str:
    """Return a text as it stands in a cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def parameter_row(parameter: Any) -> str:
    """Return the row of one argument or option."""
    option = parameter.param_type_name == "option"
    secondary = getattr(parameter, "secondary_opts", [])
    names = (
        [*parameter.opts, *secondary] if option else [parameter.metavar or parameter.name.upper()]
    )
    told = "required" if parameter.required else default_text(parameter)
    return f"| {cell(', '.join(f'`{n}`' for n in names))} | {cell(parameter.help or '')} | {told} |"


def default_text(parameter: Any) -> str:
    """Return the default of an option, empty where it says nothing."""
    value = getattr(parameter.default, "value", parameter.default)
    return "" if value in (None, False, (), []) or callable(value) else f"`{cell(value)}`"


def command_part(names: tuple[str, ...], command: Any) -> Iterator[str]:
    """Yield the lines of one command."""
    yield f"{'#' * (len(names) + 1)} tuban {' '.join(names)}"
    yield ""
    yield inspect.cleandoc(command.help or "")
    yield ""
    shown = [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]
    if shown:
        yield "| argument or option | meaning | default |"
        yield "|---|---|---|"
        yield from (parameter_row(p) for p in shown)
        yield ""


def cli_page() -> str:
    """Return the page of commands."""
    root = typer.main.get_command(build_app())
    lines = [
        "# Commands",
        "",
        "Made from the program by `make reference`. `--debug`, `--quiet` and `--progress` may",
        "stand anywhere. Exit codes: 0 done; 1 a mistake that the message names; 2 a command that",
        "is written wrongly; 3 done, with something to look at; 130 interrupted.",
        "",
    ]
    for names, command in commands(root):
        lines += command_part(names, command)
    return "\n".join(lines).rstrip("\n") + "\n"


def type_text(part: dict[str, Any]) -> str:
    """Return in few words what a key allows."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(type_text(p) for p in part["anyOf"]))
    if "const" in part or "enum" in part:
        values = part.get("enum", [part.get("const")])
        return ", ".join(f"`{v}`" for v in values)
    if part.get("type") == "array":
        inner = part.get("items")
        return f"list of {type_text(inner)}" if isinstance(inner, dict) else "list"
    if part.get("type") == "object":
        return "mapping"
    words = {"string": "text", "integer": "whole number", "null": "nothing", "boolean": "yes or no"}
    kind = part.get("format", part.get("type", "any"))
    return f"{words.get(kind, kind)}{limits(part)}"


def limits(part: dict[str, Any]) -> str:
    """Return the limits of a number, with a blank before them."""
    signs = {
        "minimum": "≥",
        "exclusiveMinimum": ">",
        "maximum": "≤",
        "exclusiveMaximum": "<",
    }
    told = [f"{sign} {part[name]:g}" for name, sign in signs.items() if name in part]
    return f" {', '.join(told)}" if told else ""


def value_text(value: Any) -> str:
    """Return a default; nothing for parts, whose keys have their own."""
    if isinstance(value, dict | list) or value is None:
        return ""
    shown = str(value).lower() if isinstance(value, bool) else value
    return f"`{shown}`" if shown != "" else ""


def keys_part(schema: dict[str, Any], title: str, level: int) -> Iterator[str]:
    """Yield heading, sentence and table of the keys of one part."""
    yield f"{'#' * level} {title}"
    yield ""
    if told := schema.get("description"):
        yield inspect.cleandoc(told)
        yield ""
    if "enum" in schema:
        yield type_text(schema)
        yield ""
        return
    yield "| key | allows | default | meaning |"
    yield "|---|---|---|---|"
    for name, part in schema.get("properties", {}).items():
        need = "required" if name in schema.get("required", []) else ""
        default = value_text(part.get("default")) or need
        meaning = cell(part.get("description", ""))
        yield f"| `{name}` | {cell(type_text(part))} | {default} | {meaning} |"
    yield ""


def config_page() -> str:
    """Return the page of the keys of all files that people write."""
    lines = [
        "# Keys of configs",
        "",
        "Made from the program by `make reference`. An unknown key is refused, and the nearest",
        "known one is named. `tuban init` writes a config with its JSON Schema beside it, which an",
        "editor with a YAML language server checks while you type; `tuban run --schema` prints it.",
        "",
    ]
    parts: dict[str, Any] = {}
    for title, (model, used) in FILES.items():
        schema = model.model_json_schema()
        first, *rest = keys_part(schema, title, 2)
        lines += [first, "", f"Used by {used}.", *rest]
        parts |= schema.get("$defs", {})
    lines += ["## Parts", ""]
    for name in sorted(parts):
        lines += keys_part(parts[name], name, 3)
    return "\n".join(lines).rstrip("\n") + "\n"


PAGES = {"cli.md": cli_page, "config.md": config_page}


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
