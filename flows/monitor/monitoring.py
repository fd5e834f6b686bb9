"""``tuban monitor``: fit a series of images, then take new dates in, version after version."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from configs.errors import InputError, RunError
from configs.loading import validated
from configs.monitoring import MonitorConfig
from flows.keys import StageKey, stage_key
from flows.manifest import Run
from flows.monitor.found import finish_version
from flows.monitor.job import MonitorJob, MonitorPlan, work_tile
from flows.monitor.parcelwatch import report_parcels
from flows.monitor.plan import (
    config_groups,
    history_of,
    make_monitor_plan,
    open_dates,
    sampled_unit,
)
from flows.progress import Progress
from flows.stages import RunOptions
from flows.versions import Version, Versions
from flows.workers import map_tiles, require_all_worked, work_once
from tiles.deliveries import group_files
from tiles.stack import StackDate, StackReader, StackScene

__all__ = ["MonitorResult", "fit_monitor", "update_monitor"]


@dataclass
class MonitorResult:
    """What a command did.

    Attributes
    ----------
    folder : Path
        Of the monitor.
    version : Version
        The newest one now.
    made : bool
        Whether it is new.
    notes : list of str
        What was left out, and why.
    """

    folder: Path
    version: Version
    made: bool
    notes: list[str] = field(default_factory=list)


@dataclass
class _Monitor:
    """A monitor that is open for writing."""

    run: Run
    config: MonitorConfig
    options: RunOptions
    notes: list[str] = field(default_factory=list)

    @property
    def versions(self) -> Versions:
        return Versions(self.run.folder)

    def result(self, version: Version, *, made: bool) -> MonitorResult:
        return MonitorResult(self.run.folder, version, made, self.notes)


def fit_monitor(
    config_path: Path, out: Path, options: RunOptions, *, parcels: Path | None = None
) -> MonitorResult:
    """Fit the history of a config as the first version.

    Parameters
    ----------
    config_path : Path
    out : Path
        Folder of all monitors; this one's is ``NAME-KEY`` in it.
    options : RunOptions
    parcels : Path, optional
        Layer of parcels, instead of that of the config.

    Returns
    -------
    MonitorResult
        Not made anew where the first version is there and was made of the same scenes.

    Raises
    ------
    InputError, RasterError
        If the scenes cannot be used.
    RunError
        If the first version was fitted on other scenes, or a tile cannot be worked.
    RunLocked
        If another operator works on this monitor.
    """
    config = _with_parcels(MonitorConfig.load(config_path), parcels)
    dates, notes = open_dates(config, config_groups(config))
    history = history_of(config, dates)
    with Run.create(config.model_dump(mode="json"), config.key8, out, config.name) as run:
        monitor = _Monitor(run, config, options, notes)
        later = [d for d in dates if d.day > history[-1].day]
        if later:
            monitor.notes.append(
                f"{len(later)} later dates wait for `tuban monitor update {config_path}`"
            )
        records = _records(history)
        first = next(iter(monitor.versions.all()), None)
        if first is not None:
            _require_same(first, records, run.folder)
            latest = monitor.versions.latest
            assert latest is not None
            monitor.notes.append(f"{first.name} was fitted on the same scenes: nothing is to do")
            return monitor.result(latest, made=False)
        plan = make_monitor_plan(config, history, options)
        reader = StackReader(tuple(d.epoch for d in history), plan.grid, plan.bands)
        unit = work_once(
            sampled_unit, (reader, plan.extent), scheduler=options.scheduler, memory=options.memory
        )
        return _make(monitor, replace(plan, unit=unit), history, records, None)


def update_monitor(
    target: Path,
    out: Path,
    options: RunOptions,
    *,
    scenes: Sequence[Path] = (),
    parcels: Path | None = None,
) -> MonitorResult:
    """Take new dates in as one new version; the versions before stay as they are.

    Parameters
    ----------
    target : Path
        Folder of a monitor, or its config.
    out : Path
        Folder of all monitors, for a config.
    options : RunOptions
    scenes : sequence of Path
        Scenes of one or several dates; default: the newer ones that the config finds.
    parcels : Path, optional
        Layer of parcels, instead of that of the config.

    Returns
    -------
    MonitorResult
        Not made anew where all scenes are known already.

    Raises
    ------
    InputError
        If a named scene is not newer than the newest version, or nothing was fitted yet.
    RasterError, RunError, RunLocked
        As in `fit_monitor`.
    """
    folder, config = _located(target, out)
    with Run.open(folder, write=True) as run:
        latest = Versions(folder).latest
        if latest is None:
            raise _unfitted(str(target))
        config = config or validated(MonitorConfig, latest.facts["config"], str(latest.folder))
        config = _with_parcels(config, parcels)
        _require_same_sensor(latest, config)
        monitor = _Monitor(run, config, options)
        groups = group_files([p.resolve() for p in scenes], config.sensor)
        dates, notes = open_dates(config, groups or config_groups(config))
        monitor.notes += notes
        told = _named if scenes else _found
        new = told(latest, dates, monitor.notes)
        if not new:
            monitor.notes.append(f"there is nothing newer than {latest.name}")
            return monitor.result(latest, made=False)
        plan = MonitorPlan.of_record(latest.facts["plan"])
        plan = replace(plan, drawn=config.patches)
        records = [*latest.facts["scenes"], *_records(new)]
        return _make(monitor, plan, new, records, latest)


def _with_parcels(config: MonitorConfig, parcels: Path | None) -> MonitorConfig:
    if parcels is None:
        return config
    return config.model_copy(update={"parcels": parcels.resolve()})


def _located(target: Path, out: Path) -> tuple[Path, MonitorConfig | None]:
    """Return the folder of a monitor, and its config if that was named."""
    if target.is_dir():
        if not Versions(target).all():
            raise _unfitted(str(target))
        return target.resolve(), None
    config = MonitorConfig.load(target)
    folder = out / f"{config.name}-{config.key8}"
    if not Versions(folder).all():
        raise _unfitted(str(folder))
    return folder.resolve(), config


def _unfitted(where: str) -> InputError:
    return InputError(
        "there is no fitted version yet", where, "make it with `tuban monitor fit CONFIG`"
    )


def _records(dates: Sequence[StackDate]) -> list[dict[str, Any]]:
    return [_record(d, s) for d in dates for s in d.scenes]


def _record(date: StackDate, scene: StackScene) -> dict[str, Any]:
    return {
        "scene": scene.scene.scene_id,
        "date": date.day.isoformat(),
        "paths": [str(p) for p in scene.paths],
        "fingerprint": scene.fingerprint,
    }


def _require_same(first: Version, records: list[dict[str, Any]], folder: Path) -> None:
    before = {r["fingerprint"] for r in first.facts["scenes"]}
    now = {r["fingerprint"] for r in records}
    if before != now:
        raise RunError(
            f"{first.name} was fitted on other scenes ({len(now - before)} are new, "
            f"{len(before - now)} are gone)",
            str(folder),
            "take new dates in with `tuban monitor update`, or fit under another name",
        )


def _require_same_sensor(version: Version, config: MonitorConfig) -> None:
    """Refuse to go on by another sensor file: nothing else can differ in a monitor's folder."""
    if version.facts.get("key", config.key8) != config.key8:
        raise RunError(
            f"the sensor file has changed since {version.name}",
            str(config.sensor),
            "put the earlier file back, or fit again: the series would break where values do",
        )


