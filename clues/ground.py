"""Facts of the ground: the patch itself, its former land classes, the control lines it touches."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clues.coverage import Documents, Epochs, Links
from clues.facts import CAUSES, FactColumn
from clues.shape import length_and_width, perimeters
from configs.transitions import transitions
from configs.vocabulary import change_type, uses

if TYPE_CHECKING:
    from clues.layers import OneMap

__all__ = [
    "CAUSE",
    "Cropland",
    "Cut",
    "class_facts",
    "completeness",
    "control_facts",
    "cropland_of",
    "keys_by_parcel",
    "layer_source",
    "patch_facts",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CAUSE = {name: i for i, name in enumerate(CAUSES)}
"""Position of each cause in `CAUSES`."""
FACILITY_MAYBE = ("building", "unknown")
"""Uses of which imagery cannot tell whether they serve farming."""


@dataclass(frozen=True)
class Cut:
    """How the pieces of a batch form the parcels of one line.

    Attributes
    ----------
    area : ndarray of float64, shape (pieces,)
        Whole dm².
    patch : ndarray of int64, shape (pieces,)
        Position of the patch in the batch.
    parcel : ndarray of int64, shape (pieces,)
        Position of the parcel, −1 where the line does not judge the patch.
    parcel_patch : ndarray of int64, shape (parcels,)
        Position of each parcel's patch.
    """

    area: Floats
    patch: Ints
    parcel: Ints
    parcel_patch: Ints
    n_patches: int

    def by_parcel(self, weights: Floats) -> Floats:
        """Sum piece values over parcels; exact for whole numbers."""
        own = self.parcel >= 0
        sums = np.bincount(self.parcel[own], weights=weights[own], minlength=len(self.parcel_patch))
        return sums.astype(np.float64)

    def by_patch(self, weights: Floats) -> Floats:
        """Sum piece values over patches and give each parcel its patch's sum."""
        sums = np.bincount(self.patch, weights=weights, minlength=self.n_patches)
        return sums.astype(np.float64)[self.parcel_patch]

    @property
    def parcel_area(self) -> Floats:
        """Area of each parcel in dm²."""
        return self.by_parcel(self.area)


@dataclass(frozen=True)
class Cropland:
    """Cropland of each piece in dm²: certain, and certain plus land of unknown class."""

    low: Floats
    high: Floats


def layer_source(onemap: "OneMap", *roles: str) -> str:
    """Return the layers behind a fact with their versions, as ``role@version``."""
    found = [f"{r}@{onemap.layers[r].version}" for r in roles if r in onemap.layers]
    return ", ".join(found)


def completeness(onemap: "OneMap", role: str, epochs: Epochs) -> Bools:
    """Return per patch whether absence from the role's layer is known to be absence."""
    n = len(epochs.after_to)
    if role not in onemap.layers:
        return np.zeros(n, dtype=bool)
    complete = onemap.layers[role].complete
    if isinstance(complete, bool):
        return np.full(n, complete)
    return np.asarray(epochs.after_to <= complete.toordinal())


def patch_facts(patches: Any, cut: Cut, epochs: Epochs, crs: str) -> list[FactColumn]:
    """Return the facts that the patch itself tells: areas, dates, use, shape."""
    rows = cut.parcel_patch
    area_dm2 = patches["area_dm2"].to_numpy(dtype=np.float64)
    codes = [u if u in uses() else "unknown" for u in patches["use"]]
    use = np.array(codes, dtype=object)[rows]
    known = use != "unknown"
    pseudo = [change_type(c).is_pseudo for c in patches["change_type"]]
    length, width = length_and_width(perimeters(patches.geometry.to_numpy(), crs), area_dm2 / 100.0)
    out = [
        FactColumn.bounded("area", cut.parcel_area, cut.parcel_area),
        FactColumn.bounded("patch_area", area_dm2[rows], area_dm2[rows]),
        FactColumn.bounded("mean_width", width[rows], width[rows]),
        FactColumn.bounded(
            "before", epochs.before_from[rows], epochs.before_to[rows], cause=CAUSE["date"]
        ),
        FactColumn.bounded(
            "after", epochs.after_from[rows], epochs.after_to[rows], cause=CAUSE["date"]
        ),
        FactColumn.named("use", use, known=known, cause=CAUSE["use"]),
        _truth("pseudo_change", np.array(pseudo, dtype=object)[rows]),
    ]
    limit = transitions().linear.elongation_min
    long = (length >= limit * width)[rows]
    of_use = [uses()[u] for u in use]
    out += [
        _truth("built", [u.built if k else None for u, k in zip(of_use, known, strict=True)]),
        _truth("permanent", [u.permanent for u in of_use]),
        _truth(
            "agricultural_use",
            [u.agricultural if k else None for u, k in zip(of_use, known, strict=True)],
        ),
        _truth(
            "facility_use",
            [None if u.code in FACILITY_MAYBE else u.group == "facility" for u in of_use],
        ),
        _truth(
            "linear",
            [e if u.linear is None else u.linear for u, e in zip(of_use, long, strict=True)],
        ),
    ]
    return out


def _truth(name: str, values: Any) -> FactColumn:
    low = [0.0 if v is None else float(v) for v in values]
    high = [1.0 if v is None else float(v) for v in values]
    return FactColumn.bounded(name, low, high, cause=CAUSE["use"])


def cropland_of(onemap: "OneMap", documents: Documents, links: Links, cut: Cut) -> Cropland:
    """Return the cropland of each piece by its land class before."""
    group, _, _ = _classes(onemap, documents, links, len(cut.area))
    sure = np.where(group == "cropland", cut.area, 0.0)
    return Cropland(sure, sure + np.where(group == "", cut.area, 0.0))


