"""What can be removed from a run folder because it can be made again: tiles, old versions, scraps.

What people brought in is never among it: stores, verdicts, edits, photos, and files that the
manifest does not know.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from configs.errors import RunLocked
from flows.lock import holder_state
from flows.manifest import Run
from flows.products import Product
from flows.runs.verify import is_own
from flows.tiling import TILE_FOLDER
from tiles.files import PART_MARK

__all__ = ["Pruning", "prune_run"]

OBSERVED_SUFFIX = ".valid.npz"
"""Files of tiles that tell what was observed: small, and read when a catalogue grows."""


@dataclass(frozen=True)
class Pruning:
    """What can be removed, by reason; file names are relative to the run folder.

    Attributes
    ----------
    tiles : dict of str to int
        Bytes of the change runs of tiles that were joined into patches.
    old : dict of str to int
        Bytes of products that later ones replaced.
    scraps : dict of str to int
        Bytes of files that were never finished or never entered.
    """

    tiles: dict[str, int]
    old: dict[str, int]
    scraps: dict[str, int]

    @property
    def size_bytes(self) -> int:
        """Bytes in all."""
        return sum(sum(part.values()) for part in (self.tiles, self.old, self.scraps))

    @property
    def files(self) -> list[str]:
        """All files."""
        return sorted({**self.tiles, **self.old, **self.scraps})


def prune_run(folder: Path, *, remove: bool = False) -> Pruning:
    """Find what can be made again, and remove it if that is asked.

    A pruned run still verifies, and goes on from its patches: a tile is worked again only where
    another setting asks for it.

    Parameters
    ----------
    folder : Path
    remove : bool

    Raises
    ------
    RunError
        If the folder holds no manifest.
    RunLocked
        If a living process works in the folder.
    """
    if not remove:
        _require_free(folder)
        return _prunable(Run.open(folder))
    unfinished = _prunable(Run.open(folder)).scraps  # opening for writing removes some of them
    with Run.open(folder, write=True) as run:
        found = _prunable(run)
        found = replace(found, scraps=unfinished | found.scraps)
        if found.files:
            run.note("pruned", files=found.files, bytes=found.size_bytes)
        for name in found.files:
            run.path(name).unlink(missing_ok=True)
        for path in sorted(run.folder.rglob("*"), reverse=True):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
    return found


def _require_free(folder: Path) -> None:
    holder, dead = holder_state(folder)
    if holder is not None and not dead:
        raise RunLocked(
            f"the run is being worked: {holder}", str(folder), "prune it when it has ended"
        )


def _prunable(run: Run) -> Pruning:
    there = {
        p.relative_to(run.folder).as_posix(): p.stat().st_size
        for p in run.folder.rglob("*")
        if p.is_file()
    }
    present = {r.path for p in run.products() for r in p.files}
    tiles = {name for name in _joined_tiles(run) if not name.endswith(OBSERVED_SUFFIX)}
    old = run.left_over | _outdated_tiles(run)
    scraps = {
        name
        for name in set(there) - present - old
        if Path(name).name.startswith(PART_MARK) or name.startswith(f"{TILE_FOLDER}/")
    }
    safe = {name: size for name, size in there.items() if not is_own(name)}
    return Pruning(
        *({n: safe[n] for n in sorted(part) if n in safe} for part in (tiles, old - tiles, scraps))
    )


def _joined_tiles(run: Run) -> set[str]:
    """Return the files of tiles that went into patches which are still there."""
    key = _joined_key(run)
    return {r.path for p in _tiles(run) if p.key == key for r in p.files}


def _outdated_tiles(run: Run) -> set[str]:
    """Return the files of tiles that were made by other settings than the patches."""
    key = _joined_key(run)
    return {r.path for p in _tiles(run) if key and p.key != key for r in p.files}


def _joined_key(run: Run) -> str:
    """Return the key of the tiles that the patches were joined from; "" without whole patches."""
    for product in run.products("join"):
        if run.is_whole(product):
            return str(run.made_from(product).get("input tiles", ""))
    return ""


def _tiles(run: Run) -> Iterator[Product]:
    yield from run.products("tiles")
