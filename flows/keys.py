"""Keys of products: what a result depends on, named so that a person can read what changed."""

import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from configs.errors import RunError
from flows.journal import dump_json
from tiles.files import fingerprint

__all__ = ["StageKey", "code_fingerprint", "reuse_text", "stage_key"]


@dataclass(frozen=True)
class StageKey:
    """What the products of a stage depend on.

    Attributes
    ----------
    stage : str
    parts : dict of str to JSON value
        By name: ``code of detect``, ``config field detection.method``, ``input fit``,
        ``file before``. The names stand in the message that says why something is made again.
    """

    stage: str
    parts: dict[str, Any]

    @property
    def digest(self) -> str:
        """The key: 32 hex digits."""
        return hashlib.sha256(dump_json([self.stage, self.parts]).encode()).hexdigest()[:32]

    def difference(self, old: Mapping[str, Any]) -> str:
        """Say on one line how these parts differ from those of an earlier key."""
        changes = []
        for name in sorted(set(self.parts) | set(old)):
            if name not in old:
                changes.append(f"{name} is new")
            elif name not in self.parts:
                changes.append(f"{name} is gone")
            elif self.parts[name] != old[name]:
                values = f" ({_brief(old[name])} → {_brief(self.parts[name])})"
                changes.append(f"{name} changed" + (values if name.startswith("config") else ""))
        return "; ".join(changes)


def stage_key(
    stage: str,
    *,
    rooms: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    inputs: Mapping[str, "StageKey | str"] | None = None,
    files: Mapping[str, Path | str] | None = None,
) -> StageKey:
    """Make the key of a stage.

    Parameters
    ----------
    stage : str
    rooms : sequence of str
        Packages or modules whose code decides the result.
    config : mapping
        The part of the config that decides the result, as JSON values; nested fields are named
        with dots.
    inputs : mapping of str to StageKey or str
        Keys of the products that are read (or any hash).
    files : mapping of str to Path or str
        Files that are read: a path is fingerprinted, a str is taken as the fingerprint.
    """
    parts: dict[str, Any] = {f"code of {room}": code_fingerprint([room]) for room in rooms}
    for name, value in _flatten(config or {}, ""):
        parts[f"config field {name}"] = value
    for name, key in (inputs or {}).items():
        parts[f"input {name}"] = key.digest if isinstance(key, StageKey) else key
    for name, source in (files or {}).items():
        parts[f"file {name}"] = fingerprint(source) if isinstance(source, Path) else source
    return StageKey(stage, parts)


def reuse_text(stage: str, tally: Mapping[str, int]) -> str:
    """Return on one line how many products are reused, and why how many are made.

    Examples
    --------
    >>> reuse_text("tiles", {"not made yet": 2})
    'tiles: 0 of 2 reused, 2 to make: 2 × not made yet'
    """
    reasons = {why: count for why, count in tally.items() if why}
    reused, made = tally.get("", 0), sum(reasons.values())
    text = f"{stage}: {reused} of {reused + made} reused"
    if reused:
        text += " (inputs, settings and code are the same)"
    if made:
        told = "; ".join(f"{count} × {why}" for why, count in sorted(reasons.items()))
        text += f", {made} to make: {told}"
    return text


def code_fingerprint(rooms: Sequence[str]) -> str:
    """Return a hash of the ``.py`` and ``.yaml`` sources of packages or modules.

    Parameters
    ----------
    rooms : sequence of str
        Dotted names, e.g. ``detect`` or ``clues.judge``; ``configs.rules`` is the module with the
        files in the folder of its name, ``configs.vocabularies.spectral`` one such file. The order
        does not matter.

    Returns
    -------
    str
        16 hex digits; the sources are read once per process.
    """
    text = dump_json({room: _source_hash(room) for room in rooms})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _source_hash(room: str) -> str:
    top, files = _sources(room)
    if not files:
        raise RunError(f"there is no package {room!r}", "code fingerprint", "install tuban again")
    digest = hashlib.sha256()
    for file in files:
        name = file.relative_to(top).as_posix()
        digest.update(f"{name}\n".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _sources(room: str) -> tuple[Path, list[Path]]:
    """Return the folder of a package or module and its source files, those it reads included."""
    package, *inside = room.split(".")
    found = importlib.util.find_spec(package)
    places = None if found is None else found.submodule_search_locations
    if not places:
        return Path(), []
    top = Path(next(iter(places)))
    place = top.joinpath(*inside)
    files = [f for f in (place.with_suffix(end) for end in (".py", ".yaml")) if f.is_file()]
    files += (f for end in ("py", "yaml") for f in place.rglob(f"*.{end}"))
    return top, sorted(files)


def _flatten(value: Any, name: str) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping) and (value or not name):
        prefix = f"{name}." if name else ""
        return [pair for k, v in value.items() for pair in _flatten(v, f"{prefix}{k}")]
    return [(name, value)]


def _brief(value: Any) -> str:
    text = dump_json(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
