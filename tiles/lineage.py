"""How a scene gets onto the grid: heights, resampling, pan-sharpening; for reports and items."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from configs.sensors import sensor_file, sensor_name
from tiles.files import sha256
from tiles.gate import GateCheck
from tiles.grid import AnalysisGrid
from tiles.ortho import orientation
from tiles.pansharpen import Sharpening
from tiles.rasters import inspect_raster
from tiles.registration import Registration
from tiles.scene import Epoch, MaskSource, Scene
from tiles.sharpened import is_sharpened, sharpening_of
from tiles.warp import scene_layers

__all__ = ["Lineage", "geometry_checks", "scene_lineage"]

MAX_ERGAS = 6.0
"""Relative error of sharpened colours, percent, above which they are reported as doubtful."""

Way = Literal["copied", "interpolated", "averaged"]


@dataclass(frozen=True)
class Lineage:
    """How one scene gets onto the grid.

    Attributes
    ----------
    scene_id : str
    sources : tuple of Path
        Files that are read, sorted.
    ways : dict of str to {"copied", "interpolated", "averaged"}
        Per band.
    heights : str
        Where the heights of a raw image come from; empty for an image on the map.
    sharpening : Sharpening or None
    masked : str
        What its quality raster hides; empty where it has none.
    sensor : str
        Name and hash of the sensor's own file; empty for a shipped sensor.
    """

    scene_id: str
    sources: tuple[Path, ...]
    ways: dict[str, Way]
    heights: str
    sharpening: Sharpening | None
    masked: str = ""
    sensor: str = ""

    def sentences(self) -> list[str]:
        """Return the steps in words, in the order in which they are taken."""
        found = [f"read as {self.sensor}"] if self.sensor else []
        if self.heights:
            by_points = " control points " in self.heights
            way = "geocoded by" if by_points else "orthorectified by rational polynomials,"
            found.append(f"{way} {self.heights}")
        for way in ("copied", "averaged", "interpolated"):
            bands = [band for band, done in self.ways.items() if done == way]
            if bands:
                found.append(f"{', '.join(bands)} {way}")
        if self.sharpening is not None:
            dy, dx = self.sharpening.moved
            if (dy, dx) != (0.0, 0.0):
                found.append(f"bands moved onto the panchromatic image by {dy:+.2f}, {dx:+.2f} px")
            weights = ", ".join(f"{w:.3g}" for w in self.sharpening.weights)
            found.append(
                f"pan-sharpened by weighted Brovey ({weights}; {self.sharpening.source}), "
                f"ERGAS {self.sharpening.ergas:.2f}"
            )
        if self.masked:
            found.append(self.masked)
        return found


def scene_lineage(
    scene: Scene, bands: tuple[str, ...], grid: AnalysisGrid, move: Registration | None = None
) -> Lineage:
    """Return how a scene gets onto the grid.

    Parameters
    ----------
    scene : Scene
    bands : tuple of str
    grid : AnalysisGrid
    move : Registration or None

    Raises
    ------
    RasterError
        If a file cannot be read.
    """
    sharp = is_sharpened(scene, grid)
    ways: dict[str, Way] = {}
    for layer in scene_layers(scene, bands, grid, move):
        way: Way = "averaged" if layer.is_averaged else "interpolated"
        for position in layer.positions:
            ways[bands[position]] = "copied" if layer.offset is not None else way
    used = [scene.bands[b] for b in (scene.bands if sharp else bands)]
    used += [scene.pan] if sharp and scene.pan else []
    paths = {b.path for b in used} | ({scene.mask.path} if scene.mask else set())
    facts = inspect_raster(used[0].path)
    return Lineage(
        scene_id=scene.scene_id,
        sources=tuple(sorted(paths)),
        ways={band: ways[band] for band in bands},
        heights=orientation(facts, scene.terrain).note if facts.is_raw else "",
        sharpening=sharpening_of(scene, grid) if sharp else None,
        masked=_masked(scene.mask) if scene.mask else "",
        sensor=_sensor(scene.sensor),
    )


def _sensor(name: str) -> str:
    file = sensor_file(name)
    return f"{sensor_name(name)} (sensor file, SHA-256 {sha256(file)[:12]})" if file else ""


def _masked(mask: MaskSource) -> str:
    grown = f", grown by {mask.margin_m:g} m" if mask.margin_m else ""
    return f"masked by {mask.path.name}{grown}"


def geometry_checks(
    before: Epoch, after: Epoch, bands: tuple[str, ...], grid: AnalysisGrid
) -> tuple[GateCheck, ...]:
    """Return what a reader of the gate must know of heights and pan-sharpening.

    None of these checks refuses a pair; dates without polynomials or pan have none.

    Parameters
    ----------
    before, after : Epoch
    bands : tuple of str
    grid : AnalysisGrid
    """
    checks: list[GateCheck] = []
    for name, epoch in (("before", before), ("after", after)):
        lines = [scene_lineage(s, bands, grid) for s in epoch.scenes]
        checks += _heights(name, lines)
        checks += _sharpening(name, lines)
    return tuple(checks)


def _heights(name: str, lines: Sequence[Lineage]) -> list[GateCheck]:
    told = list(dict.fromkeys(line.heights for line in lines if line.heights))
    if not told:
        return []
    flat = any(not t.startswith("elevation") for t in told)
    remedy = "give an elevation raster (terrain.dem): relief displaces what lies higher or lower"
    text: dict[str, Any] = {"remedy": remedy if flat else "", "detail": "; ".join(told)}
    return [GateCheck(f"terrain {name}", None, None, "", not flat, advisory=True, **text)]


def _moves(made: Sequence[Sharpening]) -> str:
    """Say by how much bands were moved onto pan, at most."""
    farthest = max(math.hypot(*s.moved) for s in made)
    return f"; bands moved onto pan by {farthest:.2f} px" if farthest else ""


def _sharpening(name: str, lines: Sequence[Lineage]) -> list[GateCheck]:
    made = [line.sharpening for line in lines if line.sharpening is not None]
    if not made:
        return []
    worst = max(made, key=lambda s: s.ergas)
    known = worst.pixels > 0
    passed = known and worst.ergas <= MAX_ERGAS
    text = {
        "remedy": "" if passed else "use the bands without it: grid.pansharpen: false",
        "detail": f"{worst.source} weights, {100 * worst.explained:.1f} % of pan explained; "
        f"equal weights: {worst.ergas_equal:.2f}" + _moves(made),
    }
    value = worst.ergas if known else None
    return [
        GateCheck(
            f"pan-sharpening {name}", value, MAX_ERGAS, "ERGAS", passed, advisory=True, **text
        )
    ]