def _last_day(version: Version) -> dt.date:
    return dt.date.fromisoformat(version.facts["last_date"])


def _named(version: Version, dates: Sequence[StackDate], notes: list[str]) -> list[StackDate]:
    """Return the new dates among named scenes; refuse what is neither new nor known."""
    known = {r["fingerprint"] for r in version.facts["scenes"]}
    last = _last_day(version)
    new = []
    for date in dates:
        if date.day > last:
            new.append(date)
            continue
        for scene in date.scenes:
            name = scene.scene.scene_id
            if scene.fingerprint not in known:
                raise InputError(
                    f"the scene of {date.day} is not newer than {version.name}, "
                    f"which has taken in all up to {last}",
                    name,
                    "leave it out, or fit again under another name with all scenes of the history",
                )
            notes.append(f"{name} of {date.day} is in {version.name} already: skipped")
    return new


def _found(version: Version, dates: Sequence[StackDate], notes: list[str]) -> list[StackDate]:
    """Return the new dates among the scenes that a config finds; tell of latecomers."""
    known = {(r["scene"], r["date"]) for r in version.facts["scenes"]}
    first, last = version.facts["first_date"], _last_day(version)
    late = [
        s.scene.scene_id
        for d in dates
        for s in d.scenes
        if first < d.day.isoformat() <= last.isoformat()
        and (s.scene.scene_id, d.day.isoformat()) not in known
    ]
    if late:
        notes.append(
            f"{len(late)} scenes came too late and are left out: {', '.join(late[:3])}; "
            "fit again under another name to use them"
        )
    return [d for d in dates if d.day > last]


