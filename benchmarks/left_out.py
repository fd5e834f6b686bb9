"""Constants of ``auto`` chosen again on all cities but one, and scored on the one left out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from benchmarks.labelled import LabelledPair, accuracy, changed, sample_blocks
from detect.auto import SAMPLE_PIXELS, WEAK_SHARE, halo_px
from detect.calibration import calibrate
from detect.edges import edge_radius, inside_edge
from detect.evidence import fit_evidence
from detect.sample import draw_pixels
from detect.score import STRONG, ChangeState, Scores, score_block

__all__ = ["Choice", "GridScores", "leave_one_out", "score_grid"]

WHITENING = (0.0, 0.5, 0.75, 1.0)
INFRARED_WEIGHT = (0.3, 0.5)
MEDIANS = (3.0, 3.5, 3.75, 4.0, 4.5)

BASE_MEDIANS = 4.0
"""Threshold the scores are computed for; others are shares of it."""


@dataclass(frozen=True)
class Choice:
    """Whitening, weight of the infrared, threshold in scene medians."""

    whitening: float
    infrared_weight: float
    medians: float


@dataclass(frozen=True)
class GridScores:
    """F1 of every choice on every pair, shape (choice, pair)."""

    choices: tuple[Choice, ...]
    f1: "np.ndarray[tuple[int, int], np.dtype[np.float64]]"

    def at(self, choice: Choice) -> list[float]:
        """Return the F1 of one choice per pair."""
        return [float(v) for v in self.f1[self.choices.index(choice)]]


def score_grid(pairs: Sequence[LabelledPair], floor_px: int) -> GridScores:
    """Score all choices of constants on all pairs."""
    choices = tuple(Choice(*c) for c in product(WHITENING, INFRARED_WEIGHT, MEDIANS))
    columns = [list(_score_pair(pair, floor_px)) for pair in pairs]
    return GridScores(choices, np.array(columns).T)


def _score_pair(pair: LabelledPair, floor_px: int) -> Iterator[float]:
    halo = halo_px("auto", pair.pixel_m)
    pixels = draw_pixels(sample_blocks(pair, halo), limit=SAMPLE_PIXELS)
    with pair.reader as reader:
        block = reader.read(pair.extent, halo)
    weak = round(WEAK_SHARE * STRONG)
    plain = ChangeState("auto", "medium", "any", pair.pixel_m, len(block.bands), weak, 0.0)
    for whitening, infrared_weight in product(WHITENING, INFRARED_WEIGHT):
        evidence = fit_evidence(
            pixels,
            wavelengths=pair.wavelengths,
            infrared_weight=infrared_weight,
            whitening=whitening,
        )
        fields = plain.__dict__ | {"evidence": evidence, "evidence_unit": 1.0}
        median = calibrate(pixels, ChangeState(**fields)).median
        fields["evidence_unit"] = 1 / (BASE_MEDIANS * median)
        score = score_block(block, ChangeState(**fields)).score
        inside = inside_edge(score, edge_radius(pair.pixel_m))
        for medians in MEDIANS:
            strong = STRONG * medians / BASE_MEDIANS
            kept = Scores(
                score, (score >= WEAK_SHARE * strong) & inside, (score >= strong) & inside
            )
            yield accuracy(changed(kept, floor_px), pair).f1


def leave_one_out(grid: GridScores) -> list[tuple[Choice, float]]:
    """Return for each pair what the others would choose, and what it then scores."""
    found = []
    for left in range(grid.f1.shape[1]):
        others = np.delete(grid.f1, left, axis=1).mean(axis=1)
        best = int(np.argmax(others))
        found.append((grid.choices[best], float(grid.f1[best, left])))
    return found
