"""``tuban model retrain``: a model of verdicts from judged runs, kept only if it is better."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from configs.errors import InputError
from flows.imagery import Imagery, imagery_of_runs
from flows.registering import STORE_NAME
from models.feedback import (
    MIN_EACH,
    FeedbackScores,
    feedback_arrays,
    feedback_of,
    feedback_scores,
    fit_feedback,
    patch_features,
    pseudo_permille,
    spatial_folds,
)
from models.heldlimit import held_limit
from models.modelfile import ModelCard, open_model, save_model
from models.registry import ModelRegistry

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

    from clues.verdicts import SettledVerdicts

__all__ = ["Retrained", "judged_patches_of", "retrain", "settled_verdicts"]

SHOWN = 5
NO_IMAGES = "the runs do not tell their images: runs of images refuse this model"


@dataclass(frozen=True)
class Retrained:
    """What `retrain` did.

    Attributes
    ----------
    path : Path
        The model file; it is there whether the model was promoted or not.
    card : ModelCard
    scores : dict of str to FeedbackScores
        ``none`` (no model), ``in_use`` (where one is), ``new``: all on the same judged patches,
        the new one on blocks of ground that it did not see.
    promoted : bool
    why : str
        Why it is in use now, or is not.
    notes : tuple of str
    """

    path: Path
    card: ModelCard
    scores: dict[str, FeedbackScores]
    promoted: bool
    why: str
    notes: tuple[str, ...]


def settled_verdicts(
    runs: Sequence[Path], sources: Sequence[Path]
) -> "tuple[SettledVerdicts, tuple[str, ...]]":
    """Return one verdict per patch from the sources, by default the stores of the runs.

    Returns
    -------
    verdicts, sources
        The second tells what was read.
    """
    import pandas as pd

    from clues.verdicts import read_verdicts, settle

    chosen = list(sources) or [p for p in (run / STORE_NAME for run in runs) if p.is_file()]
    if not chosen:
        raise InputError(
            "there is no verdict to read",
            ", ".join(str(run) for run in runs),
            f"name files with --verdicts, or runs with a {STORE_NAME}",
        )
    tables = [read_verdicts(path) for path in chosen]
    return settle(pd.concat(tables, ignore_index=True)), tuple(p.name for p in chosen)


def judged_patches_of(runs: Sequence[Path]) -> "gpd.GeoDataFrame":
    """Return the patches of runs in the order of their ids, each once, in one CRS."""
    import geopandas as gpd
    import pandas as pd

    from flows.delivered import judged_patches

    tables: list[gpd.GeoDataFrame] = []
    for run in sorted({r.resolve() for r in runs}):
        table = judged_patches(run)
        tables.append(table if not tables else table.to_crs(tables[0].crs))
    joined = pd.concat(tables, ignore_index=True)
    joined = joined.sort_values("patch_id", kind="stable").drop_duplicates("patch_id")
    return gpd.GeoDataFrame(joined.reset_index(drop=True), crs=tables[0].crs)


def _with_found(patches: "gpd.GeoDataFrame", runs: Sequence[Path]) -> "gpd.GeoDataFrame":
    """Add what imagery found and people edited since: a verdict on it still teaches."""
    import geopandas as gpd
    import pandas as pd

    if "edit" not in patches:
        return patches
    paths = sorted({r.resolve() / "work" / "patches.parquet" for r in runs})
    tables = [gpd.read_parquet(p).to_crs(patches.crs) for p in paths if p.is_file()]
    joined = pd.concat([patches, *tables], ignore_index=True)
    joined = joined.drop_duplicates("patch_id").sort_values("patch_id", kind="stable")
    return gpd.GeoDataFrame(joined.reset_index(drop=True), crs=patches.crs)


def retrain(
    runs: Sequence[Path],
    registry: ModelRegistry,
    *,
    sources: Sequence[Path] = (),
    name: str = "verdicts",
    created: dt.date,
    sure_percent: float | None = None,
    force: bool = False,
) -> Retrained:
    """Learn true against pseudo change from the judged patches of runs; keep what is better.

    Parameters
    ----------
    runs : sequence of Path
        Run folders.
    registry : ModelRegistry
    sources : sequence of Path
        Files of verdicts, see `clues.verdicts.read_verdicts`; by default the stores of the runs.
    name : str
        Of the model.
    created : date
    sure_percent : float, optional
        Limit that the model dismisses from and the printed counts hold for; by default the lowest
        at which it dismisses no real change on ground that it did not see.
    force : bool
        Promote a model that is worse, too.

    Raises
    ------
    InputError
        If verdicts or runs cannot be read, or there are too few to learn from.
    """
    imagery = imagery_of_runs(runs)
    verdicts, read = settled_verdicts(runs, sources)
    patches = _with_found(judged_patches_of(runs), runs)
    known = patches["patch_id"].isin(verdicts.pseudo.keys())
    judged = patches[known.to_numpy()].reset_index(drop=True)
    notes = _notes(verdicts, set(judged["patch_id"]), imagery)
    pseudo = np.array([verdicts.pseudo[p] for p in judged["patch_id"]], np.bool_)
    state, held_out, doubted = fit_feedback(patch_features(judged), pseudo, spatial_folds(judged))
    notes += _named(
        "have verdicts that patches like them contradict: not learned from, look again",
        judged["patch_id"][doubted].tolist(),
    )
    limit = held_limit(held_out, pseudo, doubted)
    limit, parent = limit if sure_percent is None else round(10 * sure_percent), None
    told = {"none": _base_rate(pseudo), "new": held_out}
    asked = np.ones(len(pseudo), np.bool_)
    used = registry.in_use("clues")
    if used is not None:
        card, arrays = open_model(used)
        parent, old = card.hash, feedback_of(arrays, str(used))
        told["in_use"] = pseudo_permille(old, judged)
        asked = _fresh(judged, card, pseudo, notes)
    scores = {
        n: feedback_scores(p[asked], pseudo[asked], 1001 if n == "none" else limit)
        for n, p in told.items()
    }
    card = replace(
        _card(scores, judged, pseudo, imagery, limit),
        name=name,
        created=created,
        features=state.features,
        parent=parent,
        notes=tuple(notes),
    )
    card.data.update(runs=sorted({r.resolve().name for r in runs}), verdicts=sorted(read))
    path = save_model(registry.folder, card, feedback_arrays(state))
    better, why = _better(scores)
    if better or force:
        registry.use(path.stem)
    return Retrained(path, open_model(path)[0], scores, better or force, why, tuple(notes))


def _card(
    scores: dict[str, FeedbackScores],
    judged: "gpd.GeoDataFrame",
    pseudo: Any,
    imagery: Imagery,
    limit: int,
) -> ModelCard:
    """Return what a card says of verdicts, images and figures."""
    new = scores["new"]
    metrics = {
        "brier": new.brier,
        "brier_none": scores["none"].brier,
        "real_lost": float(new.real_lost),
        "pseudo_gone": float(new.pseudo_gone),
    }
    return ModelCard(
        name="verdicts",
        kind="clues",
        created=dt.date.min,
        data={
            "real": int((~pseudo).sum()),
            "pseudo": int(pseudo.sum()),
            "patches": judged["patch_id"].tolist(),
        },
        sensor=imagery.sensor,
        season=imagery.season,
        classes=("real", "pseudo"),
        metrics={n: round(v, 6) for n, v in metrics.items()},
        settings={
            "sure_percent": limit / 10,
            "pixel_m": imagery.pixel_m,
            "code": imagery.code,
            "tuban": version("tuban"),
        },
    )


def _fresh(
    judged: "gpd.GeoDataFrame", card: ModelCard, pseudo: Any, notes: list[str]
) -> "NDArray[np.bool_]":
    """Return the patches that the model in use did not learn from; all where they are too few."""
    fresh = np.asarray(~judged["patch_id"].isin(card.data.get("patches", [])), np.bool_)
    if min(int((fresh & pseudo).sum()), int((fresh & ~pseudo).sum())) >= MIN_EACH:
        if not fresh.all():
            notes.append(f"compared on the {int(fresh.sum())} patches new to the model in use")
        return fresh
    notes.append(
        f"the model in use learned from {int((~fresh).sum())} of these patches itself: "
        "its figures are too good"
    )
    return np.ones(len(fresh), np.bool_)


def _base_rate(pseudo: Any) -> Any:
    """Return what one may say without a model: the share of pseudo-changes, of every patch."""
    return np.full(len(pseudo), round(1000 * float(pseudo.mean())) if len(pseudo) else 0, np.int32)


def _better(scores: dict[str, FeedbackScores]) -> tuple[bool, str]:
    """Tell whether the new model is better than the one in use, or than none, and why."""
    rival = scores.get("in_use", scores["none"])
    of = "the model in use" if "in_use" in scores else "no model"
    new = scores["new"]
    said = f"Brier score {new.brier:.4f} on ground it did not see, {rival.brier:.4f} of {of}"
    if new.brier < rival.brier:
        return True, f"better: {said}"
    return False, f"not better: {said}"


def _notes(verdicts: "SettledVerdicts", judged: set[str], imagery: Imagery) -> list[str]:
    strangers = [p for p in verdicts.pseudo if p not in judged]
    return [
        *([] if imagery.sensor else [NO_IMAGES]),
        *_named("have contradicting verdicts: set aside", verdicts.contradicted),
        *_named("have verdicts that settle nothing", verdicts.open),
        *_named("with a verdict are in none of the runs", strangers),
    ]


def _named(text: str, patches: Sequence[str]) -> list[str]:
    some = ", ".join(patches[:SHOWN]) + (" …" if len(patches) > SHOWN else "")
    return [f"{len(patches)} patches {text}: {some}"] if patches else []
