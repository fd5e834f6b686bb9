"""Opening a run and working its stages, plainly or as a Prefect flow."""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from configs.errors import PairRefused
from configs.run import RunConfig
from configs.told import Told
from flows.aside import without_damaged
from flows.environment import prefect_environment
from flows.judging import require_layers
from flows.layersathand import layers_at_hand
from flows.manifest import Run
from flows.opening import Opening, images_of
from flows.progress import Progress
from flows.rehearsal import compiled_beside
from flows.stages import STAGES, RunOptions, StageContext, run_stage
from tiles.catalog import load_catalog
from tiles.files import atomic_path

__all__ = [
    "active_context",
    "aligned_aside",
    "change_raster",
    "fitted_aside",
    "open_run",
    "run_folder",
    "work_run",
    "work_series",
    "work_stages",
]

log = logging.getLogger(__name__)

_contexts: dict[str, StageContext] = {}

SERIES = "series"
"""Name of what is worked before the stages of a run that follows a series of images."""

Series = tuple[Path, tuple[Told, ...]]
"""A version of a monitor, and what was left out of it."""


def run_folder(config: RunConfig, out: Path) -> Path:
    """Return the folder of a run: its name and eight digits of what it looks at.

    Rules, thresholds and outputs are not among them: changing these goes on in the same folder
    and makes anew only what depends on them.
    """
    return out / f"{config.name}-{_key8(config)}"


def _key8(config: RunConfig) -> str:
    return config.digest("name", "area", "before", "after", "grid", "sensor")[:8]


def work_series(run: Run, monitor: Path, options: RunOptions) -> Series:
    """Bring a monitor up to date for a run, and keep the record of that work in the manifest.

    Parameters
    ----------
    run : Run
        Open for writing.
    monitor : Path
        Config of the monitor.
    options : RunOptions
    """
    from flows.seriesmarks import series_version

    with Progress(SERIES) as progress:
        found = series_version(monitor, options)
    run.note("stage", stage=SERIES, **progress.record(), reuse={})
    return found


@contextmanager
def open_run(
    config: RunConfig,
    out: Path,
    options: RunOptions,
    *,
    fresh: bool = False,
    series: Callable[[Run, Path, RunOptions], Series] = work_series,
) -> Iterator[StageContext]:
    """Hold the run folder of a config while its stages are worked.

    Images that the config asks of its catalogue are found first, and the series of images that it
    follows is brought up to date; an interrupted run goes on with those it has.

    Parameters
    ----------
    config : RunConfig
    out : Path
        Folder of all runs.
    options : RunOptions
    fresh : bool
        Reuse nothing.
    series : callable
        Works the series, as `work_series`.

    Raises
    ------
    InputError
        If the catalogue has no usable date.
    RunLocked
        If another operator works in the folder.
    """
    opening = images_of(config, out, fresh=fresh)
    config = opening.applied(config)
    frozen = config.model_dump(mode="json")
    with (
        Run.create(frozen, _key8(config), out, config.name, fresh=fresh) as run,
        compiled_beside(options),
    ):
        if run.lock is not None and run.lock.took_over:
            log.warning("%s", run.lock.took_over)
        config, missing = layers_at_hand(config, run.folder)
        version, aside = _series(config, run, options, series)
        opening = replace(opening, series=version, missing=(*missing, *aside)).keep(run.folder)
        for told in (*opening.reasons, *missing):
            log.info("%s", told.both)
        context = StageContext(run, config, options)
        _contexts[str(run.folder)] = context
        try:
            yield context
        except PairRefused:
            replace(opening, released=True).keep(run.folder)
            raise
        finally:
            context.overview.end()
            _contexts.pop(str(run.folder))


def _series(
    config: RunConfig,
    run: Run,
    options: RunOptions,
    work: Callable[[Run, Path, RunOptions], Series],
) -> tuple[str | None, tuple[Told, ...]]:
    """Return the version of the monitor that tells change: an unfinished run keeps its own."""
    if config.detection.series is None:
        return None, ()
    kept = Opening.of(run.folder)
    if kept.series is not None and not kept.is_finished(run.folder):
        return kept.series, ()
    version, aside = work(run, config.detection.series, options)
    return str(version), aside


