"""A new model of verdicts against the one in use: on patches that neither of them learned from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from configs.errors import InputError
from models.feedback import (
    MIN_EACH,
    FeedbackState,
    feedback_of,
    fit_feedback,
    patch_features,
    pseudo_permille,
    spatial_folds,
)
from models.feedbackscores import FeedbackScores, feedback_scores
from models.modelfile import ModelCard, open_model
from models.registry import ModelRegistry

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

__all__ = ["Comparison", "base_rate", "compare"]

MOST_MISSING = 0.1
"""Share of the patches that the model in use learned from that may lie in none of the runs."""

NOT_READ = "not compared with the model in use, which cannot be opened"
WORSE_THAN_NONE = (
    "no model is better than the one in use on these verdicts: look at the verdicts again, or take "
    "`feedback` out of the configs"
)
REGROWN = "compared on ground that neither had seen: the model in use was grown again without it"


@dataclass(frozen=True)
class Comparison:
    """How a new model compares with the one in use, or with none.

    Attributes
    ----------
    scores : dict of str to FeedbackScores
        ``none``, ``new``, and ``in_use`` where it was compared; all on the same patches.
    better : bool
        False too where the two cannot be compared.
    why : str
    notes : tuple of str
    """

    scores: dict[str, FeedbackScores]
    better: bool
    why: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Asked:
    """Probabilities on the same patches, and what people found there."""

    pseudo: "NDArray[np.bool_]"
    new: "NDArray[np.int32]"
    in_use: "NDArray[np.int32] | None" = None
    note: str = ""


def compare(
    card: ModelCard,
    held_out: "NDArray[np.int32]",
    patches: "gpd.GeoDataFrame",
    verdicts: Mapping[str, bool],
    registry: ModelRegistry,
) -> Comparison:
    """Compare a new model with the one in use.

    A model is right about what it learned from, so its figures there say nothing. Both are asked
    about patches that are new to the one in use, the new model on blocks of ground that it did not
    see. Where there are too few, the one in use is grown again from its own verdicts, without the
    block that it is asked about.

    Parameters
    ----------
    card : ModelCard
        Of the new model.
    held_out : ndarray of int32
        See `models.feedback.Fitted`; of the patches with a verdict, in their order.
    patches : GeoDataFrame
        All patches of the runs, in the order of their ids.
    verdicts : mapping of str to bool
        Whether people found a pseudo-change, by patch.
    registry : ModelRegistry
    """
    limit = round(10 * card.settings["sure_percent"])
    judged = patches[patches["patch_id"].isin(verdicts.keys()).to_numpy()]
    pseudo = np.array([verdicts[p] for p in judged["patch_id"]], np.bool_)
    alone = _Asked(pseudo, held_out)
    try:
        used = registry.in_use("clues")
        found = None if used is None else open_model(used)
        state = None if found is None else feedback_of(found[1], str(used))
    except InputError as error:
        return _judged(alone, limit, (f"{NOT_READ}: {error.what}",))
    if found is None or state is None:
        return _judged(alone, limit)
    if found[0].hash == card.hash:
        return Comparison(_scores(alone, limit), True, "it is the model in use")
    asked = _fresh(alone, judged, found[0], state) or _regrown(alone, patches, verdicts, found[0])
    if asked is None:
        return Comparison(
            _scores(alone, limit),
            False,
            "not compared: the model in use learned from patches that are in none of the runs, and "
            "too few are new to it; give its runs too",
        )
    return _judged(asked, limit, (asked.note,) if asked.note else ())


def base_rate(pseudo: "NDArray[np.bool_]") -> "NDArray[np.int32]":
    """Return what one may say without a model: the share of pseudo-changes, of every patch."""
    return np.full(len(pseudo), round(1000 * float(pseudo.mean())) if len(pseudo) else 0, np.int32)


def _fresh(
    alone: _Asked, judged: "gpd.GeoDataFrame", used: ModelCard, state: FeedbackState
) -> _Asked | None:
    """Ask both about the patches that are new to the model in use; None where they are too few."""
    fresh = ~judged["patch_id"].isin(_learned(used).keys()).to_numpy()
    pseudo = alone.pseudo[fresh]
    if min(int(pseudo.sum()), int((~pseudo).sum())) < MIN_EACH:
        return None
    note = "" if fresh.all() else f"compared on the {len(pseudo)} patches new to the model in use"
    return _Asked(pseudo, alone.new[fresh], pseudo_permille(state, judged[fresh]), note)


def _regrown(
    alone: _Asked, patches: "gpd.GeoDataFrame", verdicts: Mapping[str, bool], used: ModelCard
) -> _Asked | None:
    """Ask both about all judged patches, each grown without the block that it is asked about."""
    old = _learned(used)
    mine, theirs = (patches["patch_id"].isin(v.keys()).to_numpy() for v in (verdicts, old))
    if int(theirs.sum()) < (1 - MOST_MISSING) * len(old):
        return None
    rows = patches[mine | theirs].reset_index(drop=True)
    mine, theirs = mine[mine | theirs], theirs[mine | theirs]
    x, fold = patch_features(rows), spatial_folds(rows)

    def grown(told: Mapping[str, bool], learn: "NDArray[np.bool_]") -> "NDArray[np.int32]":
        pseudo = np.array([told.get(p, False) for p in rows["patch_id"]], np.bool_)
        held_out: NDArray[np.int32] = fit_feedback(x, pseudo, fold, learn=learn).held_out[mine]
        return held_out

    try:
        new = alone.new if mine.all() else grown(verdicts, mine)
        return _Asked(alone.pseudo, new, grown(old, theirs), REGROWN)
    except InputError:  # too few of them are left, or in one block
        return None


def _learned(card: ModelCard) -> dict[str, bool]:
    """Return the verdicts that a model learned from, by patch; the card may be of anywhere."""
    patches, pseudo = (card.data.get(name) for name in ("patches", "pseudo_patches"))
    if not isinstance(patches, list) or not isinstance(pseudo, list):
        return {}
    told = {str(p) for p in pseudo}
    return {str(p): str(p) in told for p in patches}


def _scores(asked: _Asked, limit: int) -> dict[str, FeedbackScores]:
    """Return the scores of what was asked; without a model nothing is dismissed."""
    found = {"none": feedback_scores(base_rate(asked.pseudo), asked.pseudo, 1001)}
    if asked.in_use is not None:
        found["in_use"] = feedback_scores(asked.in_use, asked.pseudo, limit)
    return found | {"new": feedback_scores(asked.new, asked.pseudo, limit)}


def _judged(asked: _Asked, limit: int, notes: tuple[str, ...] = ()) -> Comparison:
    """Tell whether the new model is better than the one in use and than none, and why."""
    scores = _scores(asked, limit)
    new, none, used = scores["new"], scores["none"], scores.get("in_use")
    of, rival = "no model", none
    if used is not None and used.brier <= none.brier:
        of, rival = "the model in use", used
    said = f"Brier score {new.brier:.4f} on ground it did not see, {rival.brier:.4f} of {of}"
    better = new.brier < rival.brier
    if used is not None and of == "no model" and not better:
        notes += (WORSE_THAN_NONE,)
    return Comparison(scores, better, f"{'better' if better else 'not better'}: {said}", notes)
