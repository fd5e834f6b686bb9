"""Everything knowable about a run before computing: ``tuban check``."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from configs.errors import LayerError, TubanError
from configs.run import RunConfig
from configs.told import Told
from flows.aside import scene_set_aside
from flows.layersathand import layers_at_hand
from flows.opening import images_of
from flows.plan import RunPlan, make_plan
from flows.runner import run_folder
from tiles.catalog import Entry, load_catalog
from tiles.files import free_bytes, require_free

__all__ = ["CheckResult", "check_run"]


@dataclass(frozen=True)
class CheckResult:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
    value : str
        What was found, or what is wrong.
    passed : bool
    where, fix : str
        Empty where all is well; a run would go on with what only passed, but it is to be looked at.
    """

    name: str
    value: str
    passed: bool
    where: str = ""
    fix: str = ""


def check_run(config_path: Path, out: Path) -> list[CheckResult]:
    """Check config, images, disk, layers and rules of a run without computing anything.

    Parameters
    ----------
    config_path : Path
    out : Path
        Folder of all runs.

    Returns
    -------
    list of CheckResult
        In a fixed order; a check that needs an earlier one that failed is left out.
    """
    results: list[CheckResult] = []
    config = _try(results, "config", lambda: RunConfig.load(config_path), lambda c: c.name)
    if config is not None and (config.before.rule or config.after.rule):
        config = _try(results, "dates found", partial(_with_images, config, out), _scenes_text)
    if config is None:
        return results
    plan = _try(results, "images", lambda: make_plan(config), _plan_text)
    if plan is not None:
        needed = plan.bytes_needed
        _try(
            results,
            "disk",
            lambda: require_free(out, needed),
            lambda _: f"{needed / 1e6:.1f} MB needed, {free_bytes(out) / 1e6:.0f} MB free",
        )
        _try(results, "method", lambda: _require_method(plan, config), str)
        _try(results, "dates", lambda: _require_dates(plan), _date_text)
        _check_models(results, config, plan)
    _try(results, "rules", lambda: _rules(config.rules), lambda r: f"{r.name} {r.version}")
    _check_layers(results, config, plan)
    if (catalog := config.catalog) is not None:
        _try(results, "catalogue", lambda: load_catalog(catalog), _scene_count)
    if (place := config.register_place) is not None:
        _try(results, "register", lambda: _register(place), str)
    folder = run_folder(config, out)
    results.append(
        CheckResult("run folder", f"{folder} ({'goes on' if folder.exists() else 'new'})", True)
    )
    return results


def _try(
    results: list[CheckResult], name: str, look: Callable[[], Any], text: Callable[[Any], str]
) -> Any:
    try:
        value = look()
    except TubanError as error:
        results.append(CheckResult(name, error.what, False, error.where, error.fix))
        return None
    results.append(CheckResult(name, text(value), True))
    return value


def _check_models(results: list[CheckResult], config: RunConfig, plan: RunPlan) -> None:
    """Look at the stored models that a config names."""
    if config.landcover.model is not None:
        from flows.stored import stored_landcover

        _try(results, "model", lambda: stored_landcover(config, plan), _model_text)
    if config.detection.model is not None:
        from flows.storedchange import stored_change

        _try(results, "model of change", lambda: stored_change(config, plan), _model_text)
    if config.detection.net is not None:
        from flows.storednet import stored_net

        _try(results, "net", lambda: stored_net(config, plan), _net_text)
    if config.feedback.model is not None:
        from flows.stored import stored_feedback

        _try(results, "model of verdicts", lambda: stored_feedback(config, plan), _feedback_text)


def _with_images(config: RunConfig, out: Path) -> RunConfig:
    return images_of(config, out).applied(config)


def _scenes_text(config: RunConfig) -> str:
    before, after = (" ".join(p.stem for p in e.scenes) for e in (config.before, config.after))
    return f"{before} → {after}"


def _plan_text(plan: RunPlan) -> str:
    aside = [f"; {scene_set_aside(s).both}" for e in (plan.before, plan.after) for s in e.set_aside]
    return (
        f"{plan.extent.height} × {plan.extent.width} pixels of {plan.pixel_m:.1f} m, "
        f"bands {', '.join(plan.bands)}, {plan.grid.crs[:40]}{''.join(aside)}"
    )


def _scene_count(entries: list[Entry]) -> str:
    return f"{len(entries)} scenes"


def _require_dates(plan: RunPlan) -> RunPlan:
    from flows.judging import require_dates

    require_dates(plan)
    return plan


def _require_method(plan: RunPlan, config: RunConfig) -> str:
    """Raise unless the detection method fits the bands of the pair; return its name."""
    method = config.detection.method
    if method.startswith("index:"):
        from configs.indices import spectral_index
        from detect.indices import index_bands, index_constants

        index = spectral_index(method.removeprefix("index:"))
        bands = index_bands(index, plan.wavelengths, plan.bands)
        index_constants(index, bands, plan.wavelengths)
    return method


def _model_text(stored: Any) -> str:
    return f"{stored.card.label}, {stored.card.sensor}, months {stored.card.season}"


def _net_text(stored: Any) -> str:
    return f"{stored.card.label}, bands {', '.join(stored.state.bands)}"


def _feedback_text(stored: Any) -> str:
    doubt = f"; {stored.doubt.both}" if stored.doubt else ""
    return f"{_model_text(stored)}, {stored.card.created}{doubt}"


def _date_text(plan: RunPlan) -> str:
    return f"{plan.before.civil_to} → {plan.after.civil_to}"


def _rules(name: str) -> Any:
    from flows.judging import rules_of

    return rules_of(name)


def _register(place: str) -> str:
    from flows.registering import require_register

    return require_register(place)


def _check_layers(results: list[CheckResult], config: RunConfig, plan: RunPlan | None) -> None:
    """Look at the layers, and whether each lies where the images are."""
    found = _try(results, "layers", lambda: _layers(config, plan), _layers_text)
    for away in [] if found is None else [a for one in found[0] for a in one.away]:
        results.append(
            CheckResult(
                f"place of {away.name}",
                f"none of its {away.rows} outlines lies in the area of the run, {away.km} km off",
                True,
                away.source,
                "check that it is the layer of this place, its `crs:` and the order of its axes; "
                "from a layer that is `complete: true` the run would take that nothing is there",
            )
        )


def _layers(config: RunConfig, plan: RunPlan | None) -> tuple[list[Any], tuple[Told, ...]]:
    from clues.layerglance import Place, glance_at_file
    from flows.judging import require_layers

    place = None if plan is None else Place(plan.grid.bounds(plan.extent), plan.grid.crs)
    with TemporaryDirectory() as folder:
        config, missing = layers_at_hand(config, Path(folder))
        try:
            return glance_at_file(require_layers(config), place), missing
        except LayerError as error:
            fix = f"{error.fix}; `tuban layers check` tells this of all layers at once"
            raise LayerError(error.what, error.where, fix) from error


def _layers_text(looked: tuple[list[Any], tuple[Told, ...]]) -> str:
    found, missing = looked
    texts = [
        f"{one.role} {one.rows} rows" + (f" ({one.problems} problems)" if one.problems else "")
        for one in found
    ]
    listed = ["`tuban layers check` lists the problems"] if any(o.problems for o in found) else []
    return "; ".join([", ".join(texts), *listed, *(told.both for told in missing)])
