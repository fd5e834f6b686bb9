"""Tiles that no attempt could work: the run goes on without them, says so, and tries them again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from configs.told import Told
from flows.workers import require_all_worked

if TYPE_CHECKING:
    from flows.keys import StageKey
    from flows.manifest import Run

__all__ = ["give_up", "given_up", "require_most", "told_given_up"]

NOTE = "tile failed"
TOLERATED = 10
"""A run goes on without one tile, or one in so many: what lacks more is no list of a county."""
NAMED = 5


def give_up(run: "Run", key: "StageKey", size: int, tile: str, why: str | None) -> None:
    """Note in the manifest that a tile of a size could not be worked under a key."""
    run.note(NOTE, tile=tile, size=size, key=key.digest, why=why or "")


def given_up(run: "Run", key: "StageKey", size: int) -> dict[str, str]:
    """Return the tiles of a size that were given up and not worked since, with the reason."""
    found: dict[str, str] = {}
    for note in run.notes:
        if note["kind"] == "fresh":
            found.clear()
        elif note["kind"] == NOTE and (note.get("key"), note.get("size")) == (key.digest, size):
            found[note["tile"]] = note["why"]
    worked = {p.name for p in run.products("tiles") if p.key == key.digest}
    return {tile: found[tile] for tile in sorted(found) if f"{size}/{tile}" not in worked}


def require_most(failed: Sequence[str], count: int, folder: Path) -> None:
    """Raise `RunError` where too many tiles were given up to go on without them.

    Parameters
    ----------
    failed : sequence of str
        Their names.
    count : int
        All tiles of the run.
    folder : Path
        For the message.
    """
    if len(failed) > max(1, count // TOLERATED) or len(failed) == count:
        require_all_worked(failed, count, folder)


def told_given_up(tiles: Mapping[str, str]) -> list[Told]:
    """Return what a reader must know of tiles that were given up; nothing where there are none."""
    if not tiles:
        return []
    names = list(tiles)[:NAMED]
    more = len(tiles) - len(names)
    reasons = "; ".join(f"{name}: {tiles[name]}" for name in names)
    return [
        Told(
            f"{len(tiles)} 个瓦片未能处理，按未观测计，再次运行同一命令即重试："
            f"{'、'.join(names)}{f' 等，另有 {more} 个' if more else ''}",
            f"{len(tiles)} tiles could not be worked and count as not observed; the same command "
            f"tries them again: {reasons}{f'; and {more} more' if more else ''}",
        )
    ]
