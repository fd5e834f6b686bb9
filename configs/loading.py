"""The only YAML reader: typed models out of files, with line numbers and suggestions."""

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from configs.errors import ConfigError
from configs.mistakes import choice, in_words

__all__ = [
    "StrictModel",
    "available",
    "load_model",
    "load_preset",
    "load_values",
    "load_yaml",
    "validated",
]

M = TypeVar("M", bound=BaseModel)
Location = tuple[str | int, ...]


class StrictModel(BaseModel):
    """Base of every settings model: unknown keys are refused, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    in_schema: ClassVar[bool] = False
    """Whether ``tuban run --schema`` prints what this file may hold."""


if TYPE_CHECKING:
    _SafeLoader = yaml.SafeLoader
else:
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _LineLoader(_SafeLoader):
    """Safe loader, the fast one where it is there, that refuses a key given twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _date(loader: Any, node: Any) -> Any:
    try:
        return _SafeLoader.construct_yaml_timestamp(loader, node)
    except ValueError as error:
        raise yaml.MarkedYAMLError(
            problem=f"{node.value} is no date ({error})", problem_mark=node.start_mark
        ) from error


_LineLoader.add_constructor("tag:yaml.org,2002:timestamp", _date)


def load_yaml(path: Path) -> tuple[Any, dict[Location, int]]:
    """Read a YAML file with safe tags only.

    Parameters
    ----------
    path : Path
        File in UTF-8.

    Returns
    -------
    data : Any
        Plain values.
    lines : dict of tuple to int
        Line (from 1) of every key path.

    Raises
    ------
    ConfigError
        If the file is missing or is not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data, lines = _parsed(text)
    except FileNotFoundError as error:
        raise ConfigError(
            "the file does not exist", str(path), "check the path; `tuban init` writes a template"
        ) from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"the file is not UTF-8 text{_other_encoding(path)}",
            f"{path}, line {line}",
            "save it as UTF-8 in your editor",
        ) from error
    except OSError as error:
        raise ConfigError(
            f"the file cannot be read ({error.strerror})", str(path), "check path and rights"
        ) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(
            f"not valid YAML: {error.problem}", f"{path}, line {line}", _syntax_remedy(error)
        ) from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise ConfigError(
            f"not valid YAML: {error.reason}", f"{path}, line {line}", "remove that character"
        ) from error
    return data, lines


def _other_encoding(path: Path) -> str:
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "; it looks like UTF-16"
    try:
        raw.decode("gb18030")
    except UnicodeDecodeError:
        return ""
    return "; it looks like GBK"


def _syntax_remedy(error: yaml.MarkedYAMLError) -> str:
    if "cannot start any token" in (error.problem or ""):
        return "indent with blanks, not with tabs; put texts with special characters in quotes"
    return "mend the syntax there"


def _parsed(text: str) -> tuple[Any, dict[Location, int]]:
    """Return the plain values of a text, and the line of every key path."""
    loader = _LineLoader(text)
    lines: dict[Location, int] = {}
    try:
        node = loader.get_single_node()
        if node is None:
            return None, lines
        _collect_lines(node, (), lines, ())
        return loader.construct_document(node), lines
    finally:
        loader.dispose()


def _collect_lines(
    node: yaml.Node, at: Location, lines: dict[Location, int], above: tuple[int, ...]
) -> None:
    if id(node) in above:
        raise yaml.MarkedYAMLError(
            problem="an anchor (&) holds a reference to itself (*)", problem_mark=node.start_mark
        )
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = (*at, str(key.value))
            lines[name] = key.start_mark.line + 1
            _collect_lines(value, name, lines, (*above, id(node)))
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            _collect_lines(value, (*at, i), lines, (*above, id(node)))


def load_model(model: type[M], path: Path) -> M:
    """Read a YAML file into a typed model.

    Raises
    ------
    ConfigError
        Naming file, line and key of the first problems; an unknown key comes with the nearest
        known one.
    """
    data, lines = load_yaml(path)
    if not isinstance(data, dict):
        raise ConfigError(
            "the file holds no mapping", str(path), "write `key: value` pairs, see `tuban init`"
        )
    _require_version(model, data, path, lines)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _config_error(error, model, path, lines) from error


def _require_version(
    model: type[BaseModel], data: dict[str, Any], path: Path, lines: dict[Location, int]
) -> None:
    """Refuse a file that was written for another version of its format."""
    field, told = model.model_fields.get("version"), data.get("version")
    known = [n for n in get_args(field.annotation) if isinstance(n, int)] if field else []
    if not known or not isinstance(told, int) or told in known:
        return
    newer = told > max(known)
    raise ConfigError(
        f"the file is of version {told}; this program reads version {max(known)}",
        f"{path}, line {lines.get(('version',), 1)}",
        "install the version of tuban that it was written for, or a later one"
        if newer
        else f"there is no version {told}: write version: {max(known)}, or leave it out",
    )


def validated(model: type[M], data: dict[str, Any], where: str) -> M:
    """Make a typed model of values that came from elsewhere than a file.

    Raises
    ------
    ConfigError
        Naming `where` and the key.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(p) for p in first["loc"])
        raise ConfigError(
            f"{name}: {in_words(first)}",
            where,
            f"{first['input']!r} is not allowed; see --help",
        ) from error


