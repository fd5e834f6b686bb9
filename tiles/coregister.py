"""The displacement between two dates, from many windows, robust against what changed.

A window tells where its edges have gone by phase correlation. A model is fitted to what the
windows tell: a shift; an affine or a smooth field only where windows that were left out of the
fit say that it is better. The correction is applied and measured again, and it is kept only if
less is wrong than before.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tiles.block import Block
from tiles.gradients import gradient_magnitude
from tiles.grid import CELL
from tiles.registration import TERMS, Model, Registration, design

__all__ = ["Registered", "estimate_registration", "register_pair"]

WINDOW_PX = 128
"""Largest side of a window: small enough that a rotation does not blur its answer."""

STEP_PX = 64
"""Distance of neighbouring windows where there are few cells; `WINDOW_PX` where there are many."""

MANY_WINDOWS = 36
"""Windows from which on they need not overlap."""

MIN_SIDE_PX = 64
"""A window with a shorter side tells nothing reliable."""

MIN_VALID = 0.6
"""Least share of usable pixels in a window."""

MIN_CORRELATION = 0.25
"""A window whose edges agree less, once aligned, has changed too much to be trusted: edges that
have nothing to do with each other reach this by chance once in twenty windows."""

MIN_SHARE = 0.15
"""With fewer of the windows in agreement nothing is known."""

SEARCH_FACTOR = 4.0
"""Displacements up to this multiple of the allowed one are found, so that they can be reported."""

UPSAMPLING = 50
"""Steps per pixel in which the peak of the correlation is located."""

SNAP_PX = 0.05
"""A smaller displacement is not worth a resampling."""

ROUNDS = 3
"""Most corrections that are tried one after the other."""

LEAST_SCALE_PX = 0.05
"""Scatter that windows have anyhow."""

OUTLIER_PX = 0.5
"""A window this near to the model agrees with it, however small the scatter of the others."""

BETTER = 0.9
"""A richer model must leave less than this share of the poorer one's error to unseen windows."""

BETTER_PX = 0.05
"""… and be better by this many pixels, root mean square."""

MAX_BEND_PX = 0.05
"""A field that leaves its tangent by more inside a cell cannot be applied cell by cell."""


class Registered(NamedTuple):
    """What `register_pair` found.

    Attributes
    ----------
    found : Registration
        Estimate on the images as they are.
    applied : Registration
        The correction to apply; a shift of 0 where none makes it better.
    left : Registration
        Estimate after the correction.
    """

    found: Registration
    applied: Registration
    left: Registration

    @property
    def estimate(self) -> Registration:
        """The displacement as exactly as it is known: the correction and what is left of it.

        It is not applied to the last: a few hundredths of a pixel are not worth a resampling.
        """
        if self.applied.largest_px == 0.0:
            return self.found
        return self.applied.followed_by(self.left) if self.left.used else self.applied


class _Matches(NamedTuple):
    """Where windows lie, what they tell, and which block they come from."""

    rows: NDArray[np.float64]
    cols: NDArray[np.float64]
    moves: NDArray[np.float64]
    fold: NDArray[np.int64]


def register_pair(
    read: Callable[[Registration | None], Sequence[Block]],
    *,
    max_shift_px: float = 8.0,
    model: Model | None = None,
) -> Registered:
    """Find the correction of a pair by trying it: it never leaves more wrong than there was.

    Parameters
    ----------
    read : callable
        Returns the sample cells, in canonical order, with a correction applied to AFTER.
    max_shift_px : float
        Largest displacement that may be corrected.
    model : {"shift", "affine", "field"} or None
        None chooses by evidence.
    """
    found = estimate_registration(read(None), max_shift_px=max_shift_px, model=model)
    none = Registration(0.0, 0.0, found.windows, found.used, found.residual_px)
    best, left = none, found
    trial = found
    for _ in range(ROUNDS):
        if not found.used or found.largest_px < SNAP_PX or found.largest_px > max_shift_px:
            break
        rest = estimate_registration(read(trial), max_shift_px=max_shift_px, model=model)
        if not _is_better(rest, left):
            break
        best, left = trial, rest
        if rest.largest_px < SNAP_PX / 2:
            break
        trial = trial.followed_by(rest)
    return Registered(found, best, left)


def _is_better(rest: Registration, left: Registration) -> bool:
    """Tell whether less is wrong, and not only because fewer windows agree."""
    return rest.misfit_px < left.misfit_px and 10 * rest.used >= 9 * left.used > 0