def active_context(folder: str) -> StageContext:
    """Return the context of a run that this process works on (for tasks, which get a path)."""
    Run.active(Path(folder))
    return _contexts[folder]


def work_stages(
    context: StageContext, work: Callable[[str], dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Work all stages in order and write ``run.json``; return its content.

    Parameters
    ----------
    context : StageContext
    work : callable, optional
        Works one stage by name; by default plainly, in this process.

    Raises
    ------
    ConfigError
        Before any work, if the config names no layers.
    InputError
        Before any work, if it names a catalogue that cannot be read.
    """
    require_layers(context.config)
    if context.config.catalog is not None:
        load_catalog(context.config.catalog)
    worker = work or (lambda name: run_stage(name, context))
    values = without_damaged(context, lambda: {name: worker(name) for name in STAGES})
    from flows.handin import hand_in
    from flows.publishing import summarise

    summary = summarise(context, values)
    hand_in(context)
    return summary


@contextmanager
def fitted_aside(config: RunConfig) -> Iterator[tuple[StageContext, dict[str, Any]]]:
    """Work a run up to its fit, in a folder that is thrown away.

    Yields
    ------
    StageContext
    dict
        What the fit stage returned.
    """
    with _aside(config, ("plan", "gate", "fit")) as found:
        yield found


@contextmanager
def aligned_aside(config: RunConfig) -> Iterator[StageContext]:
    """Register a pair as a run does, in a folder that is thrown away; yield its context."""
    with _aside(config, ("plan", "gate")) as (context, _):
        yield context


@contextmanager
def _aside(
    config: RunConfig, stages: tuple[str, ...]
) -> Iterator[tuple[StageContext, dict[str, Any]]]:
    config = config.model_copy(update={"register_place": None})
    with (
        tempfile.TemporaryDirectory(prefix="tuban-fit-") as work,
        open_run(config, Path(work), RunOptions()) as context,
    ):
        yield context, without_damaged(context, lambda: [run_stage(n, context) for n in stages])[-1]


def change_raster(config: RunConfig, target: Path, options: RunOptions) -> dict[str, Any]:
    """Work a run up to its change raster, in a folder that is thrown away.

    Parameters
    ----------
    config : RunConfig
        Without layers.
    target : Path
        Where the raster goes; written atomically.
    options : RunOptions

    Returns
    -------
    dict
        ``notes``, ``shift_px`` (None where it could not be measured), and the counts of the join
        stage.
    """
    with (
        tempfile.TemporaryDirectory(prefix="tuban-detect-") as work,
        open_run(config, Path(work), options) as context,
    ):
        stages = ("plan", "gate", "fit", "tiles", "join")
        values = without_damaged(context, lambda: {n: run_stage(n, context) for n in stages})
        with atomic_path(target) as part:
            shutil.copyfile(context.run.path("change.tif"), part)
    return values["join"] | {
        "notes": values["fit"]["change"],
        "shift_px": values["gate"]["shift_px"] if values["gate"]["shift"] is not None else None,
    }


def work_run(
    config_path: Path,
    out: Path,
    options: RunOptions,
    *,
    plain: bool = False,
    fresh: bool = False,
) -> dict[str, Any]:
    """Work a run from its config file to its outputs.

    Parameters
    ----------
    config_path : Path
    out : Path
        Folder of all runs.
    options : RunOptions
    plain : bool
        Without Prefect; the run folder is the same either way.
    fresh : bool
        Reuse nothing.

    Returns
    -------
    dict
        The content of ``run.json``.
    """
    config = RunConfig.load(config_path)
    if plain:
        with open_run(config, out, options, fresh=fresh) as context:
            return work_stages(context)
    out.mkdir(parents=True, exist_ok=True)
    os.environ.update(prefect_environment(out / ".prefect"))
    from importlib import import_module

    from flows.server.parameters import Working
    from flows.survey import flow_name

    name = flow_name(config)
    flow = getattr(import_module(f"flows.{name}"), name)
    summary: dict[str, Any] = flow(
        config=str(config_path),
        out=str(out),
        working=Working.of(options),
        state=str(options.state) if options.state else None,
        fresh=fresh,
    )
    return summary
