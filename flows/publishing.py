"""The outputs stage: store, ledger, exchange files, evidence sheets, report, run.json."""

import json
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.outputs.exchange import write_geojson, write_geopackage
from clues.outputs.ledger import write_ledger
from clues.outputs.report import QualityFacts, write_report
from clues.outputs.tables import ClueTables, RunTitle
from flows.aside import scene_set_aside
from flows.fitting import STATE_FOLDER, clouds_not_searched
from flows.pictures import cutter_of
from flows.registering import STORE_NAME, register_run
from flows.sheeting import publish_sheets
from flows.tilejob import States
from flows.unseen import Unseen
from tiles.chips import ChipCutter

if TYPE_CHECKING:
    from flows.stages import StageContext

__all__ = ["publish", "summarise"]

OVERVIEW_PX = 760
CHIP_PX = 256
VALID_PERCENT_ALERT = 90.0
OBSERVED_NAME = "quality/observed.csv"
UNSEEN_NAME = "quality/unseen.gpkg"
NAMED = 5
"""Divisions that an exception names at most."""


class Publication:
    """The judged tables of a run and what is needed to write them for people.

    Parameters
    ----------
    context : StageContext
    """

    def __init__(self, context: "StageContext") -> None:
        self.context = context
        self.folder = context.run.folder

    @cached_property
    def judged(self) -> dict[str, Any]:
        """Values that the judge stage left in the manifest."""
        product = self.context.run.products("judge")[0]
        return dict(product.values)

    @cached_property
    def states(self) -> States:
        """Fitted states of the run."""
        return States.load(self.context.run.path(STATE_FOLDER))

    @cached_property
    def title(self) -> RunTitle:
        """What titles, file names and footers say."""
        config, plan = self.context.config, self.context.plan
        judged = self.judged
        layers = " ".join(f"{r['role']}:{r['version'][:6]}" for r in judged["layers"])
        day = plan.after.civil_to
        models = " ".join(model.card.label for model in self.context.models)
        return RunTitle(
            config.area.county_code,
            config.area.county_name,
            day.year if day else 0,
            config.quarter,
            self.folder.name,
            {
                "tuban": version("tuban"),
                "rules": f"{judged['rule_set']} {judged['rule_set_version']}",
                "config": config.digest(),
                "state": self.states.hash[:12],
                "layers": layers,
            }
            | ({"model": models} if models else {}),
            "; ".join(plan.attribution),
        )

    @cached_property
    def tables(self) -> ClueTables:
        """Judged tables with the clue numbers that the store gave."""
        return register_run(
            self.folder,
            ClueTables.read(self.folder, self.title),
            key=self.context.judge_key.digest,
            crs=self.context.plan.grid.crs,
            rule_set=self.judged["rule_set"],
            rule_set_version=self.judged["rule_set_version"],
            layers=self.judged["layers"],
            config=self.context.config.model_dump(mode="json"),
        )

    @cached_property
    def observed(self) -> list[dict[str, Any]]:
        """How much of the county, and then of each division, was observed at both dates."""
        path = self.context.run.path(OBSERVED_NAME)
        key = self.context.unseen_key

        def make() -> Any:
            return [path], {"areas": self.unseen.publish_shares(path)}

        values = self.context.once("outputs", OBSERVED_NAME, key, make)
        return list(values["areas"])

    @cached_property
    def unseen(self) -> Unseen:
        """The ground that was not observed."""
        return Unseen(self.context)

    def cutter(self) -> ChipCutter:
        """Return the cutter of before and after pictures."""
        return cutter_of(self.context)

    def quality(self) -> QualityFacts:
        """Return what the run knows about its own quality."""
        landcover = self.states.landcover
        f1 = {
            name: score
            for name, score in zip(landcover.classes, landcover.f1, strict=True)
            if score is not None
        }
        notes = [*self.states.change.notes, *landcover.notes]
        return QualityFacts(
            self.checks, notes, f1, self.judged["rejects"], self.exceptions(), self.observed
        )

    @cached_property
    def checks(self) -> list[dict[str, Any]]:
        """What the gate measured."""
        text = (self.folder / "quality" / "gate.json").read_text(encoding="utf-8")
        return list(json.loads(text)["checks"])

    def _shift_unknown(self) -> bool:
        return any(c["name"] == "shift" and c["value"] is None for c in self.checks)

    def exceptions(self) -> list[str]:
        """Return what a reader must know before trusting the list."""
        plan = self.context.plan
        aside = (*plan.before.set_aside, *plan.after.set_aside)
        found = [scene_set_aside(one) for one in aside]
        found += [s.doubt for s in (*plan.before.scenes, *plan.after.scenes) if s.doubt]
        if self.context.config.gate.register_pair and self._shift_unknown():
            found.append(
                "两期影像间的位移未能测出，未作配准：清晰且有纹理的窗口太少 the displacement "
                "between the dates could not be measured, nothing was corrected: too few clear "
                "windows with texture"
            )
        if self.judged["rejects"]:
            rows = len(self.judged["rejects"])
            found.append(f"图层有 {rows} 条记录有问题 {rows} layer rows have problems")
        found += _too_little_seen(self.observed)
        if unsearched := clouds_not_searched(self.context):
            found.append(unsearched)
        if not self.states.landcover.is_known:
            found.append("没有地类模型，变化类型未知 no land-cover model: change types are unknown")
        return found


