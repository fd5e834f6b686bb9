"""The stages of a run in order, what each depends on, and what it leaves in the run folder.

A stage asks the manifest first: a product made from the same inputs, settings and code is reused.
The same functions run under Prefect (`flows.annual`) and plainly (``--plain``).
"""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.errors import DamagedImage, RasterError
from configs.told import Told
from flows.aside import require_whole
from flows.environment import give_back_memory
from flows.keys import StageKey
from flows.manifest import Run
from flows.overview import Overview
from flows.plan import RunPlan
from flows.progress import Progress
from flows.stagekeys import KeyedRun, RunOptions
from tiles.checksums import require_intact
from tiles.files import require_free

if TYPE_CHECKING:
    from tiles.stretch import PairStretch

__all__ = ["STAGES", "RunOptions", "StageContext", "run_stage"]

log = logging.getLogger(__name__)


@dataclass
class StageContext(KeyedRun):
    """A run that is being worked, stage by stage."""

    @cached_property
    def overview(self) -> Overview:
        """The picture of the whole run for its report."""
        return Overview(self)

    @cached_property
    def stretch(self) -> "PairStretch":
        """The tone curve of all pictures of the run."""
        from tiles.stretch import PairStretch

        return PairStretch()

    def replan(self) -> None:
        """Forget the plan and all keys: the next stage works from what the run folder says."""
        self.overview.end()
        for name in set(vars(self)) - {f.name for f in fields(self)}:
            delattr(self, name)

    def foretell(self, stage: str, keys: Mapping[str, StageKey]) -> None:
        """Say on one line which products of a stage are reused, and why the others are made."""
        told = self.run.reuse_message(stage, keys)
        Progress.current().say(told)
        log.info("%s", told)

    def once(
        self,
        stage: str,
        name: str,
        key: StageKey,
        make: Callable[[], tuple[list[Path], Any]],
        *,
        foretold: bool = False,
    ) -> Any:
        """Return the values of a product; make it unless it can be reused.

        Parameters
        ----------
        stage, name : str
        key : StageKey
        make : callable
            Returns the files it wrote and the values to keep.
        foretold : bool
            Whether `foretell` has said what becomes of it.
        """
        product = self.run.reuse(stage, name, key)
        if not foretold:
            self.foretell(stage, {name: key})
        if product is None:
            start = time.perf_counter()
            files, values = make()
            give_back_memory()
            product = self.run.put(
                stage, name, key, files=files, values=values, seconds=time.perf_counter() - start
            )
        return product.values


def _plan(context: StageContext) -> dict[str, Any]:
    if context.config.register_place is not None:
        from flows.registering import require_register

        require_register(context.config.register_place)
    summary = context.plan.summary()
    require_free(context.run.folder, summary["bytes_needed"])
    _foretell_memory(context)
    for model in context.models:
        log.info("the run works with the stored %s model %s", model.card.kind, model.card.file_name)
    key = context.plan_key
    context.foretell("plan", {"checksums": key, "plan": key})
    sums = partial(_checksums, context.plan)
    context.once("plan", "checksums", key, lambda: ([], sums()), foretold=True)
    return dict(context.once("plan", "plan", key, lambda: ([], summary), foretold=True))


def _checksums(plan: RunPlan) -> dict[str, int]:
    scenes = (*plan.before.scenes, *plan.after.scenes)
    return {"files_compared": sum(require_intact(scene) for scene in scenes)}


def _gate(context: StageContext) -> dict[str, Any]:
    from flows.fitting import open_gate

    return dict(context.once("gate", "gate", context.gate_key, lambda: open_gate(context)))


def _fit(context: StageContext) -> dict[str, Any]:
    from flows.fitting import fit_states

    return dict(context.once("fit", "states", context.fit_key, lambda: fit_states(context)))


def _tiles(context: StageContext) -> dict[str, Any]:
    from flows.tiling import work_tiles

    return work_tiles(context)


def _join(context: StageContext) -> dict[str, Any]:
    from flows.joining import join_tiles

    return dict(context.once("join", "patches", context.join_key, lambda: join_tiles(context)))


def _judge(context: StageContext) -> dict[str, Any]:
    from flows.judging import judge_run

    def make() -> tuple[list[Path], dict[str, Any]]:
        context.overview.begin(context.run.products("join")[0].values["patches"])
        return judge_run(context)

    return dict(context.once("judge", "tables", context.judge_key, make))


def _outputs(context: StageContext) -> dict[str, Any]:
    from flows.publishing import publish

    return publish(context)


STAGES: dict[str, Callable[[StageContext], dict[str, Any]]] = {
    "plan": _plan,
    "gate": _gate,
    "fit": _fit,
    "tiles": _tiles,
    "join": _join,
    "judge": _judge,
    "outputs": _outputs,
}
"""The stages in order."""


def _foretell_memory(context: StageContext) -> None:
    """Warn before the work where one of the stages that grow with the patches will not fit."""
    limit = context.options.memory
    if limit is None:
        return
    from flows.runs.rates import folder_rates, shipped_rates

    rates = folder_rates(context.run.folder.parent) or shipped_rates()
    peaks = rates.peak_bytes(context.plan.pixels)
    stage = max((n for n, r in rates.stages.items() if r.bytes_per_patch), key=peaks.__getitem__)
    if peaks[stage] <= limit:
        return
    peak, least = peaks[stage] / 1e6, math.ceil(peaks[stage] / 1e8) / 10
    told = Told(
        f"预计阶段 {stage} 需要内存 {peak:.0f} MB，超过 --memory 的 {limit / 1e6:.0f} MB："
        f"请改用 --memory {least:.1f}GB，或用 area.aoi 分区运行。",
        f"stage {stage} is going to take about {peak:.0f} MB, more than --memory "
        f"{limit / 1e6:.0f} MB: give {least:.1f}GB, or work a smaller area at a time (area.aoi); "
        f"by {rates.patches_per_mpx:.0f} patches per Mpx, from {rates.source}",
    )
    log.warning("%s", told.both)


def _warn_of_memory(name: str, peak: int, limit: int | None) -> None:
    if limit is not None and peak > limit:
        log.warning(
            "stage %s took %.0f MB, more than --memory %.0f MB: give %.1fGB next time, or work a "
            "smaller area at a time (area.aoi)",
            *(name, peak / 1e6, limit / 1e6, math.ceil(peak / 1e8) / 10),
        )


def run_stage(name: str, context: StageContext) -> dict[str, Any]:
    """Work one stage and keep its record (wall and CPU seconds, peak memory) in the manifest.

    Raises
    ------
    TubanError
        What the stage raises; `DamagedImage` where an image turns out to be damaged.
    """
    with Progress(name) as progress:
        try:
            values = STAGES[name](context)
        except RasterError as error:
            if not isinstance(error, DamagedImage) and "plan" in vars(context):
                require_whole(context.plan, error.where)
            raise
    give_back_memory()
    context.run.note("stage", stage=name, **progress.record(), reuse=_reuse(context.run, name))
    _warn_of_memory(name, progress.record()["peak_bytes"], context.options.memory)
    return values


def _reuse(run: Run, stage: str) -> dict[str, Any]:
    """Return how many products of a stage were reused, and why how many were made."""
    told = Counter(run.tally(stage)) + Counter(run.tally("evidence") if stage == "outputs" else {})
    reused = told.pop("", 0)
    return {"reused": reused, "made": dict(sorted(told.items()))}
