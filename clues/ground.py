"""Facts of the ground: the patch itself, its former land classes, the control lines it touches."""

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clues.catalogue import catalogue
from clues.coverage import Documents, Epochs, Links
from clues.doubt import DOUBTED
from clues.facts import CAUSES, FactColumn, KeyLists
from clues.formerverdicts import former_verdicts
from clues.nearby import MAYBE_FACILITY
from clues.shape import length_and_width
from configs.transitions import transitions
from configs.vocabulary import change_type, uses

if TYPE_CHECKING:
    from clues.layers import OneMap

__all__ = [
    "CAUSE",
    "CLASS_FACTS",
    "CONTROL_FACTS",
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
VILLAGE = "203"
"""Town code (CZCSXM) of village areas; it may carry a suffix."""

CLASS_FACTS = (
    "cropland_area",
    "cropland_net_area",
    "forest_area",
    "farmland_area",
    "unused_area",
    "construction_area",
    "construction_share",
    "agricultural_share",
    "cropland_share",
    "wild_share",
    "village_share",
)
"""What `class_facts` gives."""
CONTROL_ROLES = {
    "pbf_area": "basic_farmland",
    "redline_area": "redline",
    "reserve_area": "reserve",
    "restoration_area": "restoration",
    "nature_reserve_area": "redline",
    "inside_boundary_area": "growth_boundary",
    "road_network_share": "road_network",
}
CONTROL_FACTS = (*CONTROL_ROLES, "outside_boundary_area")
"""What `control_facts` gives."""


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
    days, of_patch = np.unique(epochs.after_to, return_inverse=True)
    told = [
        onemap.is_complete(role, None if np.isnan(d) else dt.date.fromordinal(int(d))) for d in days
    ]
    return np.array(told, dtype=bool)[of_patch]


def patch_facts(patches: Any, cut: Cut, epochs: Epochs, *, perimeter: Floats) -> list[FactColumn]:
    """Return the facts that the patch itself tells: areas, dates, use, shape."""
    rows = cut.parcel_patch
    area_dm2 = patches["area_dm2"].to_numpy(dtype=np.float64)
    code, of_patch = np.unique(patches["use"].fillna("").astype(str), return_inverse=True)
    named = [uses()[u if u in uses() else "unknown"] for u in code]
    of_use = of_patch[rows]
    use = np.array([u.code for u in named], dtype=object)[of_use]
    doubted = _doubted(patches)[rows]
    doubts, known = doubted != "", use != "unknown"
    unseen = np.where(doubts, CAUSE["weak"], CAUSE["use"])
    kind, of_kind = np.unique(patches["change_type"].fillna("").astype(str), return_inverse=True)
    pseudo = np.array([change_type(c or None).is_pseudo for c in kind], dtype=object)[of_kind][rows]
    pseudo[doubts] = None
    pseudo[learned := (kind == "learned_pseudo")[of_kind][rows]] = False
    length, width = length_and_width(perimeter, area_dm2 / 100.0)
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
        FactColumn.named("use", np.where(doubts, doubted, use), known=known, cause=unseen),
        _truth("pseudo_change", pseudo, unseen),
        _truth("learned_pseudo", learned, unseen),
        _confidence(patches, rows),
    ]
    limit = transitions().linear.elongation_min
    long = (length >= limit * width)[rows]
    told = {
        "built": [None if u.code == "unknown" else u.built for u in named],
        "permanent": [u.permanent for u in named],
        "agricultural_use": [None if u.code == "unknown" else u.agricultural for u in named],
        "facility_use": [
            None if u.code in MAYBE_FACILITY else u.group == "facility" for u in named
        ],
    }
    out += [_truth(name, np.array(v, dtype=object)[of_use], unseen) for name, v in told.items()]
    linear = np.array([u.linear for u in named], dtype=object)[of_use]
    out.append(_truth("linear", np.where(linear == None, long, linear), unseen))  # noqa: E711
    return out + told_facts(patches, rows)


TOLD = (
    "farm_purpose",
    "auxiliary_fits",
    "reclamation_plan",
    "surface_kept",
    "pbf_consent",
    "later_change",
    "other_case",
    "other_evidence",
    "homestead_permit",
    "document_fault",
    "same_applicant",
    "crop_cycle",
    "main_building_share",
)
"""Facts that people tell in a column of the patch table with the fact's name."""


def told_facts(patches: Any, rows: Ints) -> list[FactColumn]:
    """Return what people have told of the patches; a missing value tells nothing."""
    out = former_verdicts(patches, rows)
    for name in TOLD:
        if name not in patches:
            continue
        values = patches[name].to_numpy(dtype=object)[rows]
        given = np.array([v is not None and v == v for v in values], dtype=bool)
        if catalogue()[name].kind == "code":
            out.append(FactColumn.named(name, values, known=given, cause=CAUSE["paper"]))
            continue
        low = np.array([float(v) if g else 0.0 for v, g in zip(values, given, strict=True)])
        high = np.where(given, low, 1.0)
        out.append(FactColumn.bounded(name, low, high, cause=CAUSE["paper"]))
    return out


def _doubted(patches: Any) -> NDArray[np.object_]:
    if DOUBTED in patches:
        return np.asarray(patches[DOUBTED].to_numpy(dtype=object))
    return np.full(len(patches), "", dtype=object)


def _confidence(patches: Any, rows: Ints) -> FactColumn:
    """Return the confidence of imagery as a share; it is not known of what others delivered."""
    percent = patches["confidence"].to_numpy(dtype=np.float64)[rows]
    share = np.where(percent < 0, np.nan, percent / 100.0)
    return FactColumn.bounded("confidence", share, share, cause=CAUSE["paper"])


