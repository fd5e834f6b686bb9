"""The true changes of the demo county: what is built, dug, cleared or torn down, and where."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray

from flows.demo.land import Frame
from flows.demo.plan import PLAN, Item

__all__ = ["HOSTS", "Change", "Hosts", "inject"]

HOSTS: dict[str, tuple[str, ...]] = {
    "crop": ("crop", "paddy", "dry_crop", "rural_road"),
    "open": ("crop", "dry_crop", "orchard", "rural_road"),
    "hill": ("forest_broad", "forest_conifer", "shrub", "grass", "dry_grass", "rural_road"),
    "forest": ("forest_broad", "forest_conifer", "shrub"),
    "idle": ("vacant", "park"),
    "built": ("village", "town", "industry", "road", "street", "vacant", "park"),
    "worn": ("mine", "bare"),
}
"""Looks of the land each kind of change may take, by host name."""

SEAM_PX = 256
CLEAR_M = 220.0
"""Least distance between two changes: room for their documents."""


@dataclass
class Change:
    """One true change and, later, what should be said of it."""

    number: int
    item: Item
    geometry: shapely.Polygon
    host_code: str
    outcomes: dict[str, str] = field(default_factory=dict)
    hidden: bool = False

    @property
    def change_id(self) -> str:
        """Name in the truth file."""
        return f"C{self.number:03d}"


class Hosts:
    """What the land shows, looked up point by point.

    Parameters
    ----------
    frame : Frame
        The image.
    land : GeoDataFrame
        Parcels of `land.build_land`.
    """

    def __init__(self, frame: Frame, land: gpd.GeoDataFrame) -> None:
        self.frame, self.land = frame, land
        transform = Affine(frame.pixel_m, 0, frame.west, 0, -frame.pixel_m, frame.north)
        shape = (frame.size_px, frame.size_px)
        pairs = ((g, i + 1) for i, g in enumerate(land.geometry))
        self.index: NDArray[np.int32] = rasterio.features.rasterize(
            pairs, out_shape=shape, transform=transform, dtype="int32"
        )
        looks = np.concatenate([[""], land["look"].to_numpy(str)])
        self.area: NDArray[np.float64] = land.area.to_numpy()
        self.centre = shapely.get_coordinates(land.centroid.to_numpy())
        self.fits = {name: np.isin(looks, group) for name, group in HOSTS.items()}

    def at(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return parcel number + 1 at points (n, 2); 0 outside the image."""
        row = np.floor((self.frame.north - points[:, 1]) / self.frame.pixel_m).astype(int)
        col = np.floor((points[:, 0] - self.frame.west) / self.frame.pixel_m).astype(int)
        size = self.frame.size_px
        inside = (row >= 0) & (col >= 0) & (row < size) & (col < size)
        return np.where(inside, self.index[row.clip(0, size - 1), col.clip(0, size - 1)], 0)

    def share(self, polygon: shapely.Polygon, host: str) -> float:
        """Return the share of a polygon that lies on land of a host."""
        west, south, east, north = polygon.bounds
        x, y = np.meshgrid(np.arange(west + 4, east, 8), np.arange(south + 4, north, 8))
        within = shapely.contains_xy(polygon, x, y)
        if not within.any():
            return 0.0
        return float(self.fits[host][self.at(np.column_stack([x[within], y[within]]))].mean())


def _rectangle(x: float, y: float, length: float, width: float, angle: float) -> shapely.Polygon:
    box = shapely.box(-length / 2, -width / 2, length / 2, width / 2)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return shapely.transform(box, lambda p: np.round(p @ turn + [x, y], 2))


def _shape(
    item: Item, x: float, y: float, angle: float, rng: np.random.Generator
) -> shapely.Polygon:
    """Return a polygon of about the item's area around a point."""
    area = item.hectares * 1e4
    if item.shape == "strip":
        width = float(rng.uniform(34, 46))
        half, bend = area / width / 2, float(rng.uniform(-0.35, 0.35))
        ends = [
            (x + half * math.cos(a), y + half * math.sin(a))
            for a in (angle, angle + math.pi + bend)
        ]
        line = shapely.LineString([ends[0], (x, y), ends[1]])
        return shapely.set_precision(line.buffer(width / 2, cap_style="flat"), 0.01)
    if item.shape == "ring":
        side = math.sqrt(area + 110.0**2)
        return _rectangle(x, y, side, side, angle) - _rectangle(x, y, 110, 110, angle)
    ratio = float(rng.uniform(1.0, 1.9))
    whole = area / (0.75 if item.shape == "corner" else 1.0)
    length, width = math.sqrt(whole * ratio), math.sqrt(whole / ratio)
    body = _rectangle(x, y, length, width, angle)
    if item.shape == "corner":
        along, across = length / 4, width / 4
        cut = (x + along * math.cos(angle) - across * math.sin(angle),
               y + along * math.sin(angle) + across * math.cos(angle))  # fmt: skip
        body = body - _rectangle(*cut, length / 2 + 0.1, width / 2 + 0.1, angle)
        body = shapely.set_precision(body, 0.01)
    if item.shape == "blob":
        turn = np.linspace(0, 2 * math.pi, 28, endpoint=False)
        radius = math.sqrt(area / math.pi) * (1 + 0.12 * np.sin(3 * turn + rng.uniform(0, 6)))
        around = np.column_stack([np.cos(turn), np.sin(turn)]) * radius[:, None]
        body = shapely.Polygon(np.round(around + np.array([x, y]), 2))
    return body


