"""The gate and fit stages: what the driver hands to a worker, and what it keeps of the answer."""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from configs.errors import RunError
from configs.sensors import sensor_spec
from configs.told import Told
from configs.vocabulary import COVERS
from flows.fitjob import Alignment, FitJob, GateJob, LabelShapes, fit_pair, gate_pair
from flows.opening import Opening
from flows.tilejob import STATE_CLASSES, States
from flows.workers import work_once
from tiles.cloudmap import CloudMap, write_cloud_map
from tiles.clouds import NEEDED
from tiles.files import write_json
from tiles.gate import GateCheck, require_gate
from tiles.registration import Registration
from tiles.state import load_states, save_states

if TYPE_CHECKING:
    from flows.stages import StageContext

__all__ = [
    "STATE_FOLDER",
    "clouds_not_searched",
    "clouds_of",
    "fit_states",
    "hand_over",
    "label_shapes",
    "open_gate",
    "registration_of",
]

log = logging.getLogger(__name__)

STATE_FOLDER = "work/states"
GATE_FOLDER = "work/gate"
HANDED_GATE = "gate"
"""Folder of registration and clouds in the states that `tuban fit` hands over."""


def registration_of(context: "StageContext") -> Registration:
    """Return the registration that the gate stage left."""
    states = load_states(context.run.path(GATE_FOLDER), {"registration": Registration})
    found: Registration = states["registration"]
    return found


def clouds_of(context: "StageContext") -> CloudMap | None:
    """Return the clouds that the gate stage found, None where it did not look for any."""
    states = load_states(context.run.path(GATE_FOLDER), {"clouds": CloudMap})
    found: CloudMap | None = states.get("clouds")
    return found


def clouds_not_searched(context: "StageContext") -> Told | None:
    """Return why clouds were not searched at a date that needs it, for the report; else None.

    Radar sees through clouds.
    """
    plan = context.plan
    wanted = plan.cloud_dates(context.config.clouds.search)
    needed = any(
        sensor_spec(scene.sensor).kind == "optical"
        for epoch, searched in zip((plan.before, plan.after), wanted, strict=True)
        for scene in epoch.scenes
        if searched
    )
    if not needed or clouds_of(context) is not None:
        return None
    if all(name in plan.bands for name in NEEDED):
        return Told(
            "未检测云：影像没有可用像元，或数值没有明暗对比",
            "clouds not searched: no usable pixel, or values without contrast",
        )
    return Told(
        "未检测云：两期没有共同的蓝、红、近红外波段",
        "clouds not searched: blue, red and near infrared are not there at both dates",
    )


def open_gate(context: "StageContext") -> tuple[list[Path], dict[str, Any]]:
    """Let a worker register the pair, and let the pair through the gate.

    Returns
    -------
    files, values
        For the manifest.

    Raises
    ------
    PairRefused
        Naming each check that failed, its number, limit and remedy.
    """
    config = context.config
    job = GateJob(context.plan, config.gate, config.seed, config.clouds, _handed_gate(context))
    aligned, checks = work_once(
        gate_pair, job, scheduler=context.options.scheduler, memory=context.options.memory
    )
    found, clouds = aligned.registration, aligned.clouds
    assert found is not None
    quality = context.run.path("quality", "gate.json")
    write_json(quality, {"checks": [asdict(c) for c in checks], "registration": asdict(found)})
    require_gate(checks)
    if context.config.gate.register_pair and any(
        c.name == "shift" and c.value is None for c in checks
    ):
        log.warning("the displacement between the dates could not be measured: nothing corrected")
    folder = context.run.path(GATE_FOLDER)
    save_states(folder, {"registration": found} | ({"clouds": clouds} if clouds else {}))
    files = [quality, folder / "state.json", folder / "state.npz"]
    if clouds is not None:
        files.append(context.run.path("quality", "clouds.tif"))
        write_cloud_map(files[-1], clouds, context.plan.grid)
    return files, _gate_values(checks, found)


def hand_over(context: "StageContext", folder: Path) -> None:
    """Copy the fitted states of a run, with its registration and clouds, for other runs."""
    run = context.run
    shutil.copytree(run.path(STATE_FOLDER), folder, dirs_exist_ok=True)
    shutil.copytree(run.path(GATE_FOLDER), folder / HANDED_GATE, dirs_exist_ok=True)


def _handed_gate(context: "StageContext") -> Alignment | None:
    """Return registration and clouds of the states handed in, for a run by county; else None.

    Counties that each register for themselves find displacements that differ by hundredths of a
    pixel: enough for other patches. Another run may be of another pair, and looks for itself.
    """
    handed = context.options.state
    if handed is None or context.plan.counties is None:
        return None
    states = load_states(handed / HANDED_GATE, {"registration": Registration, "clouds": CloudMap})
    return Alignment(states["registration"], states.get("clouds"))


