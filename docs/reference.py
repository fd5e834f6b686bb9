"""The pages of reference that the program itself tells: commands and keys of configs.

What commands and keys say of themselves is English; the Chinese pages put Chinese around it.
Run ``python docs/reference.py``, or ``make reference``; a test holds that the pages are current.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import typer

from configs.labelled import LabelledPairs
from configs.layers import LayersFile
from configs.monitoring import MonitorConfig
from configs.run import RunConfig
from flows.cli.app import build_app

FOLDER = Path(__file__).parent / "reference"

Language = Literal["en", "zh"]

FILES: dict[str, tuple[Any, dict[Language, str]]] = {
    "Run config": (
        RunConfig,
        {
            "en": "Used by `tuban run`, `check`, `fit`, `prepare`; written by `tuban init`.",
            "zh": "用于 `tuban run`、`check`、`fit`、`prepare`；由 `tuban init` 写出。",
        },
    ),
    "Layers file": (
        LayersFile,
        {
            "en": "Used by `tuban layers`, `judge`, `vet`, and `layers:` of a run config.",
            "zh": "用于 `tuban layers`、`judge`、`vet`，以及运行配置的 `layers:`。",
        },
    ),
    "Monitor config": (
        MonitorConfig,
        {"en": "Used by `tuban monitor`.", "zh": "用于 `tuban monitor`。"},
    ),
    "Labelled pairs": (
        LabelledPairs,
        {
            "en": "Used by `tuban model train --labels`.",
            "zh": "用于 `tuban model train --labels`。",
        },
    ),
}

CLI_HEAD: dict[Language, str] = {
    "en": """# Commands

Made from the program by `make reference`. `--debug`, `--quiet` and `--progress` may
stand anywhere. Exit codes: 0 done; 1 a mistake that the message names; 2 a command that
is written wrongly; 3 done, with something to look at; 130 interrupted.
""",
    "zh": """# 命令

由程序经 `make reference` 生成；各命令的说明为英文，与 `--help` 打印的相同。`--debug`、`--quiet` 和
`--progress` 可以写在任何位置。退出码：0 完成；1 有错误，信息中指明；2 命令写法有误；3 完成，但有
需要查看的内容；130 被中断。
""",
}

CONFIG_HEAD: dict[Language, str] = {
    "en": """# Keys of configs

Made from the program by `make reference`. An unknown key is refused, and the nearest
known one is named. `tuban init` writes a config with its JSON Schema beside it, which an
editor with a YAML language server checks while you type; `tuban run --schema` prints it.
""",
    "zh": """# 配置项

由程序经 `make reference` 生成；各项的含义为英文，与 JSON Schema 中的相同。不认识的项会被拒绝，
并给出最接近的。`tuban init` 写出配置，旁边有其 JSON Schema，带 YAML 语言服务的编辑器会边写边检查；
`tuban run --schema` 打印它。
""",
}

CHINESE = {
    "Run config": "运行配置",
    "Layers file": "图层清单",
    "Monitor config": "监测配置",
    "Labelled pairs": "标注地点",
    "Parts": "各部分",
    "argument or option": "参数或选项",
    "key": "项",
    "allows": "可取",
    "default": "默认",
    "meaning": "含义",
    "required": "必填",
    " or ": " 或 ",
    "list of ": "列表，每项为 ",
    "list": "列表",
    "mapping": "映射",
    "text": "文字",
    "whole number": "整数",
    "number": "数",
    "nothing": "空",
    "yes or no": "是或否",
    "path": "路径",
    "date": "日期",
    "any": "任意",
}
"""Words of the tables, by the English ones."""


def word(english: str, language: Language) -> str:
    """Return a word of the tables."""
    return english if language == "en" else CHINESE[english]


def commands(group: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the commands of a group with their names, groups first."""
    for name, command in group.commands.items():
        yield (*above, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*above, name))


