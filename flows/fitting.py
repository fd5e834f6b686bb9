"""The gate and fit stages: registration and its gate, then everything fitted on sample cells."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from configs.vocabulary import COVERS
from detect.auto import fit_change
from detect.normalise import Radiometry, apply_radiometry, fit_radiometry
from detect.score import halo_px
from flows.tilejob import STATE_CLASSES, States
from models.features import HALO
from models.landcover import LandcoverState
from models.samples import SampleTable, cap_samples, draw_samples, join_dates
from models.training import fit_landcover
from tiles.block import Block
from tiles.coregister import Registration, estimate_registration
from tiles.files import atomic_path
from tiles.gate import GateCheck, gate_report, require_gate
from tiles.grid import Extent, sample_cells
from tiles.labels import burn_labels
from tiles.pairgrid import overlap_percent, resolution_ratio
from tiles.state import load_states, save_states

if TYPE_CHECKING:
    from clues.layers import LayerTable
    from flows.stages import StageContext

__all__ = ["STATE_FOLDER", "fit_states", "open_gate", "registration_of"]

log = logging.getLogger(__name__)

STATE_FOLDER = "work/states"
GATE_FOLDER = "work/gate"
GATE_CELLS = 16
"""Cells whose windows are matched: enough for hundreds of windows."""


def registration_of(context: "StageContext") -> Registration:
    """Return the registration that the gate stage left."""
    states = load_states(context.run.path(GATE_FOLDER), {"registration": Registration})
    found: Registration = states["registration"]
    return found


def open_gate(context: "StageContext") -> tuple[list[Path], dict[str, Any]]:
    """Register the pair on sample cells and let it through the gate.

    Returns
    -------
    files, values
        For the manifest.

    Raises
    ------
    PairRefused
        Naming each check that failed, its number, limit and remedy.
    """
    plan, gate = context.plan, context.config.gate
    cells = sample_cells(plan.extent, context.config.seed)[:GATE_CELLS]
    with plan.reader() as reader:
        blocks = [reader.read(cell) for cell in cells]
    found = Registration(0.0, 0.0, 0, 0, float("nan"))
    corrected = found
    if gate.register_pair:
        found = estimate_registration(blocks, max_shift_px=gate.max_shift_px)
        corrected = found
        if found.length_px > 0:
            with plan.reader(found) as reader:
                blocks = [reader.read(cell) for cell in cells]
            corrected = estimate_registration(blocks, max_shift_px=gate.max_shift_px)
    checks = gate_report(
        plan.before,
        plan.after,
        bands=plan.bands,
        overlap_percent=overlap_percent(plan.before, plan.after, plan.grid),
        valid_percent=_valid_percent(blocks),
        resolution_ratio=resolution_ratio(plan.before, plan.after, plan.grid),
        found=found,
        corrected=corrected,
        blocks=blocks,
        max_residual_px=gate.max_residual_px,
        max_shift_px=gate.max_shift_px,
        min_overlap_percent=gate.min_overlap_percent,
    )
    quality = context.run.path("quality", "gate.json")
    with atomic_path(quality) as part:
        values = {"checks": [asdict(c) for c in checks], "registration": asdict(found)}
        part.write_text(json.dumps(values, indent=1, ensure_ascii=False), encoding="utf-8")
    require_gate(checks)
    save_states(context.run.path(GATE_FOLDER), {"registration": found})
    folder = context.run.path(GATE_FOLDER)
    return [quality, folder / "state.json", folder / "state.npz"], _gate_values(checks, found)


def _valid_percent(blocks: Sequence[Block]) -> float:
    valid = sum(int(b.valid.sum()) for b in blocks)
    return 100.0 * valid / sum(b.valid.size for b in blocks)


def _gate_values(checks: Sequence[GateCheck], found: Registration) -> dict[str, Any]:
    return {"shift_px": [round(found.dy, 3), round(found.dx, 3)]} | {
        check.name: check.value for check in checks
    }


def fit_states(context: "StageContext") -> tuple[list[Path], dict[str, Any]]:
    """Fit radiometry, change statistic and land cover, or take over the states handed in.

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
    folder = context.run.path(STATE_FOLDER)
    save_states(folder, {name: getattr(states, name) for name in STATE_CLASSES})
    values = {
        "hash": states.hash,
        "change": list(states.change.notes),
        "landcover_macro_f1": states.landcover.macro_f1,
        "landcover_notes": list(states.landcover.notes),
    }
    return [folder / "state.json", folder / "state.npz"], values


def _fitted(context: "StageContext", registration: Registration) -> States:
    plan, detection = context.plan, context.config.detection
    halo = max(halo_px(detection.method, plan.pixel_m), HALO)
    cells = sample_cells(plan.extent, context.config.seed)
    with plan.reader(registration) as reader:
        blocks = [reader.read(cell, halo) for cell in cells]
    radiometry = fit_radiometry(blocks)
    change = fit_change(
        blocks,
        method=detection.method,
        sensitivity=detection.sensitivity,
        target=detection.target,
        pixel_m=plan.pixel_m,
        wavelengths=plan.wavelengths,
    )
    for note in change.notes:
        log.info("%s", note)
    landcover = _landcover(context, blocks, radiometry)
    return States(registration, radiometry, change, landcover)


def _landcover(
    context: "StageContext", blocks: Sequence[Block], radiometry: Radiometry
) -> LandcoverState:
    """Fit the forest on the run's own land-use map; without a map it knows nothing.

    It learns from both dates: most of the map still holds at the later one, and a forest that saw
    one season only takes the crops of another for something else. Where the map is outdated the
    cleaning of the samples drops it.
    """
    config, plan = context.config, context.plan
    settings = config.landcover
    landuse = _landuse(context) if settings.enabled else None
    tables: tuple[list[SampleTable], list[SampleTable]] = ([], [])
    for block in blocks:
        labels = (
            np.zeros(block.extent.shape, np.int16)
            if landuse is None
            else _label_cell(landuse, context, block.extent)
        )
        later = replace(block, before=apply_radiometry(block, radiometry).after)
        for date, image in enumerate((block, later)):
            tables[date].append(
                draw_samples(image, labels, erode_px=settings.erode_px, seed=config.seed)
            )
    return fit_landcover(
        join_dates([cap_samples(t, settings.samples_per_class, config.seed) for t in tables]),
        classes=COVERS,
        bands=plan.bands,
        trees=settings.trees,
        max_depth=settings.max_depth,
        seed=config.seed,
    )


def _landuse(context: "StageContext") -> "LayerTable | None":
    from clues.layers import read_onemap

    if context.config.layers is None:
        return None
    onemap = read_onemap(context.config.layers, crs=context.plan.grid.crs)
    return onemap.layers.get("landuse")


def _label_cell(
    landuse: "LayerTable", context: "StageContext", extent: Extent
) -> NDArray[np.int16]:
    """Burn the covers of the land-use map that meet an extent; 0 where it tells none."""
    import shapely

    grid = context.plan.grid
    table = landuse.table
    near = np.sort(table.sindex.query(shapely.box(*grid.bounds(extent))))
    number = {cover: i + 1 for i, cover in enumerate(COVERS)}
    covers = [number.get(c, 0) for c in table["cover"].iloc[near]]
    labels = np.array(covers, np.int16)
    known = labels > 0
    shapes = table.geometry.to_numpy()[near][known]
    return burn_labels(shapes, labels[known], grid, extent)
