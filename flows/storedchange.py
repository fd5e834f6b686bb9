"""A model of labelled change in a run: the one a config names, and whether it fits the images."""

from dataclasses import dataclass
from pathlib import Path

from configs.errors import InputError
from configs.run import RunConfig
from flows.imagery import PIXEL_TOLERANCE, sensors_of
from flows.plan import RunPlan
from flows.stored import StoredModel
from models.changelearning import ChangeLearner
from models.learnedchange import change_of
from models.modelfile import ModelCard
from models.registry import ModelRegistry

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
    registry = ModelRegistry(config.models or Path("tuban-models"))
    path, card, arrays = registry.open(named, "change")
    where = f"{path} (detection.model: {named})"
    stored = StoredChange(card, change_of(arrays, where))
    for name, learned, wanted in (
        ("bands", ", ".join(stored.learner.bands), ", ".join(plan.bands)),
        ("sensor of the before date", card.sensor, sensors_of(plan.before)),
    ):
        if learned != wanted:
            raise InputError(
                f"the model does not fit: its {name}: {learned}; of the images: {wanted}",
                where,
                FIX,
            )
    learned_m = float(card.settings.get("pixel_m", plan.pixel_m))
    if abs(learned_m / plan.pixel_m - 1) > PIXEL_TOLERANCE:
        raise InputError(
            f"the model does not fit: it learned on pixels of {learned_m:.3g} m, those of the "
            f"images are {plan.pixel_m:.3g} m",
            where,
            f"{FIX}; a run may also set grid.resolution",
        )
    return stored
