"""Straight-line programs over pixels: any set of formulas in one pass, without temporary planes.

A strip of pixels is loaded into registers that stay in the first-level cache, every step runs over
the strip, and the results are stored. Each pixel is computed from its own values alone, so the
answer cannot depend on the block it is computed in.
"""

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import inner, inner_ieee, kernel_ieee

__all__ = [
    "ADD",
    "DIVIDE",
    "EXP",
    "MULTIPLY",
    "NEGATE",
    "POWER",
    "ROOT",
    "STORE",
    "SUBTRACT",
    "run_program",
]

ADD, SUBTRACT, MULTIPLY, DIVIDE, POWER, NEGATE, ROOT, EXP, STORE = range(9)

STRIP = 256
"""Pixels of a strip: a kilobyte for each register."""


@kernel_ieee
def run_program(
    before: NDArray[np.float32],  # (band, y, x)
    after: NDArray[np.float32],  # (band, y, x)
    valid: NDArray[np.bool_],  # (y, x)
    inputs: NDArray[np.int32],  # (input, 2): band, 0 before or 1 after
    gains: NDArray[np.float32],  # (input,)
    constants: NDArray[np.float32],  # (constant,)
    steps: NDArray[np.int32],  # (step, 4): operation, operands, target register (STORE: plane)
    registers: int,  # inputs first, then constants, then results of steps
    fill: np.float32,  # where a pixel is not valid or the formula has no finite value
    out: NDArray[np.float32],  # (plane, y, x), written
) -> None:
    """Run a program on every pixel; a target is never one of its operands."""
    store = np.empty((registers, STRIP), np.float32)
    for c in range(constants.size):
        store[inputs.shape[0] + c] = constants[c]
    height, width = valid.shape
    for y in range(height):
        for first in range(0, width, STRIP):
            last = min(first + STRIP, width)
            for i in range(inputs.shape[0]):
                image = before if inputs[i, 1] == 0 else after
                source, target = image[inputs[i, 0], y, first:last], store[i]
                for x in range(source.size):
                    target[x] = source[x] * gains[i]
            use = valid[y, first:last]
            for s in range(steps.shape[0]):
                operation, one, two, result = steps[s]
                if operation == STORE:
                    _store(store[one], use, fill, out[result, y, first:last])
                else:
                    _step(operation, store[one], store[two], store[result])


@inner_ieee
def _step(
    operation: int,
    first: NDArray[np.float32],  # (STRIP,)
    second: NDArray[np.float32],  # (STRIP,), not read by operations of one operand
    target: NDArray[np.float32],  # (STRIP,), written
) -> None:
    if operation == ADD:
        for x in range(STRIP):
            target[x] = first[x] + second[x]
    elif operation == SUBTRACT:
        for x in range(STRIP):
            target[x] = first[x] - second[x]
    elif operation == MULTIPLY:
        for x in range(STRIP):
            target[x] = first[x] * second[x]
    elif operation == DIVIDE:
        for x in range(STRIP):
            target[x] = first[x] / second[x]
    elif operation == POWER:
        for x in range(STRIP):
            target[x] = first[x] ** second[x]
    elif operation == NEGATE:
        for x in range(STRIP):
            target[x] = -first[x]
    elif operation == ROOT:
        for x in range(STRIP):
            target[x] = np.sqrt(first[x])
    else:
        for x in range(STRIP):
            target[x] = np.exp(first[x])


@inner
def _store(
    values: NDArray[np.float32],  # (STRIP,)
    use: NDArray[np.bool_],  # (x,)
    fill: np.float32,
    target: NDArray[np.float32],  # (x,), written
) -> None:
    for x in range(use.size):
        value = values[x]
        target[x] = value if use[x] and abs(value) < np.inf else fill
