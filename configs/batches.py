"""Batches of clues: how many days people have to answer, by profile."""

from functools import cache

from pydantic import Field

from configs.loading import StrictModel, load_preset

__all__ = ["due_days"]


class _Batches(StrictModel):
    version: int
    due_days: dict[str, int] = Field(min_length=1)


@cache
def _file() -> _Batches:
    return load_preset(_Batches, "vocabularies", "batches")


def due_days(profile: str | None) -> int:
    """Return the days from issue to due date for runs of a profile, or of none.

    Examples
    --------
    >>> due_days("emergency") < due_days("quarterly") <= due_days(None)
    True
    """
    days = _file().due_days
    return days.get(profile or "other", days["other"])