def _seam_points(
    frame: Frame, size: int, corners: bool, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return points on the seams of tiles of `size` pixels, or on their corners, shuffled."""
    step, edge = size * frame.pixel_m, 250.0
    xs = np.arange(
        math.ceil((frame.west + edge) / step) * step, frame.west + frame.size_m - edge, step
    )
    south = frame.north - frame.size_m
    ys = np.arange(math.ceil((south + edge) / step) * step, frame.north - edge, step)
    if corners:
        points = np.array([(x, y) for x in xs for y in ys])
    else:
        along = np.arange(edge, frame.size_m - edge, 60.0)
        points = np.array([(x, south + d) for x in xs for d in along]
                          + [(frame.west + d, y) for y in ys for d in along])  # fmt: skip
    return rng.permutation(points.reshape(-1, 2))


def _candidates(
    item: Item, hosts: Hosts, rng: np.random.Generator
) -> Iterator[tuple[float, float]]:
    """Yield places to try for an item: on the wanted seam first, then anywhere on its host."""
    frame = hosts.frame
    if item.seam:
        sizes = (2 * SEAM_PX, SEAM_PX) if item.seam == "corner" else (SEAM_PX,)
        for size in sizes:
            points = _seam_points(frame, size, item.seam == "corner", rng)
            for x, y in points[hosts.fits[item.host][hosts.at(points)]] if len(points) else ():
                yield float(x), float(y)
    roomy = hosts.area > min(0.35 * item.hectares * 1e4, 4e3)
    for x, y in rng.permutation(hosts.centre[hosts.fits[item.host][1:] & roomy]):
        yield float(x), float(y)


def _angle_at(hosts: Hosts, x: float, y: float) -> float:
    number = int(hosts.at(np.array([[x, y]]))[0])
    if not number:
        return 0.0
    ring = shapely.get_coordinates(
        shapely.minimum_rotated_rectangle(hosts.land.geometry.iloc[number - 1])
    )
    return math.atan2(ring[1, 1] - ring[0, 1], ring[1, 0] - ring[0, 0]) if len(ring) > 2 else 0.0


def _place(
    item: Item, hosts: Hosts, taken: list[shapely.Polygon], rng: np.random.Generator
) -> shapely.Polygon | None:
    """Return the first polygon that lies on the item's host and clear of other changes."""
    room = hosts.frame.box(-60.0)
    for x, y in _candidates(item, hosts, rng):
        body = _shape(item, x, y, _angle_at(hosts, x, y), rng)
        if not body.is_valid or body.geom_type != "Polygon" or not room.contains(body):
            continue
        if len(taken) and shapely.distance(np.array(taken), body).min() < CLEAR_M:
            continue
        if hosts.share(body, item.host) < item.purity:
            continue
        if not item.margin or hosts.share(body.buffer(item.margin), "built") >= 0.97:
            return body
    return None


def inject(hosts: Hosts, seed: int, small: float) -> list[Change]:
    """Place the changes of the plan.

    Parameters
    ----------
    hosts : Hosts
        The land.
    seed : int
        The same seed gives the same changes.
    small : float
        Share of changes of 0.1–0.3 ha.

    Returns
    -------
    list of Change
        Numbered in the order of placing; an item that finds no room is left out.
    """
    rng = np.random.default_rng([seed, 2])
    scale = min(1.0, (hosts.frame.size_px / 1024) ** 2 * 1.15)
    items = [item.sized(rng, small) for item in PLAN]
    fixed = [i for i in items if i.seam]
    loose = [i for i in items if not i.seam]
    count = max(12, round(scale * len(items)))
    keep = fixed if scale == 1.0 else fixed[:: max(1, round(1 / scale))]
    order = keep + [loose[i] for i in rng.permutation(len(loose))][: max(0, count - len(keep))]
    changes: list[Change] = []
    for item in order:
        body = _place(item, hosts, [c.geometry for c in changes], rng)
        if body is None:
            continue
        inside = shapely.get_coordinates(shapely.point_on_surface(body))
        parcel = int(hosts.at(inside)[0]) - 1
        changes.append(Change(len(changes) + 1, item, body, str(hosts.land["code"].iloc[parcel])))
    return changes
