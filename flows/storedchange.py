"""A model of labelled change in a run: the one a config names, and whether it fits the images."""

from dataclasses import dataclass

from configs.run import RunConfig
from flows.imagery import sensors_of
from flows.plan import RunPlan
from flows.stored import StoredModel, opened_model, require_same
from models.changelearning import ChangeLearner
from models.learnedchange import change_of
from models.modelfile import ModelCard

__all__ = ["StoredChange", "stored_change"]

FIX = "train one with `tuban model train --labels` on pairs of such images, or leave it out"


@dataclass(frozen=True)
class StoredChange(StoredModel):
    """A model of labelled change out of its file."""

    card: ModelCard
    learner: ChangeLearner


def stored_change(config: RunConfig, plan: RunPlan) -> StoredChange | None:
    """Return the model of labelled change that a config names; None where it names none.

    Raises
    ------
    InputError
        If there is no such model, its file is refused, or it does not fit the images of the run.
    """
    named = config.detection.model
    if named is None:
        return None
    where, card, arrays = opened_model(config, "change", named, "detection.model")
    stored = StoredChange(card, change_of(arrays, where))
    require_same(
        (
            ("bands", ", ".join(stored.learner.bands), ", ".join(plan.bands)),
            ("sensor of the before date", card.sensor, sensors_of(plan.before)),
        ),
        (card.settings.get("pixel_m", plan.pixel_m), plan.pixel_m),
        where,
        (FIX, f"{FIX}; a run may also set grid.resolution"),
        of="images",
    )
    return stored
