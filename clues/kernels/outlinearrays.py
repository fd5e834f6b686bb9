"""Outlines as the compiled loops take and give them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Met", "Rings"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Rings(NamedTuple):
    """Rings of shapes.

    Attributes
    ----------
    xy : ndarray of float64, shape (vertices, 2)
        Closed rings, one after the other.
    start : ndarray of int64, shape (rings + 1,)
        Ring i has the vertices ``start[i]:start[i + 1]``.
    first : ndarray of int64, shape (shapes + 1,)
        Shape i has the rings ``first[i]:first[i + 1]``, holes among them.
    """

    xy: Floats
    start: Ints
    first: Ints


class Met(NamedTuple):
    """Runs that meet shapes.

    Attributes
    ----------
    pair : ndarray of int64, shape (n,)
        Ascending.
    start, stop : ndarray of int64, shape (n,)
        Vertices of the run: ``start:stop`` of the lines' rings; ascending within a pair.
    unclear : ndarray of bool, shape (n,)
        True where only exact arithmetic can tell whether the run meets the shape.
    """

    pair: Ints
    start: Ints
    stop: Ints
    unclear: NDArray[np.bool_]
