"""A model on disk: one file, checked whole before anything in it is believed.

A model file is a zip without compression that holds ``card.json`` and ``arrays.npz`` and ends with
the SHA-256 of all bytes before it. Nothing in it can run: no pickle, no object arrays. Opening one
checks that seal first, then the format version, members, sizes and the hash in the card.
"""

import dataclasses
import datetime as dt
import hashlib
import io
import json
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from configs.run import MODEL_SUFFIX
from tiles.files import atomic_path

__all__ = [
    "FORMAT",
    "NAME",
    "ModelCard",
    "ModelKind",
    "model_hash",
    "open_model",
    "require_name",
    "save_model",
]

ModelKind = Literal["landcover", "change", "clues", "net"]
Arrays = Mapping[str, NDArray[Any]]

FORMAT = 2
"""Version of the file format."""

CARD, ARRAYS = "card.json", "arrays.npz"
SEAL = 64
"""Characters at the end: SHA-256 in hex."""

MAX_FILE = 1 << 30
"""Bytes of a file: a forest of 500 trees takes 50 MB, a large net a few hundred."""

MAX_CARD = 16 << 20
MAX_ARRAYS = 10_000
NAME = re.compile(r"[\w][\w.-]{0,63}")
ARRAY = re.compile(r"[\w][\w.-]{0,199}\.npy", re.ASCII)
RETRY = "copy or export the file again where it was made, or train the model anew"


@dataclass(frozen=True)
class ModelCard:
    """What a model is, where it comes from and how good it was.

    Attributes
    ----------
    name : str
        Letters of any script, digits, ``_``, ``.``, ``-``; up to 64.
    kind : str
        ``landcover``, ``change``, ``clues`` or ``net``.
    created : date
        Given by the caller; what is learned again another day is the same model.
    data : dict
        What it learned from: files with their fingerprints, dates, counts; JSON values.
    sensor, season : str
        Sensor and months of the images; "" where it does not matter.
    bands, roles, classes, features : tuple of str
        What it reads and tells apart, in the order of its arrays.
    metrics : dict of str to float
        Figures of quality; a figure that could not be measured is left out.
    settings : dict
        How it was trained; JSON values.
    parent : str or None
        Hash of the model it was made from.
    notes : tuple of str
        What a user should know.
    format : int
        Version of the file format.
    hash : str
        64 hex digits over arrays and card but its day; given by `save_model`.
    """

    name: str
    kind: ModelKind
    created: dt.date
    data: dict[str, Any] = field(default_factory=dict)
    sensor: str = ""
    season: str = ""
    bands: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    parent: str | None = None
    notes: tuple[str, ...] = ()
    format: int = FORMAT
    hash: str = ""

    @property
    def file_name(self) -> str:
        """Name of the file: ``<name>-<first 8 digits of the hash>.tuban``."""
        return f"{self.label}{MODEL_SUFFIX}"

    @property
    def label(self) -> str:
        """Name and first digits of the hash, as products carry them."""
        return f"{self.name}-{self.hash[:8]}"

    def to_json(self) -> str:
        """Return the card as JSON, as the file and ``tuban model show --json`` hold it."""
        values = dataclasses.asdict(self) | {"created": self.created.isoformat()}
        return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)


