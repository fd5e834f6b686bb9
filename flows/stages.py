"""The stages of a run in order, what each depends on, and what it leaves in the run folder.

A stage asks the manifest first: a product made from the same inputs, settings and code is reused.
The same functions run under Prefect (`flows.annual`) and plainly (``--plain``).
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.errors import DamagedImage, RasterError
from configs.run import RunConfig
from configs.sensors import sensor_file, sensor_name
from flows.aside import damaged_before, remote_files, require_whole
from flows.keys import StageKey, stage_key
from flows.manifest import Run
from flows.patchversions import edits_hash
from flows.plan import RunPlan, make_plan
from flows.progress import Progress
from tiles.checksums import require_intact
from tiles.files import companions, require_free
from tiles.remote import is_remote
from tiles.scene import SetAside

if TYPE_CHECKING:
    from flows.stored import StoredFeedback, StoredLandcover
    from flows.storedchange import StoredChange
    from flows.storednet import StoredNet

__all__ = ["STAGES", "RunOptions", "StageContext", "run_stage"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunOptions:
    """How a run is worked; nothing here changes a result.

    Attributes
    ----------
    scheduler : str
        ``threads``, ``processes`` or the address of a Dask scheduler.
    workers : int or None
    tile : int
        Side of the tiles in pixels.
    memory : int or None
        Bytes the whole run may take.
    state : Path or None
        Fitted states to use instead of fitting (this does change results, and is in the keys).
    """

    scheduler: str = "threads"
    workers: int | None = None
    tile: int = 1024
    memory: int | None = None
    state: Path | None = None


@dataclass
class StageContext:
    """A run that is being worked: its folder, config, options, and the keys of its stages."""

    run: Run
    config: RunConfig
    options: RunOptions

    @cached_property
    def plan(self) -> RunPlan:
        """Epochs, grid, bands and extent."""
        return make_plan(self.config, self.damaged)

    @cached_property
    def damaged(self) -> tuple[SetAside, ...]:
        """Images that an earlier pass found damaged, and that are still the same files."""
        return damaged_before(self.run)

    def replan(self) -> None:
        """Forget the plan and all keys: the next stage works from what the run folder says."""
        for name in set(vars(self)) - {f.name for f in fields(self)}:
            delattr(self, name)

    @cached_property
    def stored(self) -> "StoredLandcover | None":
        """The land-cover model that the config names; refused unless it fits the images."""
        from flows.stored import stored_landcover

        return stored_landcover(self.config, self.plan)

    @cached_property
    def feedback(self) -> "StoredFeedback | None":
        """The model of verdicts that the config names; refused unless it fits the images."""
        from flows.stored import stored_feedback

        return stored_feedback(self.config, self.plan)

    @cached_property
    def models(self) -> "list[StoredLandcover | StoredFeedback | StoredNet | StoredChange]":
        """All stored models that the run works with."""
        found = (self.stored, self.feedback, self.net, self.change_model)
        return [model for model in found if model is not None]

    @cached_property
    def net(self) -> "StoredNet | None":
        """The net that the config names; refused unless the images have its bands."""
        from flows.storednet import stored_net

        return stored_net(self.config, self.plan)

    @cached_property
    def change_model(self) -> "StoredChange | None":
        """The model of labelled change that the config names; refused unless it fits the images."""
        from flows.storedchange import stored_change

        return stored_change(self.config, self.plan)

    @cached_property
    def plan_key(self) -> StageKey:
        """Images, dates, grid and area."""
        files: dict[str, Path | str] = {}
        for name, epoch in (("before", self.config.before), ("after", self.config.after)):
            scenes = enumerate(epoch.scenes)
            files |= {f"{name} {i}": "" if is_remote(p) else p for i, p in scenes}
            files |= remote_files(name, getattr(self.plan, name))
            files |= {f"{name} mask": epoch.mask} if epoch.mask else {}
            beside = (p for scene in epoch.scenes for p in companions(scene))
            files |= {f"{name} {p.name}": p for p in beside}
        if self.config.area.aoi:
            files["aoi"] = self.config.area.aoi
        if self.plan.counties is not None:
            files["division layer"] = self.plan.counties.version
        if self.config.terrain.dem:
            files["elevation"] = self.config.terrain.dem
        sensor = self.config.sensor or ""
        if own := sensor_file(sensor):
            files[f"sensor {sensor_name(sensor)}"] = own
        wanted = self._config("sensor", "grid", "terrain", "area")
        for name in ("before", "after"):
            epoch = getattr(self.config, name)
            wanted[name] = {"date": epoch.date, "order": epoch.order}
        if self.damaged:
            wanted["set_aside"] = [one.scene for one in self.damaged]
        return stage_key("plan", rooms=["tiles", "configs"], config=_json(wanted), files=files)

    @cached_property
    def gate_key(self) -> StageKey:
        """Plan and limits of the gate; the states handed to a run by county."""
        handed = self.options.state if self.config.area.by_county else None
        return stage_key(
            "gate",
            rooms=["flows.fitjob"],
            config=self._config("gate", "clouds", "seed"),
            inputs={"plan": self.plan_key},
            files={"state": handed} if handed else {},
        )

    @cached_property
    def fit_key(self) -> StageKey:
        """Gate, method, land-use map, or the states that were handed over."""
        files: dict[str, Path | str] = {"state": self.options.state} if self.options.state else {}
        wanted = self._config("landcover", "seed")
        if self.stored is not None:
            files["land-cover model"] = self.stored.card.hash
        if self.net is not None:
            files["net"] = self.net.card.hash
        if self.change_model is not None:
            files["change model"] = self.change_model.card.hash
        for name in ("model", "mode", "split_above_m2"):
            wanted["landcover"].pop(name)
        detection = self.config.detection
        wanted["detection"] = {
            name: getattr(detection, name)
            for name in ("method", "sensitivity", "target", "threshold", "significance", "looks")
        }
        return stage_key(
            "fit",
            rooms=["detect", "models", "flows.fitjob", "flows.fitting"],
            config=wanted,
            inputs={"gate": self.gate_key, "layers": self.layers_fingerprint},
            files=files,
        )

    @cached_property
    def tiles_key(self) -> StageKey:
        """Fitted states and what makes a component."""
        detection = self.config.detection
        wanted = {n: getattr(detection, n) for n in ("floor_px", "connectivity")}
        wanted |= {n: getattr(self.config.landcover, n) for n in ("mode", "split_above_m2")}
        return stage_key(
            "tiles",
            rooms=["flows.counties", "flows.tilejob"],
            config=wanted,
            inputs={"fit": self.fit_key},
        )

    @cached_property
    def join_key(self) -> StageKey:
        """Tiles and what makes a patch."""
        return stage_key(
            "join",
            rooms=["flows.joining"],
            config=self._config("detection") | self._feedback_settings(),
            inputs={"tiles": self.tiles_key},
        )

    @cached_property
    def judge_key(self) -> StageKey:
        """Patches, what people edited in them, layers and rules."""
        rules = self.config.rules
        files = {"rules": Path(rules)} if rules.endswith((".yaml", ".yml")) else {}
        inputs: dict[str, StageKey | str] = {
            "join": self.join_key,
            "layers": self.layers_fingerprint,
        }
        if edits := edits_hash(self.run):
            inputs["edits of patches"] = edits
        return stage_key(
            "judge",
            rooms=["clues", "configs", "flows.judging"],
            config={"rules": rules} | self._config("quarter"),
            inputs=inputs,
            files=files,
        )

    @cached_property
    def outputs_key(self) -> StageKey:
        """Judgement and what is to be written."""
        return stage_key(
            "outputs",
            rooms=["flows.formats", "flows.pictures", "flows.publishing", "flows.sheeting"],
            config=self._config("outputs", "report", "name"),
            inputs={"judge": self.judge_key},
        )

    @cached_property
    def unseen_key(self) -> StageKey:
        """Outputs, and the catalogue that tells when hidden ground is seen next."""
        from tiles.catalog import catalog_fingerprint

        catalog = self.config.catalog
        return stage_key(
            "outputs",
            rooms=["flows.nextscenes", "flows.unseen"],
            config=self._config("terrain", "clouds"),
            inputs={
                "outputs": self.outputs_key,
                "catalog": catalog_fingerprint(catalog) if catalog else "",
            },
        )

    @cached_property
    def layers_fingerprint(self) -> str:
        """Fingerprint of the layers file and of every file it names; "" without layers."""
        if self.config.layers is None:
            return ""
        from clues.layers import layers_fingerprint

        return layers_fingerprint(self.config.layers)

    def _config(self, *fields: str) -> dict[str, Any]:
        return self.config.model_dump(mode="json", include=set(fields))

    def _feedback_settings(self) -> dict[str, Any]:
        """Return what of the model of verdicts changes patches; nothing where there is none."""
        if self.feedback is None:
            return {}
        return {"feedback": [self.feedback.card.hash, self.config.feedback.sure_percent]}

    def once(
        self, stage: str, name: str, key: StageKey, make: Callable[[], tuple[list[Path], Any]]
    ) -> Any:
        """Return the values of a product; make it unless it can be reused.

        Parameters
        ----------
        stage, name : str
        key : StageKey
        make : callable
            Returns the files it wrote and the values to keep.
        """
        product = self.run.reuse(stage, name, key)
        Progress.current().say(self.run.reuse_message(stage))
        if product is None:
            start = time.perf_counter()
            files, values = make()
            product = self.run.put(
                stage, name, key, files=files, values=values, seconds=time.perf_counter() - start
            )
        return product.values


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _json(v) for k, v in value.items()}
    return value.isoformat() if hasattr(value, "isoformat") else value


def _plan(context: StageContext) -> dict[str, Any]:
    summary = context.plan.summary()
    require_free(context.run.folder, summary["bytes_needed"])
    for model in context.models:
        log.info("the run works with the stored %s model %s", model.card.kind, model.card.file_name)
    context.once("plan", "checksums", context.plan_key, lambda: ([], _checksums(context.plan)))
    return dict(context.once("plan", "plan", context.plan_key, lambda: ([], summary)))


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

    return dict(context.once("judge", "tables", context.judge_key, lambda: judge_run(context)))


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
    context.run.note("stage", stage=name, **progress.record())
    return values
