"""``tuban model train --labels``: a model of change from labelled pairs."""

import datetime as dt
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from configs.errors import InputError
from flows.learning.labelledpairs import PairFacts, read_pairs
from models.changetraining import Trained, learn_change
from models.learnedchange import change_arrays
from models.modelfile import ModelCard, open_model, require_name, save_model

__all__ = ["train_change"]


def train_change(
    labels: Path, folder: Path, *, name: str, created: dt.date, force: bool = False
) -> tuple[Path, ModelCard, Trained]:
    """Learn change from labelled pairs and store the model.

    Parameters
    ----------
    labels : Path
        File of the pairs, see `configs.labelled.LabelledPairs`.
    folder : Path
        Registry of models.
    name : str
    created : date
        Printed on the card.
    force : bool
        Let runs use the model even where the labels do not prove it.

    Raises
    ------
    TubanError
        If a pair cannot be used, or there are too few.
    """
    require_name(name)
    read = read_pairs(labels)
    places = [place for place, _ in read]
    try:
        trained = learn_change(places)
    except InputError as error:
        raise InputError(error.what, str(labels), error.fix) from error
    proven = trained.learner.proven
    learner = replace(trained.learner, proven=proven or force)
    card = _card(name, created, trained, [facts for _, facts in read])
    if still := [place.name for place in places if not place.has_change]:
        card = replace(card, notes=(*card.notes, f"{STILL}: {', '.join(still)}"))
    if force and not proven:
        card = replace(card, notes=(*card.notes, FORCED))
    path = save_model(folder, card, change_arrays(learner))
    return path, open_model(path)[0], replace(trained, learner=learner)


PROVEN = "on places that it had not seen it found more than auto, beyond chance"
UNPROVEN = (
    "on places that it had not seen it did not find more than auto beyond chance: runs with this "
    "model use auto; label more places"
)
FORCED = "runs use it all the same, as asked"
STILL = "places where nothing changed, learned from and not scored"


def _card(name: str, created: dt.date, trained: Trained, facts: list[PairFacts]) -> ModelCard:
    learner, first = trained.learner, facts[0]
    figures = {
        "f1": float(np.mean([p.learned for p in trained.places])),
        "f1_auto": float(np.mean([p.auto for p in trained.places])),
    }
    for place in trained.places:
        figures |= {f"f1.{place.name}": place.learned, f"f1_auto.{place.name}": place.auto}
    return ModelCard(
        name,
        "change",
        created,
        data={"places": {f.name: f.data for f in facts}},
        sensor=first.sensor,
        season="; ".join(sorted({f.season for f in facts})),
        bands=learner.bands,
        classes=("unchanged", "changed"),
        features=learner.names,
        metrics=figures,
        settings={
            "way": learner.way,
            "power": learner.power,
            "threshold": learner.threshold,
            "pixel_m": float(np.median([f.pixel_m for f in facts])),
            "proven": learner.proven,
            "trees": learner.forest.trees,
            "seed": 0,
            "tuban": version("tuban"),
        },
        notes=(PROVEN if learner.proven else UNPROVEN,),
    )