def estimate_registration(
    blocks: Sequence[Block], *, max_shift_px: float = 8.0, model: Model | None = None
) -> Registration:
    """Estimate the displacement that aligns AFTER with BEFORE.

    Per window the mean gradient magnitude of all bands is correlated between the dates, twice:
    the second time with the window of AFTER moved by the whole pixels found first, so that the
    taper does not pull the answer towards 0. The model is fitted with Tukey's weights.

    Parameters
    ----------
    blocks : sequence of Block
        Sample cells, in canonical order.
    max_shift_px : float
        Largest shift that may be corrected; windows that tell more than four times as much are
        false matches. A larger answer is still returned, for the gate to refuse.
    model : {"shift", "affine", "field"} or None
        None chooses: a shift, unless the windows speak for more.

    Returns
    -------
    Registration

    References
    ----------
    .. [1] Guizar-Sicairos, Thurman, Fienup (2008). Efficient subpixel image registration
       algorithms. doi:10.1364/OL.33.000156
    .. [2] Holland, Welsch (1977). Robust regression using iteratively reweighted least-squares.
       doi:10.1080/03610927708827533
    """
    matches, tried, textured = _matches(blocks, SEARCH_FACTOR * max_shift_px)
    unknown = Registration(0.0, 0.0, tried, 0, 0.0, textured=textured)
    if not len(matches.rows):
        return unknown
    origin = _origin(blocks)
    model = model or _chosen_model(matches, origin)
    coefficients = _fit(matches, origin, model)
    fitted = design(matches.rows, matches.cols, origin, model) @ coefficients
    distance = _length(matches.moves - fitted)
    keep = distance <= max(3 * 1.4826 * float(np.median(distance)), OUTLIER_PX)
    if keep.sum() < max(MIN_SHARE * tried, 1):
        return unknown
    (dy, dx), *terms = ((float(a), float(b)) for a, b in coefficients)
    return Registration(
        dy,
        dx,
        tried,
        int(keep.sum()),
        _rms(distance[keep]),
        _rms(_length(matches.moves[keep])),
        float(_length(fitted[keep]).max()),
        len(distance),
        origin,
        tuple(terms),
        textured,
    )


def _origin(blocks: Sequence[Block]) -> tuple[float, float]:
    extents = [b.extent for b in blocks]
    rows = min(e.row0 for e in extents) + max(e.row1 for e in extents)
    cols = min(e.col0 for e in extents) + max(e.col1 for e in extents)
    return rows / 2, cols / 2


def _length(moves: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.hypot(moves[:, 0], moves[:, 1]))


def _rms(lengths: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(lengths**2)))


def _chosen_model(matches: _Matches, origin: tuple[float, float]) -> Model:
    """Return the poorest model that no richer one beats on windows left out of its fit."""
    best: Model = "shift"
    error = _unseen_error(matches, origin, best)
    for model in ("affine", "field"):
        if len(matches.rows) < 4 * TERMS[model]:
            break
        other = _unseen_error(matches, origin, model)
        gain = np.sqrt(max(error**2 - other**2, 0.0))
        if other < BETTER * error and gain > BETTER_PX and _can_be_applied(matches, origin, model):
            best, error = model, other
    return best


def _can_be_applied(matches: _Matches, origin: tuple[float, float], model: Model) -> bool:
    (dy, dx), *terms = ((float(a), float(b)) for a, b in _fit(matches, origin, model))
    bend = Registration(dy, dx, 0, 0, 0.0, origin=origin, terms=tuple(terms)).bend_px(CELL)
    return bend <= MAX_BEND_PX


