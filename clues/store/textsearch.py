"""Looking for a text in a column, by the plain search of each database."""

from typing import Any

from sqlalchemy import Integer, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

__all__ = ["holds"]


def holds(column: Any, text: str) -> ColumnElement[bool]:
    """Return the condition that a column holds a text; no sign of it means more."""
    return _Place(column, literal(text)) > 0


class _Place(FunctionElement[int]):
    """Place of a text in another, from 1; 0 where it is not there."""

    name = "place"
    type = Integer()
    inherit_cache = True


@compiles(_Place)
def _place_in_files(element: Any, compiler: Any, **more: Any) -> str:
    return f"instr({compiler.process(element.clauses, **more)})"


@compiles(_Place, "postgresql")
def _place_on_servers(element: Any, compiler: Any, **more: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **more)})"
