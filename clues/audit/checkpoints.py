"""Signed checkpoints: who holds one can tell later that no event before it was rewritten.

Whoever can write the database can write the whole chain anew. A checkpoint is the hash of an event
signed with a key that does not lie beside the database (Ed25519, RFC 8032); given to somebody
outside, it pins all events up to there. With the public key and the exported events they need
nothing of ours to check it.
"""

import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from clues.audit.chain import first_broken
from clues.audit.hashing import canonical, moment_text
from clues.store.checkpoints import keep_checkpoint
from clues.store.events import Event, last_event, read_events
from clues.store.repository import Store
from configs.errors import InputError
from tiles.files import atomic_path

__all__ = [
    "check_export",
    "check_signature",
    "export_events",
    "make_checkpoint",
    "new_key",
    "read_checkpoint",
    "read_public_key",
]

SIGNED = ("seq", "hash", "at")
PUBLIC = ".pub"
KEY_ID_DIGITS = 16


def new_key(path: Path) -> Path:
    """Write a private key, readable by its owner alone, and the public one beside it.

    Returns
    -------
    Path
        Of the public key.

    Raises
    ------
    InputError
        If there is a key already: checkpoints of it could not be told from others.
    """
    if path.exists():
        raise InputError("there is a key already", str(path), "name another file")
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(private)
    public = path.with_name(path.name + PUBLIC)
    with atomic_path(public) as part:
        part.write_bytes(_pem(key.public_key()))
    return public


def _pem(key: Ed25519PublicKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form)


def _key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(_pem(key)).hexdigest()[:KEY_ID_DIGITS]


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(
            f"the key cannot be read ({error})", str(path), "make one with `tuban audit key`"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError("it is no Ed25519 key", str(path), "make one with `tuban audit key`")
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read the public key of checkpoints."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise InputError(
            f"the public key cannot be read ({error})", str(path), "name the .pub file"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise InputError("it is no Ed25519 key", str(path), "name the .pub file")
    return key


def make_checkpoint(store: Store, key: Path, out: Path | None = None) -> dict[str, Any]:
    """Sign the last event of a store; keep the checkpoint there and, better, outside.

    Parameters
    ----------
    store : Store
    key : Path
        Private key of `new_key`.
    out : Path, optional
        File to give away.

    Raises
    ------
    InputError
        If the store has no event yet, or the key cannot be read.
    """
    private = _private(key)
    with store.transaction() as connection:
        event = last_event(connection)
        if event is None:
            raise InputError("there is no event yet", store.place, "register a run first")
        told: dict[str, Any] = {"seq": event.seq, "hash": event.hash}
        told["at"] = moment_text(dt.datetime.now(dt.UTC))
        told["signature"] = private.sign(_message(told)).hex()
        told["key_id"] = _key_id(private.public_key())
        keep_checkpoint(connection, told)
    if out is not None:
        text = json.dumps(told | {"tuban-checkpoint": 1}, indent=1, sort_keys=True)
        with atomic_path(out) as part:
            part.write_text(text + "\n", encoding="utf-8")
    return told


def _message(checkpoint: Mapping[str, Any]) -> bytes:
    return canonical([checkpoint[name] for name in SIGNED]).encode()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint that was given away."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        kinds = {"seq": int} | dict.fromkeys(("hash", "at", "signature", "key_id"), str)
        if not all(isinstance(told[n], kind) for n, kind in kinds.items()):
            raise ValueError("a value is missing or of another kind")
        return {n: told[n] for n in kinds}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"it is no checkpoint ({error})", str(path), "name a file of `tuban audit checkpoint`"
        ) from error


def check_signature(checkpoint: Mapping[str, Any], key: Ed25519PublicKey) -> str:
    """Return what is wrong with the signature of a checkpoint; "" where it holds."""
    seq = checkpoint["seq"]
    if checkpoint["key_id"] != _key_id(key):
        return f"checkpoint {seq} was signed with another key ({checkpoint['key_id']})"
    try:
        key.verify(bytes.fromhex(str(checkpoint["signature"])), _message(checkpoint))
    except (InvalidSignature, ValueError):
        return f"checkpoint {seq}: the signature is of other values"
    return ""


def export_events(store: Store, path: Path) -> int:
    """Write all events, one JSON object per line, for somebody outside; return how many."""
    count = 0
    with (
        store.snapshot() as connection,
        atomic_path(path) as part,
        part.open("w", encoding="utf-8", newline="\n") as file,
    ):
        for event in read_events(connection):
            file.write(canonical(vars(event)) + "\n")
            count += 1
    return count


def check_export(events: Path, checkpoint: Mapping[str, Any], key: Ed25519PublicKey) -> str:
    """Return the first thing wrong with exported events against a checkpoint; "" where all holds.

    Needs no store: the file of `export_events`, a checkpoint and the public key.
    """
    wrong = check_signature(checkpoint, key)
    pinned: dict[int, str] = {}

    def told() -> Iterator[Event]:
        with events.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    event = Event(**json.loads(line))
                except (ValueError, TypeError) as error:
                    raise InputError(
                        f"it is no event ({error})", f"{events}, line {number}", "export again"
                    ) from error
                pinned[event.seq] = event.hash
                yield event

    wrong = wrong or first_broken(told())
    if not wrong and pinned.get(checkpoint["seq"]) != checkpoint["hash"]:
        wrong = f"event {checkpoint['seq']} is not the one that the checkpoint signed"
    return wrong