def _unseen_error(matches: _Matches, origin: tuple[float, float], model: Model) -> float:
    """Return the error of a model on windows whose cell it was not fitted to.

    The quarter of the windows that fits worst is left aside: it may have changed.
    """
    errors = np.zeros(len(matches.rows))
    for fold in np.unique(matches.fold):
        out = matches.fold == fold
        kept = _Matches(*(values[~out] for values in matches))
        if len(kept.rows) < 3 * TERMS[model]:
            return np.inf
        there = design(matches.rows[out], matches.cols[out], origin, model)
        errors[out] = _length(matches.moves[out] - there @ _fit(kept, origin, model))
    return _rms(np.sort(errors)[: -(-3 * len(errors) // 4)])


def _fit(matches: _Matches, origin: tuple[float, float], model: Model) -> NDArray[np.float64]:
    """Fit a model robustly; return its coefficients, float64 (term, 2)."""
    terms = design(matches.rows, matches.cols, origin, model)
    found = np.zeros((terms.shape[1], 2))
    found[0] = np.median(matches.moves, axis=0)
    distance = _length(matches.moves - terms @ found)
    for step in range(20):
        scale = max(1.4826 * float(np.median(distance)), LEAST_SCALE_PX)
        if step < 10:  # these weights never lose the way, however far the start is off
            weight = 1.0 / (1.0 + (distance / scale) ** 2)
        else:
            weight = np.clip(1.0 - (distance / (4.685 * scale)) ** 2, 0.0, None) ** 2
        # Sums of products instead of a matrix product: the same bits on any number of threads.
        moment = (weight[:, None, None] * terms[:, :, None] * terms[:, None, :]).sum(axis=0)
        right = (weight[:, None, None] * terms[:, :, None] * matches.moves[:, None, :]).sum(axis=0)
        found = np.linalg.solve(moment + 1e-9 * np.eye(len(moment)), right)
        distance = _length(matches.moves - terms @ found)
    return np.asarray(found)


def _matches(blocks: Sequence[Block], limit: float) -> tuple[_Matches, int, int]:
    """Return what the windows tell, how many there were, and how many had edges at all."""
    found: list[tuple[float, float, float, float, int]] = []
    tried = textured = 0
    side_by_side = sum(b.valid.size for b in blocks) // WINDOW_PX**2
    step = WINDOW_PX if side_by_side >= MANY_WINDOWS else STEP_PX
    for number, block in enumerate(blocks):
        before, after = (_edges(image, block.valid) for image in (block.before, block.after))
        for rows, cols in _windows(block, step):
            tried += 1
            if before is None or after is None:
                continue
            first, second = _filled(before[rows, cols]), _filled(after[rows, cols])
            textured += bool(np.ptp(first) > 0 and np.ptp(second) > 0)
            move = _window_move(first, second, limit)
            if move is not None:
                dy, dx = move
                # The middle of what both windows share after the whole-pixel step.
                row = block.extent.row0 + (rows.start + rows.stop + round(dy)) / 2
                col = block.extent.col0 + (cols.start + cols.stop + round(dx)) / 2
                found.append((row, col, dy, dx, number))
    table = np.array(found, np.float64).reshape(-1, 5)
    fold = table[:, 4].astype(np.int64)
    if not len(table) or 3 * np.bincount(fold).max() > len(table):
        fold = np.arange(len(table)) % 4  # a cell that holds too much cannot be left out
    return _Matches(table[:, 0], table[:, 1], table[:, 2:4], fold), tried, textured


def _windows(block: Block, step: int) -> Iterator[tuple[slice, slice]]:
    """Yield the parts of a block that are large and clear enough."""
    for rows in _parts(block.extent.height, step):
        for cols in _parts(block.extent.width, step):
            if block.valid[rows, cols].mean() >= MIN_VALID:
                yield rows, cols


def _parts(length: int, step: int) -> list[slice]:
    if length < MIN_SIDE_PX:
        return []
    side = min(length, WINDOW_PX)
    count = -(-(length - side) // step)
    starts = [(length - side) * i // count for i in range(count + 1)] if count else [0]
    return [slice(start, start + side) for start in starts]


def _edges(image: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Return the mean gradient magnitude of the bands, each in units of its own mean.

    NaN where a pixel is not valid or beside one that is not: those draw edges of their own.
    """
    inner = ndimage.binary_erosion(valid, iterations=4, border_value=1)
    if not inner.any():
        return None
    total = np.zeros(valid.shape)
    bands = 0
    for band in image:
        low, high = np.percentile(band[valid], (0.5, 99.0))
        if not high > low:
            continue
        clipped = np.where(valid, np.clip(band, low, high), (low + high) / 2)
        magnitude = gradient_magnitude(clipped)
        mean = float(magnitude[inner].mean())
        if mean > 0:
            total += np.minimum(magnitude / mean, 6.0)
            bands += 1
    return np.where(inner, total / bands, np.nan) if bands else None


def _filled(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    # The holes are the same at both dates: filled with the mean they do not vote for shift 0.
    known = np.isfinite(edges)
    return (
        edges if known.all() else np.where(known, edges, edges[known].mean() if known.any() else 0)
    )


def _window_move(
    first: NDArray[np.float64], second: NDArray[np.float64], limit: float
) -> tuple[float, float] | None:
    """Return rows and columns by which the second window must move to lie on the first."""
    limit = min(limit, min(first.shape) / 4)
    dy, dx = _peak(first, second, 1)
    if np.hypot(dy, dx) > limit:
        return None
    rows, cols = round(dy), round(dx)
    first, second = _overlap(first, rows, cols), _overlap(second, -rows, -cols)
    dy, dx = _peak(first, second, UPSAMPLING)
    # A second whole-pixel step means that the first answer was no clear peak.
    if max(abs(dy), abs(dx)) > 1.5 or _correlation(first, second) < MIN_CORRELATION:
        return None
    return rows + dy, cols + dx


def _overlap(image: NDArray[np.float64], rows: int, cols: int) -> NDArray[np.float64]:
    """Return the part of an image that is left when it is moved by whole pixels."""
    height, width = image.shape
    return image[max(rows, 0) : height + min(rows, 0), max(cols, 0) : width + min(cols, 0)]


def _peak(
    first: NDArray[np.float64], second: NDArray[np.float64], upsampling: int
) -> tuple[float, float]:
    """Return the shift (rows, columns) to apply to `second`."""
    from skimage.registration import phase_cross_correlation

    # The default normalisation of the spectrum is wrong on crops that are not periodic.
    shift, _, _ = phase_cross_correlation(  # type: ignore[no-untyped-call]
        _tapered(first), _tapered(second), upsample_factor=upsampling, normalization=None
    )
    return float(shift[0]), float(shift[1])


def _tapered(image: NDArray[np.float64]) -> NDArray[np.float64]:
    window = np.outer(np.hanning(image.shape[0]), np.hanning(image.shape[1]))
    mean = float((image * window).sum() / window.sum())
    return (image - mean) * window


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    a, b = _tapered(first), _tapered(second)
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 0 else 0.0
