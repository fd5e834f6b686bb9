"""A stored model in a run: the one that the config names, and whether it fits the run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from configs.errors import InputError
from configs.run import RunConfig
from configs.told import Told
from configs.vocabulary import COVERS
from flows.imagery import run_imagery, same_pixels, sensors_of
from flows.plan import RunPlan
from models.features import band_roles
from models.feedback import FeedbackState, feedback_of
from models.landcover import LandcoverState, landcover_of
from models.modelfile import ModelCard, ModelKind
from models.registry import ModelRegistry

__all__ = [
    "StoredFeedback",
    "StoredLandcover",
    "StoredModel",
    "opened_model",
    "require_same",
    "stored_feedback",
    "stored_landcover",
]


class StoredModel:
    """A stored model in a run."""

    card: ModelCard

    @property
    def record(self) -> dict[str, Any]:
        """What ``run.json`` and the manifest say of it."""
        card = self.card
        return {
            "kind": card.kind,
            "name": card.name,
            "hash": card.hash,
            "created": card.created.isoformat(),
            "sensor": card.sensor,
            "season": card.season,
        }


@dataclass(frozen=True)
class StoredLandcover(StoredModel):
    """A land-cover model out of its file."""

    card: ModelCard
    state: LandcoverState


@dataclass(frozen=True)
class StoredFeedback(StoredModel):
    """A model of verdicts out of its file.

    Attributes
    ----------
    doubt : Told or None
        Why it may be wrong about the patches of this run though it fits the images.
    """

    card: ModelCard
    state: FeedbackState
    doubt: Told | None = None

    def limit(self, asked: float | None) -> int:
        """Return the probability in 1/1000 from which it dismisses: as asked, or its own."""
        return round(10 * (self.card.settings["sure_percent"] if asked is None else asked))


def opened_model(
    config: RunConfig, kind: ModelKind, named: str, key: str
) -> tuple[str, ModelCard, dict[str, NDArray[Any]]]:
    """Open the model that a config names.

    Parameters
    ----------
    config : RunConfig
    kind : str
        What it must be.
    named : str
        As `ModelRegistry.open` takes it.
    key : str
        Where the config names it, such as ``landcover.model``.

    Returns
    -------
    str, ModelCard, dict of str to ndarray
        Where it is, for errors; its card and arrays.

    Raises
    ------
    InputError
        If there is none, it is refused, or it is of another kind.
    """
    registry = ModelRegistry(config.models or Path("tuban-models"))
    path, card, arrays = registry.open(named, kind)
    return f"{path} ({key}: {named})", card, arrays


def require_same(
    compared: Sequence[tuple[str, str, str]],
    pixels_m: tuple[Any, float],
    where: str,
    fixes: tuple[str, str],
    *,
    of: str = "run",
) -> None:
    """Refuse a model that learned from other images.

    Parameters
    ----------
    compared : sequence of (str, str, str)
        What is compared, as the model has it, as the images have it.
    pixels_m : tuple of float
        Pixel size that it learned on, and that of the images.
    where : str
    fixes : tuple of str
        Where something compared differs, and where the pixel size does.
    of : {"run", "images"}
        What the model is to serve.

    Raises
    ------
    InputError
    """
    for name, learned, wanted in compared:
        if learned != wanted:
            raise InputError(
                f"the model does not fit: its {name}: {learned or 'not told'}; of the {of}: "
                f"{wanted}",
                where,
                fixes[0],
            )
    learned_m, wanted_m = pixels_m
    known = isinstance(learned_m, int | float)
    if not known or not same_pixels(learned_m, wanted_m):
        told = f"{learned_m:.3g} m" if known else "a size that it does not tell"
        raise InputError(
            f"the model does not fit: it learned on pixels of {told}, those of the {of} are "
            f"{wanted_m:.3g} m",
            where,
            fixes[1],
        )


def stored_feedback(config: RunConfig, plan: RunPlan) -> StoredFeedback | None:
    """Return the model of verdicts that a config names; None where it names none.

    Raises
    ------
    InputError
        If there is no such model, its file is refused, or it learned from patches of other images.
    """
    named = config.feedback.model
    if named is None:
        return None
    where, card, arrays = opened_model(config, "clues", named, "feedback.model")
    own = card.settings.get("sure_percent")
    if not isinstance(own, int | float) or not 50 <= own <= 100:
        raise InputError(
            f"its card gives {own!r} as the percent from which it is sure",
            where,
            "use the file as `tuban model retrain` wrote it",
        )
    stored = StoredFeedback(card, feedback_of(arrays, where))
    return replace(stored, doubt=_doubt(card, plan, where))


def _doubt(card: ModelCard, plan: RunPlan, where: str) -> Told | None:
    """Refuse a model of verdicts on other images; doubt one whose patches other code measured."""
    own = run_imagery(plan)
    fix = (
        "make one with `tuban model retrain` from runs of such images, or leave feedback.model out"
    )
    require_same(
        [("sensor of the before date", card.sensor, own.sensor)],
        (card.settings.get("pixel_m"), own.pixel_m),
        where,
        (fix, fix),
    )
    if card.settings.get("code") == own.code:
        return None
    return Told(
        f"核实认定模型 {card.label} 由其他版本的程序学得，图斑指标的算法可能不同，请重新学习",
        f"another version of the program made the model of verdicts {card.label}: it may measure "
        "patches otherwise, learn it anew",
    )


def stored_landcover(config: RunConfig, plan: RunPlan) -> StoredLandcover | None:
    """Return the land-cover model that a config names; None where the run learns its own.

    Raises
    ------
    InputError
        If there is no such model, its file is refused, or it does not fit the images of the run.
    """
    named = config.landcover.model
    if named is None:
        return None
    where, card, arrays = opened_model(config, "landcover", named, "landcover.model")
    stored = StoredLandcover(card, landcover_of(arrays, where))
    _require_fit(stored, plan, where)
    return stored


def _require_fit(stored: StoredLandcover, plan: RunPlan, where: str) -> None:
    card, state = stored.card, stored.state
    card, state = stored.card, stored.state
    roles = band_roles(plan.bands)
    if state.roles == band_roles(plan.bands, plan.wavelengths):
        roles = state.roles
    require_same(
        (
            ("bands", ", ".join(state.bands), ", ".join(plan.bands)),
            ("roles of the bands", ", ".join(state.roles), ", ".join(roles)),
            ("land-cover classes", ", ".join(state.classes), ", ".join(COVERS)),
            ("sensor of the before date", card.sensor, sensors_of(plan.before)),
        ),
        (card.settings.get("pixel_m", plan.pixel_m), plan.pixel_m),
        where,
        (
            "train one with `tuban model train` on a run of these images, or leave "
            "landcover.model out: the run then learns from its own land-use map",
            "train one on a run of this pixel size, or set grid.resolution",
        ),
    )
