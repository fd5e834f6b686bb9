"""Colours of answers: one for screens and reports, a darker one for ink on paper."""

from clues.outputs.drawing import Colour

__all__ = ["NUMBER_INKS", "OUTCOME_COLOURS", "number_ink", "outline_colour"]

OUTCOME_COLOURS = {
    "suspected": "#d7191c",
    "unresolved": "#e67300",
    "legal": "#1a9641",
    "other": "#5e8ac7",
    "non_new": "#8a8a8a",
    "below_threshold": "#b9b9b9",
}
"""In reports, tables and maps of other programs."""

_OUTLINES: dict[str, Colour] = {
    "suspected": (0.84, 0.10, 0.11),
    "unresolved": (0.90, 0.45, 0.00),
    "legal": (0.10, 0.55, 0.20),
}
NUMBER_INKS: dict[str, Colour] = {"suspected": (0.80, 0.05, 0.10), "unresolved": (0.72, 0.33, 0.0)}
"""Dark enough to be read on white."""


def outline_colour(outcome: str) -> Colour:
    """Return the colour of a parcel on pictures: near that of reports, grey without suspicion."""
    return _OUTLINES.get(outcome, (0.3, 0.3, 0.3))


def number_ink(outcome: str) -> Colour:
    """Return the colour of a clue and of its number on map sheets."""
    return NUMBER_INKS.get(outcome, (0.25, 0.35, 0.55))
