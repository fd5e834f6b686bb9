"""Levels of review: county fills in, city and province review, then it is done."""

from configs.cases import case_book

__all__ = ["DONE", "FIRST", "holds", "next_level"]

FIRST, DONE = "county", "done"


def next_level(level: str) -> str:
    """Return the level after one.

    Examples
    --------
    >>> next_level("county"), next_level("province")
    ('city', 'done')
    """
    levels = list(case_book().review_levels)
    return levels[min(levels.index(level) + 1, len(levels) - 1)]


def holds(role: str, level: str) -> bool:
    """Tell whether a role works at a level of review; administrators stand in for all.

    Examples
    --------
    >>> holds("county", "county"), holds("county", "city"), holds("administrator", "city")
    (True, False, True)
    """
    return role == level or (role == "administrator" and level != DONE)
