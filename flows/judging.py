"""The judge stage: patches against the One-Map, tables and indicators into the run folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clues.rowgroups import BATCH, RowGroups
from configs.errors import ConfigError, InputError
from tiles.files import PART_MARK, atomic_path, write_json

if TYPE_CHECKING:
    from clues.judgement import Judgement
    from clues.objects import Fates
    from configs.rules import RuleSet
    from configs.run import RunConfig
    from flows.plan import RunPlan
    from flows.stages import StageContext

__all__ = [
    "judge_run",
    "keep_run_judgement",
    "layer_records",
    "problem_rows",
    "reject_rows",
    "require_dates",
    "require_layers",
    "rules_of",
    "tallies",
    "write_classes",
    "write_tables",
]

TABLES = ("patches.parquet", "findings.parquet", "coverage.parquet", "leads.parquet")
INDICATORS_NAME = "indicators.json"
RULES_NAME = "rules.json"
"""The rule set as it was used: an explanation of an old run reads this, not the shipped one."""


def rules_of(name: str) -> "RuleSet":
    """Return a rule set by shipped name or YAML path, checked against the catalogue of facts."""
    from clues.catalogue import catalogue
    from configs.rules import load_rules

    return load_rules(name, catalogue())


def require_dates(plan: "RunPlan") -> None:
    """Raise `InputError` unless both epochs have a civil date, in order: law compares dates."""
    for name, epoch in (("before", plan.before), ("after", plan.after)):
        if epoch.civil_to is None:
            raise InputError(
                f"the {name} images do not tell their date",
                f"{name}: in the config",
                f"add `date: YYYY-MM-DD` below {name}:",
            )
    before, after = plan.before.civil_to, plan.after.civil_from
    if before is not None and after is not None and before >= after:
        raise InputError(
            f"the before images ({before}) are not older than the after images ({after})",
            "before: and after: in the config",
            "swap the two, or mend their dates",
        )


def require_layers(config: "RunConfig") -> Path:
    """Return the layers file of a run; raise `ConfigError` where the config names none."""
    if config.layers is None:
        raise ConfigError(
            "the run has no layers to judge against",
            "layers: in the config",
            "name a LAYERS.yaml, or use `tuban detect` for change alone",
        )
    return config.layers


def judge_run(context: "StageContext") -> tuple[list[Path], dict[str, Any]]:
    """Judge the patches of the run and write the tables.

    Returns
    -------
    files, values
        For the manifest.
    """
    from clues.bycounty import judge_counties
    from clues.judgement import judge_patches
    from clues.layers import read_onemap
    from flows.patchversions import present_patches
    from flows.tracing import trace_run

    config, counties = context.config, context.plan.counties
    layers = require_layers(config)
    require_dates(context.plan)
    onemap = read_onemap(layers, crs=context.plan.grid.crs)
    rules = rules_of(config.rules)
    patches, fates = trace_run(context, present_patches(context.run), rules)
    into = context.run.path(f"{PART_MARK}{TABLES[1]}")
    if counties is None:
        judgement = judge_patches(patches, onemap, rules, into=into)
    else:
        leads = onemap.layers.get("lead")
        places = leads.table.geometry.to_numpy() if leads else np.empty(0, dtype=object)
        named = [(c.code, c.name) for c in counties.own]
        homes = counties.homes(places)
        judgement = judge_counties(patches, onemap, rules, named, homes, into)
    return keep_run_judgement(context, judgement, onemap, rules, fates)


def keep_run_judgement(
    context: "StageContext",
    judgement: "Judgement",
    onemap: Any,
    rules: "RuleSet",
    fates: "Fates | None",
) -> tuple[list[Path], dict[str, Any]]:
    """Write the tables of a judgement into the run folder; return what the manifest keeps."""
    from flows.tracing import write_fates

    files = write_tables(judgement, rules, context.run.folder)
    if fates is not None:
        files.append(write_fates(fates, context.plan.grid.crs, context.run.folder))
    files.append(write_classes(judgement, onemap, context.run.folder))
    values = {
        "rule_set": rules.name,
        "rule_set_version": rules.digest,
        "layers": layer_records(onemap),
        "rejects": reject_rows(onemap),
        "away": _away(onemap, context.plan),
        "tallies": tallies(judgement),
    }
    if fates is not None:
        values |= {"fates": fates.tallies, "register": context.held.digest if context.held else ""}
    return files, values


def write_tables(judgement: "Judgement", rules: "RuleSet", folder: Path) -> list[Path]:
    """Write the tables of a judgement and its rule set into a folder, each atomically."""
    tables = (judgement.patches, judgement.findings, judgement.coverage, judgement.leads)
    files = []
    for name, table in zip(TABLES, tables, strict=True):
        files.append(folder / name)
        with atomic_path(files[-1]) as part:
            if name == TABLES[1] and judgement.kept is not None:
                judgement.kept.replace(part)
            else:
                table.to_parquet(part, index=False, row_group_size=BATCH)
    values = {INDICATORS_NAME: judgement.indicators, RULES_NAME: rules.as_file()}
    for name, value in values.items():
        files.append(folder / name)
        write_json(files[-1], value, plain=str)
    return files


def write_classes(judgement: "Judgement", onemap: Any, folder: Path) -> Path:
    """Write which land-use parcels lie under the patches of a judgement; return the file."""
    from clues.formerclasses import CLASS_TEXTS, former_classes
    from clues.outputs.tables import CLASSES_NAME

    landuse, patches = onemap.layers.get("landuse"), judgement.patches
    path = folder / CLASSES_NAME
    with atomic_path(path) as part, RowGroups(part, CLASS_TEXTS) as file:
        for start in range(0, max(len(patches), 1), BATCH):
            some = patches.iloc[start : start + BATCH]
            file.add(former_classes(some, None if landuse is None else landuse.table))
    return path


def layer_records(onemap: Any) -> list[dict[str, Any]]:
    """Return role, name, version, size and completeness of every layer."""
    return [
        {
            "role": role,
            "name": " + ".join(Path(spec.source).name for spec in layer.specs),
            "version": layer.version,
            "features": len(layer.table),
            "rejects": len(layer.rejects),
            "complete": _plain(layer.complete),
        }
        for role, layer in sorted(onemap.layers.items())
    ]


def _away(onemap: Any, plan: "RunPlan") -> list[str]:
    """Return the roles of layers that are complete and lie beside the run."""
    west, south, east, north = plan.grid.bounds(plan.extent)
    found = []
    for role, layer in sorted(onemap.layers.items()):
        if layer.complete and len(layer.table):
            x0, y0, x1, y1 = layer.table.total_bounds
            if x0 > east or x1 < west or y0 > north or y1 < south:
                found.append(str(role))
    return found


def _plain(complete: Any) -> Any:
    """Return whether a layer is complete as JSON holds it: true, false or {until: day}."""
    return complete if isinstance(complete, bool) else {"until": complete.until.isoformat()}


def problem_rows(report: Any, role: str) -> list[dict[str, Any]]:
    """Return the rows of a row-level report as plain values, with the role of their layer."""
    rows = []
    for record in report.to_dict("records"):
        plain = {str(k): None if v is None or v != v else v for k, v in record.items()}
        rows.append({"role": role} | plain)
    return rows


def reject_rows(onemap: Any) -> list[dict[str, Any]]:
    """Return the rows of all layers that have problems."""
    return [
        row
        for role, layer in sorted(onemap.layers.items())
        for row in problem_rows(layer.rejects, role)
    ]


def tallies(judgement: "Judgement") -> dict[str, int]:
    """Return patches by disposition and outcome, and leads by what became of them.

    What a lead opened is a clue, but no patch.
    """
    patches, leads = judgement.patches, judgement.leads
    counts = {"patches": int((patches["origin"] == "image").sum())}
    for column in ("disposition", "outcome"):
        counts |= {str(k): int(v) for k, v in sorted(patches[column].value_counts().items())}
    if len(leads):
        counts["leads"] = len(leads)
        for name, count in sorted(leads["relation"].value_counts().items()):
            counts[f"leads_{name}"] = int(count)
    return counts
