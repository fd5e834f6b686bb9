"""Which scene of a date lies on top: a rule that does not depend on the order of listing."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from tiles.scene import Epoch, Scene

__all__ = ["Order", "mosaicked", "scene_order"]

Order = Literal["newest", "oldest", "given"]
"""The first usable pixel in this order wins."""

UNKNOWN = dt.datetime.min.replace(tzinfo=dt.UTC)


def scene_order(scenes: Sequence[Scene], order: Order) -> tuple[Scene, ...]:
    """Return scenes in the order in which their pixels are taken.

    Scenes of one moment follow by name, then by file; a scene without a time comes last.

    Parameters
    ----------
    scenes : sequence of Scene
    order : {"newest", "oldest", "given"}

    Examples
    --------
    >>> import datetime as dt
    >>> day = dt.datetime(2024, 3, 5, tzinfo=dt.UTC)
    >>> scenes = [Scene("a", {}), Scene("c", {}, day), Scene("b", {}, day)]
    >>> [s.scene_id for s in scene_order(scenes, "newest")]
    ['b', 'c', 'a']
    """
    if order == "given":
        return tuple(scenes)
    named = sorted(scenes, key=_name)
    dated = [s for s in named if s.acquired is not None]
    dated.sort(key=lambda s: s.acquired or UNKNOWN, reverse=order == "newest")
    return (*dated, *(s for s in named if s.acquired is None))


def mosaicked(epoch: Epoch, order: Order) -> Epoch:
    """Return the epoch with its scenes in an order of `scene_order`."""
    return replace(epoch, scenes=scene_order(epoch.scenes, order))


def _name(scene: Scene) -> tuple[str, list[str]]:
    return scene.scene_id, sorted(band.path.as_posix() for band in scene.bands.values())
