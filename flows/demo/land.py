"""The land of the demo county: an exact partition into parcels, roads, villages, town and water.

A square is cut by straight lines into blocks, tracts and parcels, with strips of road left along
the cuts. The river and a lake are laid over it, everything is noded once, bent a little by a
smooth field so that no edge is straight over a long way, and made into faces: neighbours share
their vertices exactly.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

__all__ = ["MARGIN_M", "Frame", "build_land"]

MARGIN_M = 300.0
"""How far the layers reach beyond the image."""

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """The image of the county: EPSG:32650, north-west corner and size."""

    size_px: int
    west: float = 278_000.0
    north: float = 4_052_000.0
    pixel_m: float = 10.0
    crs: str = "EPSG:32650"

    @property
    def size_m(self) -> float:
        """Side in metres."""
        return self.size_px * self.pixel_m

    @property
    def centre(self) -> tuple[float, float]:
        """Centre x, y."""
        return self.west + self.size_m / 2, self.north - self.size_m / 2

    def box(self, margin: float = 0.0) -> shapely.Polygon:
        """Return the square, grown by `margin` metres."""
        return shapely.box(
            self.west - margin,
            self.north - self.size_m - margin,
            self.west + self.size_m + margin,
            self.north + margin,
        )


@dataclass
class _Piece:
    """A convex piece of land and what is known of it."""

    ring: Points
    code: str = ""
    look: str = ""
    town: str = ""
    tract: int = -1


def _area(ring: Points) -> float:
    x, y = (ring - ring[0]).T  # the sides at vertex 0 add nothing
    return float(abs(x[:-1] @ y[1:] - y[:-1] @ x[1:]) / 2)


def _clip(ring: Points, normal: Points, limit: float) -> Points:
    """Return the part of a convex ring where ``p · normal ≥ limit``; empty if there is none."""
    side = ring @ normal - limit
    kept: list[Points] = []
    for i in range(len(ring)):
        j = (i + 1) % len(ring)
        if side[i] >= 0:
            kept.append(ring[i])
        if (side[i] < 0) != (side[j] < 0):
            kept.append(ring[i] + (ring[j] - ring[i]) * side[i] / (side[i] - side[j]))
    return np.array(kept) if len(kept) >= 3 else np.empty((0, 2))


def _subdivide(
    ring: Points,
    rng: np.random.Generator,
    angle: float,
    target_m2: float,
    gap: Callable[[int], float],
) -> tuple[list[Points], list[tuple[Points, float]]]:
    """Cut a convex ring until the pieces have about the target area.

    Returns the pieces, and the strips of width ``gap(depth)`` left between them.
    """
    pieces: list[Points] = []
    strips: list[tuple[Points, float]] = []
    stack = [(ring, 0)]
    while stack:
        part, depth = stack.pop()
        if len(part) < 3 or _area(part) < 30:
            continue
        if _area(part) <= target_m2 * math.exp(0.35 * float(rng.standard_normal())):
            pieces.append(part)
            continue
        axes = [np.array([math.cos(a), math.sin(a)]) for a in (angle, angle + math.pi / 2)]
        spans = [np.ptp(part @ axis) for axis in axes]
        turn = math.radians(float(rng.normal(0, 2.0)))
        base = angle + (0 if spans[0] >= spans[1] else math.pi / 2) + turn
        normal = np.array([math.cos(base), math.sin(base)])
        low, high = (part @ normal).min(), (part @ normal).max()
        at = low + (high - low) * float(rng.uniform(0.4, 0.6))
        width = gap(depth)
        stack.append((_clip(part, -normal, -(at - width / 2)), depth + 1))
        stack.append((_clip(part, normal, at + width / 2), depth + 1))
        if width:
            strip = _clip(_clip(part, normal, at - width / 2), -normal, -(at + width / 2))
            strips.append((strip, width))
    return pieces, strips


def _road(strip: Points, width: float, in_town: bool = False) -> _Piece:
    if in_town:
        return _Piece(strip, "1004", "street", "202")
    if width >= 20:
        return _Piece(strip, "1003", "road")
    if width >= 10:
        return _Piece(strip, "1003", "concrete_road")
    return _Piece(strip, "1006", "rural_road")


def _tracts(frame: Frame, rng: np.random.Generator) -> tuple[list[Points], list[_Piece], float]:
    """Cut the square into blocks of 60 ha along roads and those into tracts of 9 ha."""
    west, south, east, north = frame.box(MARGIN_M).bounds
    square = np.array([[west, south], [east, south], [east, north], [west, north]])
    angle = math.radians(float(rng.uniform(4, 12)))
    first = max(0, int(math.log2(frame.size_m / 2560)) * 2 - 1)
    widths = [24.0] * first + [12.0] * 2
    blocks, main = _subdivide(
        square, rng, angle, 6e5, lambda d: widths[d] if d < len(widths) else 6.0
    )
    roads = [_road(s, w) for s, w in main if len(s)]
    tracts: list[Points] = []
    for block in blocks:
        turn = angle + math.radians(float(rng.normal(0, 4)))
        parts, paths = _subdivide(block, rng, turn, 9e4, lambda _: 5.0)
        tracts += parts
        roads += [_road(s, w) for s, w in paths if len(s)]
    return tracts, roads, angle


PLAIN_SHARES = {"orchard": 0.07, "facility": 0.035, "ponds": 0.03, "wood": 0.04, "grass": 0.015,
                "vacant": 0.012, "bare": 0.012}  # fmt: skip
HILL_SHARES = {"forest": 0.52, "shrub": 0.14, "grass": 0.12, "orchard": 0.07, "terrace": 0.07,
               "mine": 0.03, "bare": 0.04}  # fmt: skip


def _kinds(frame: Frame, centres: Points, areas: Points, rng: np.random.Generator) -> list[str]:
    """Give every tract a kind: hill in one corner, a town, villages, plain elsewhere."""
    size, (cx, cy) = frame.size_m, frame.centre
    corner = np.array([rng.choice([-1, 1]), rng.choice([-1, 1])]) * size * 0.42 + [cx, cy]
    height = np.exp(-(np.hypot(*(centres - corner).T) ** 2) / (2 * (0.27 * size) ** 2))
    for _ in range(4):
        spot = np.array([cx, cy]) + rng.uniform(-0.5, 0.5, 2) * size
        height += 0.25 * np.exp(-(np.hypot(*(centres - spot).T) ** 2) / (2 * (0.07 * size) ** 2))
    kinds = np.where(height > np.quantile(height, 0.76), "hill", "plain").astype(object)

    town_at = np.array([cx, cy]) - (corner - [cx, cy]) * 0.35 + rng.normal(0, 0.04 * size, 2)
    near = np.argsort(np.hypot(*(centres - town_at).T), kind="stable")
    within = np.cumsum(areas[near]) < 0.05 * size**2
    kinds[near[within]] = "town"
    edge = near[~within]
    kinds[edge[: max(2, int(0.008 * size**2 / 9e4))]] = "industry"

    spacing = 1500.0
    chosen: list[int] = []
    for i in rng.permutation(len(centres)):
        if kinds[i] == "plain" and all(
            np.hypot(*(centres[i] - centres[j])) > spacing for j in chosen
        ):
            chosen.append(i)
            kinds[i] = "village"
    plain = rng.permutation(np.flatnonzero(kinds == "plain"))
    hill = rng.permutation(np.flatnonzero(kinds == "hill"))
    _deal(kinds, plain, PLAIN_SHARES)
    _deal(kinds, hill, HILL_SHARES)
    kinds[plain[-1]] = "solar"
    return [str(k) for k in kinds]


def _deal(kinds: NDArray[np.object_], tracts: NDArray[np.intp], shares: dict[str, float]) -> None:
    start = 0
    for kind, share in shares.items():
        count = max(1, round(share * len(tracts)))
        kinds[tracts[start : start + count]] = kind
        start += count


PARCEL_M2 = {"town": 14e3, "industry": 25e3, "village": 22e3, "orchard": 15e3, "facility": 16e3,
             "ponds": 9e3, "forest": 40e3, "wood": 20e3, "shrub": 35e3, "grass": 25e3,
             "terrace": 8e3, "mine": 50e3, "bare": 30e3, "vacant": 15e3, "solar": 60e3,
             "hill": 30e3}  # fmt: skip
FIELD_LOOKS = (("crop", 0.82), ("bare_field", 0.07), ("mulch_field", 0.05), ("stubble_field", 0.06))
PADDY_LOOKS = (("paddy", 0.90), ("flooded_field", 0.10))
TOWN_CODES = (("0701", 0.46), ("0601", 0.16), ("05H1", 0.14), ("08H1", 0.08), ("08H2", 0.06),
              ("0810", 0.06), ("1201", 0.04))  # fmt: skip
TOWN_LOOKS = {"0601": "industry", "0810": "park", "1201": "vacant"}
FIXED = {"village": ("0702", "village", "203"), "industry": ("0601", "industry", "202"),
         "facility": ("1202", "facility", "203"), "ponds": ("1104A", "pond", ""),
         "orchard": ("0201", "orchard", ""), "wood": ("0307", "forest_broad", ""),
         "shrub": ("0305", "shrub", ""), "mine": ("0602", "mine", "204"),
         "bare": ("1206", "bare", ""), "vacant": ("1201", "vacant", "203"),
         "solar": ("0601", "solar", "204")}  # fmt: skip


def _draw(rng: np.random.Generator, options: tuple[tuple[str, float], ...]) -> str:
    shares = np.array([share for _, share in options])
    return options[int(rng.choice(len(options), p=shares / shares.sum()))][0]


def _dress(kind: str, wet: bool, rng: np.random.Generator) -> tuple[str, str, str]:
    """Return land class, look and town attribute of one parcel."""
    if kind in FIXED:
        return FIXED[kind]
    if kind == "town":
        code = _draw(rng, TOWN_CODES)
        return code, TOWN_LOOKS.get(code, "town"), "202"
    if kind in ("forest", "hill"):
        return "0301", _draw(rng, (("forest_broad", 0.6), ("forest_conifer", 0.4))), ""
    if kind == "grass":
        return "0404", _draw(rng, (("grass", 0.7), ("dry_grass", 0.3))), ""
    if kind == "terrace":
        return "0103", "dry_crop", ""
    if wet:
        return "0101", _draw(rng, PADDY_LOOKS), ""
    return "0102", _draw(rng, FIELD_LOOKS), ""


def _parcels(
    tract: Points, number: int, kind: str, wet: bool, angle: float, rng: np.random.Generator
) -> list[_Piece]:
    """Cut one tract into parcels, with lanes where its kind has them."""
    target = PARCEL_M2.get(kind, float(rng.choice([7e3, 12e3, 18e3, 26e3])))
    lane = {"town": 11.0, "village": 5.0, "ponds": 6.0}.get(kind, 0.0)
    turn = angle + math.radians(float(rng.normal(0, 3)))
    parts, strips = _subdivide(tract, rng, turn, target, lambda d: lane if d < 3 else 0.0)
    pieces = []
    for part in parts:
        code, look, town = _dress(kind, wet, rng)
        pieces.append(_Piece(part, code, look, town, number))
    for strip, width in strips:
        if len(strip):
            road = _road(strip, width, in_town=kind == "town")
            road.tract = number
            pieces.append(road)
    return pieces


def _water(frame: Frame, rng: np.random.Generator) -> list[tuple[shapely.Polygon, str, str]]:
    """Return the river and the lake."""
    (cx, cy), size = frame.centre, frame.size_m
    along = np.linspace(-0.7, 0.7, 60) * size
    phase, side = rng.uniform(0, 2 * math.pi), rng.choice([-1, 1])
    across = side * 0.24 * size + 0.05 * size * np.sin(along / size * 7 + phase)
    line = shapely.LineString(np.column_stack([cx + across, cy + along]))
    river = line.buffer(float(rng.uniform(38, 52)), quad_segs=3)
    turn = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    radius = 0.022 * size * (1 + 0.25 * np.sin(3 * turn + phase))
    spot = np.array([cx - side * 0.33 * size, cy + rng.uniform(-0.3, 0.3) * size])
    lake = shapely.Polygon(spot + radius[:, None] * np.column_stack([np.cos(turn), np.sin(turn)]))
    return [(river, "1101", "river"), (lake, "1103", "lake")]


def _bend(points: Points, size: float, phases: Points) -> Points:
    """Move points by a smooth field of at most about 15 m."""
    x, y = points[:, 0] * 2 * math.pi / 1000, points[:, 1] * 2 * math.pi / 1000
    dx = 7 * np.sin(y / 0.9 + phases[0]) + 5 * np.sin((x + y) / 0.55 + phases[1])
    dy = 7 * np.sin(x / 0.8 + phases[2]) + 5 * np.sin((x - y) / 0.6 + phases[3])
    return np.asarray(np.round(points + np.column_stack([dx, dy]), 3))


def build_land(frame: Frame, seed: int) -> gpd.GeoDataFrame:
    """Return the parcels of the county, an exact partition.

    Parameters
    ----------
    frame : Frame
        The image to cover; parcels reach `MARGIN_M` beyond it.
    seed : int
        The same seed gives the same land.

    Returns
    -------
    GeoDataFrame
        In `frame.crs`: code (Third Survey), look (key of `spectra.LOOKS`), town (CZCSXM or ""),
        tract (number, −1 for roads and water), kind of the tract, geometry.
    """
    rng = np.random.default_rng([seed, 1])
    tracts, pieces, angle = _tracts(frame, rng)
    centres = np.array([ring.mean(axis=0) for ring in tracts])
    areas = np.array([_area(ring) for ring in tracts])
    kinds = _kinds(frame, centres, areas, rng)
    water = _water(frame, rng)
    wet = shapely.distance(shapely.points(centres), water[0][0]) < 0.07 * frame.size_m
    for number, ring in enumerate(tracts):
        pieces += _parcels(ring, number, kinds[number], bool(wet[number]), angle, rng)
    return _faces(frame, pieces, water, kinds, rng)


def _faces(
    frame: Frame,
    pieces: list[_Piece],
    water: list[tuple[shapely.Polygon, str, str]],
    kinds: list[str],
    rng: np.random.Generator,
) -> gpd.GeoDataFrame:
    """Node all edges once, make faces, name them by what they lie in, bend them."""
    polygons = np.array([shapely.Polygon(p.ring) for p in pieces])
    edges = [shapely.boundary(p) for p in polygons]
    edges += [shapely.boundary(body) for body, _, _ in water]
    noded = shapely.union_all(edges, grid_size=0.01)
    parts = shapely.get_parts(shapely.line_merge(noded))
    parts = shapely.segmentize(parts, 30.0)
    flat = shapely.get_parts(shapely.polygonize(parts))
    inside = shapely.point_on_surface(flat)
    owner = np.full(len(flat), -1)
    found = shapely.STRtree(polygons).query(inside, predicate="intersects")
    owner[found[0][::-1]] = found[1][::-1]
    keep = owner >= 0
    phases = rng.uniform(0, 2 * math.pi, 4)
    bent = shapely.transform(flat[keep], lambda xy: _bend(xy, frame.size_m, phases))
    inside, owner = inside[keep], owner[keep]
    table = gpd.GeoDataFrame(
        {
            "code": [pieces[i].code for i in owner],
            "look": [pieces[i].look for i in owner],
            "town": [pieces[i].town for i in owner],
            "tract": [pieces[i].tract for i in owner],
        },
        geometry=bent,
        crs=frame.crs,
    )
    for body, code, look in water:
        wet = np.asarray(shapely.intersects(body, inside))
        whole = gpd.GeoDataFrame(
            {"code": [code], "look": [look], "town": [""], "tract": [-1]},
            geometry=[shapely.union_all(table.geometry.to_numpy()[wet])],
            crs=frame.crs,
        )
        inside = np.append(inside[~wet], shapely.point_on_surface(whole.geometry.to_numpy()))
        table = pd.concat([table[~wet], whole], ignore_index=True)
    table["kind"] = [kinds[t] if t >= 0 else "" for t in table["tract"]]
    return table
