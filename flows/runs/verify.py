"""A run folder against its manifest: what is broken, missing, left over or strange."""

from dataclasses import dataclass
from pathlib import Path

from configs.errors import InputError
from flows.layersathand import NAME as AT_HAND_NAME
from flows.lock import LOCK_NAME
from flows.manifest import MANIFEST_NAME, SUMMARY_NAME, Run
from flows.opening import OPENING_NAME
from flows.registering import STORE_NAME
from flows.runs.state import read_state

__all__ = ["Verification", "is_own", "verify_run"]

OWN_FILES = (MANIFEST_NAME, SUMMARY_NAME, OPENING_NAME, AT_HAND_NAME, LOCK_NAME, STORE_NAME)
"""Bookkeeping, and the store, which grows by what people fill in."""

OWN_FOLDERS = ("edits", "field")
"""Folders of what people brought in."""


@dataclass(frozen=True)
class Verification:
    """What `verify_run` found.

    Attributes
    ----------
    files, size_bytes : int
        Files of products that were hashed, and their bytes.
    faults : tuple of str
        Missing, altered or damaged, the first broken first; in the order of stages.
    pruned : int
        Files that `tuban runs prune` removed.
    left_over : tuple of str
        Files of earlier products that no present one has.
    strange : tuple of str
        Files that the manifest does not know.
    """

    files: int
    size_bytes: int
    faults: tuple[str, ...]
    pruned: int
    left_over: tuple[str, ...]
    strange: tuple[str, ...]


def verify_run(folder: Path) -> Verification:
    """Hash every file of a run and compare it with the manifest; nothing is written.

    Raises
    ------
    RunError
        If the folder holds no manifest.
    InputError
        If a process works in it: files would change while they are hashed.
    """
    run = Run.open(folder)
    state = read_state(folder)
    if state.state == "running":
        raise InputError(
            "the run is being worked", f"{folder} ({state.why})", "verify it when it has ended"
        )
    present = {r.path: r for p in run.products() for r in p.files if r.path not in run.pruned}
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    unknown = {name for name in there - set(present) if not is_own(name)}
    old = run.left_over
    return Verification(
        files=len(present),
        size_bytes=sum(r.size for r in present.values()),
        faults=tuple(run.faults()),
        pruned=len(run.pruned),
        left_over=tuple(sorted(unknown & old)),
        strange=tuple(sorted(unknown - old)),
    )


def is_own(name: str) -> bool:
    """Tell whether a file of a run folder is its bookkeeping, a store, or brought by people."""
    first, _, rest = name.partition("/")
    if rest:
        return first in OWN_FOLDERS
    return name.startswith(OWN_FILES)
