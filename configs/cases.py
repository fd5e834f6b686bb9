"""The life of a case as it is configured: states, steps, who may take them, forms, deadlines."""

from functools import cache
from typing import Literal

from pydantic import Field, model_validator

from configs.loading import StrictModel, load_preset

__all__ = [
    "Action",
    "CaseBook",
    "Deadline",
    "FormField",
    "Named",
    "case_book",
    "first_state",
    "state_order",
]


class Named(StrictModel):
    """A code's names."""

    zh: str
    en: str


class FormField(Named):
    """One field of a form; ``within``: least and greatest value of a number."""

    kind: Literal["text", "long", "date", "area", "number", "verdict"]
    within: tuple[float, float] | None = None


class Action(Named):
    """A step between states.

    Attributes
    ----------
    from_ : tuple of str
        States in which it can be taken.
    to : str or None
        State after it; none where it stays.
    guards : tuple of str
        What must hold besides, see `clues.cases.life`.
    """

    from_: tuple[str, ...] = Field(alias="from")
    to: str | None = None
    roles: tuple[str, ...]
    form: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()


class Deadline(StrictModel):
    """Days for a step after the one before it."""

    days: int = 0
    working_days: int = 0


class CaseBook(StrictModel):
    """All that is configured of cases."""

    version: int
    states: dict[str, Named]
    verdicts: dict[str, Named]
    review_levels: dict[str, Named]
    roles: dict[str, Named]
    reasons: dict[str, dict[str, Named]]
    fields: dict[str, FormField]
    actions: dict[str, Action]
    deadlines: dict[str, Deadline]

    @model_validator(mode="after")
    def _names_are_known(self) -> "CaseBook":
        for name, action in self.actions.items():
            states = {*action.from_, *([action.to] if action.to else [])}
            strange = [
                *(states - set(self.states)),
                *(set(action.roles) - set(self.roles)),
                *({*action.form, *action.required} - set(self.fields)),
            ]
            if strange:
                raise ValueError(f"action {name} names {strange[0]}, which is not told above")
        return self


@cache
def case_book() -> CaseBook:
    """Return what is configured of cases."""
    return load_preset(CaseBook, "vocabularies", "cases")


def first_state() -> str:
    """Return the state of a clue that has no case yet.

    Examples
    --------
    >>> first_state()
    'suspected'
    """
    return next(iter(case_book().states))


@cache
def state_order() -> dict[str, int]:
    """Return the place of every state on the way."""
    return {name: i for i, name in enumerate(case_book().states)}
