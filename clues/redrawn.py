"""Patches that interpreters drew anew: what was redrawn, cut, merged, added, deleted, retyped.

A patch is known by the number it carries. One outline with a number of its own is redrawn; several
with the same number are cut; one that holds most of a patch whose number is gone is merged with it;
one without a number and without such a patch is added. Whatever differs gets a number of its own,
made of its parents and its outline: the same edit has the same number wherever it is made.
"""

import base64
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

__all__ = ["EDIT_COLUMNS", "Drawn", "Edit", "Redrawn", "compare", "edited_id", "with_lineage"]

EDIT_COLUMNS = ("object_id", "parents", "edit", "editor", "edited_at")
"""Columns of an edited patch table besides those of every patch table, all texts.

``object_id``: the thing on the ground, which keeps its clue number; ``parents``: numbers of the
patches that it came from, joined by commas; ``edit``: "" | redrawn | cut | merged | added |
retyped.
"""

STEP = 0.001
"""Outlines that differ by no more, in units of the CRS of a projected run (1 mm), are the same."""
DEGREE_STEP = 1e-8
MOSTLY = 0.5
"""Share of a missing patch that an outline holds if the two were merged."""


@dataclass(frozen=True)
class Drawn:
    """One outline as it was handed in.

    Attributes
    ----------
    row : int
        Number of the feature in its file.
    patch_id : str
        "" for a new one.
    change_type, use : str
        Codes; "" where nothing is said.
    geometry : Polygon or MultiPolygon
        Valid, in the CRS of the run.
    """

    row: int
    patch_id: str
    change_type: str
    use: str
    geometry: Any


@dataclass(frozen=True)
class Edit:
    """One patch of the new version that differs; `thing` as ``object_id``."""

    patch_id: str
    thing: str
    parents: tuple[str, ...]
    kind: str
    drawn: Drawn


@dataclass(frozen=True)
class Redrawn:
    """What differs from the version before.

    Attributes
    ----------
    kept : tuple of str
        Patches that stay as they are.
    edits : tuple of Edit
        In the order of the file.
    deleted : tuple of str
        Patches that are gone and that no outline took in.
    """

    kept: tuple[str, ...]
    edits: tuple[Edit, ...]
    deleted: tuple[str, ...] = field(default_factory=tuple)

    @property
    def tallies(self) -> dict[str, int]:
        """Number of patches by what became of them."""
        counts = Counter(edit.kind for edit in self.edits)
        return dict(sorted(counts.items())) | {"deleted": len(self.deleted)}


def with_lineage(patches: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a patch table with `EDIT_COLUMNS`; a patch that nobody edited is its own thing."""
    missing = [name for name in EDIT_COLUMNS if name not in patches]
    if not missing:
        return patches
    columns = {name: pd.Series([""] * len(patches), dtype=object) for name in missing}
    table = patches.reset_index(drop=True).assign(**columns)
    if "object_id" in missing:
        table["object_id"] = table["patch_id"].astype(object)
    return table


def compare(patches: gpd.GeoDataFrame, drawn: list[Drawn]) -> Redrawn:
    """Tell what differs between the patches of a run and outlines that were handed in.

    Parameters
    ----------
    patches : GeoDataFrame
        Of `with_lineage`.
    drawn : list of Drawn
        Numbers are those of `patches`, or "".
    """
    step = DEGREE_STEP if patches.crs.is_geographic else STEP
    known = {
        str(p): (g, str(t), str(u), str(o))
        for p, g, t, u, o in zip(
            *(patches[n] for n in ("patch_id", "geometry", "change_type", "use", "object_id")),
            strict=True,
        )
    }
    handed = {d.patch_id for d in drawn if d.patch_id}
    missing = [p for p in known if p not in handed]
    taken = _taken_in(missing, known, drawn)
    times = Counter(d.patch_id for d in drawn if d.patch_id)
    kept, edits = [], []
    for i, one in enumerate(drawn):
        own = known.get(one.patch_id)
        parents = tuple(sorted({*([one.patch_id] if own else []), *taken[i]}))
        kind = _kind(one, own, parents, times)
        if kind == "redrawn" and own is not None and _same(own[0], one.geometry, step):
            if not _retyped(one, own):
                kept.append(one.patch_id)
                continue
            kind = "retyped"
        number = edited_id(parents, one, step)
        thing = known[parents[0]][3] if kind in ("redrawn", "retyped") else number
        edits.append(Edit(number, thing, parents, kind, one))
    merged = {p for ids in taken for p in ids}
    return Redrawn(tuple(kept), tuple(edits), tuple(p for p in missing if p not in merged))


def _kind(one: Drawn, own: Any, parents: tuple[str, ...], times: Counter[str]) -> str:
    if len(parents) > 1:
        return "merged"
    if own is not None:
        return "cut" if times[one.patch_id] > 1 else "redrawn"
    return "redrawn" if parents else "added"


def _retyped(one: Drawn, own: tuple[Any, str, str, str]) -> bool:
    return one.change_type not in ("", own[1]) or one.use not in ("", own[2])


def _taken_in(missing: list[str], known: dict[str, Any], drawn: list[Drawn]) -> list[list[str]]:
    """Return, for each outline, the missing patches that lie mostly in it."""
    found: list[list[str]] = [[] for _ in drawn]
    if not missing:
        return found
    tree = shapely.STRtree([d.geometry for d in drawn])
    for patch in missing:
        outline = known[patch][0]
        for i in sorted(int(k) for k in tree.query(outline, predicate="intersects")):
            common = shapely.area(shapely.intersection(outline, drawn[i].geometry))
            if common > MOSTLY * shapely.area(outline):
                found[i].append(patch)
    return found


def _same(one: Any, other: Any, step: float) -> bool:
    first, second = shapely.normalize(one), shapely.normalize(other)
    if shapely.equals_exact(first, second, step):
        return True
    apart = shapely.area(shapely.symmetric_difference(one, other))
    return bool(apart <= step * max(shapely.length(one), step))


def edited_id(parents: tuple[str, ...], one: Drawn, step: float = STEP) -> str:
    """Return the number of an edited patch.

    ``E`` and the first 12 letters of base32(sha256(parents | outline in whole steps | type | use)).
    The outline counts as it lies on the ground, wherever its rings begin.
    """
    rounded = shapely.transform(one.geometry, lambda xy: np.rint(xy / step))
    outline = shapely.to_wkb(shapely.normalize(rounded), byte_order=1).hex()
    told = "|".join((",".join(parents), outline, one.change_type, one.use))
    return "E" + base64.b32encode(hashlib.sha256(told.encode()).digest())[:12].decode()
