"""Fit a change detector on sample cells: by name, or chosen by evidence in the data (`auto`).

``auto`` scores pixels by the contextual statistic of `detect.evidence` with a threshold of so many
scene medians. Where the pixels are coarse and IR-MAD has found a no-change class that behaves as
theory says, its statistic is multiplied in: a neighbourhood of coarse pixels tells little, while
the spectrum of each one tells more.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from configs.errors import InputError
from detect.evidence import MEDIAN_FLOOR, fit_evidence
from detect.indices import fit_index
from detect.kernels.moments import add_histogram
from detect.kernels.pixels import quantise
from detect.magnitudes import fit_vector
from detect.projections import MadState, fit_irmad
from detect.sample import CellPixels, draw_pixels, gather
from detect.score import (
    STRONG,
    ChangeState,
    Scores,
    change_statistic,
    halo_px,
    score_block,
)
from detect.thresholds import Split, histogram_median, otsu_split

__all__ = ["ChangeState", "Scores", "fit_change", "halo_px", "score_block"]

Sensitivity = Literal["low", "medium", "high"]
Target = Literal["any", "construction"]

SAMPLE_PIXELS = 100_000
"""Pixels drawn for a fit."""

FEWEST_PIXELS = 100
"""Valid sample pixels below which nothing is fitted."""

FINE = 256
"""Quantised steps per unit of a statistic while its threshold is sought."""

FALSE_SHARE = 1e-3
"""Share of unchanged pixels a threshold found on a histogram may let through."""

WEAK_SHARE = 0.9
"""Weak threshold relative to the strong one."""