def publish(context: "StageContext") -> dict[str, Any]:
    """Write every output that is missing or out of date.

    Returns
    -------
    dict
        ``clues``, ``dismissed``, ``sheets``, ``exceptions``, ``files``.
    """
    work = Publication(context)
    tables, title = work.tables, work.title
    writers: dict[str, Callable[[Path], None]] = {
        "clues.geojson": lambda path: write_geojson(tables, path),
        "clues.gpkg": lambda path: write_geopackage(tables, path),
        "clues.xlsx": lambda path: write_ledger(tables, path),
        "report.html": lambda path: _report(work, path),
        UNSEEN_NAME: work.unseen.publish_parts,
    }
    for name, write in writers.items():
        path = context.run.path(name)
        key = context.unseen_key if name == UNSEEN_NAME else context.outputs_key

        def make(write: Callable[[Path], None] = write, path: Path = path) -> Any:
            write(path)
            return [path], {}

        context.once("outputs", name, key, make)
    sheets = publish_sheets(work.context, tables)
    return {
        "clues": len(tables.clues),
        "dismissed": len(tables.patches) - len(tables.clues),
        "sheets": sheets,
        "exceptions": work.exceptions(),
        "files": [*writers, OBSERVED_NAME, "evidence/", "change.tif", STORE_NAME],
        "batch": title.batch,
    }


def _report(work: Publication, path: Path) -> None:
    plan = work.context.plan
    with work.cutter() as cutter:
        overview = cutter.cut(plan.grid.bounds(plan.extent), OVERVIEW_PX)[1]
        write_report(work.tables, path, work.quality(), lambda b: cutter.cut(b, CHIP_PX), overview)


def _too_little_seen(areas: list[dict[str, Any]]) -> list[str]:
    """Return the exceptions of a county and of divisions of which too little was observed."""
    county, *divisions = areas
    found = []
    percent = county["observed_percent"]
    if percent < VALID_PERCENT_ALERT:
        found.append(f"仅 {percent} % 的面积两期均可观测 only {percent} % could be observed")
    low = [d for d in divisions if d["observed_percent"] < VALID_PERCENT_ALERT]
    if low:
        worst = sorted(low, key=lambda d: (d["observed_percent"], d["code"], d["name"]))[:NAMED]
        names = "、".join(f"{d['name'] or d['code']} {d['observed_percent']} %" for d in worst)
        found.append(
            f"{len(low)} 个行政区可观测不足 {VALID_PERCENT_ALERT:.0f} %：{names} "
            f"{len(low)} divisions were observed to less than {VALID_PERCENT_ALERT:.0f} %"
        )
    return found


def _seen(work: Publication) -> dict[str, Any]:
    """Return what was observed: of the county, in pixels, and of each division."""
    values = work.context.run.products("join")[0].values
    return {
        "valid_percent": work.observed[0]["observed_percent"],
        "observed_pixels": int(values["observed_pixels"]),
        "areas": work.observed,
    }


def _epochs(context: "StageContext") -> dict[str, list[str]] | None:
    """Return first and last civil day of both epochs; None where the images tell no day."""
    plan = context.plan
    days = {
        name: [epoch.civil_from, epoch.civil_to]
        for name, epoch in (("before", plan.before), ("after", plan.after))
    }
    told = {name: [d.isoformat() for d in pair if d] for name, pair in days.items()}
    return told if all(len(pair) == 2 for pair in told.values()) else None


def summarise(context: "StageContext", values: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Write ``run.json`` and return its content.

    Parameters
    ----------
    context : StageContext
    values : dict
        What each stage returned, by stage.
    """
    work = Publication(context)
    records = {n["stage"]: n for n in context.run.notes if n["kind"] == "stage"}
    summary = {
        "name": context.run.folder.name,
        "folder": str(context.run.folder),
        "title": work.title.record,
        "versions": work.title.versions,
        "attribution": work.title.attribution,
        "config": context.config.model_dump(mode="json"),
        "inputs": context.plan_key.parts,
        "layers": work.judged["layers"],
        "models": [model.record for model in context.models],
        "stages": values,
        "epochs": _epochs(context),
        "observed": _seen(work),
        "records": list(records.values()),
        "indicators": work.tables.indicators,
        "exceptions": work.exceptions(),
    }
    context.run.write_summary(summary)
    return summary