def _make(
    monitor: _Monitor,
    plan: MonitorPlan,
    dates: Sequence[StackDate],
    records: list[dict[str, Any]],
    before: Version | None,
) -> MonitorResult:
    """Make a version aside and put it in place."""
    versions = monitor.versions
    job = MonitorJob(
        plan=plan,
        reader=StackReader(tuple(d.epoch for d in dates), plan.grid, plan.bands),
        days=tuple(d.number for d in dates),
        draft=versions.draft(),
        previous=None if before is None else before.folder,
        program=plan.program(),
    )
    key = _key(job, records, before)
    with Progress(f"monitor {job.draft.name}") as progress:
        _tiles(monitor, job, key)
        name = plan.index or ", ".join(plan.bands)
        last = 0 if before is None else (_last_day(before) - dt.date(1970, 1, 1)).days
        found = work_once(
            partial(finish_version, names=(name, monitor.config.name), last=last),
            job,
            scheduler=monitor.options.scheduler,
            memory=monitor.options.memory,
        )
        if monitor.config.parcels is not None:
            found["parcels"] = report_parcels(monitor.config, monitor.options, job, records, before)
    tallies = [p.values for p in monitor.run.products(_stage(job))]
    facts = {
        "program": {"tuban": installed("tuban")},
        "before": None if before is None else before.name,
        "dates": [d.day.isoformat() for d in dates],
        "first_date": records[0]["date"],
        "last_date": dates[-1].day.isoformat(),
        "counts": found | {n: sum(t[n] for t in tallies) for n in tallies[0]},
        "pixels": plan.extent.height * plan.extent.width,
        "plan": plan.record(),
        "config": monitor.config.model_dump(mode="json"),
        "key": monitor.config.key8,
        "scenes": records,
    }
    made = versions.publish(job.draft, facts)
    monitor.run.note("version", name=made.name, **progress.record())
    return monitor.result(made, made=True)


def _stage(job: MonitorJob) -> str:
    return f"monitor {job.draft.name}"


def _key(job: MonitorJob, records: list[dict[str, Any]], before: Version | None) -> StageKey:
    parent = {} if before is None else {"version before": before.path("version.json")}
    return stage_key(
        "monitor",
        rooms=["flows.monitor.job", "detect", "tiles"],
        config=job.plan.record(),
        files={f"scene {r['date']} {r['scene']}": r["fingerprint"] for r in records} | parent,
    )


def _tiles(monitor: _Monitor, job: MonitorJob, key: StageKey) -> None:
    """Work every tile that the manifest does not hold already."""
    run, options, tiles = monitor.run, monitor.options, job.plan.tiles()
    stage = _stage(job)
    missing = [t for t in tiles if run.reuse(stage, t.name, key) is None]
    failed: list[str] = []
    with Progress.current().counting(len(tiles), done=len(tiles) - len(missing)) as progress:
        progress.say(run.reuse_message(stage))
        for tile, result in map_tiles(
            partial(work_tile, job),
            missing,
            scheduler=options.scheduler,
            workers=options.workers,
            memory=options.memory,
        ):
            if result.value is None:
                failed.append(tile.name)
            else:
                run.put(
                    stage,
                    tile.name,
                    key,
                    files=[job.state_path(tile), job.found_path(tile), job.runs_path(tile)],
                    values=result.value._asdict(),
                    seconds=result.seconds,
                )
            progress.step(
                pixels=tile.extent.height * tile.extent.width * len(job.days),
                retries=result.attempts - 1,
                failed=int(result.value is None),
            )
    require_all_worked(failed, len(tiles), run.folder)
