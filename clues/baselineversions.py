"""Confirmed changes kept as a version of the land-use layer in the One-Map catalogue."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import shapely

from clues.baseline import Baseline, Confirmed, changed_parcels
from clues.onemap import Catalogue, Imported, VersionPlan
from clues.store.versions import LayerVersion, layer_versions
from clues.versions import read_version, refuse_contradiction
from configs.errors import StoreError
from tiles.geodesy import transformer

__all__ = ["KeptBaseline", "keep_baseline"]

ROLE = "landuse"


@dataclass(frozen=True)
class KeptBaseline:
    """What `keep_baseline` did; `imported` tells the version in force, new or not."""

    imported: Imported
    parent: LayerVersion
    baseline: Baseline


def keep_baseline(
    catalogue: Catalogue,
    confirmed: Sequence[Confirmed],
    *,
    crs: str,
    valid_from: dt.date,
    now: dt.datetime | None = None,
) -> KeptBaseline:
    """Cut the land use in force on a day by confirmed changes and keep it as a version.

    Doing it again keeps nothing new: ground that has its class already is not cut.

    Parameters
    ----------
    catalogue : Catalogue
    confirmed : sequence of Confirmed
    crs : str
        Of their outlines.
    valid_from : date
        Day from which the new version is in force; its parent is the one in force until then.
    now : datetime, optional

    Raises
    ------
    StoreError
        If no land use was in force that day.
    LayerError
        If parcels would overlap in a layer without overlaps.
    """
    parent = catalogue.in_force(ROLE, valid_from)
    if parent is None:
        raise StoreError(
            f"no land-use layer was in force on {valid_from}",
            str(catalogue.folder),
            "import the layer first: tuban layers import LAYERS.yaml --store …",
        )
    landuse = read_version(ROLE, catalogue.path(parent))
    moved = [replace(c, geometry=_moved(c.geometry, crs, parent.crs)) for c in confirmed]
    baseline = changed_parcels(landuse, moved, _serials(catalogue))
    if baseline.changes.empty:
        return KeptBaseline(Imported(parent, False, 0), parent, baseline)
    if parent.details["no_overlap"]:
        fresh = set(baseline.changes["id"])
        refuse_contradiction(baseline.table, fresh, f"{ROLE}: {parent.version}")
    counts = {
        "added": len(baseline.changes),
        "replaced": len(baseline.replaced),
        "gone": len(baseline.gone),
    }
    details = parent.details | {
        "sources": ["baseline"],
        "changes": counts,
        "objects": sorted(set(baseline.changes["object_id"]) - {""}),
        "serials": baseline.serials,
    }
    plan = VersionPlan(ROLE, baseline.table, details, valid_from, parent.complete, parent=parent)
    return KeptBaseline(catalogue.keep([plan], now)[0], parent, baseline)


def _serials(catalogue: Catalogue) -> dict[str, int]:
    """Return the last number of each series that any version gave out."""
    last: dict[str, int] = {}
    for version in layer_versions(catalogue.store, ROLE):
        for series, number in version.details.get("serials", {}).items():
            last[series] = max(last.get(series, 0), int(number))
    return last


def _moved(shape: Any, source: str, target: str) -> Any:
    if source == target:
        return shape
    move = transformer(source, target).transform
    return shapely.transform(shape, lambda x, y: move(x, y), interleaved=False)
