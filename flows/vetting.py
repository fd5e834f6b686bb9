"""Vetting of proposed parcels: a parcel layer and a layers file in, answers and outputs out."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.vocabulary import Language
from flows.judging import layer_records, reject_rows
from tiles.files import write_json

if TYPE_CHECKING:
    from clues.vetting import Vetting
    from configs.vetting import VettingRules

__all__ = ["VettingRun", "vet"]


@dataclass(frozen=True)
class VettingRun:
    """What `vet` did; `summary` is written to ``run.json``."""

    vetting: "Vetting"
    summary: dict[str, Any]
    rejects: list[dict[str, Any]]


def vet(
    parcels: Path,
    layers: Path,
    out: Path,
    *,
    on: dt.date,
    rules: str = "vet-land",
    languages: Sequence[Language] = ("zh", "en"),
) -> VettingRun:
    """Check proposed parcels against the One-Map as of a day and write everything into a folder.

    Parameters
    ----------
    parcels : Path
        Parcel layer; how its fields are read stands under ``parcels:`` of the layers file.
    layers : Path
        ``LAYERS.yaml``.
    out : Path
    on : date
        The layers and documents of this day count.
    rules : str
        Shipped name or YAML path.
    languages : sequence of {"zh", "en"}
        Of the workbook and the page.

    Raises
    ------
    ConfigError, LayerError
        If a file breaks its contract; nothing is written then.
    """
    from clues.crs import crs_name
    from clues.proposals import read_proposals
    from clues.vetting import layers_on, vet_parcels
    from configs.layers import LayersFile, ParcelSource
    from configs.vetting import load_vetting

    rule_set, file = load_vetting(rules), LayersFile.load(layers)
    table, report = read_proposals(parcels, file.parcels or ParcelSource())
    onemap = layers_on(file, on, crs_name(table.crs))
    vetting = vet_parcels(table, onemap, rule_set, on)
    records = layer_records(onemap)
    rejects = [{"role": "parcels"} | _texts(r) for r in report.to_dict("records")]
    rejects += reject_rows(onemap)
    counts = vetting.parcels["outcome"].value_counts()
    summary = {
        "command": "vet",
        "inputs": {"parcels": str(parcels), "layers": str(layers)},
        "on": on.isoformat(),
        "crs": onemap.crs,
        "rule_set": rule_set.name,
        "rule_set_version": rule_set.digest,
        "tuban": version("tuban"),
        "layers": records,
        "tallies": {a: int(counts.get(a, 0)) for a in ("pass", "fail", "ask")},
        "rejects": rejects,
    }
    out.mkdir(parents=True, exist_ok=True)
    _publish(vetting, out, _notes(summary, rule_set), languages, summary)
    return VettingRun(vetting, summary, rejects)


def _texts(row: dict[Any, Any]) -> dict[str, str]:
    return {str(k): str(v) for k, v in row.items()}


def _publish(
    vetting: "Vetting",
    out: Path,
    notes: list[tuple[str, str, str]],
    languages: Sequence[Language],
    summary: dict[str, Any],
) -> None:
    from clues.outputs.vetbook import write_vetting_workbook
    from clues.outputs.vetpage import write_vetting_page
    from clues.outputs.vetting import (
        write_vetting_geojson,
        write_vetting_geopackage,
        write_vetting_json,
    )

    head = {k: summary[k] for k in ("on", "rule_set", "rule_set_version", "layers")}
    write_vetting_json(vetting, head, out / "vet.json")
    write_vetting_geojson(vetting, out / "vet.geojson")
    write_vetting_geopackage(vetting, out / "vet.gpkg")
    write_vetting_workbook(vetting, notes, out / "vet.xlsx", languages=languages)
    write_vetting_page(vetting, notes, out / "vet.html", languages=languages)
    for name, value in (
        ("rules.json", vetting.rules.model_dump(mode="json")),
        ("run.json", summary),
    ):
        write_json(out / name, value)


def _notes(summary: dict[str, Any], rules: "VettingRules") -> list[tuple[str, str, str]]:
    """Return what the answers hold for: (Chinese label, English label, value)."""
    from configs.vocabulary import role_name

    notes = [
        ("审查基准日", "as of", summary["on"]),
        ("规则集", "rule set", f"{rules.name} {rules.digest}"),
        ("坐标系", "CRS", summary["crs"]),
        ("程序版本", "tuban", summary["tuban"]),
    ]
    for record in summary["layers"]:
        role = record["role"]
        zh, en = f"图层 {role_name(role)}", f"layer {role_name(role, 'en')}"
        notes.append((zh, en, f"{record['name']} {record['version']}"))
    return notes