def _truth(name: str, values: Any, cause: Any) -> FactColumn:
    """Return a yes/no fact of True, False and None for what cannot be told."""
    told = np.asarray(values, dtype=object)
    yes, no = (told == True), (told == False)  # noqa: E712
    low, high = yes.astype(np.float64), 1.0 - no.astype(np.float64)
    return FactColumn.bounded(name, low, high, cause=cause)


def cropland_of(onemap: "OneMap", documents: Documents, links: Links, cut: Cut) -> Cropland:
    """Return the cropland of each piece by its land class before."""
    group = _classes(onemap, documents, links, len(cut.area))[0]
    sure = np.where(group == "cropland", cut.area, 0.0)
    return Cropland(sure, sure + np.where(group == "", cut.area, 0.0))


def _classes(
    onemap: "OneMap", documents: Documents, links: Links, n: int
) -> tuple[NDArray[np.object_], NDArray[np.object_], NDArray[np.object_], Floats]:
    """Return group, category, town code ("" = unknown) and ridge share of each piece."""
    group, category, town = (np.full(n, "", dtype=object) for _ in range(3))
    ridge = np.zeros(n)
    if "landuse" not in onemap.layers:
        return group, category, town, ridge
    table = onemap.layers["landuse"].table
    rows = documents.links_of("landuse", links)
    first = rows[np.unique(links.piece[rows], return_index=True)[1]]
    own = documents.position[links.document[first]]
    at = links.piece[first]
    group[at] = table["group"].fillna("").to_numpy(dtype=object)[own]
    category[at] = table["category"].fillna("").to_numpy(dtype=object)[own]
    ridge[at] = np.nan_to_num(table["kcxs"].to_numpy(dtype=np.float64)[own])
    town[at] = table["town"].fillna("").to_numpy(dtype=object)[own] if "town" in table else ""
    return group, category, town, ridge


def class_facts(onemap: "OneMap", documents: Documents, links: Links, cut: Cut) -> list[FactColumn]:
    """Return areas and shares of the former land classes (三大类, cropland, wild land)."""
    group, category, town, ridge = _classes(onemap, documents, links, len(cut.area))
    unknown = cut.by_parcel(np.where(category == "", cut.area, 0.0))
    cause = CAUSE["class"] if "landuse" in onemap.layers else CAUSE["layer"]
    source = layer_source(onemap, "landuse")
    features = _features_of("landuse", documents, links, cut)
    crop = group == "cropland"
    net = np.floor(cut.area * (1.0 - ridge) + 0.5)
    sums = {
        "cropland_area": np.where(crop, cut.area, 0.0),
        "cropland_net_area": np.where(crop, net, 0.0),
        "forest_area": np.where(group == "forest", cut.area, 0.0),
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
    out = [_village(onemap, documents, links, cut, town, category)]
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


def _village(
    onemap: "OneMap",
    documents: Documents,
    links: Links,
    cut: Cut,
    town: NDArray[np.object_],
    category: NDArray[np.object_],
) -> FactColumn:
    """Return the share inside villages: town code 203, or a polygon of the village layer."""
    inside = np.char.startswith(town.astype(str), VILLAGE)
    if "village_area" in onemap.layers:
        inside[links.piece[documents.links_of("village_area", links)]] = True
    unknown = (category == "") & ~inside
    low = cut.by_parcel(np.where(inside, cut.area, 0.0))
    high = low + cut.by_parcel(np.where(unknown, cut.area, 0.0))
    return FactColumn.bounded(
        "village_share",
        low / cut.parcel_area,
        high / cut.parcel_area,
        cause=CAUSE["class"] if "landuse" in onemap.layers else CAUSE["layer"],
        source=layer_source(onemap, "landuse", "village_area"),
    )


def _features_of(role: str, documents: Documents, links: Links, cut: Cut) -> KeyLists:
    """Return per parcel the sorted keys of a role's features on it."""
    return keys_by_parcel(documents, links, cut, documents.links_of(role, links))


def keys_by_parcel(documents: Documents, links: Links, cut: Cut, rows: Ints) -> KeyLists:
    """Return per parcel the sorted keys of the documents of chosen links."""
    parcel = cut.parcel[links.piece[rows]]
    return KeyLists.of(parcel, links.document[rows], len(cut.parcel_patch), documents.key)


def control_facts(
    onemap: "OneMap", documents: Documents, links: Links, cut: Cut, epochs: Epochs
) -> list[FactColumn]:
    """Return the areas inside control lines, and the share inside the road network."""
    total, out = cut.parcel_area, []
    for name, role in CONTROL_ROLES.items():
        rows = documents.links_of(role, links)
        if name == "nature_reserve_area":
            rows = rows[_in_nature_reserve(onemap, documents, links.document[rows])]
        on = np.zeros(len(cut.area), dtype=bool)
        on[links.piece[rows]] = True
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


def _in_nature_reserve(onemap: "OneMap", documents: Documents, chosen: Ints) -> Bools:
    """Tell which redline features name a nature reserve."""
    table = onemap.layers["redline"].table if "redline" in onemap.layers else {}
    if "nature_reserve" not in table:
        return np.zeros(len(chosen), dtype=bool)
    names = table["nature_reserve"].to_numpy(dtype=object)[documents.position[chosen]]
    return np.array([n is not None and n == n and bool(str(n).strip()) for n in names], dtype=bool)


def _areal(onemap: "OneMap", documents: Documents, role: str) -> bool:
    """Tell whether all features of a role are polygons, so that an area says everything."""
    if role not in onemap.layers:
        return False
    return int(np.sum(documents.role == role)) == len(onemap.layers[role].table)
