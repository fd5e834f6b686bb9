"""The plan of the demo county: which changes it holds, on what land, and with which papers."""

from dataclasses import dataclass, replace

import numpy as np

__all__ = ["PLAN", "Item"]


@dataclass(frozen=True)
class Item:
    """One change to place.

    Attributes
    ----------
    kind : str
        Change type of the vocabulary.
    look : str
        What the land shows afterwards, a key of `spectra.LOOKS`.
    host : str
        Land it is placed on, a key of `changes.HOSTS`.
    papers : str
        How its documents are made, a key of `documents.PAPERS`.
    low, high : float
        Limits of its size in hectares.
    shape : str
        box, corner (L), ring (with a hole), strip or blob.
    seam : str
        "" anywhere, "edge" over a tile seam, "corner" over four tiles.
    purity, margin : float
        Least share of host land within the change; with a margin (metres), the change grown by it
        must lie on built-up land.
    hectares : float
        Size drawn.
    """

    kind: str
    look: str
    host: str
    papers: str
    low: float = 0.3
    high: float = 1.5
    shape: str = "box"
    seam: str = ""
    purity: float = 0.9
    margin: float = 0.0
    hectares: float = 0.0

    def sized(self, rng: np.random.Generator, small: float) -> "Item":
        """Return the item with its size drawn; a share of them between 0.1 and 0.3 ha."""
        tiny, size = rng.random() < small, rng.random()
        if tiny and self.shape == "box" and not self.seam:
            return replace(self, hectares=0.1 + 0.19 * size)
        low, high = np.log(self.low), np.log(self.high)
        return replace(self, hectares=float(np.exp(low + (high - low) * size)))


def _items(count: int, *values: str, **settings: float | str) -> list[Item]:
    return [Item(*values, **settings)] * count  # type: ignore[arg-type]


BUILDING = ("new_building", "works")
HOUSES = ("new_building", "houses")
YARD = ("hardened_ground", "yard")
EARTH = ("moved_earth", "earth")
ROAD = ("road", "yard")
PIT = ("mining_pit", "mine")
SOLAR = ("photovoltaic", "solar")
SHEDS = ("greenhouse", "facility")

PLAN: tuple[Item, ...] = (
    # deliberately on seams: over four tiles, with a hole, and across one edge
    *_items(2, *EARTH, "open", "none", low=2.5, high=4.0, seam="corner", purity=0.75),
    *_items(1, *BUILDING, "open", "none", low=2.0, high=3.0, seam="corner", purity=0.75),
    *_items(2, *YARD, "open", "none", low=3.0, high=3.8, shape="ring", seam="edge", purity=0.8),
    *_items(3, *BUILDING, "crop", "none", low=0.8, high=2.5, seam="edge"),
    *_items(2, *BUILDING, "crop", "partial", low=1.5, high=3.0, seam="edge"),
    *_items(2, *EARTH, "crop", "none", low=0.8, high=2.5, seam="edge"),
    *_items(1, *BUILDING, "crop", "full", low=0.8, high=2.0, seam="edge"),
    *_items(1, *SHEDS, "crop", "none", low=0.8, high=2.0, seam="edge"),
    *_items(1, *ROAD, "crop", "none", low=1.2, high=1.8, shape="strip", seam="edge"),
    # buildings: every way papers can lie
    *_items(4, *BUILDING, "crop", "none", shape="corner"),
    *_items(3, *HOUSES, "crop", "none", high=0.8),
    *_items(3, *BUILDING, "crop", "full"),
    *_items(2, *BUILDING, "crop", "supplied"),
    *_items(1, *BUILDING, "crop", "twice", low=0.8),
    *_items(1, *BUILDING, "crop", "bow_tie"),
    *_items(2, *BUILDING, "open", "partial", low=0.9, high=2.5),
    *_items(3, *BUILDING, "crop", "late"),
    *_items(1, *BUILDING, "crop", "applied"),
    *_items(2, *HOUSES, "crop", "between"),
    *_items(1, *HOUSES, "crop", "undated"),
    *_items(1, *BUILDING, "crop", "unmapped"),
    *_items(4, *BUILDING, "idle", "inside", low=0.35, high=0.9, margin=30),
    # ground, earth, roads, panels
    *_items(3, *YARD, "crop", "none"),
    *_items(1, *YARD, "crop", "full"),
    *_items(2, *YARD, "open", "lapsed"),
    *_items(1, *YARD, "open", "long_lapsed"),
    *_items(4, *EARTH, "open", "none", shape="blob"),
    *_items(2, *EARTH, "crop", "full"),
    *_items(2, *EARTH, "open", "temporary"),
    *_items(1, *EARTH, "open", "between"),
    *_items(2, *ROAD, "crop", "none", low=0.8, high=1.7, shape="strip"),
    *_items(2, *ROAD, "crop", "full", low=0.8, high=1.7, shape="strip"),
    *_items(2, *SOLAR, "hill", "none", low=0.8, high=3.0, purity=0.85),
    *_items(1, *SOLAR, "hill", "full", low=0.8, high=2.0, purity=0.85),
    # mines: the land line and the mining line
    *_items(1, *PIT, "hill", "mine_full", low=0.6, high=2.5, shape="blob", purity=0.85),
    *_items(1, *PIT, "hill", "mine_licence", low=0.6, high=2.5, shape="blob", purity=0.85),
    *_items(1, *PIT, "hill", "mine_beyond", low=1.0, high=2.5, shape="blob", purity=0.85),
    *_items(1, *PIT, "hill", "mine_none", low=0.6, high=2.5, shape="blob", purity=0.85),
    *_items(1, *PIT, "hill", "mine_expired", low=0.6, high=2.5, shape="blob", purity=0.85),
    # farming
    *_items(3, *SHEDS, "crop", "filed"),
    *_items(2, *SHEDS, "crop", "none"),
    *_items(4, "pond", "pond", "crop", "farm", high=1.2, shape="blob"),
    # less, not more
    *_items(3, "vegetation_loss", "cleared", "forest", "cleared", low=0.5, shape="blob"),
    *_items(3, "demolition", "rubble", "built", "inside", low=0.4, high=1.2, margin=30),
    *_items(3, "regreening", "regreened", "worn", "green", low=0.5, high=1.5),
)  # fmt: skip
