"""What follows from scenes that are set aside, and from images on other machines."""

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import shapely

from configs.errors import DamagedImage, RasterError
from configs.told import Told
from tiles.damage import damage_of, files_of
from tiles.files import fingerprint
from tiles.footprint import outline
from tiles.remote import is_remote, remote_fingerprint
from tiles.scene import Epoch, SetAside

if TYPE_CHECKING:
    from flows.manifest import Run
    from flows.plan import RunPlan
    from flows.stages import StageContext

__all__ = [
    "damaged_before",
    "remote_files",
    "require_cover",
    "require_whole",
    "scene_set_aside",
    "without",
    "without_damaged",
]

log = logging.getLogger(__name__)

T = TypeVar("T")

NOTE = "damaged image"

COVERED = 0.999
"""Share of the area that must be covered where a scene is set aside."""


def require_cover(before: Epoch, after: Epoch, area: Any, crs: str) -> None:
    """Refuse a date whose remaining scenes do not cover what the one set aside may show.

    Parameters
    ----------
    before, after : Epoch
    area : shapely geometry or None
        Area of interest in `crs`; None: what the other date shows.
    crs : str

    Raises
    ------
    RasterError
        With the reason why the scene is set aside.
    """
    for epoch, other in ((before, after), (after, before)):
        if not epoch.set_aside:
            continue
        rest = shapely.union_all([outline(s, crs) for s in epoch.scenes])
        wanted = area
        if wanted is None:
            wanted = shapely.union_all([outline(s, crs) for s in other.scenes])
        share = rest.intersection(wanted).area / wanted.area
        if share < COVERED:
            bad = epoch.set_aside[0]
            raise RasterError(
                f"{bad.reason}; the other scenes of this date cover "
                f"{100 * share:.1f} % of the area",
                bad.scene,
                bad.fix,
            )


def scene_set_aside(one: SetAside) -> Told:
    """Return the row of the report for a scene that is set aside."""
    name = Path(one.scene.split(",")[0]).name
    return Told(f"影像不能使用，已搁置：{name}", f"scene set aside: {name} ({one.reason})")


def without(
    epoch: Epoch, damaged: Sequence[SetAside], time_zone: str, date: dt.date | None
) -> Epoch:
    """Return an epoch without the scenes whose files are damaged.

    Parameters
    ----------
    epoch : Epoch
    damaged : sequence of SetAside
    time_zone : str
        Zone of the civil dates, which are those of the scenes left.
    date : date or None
        Civil date that the config gives.

    Raises
    ------
    DamagedImage
        If no scene is left.
    """
    gone: list[SetAside] = []
    kept = []
    for scene in epoch.scenes:
        names = {str(path) for path in files_of(scene)}
        found = [one for one in damaged if one.scene in names]
        gone += found[:1]
        kept += [] if found else [scene]
    if not kept:
        raise DamagedImage(gone[0].reason, gone[0].scene, gone[0].fix)
    if not gone:
        return epoch
    return replace(Epoch.of(kept, time_zone, date), set_aside=(*epoch.set_aside, *gone))


def damaged_before(run: "Run") -> tuple[SetAside, ...]:
    """Return the damaged images that the manifest names, less those that were replaced since."""
    found: dict[str, SetAside] = {}
    for note in run.notes:
        if note["kind"] == "fresh":
            found.clear()
        elif note["kind"] == NOTE:
            path = Path(note["file"])
            if path.is_file() and _version(path) == note["version"]:
                found[note["file"]] = SetAside(note["file"], note["reason"], note["fix"])
    return tuple(found[name] for name in sorted(found))


def require_whole(plan: "RunPlan", where: str) -> None:
    """Raise at once if a tile failed of a damaged image: the others would be worked in vain.

    Parameters
    ----------
    plan : RunPlan
    where : str
        What the failure of the tile named.

    Raises
    ------
    DamagedImage
    """
    if where and (damage := damage_of(where, (plan.before, plan.after))):
        raise damage


def _version(path: Path) -> str:
    """Return what changes when a file is replaced, even by one that differs in one block.

    A file that the disk does not hand out whole has another version once it does.
    """
    try:
        content = fingerprint(path)
    except OSError:
        content = "cannot be read"
    return f"{content} {path.stat().st_mtime_ns}"


def without_damaged(context: "StageContext", work: Callable[[], T]) -> T:
    """Work stages; where an image turns out to be damaged, set its scene aside and begin again.

    Only where the other scenes of its date cover the area: the plan refuses otherwise, with the
    damage as the reason. The manifest keeps the damage, so that a run started again does not try
    the file again, nor make anything of it anew, until it is mended.

    Raises
    ------
    RasterError
        If the run cannot do without the scene.
    """
    while True:
        try:
            return work()
        except DamagedImage as error:
            found = _damaged_file(context, error)
            if found is None:
                raise
            file, others = found
            context.run.note(
                NOTE,
                file=str(file),
                version=_version(file),
                reason=f"{error.what} ({error.where.removeprefix(f'{file}, ')})",
                fix=error.fix,
            )
            if not others:
                raise
            log.warning("a scene is set aside: %s", error)
            context.replan()


def _damaged_file(context: "StageContext", error: DamagedImage) -> tuple[Path, int] | None:
    """Return the damaged file and how many other scenes its date has; None if the plan told it."""
    if "plan" not in vars(context):
        return None
    for epoch in (context.plan.before, context.plan.after):
        for path in (p for scene in epoch.scenes for p in files_of(scene)):
            if error.where.startswith(f"{path},"):
                return path, len(epoch.scenes) - 1
    return None


def remote_files(name: str, epoch: Epoch) -> dict[str, str]:
    """Return the fingerprints of the images of an epoch that are on other machines, by name.

    Parameters
    ----------
    name : str
        ``before`` or ``after``.
    epoch : Epoch
    """
    files: set[Path] = set()
    for scene in epoch.scenes:
        files |= {b.path for b in scene.bands.values()}
        files |= {part.path for part in (scene.pan, scene.mask) if part is not None}
    return {f"{name} {p}": remote_fingerprint(p) for p in sorted(files) if is_remote(p)}
