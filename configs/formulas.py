"""Formulas of spectral indices: a small arithmetic, parsed and never evaluated as code."""

import ast
import threading
from collections.abc import Mapping

__all__ = ["formula_names", "parse_formula"]

_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)
FUNCTIONS = ("exp",)

_one_at_a_time = threading.Lock()
"""Python 3.11 counts the depth of trees per process: two threads that build trees at once fail with
a SystemError."""


def parse_formula(text: str, derived: Mapping[str, str] | None = None) -> ast.expr:
    """Return the syntax tree of a formula.

    Parameters
    ----------
    text : str
        Names, numbers, ``+ - * / **``, parentheses and ``exp(…)``.
    derived : mapping of str to str, optional
        Names that stand for formulas of their own; they are put in their place.

    Raises
    ------
    ValueError
        If it holds anything else.
    """
    try:
        with _one_at_a_time:
            tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{text!r} is not a formula: {error.msg}") from error
    for node in ast.walk(tree):
        if not _is_arithmetic(node):
            raise ValueError(
                f"{text!r}: only names, numbers, + - * / **, parentheses and exp(…) are known"
            )
    return _Substitution(derived or {}).visit(tree)  # type: ignore[no-any-return]


def _is_arithmetic(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, _OPERATORS)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub | ast.UAdd)
    if isinstance(node, ast.Call):
        known = isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS
        return known and len(node.args) == 1 and not node.keywords
    return isinstance(node, ast.Name | ast.operator | ast.unaryop | ast.expr_context)


class _Substitution(ast.NodeTransformer):
    def __init__(self, derived: Mapping[str, str]) -> None:
        self.derived = derived

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self.derived:
            return node
        return parse_formula(self.derived[node.id], self.derived)


def formula_names(tree: ast.expr) -> tuple[str, ...]:
    """Return the names in a formula other than functions, sorted."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called}
    return tuple(sorted(found))
