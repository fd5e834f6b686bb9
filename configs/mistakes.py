"""How a mistake in a file is told: in plain words, with the nearest known name."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["choice", "in_words", "plain_message"]

SCALARS = (str, int, float, bool)
WORDS: tuple[tuple[str, str], ...] = (
    (r"Value error, (.*)", r"\1"),
    (r"Field required", "is missing"),
    (r"Input should be less than or equal to (.*)", r"must be at most \1"),
    (r"Input should be greater than or equal to (.*)", r"must be at least \1"),
    (r"Input should be less than (.*)", r"must be less than \1"),
    (r"Input should be greater than (.*)", r"must be more than \1"),
    (r"Input should be a valid boolean.*", "must be true or false"),
    (r"Input should be a valid integer.*", "must be a whole number"),
    (r"Input should be a valid number.*", "must be a number"),
    (r"Input should be a valid string", "must be text"),
    (r"Input should be a valid date.*", "must be a date such as 2025-06-12"),
    (r"Input should be a valid (?:tuple|list|array)", "must be a list"),
    (r"Input should be a valid (?:dictionary|mapping).*", "must be a mapping `{key: value}`"),
    (r"Input is not a valid path for .*", "must be a path"),
    (r"Input should be (.*)", r"must be \1"),
    (r"String should match pattern '(.*)'", r"does not have the form \1"),
    (r"String should have at least 1 character", "must not be empty"),
    (r"\w+ should have at least (\d+) items? .*", r"needs at least \1 entries"),
    (r"\w+ should have at most (\d+) items? .*", r"takes at most \1 entries"),
)
"""What the validator says, and the same in plain words."""


def plain_message(message: str) -> str:
    """Return a message of the validator as people write it."""
    for pattern, words in WORDS:
        match = re.fullmatch(pattern, message, flags=re.DOTALL)
        if match is not None:
            return match.expand(words)
    return message


def in_words(problem: Mapping[str, Any]) -> str:
    """Return one problem of a ``ValidationError`` in plain words, with the value that was given.

    A sentence that a model wrote itself is not touched.
    """
    words = plain_message(problem["msg"])
    value = problem.get("input")
    own = problem["type"] in ("value_error", "missing")
    return words if own or not isinstance(value, SCALARS) else f"{value!r} {words}"


def choice(name: str, known: Iterable[str]) -> str:
    """Return a remedy for an unknown name: the nearest known one, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"choose one of: {', '.join(names)}"
