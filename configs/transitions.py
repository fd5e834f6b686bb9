"""From two land covers and a shape to the type of a change: the shipped transition table."""

from functools import lru_cache
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from configs.loading import StrictModel, load_preset

__all__ = [
    "FORMS",
    "LinearShape",
    "OtherLight",
    "SmoothLook",
    "TransitionRule",
    "Transitions",
    "transitions",
]

Form = Literal["any", "linear", "smooth"]

FORMS: tuple[Form, ...] = ("any", "linear", "smooth")
"""What a rule may ask of a patch beside its covers; linear goes before smooth."""


class LinearShape(StrictModel):
    """When a patch counts as linear: both limits hold, a pixel taken off at either side."""

    width_m_max: float = Field(gt=0, description="widest linear patch, area / length")
    strip_min: float = Field(gt=1, description="least length / width, the pixels taken off")
    elongation_min: float = Field(gt=1, description="least length / width")


class SmoothLook(StrictModel):
    """When a patch counts as smooth at the later date: both limits hold."""

    variation_percent_max: float = Field(gt=0, description="deviation / mean of 3×3 pixels")
    share_percent_min: float = Field(gt=0, le=100, description="least share of such windows inside")


class OtherLight(StrictModel):
    """When a patch only lies in another light: all bands changed by one factor."""

    index_change_max: float = Field(gt=0, description="largest change of a normalised difference")
    confidence_percent: int = Field(ge=0, le=100)


class TransitionRule(StrictModel):
    """One line of the table; a field left out asks for nothing."""

    from_: tuple[str, ...] = Field((), alias="from")
    to: tuple[str, ...] = ()
    same: bool = False
    shape: Form = "any"
    change: str

    def fits(self, from_cover: str, to_cover: str, form: Form) -> bool:
        """Tell whether the rule applies to a change."""
        return (
            (not self.from_ or from_cover in self.from_)
            and (not self.to or to_cover in self.to)
            and (not self.same or from_cover == to_cover)
            and self.shape in ("any", form)
        )


class Transitions(StrictModel):
    """The transition table."""

    version: Literal[1]
    linear: LinearShape
    smooth: SmoothLook
    other_light: OtherLight
    same_cover_percent: int = Field(ge=0, le=100)
    same_cover_sure_percent: int = Field(ge=0, le=100)
    rules: tuple[TransitionRule, ...]

    @model_validator(mode="after")
    def _ends_with_a_fallback(self) -> "Transitions":
        last = self.rules[-1] if self.rules else None
        if last is None or last.from_ or last.to or last.same or last.shape != "any":
            raise ValueError("the last rule must fit everything: {change: unknown}")
        return self

    def change(self, from_cover: str, to_cover: str, *, form: Form = "any") -> str:
        """Return the code of the change type of the first rule that fits."""
        return next(r.change for r in self.rules if r.fits(from_cover, to_cover, form))

    def codes(self) -> tuple[str, ...]:
        """Return the change types of the table in the order they first appear."""
        return tuple(dict.fromkeys(rule.change for rule in self.rules))

    def table(self, covers: tuple[str, ...]) -> NDArray[np.int64]:
        """Return positions in `codes` for every form and pair of covers.

        Returns
        -------
        ndarray of int64, shape (forms, covers, covers)
            First axis: `FORMS`; then from, to.
        """
        place = {code: i for i, code in enumerate(self.codes())}
        answers = [
            place[self.change(a, b, form=form)] for form, a, b in product(FORMS, covers, covers)
        ]
        return np.array(answers, np.int64).reshape(len(FORMS), len(covers), len(covers))


@lru_cache(maxsize=1)
def transitions() -> Transitions:
    """Return the shipped table."""
    return load_preset(Transitions, "vocabularies", "transitions")
