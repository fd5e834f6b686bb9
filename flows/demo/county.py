"""Build the demo county: land, changes, papers, two images, One-Map layers, run config, truth."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from flows.demo.changes import Change, Hosts, inject
from flows.demo.clouds import Sky, make_sky
from flows.demo.documents import draw_documents
from flows.demo.imagery import Scenery, render_pair
from flows.demo.land import Frame, build_land
from flows.demo.layers import spare_plots, write_config, write_layers
from flows.demo.settings import Difficulty, difficulty_of
from flows.demo.truth import write_truth

__all__ = ["DemoCounty", "build_county", "make_scenery"]

log = logging.getLogger(__name__)

PSEUDO_KINDS = (
    (("crop", "stubble_field"), ("harvest", "film_mulch", "ploughed", "sown")),
    (("paddy",), ("flooded_paddy",)),
)
PSEUDO_HA = (0.4, 3.5)
SPARE_APPROVALS = 12


@dataclass(frozen=True)
class DemoCounty:
    """Where the parts of a county lie."""

    folder: Path
    config: Path
    layers: Path
    truth: Path
    seed: int
    difficulty: int


def _pseudo(hosts: Hosts, changes: list[Change], level: Difficulty, seed: int) -> dict[int, str]:
    """Choose the fields that only look changed, clear of the true changes."""
    rng = np.random.default_rng([seed, 10])
    land, taken = hosts.land, shapely.union_all([c.geometry for c in changes])
    hectares = hosts.area / 1e4
    free = (hectares >= PSEUDO_HA[0]) & (hectares <= PSEUDO_HA[1])
    free &= np.asarray(hosts.frame.box(-100).contains(land.geometry))
    free &= shapely.distance(land.geometry.to_numpy(), taken) > 100
    wanted = round(level.pseudo * len(changes))
    chosen: dict[int, str] = {}
    for (looks, kinds), share in zip(PSEUDO_KINDS, (0.85, 0.15), strict=True):
        numbers = np.flatnonzero(free & np.isin(land["look"].to_numpy(str), looks))
        for i, number in enumerate(rng.permutation(numbers)[: round(share * wanted)]):
            chosen[int(number)] = kinds[i % len(kinds)]
    return chosen


def _clear_places(
    frame: Frame, changes: list[Change], count: int, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Return pixels far from every change, where a cloud hides none."""
    spots = rng.uniform(0.06, 0.94, (400, 2)) * frame.size_px
    x, y = frame.west + spots[:, 1] * frame.pixel_m, frame.north - spots[:, 0] * frame.pixel_m
    rest = np.array([c.geometry for c in changes])
    shade = shapely.points(x + 170, y + 240)  # under the middle of the shadow
    far = np.min(
        [np.minimum(shapely.distance(g, shapely.points(x, y)), shapely.distance(g, shade))
         for g in rest], axis=0,
    )  # fmt: skip
    order = np.argsort(-far, kind="stable")
    chosen: list[tuple[float, float]] = []
    for i in order:
        if all(np.hypot(spots[i][0] - r, spots[i][1] - c) > 70 for r, c in chosen):
            chosen.append((float(spots[i][0]), float(spots[i][1])))
        if len(chosen) == count:
            break
    return chosen


def _skies(frame: Frame, changes: list[Change], level: Difficulty, seed: int) -> tuple[Sky, Sky]:
    """Return the skies of both dates; the first clouds of the after date hide true changes."""
    rng = np.random.default_rng([seed, 11])
    scale = min(1.0, frame.size_px / 1024)
    hide = [c for c in changes if not c.item.seam][: round(level.hidden * scale)]
    over = []
    for change in hide:
        centre = change.geometry.centroid
        over.append(
            ((frame.north - centre.y) / frame.pixel_m, (centre.x - frame.west) / frame.pixel_m)
        )
    count = max(1, round(level.clouds * scale)) - len(over)
    places = _clear_places(frame, changes, count + 1, rng)
    before = make_sky(frame.size_px, places[:1], difficulty_of(1), rng)
    after = make_sky(frame.size_px, over + places[1:], level, rng)
    return before, after


def _mark_hidden(frame: Frame, changes: list[Change], skies: tuple[Sky, Sky]) -> None:
    masked = skies[0].mask | skies[1].mask
    for change in changes:
        west, south, east, north = change.geometry.bounds
        rows = ((frame.north - np.arange(north - 5, south, -10.0)) / frame.pixel_m).astype(int)
        cols = ((np.arange(west + 5, east, 10.0) - frame.west) / frame.pixel_m).astype(int)
        window: NDArray[np.bool_] = masked[np.ix_(rows, cols)]
        change.hidden = bool(window.size and window.mean() > 0.5)


def make_scenery(seed: int, difficulty: int, size_px: int = 1024) -> Scenery:
    """Return the county as it is, before anything is written.

    Parameters
    ----------
    seed : int
        The same seed gives the same county.
    difficulty : int
        1 easy, 2, 3 hard.
    size_px : int
        Side of the images in 10 m pixels.
    """
    level, frame = difficulty_of(difficulty), Frame(size_px)
    land = build_land(frame, seed)
    hosts = Hosts(frame, land)
    changes = inject(hosts, seed, level.small)
    skies = _skies(frame, changes, level, seed)
    _mark_hidden(frame, changes, skies)
    pseudo = _pseudo(hosts, changes, level, seed)
    return Scenery(frame, land, changes, pseudo, skies, level, seed)


def build_county(
    out: Path, seed: int = 1, difficulty: int = 2, *, size_px: int = 1024, after_crs: str = ""
) -> DemoCounty:
    """Build a synthetic county with known truth.

    Parameters
    ----------
    out : Path
        Folder, made when missing; files of an earlier county in it are replaced.
    seed : int
        The same seed, difficulty and size give the same county.
    difficulty : int
        1 easy, 2, 3 hard.
    size_px : int
        Side of the images in 10 m pixels.
    after_crs : str
        CRS the after image is delivered in, if not that of the before image.

    Returns
    -------
    DemoCounty

    Raises
    ------
    InputError
        For an unknown difficulty.
    """
    out.mkdir(parents=True, exist_ok=True)
    scene = make_scenery(seed, difficulty, size_px)
    log.info("land: %d parcels, %d changes", len(scene.land), len(scene.changes))
    documents = draw_documents(scene.changes, spare_plots(scene, SPARE_APPROVALS), seed)
    render_pair(scene, out, after_crs)
    layers = write_layers(scene, documents, out)
    config = write_config(out, seed, difficulty)
    truth = write_truth(scene, out)
    return DemoCounty(out, config, layers, truth, seed, difficulty)