def cell(text: Any) -> str:
    """Return a text as it stands in a cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def parameter_row(parameter: Any, language: Language) -> str:
    """Return the row of one argument or option."""
    option = parameter.param_type_name == "option"
    secondary = getattr(parameter, "secondary_opts", [])
    names = (
        [*parameter.opts, *secondary] if option else [parameter.metavar or parameter.name.upper()]
    )
    told = word("required", language) if parameter.required else default_text(parameter)
    return f"| {cell(', '.join(f'`{n}`' for n in names))} | {cell(parameter.help or '')} | {told} |"


def default_text(parameter: Any) -> str:
    """Return the default of an option, empty where it says nothing."""
    value = getattr(parameter.default, "value", parameter.default)
    return "" if value in (None, False, (), []) or callable(value) else f"`{cell(value)}`"


def command_part(names: tuple[str, ...], command: Any, language: Language) -> Iterator[str]:
    """Yield the lines of one command."""
    yield f"{'#' * (len(names) + 1)} tuban {' '.join(names)}"
    yield ""
    yield inspect.cleandoc(command.help or "")
    yield ""
    shown = [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]
    if shown:
        yield from table_head(("argument or option", "meaning", "default"), language)
        yield from (parameter_row(p, language) for p in shown)
        yield ""


def table_head(names: tuple[str, ...], language: Language) -> Iterator[str]:
    """Yield the two first lines of a table."""
    yield f"| {' | '.join(word(name, language) for name in names)} |"
    yield f"|{'---|' * len(names)}"


def cli_page(language: Language) -> str:
    """Return the page of commands."""
    root = typer.main.get_command(build_app())
    lines = [CLI_HEAD[language]]
    for names, command in commands(root):
        lines += command_part(names, command, language)
    return "\n".join(lines).rstrip("\n") + "\n"


def type_text(part: dict[str, Any], language: Language) -> str:
    """Return in few words what a key allows."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in part:
        kinds = dict.fromkeys(type_text(p, language) for p in part["anyOf"])
        return word(" or ", language).join(kinds)
    if "const" in part or "enum" in part:
        values = part.get("enum", [part.get("const")])
        return ", ".join(f"`{v}`" for v in values)
    if part.get("type") == "array":
        inner = part.get("items")
        if not isinstance(inner, dict):
            return word("list", language)
        return f"{word('list of ', language)}{type_text(inner, language)}"
    if part.get("type") == "object":
        return word("mapping", language)
    words = {"string": "text", "integer": "whole number", "null": "nothing", "boolean": "yes or no"}
    kind = part.get("format", part.get("type", "any"))
    return f"{word(words.get(kind, kind), language)}{limits(part)}"


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


def keys_part(schema: dict[str, Any], title: str, level: int, language: Language) -> Iterator[str]:
    """Yield heading, sentence and table of the keys of one part."""
    yield f"{'#' * level} {title}"
    yield ""
    if told := schema.get("description"):
        yield inspect.cleandoc(told)
        yield ""
    if "enum" in schema:
        yield type_text(schema, language)
        yield ""
        return
    yield from table_head(("key", "allows", "default", "meaning"), language)
    for name, part in schema.get("properties", {}).items():
        need = word("required", language) if name in schema.get("required", []) else ""
        default = value_text(part.get("default")) or need
        meaning = cell(part.get("description", ""))
        yield f"| `{name}` | {cell(type_text(part, language))} | {default} | {meaning} |"
    yield ""


def config_page(language: Language) -> str:
    """Return the page of the keys of all files that people write."""
    lines = [CONFIG_HEAD[language]]
    parts: dict[str, Any] = {}
    for title, (model, used) in FILES.items():
        schema = model.model_json_schema()
        first, *rest = keys_part(schema, word(title, language), 2, language)
        lines += [first, "", used[language], *rest]
        parts |= schema.get("$defs", {})
    lines += [f"## {word('Parts', language)}", ""]
    for name in sorted(parts):
        lines += keys_part(parts[name], name, 3, language)
    return "\n".join(lines).rstrip("\n") + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": partial(cli_page, "en"),
    "cli.zh.md": partial(cli_page, "zh"),
    "config.md": partial(config_page, "en"),
    "config.zh.md": partial(config_page, "zh"),
}


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
