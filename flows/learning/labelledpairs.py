"""Labelled pairs of people, read as a run reads its images: registered, clouds left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError, TubanError
from configs.labelled import LabelledPair, LabelledPairs
from configs.loading import validated
from configs.run import RunConfig
from flows.fitting import clouds_of, registration_of
from flows.imagery import same_pixels, season_of, sensors_of
from flows.plan import RunPlan, area_of_interest, make_plan
from flows.runner import aligned_aside
from models.changelearning import pair_halo
from models.changetraining import LabelledPlace, open_place
from tiles.files import fingerprint
from tiles.labelraster import CHANGED, UNCHANGED, UNKNOWN, read_label_raster
from tiles.labels import burn_labels
from tiles.rasters import SUFFIXES, inspect_raster

__all__ = ["PairFacts", "read_pairs"]

MOST_PAIR_PX, MOST_ALL_PX = 4 << 20, 24 << 20
"""Most pixels of a pair and of all pairs: they are held in memory, about 100 bytes a pixel."""


@dataclass(frozen=True)
class PairFacts:
    """What is known of a pair besides its pixels.

    Attributes
    ----------
    name, sensor, season : str
    bands : tuple of str
    pixel_m : float
    pixels : int
    data : dict
        For the card: fingerprints, dates, labelled pixels.
    """

    name: str
    sensor: str
    season: str
    bands: tuple[str, ...]
    pixel_m: float
    pixels: int
    data: dict[str, Any]


def read_pairs(file: Path) -> list[tuple[LabelledPlace, PairFacts]]:
    """Read all pairs of a file.

    Parameters
    ----------
    file : Path
        See `configs.labelled.LabelledPairs`.

    Raises
    ------
    TubanError
        If a pair cannot be read or is refused by the gate, is too large, or is of another sensor,
        pixel size or other bands than the first.
    """
    wanted = LabelledPairs.load(file)
    found: list[tuple[LabelledPlace, PairFacts]] = []
    for pair in wanted.pairs:
        where = f"{file}, pair {pair.name}"
        try:
            found.append(_read(wanted, pair, [facts for _, facts in found]))
        except TubanError as error:
            raise InputError(error.what, f"{where}: {error.where}", error.fix) from error
    return found


def _read(
    wanted: LabelledPairs, pair: LabelledPair, others: Sequence[PairFacts]
) -> tuple[LabelledPlace, PairFacts]:
    config = _config(wanted, pair)
    plan = make_plan(config)
    facts = _facts(pair, plan)
    _require_size(plan, sum(other.pixels for other in others))
    for first in others[:1]:
        _require_alike(facts, first)
    labels = _labels(pair, plan)
    with aligned_aside(config) as context:
        reader = context.plan.reader(registration_of(context), clouds_of(context))
        with reader:
            block = reader.read(plan.extent, pair_halo(plan.pixel_m))
    place = open_place(pair.name, block, labels, pixel_m=plan.pixel_m, wavelengths=plan.wavelengths)
    for kind, code in (("changed", CHANGED), ("unchanged", UNCHANGED)):
        facts.data[kind] = int((labels == code).sum())
    return place, facts


def _config(wanted: LabelledPairs, pair: LabelledPair) -> RunConfig:
    return validated(
        RunConfig,
        {
            "name": "labelled",
            "before": {"scenes": pair.before},
            "after": {"scenes": pair.after},
            "sensor": wanted.sensor,
            "grid": {"crs": wanted.crs},
            "gate": wanted.gate.model_dump(),
            "landcover": {"enabled": False},
        },
        f"pair {pair.name}",
    )


def _require_size(plan: RunPlan, others: int) -> None:
    if plan.pixels > MOST_PAIR_PX or plan.pixels + others > MOST_ALL_PX:
        raise InputError(
            f"the pair has {plan.pixels / 1e6:.1f} million pixels, the ones before it "
            f"{others / 1e6:.1f}; {MOST_PAIR_PX / 1e6:.1f} each and {MOST_ALL_PX / 1e6:.1f} in all "
            "can be held",
            "images",
            "cut the images to what was labelled, or into several places",
        )


def _facts(pair: LabelledPair, plan: RunPlan) -> PairFacts:
    data: dict[str, Any] = {
        "scenes": [s.scene_id for e in (plan.before, plan.after) for s in e.scenes],
    }
    if pair.labels is not None and pair.labels.is_file():
        data["labels"] = fingerprint(pair.labels)
    for name, epoch in (("before", plan.before), ("after", plan.after)):
        data[name] = epoch.civil_to.isoformat() if epoch.civil_to else None
    return PairFacts(
        pair.name,
        sensors_of(plan.before),
        season_of(plan),
        plan.bands,
        plan.pixel_m,
        plan.pixels,
        data,
    )


def _require_alike(facts: PairFacts, first: PairFacts) -> None:
    compared = (
        ("bands", ", ".join(facts.bands), ", ".join(first.bands)),
        ("sensor of the before date", facts.sensor, first.sensor),
    )
    for name, own, other in compared:
        if own != other:
            raise InputError(
                f"the {name}: {own}; of the pair {first.name}: {other}",
                "images",
                "learn from pairs of one sensor with the same bands; write a file for each",
            )
    if not same_pixels(facts.pixel_m, first.pixel_m):
        raise InputError(
            f"its pixels are {facts.pixel_m:.3g} m, those of the pair {first.name} "
            f"{first.pixel_m:.3g} m",
            "images",
            "learn from pairs of one pixel size; write a file for each",
        )


def _labels(pair: LabelledPair, plan: RunPlan) -> NDArray[np.uint8]:
    """Return the labels on the extent of a plan."""
    grid, extent = plan.grid, plan.extent
    if pair.labels is None:
        labels = np.full(extent.shape, UNCHANGED, np.uint8)
    elif pair.labels.suffix.lower() in SUFFIXES and pair.labels.is_file():
        scene = plan.before.scenes[0]
        labels = read_label_raster(
            pair.labels,
            grid,
            extent,
            changed=pair.changed,
            unchanged=pair.unchanged,
            image=inspect_raster(scene.bands[plan.bands[0]].path),
        )
    elif not pair.changed:
        raise InputError(
            "changed: [] says that nothing changed, and the labels are outlines of what changed",
            str(pair.labels),
            "leave out one of the two",
        )
    else:
        burnt = _burnt(pair.labels, plan)
        labels = np.where(burnt, CHANGED, UNCHANGED).astype(np.uint8)
    if pair.area is not None:
        labels[~_burnt(pair.area, plan)] = UNKNOWN
    return labels


def _burnt(path: Path, plan: RunPlan) -> NDArray[np.bool_]:
    shape = np.array([area_of_interest(path, plan.grid.crs)], dtype=object)
    return np.asarray(burn_labels(shape, np.ones(1, np.int16), plan.grid, plan.extent) > 0)
