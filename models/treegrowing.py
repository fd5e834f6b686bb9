"""Grow random forests on features in 256 steps: trees of a run's own land cover, in a moment.

Each feature is cut once into steps that hold about equally many samples; a node looks at a
histogram of classes by step instead of sorting its samples. Otherwise the trees are those of
``RandomForestClassifier``: drawn with replacement, classes balanced within the draw, Gini impurity,
as many features tried at a node as the root of their number. Every tree follows from the seed and
its number alone, so threads share the work and the forest stays the same.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.forest import Forest
from models.growing import MIN_LEAF, Tree, join_trees
from tiles.compiled import inner, kernel
from tiles.grid import splitmix64

__all__ = ["Stepped", "best_split", "fill_tree", "grow_stepped", "stepped"]

STEPS = 256
"""Steps of a feature: a byte holds one."""


@dataclass(frozen=True)
class Stepped:
    """Features in steps.

    Attributes
    ----------
    codes : ndarray of uint8, shape (feature, n)
        Step of each sample.
    cuts : ndarray of float64, shape (feature, STEPS)
        Value between a step and the next.
    """

    codes: NDArray[np.uint8]
    cuts: NDArray[np.float64]

    def take(self, rows: NDArray[np.intp]) -> "Stepped":
        """Return the same steps of some of the samples."""
        return Stepped(np.ascontiguousarray(self.codes[:, rows]), self.cuts)


def stepped(x: NDArray[np.float32]) -> Stepped:
    """Cut features (n, feature) into steps between their own values."""
    count, features = x.shape
    codes = np.empty((features, count), np.uint8)
    cuts = np.full((features, STEPS), np.inf)
    for f in range(features):
        values, times = np.unique(x[:, f], return_counts=True)
        if len(values) > STEPS:
            step = (np.cumsum(times) - 1) * STEPS // count
            last = np.flatnonzero(np.append(step[1:] != step[:-1], True))
        else:
            last = np.arange(len(values))
        between = last[:-1]
        cuts[f, : len(between)] = (values[between].astype(np.float64) + values[between + 1]) / 2
        codes[f] = np.searchsorted(cuts[f, : len(between)], x[:, f], side="left")
    return Stepped(codes, cuts)


def grow_stepped(
    x: Stepped,
    y: NDArray[np.int64],
    *,
    n_classes: int,
    trees: int,
    depth: int,
    seed: int,
    draw: int | None = None,
) -> Forest:
    """Grow a random forest.

    Parameters
    ----------
    x : Stepped
        In table order: the answer depends on it.
    y : ndarray of int64, shape (n,)
        Classes from 0.
    n_classes : int
        Columns of the votes; classes that `y` lacks get none.
    trees, depth, seed : int
    draw : int, optional
        Rows each tree draws, by default as many as there are.

    References
    ----------
    .. [1] Breiman (2001). Random forests. doi:10.1023/A:1010933404324
    """
    draw = len(y) if draw is None else draw
    seeds = splitmix64(np.arange(trees), 0, seed)
    codes, labels = x.codes, y.astype(np.int64)

    def grown(start: np.uint64) -> Tree:
        most = 2 * max(1, min(draw, len(labels)) // MIN_LEAF) + 1
        left, feature, step = (np.full(most, -1, np.int64) for _ in range(3))
        value = np.zeros((most, n_classes))
        tries = max(1, math.isqrt(len(codes)))
        limits = np.array([draw, depth, MIN_LEAF, tries], np.int64)
        count = fill_tree(codes, labels, limits, start, left, feature, step, value)
        inner = left[:count] >= 0
        cut = np.full(count, np.inf)
        cut[inner] = x.cuts[feature[:count][inner], step[:count][inner]]
        right = np.where(inner, left[:count] + 1, -1)
        return Tree(left[:count], right, feature[:count], cut, value[:count])

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as workers:
        found = list(workers.map(grown, seeds))
    return join_trees(found, np.arange(n_classes), len(codes), n_classes)


@inner
def _random(state: NDArray[np.uint64]) -> Any:
    """Return the next number of SplitMix64."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@inner
