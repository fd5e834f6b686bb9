"""Colours of answers in maps of other programs, the same as in the report."""

__all__ = ["OUTCOME_COLOURS"]

OUTCOME_COLOURS = {
    "suspected": "#d7191c",
    "unresolved": "#e67300",
    "legal": "#1a9641",
    "other": "#5e8ac7",
    "non_new": "#8a8a8a",
    "below_threshold": "#b9b9b9",
}
