"""Judgement of delivered patches: a patch layer and a layers file in, tables and ledger out."""

import hashlib
import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.outputs.tables import ClueTables, RunTitle
from configs.errors import InputError
from flows.judging import (
    layer_records,
    problem_rows,
    reject_rows,
    rules_of,
    tallies,
    write_classes,
    write_tables,
)
from flows.registering import register_run
from tiles.files import fingerprint, write_json

if TYPE_CHECKING:
    import pandas as pd

    from clues.judgement import Judgement
    from clues.layers import OneMap
    from configs.layers import LayersFile
    from configs.rules import RuleSet
    from flows.tracedjudging import Kept

__all__ = [
    "DeliveredRun",
    "delivered_patches",
    "judge_delivered",
    "judged_patches",
    "keep_judgement",
]


@dataclass(frozen=True)
class DeliveredRun:
    """What `judge_delivered` did, as written to ``run.json``."""

    summary: dict[str, Any]
    rejects: list[dict[str, Any]]


def judge_delivered(
    patches: Path,
    layers: Path,
    out: Path,
    *,
    rules: str = "cn-land",
    quarter: int | None = None,
    register: str | None = None,
    is_new_only: bool = False,
) -> DeliveredRun:
    """Judge delivered patches against the One-Map and write everything into a folder.

    Parameters
    ----------
    patches : Path
        Patch layer; how its fields are read stands under ``patches:`` of the layers file.
    layers : Path
        ``LAYERS.yaml``.
    out : Path
        Folder for tables, indicators, ledger, exchange files, the rule set and ``run.json``.
    rules : str
        Shipped name or YAML path.
    quarter : int, optional
        Printed in clue numbers; that of the latest image if not given.
    register : str, optional
        File or URL of the register that they go into, by default a store of the folder. The name
        of the folder names the period.
    is_new_only : bool
        With a register: leave out of the list what another period listed.

    Raises
    ------
    ConfigError, LayerError
        If a file breaks its contract; nothing is written then.
    """
    from clues.judgement import judge_patches
    from clues.layers import build_onemap, layers_fingerprint

    file, rule_set, folder = _layers_file(layers), rules_of(rules), out.resolve()
    table, report, crs = delivered_patches(file, patches)
    onemap = build_onemap(file, crs=crs)
    if file.county is not None and file.county.name:
        table["county_name"] = file.county.name
    kept = None
    if register is not None:
        from flows.tracedjudging import period_of_patches, traced_in

        place = register if "://" in register else str(Path(register).resolve())
        period = period_of_patches(table, folder.name)
        table, kept = traced_in(place, period, table, rule_set, is_new_only=is_new_only)
    judgement = judge_patches(table, onemap, rule_set, workers=os.cpu_count() or 1)
    rejects = problem_rows(report, "patches") + reject_rows(onemap)
    parts = (fingerprint(patches), layers_fingerprint(layers), rule_set.digest)
    told = {
        "command": "judge",
        "inputs": {"patches": str(patches), "layers": str(layers)},
        "rejects": rejects,
    }
    summary = keep_judgement(
        *(folder, judgement, rule_set, file, onemap),
        parts=parts,
        quarter=quarter,
        told=told,
        kept=kept,
    )
    return DeliveredRun(summary, rejects)


def keep_judgement(
    folder: Path,
    judgement: "Judgement",
    rules: "RuleSet",
    file: "LayersFile",
    onemap: "OneMap",
    *,
    parts: tuple[str, ...],
    quarter: int | None,
    told: dict[str, Any],
    kept: "Kept | None" = None,
) -> dict[str, Any]:
    """Write a judgement of delivered patches for people and programs; return ``run.json``.

    Parameters
    ----------
    folder : Path
        Made when missing; its store keeps the clue numbers it holds already.
    parts : tuple of str
        Hashes of the inputs; together they name the judgement.
    told : dict
        What ``run.json`` says besides.
    kept : Kept, optional
        The register that it goes into instead of a store of the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_tables(judgement, rules, folder)
    write_classes(judgement, onemap, folder)
    name = kept.registration.period.run if kept else folder.name
    title = _title(judgement, file, onemap, rules, name, quarter)
    if kept is not None:
        from flows.tracing import write_fates

        write_fates(kept.fates, kept.crs, folder)
        told = told | kept.record
        parts = (*parts, kept.registration.digest, name)
    key = hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
    crs = judgement.patches.crs.to_string()
    tables = register_run(
        folder,
        ClueTables.read(folder, title),
        key=key,
        crs=crs,
        rule_set=rules.name,
        rule_set_version=rules.digest,
        layers=layer_records(onemap),
        config={},
        register=kept.registration if kept else None,
    )
    _publish(folder, tables)
    summary = {
        "name": folder.name,
        "key": key,
        "crs": crs,
        "title": title.record,
        "versions": title.versions,
        "layers": layer_records(onemap),
        "tallies": tallies(judgement),
        "clues": sorted(tables.clues["clue_no"]),
        "indicators": judgement.indicators,
    } | told
    write_json(folder / "run.json", summary, plain=str)
    return summary


def _layers_file(path: Path) -> "LayersFile":
    from configs.layers import LayersFile

    return LayersFile.load(path)


def delivered_patches(file: "LayersFile", patches: Path) -> tuple[Any, "pd.DataFrame", str]:
    """Return the patch table, its row report and its CRS, which is the CRS of the judgement."""
    from clues.delivered import load_patches
    from clues.sources import open_source
    from configs.layers import PatchSource

    source = file.patches or PatchSource(source=patches)
    source = source.model_copy(update={"source": patches.resolve()})
    raw = open_source(
        source.source,
        layer=source.layer,
        encoding=source.encoding,
        crs=source.crs,
        crs_override=source.crs_override,
    )
    crs = raw.crs.to_string()
    table, report = load_patches(source, Path(), crs)
    if not len(table):
        raise InputError(
            "there is no patch with a usable outline", str(patches), "check the patch layer"
        )
    return table, report, crs


def judged_patches(folder: Path) -> Any:
    """Return the patches of a judged run that imagery found, with what was judged of them."""
    import geopandas as gpd

    path = folder / "patches.parquet"
    if not path.is_file():
        raise InputError(
            "the folder holds no judged run", str(folder), "name the folder that judge or run wrote"
        )
    table = gpd.read_parquet(path)
    if "origin" not in table:
        return table
    return table[(table["origin"] == "image").to_numpy()].reset_index(drop=True)


def _title(
    judgement: "Judgement",
    file: "LayersFile",
    onemap: "OneMap",
    rules: "RuleSet",
    name: str,
    quarter: int | None,
) -> RunTitle:
    day = max(judgement.patches["after_to"].dropna())
    county = file.county.code if file.county else str(judgement.patches["county_code"].iloc[0])
    layers = " ".join(f"{r['role']}:{r['version'][:6]}" for r in layer_records(onemap))
    return RunTitle(
        county,
        file.county.name if file.county else "",
        day.year,
        quarter or (day.month + 2) // 3,
        name,
        {"tuban": version("tuban"), "rules": f"{rules.name} {rules.digest}", "layers": layers},
        speech=rules.spoken,
    )


def _publish(folder: Path, tables: ClueTables) -> None:
    from configs.runparts import OutputSettings
    from flows.formats import FORMATS, NO_PICTURES, writers_of

    chosen = writers_of(OutputSettings().formats, tables, folder, lambda: NO_PICTURES)
    for name, write in chosen.items():
        write(folder / FORMATS[name].name)