def model_hash(card: ModelCard, arrays: Arrays) -> str:
    """Return the hash of a model: 64 hex digits over arrays and card without hash and day."""
    digest = hashlib.sha256(replace(card, hash="", created=dt.date.min).to_json().encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def require_name(name: str) -> None:
    """Raise `InputError` unless a model can be called so; ask before the work of learning it."""
    if NAME.fullmatch(name) is None:
        raise InputError(
            f"{name!r} is no name for a model",
            f"model {name}",
            "give one with --name: up to 64 letters, digits, _ . and -, not beginning with . or -",
        )


def save_model(folder: Path, card: ModelCard, arrays: Arrays) -> Path:
    """Write a model; one that is there already stays as it is, with its day.

    Parameters
    ----------
    folder : Path
        Made when missing.
    card : ModelCard
        Its hash is computed here.
    arrays : mapping of str to ndarray
        Numbers or truth values; names as in `tiles.state.pack_states`.

    Returns
    -------
    Path
        ``folder/<name>-<hash8>.tuban``.

    Raises
    ------
    InputError
        If name, card or arrays cannot be stored.
    """
    where = f"model {card.name}"
    require_name(card.name)
    for name, array in arrays.items():
        if ARRAY.fullmatch(f"{name}.npy") is None or array.dtype.kind not in "biuf":
            raise InputError(
                f"array {name!r} of {array.dtype} cannot be stored",
                where,
                "name it with letters, digits, _ . and -; store numbers or truth values",
            )
    try:
        card = replace(card, hash=model_hash(card, arrays))
        text = card.to_json().encode()
        if len(text) > MAX_CARD:
            raise ValueError(f"{len(text) / 1e6:.0f} MB")
        _card(text, where)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"the card holds what JSON cannot say ({error})",
            where,
            "use texts, finite numbers, truth values, lists and dicts of these",
        ) from error
    inner = _zipped({f"{name}.npy": _npy(arrays[name]) for name in sorted(arrays)})
    body = _zipped({CARD: text, ARRAYS: inner}, comment=b"0" * SEAL)[:-SEAL]
    data = body + hashlib.sha256(body).hexdigest().encode()
    path = folder / card.file_name
    if not _holds(path, card):
        with atomic_path(path) as part:
            part.write_bytes(data)
    return path


def _holds(path: Path, card: ModelCard) -> bool:
    """Tell whether a file holds this model already."""
    try:
        return path.is_file() and open_model(path)[0].hash == card.hash
    except InputError:
        return False


def _zipped(members: dict[str, bytes], comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)  # without the time of day
            info.create_system = 3
            archive.writestr(info, content)
        archive.comment = comment
    return out.getvalue()


def _npy(array: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(array), version=(1, 0), allow_pickle=False)
    return out.getvalue()


def open_model(path: Path) -> tuple[ModelCard, dict[str, NDArray[Any]]]:
    """Read a model file; refuse any that is not exactly as `save_model` wrote it.

    Parameters
    ----------
    path : Path

    Returns
    -------
    card : ModelCard
    arrays : dict of str to ndarray

    Raises
    ------
    InputError
        If the file is missing, foreign (a pickle, another zip), altered, cut short, of another
        format version, or holds what a model file may not hold.
    """
    where = str(path)
    members = _members(_sealed_bytes(path), where)
    if set(members) != {CARD, ARRAYS} or len(members[CARD]) > MAX_CARD:
        raise _refused(f"it holds {', '.join(sorted(members))[:200]}", where)
    card = _card(members[CARD], where)
    arrays = _arrays(members[ARRAYS], where)
    try:
        found = model_hash(card, arrays)
    except (ValueError, RecursionError) as error:  # numbers that are none, broken characters
        raise _refused(f"its card holds what it may not ({error})", where) from error
    if found != card.hash:
        raise InputError("the model is not the one its card describes", where, RETRY)
    return card, arrays


def _refused(what: str, where: str) -> InputError:
    return InputError(f"this is no model file of tuban: {what}", where, RETRY)


def _sealed_bytes(path: Path) -> bytes:
    """Return the bytes of a file that looks like ours and whose seal is whole."""
    where = str(path)
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            raise _refused(f"{size / 1e6:.0f} MB, at most {MAX_FILE / 1e6:.0f} are read", where)
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"the model cannot be read ({error.strerror})",
            where,
            "check the path; `tuban model list` tells the models there are",
        ) from error
    if data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05":
        raise InputError(
            "this is a Python pickle: opening it could run any program",
            where,
            "only files written by `tuban model` are read; train the model here",
        )
    if data[:4] != b"PK\x03\x04" or data[30 : 30 + len(CARD)] != CARD.encode():
        raise _refused("it does not begin like one" if data else "it is empty", where)
    if hashlib.sha256(data[:-SEAL]).hexdigest().encode() != data[-SEAL:]:
        raise InputError("the model file was altered or cut short", where, RETRY)
    return data


