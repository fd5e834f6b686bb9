"""The overlay map of a clue: land use, control lines, documents and the patch, in drawing order."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import shapely

from clues.outputs.drawing import Colour
from clues.outputs.mapframe import Ink
from clues.outputs.palette import outline_colour
from clues.outputs.sheet import EvidenceSheet, Picture
from clues.surroundings import Feature, Surroundings
from configs.vocabulary import Outcome

__all__ = [
    "OUTLINE_INK",
    "MapLayer",
    "Numbered",
    "key_entries",
    "map_layers",
    "outcome_ink",
    "picture_lines",
]

OUTLINE_INK = Ink(line=(1.0, 0.9, 0.0), width=1.2, halo=(0.15, 0.15, 0.15))
"""The patch on pictures: light with a dark rim, to be seen on any ground."""

HALO: Colour = (1.0, 1.0, 1.0)

GROUPS: dict[str, tuple[str, str, Colour]] = {
    "cropland": ("耕地", "cropland", (1.00, 0.96, 0.70)),
    "garden": ("园地", "orchard", (0.96, 0.83, 0.55)),
    "forest": ("林地", "forest", (0.62, 0.82, 0.62)),
    "grass": ("草地", "grass", (0.81, 0.91, 0.66)),
    "wetland": ("湿地", "wetland", (0.66, 0.86, 0.80)),
    "water": ("水域", "water", (0.65, 0.81, 0.93)),
    "construction": ("建设用地", "built-up", (0.93, 0.68, 0.72)),
    "transport": ("交通用地", "transport", (0.78, 0.78, 0.78)),
    "rural_road": ("农村道路", "rural road", (0.86, 0.83, 0.77)),
    "facility": ("设施农用地", "farm facility", (0.85, 0.73, 0.56)),
    "ridge": ("田坎", "ridge", (0.93, 0.90, 0.69)),
    "unused": ("未利用地", "unused", (0.91, 0.89, 0.85)),
    "": ("其他地类", "other class", (0.95, 0.95, 0.95)),
}
PARCEL_EDGE: Colour = (0.62, 0.60, 0.55)
RED: Colour = (0.80, 0.05, 0.45)
VIOLET: Colour = (0.45, 0.15, 0.65)

LINES: dict[str, tuple[str, str, Ink]] = {
    "basic_farmland": ("基本农田", "basic farmland", Ink(line=None, hatch=(0.25, 0.55, 0.10))),
    "redline": (
        "生态红线",
        "redline",
        Ink(line=RED, fill=RED, width=1.3, opacity=0.12),
    ),
    "growth_boundary": (
        *("城镇边界", "growth bound."),
        Ink(line=VIOLET, fill=VIOLET, width=1.3, dash=(5.0, 2.0), opacity=0.1),
    ),
    "division": (
        *("行政区界", "division"),
        Ink(line=(0.35, 0.35, 0.35), width=0.9, dash=(6.0, 2.0, 1.5, 2.0)),
    ),
}
RIGHTS = Ink(line=(0.55, 0.30, 0.05), width=1.2, dash=(3.0, 1.5))
PAPERS = Ink(line=(0.05, 0.30, 0.75), fill=(0.20, 0.50, 0.95), width=1.0, opacity=0.22)
PAPERS_NEAR = Ink(line=(0.05, 0.30, 0.75), width=0.6, dash=(2.0, 1.5))
UNSEEN = Ink(line=(0.5, 0.5, 0.5), fill=(0.87, 0.87, 0.87), width=0.3, hatch=(0.55, 0.55, 0.55))
PATCH = Ink(line=(0.05, 0.05, 0.05), width=1.5, halo=(1.0, 1.0, 1.0))


@dataclass(frozen=True)
class MapLayer:
    """Shapes that are drawn alike; without shapes on the map there is no layer."""

    zh: str
    en: str
    ink: Ink
    shapes: tuple[Any, ...]


@dataclass(frozen=True)
class Numbered:
    """A document on the map: its row in the table of documents and where its number may stand."""

    number: int
    shape: Any


def map_layers(
    sheet: EvidenceSheet, around: Surroundings, bounds: tuple[float, float, float, float]
) -> tuple[tuple[MapLayer, ...], tuple[Numbered, ...]]:
    """Return the layers of the overlay map from the ground up, and the documents to number.

    Parameters
    ----------
    sheet : EvidenceSheet
    around : Surroundings
    bounds : tuple of float
        Of the map: what only its rim shows is left out.
    """
    by_role: dict[str, list[Feature]] = {}
    frame = shapely.box(*bounds)
    for feature in around.features:
        if not _shows(feature, frame):
            continue
        by_role.setdefault(feature.role, []).append(feature)
    layers = [*_land(by_role.pop("landuse", []))]
    for role, (zh, en, ink) in LINES.items():
        layers += _layer(zh, en, ink, [f.geometry for f in by_role.pop(role, [])])
    rights = by_role.pop("mining_right", [])
    layers += _layer("采矿权", "mining right", RIGHTS, [f.geometry for f in rights])
    papers = [f for role in sorted(by_role) for f in by_role[role]]
    own = [f for f in papers if f.key in sheet.document_keys]
    other = [f.geometry for f in papers if f.key not in sheet.document_keys]
    layers += _layer("邻近文件", "papers nearby", PAPERS_NEAR, other)
    layers += _layer("涉及文件", "papers on it", PAPERS, [f.geometry for f in own])
    layers += _layer("图斑", "patch", PATCH, [sheet.outline])
    return tuple(layers), tuple(_numbered(sheet, [*own, *rights]))


def _shows(feature: Feature, frame: Any) -> bool:
    """Whether a feature puts ink into the frame: of a division only its border does."""
    is_line = feature.role == "division"
    shape = shapely.boundary(feature.geometry) if is_line else feature.geometry
    return bool(shapely.intersects(shape, frame))


def _land(features: list[Feature]) -> Iterable[MapLayer]:
    for group, (zh, en, colour) in GROUPS.items():
        ink = Ink(line=PARCEL_EDGE, fill=colour, width=0.25)
        yield from _layer(zh, en, ink, [f.geometry for f in features if f.kind == group])


def _layer(zh: str, en: str, ink: Ink, shapes: list[Any]) -> list[MapLayer]:
    return [MapLayer(zh, en, ink, tuple(shapes))] if shapes else []


def _numbered(sheet: EvidenceSheet, features: list[Feature]) -> Iterable[Numbered]:
    """Yield the first row of each document, with its part on the patch where it has one."""
    keys = list(sheet.document_keys)
    for feature in features:
        if feature.key in keys:
            on_it = shapely.intersection(feature.geometry, sheet.outline, grid_size=1e-9)
            shape = on_it if shapely.get_dimensions(on_it) == 2 else feature.geometry
            yield Numbered(keys.index(feature.key) + 1, shape)


def outcome_ink(outcome: str) -> Ink:
    """Return how parcels of an outcome are drawn on pictures."""
    return Ink(line=outline_colour(outcome), width=1.1, halo=HALO)


def picture_lines(sheet: EvidenceSheet) -> list[tuple[Any, Ink]]:
    """Return the outlines on a picture: of the patch, or of its parcels by outcome."""
    parcels = [(shape, outcome_ink(outcome)) for _, outcome, shape in sheet.parcels]
    return parcels or [(sheet.outline, OUTLINE_INK)]


def key_entries(
    sheet: EvidenceSheet, layers: tuple[MapLayer, ...], pair: tuple[Picture, Picture]
) -> list[tuple[str, str, Ink]]:
    """Return the legend of pictures and map: Chinese, English, ink."""
    entries = [(layer.zh, layer.en, layer.ink) for layer in reversed(layers)]
    outcomes = [(o.name_zh, o.name_en, outcome_ink(o.value)) for o in outcomes_of(sheet)]
    gaps = [("无影像", "no image", UNSEEN)] if any(one.unseen for one in pair) else []
    return [*entries[:1], *outcomes, *gaps, *entries[1:]]


def outcomes_of(sheet: EvidenceSheet) -> list[Outcome]:
    """Return the outcomes of the parcels that are drawn, each once."""
    return [Outcome(name) for name in dict.fromkeys(outcome for _, outcome, _ in sheet.parcels)]
