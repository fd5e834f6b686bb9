"""Quantised change scores of a block from a fitted state.

Every method ends here: statistics, each in units of its own threshold, multiplied to one integer
score in which the strong threshold is `STRONG`. Nothing after this module handles a float.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from configs.units import SCORE_UNIT
from detect.edges import edge_radius, inside_edge
from detect.evidence import EvidenceState, evidence_halo, evidence_statistic
from detect.indices import IndexState, index_statistic
from detect.kernels.pixels import quantise, root_of_product
from detect.magnitudes import VectorState, vector_halo, vector_statistic
from detect.projections import MadState, irmad_statistic
from detect.radar import RadarState, radar_statistic
from detect.texture import TextureState, texture_halo, texture_statistic
from tiles.block import Block
from tiles.grid import Extent

__all__ = ["STRONG", "ChangeState", "Scores", "change_statistic", "halo_px", "score_block"]

STRONG = SCORE_UNIT
"""Quantised score of the strong threshold."""

PANEL = (128, 1280)
"""Most rows and columns scored at a time: keeps planes near the cache and memory flat."""


@dataclass(frozen=True)
class ChangeState:
    """Everything needed to score a block.

    Attributes
    ----------
    method : str
        As asked for: one of `configs.runparts.METHODS` or ``index:NAME``.
    sensitivity, target : str
        As asked for.
    pixel_m : float
        Ground size of a pixel in metres.
    bands : int
        Bands of the blocks it was fitted on.
    weak : int
        Quantised score of the weak threshold; `STRONG` is the strong one.
    min_area_m2 : float
        Smallest object that the method was tuned to report.
    evidence, mad, vector, index, radar, texture : fitted state or None
        The parts of the score; none of them where nothing could be fitted: then nothing changed.
    evidence_unit, mad_unit, vector_unit, index_unit, radar_unit, texture_unit : float
        1 / strong threshold of each part. The score is the geometric mean of the parts.
    notes : tuple of str
        What was chosen and why, for the run's record.
    """

    method: str
    sensitivity: str
    target: str
    pixel_m: float
    bands: int
    weak: int
    min_area_m2: float
    evidence: EvidenceState | None = None
    evidence_unit: float = 0.0
    mad: MadState | None = None
    mad_unit: float = 0.0
    vector: VectorState | None = None
    vector_unit: float = 0.0
    index: IndexState | None = None
    index_unit: float = 0.0
    radar: RadarState | None = None
    radar_unit: float = 0.0
    texture: TextureState | None = None
    texture_unit: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def strong(self) -> int:
        """Quantised score of the strong threshold."""
        return STRONG

    @property
    def is_smoothed(self) -> bool:
        """Whether a part of the score is smoothed over its surroundings."""
        smooth = self.evidence or self.vector or self.index or self.texture
        return smooth is not None or (self.radar is not None and not self.radar.omnibus)

    @property
    def halo(self) -> int:
        """Pixels around a core that `score_block` needs."""
        return halo_px(self.method, self.pixel_m)


@dataclass(frozen=True)
class Scores:
    """Scores of the core of a block.

    Attributes
    ----------
    score : ndarray of uint16, shape (y, x)
        10,000 × statistic / strong threshold, at most 65,535; 0 where not valid.
    weak, strong : ndarray of bool, shape (y, x)
        At or above the weak, the strong threshold, and inside the edge of the change.
    """

    score: NDArray[np.uint16]
    weak: NDArray[np.bool_]
    strong: NDArray[np.bool_]


def halo_px(method: str, pixel_m: float) -> int:
    """Return the pixels around a core that a method looks at.

    Parameters
    ----------
    method : str
        One of `configs.runparts.METHODS` or ``index:NAME``.
    pixel_m : float
        Ground size of a pixel in metres.
    """
    if method == "auto":
        return max(evidence_halo(pixel_m), vector_halo(pixel_m)) + edge_radius(pixel_m)
    if method in ("texture", "structure"):
        return texture_halo(pixel_m)
    return vector_halo(pixel_m)


def score_block(block: Block, state: ChangeState) -> Scores:
    """Score the core of a block.

    The same pixels get the same scores, bit for bit, however the scene is cut into blocks.

    Parameters
    ----------
    block : Block
        Its extent reaches `halo_px` beyond its core on all sides; pixels outside the images are
        simply not valid.
    state : ChangeState
        From `detect.auto.fit_change`.

    Raises
    ------
    InputError
        If the halo is too small or the bands are not those of the fit.
    """
    halo = state.halo
    reach = block.core.expand(halo)
    if reach.intersect(block.extent) != reach:
        raise InputError(
            f"the block {block.extent} does not reach {halo} pixels beyond its core {block.core}",
            "score_block(block)",
            "read it with halo_px(method, pixel_m) pixels of halo",
        )
    if len(block.bands) != state.bands:
        raise InputError(
            f"the block has {len(block.bands)} bands, the fitted state {state.bands}",
            "score_block(block)",
            "use a state that was fitted on these bands",
        )
    # IR-MAD draws edges by the single pixel: there is nothing to draw back.
    rim = edge_radius(state.pixel_m) if state.method == "auto" and state.mad is None else 0
    area = block.core.expand(rim)
    score = np.zeros(area.shape, np.uint16)
    for core in _panels(area):
        panel = cut_block(block, core, halo - rim)
        statistic = change_statistic(panel, state)
        if statistic is not None:
            inner, outer = panel.core_slices, core.slices_in(area)
            quantise(statistic[inner], panel.valid[inner], np.float32(STRONG), score[outer])
    kept = block.core.slices_in(area)
    inside = inside_edge(score, rim)[kept]
    score = np.ascontiguousarray(score[kept])
    return Scores(score, (score >= state.weak) & inside, (score >= state.strong) & inside)


def _panels(area: Extent) -> Iterator[Extent]:
    """Yield the parts of an area that are scored at a time, of about equal size."""
    rows, cols = (
        -(-length // -(-length // most)) if length > 0 else 1
        for length, most in zip(area.shape, PANEL, strict=True)
    )
    for row in range(area.row0, area.row1, rows):
        for col in range(area.col0, area.col1, cols):
            yield Extent(row, col, row + rows, col + cols).intersect(area)


def cut_block(block: Block, core: Extent, halo: int) -> Block:
    """Return the part of a block around another core, in arrays of its own."""
    extent = core.expand(halo)
    rows, cols = extent.slices_in(block.extent)
    return Block(
        extent,
        core,
        block.bands,
        np.ascontiguousarray(block.before[:, rows, cols]),
        np.ascontiguousarray(block.after[:, rows, cols]),
        np.ascontiguousarray(block.valid[rows, cols]),
        np.ascontiguousarray(block.source[:, rows, cols]),
    )


def change_statistic(block: Block, state: ChangeState) -> NDArray[np.float32] | None:
    """Return the statistic in units of the strong threshold over the block's extent.

    float32 (y, x); right on the core only, and None where the state has no part.
    """
    parts = []
    if state.evidence is not None:
        plane = evidence_statistic(block, state.evidence, state.pixel_m)
        parts.append(plane * np.float32(state.evidence_unit))
    if state.mad is not None:
        parts.append(irmad_statistic(block, state.mad) * np.float32(state.mad_unit))
    if state.vector is not None:
        plane = vector_statistic(block, state.vector, state.pixel_m)
        parts.append(plane * np.float32(state.vector_unit))
    if state.index is not None:
        plane = index_statistic(block, state.index, state.pixel_m)
        parts.append(plane * np.float32(state.index_unit))
    if state.radar is not None:
        plane = radar_statistic(block, state.radar, state.pixel_m)
        parts.append(plane * np.float32(state.radar_unit))
    if state.texture is not None:
        plane = texture_statistic(block, state.texture, state.pixel_m)
        parts.append(plane * np.float32(state.texture_unit))
    if len(parts) == 2:
        root_of_product(parts[0], parts[1], parts[0])
    return parts[0] if parts else None
