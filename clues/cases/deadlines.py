"""When a case is due: by its batch, by the step it waits for, by the limitation of the act."""

import datetime as dt
from typing import Literal

from configs.batches import due_days
from configs.cases import case_book
from configs.holidays import working_days_after

__all__ = ["Clock", "batch_due", "due_after", "limitation_clock"]

Clock = Literal["none", "running", "soon", "over"]
SOON = 90
"""Days before the end of the limitation from which a case is to be looked at first."""

NEXT = {"judged": "filed", "filed": "decided", "decided": "rectified"}


def batch_due(issued: dt.date, profile: str | None) -> dt.date:
    """Return the day on which the clues of a batch are due, by the profile of the run."""
    return issued + dt.timedelta(days=due_days(profile))


def due_after(state: str, verdict: str | None, day: dt.date) -> dt.date | None:
    """Return until when the step after a state is to be taken; None where none waits.

    Examples
    --------
    >>> due_after("judged", "illegal", dt.date(2025, 9, 30))
    datetime.date(2025, 10, 20)
    >>> due_after("judged", "legal", dt.date(2025, 9, 30)) is None
    True
    """
    step = NEXT.get(state)
    if step is None or verdict != "illegal":
        return None
    rule = case_book().deadlines[step]
    if rule.working_days:
        return working_days_after(day, rule.working_days)
    return day + dt.timedelta(days=rule.days)


def limitation_clock(until: dt.date | None, day: dt.date) -> tuple[Clock, int | None]:
    """Return how the limitation of an act stands on a day, and the days that are left.

    Examples
    --------
    >>> limitation_clock(dt.date(2026, 1, 31), dt.date(2026, 1, 1))
    ('soon', 30)
    """
    if until is None:
        return "none", None
    left = (until - day).days
    return ("over" if left < 0 else "soon" if left <= SOON else "running"), left