def _gate_values(checks: Sequence[GateCheck], found: Registration) -> dict[str, Any]:
    return {"shift_px": [round(found.dy, 3), round(found.dx, 3)]} | {
        check.name: check.value for check in checks
    }


def fit_states(context: "StageContext") -> tuple[list[Path], dict[str, Any]]:
    """Let a worker fit radiometry, change and land cover, or take over the states handed in.

    The land cover of a stored model comes instead of either.

    Returns
    -------
    files, values
        For the manifest.
    """
    registration = registration_of(context)
    if context.options.state is not None:
        handed = load_states(context.options.state, STATE_CLASSES)
        states = States(**handed | {"registration": registration})
    else:
        states = _fitted(context, registration)
    stored = context.stored
    if stored is not None:
        states = replace(states, landcover=stored.state)
    states = _with_models(context, states)
    net, model = context.net, context.change_model
    folder = context.run.path(STATE_FOLDER)
    save_states(folder, {name: getattr(states, name) for name in STATE_CLASSES})
    values: dict[str, Any] = {
        "hash": states.hash,
        "change": list(states.change.notes),
        "landcover_macro_f1": states.landcover.macro_f1,
        "landcover_notes": list(states.landcover.notes),
    }
    if stored is not None:
        values["landcover_model"] = stored.record
    if net is not None:
        values["net"] = net.record
    if model is not None:
        values["change_model"] = model.record
    return [folder / "state.json", folder / "state.npz"], values


def _with_models(context: "StageContext", states: States) -> States:
    """Return the states with the net in them, and with the notes of what scores change.

    Raises
    ------
    RunError
        If the states that were handed in were not fitted with the model that the config names.
    """
    from flows.seriesmarks import marks_of

    net, model = context.net, context.change_model
    if model is not None and states.learned.model != model.card.hash:
        raise RunError(
            f"the fitted states were made without the model {model.card.label}",
            f"{context.options.state} (detection.model: {context.config.detection.model})",
            "make them anew with `tuban fit` and this config, or leave detection.model out",
        )
    notes = states.learned.notes if states.learned.model else ()
    if model is not None:
        notes = (f"model of change: {model.card.label}", *notes)
    if net is not None:
        notes = (f"change is scored by the net {net.card.label}, not by {states.change.method}",)
        states = replace(states, net=net.state)
    if (version := Opening.of(context.run.folder).series) is not None:
        marks = marks_of(Path(version), context.plan)
        notes = (f"change is told by the monitor {marks.name}, not by {states.change.method}",)
        states = replace(states, marks=marks)
    if not (net is not None or states.learned.scores_change or states.marks.is_there):
        notes = (*notes, *states.change.notes)
    return replace(states, change=replace(states.change, notes=tuple(dict.fromkeys(notes))))


def _fitted(context: "StageContext", registration: Registration) -> States:
    config, options = context.config, context.options
    job = FitJob(context.plan, registration, config.detection, config.landcover, config.seed)
    job = replace(job, clouds=clouds_of(context))
    if (model := context.change_model) is not None:
        job = replace(job, learner=model.learner, model=model.card.hash)
    if config.landcover.enabled and config.layers is not None and context.stored is None:
        job = replace(job, shapes=label_shapes(config.layers, job))
    states = work_once(fit_pair, job, scheduler=options.scheduler, memory=options.memory)
    for note in states.change.notes:
        log.info("%s", note)
    return states


def label_shapes(layers: Path, job: FitJob) -> LabelShapes | None:
    """Return the outlines of the land-use map with a known cover where samples are drawn.

    Parameters
    ----------
    layers : Path
        LAYERS.yaml.
    job : FitJob

    Returns
    -------
    LabelShapes or None
        None without a land-use layer.
    """
    import shapely

    from clues.layers import read_onemap

    grid = job.plan.grid
    landuse = read_onemap(layers, crs=grid.crs, only={"landuse"}).layers.get("landuse")
    if landuse is None:
        return None
    number = {cover: i + 1 for i, cover in enumerate(COVERS)}
    labels = np.array([number.get(c, 0) for c in landuse.table["cover"]], np.int16)
    boxes = [shapely.box(*grid.bounds(extent)) for extent in job.extents()]
    near = np.unique(landuse.table.sindex.query(boxes)[1])
    near = near[labels[near] > 0]
    return LabelShapes(landuse.table.geometry.to_numpy()[near], labels[near])
