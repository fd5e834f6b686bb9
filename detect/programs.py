"""Formulas compiled to one program: equal parts are computed once, registers are used again.

Any set of indices, of either date or of the difference between them, becomes one straight list of
steps that `detect.kernels.programs.run_program` walks once over the pixels. Nothing is generated or
compiled at run time: the kernel is an interpreter whose steps work on strips of pixels.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from configs.formulas import parse_formula
from configs.indices import quantities
from detect.kernels.programs import (
    ADD,
    DIVIDE,
    EXP,
    MULTIPLY,
    NEGATE,
    POWER,
    ROOT,
    STORE,
    SUBTRACT,
    run_program,
)

__all__ = ["Plane", "Program", "compile_program"]

Date = Literal["before", "after", "change"]

_OPERATIONS: dict[type[ast.operator], int] = {
    ast.Add: ADD,
    ast.Sub: SUBTRACT,
    ast.Mult: MULTIPLY,
    ast.Div: DIVIDE,
    ast.Pow: POWER,
}
_COMMUTE = (ADD, MULTIPLY)


@dataclass(frozen=True)
class Plane:
    """One result of a program.

    Attributes
    ----------
    formula : str
        In the letters of `configs.indices.quantities`.
    date : {"before", "after", "change"}
        Of which image; ``change`` is after minus before.
    """

    formula: str
    date: Date


@dataclass(frozen=True)
class Program:
    """A compiled set of planes.

    Attributes
    ----------
    inputs : ndarray of int32, shape (input, 2)
        Band and date (0, 1) of each input register.
    gains : ndarray of float32, shape (input,)
    constants : ndarray of float32, shape (constant,)
    steps : ndarray of int32, shape (step, 4)
    planes, registers : int
    """

    inputs: NDArray[np.int32]
    gains: NDArray[np.float32]
    constants: NDArray[np.float32]
    steps: NDArray[np.int32]
    planes: int
    registers: int

    def run(
        self,
        before: NDArray[np.float32],
        after: NDArray[np.float32],
        valid: NDArray[np.bool_],
        *,
        fill: float = 0.0,
    ) -> NDArray[np.float32]:
        """Compute all planes.

        Parameters
        ----------
        before, after : ndarray of float32, shape (band, y, x)
        valid : ndarray of bool, shape (y, x)
        fill : float
            Value where a pixel is not valid or a formula has no finite value (its denominator is
            zero, for example).

        Returns
        -------
        ndarray of float32, shape (plane, y, x)
        """
        out = np.empty((self.planes, *valid.shape), np.float32)
        run_program(
            before,
            after,
            valid,
            self.inputs,
            self.gains,
            self.constants,
            self.steps,
            self.registers,
            np.float32(fill),
            out,
        )
        return out


def compile_program(
    planes: Sequence[Plane],
    *,
    bands: Mapping[str, int],
    gains: Mapping[str, float],
    constants: Mapping[str, float],
) -> Program:
    """Compile planes to one program.

    Parameters
    ----------
    planes : sequence of Plane
    bands : mapping of str to int
        Position of each letter's band in the images.
    gains : mapping of str to float
        Factor from stored values to the unit of formulas, by letter.
    constants : mapping of str to float

    Raises
    ------
    KeyError
        If a formula names neither a band nor a constant given.
    """
    values = _Values(bands, constants)
    results = [values.plane(p) for p in planes]
    return _allocated(values, results, gains)


_Key = tuple[object, ...]


@dataclass
class _Values:
    """Every distinct value of a set of formulas, in an order in which they can be computed.

    Keys are ``("band", letter, date)``, ``("constant", value)`` or ``(operation, first, second)``
    with numbers of earlier values; equal keys are one value.
    """

    bands: Mapping[str, int]
    constants: Mapping[str, float]
    keys: list[_Key] = field(default_factory=list)
    number: dict[_Key, int] = field(default_factory=dict)

    def plane(self, plane: Plane) -> int:
        tree = parse_formula(plane.formula, quantities().derived)
        if plane.date != "change":
            return self._of(tree, int(plane.date == "after"))
        return self._step(SUBTRACT, self._of(tree, 1), self._of(tree, 0))

    def _put(self, *key: object) -> int:
        if key not in self.number:
            self.number[key] = len(self.keys)
            self.keys.append(key)
        return self.number[key]

    def _constant(self, value: float) -> int:
        return self._put("constant", float(value))

    def known(self, value: int) -> float | None:
        """Return a constant's value; None for what depends on the pixel."""
        key = self.keys[value]
        return float(str(key[1])) if key[0] == "constant" else None

    def _of(self, node: ast.expr, date: int) -> int:
        if isinstance(node, ast.Constant):
            return self._constant(float(str(node.value)))
        if isinstance(node, ast.Name):
            if node.id in self.bands:
                return self._put("band", node.id, date)
            return self._constant(self.constants[node.id])
        if isinstance(node, ast.BinOp):
            first, second = self._of(node.left, date), self._of(node.right, date)
            return self._step(_OPERATIONS[type(node.op)], first, second)
        if isinstance(node, ast.Call):
            return self._step(EXP, self._of(node.args[0], date))
        assert isinstance(node, ast.UnaryOp)
        operand = self._of(node.operand, date)
        return self._step(NEGATE, operand) if isinstance(node.op, ast.USub) else operand

    def _step(self, operation: int, first: int, second: int = -1) -> int:
        one = self.known(first)
        two = self.known(second) if second >= 0 else 0.0
        if one is not None and two is not None:
            return self._constant(_folded(operation, one, two))
        if operation == POWER and two in (1.0, 2.0, 0.5):
            if two == 1.0:
                return first
            return self._put(MULTIPLY, first, first) if two == 2.0 else self._put(ROOT, first, -1)
        if operation in _COMMUTE and second < first:
            first, second = second, first
        return self._put(operation, first, second)


