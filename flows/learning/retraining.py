"""``tuban model retrain``: a model of verdicts from judged runs, kept only if it is better."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from configs.errors import InputError
from flows.imagery import Imagery, imagery_of_runs
from flows.learning.comparing import base_rate, compare
from flows.registering import STORE_NAME, has_store, run_verdicts, store_name
from models.feedback import feedback_arrays, fit_feedback, patch_features, spatial_folds
from models.feedbackscores import FeedbackScores, feedback_scores
from models.heldlimit import held_limit
from models.modelfile import ModelCard, open_model, require_name, save_model
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
        ``none`` (no model), ``in_use`` (where one was compared), ``new``: see
        `flows.learning.comparing.compare`.
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

    kept = [] if sources else [run for run in runs if has_store(run)]
    if not sources and not kept:
        raise InputError(
            "there is no verdict to read",
            ", ".join(str(run) for run in runs),
            f"name files with --verdicts, or runs with a {STORE_NAME}",
        )
    tables = [*map(read_verdicts, sources), *map(run_verdicts, kept)]
    names = (*(p.name for p in sources), *(store_name(run) for run in kept))
    return settle(pd.concat(tables, ignore_index=True)), names


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
        at which it dismisses no real change on ground that it did not see, verdicts aside that
        patches like theirs contradict.
    force : bool
        Promote a model that is worse, too.

    Raises
    ------
    InputError
        If verdicts or runs cannot be read, or there are too few to learn from.
    """
    require_name(name)
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
    limit = limit if sure_percent is None else round(10 * sure_percent)
    card = replace(
        _card(held_out, judged, pseudo, imagery, limit),
        name=name,
        created=created,
        features=state.features,
        notes=tuple(notes),
    )
    card.data.update(runs=sorted({r.resolve().name for r in runs}), verdicts=sorted(read))
    path = save_model(registry.folder, card, feedback_arrays(state))
    card = open_model(path)[0]
    done = compare(card, held_out, patches, verdicts.pseudo, registry)
    promoted = done.better or force
    if promoted:
        registry.use(path.stem)
    return Retrained(path, card, done.scores, promoted, done.why, (*notes, *done.notes))


def _card(
    held_out: "NDArray[np.int32]",
    judged: "gpd.GeoDataFrame",
    pseudo: "NDArray[np.bool_]",
    imagery: Imagery,
    limit: int,
) -> ModelCard:
    """Return what a card says of verdicts, images and figures."""
    new = feedback_scores(held_out, pseudo, limit)
    metrics = {
        "brier": new.brier,
        "brier_none": feedback_scores(base_rate(pseudo), pseudo, limit).brier,
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
            "pseudo_patches": judged["patch_id"][pseudo].tolist(),
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
