"""What follows from scenes that are set aside, and from images on other machines."""

from pathlib import Path
from typing import Any

import shapely

from configs.errors import RasterError
from tiles.footprint import outline
from tiles.remote import is_remote, remote_fingerprint
from tiles.scene import Epoch, SetAside

__all__ = ["remote_files", "require_cover", "scene_set_aside"]

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


def scene_set_aside(one: SetAside) -> str:
    """Return the row of the report for a scene that is set aside."""
    name = Path(one.scene.split(",")[0]).name
    return f"影像不能使用，已搁置：{name} scene set aside: {name} ({one.reason})"


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
