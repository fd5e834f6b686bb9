"""Gathering the facts of parcels: each is made once, when a rule or a sentence asks for it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clues.coverage import Documents, Epochs, Links, passed
from clues.facts import FactColumn, FactTable, KeyLists
from clues.ground import (
    CAUSE,
    CLASS_FACTS,
    CONTROL_FACTS,
    Cut,
    class_facts,
    completeness,
    control_facts,
    layer_source,
    patch_facts,
)
from clues.layers import OneMap
from clues.nearby import FiledUse, Former, Near, former_clues, nearest
from clues.papers import paper_facts, shown_dates
from clues.shape import perimeters
from tiles.geodesy import ellipsoidal_area

__all__ = ["Setting", "gather"]

Makers = dict[tuple[str, ...], Callable[[], list[FactColumn]]]
Objects = NDArray[np.object_]


@dataclass(frozen=True)
class Setting:
    """What the facts of a batch of patches are drawn from."""

    patches: Any
    onemap: OneMap
    documents: Documents
    links: Links
    area_dm2: NDArray[np.float64]
    patch: NDArray[np.int64]
    epochs: Epochs
    filed: FiledUse
    reach: dict[str, float]

    @cached_property
    def perimeters(self) -> NDArray[np.float64]:
        """Outlines of the patches in metres."""
        return perimeters(self.patches.geometry.to_numpy(), self.onemap.crs)

    @cached_property
    def near_redline(self) -> Near:
        """Nearest redline of each patch."""
        return self._nearest("redline")

    @cached_property
    def near_right(self) -> Near:
        """Nearest mining right of each patch."""
        return self._nearest("mining_right")

    @cached_property
    def near_approval(self) -> Near:
        """Nearest approval by the later date of each patch."""
        return self._nearest("approval", "approval_by_after")

    def _nearest(self, role: str, test: str | None = None) -> Near:
        rows = self.documents.links_of(role, self.links)
        if test is not None:
            passes = passed(test, self.documents, self.links, self.epochs, self.patch).possible
            rows = rows[passes[rows]]
        meets = (self.patch[self.links.piece[rows]], self.links.document[rows])
        return nearest(
            self.patches,
            self.onemap,
            self.documents,
            role,
            self.epochs,
            meets=meets,
            reach=self.reach[role],
            test=test,
        )

    @cached_property
    def former(self) -> Former:
        """Former clue that each patch overlaps most."""
        rows = self.documents.links_of("former_clue", self.links)
        piece = self.links.piece[rows]
        whole = self.patches["area_dm2"].to_numpy(dtype=np.float64)
        return former_clues(
            self.patch[piece], self.area_dm2[piece], self.links.document[rows], whole, self.onemap
        )


def gather(setting: Setting, cut: Cut, parcels: Objects) -> FactTable:
    """Return the facts of the parcels of a cut.

    Parameters
    ----------
    parcels : ndarray of object
        Ids of the parcels.
    """
    ids = setting.patches["patch_id"].to_numpy(dtype=object)[cut.parcel_patch]
    facts = FactTable(parcels, ids)
    facts.add(*patch_facts(setting.patches, cut, setting.epochs, perimeter=setting.perimeters))
    shared = (setting.onemap, setting.documents, setting.links, cut)
    facts.defer(CLASS_FACTS, partial(class_facts, *shared))
    facts.defer(CONTROL_FACTS, partial(control_facts, *shared, setting.epochs))
    makers = paper_facts(
        setting.onemap,
        setting.patches,
        setting.documents,
        setting.links,
        cut,
        setting.epochs,
        setting.filed,
    )
    for names, make in (makers | _nearby(setting, cut)).items():
        facts.defer(names, make)
    return facts


def _nearby(setting: Setting, cut: Cut) -> Makers:
    return {
        ("redline_distance",): lambda: [
            _distance("redline_distance", "redline", setting.near_redline, setting, cut)
        ],
        ("mining_distance",): lambda: [
            _distance("mining_distance", "mining_right", setting.near_right, setting, cut)
        ],
        (
            "near_approval_distance",
            "near_approval_ratio",
            "near_approval_documents",
        ): partial(_approval_facts, setting, cut),
        ("former_overlap", "former_date", "former_documents"): partial(_former_facts, setting, cut),
    }


def _distance(name: str, role: str, near: Near, setting: Setting, cut: Cut) -> FactColumn:
    """Return a distance; in a layer that may lack something, what is drawn is the most."""
    found = near.distance[cut.parcel_patch]
    sure = completeness(setting.onemap, role, setting.epochs)[cut.parcel_patch]
    low = np.where(sure, np.where(np.isinf(found), setting.reach[role], found), 0.0)
    cause = CAUSE["incomplete"] if role in setting.onemap.layers else CAUSE["layer"]
    return FactColumn.bounded(
        name,
        low,
        found,
        cause=np.where(sure, 0, cause),
        source=layer_source(setting.onemap, role),
        features=_alone(near.document, setting, cut),
    )


def _alone(document: NDArray[np.int64], setting: Setting, cut: Cut) -> KeyLists:
    """Return the one document of each patch (−1: none) as lists of its parcels."""
    own = document[cut.parcel_patch]
    rows = np.flatnonzero(own >= 0)
    return KeyLists.of(rows, own[rows], len(own), setting.documents.key)


def _named(name: str, document: NDArray[np.int64], setting: Setting, cut: Cut) -> FactColumn:
    documents = setting.documents
    role = str(documents.role[document[document >= 0][0]]) if (document >= 0).any() else ""
    return FactColumn.documents(
        name,
        _alone(document, setting, cut),
        lambda i: (documents.named(i), shown_dates(documents, i, None)),
        source=layer_source(setting.onemap, role),
    )


def _approval_facts(setting: Setting, cut: Cut) -> list[FactColumn]:
    near = setting.near_approval
    own = near.document >= 0
    ratio = np.zeros(len(own))
    geometry = setting.onemap.features["geometry"].to_numpy(dtype=object)[near.document[own]]
    other = ellipsoidal_area(geometry, setting.onemap.crs) * 100
    mine = setting.patches["area_dm2"].to_numpy(dtype=np.float64)[own]
    ratio[own] = np.minimum(other, mine) / np.maximum(other, mine)
    ratio = ratio[cut.parcel_patch]
    return [
        _distance("near_approval_distance", "approval", near, setting, cut),
        FactColumn.bounded(
            "near_approval_ratio", ratio, ratio, source=layer_source(setting.onemap, "approval")
        ),
        _named("near_approval_documents", near.document, setting, cut),
    ]


def _former_facts(setting: Setting, cut: Cut) -> list[FactColumn]:
    former, source = setting.former, layer_source(setting.onemap, "former_clue")
    days = np.full(len(former.document), np.nan)
    own = former.document >= 0
    days[own] = setting.documents.columns["date"][former.document[own]]
    days = days[cut.parcel_patch]
    sure = completeness(setting.onemap, "former_clue", setting.epochs)[cut.parcel_patch]
    low = former.overlap[cut.parcel_patch]
    high = np.where(sure, low, 1.0)
    cause = CAUSE["incomplete"] if source else CAUSE["layer"]
    keys = _alone(former.document, setting, cut)
    return [
        FactColumn.bounded("former_overlap", low, high, cause=cause, source=source, features=keys),
        FactColumn.bounded(
            "former_date", days, days, cause=CAUSE["date"], source=source, features=keys
        ),
        _named("former_documents", former.document, setting, cut),
    ]