def _config_error(
    error: ValidationError, model: type[BaseModel], path: Path, lines: dict[Location, int]
) -> ConfigError:
    problems, fixes = [], []
    for at, entry in _by_place(error, lines)[:5]:
        line = next((lines[at[:n]] for n in range(len(at), -1, -1) if at[:n] in lines), 1)
        name = ".".join(str(p) for p in at)
        if entry["type"] == "extra_forbidden":
            fixes.append(_nearest_key(str(at[-1]), model))
            problems.append((line, f"unknown key {name!r}"))
        else:
            printed = getattr(model, "in_schema", False)
            allowed = "; `tuban run --schema` prints what is allowed" if printed else ""
            fixes.append(f"mend the value{allowed}")
            problems.append((line, f"{name}: {in_words(entry)}" if name else in_words(entry)))
    what = "; ".join(f"{text} (line {line})" for line, text in problems)
    fix = "; ".join(dict.fromkeys(fixes))
    return ConfigError(what, f"{path}, line {min(line for line, _ in problems)}", fix)


def _by_place(error: ValidationError, lines: dict[Location, int]) -> list[tuple[Location, Any]]:
    """Return the first problem of each place; a value may fit none of several forms."""
    found: dict[Location, Any] = {}
    for entry in error.errors():
        at: Location = tuple(str(p) if isinstance(p, str) else p for p in entry["loc"])
        while entry["type"] != "missing" and at and at not in lines:
            at = at[:-1]  # what follows names the form, not a key
        found.setdefault(at, entry)
    return list(found.items())


def _nearest_key(name: str, model: type[BaseModel]) -> str:
    found = choice(name, _known_keys(model))
    return found if found.startswith("did you") else "remove the key"


def _known_keys(model: type[BaseModel]) -> list[str]:
    schema = model.model_json_schema()
    found: set[str] = set(schema.get("properties", {}))
    for part in schema.get("$defs", {}).values():
        found |= set(part.get("properties", {}))
    return sorted(found)


@lru_cache(maxsize=64)
def _preset_path(kind: str, name: str) -> Path:
    known = available(kind)
    if name not in known:
        raise ConfigError(
            f"there is no {kind} entry named {name!r}", f"configs/{kind}", choice(name, known)
        )
    return Path(str(resources.files("configs"))) / kind / f"{name}.yaml"


def load_preset(model: type[M], kind: str, name: str) -> M:
    """Read ``configs/<kind>/<name>.yaml`` (a shipped rule set, sensor, vocabulary …)."""
    return load_model(model, _preset_path(kind, name))


@lru_cache(maxsize=16)
def _values_text(kind: str, name: str) -> str:
    return _preset_path(kind, name).read_text(encoding="utf-8")


def load_values(kind: str, name: str) -> dict[str, Any]:
    """Return the plain values of ``configs/<kind>/<name>.yaml``."""
    values, _ = _parsed(_values_text(kind, name))
    return dict(values)


def available(kind: str) -> list[str]:
    """Return the names of the shipped files of one kind, sorted."""
    folder = Path(str(resources.files("configs"))) / kind
    return sorted(p.stem for p in folder.glob("*.yaml"))
