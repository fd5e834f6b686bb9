"""How the after date is moved onto the before date: a shift, an affine or a smooth field."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from tiles.grid import Extent

__all__ = ["TERMS", "Model", "Registration", "design"]

Model = Literal["shift", "affine", "field"]

TERMS: dict[Model, int] = {"shift": 1, "affine": 3, "field": 6}
"""Terms of each model per direction: 1, then u and v, then u², uv and v²."""

UNIT_PX = 1000.0
"""Pixels in which u (rows) and v (columns) count from the origin."""


@dataclass(frozen=True)
class Registration:
    """Where the content of AFTER is moved to so that it lies on BEFORE.

    At the grid position p (rows and columns, continuous) the moved image is AFTER at p − d(p),
    with d(p) = (dy, dx) + Σ terms · (u, v, u², uv, v²) and (u, v) = (p − origin) / 1000.

    Attributes
    ----------
    dy, dx : float
        Rows and columns of the displacement at the origin, grid pixels.
    windows, used : int
        Windows that could be compared, and those that agree with the model. With 0 used windows
        nothing is known and nothing is moved.
    residual_px : float
        Root mean square distance of the used windows from the model, pixels.
    misfit_px : float
        Root mean square displacement of the used windows, pixels: what is wrong as long as
        nothing is corrected.
    largest_px : float
        Largest displacement that the model gives at a used window.
    matched : int
        Windows whose edges were found again at the other date, agreeing with the model or not.
    origin : tuple of float
        Row and column.
    terms : tuple of (float, float)
        Rows and columns of displacement per further term: none for a shift, two for an affine,
        five for a smooth field.
    textured : int
        Windows with edges at both dates, so that they could have told a displacement.
    """

    dy: float
    dx: float
    windows: int
    used: int
    residual_px: float
    misfit_px: float = 0.0
    largest_px: float = 0.0
    matched: int = 0
    origin: tuple[float, float] = (0.0, 0.0)
    terms: tuple[tuple[float, float], ...] = ()
    textured: int = 0

    @property
    def model(self) -> Model:
        """Name of the model."""
        return next(name for name, count in TERMS.items() if count == 1 + len(self.terms))

    @property
    def length_px(self) -> float:
        """Length of the displacement at the origin in pixels."""
        return math.hypot(self.dy, self.dx)

    @property
    def is_shift(self) -> bool:
        """Whether all pixels move alike."""
        return not self.terms

    def displacement(
        self, rows: NDArray[np.float64], cols: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return (dy, dx) at grid positions, shape (n, 2); a pixel's centre lies at row + ½."""
        coefficients = np.array([(self.dy, self.dx), *self.terms])
        terms = design(rows, cols, self.origin, self.model)
        return np.asarray(terms @ coefficients, np.float64)

    def cell_affine(self, cell: Extent) -> Affine:
        """Return the map from columns and rows in a cell to those of AFTER as it is.

        A field is replaced by its tangent at the middle of the cell.
        """
        row, col = (cell.row0 + cell.row1) / 2, (cell.col0 + cell.col1) / 2
        at = self.displacement(np.array([row]), np.array([col]))[0]
        by_row, by_col = self._slopes(row, col)
        y, x = row - cell.row0, col - cell.col0
        return Affine(
            1.0 - by_col[1],
            -by_row[1],
            -at[1] + by_col[1] * x + by_row[1] * y,
            -by_col[0],
            1.0 - by_row[0],
            -at[0] + by_col[0] * x + by_row[0] * y,
        )

    def _slopes(self, row: float, col: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the change of (dy, dx) per row and per column."""
        u, v = (row - self.origin[0]) / UNIT_PX, (col - self.origin[1]) / UNIT_PX
        by_u = np.array([0.0, 1.0, 0.0, 2 * u, v, 0.0])[: 1 + len(self.terms)]
        by_v = np.array([0.0, 0.0, 1.0, 0.0, u, 2 * v])[: 1 + len(self.terms)]
        coefficients = np.array([(self.dy, self.dx), *self.terms])
        return by_u @ coefficients / UNIT_PX, by_v @ coefficients / UNIT_PX

    def bend_px(self, side: int) -> float:
        """Return how far a field leaves its tangent at most inside a cell of `side` pixels."""
        bent = np.abs(np.array(self.terms[2:])).sum(axis=0) if len(self.terms) > 2 else np.zeros(2)
        return float(np.hypot(*bent)) * (side / 2 / UNIT_PX) ** 2

    def followed_by(self, rest: "Registration") -> "Registration":
        """Return this correction and a small further one in a single step.

        The figures of the estimate stay those of `self`.
        """
        if self.origin != rest.origin:
            raise ValueError("the two registrations count from different origins")
        longer = max(len(self.terms), len(rest.terms))
        own, other = (
            np.array([*r.terms, *[(0.0, 0.0)] * (longer - len(r.terms))]) for r in (self, rest)
        )
        terms = tuple((float(a), float(b)) for a, b in own + other) if longer else ()
        return replace(self, dy=self.dy + rest.dy, dx=self.dx + rest.dx, terms=terms)


def design(
    rows: NDArray[np.float64], cols: NDArray[np.float64], origin: tuple[float, float], model: Model
) -> NDArray[np.float64]:
    """Return the terms of a model at grid positions, float64 (n, term)."""
    u, v = (np.asarray(rows) - origin[0]) / UNIT_PX, (np.asarray(cols) - origin[1]) / UNIT_PX
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1)[:, : TERMS[model]]