def _members(data: bytes, where: str) -> dict[str, bytes]:
    """Return the members of a zip whose members are stored plainly, at most as large as itself."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            names = [i.filename for i in infos]
            if len(infos) > MAX_ARRAYS or len(set(names)) < len(names):
                raise _refused(f"{len(infos)} members, or one twice", where)
            if any(i.compress_type != zipfile.ZIP_STORED for i in infos):
                raise _refused("its members are compressed", where)
            if sum(i.file_size for i in infos) > len(data):
                raise _refused("its members are larger than the file", where)
            return {i.filename: archive.read(i) for i in infos}
    except InputError:
        raise
    except (zipfile.BadZipFile, EOFError, RuntimeError, ValueError, OSError, struct.error) as error:
        raise _refused(str(error), where) from error


def _card(text: bytes, where: str) -> ModelCard:
    try:
        values = json.loads(text)
        version = values["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _refused(f"its card cannot be read ({error})", where) from error
    if version != FORMAT:
        raise InputError(
            f"the model has format version {version}, this tuban reads version {FORMAT}",
            where,
            "use the tuban that wrote it, or train the model with this one",
        )
    if set(values) != {f.name for f in fields(ModelCard)}:
        raise _refused(f"its card has the fields {', '.join(sorted(values))[:300]}", where)
    try:
        made = _typed(values)
    except (TypeError, ValueError) as error:
        raise _refused(f"its card holds {error}", where) from error
    return made


def _typed(values: dict[str, Any]) -> ModelCard:
    """Return the card of plain values; ValueError names the field that is not of its type."""
    texts = ("name", "sensor", "season", "hash")
    lists = ("bands", "roles", "classes", "features", "notes")
    dicts = ("data", "metrics", "settings")
    wrong = [n for n in texts if not isinstance(values[n], str)]
    wrong += [n for n in dicts if not isinstance(values[n], dict)]
    wrong += [
        n
        for n in lists
        if not isinstance(values[n], list) or not all(isinstance(v, str) for v in values[n])
    ]
    if not wrong:
        numbers = values["metrics"].values()
        plain = all(type(v) in (int, float) and math.isfinite(v) for v in numbers)
        wrong += [] if plain else ["metrics"]
        wrong += [] if NAME.fullmatch(values["name"]) else ["name"]
        wrong += [] if re.fullmatch(r"[0-9a-f]{64}", values["hash"]) else ["hash"]
        wrong += [] if values["kind"] in get_args(ModelKind) else ["kind"]
        wrong += [] if isinstance(values["parent"], str | None) else ["parent"]
    if wrong:
        raise ValueError(f"what it may not as {', '.join(wrong)}")
    created = dt.date.fromisoformat(values["created"])
    tuples = {n: tuple(values[n]) for n in lists}
    return ModelCard(**values | tuples | {"created": created})


def _arrays(data: bytes, where: str) -> dict[str, NDArray[Any]]:
    members = _members(data, where)
    foreign = sorted(n for n in members if ARRAY.fullmatch(n) is None)
    if foreign:
        raise _refused(f"it holds {', '.join(foreign)[:200]}", where)
    try:
        return {name.removesuffix(".npy"): _array(raw) for name, raw in members.items()}
    except (ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        raise _refused(f"an array cannot be read ({error})", where) from error


def _array(raw: bytes) -> NDArray[Any]:
    """Return one array; its size is settled before memory is taken."""
    stream = io.BytesIO(raw)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"header version {version}")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in "biuf":
        raise ValueError(f"{dtype} instead of numbers or truth values")
    body = raw[stream.tell() :]
    if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(body):
        raise ValueError(f"{len(body)} bytes for shape {shape} of {dtype}")
    flat = np.frombuffer(body, dtype).copy()
    return cast("NDArray[Any]", flat.reshape(shape, order="F" if fortran else "C"))
