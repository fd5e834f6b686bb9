"""What each stage of a run depends on: the keys under which its products are kept.

A key names exactly what decides a product, so that a changed setting, file or rule makes anew what
it decides and nothing else.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.run import RunConfig
from configs.sensors import sensor_file, sensor_name
from flows import keyrooms
from flows.aside import damaged_before, remote_files
from flows.givenup import given_up
from flows.keys import StageKey, stage_key
from flows.manifest import Run
from flows.opening import Opening
from flows.patchversions import edits_hash
from flows.plan import RunPlan, make_plan
from tiles.files import companions
from tiles.remote import is_remote
from tiles.scene import SetAside

if TYPE_CHECKING:
    from clues.store.lineage import Held
    from flows.stored import StoredFeedback, StoredLandcover
    from flows.storedchange import StoredChange
    from flows.storednet import StoredNet

__all__ = ["KeyedRun", "RunOptions"]


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


EARLY_KEYS = {"plan_key", "gate_key", "fit_key", "tiles_key"}
"""Keys that do not depend on what became of the tiles."""


@dataclass
class KeyedRun:
    """A run with its folder, config and options, and what its stages depend on."""

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
        rooms = list(keyrooms.PLAN)
        if self.config.area.aoi or self.plan.counties is not None:
            rooms += keyrooms.LAYERS
        return stage_key("plan", rooms=rooms, config=_json(wanted), files=files)

    @cached_property
    def gate_key(self) -> StageKey:
        """Plan and limits of the gate; the states handed to a run by county."""
        handed = self.options.state if self.config.area.by_county else None
        return stage_key(
            "gate",
            rooms=keyrooms.GATE,
            config=self._config("gate", "clouds", "seed"),
            inputs={"plan": self.plan_key},
            files={"state": handed} if handed else {},
        )

    @cached_property
    def fit_key(self) -> StageKey:
        """Gate, method, land-use map, or the states that were handed over."""
        files: dict[str, Path | str] = {"state": self.options.state} if self.options.state else {}
        wanted, rooms = self._config("landcover", "seed"), list(keyrooms.FIT)
        if labels := self._labels():
            rooms += keyrooms.LAYERS
        if any(m is not None for m in (self.stored, self.net, self.change_model)):
            rooms += keyrooms.STORED
        if self.stored is not None:
            files["land-cover model"] = self.stored.card.hash
        if self.net is not None:
            files["net"] = self.net.card.hash
        if self.change_model is not None:
            files["change model"] = self.change_model.card.hash
        if (series := Opening.of(self.run.folder).series) is not None:
            files["monitor"] = Path(series) / "version.json"
            rooms += keyrooms.SERIES
        for name in ("model", "mode", "split_above_m2"):
            wanted["landcover"].pop(name)
        detection = self.config.detection
        wanted["detection"] = {
            name: getattr(detection, name)
            for name in ("method", "sensitivity", "target", "threshold", "significance", "looks")
        }
        return stage_key(
            "fit",
            rooms=rooms,
            config=wanted,
            inputs={"gate": self.gate_key} | labels,
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
            rooms=keyrooms.TILES,
            config=wanted,
            inputs={"fit": self.fit_key},
        )

    @cached_property
    def given_up(self) -> dict[str, str]:
        """Tiles that the last attempt could not work, with the reason."""
        return given_up(self.run, self.tiles_key, self.options.tile)

    @cached_property
    def worked_key(self) -> StageKey:
        """Tiles as they turned out: what follows is made again once a missing one is there."""
        if not self.given_up:
            return self.tiles_key
        missing = " ".join(self.given_up)
        return stage_key("tiles", inputs={"tiles": self.tiles_key, "tiles given up": missing})

    def forget_tiles(self) -> None:
        """Forget which tiles were given up, and the keys behind: they have been tried again."""
        for name in set(vars(self)) - EARLY_KEYS:
            if name == "given_up" or name.endswith("_key"):
                delattr(self, name)

    @cached_property
    def join_key(self) -> StageKey:
        """Tiles and what makes a patch."""
        return stage_key(
            "join",
            rooms=[*keyrooms.JOIN, *(keyrooms.STORED if self.feedback is not None else ())],
            config=self._config("detection") | self._feedback_settings(),
            inputs={"tiles": self.worked_key},
        )

    @cached_property
    def judge_key(self) -> StageKey:
        """Patches, what people edited in them, layers, rules, and what the register held."""
        rules = self.config.rules
        files = {"rules": Path(rules)} if rules.endswith((".yaml", ".yml")) else {}
        inputs: dict[str, StageKey | str] = {
            "join": self.join_key,
            "layers": self.layers_fingerprint,
        }
        if edits := edits_hash(self.run):
            inputs["edits of patches"] = edits
        rooms, wanted = list(keyrooms.JUDGE), {"rules": rules} | self._config("quarter")
        if self.held is not None:
            wanted |= self._config("clue_list")
            inputs["register"] = self.held.digest
            rooms += keyrooms.REGISTER
        return stage_key(
            "judge",
            rooms=rooms,
            config=wanted,
            inputs=inputs,
            files=files,
        )

    @cached_property
    def held(self) -> "Held | None":
        """What the register held before the period of the run; None where the run keeps none."""
        if self.config.register_place is None:
            return None
        from flows.tracing import held_of

        return held_of(self.config, self.run.folder.name, self.plan)

    @cached_property
    def outputs_key(self) -> StageKey:
        """Judgement: what every product for people shows."""
        return self._output_key()

    @cached_property
    def pictured_key(self) -> StageKey:
        """The same, and how many clues come with pictures."""
        return self._output_key({"outputs": {"pictures": self.config.outputs.pictures}})

    @cached_property
    def report_key(self) -> StageKey:
        """The same, and the settings of the report with what it compares with."""
        report = self.config.report
        named = {"assessment": report.assessment, "previous run": report.previous}
        names = {"assessment": "assessment.json", "previous run": "patches.parquet"}
        files: dict[str, Path | str] = {}
        for name, path in named.items():
            if path is not None:
                file = path / names[name] if path.is_dir() else path
                files[name] = file if file.exists() else ""
        return self._output_key(self._config("report"), files, keyrooms.REPORT)

    @cached_property
    def observed_key(self) -> StageKey:
        """Tiles and divisions: how much was observed, and where."""
        return stage_key(
            "outputs",
            rooms=keyrooms.OBSERVED,
            inputs={"tiles": self.worked_key, "divisions": self._roles("division")},
        )

    @cached_property
    def unseen_key(self) -> StageKey:
        """Tiles, the layers that hidden ground is told by, and the catalogue of next scenes."""
        from clues.unseen import ROLES
        from tiles.catalog import catalog_fingerprint

        catalog = self.config.catalog
        return stage_key(
            "outputs",
            rooms=keyrooms.UNSEEN,
            config=self._config("terrain", "clouds"),
            inputs={
                "tiles": self.worked_key,
                "layers of hidden ground": self._roles("landuse", *ROLES),
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

    def config_digest(self, *fields: str) -> str:
        """Return a hash of the named fields of the config (all if none), wherever the run lies."""
        config, folder = self.config, self.run.folder
        if config.layers is not None and config.layers.is_relative_to(folder):
            inside = {"layers": config.layers.relative_to(folder)}
            config = config.model_copy(update=inside)
        return config.digest(*fields)

    def _output_key(
        self,
        config: dict[str, Any] | None = None,
        files: "dict[str, Path | str] | None" = None,
        rooms: tuple[str, ...] = keyrooms.OUTPUTS,
    ) -> StageKey:
        return stage_key(
            "outputs",
            rooms=rooms,
            config=self._config("name") | (config or {}),
            inputs={"judge": self.judge_key},
            files=files or {},
        )

    def _labels(self) -> dict[str, StageKey | str]:
        """Return what of the layers land cover is learned from; nothing where it is not learned."""
        learned = self.config.landcover.enabled and self.stored is None
        if not learned or self.config.layers is None or self.options.state is not None:
            return {}
        return {"land-use layer": self._roles("landuse")}

    def _roles(self, *roles: str) -> str:
        """Return a fingerprint of the layers of some roles; "" without layers."""
        if self.config.layers is None:
            return ""
        from clues.layers import roles_fingerprint

        return roles_fingerprint(self.config.layers, roles)

    def _config(self, *fields: str) -> dict[str, Any]:
        return self.config.model_dump(mode="json", include=set(fields))

    def _feedback_settings(self) -> dict[str, Any]:
        """Return what of the model of verdicts changes patches; nothing where there is none."""
        if self.feedback is None:
            return {}
        return {"feedback": [self.feedback.card.hash, self.config.feedback.sure_percent]}


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _json(v) for k, v in value.items()}
    return value.isoformat() if hasattr(value, "isoformat") else value
