"""Fitted states on disk: JSON for the numbers a person reads, one npz for the arrays.

A state is a frozen dataclass of numbers, strings, tuples, ndarrays and other such dataclasses.
"""

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from configs.errors import InputError
from tiles.files import atomic_path, write_json

__all__ = ["load_states", "pack_states", "save_states", "state_hash", "unpack_states"]

T = TypeVar("T")

PLAIN = "states"
"""Name of the packed array that holds all but the arrays, as JSON in UTF-8."""


def save_states(folder: Path, states: dict[str, Any]) -> str:
    """Write named states as ``state.json`` and ``state.npz``; return their common hash."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    tree = {name: _to_tree(state, name, arrays) for name, state in sorted(states.items())}
    digest = _digest(tree, arrays)
    with atomic_path(folder / "state.npz") as part, part.open("wb") as handle:
        np.savez(handle, **arrays)  # type: ignore[arg-type]
    write_json(folder / "state.json", {"hash": digest, "states": tree})
    return digest


def load_states(folder: Path, classes: dict[str, type]) -> dict[str, Any]:
    """Read the states named in `classes`; refuse files that were altered.

    Parameters
    ----------
    folder : Path
        Folder written by `save_states`.
    classes : dict of str to type
        Name to dataclass; names that the folder lacks are left out of the result.
    """
    try:
        stored = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        with np.load(folder / "state.npz", allow_pickle=False) as npz:
            arrays = {key: npz[key] for key in npz.files}
        tree, told = stored["states"], stored["hash"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"no fitted state can be read ({error})",
            str(folder),
            "make one with `tuban fit CONFIG -o STATE`",
        ) from error
    if _digest(tree, arrays) != told:
        raise InputError(
            "the fitted state was altered after it was written",
            str(folder),
            "make it again with `tuban fit CONFIG -o STATE`",
        )
    return {n: _from_tree(cls, tree[n], n, arrays) for n, cls in classes.items() if n in tree}


def state_hash(states: dict[str, Any]) -> str:
    """Return the hash that `save_states` would write."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    tree = {name: _to_tree(state, name, arrays) for name, state in sorted(states.items())}
    return _digest(tree, arrays)


def pack_states(states: dict[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Return named states as arrays alone, for a model file.

    Parameters
    ----------
    states : dict of str to dataclass

    Returns
    -------
    dict of str to ndarray
        Their arrays by path, and ``states``: all that is no array, as bytes of JSON.
    """
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    tree = {name: _to_tree(state, name, arrays) for name, state in sorted(states.items())}
    text = json.dumps(tree, sort_keys=True, ensure_ascii=False).encode()
    return arrays | {PLAIN: np.frombuffer(text, np.uint8)}


def unpack_states(
    arrays: Mapping[str, np.ndarray[Any, Any]], classes: dict[str, type], where: str
) -> dict[str, Any]:
    """Return the states that `pack_states` made arrays of.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    classes : dict of str to type
        Name to dataclass.
    where : str
        Where they come from, for the error.

    Raises
    ------
    InputError
        If one of `classes` is not there or has other fields.
    """
    try:
        tree = json.loads(arrays[PLAIN].tobytes())
        return {n: _from_tree(cls, tree[n], n, dict(arrays)) for n, cls in classes.items()}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(
            f"it holds no {' and '.join(classes)} as this tuban writes it ({error!r})",
            where,
            "use the tuban that wrote it, or train the model with this one",
        ) from error


def _digest(tree: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> str:
    digest = hashlib.sha256(json.dumps(tree, sort_keys=True, ensure_ascii=False).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]


def _to_tree(value: Any, name: str, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    if dataclasses.is_dataclass(value):
        return {
            f.name: _to_tree(getattr(value, f.name), f"{name}.{f.name}", arrays)
            for f in dataclasses.fields(value)
            if f.init
        }
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": name}
    if isinstance(value, list | tuple):
        return [_to_tree(v, f"{name}.{i}", arrays) for i, v in enumerate(value)]
    if isinstance(value, dict):
        return {str(k): _to_tree(v, f"{name}.{k}", arrays) for k, v in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _from_tree(kind: Any, tree: Any, name: str, arrays: dict[str, Any]) -> Any:
    if isinstance(tree, dict) and set(tree) == {"array"}:
        return arrays[tree["array"]]
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        if tree is None:
            return None
        kind = next(k for k in typing.get_args(kind) if k is not type(None))
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        return kind(**{k: _from_tree(hints[k], v, f"{name}.{k}", arrays) for k, v in tree.items()})
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        inner = args[0] if len(args) == 2 and args[1] is Ellipsis else None
        return tuple(
            _from_tree(inner or args[i], v, f"{name}.{i}", arrays) for i, v in enumerate(tree)
        )
    if origin is dict:
        return {k: _from_tree(args[1], v, f"{name}.{k}", arrays) for k, v in tree.items()}
    return tree
