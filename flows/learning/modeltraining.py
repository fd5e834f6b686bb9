"""A land-cover model out of a run's own land-use map, for other runs."""

import datetime as dt
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from configs.errors import InputError
from configs.run import RunConfig
from flows.fitting import STATE_FOLDER
from flows.imagery import season_of, sensors_of
from flows.judging import require_layers
from flows.runner import fitted_aside
from flows.stages import StageContext
from flows.tilejob import States
from models.landcover import LandcoverState, landcover_arrays
from models.modelfile import ModelCard, open_model, require_name, save_model
from tiles.scene import Epoch

__all__ = ["train_landcover"]

NOT_LEARNED = {"enabled", "model", "mode", "split_above_m2"}
"""Settings of land cover that say how a model is used, not how it learns."""


def train_landcover(
    config: RunConfig, folder: Path, *, name: str, created: dt.date
) -> tuple[Path, ModelCard]:
    """Learn the land cover of a run, exactly as its fit stage does, and store it.

    Parameters
    ----------
    config : RunConfig
        A model that it names is not used.
    folder : Path
        Registry of models.
    name : str
    created : date
        Printed on the card.

    Returns
    -------
    path, card

    Raises
    ------
    ConfigError
        If the config names no layers.
    InputError
        If land cover is not enabled, or too little was learned to tell any class.
    """
    require_name(name)
    require_layers(config)
    if not config.landcover.enabled:
        raise InputError(
            "land cover is not enabled", "landcover: in the config", "set landcover.enabled: true"
        )
    own = config.landcover.model_copy(update={"model": None})
    config = config.model_copy(update={"landcover": own})
    with fitted_aside(config) as (context, _):
        state = States.load(context.run.path(STATE_FOLDER)).landcover
        if not state.is_known:
            raise InputError(
                f"nothing was learned: {'; '.join(state.notes) or 'no labelled pixel'}",
                str(config.layers),
                "name a land-use layer (role landuse) that covers the images and has two classes",
            )
        card = _card(context, state, name, created)
    path = save_model(folder, card, landcover_arrays(state))
    return path, replace(card, hash=open_model(path)[0].hash)


def _card(context: StageContext, state: LandcoverState, name: str, created: dt.date) -> ModelCard:
    config, plan = context.config, context.plan
    figures = {f"f1.{c}": score for c, score in zip(state.classes, state.f1, strict=True)}
    figures |= {n: getattr(state, n) for n in ("macro_f1", "macro_f1_map", "kappa")}
    settings = config.landcover.model_dump(mode="json", exclude=NOT_LEARNED)
    return ModelCard(
        name,
        "landcover",
        created,
        data=_data(context, state),
        sensor=sensors_of(plan.before),
        season=season_of(plan),
        bands=state.bands,
        roles=state.roles,
        classes=state.classes,
        features=state.features,
        metrics={n: float(v) for n, v in figures.items() if v is not None},
        settings=settings
        | {"seed": config.seed, "pixel_m": plan.pixel_m, "tuban": version("tuban")},
        notes=state.notes,
    )


def _data(context: StageContext, state: LandcoverState) -> dict[str, Any]:
    """Return what the model learned from: images, map, samples; files by their fingerprints."""
    plan, parts = context.plan, context.plan_key.parts
    files = {n.removeprefix("file "): v for n, v in parts.items() if n.startswith("file ")}
    counts = (("samples", state.sample_counts), ("dropped", state.dropped_counts))
    return {
        "county": [context.config.area.county_code, context.config.area.county_name],
        "before": _epoch(plan.before),
        "after": _epoch(plan.after),
        "files": files,
        "layers": context.layers_fingerprint,
        **{
            name: {c: int(n) for c, n in zip(state.classes, numbers, strict=True) if n}
            for name, numbers in counts
        },
    }


def _epoch(epoch: Epoch) -> dict[str, Any]:
    days = [d.isoformat() if d else None for d in (epoch.civil_from, epoch.civil_to)]
    return {
        "scenes": [s.scene_id for s in epoch.scenes],
        "from": days[0],
        "to": days[1],
        "sensor": sensors_of(epoch),
    }