def _classes(
    onemap: "OneMap", documents: Documents, links: Links, n: int
) -> tuple[NDArray[np.object_], NDArray[np.object_], Floats]:
    """Return group, category ("" = unknown) and ridge share of each piece."""
    group, category = np.full(n, "", dtype=object), np.full(n, "", dtype=object)
    ridge = np.zeros(n)
    if "landuse" not in onemap.layers:
        return group, category, ridge
    table = onemap.layers["landuse"].table
    position = {k: i for i, k in enumerate(table["key"])}
    rows = np.flatnonzero(documents.role[links.document] == "landuse")
    first = rows[np.unique(links.piece[rows], return_index=True)[1]]
    own = np.array([position[k] for k in documents.key[links.document[first]]], dtype=np.int64)
    at = links.piece[first]
    group[at] = table["group"].fillna("").to_numpy(dtype=object)[own]
    category[at] = table["category"].fillna("").to_numpy(dtype=object)[own]
    ridge[at] = np.nan_to_num(table["kcxs"].to_numpy(dtype=np.float64)[own])
    return group, category, ridge


def class_facts(onemap: "OneMap", documents: Documents, links: Links, cut: Cut) -> list[FactColumn]:
    """Return areas and shares of the former land classes (三大类, cropland, wild land)."""
    group, category, ridge = _classes(onemap, documents, links, len(cut.area))
    unknown = cut.by_parcel(np.where(category == "", cut.area, 0.0))
    cause = CAUSE["class"] if "landuse" in onemap.layers else CAUSE["layer"]
    source = layer_source(onemap, "landuse")
    features = _features_of("landuse", documents, links, cut)
    crop = group == "cropland"
    net = np.floor(cut.area * (1.0 - ridge) + 0.5)
    sums = {
        "cropland_area": np.where(crop, cut.area, 0.0),
        "cropland_net_area": np.where(crop, net, 0.0),
        "farmland_area": np.where((category == "agricultural") & ~crop, cut.area, 0.0),
        "unused_area": np.where(category == "unused", cut.area, 0.0),
        "construction_area": np.where(category == "construction", cut.area, 0.0),
    }
    shares = {
        "construction_share": category == "construction",
        "agricultural_share": category == "agricultural",
        "cropland_share": crop,
        "wild_share": (category == "unused") & (group == "unused"),
    }
    out = []
    for name, weights in sums.items():
        low = cut.by_parcel(weights)
        out.append(
            FactColumn.bounded(
                name, low, low + unknown, cause=cause, source=source, features=features
            )
        )
    for name, chosen in shares.items():
        low = cut.by_parcel(np.where(chosen, cut.area, 0.0))
        total = cut.parcel_area
        out.append(
            FactColumn.bounded(
                name,
                low / total,
                (low + unknown) / total,
                cause=cause,
                source=source,
                features=features,
            )
        )
    return out


def _features_of(role: str, documents: Documents, links: Links, cut: Cut) -> NDArray[np.object_]:
    """Return per parcel the sorted keys of a role's features on it."""
    rows = np.flatnonzero(documents.role[links.document] == role)
    return keys_by_parcel(documents, links, cut, rows)


def keys_by_parcel(documents: Documents, links: Links, cut: Cut, rows: Ints) -> NDArray[np.object_]:
    """Return per parcel the sorted keys of the documents of chosen links."""
    found: NDArray[np.object_] = np.empty(len(cut.parcel_patch), dtype=object)
    found[:] = [()] * len(found)
    parcel = cut.parcel[links.piece[rows]]
    pairs = np.unique(np.column_stack([parcel, links.document[rows]])[parcel >= 0], axis=0).reshape(
        -1, 2
    )
    for p, document in pairs:
        found[p] = (*found[p], str(documents.key[document]))
    for p in np.unique(pairs[:, 0]):
        found[p] = tuple(sorted(found[p]))
    return found


def control_facts(
    onemap: "OneMap", documents: Documents, links: Links, cut: Cut, epochs: Epochs
) -> list[FactColumn]:
    """Return the areas inside control lines, and the share inside the road network."""
    total, out = cut.parcel_area, []
    roles = {
        "pbf_area": "basic_farmland",
        "redline_area": "redline",
        "reserve_area": "reserve",
        "inside_boundary_area": "growth_boundary",
        "road_network_share": "road_network",
    }
    for name, role in roles.items():
        on = np.zeros(len(cut.area), dtype=bool)
        on[links.piece[documents.role[links.document] == role]] = True
        low = cut.by_parcel(np.where(on, cut.area, 0.0))
        complete = completeness(onemap, role, epochs)[cut.parcel_patch] & _areal(
            onemap, documents, role
        )
        high = np.where(complete, low, total)
        cause = CAUSE["incomplete"] if role in onemap.layers else CAUSE["layer"]
        source = layer_source(onemap, role)
        features = _features_of(role, documents, links, cut)
        scale = total if name.endswith("_share") else 1.0
        out.append(
            FactColumn.bounded(
                name, low / scale, high / scale, cause=cause, source=source, features=features
            )
        )
        if role == "growth_boundary":
            out.append(
                FactColumn.bounded(
                    "outside_boundary_area",
                    total - high,
                    total - low,
                    cause=cause,
                    source=source,
                    features=features,
                )
            )
    return out


def _areal(onemap: "OneMap", documents: Documents, role: str) -> bool:
    """Tell whether all features of a role are polygons, so that an area says everything."""
    if role not in onemap.layers:
        return False
    return int(np.sum(documents.role == role)) == len(onemap.layers[role].table)