def _folded(operation: int, first: float, second: float) -> float:
    with np.errstate(all="ignore"):
        a, b = np.float64(first), np.float64(second)
        match operation:
            case int(x) if x == NEGATE:
                value = -a
            case int(x) if x == EXP:
                value = np.exp(a)
            case int(x) if x == ADD:
                value = a + b
            case int(x) if x == SUBTRACT:
                value = a - b
            case int(x) if x == MULTIPLY:
                value = a * b
            case int(x) if x == DIVIDE:
                value = a / b
            case _:
                value = a**b
    return float(value)


def _allocated(values: _Values, results: Sequence[int], gains: Mapping[str, float]) -> Program:
    """Give every value a register; that of a value read for the last time is free again."""
    kept = [[i for i, k in enumerate(values.keys) if k[0] == name] for name in ("band", "constant")]
    place = {value: register for register, value in enumerate([*kept[0], *kept[1]])}
    fixed, free, steps = len(place), list[int](), list[tuple[object, ...]]()
    registers = fixed
    steps += [(STORE, place[r], place[r], k) for k, r in enumerate(results) if r in place]
    computed = [i for i in range(len(values.keys)) if i not in place]
    last = {operand: i for i in computed for operand in _operands(values.keys[i])}
    for value in computed:
        operands = _operands(values.keys[value])
        target = free.pop() if free else registers
        registers = max(registers, target + 1)
        place[value] = target
        steps.append((values.keys[value][0], place[operands[0]], place[operands[-1]], target))
        steps += [(STORE, target, target, k) for k, r in enumerate(results) if r == value]
        done = [o for o in dict.fromkeys(operands) if last[o] == value]
        done += [value] if value not in last else []
        free += [place[o] for o in done if place[o] >= fixed]
    letters = [str(values.keys[i][1]) for i in kept[0]]
    dates = [values.keys[i][2] for i in kept[0]]
    bands = [values.bands[letter] for letter in letters]
    return Program(
        np.array([bands, dates], np.int32).T.reshape(-1, 2).copy(),
        np.array([gains.get(letter, 1.0) for letter in letters], np.float32),
        np.array([values.known(i) for i in kept[1]], np.float32),
        np.array(steps, np.int32).reshape(-1, 4),
        len(results),
        registers,
    )


def _operands(key: _Key) -> list[int]:
    return [int(str(o)) for o in key[1:] if o != -1]