def _drawn(
    y: NDArray[np.int64],  # (n,)
    draw: int,
    classes: int,
    state: NDArray[np.uint64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the rows drawn, each once, and the weight of every row: balanced over the classes."""
    times, per_class = np.zeros(y.size, np.int64), np.zeros(classes, np.int64)
    for _ in range(draw):
        row = int(_random(state) % np.uint64(y.size))
        times[row] += 1
        per_class[y[row]] += 1
    weight = np.zeros(y.size, np.float64)
    for r in range(y.size):
        if times[r]:
            weight[r] = times[r] * (draw / per_class[y[r]])
    rows, count = np.empty(y.size, np.int64), 0
    for r in range(y.size):
        if times[r]:
            rows[count] = r
            count += 1
    return rows[:count], weight


@kernel
def fill_tree(
    codes: NDArray[np.uint8],  # (feature, n)
    y: NDArray[np.int64],  # (n,)
    limits: NDArray[np.int64],  # rows drawn, depth, rows of a leaf, features tried
    seed: np.uint64,
    left: NDArray[np.int64],  # (node,), written: first child, the second follows; −1 at leaves
    feature: NDArray[np.int64],  # (node,), written
    step: NDArray[np.int64],  # (node,), written: last step of the first child
    value: NDArray[np.float64],  # (node, class), written: share of each class
) -> int:
    """Grow one tree; return its nodes."""
    draw, depth, least, tries = limits
    classes = value.shape[1]
    state, order = np.empty(1, np.uint64), np.empty(codes.shape[0], np.int64)
    state[0] = seed
    for f in range(order.size):
        order[f] = f
    rows, weight = _drawn(y, draw, classes, state)
    spare = np.empty(rows.size, np.int64)
    counts = np.zeros((STEPS, classes), np.float64), np.zeros(STEPS, np.int64)
    todo = [(0, 0, rows.size, 0)]
    count = 1
    while len(todo):
        node, start, stop, level = todo.pop()
        sums = value[node]
        for i in range(start, stop):
            sums[y[rows[i]]] += weight[rows[i]]
        total = largest = 0.0
        for c in range(classes):
            total += sums[c]
            largest = max(largest, sums[c])
        pure = largest >= total * (1 - 1e-12)
        if stop - start >= 2 * least and level < depth and not pure:
            mine = rows[start:stop]
            f, cut = best_split(codes, y, weight, mine, sums, least, tries, order, state, *counts)
            if f >= 0:
                middle = start + _parted(codes[f], cut, mine, spare)
                left[node], feature[node], step[node] = count, f, cut
                todo.append((count + 1, middle, stop, level + 1))
                todo.append((count, start, middle, level + 1))
                count += 2
        for c in range(classes):
            sums[c] /= total
    return count


@inner
def _parted(
    code: NDArray[np.uint8], cut: int, rows: NDArray[np.int64], spare: NDArray[np.int64]
) -> int:
    """Put the rows up to a step first, in their order; return how many there are."""
    low = high = 0
    for i in range(rows.size):
        row = rows[i]
        if code[row] <= cut:
            rows[low] = row
            low += 1
        else:
            spare[high] = row
            high += 1
    for i in range(high):
        rows[low + i] = spare[i]
    return low


@inner
def best_split(
    codes: NDArray[np.uint8],  # (feature, n)
    y: NDArray[np.int64],  # (n,)
    weight: NDArray[np.float64],  # (n,)
    rows: NDArray[np.int64],  # of the node
    sums: NDArray[np.float64],  # (class,) weights of the node
    least: int,  # rows of a leaf
    tries: int,
    order: NDArray[np.int64],  # (feature,), shuffled
    state: NDArray[np.uint64],  # of the random numbers
    by_class: NDArray[np.float64],  # (STEPS, class) of zeros, left so
    by_step: NDArray[np.int64],  # (STEPS,) of zeros, left so
) -> tuple[int, int]:
    """Return feature and step of the purest split of a node; −1 where there is none."""
    classes, best = sums.size, 0.0
    feature, step, tried = -1, 0, 0
    below = np.empty(classes, np.float64)
    for d in range(order.size):
        other = d + int(_random(state) % np.uint64(order.size - d))
        order[d], order[other] = order[other], order[d]
        code = codes[order[d]]
        # no literals, for which callees would be compiled anew
        low, high = int(np.int64(STEPS)), int(np.int64(-1))
        for row in rows:
            held = int(code[row])
            by_class[held, y[row]] += weight[row]
            by_step[held] += 1
            low, high = min(low, held), max(high, held)
        purity, at = _best_step(by_class, by_step, sums, (low, high), rows.size, least, below)
        if purity > best:
            best, feature, step = purity, int(order[d]), at
        by_class[low : high + 1] = 0.0
        by_step[low : high + 1] = 0
        tried += low < high
        if tried == tries:
            break
    return feature, step


@inner
def _best_step(
    by_class: NDArray[np.float64],  # (STEPS, class)
    by_step: NDArray[np.int64],  # (STEPS,)
    sums: NDArray[np.float64],  # (class,)
    span: tuple[int, int],  # first and last step of the node
    total: int,  # its rows
    least: int,
    below: NDArray[np.float64],  # (class,) scratch
) -> tuple[float, int]:
    """Return the purity of the best cut of one feature, and the last step below it."""
    best, step, count = 0.0, -1, 0
    below[:] = 0.0
    for at in range(span[0], span[1]):
        if by_step[at] == 0:
            continue
        count += by_step[at]
        for c in range(sums.size):
            below[c] += by_class[at, c]
        if count < least or total - count < least:
            continue
        one = two = one_total = two_total = 0.0
        for c in range(sums.size):
            rest = sums[c] - below[c]
            one += below[c] * below[c]
            two += rest * rest
            one_total += below[c]
            two_total += rest
        purity = one / one_total + two / two_total
        if purity > best:
            best, step = purity, at
    return best, step
