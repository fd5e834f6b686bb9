"""``tuban watch``: approvals against the built patches of several runs."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.errors import InputError
from configs.layers import LayersFile, LayerSpec

if TYPE_CHECKING:
    from clues.layers import OneMap
    from clues.watchfindings import Watch
    from clues.watching import Period
    from configs.watching import WatchRules

__all__ = ["WatchRun", "watch_approvals"]

CHANGE_NAME = "change.tif"
LAYERS_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class WatchRun:
    """What `watch_approvals` did.

    Attributes
    ----------
    found : Watch
    tallies : dict of (kind, months) to dict of answer to int
    problems : int
        Rows of layers that were set aside, and documents that are not on the map.
    """

    found: "Watch"
    tallies: dict[tuple[str, int], dict[str, int]]
    problems: int


def watch_approvals(
    approvals: Path,
    runs: Sequence[Path],
    out: Path,
    *,
    rules: str = "cn-watch",
    role: str = "approval",
) -> WatchRun:
    """Watch documents over several runs and write everything into a folder.

    Parameters
    ----------
    approvals : Path
        ``LAYERS.yaml``, or one layer of documents.
    runs : sequence of Path
        Run folders of `tuban run` or `tuban judge`, or patch layers read by ``patches:`` of the
        layers file.
    out : Path
    rules : str
        Shipped name or YAML path.
    role : str
        Role of `approvals` if it is a layer.

    Raises
    ------
    ConfigError, InputError, LayerError
        If a file breaks its contract; nothing is written then.
    """
    from clues.layers import build_onemap
    from clues.watchfindings import watch
    from clues.watching import built_in, watched_documents
    from configs.watching import load_watch_rules

    rule_set, file = load_watch_rules(rules), _layers(approvals, role)
    named = dict(zip(_names(runs), runs, strict=True))
    tables = {name: _patches(path, file) for name, path in named.items()}
    crs = next(iter(tables.values())).crs.to_string()
    wanted = tuple(s for s in file.layers if s.role in rule_set.roles)
    onemap = build_onemap(file.model_copy(update={"layers": wanted}), crs=crs)
    documents = watched_documents(onemap, rule_set)
    if not len(documents):
        raise InputError(
            "there is no document to watch",
            str(approvals),
            f"name a layer of one of these roles: {', '.join(rule_set.roles)}",
        )
    periods = [
        _period(name, named[name], table.to_crs(crs), documents) for name, table in tables.items()
    ]
    found = watch(built_in(documents, periods, rule_set), rule_set)
    lost = _lost(onemap)
    _write(found, rule_set, onemap, lost, out)
    rejects = sum(len(t.rejects) for t in onemap.layers.values())
    return WatchRun(found, _tallies(found), rejects + len(lost))


def _layers(approvals: Path, role: str) -> LayersFile:
    if approvals.suffix.lower() in LAYERS_SUFFIXES:
        return LayersFile.load(approvals)
    return LayersFile(layers=(LayerSpec(role=role, source=approvals.resolve()),))


def _names(runs: Sequence[Path]) -> list[str]:
    """Return the name of each run: that of its folder or file, with more of the path if needed."""
    names = [p.resolve().name for p in runs]
    if len(set(names)) == len(names):
        return names
    longer = ["/".join(p.resolve().parts[-2:]) for p in runs]
    if len(set(longer)) < len(longer):
        twice = next(n for n in longer if longer.count(n) > 1)
        raise InputError(f"the run {twice} is named twice", "RUN …", "name every run once")
    return longer


def _patches(path: Path, file: LayersFile) -> Any:
    """Return the patches of a run folder, or of a patch layer."""
    from flows.delivered import delivered_patches, judged_patches

    if not path.is_dir() or path.suffix.lower() == ".gdb":
        return delivered_patches(file, path)[0]
    return judged_patches(path)


def _period(name: str, path: Path, patches: Any, documents: Any) -> "Period":
    from clues.watching import Period

    first, last = _span(path, patches)
    observed = None
    raster = path / CHANGE_NAME
    if raster.is_file():
        from tiles.observed import observed_shares

        observed = observed_shares(raster, documents.geometry.to_numpy(), documents.crs.to_string())
    return Period(name, patches, first, last, observed)


def _span(path: Path, patches: Any) -> tuple[dt.date | None, dt.date | None]:
    """Return the days between which all was watched; of a run without patches from its summary."""
    if len(patches):
        return max(patches["before_to"].dropna()), min(patches["after_from"].dropna())
    summary = path / "run.json"
    epochs = (
        json.loads(summary.read_text(encoding="utf-8")).get("epochs") if summary.is_file() else None
    )
    if not epochs:
        return None, None
    return dt.date.fromisoformat(epochs["before"][1]), dt.date.fromisoformat(epochs["after"][0])


def _lost(onemap: "OneMap") -> list[list[Any]]:
    """Return the documents that are not on the map: role, number, date."""
    return [
        [role, row.get("number") or row["key"], row.get("date") or row.get("filed")]
        for role, layer in sorted(onemap.layers.items())
        for row in layer.not_on_map.to_dict("records")
    ]


def _tallies(found: "Watch") -> dict[tuple[str, int], dict[str, int]]:
    counts: dict[tuple[str, int], dict[str, int]] = {}
    for row in found.findings.to_dict("records"):
        question = (str(row["kind"]), int(row["months"]))
        own = counts.setdefault(question, {"found": 0, "unknown": 0, "clear": 0})
        own[str(row["answer"])] += 1
    return counts


def _write(
    found: "Watch", rules: "WatchRules", onemap: "OneMap", lost: list[list[Any]], out: Path
) -> None:
    from clues.outputs import watching as outputs
    from flows.judging import layer_records

    layers = layer_records(onemap)
    notes = _notes(found, rules, layers)
    head = {
        "rules": {
            "name": rules.name,
            "settings": rules.model_dump(mode="json", exclude={"findings"}),
        },
        "versions": {"tuban": version("tuban")},
        "layers": layers,
        "periods": [
            {"name": p.name, "from": p.first, "to": p.last, "observed_told": p.observed is not None}
            for p in found.built.periods
        ],
        "not_on_map": lost,
    }
    out.mkdir(parents=True, exist_ok=True)
    outputs.write_watch_json(found, head, out / "watch.json")
    outputs.write_watch_geojson(found, out / "watch.geojson")
    outputs.write_watch_geopackage(found, out / "watch.gpkg")
    outputs.write_watch_workbook(found, rules, lost, notes, out / "watch.xlsx")
    outputs.write_watch_page(found, rules, notes, out / "watch.html")


def _notes(
    found: "Watch", rules: "WatchRules", layers: list[dict[str, Any]]
) -> list[tuple[str, str, str, str]]:
    """Return what the answers hold for: rules, layers, periods and how they were observed."""
    name = f"{rules.name} (tuban {version('tuban')})"
    notes = [("规则集", "rule set", name, name)]
    for layer in layers:
        file, count = f"{layer['name']} {layer['version']}", layer["features"]
        notes.append(("图层", "layer", f"{file}:{count} 个要素", f"{file}: {count} features"))
    for period in found.built.periods:
        told = ("未给出可观测范围", "what could be observed is not told")
        if period.observed is not None:
            told = (f"可观测范围取自 {CHANGE_NAME}", f"observed as told by {CHANGE_NAME}")
        span = f"{period.name}: {period.first or '—'} – {period.last or '—'}; "
        notes.append(("时段", "period", span + told[0], span + told[1]))
    return notes
