"""The outputs stage: store, ledger, exchange files, evidence sheets, report, run.json."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.outputs.report import report_document, write_report
from clues.outputs.tables import ClueTables, RunTitle
from configs.errors import RasterError
from configs.told import Told
from flows.fitting import STATE_FOLDER
from flows.formats import FORMATS, writers_of
from flows.givenup import told_given_up
from flows.imagery import image_sources, run_imagery
from flows.judging import RULES_NAME, rules_of
from flows.keys import StageKey
from flows.latency import latency_of
from flows.opening import Opening
from flows.pictures import Thumbnails, cutter_of, thumbnails
from flows.registering import STORE_NAME, register_run
from flows.reporting import report_model
from flows.secondwriter import SecondWriter, pays, second_writer
from flows.sheeting import publish_sheets
from flows.tilejob import States
from flows.tracing import registration_of
from flows.trust import run_exceptions, trust_record
from flows.unseen import Unseen
from tiles.chips import ChipCutter
from tiles.remote import is_remote

if TYPE_CHECKING:
    from flows.stages import StageContext

__all__ = ["output_keys", "publish", "summarise"]

CHIP_PX = 256
BESIDE = {"catalog", "freshness", "models", "outputs", "profile", "report"}
"""Fields of the config that change what is written about a result, and no result."""

OBSERVED_NAME = "quality/observed.csv"
REPORT_NAME = "report.html"
WORKBOOK = "xlsx"
"""What takes longest to write."""

UNSEEN_NAME = "quality/unseen.gpkg"


class Publication:
    """The judged tables of a run and what is needed to write them for people.

    Parameters
    ----------
    context : StageContext
    """

    def __init__(self, context: "StageContext") -> None:
        self.context = context
        self.folder = context.run.folder
        self._ahead: Callable[[ClueTables], None] | None = None

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
            config.quarter_of(day),
            self.folder.name,
            {
                "tuban": version("tuban"),
                "rules": f"{judged['rule_set']} {judged['rule_set_version']}",
                "config": self.context.config_digest(*(set(type(config).model_fields) - BESIDE)),
                "state": self.states.hash[:12],
                "layers": layers,
            }
            | ({"model": models} if models else {}),
            "; ".join(plan.attribution),
            rules_of(str(self.folder / RULES_NAME)).spoken,
            image_sources(plan),
        )

    @cached_property
    def tables(self) -> ClueTables:
        """Judged tables with the clue numbers that the store gave."""
        gaps = (*told_given_up(self.context.given_up), *Opening.of(self.folder).gaps)
        return register_run(
            self.folder,
            replace(ClueTables.read(self.folder, self.title), gaps=gaps),
            key=self.context.judge_key.digest,
            crs=self.context.plan.grid.crs,
            rule_set=self.judged["rule_set"],
            rule_set_version=self.judged["rule_set_version"],
            layers=self.judged["layers"],
            config=self.context.config.model_dump(mode="json"),
            register=registration_of(self.context, self.judged.get("register", "")),
            held=self.context.run.require_held,
            ahead=self._ahead,
        )

    @cached_property
    def observed(self) -> list[dict[str, Any]]:
        """How much of the county, and then of each division, was observed at both dates."""
        path = self.context.run.path(OBSERVED_NAME)
        key = self.context.observed_key

        def make() -> Any:
            return [path], {"areas": self.unseen.publish_shares(path)}

        values = self.context.once("outputs", OBSERVED_NAME, key, make, foretold=True)
        return list(values["areas"])

    @cached_property
    def unseen(self) -> Unseen:
        """The ground that was not observed."""
        return Unseen(self.context)

    @cached_property
    def thumbnails(self) -> Thumbnails:
        """Small pictures of the first clues by priority."""
        return self._pictured(self.tables)

    def _pictured(self, tables: ClueTables) -> Thumbnails:
        with self.cutter() as cutter:
            return thumbnails(cutter, tables, first=self.context.config.outputs.pictures)

    def begin_book(self, second: SecondWriter) -> None:
        """Hand the workbook to a second process, as soon as the clues have their numbers."""
        handed: list[ClueTables] = []

        def begin(tables: ClueTables) -> None:
            self.thumbnails = self._pictured(tables)
            second.begin(tables, self.folder, self.thumbnails)
            handed.append(tables)

        def ahead(tables: ClueTables) -> None:
            with suppress(RasterError, OSError):  # told where pictures are cut after the store
                begin(tables)

        self._ahead = ahead if self._has_images_here else None
        tables = self.tables
        if not handed:
            begin(tables)
        elif tables.mark != handed[0].mark:  # somebody filled in something in this very moment
            second.leave()

    @property
    def _has_images_here(self) -> bool:
        """Whether no picture waits for another machine while the store waits for it."""
        scenes = (*self.context.plan.before.scenes, *self.context.plan.after.scenes)
        return not any(is_remote(b.path) for s in scenes for b in s.bands.values())

    def cutter(self) -> ChipCutter:
        """Return the cutter of before and after pictures."""
        return cutter_of(self.context)

    @cached_property
    def latency(self) -> dict[str, Any] | None:
        """Days from the images to the clues."""
        return latency_of(self.folder, self.tables, self.context.config.area.time_zone)

    @cached_property
    def exceptions(self) -> list[Told]:
        """What a reader must know before trusting the list."""
        return run_exceptions(self.context, self.states, self.judged, self.observed)

    @cached_property
    def account(self) -> dict[str, Any]:
        """What ``run.json`` says that does not depend on how the stages went."""
        return {
            "title": self.title.record,
            "versions": self.title.versions,
            "attribution": self.title.attribution,
            "images": [image.record for image in self.title.images],
            "layers": self.judged["layers"],
            "observed": _seen(self),
            "latency": self.latency,
            "indicators": self.tables.indicators,
            "exceptions": [e.both for e in self.exceptions],
            "quality": trust_record(self.exceptions, self.states),
            "opening": Opening.of(self.folder).record,
        }


def publish(context: "StageContext") -> dict[str, Any]:
    """Write every output that is missing or out of date.

    Returns
    -------
    dict
        ``clues``, ``dismissed``, ``sheets``, ``exceptions``, ``files``.
    """
    work, keys = Publication(context), output_keys(context)
    with _second_writer(work, keys) as second:
        missing = {n for n, k in keys.items() if context.run.why_not("outputs", n, k) is not None}
        if REPORT_NAME in missing and len(missing) > 1:
            context.overview.begin(work.judged["tallies"]["patches"])
        if second is not None:
            work.begin_book(second)
        tables, title = work.tables, work.title
        chosen = writers_of(
            context.config.outputs.formats, tables, work.folder, lambda: work.thumbnails
        )
        writers: dict[str, Callable[[Path], None]] = {
            **{FORMATS[name].name: write for name, write in chosen.items()},
            REPORT_NAME: lambda path: _report(work, path),
            UNSEEN_NAME: work.unseen.publish_parts,
        }
        names = list(writers)
        context.foretell("outputs", keys)
        if second is not None:
            book = FORMATS[second.name].name
            writers[book] = second.or_else(writers.pop(book))  # the last, when it is ready
        for name, write in writers.items():
            _publish_file(context, name, keys[name], write)
    sheets = publish_sheets(work.context, tables)
    return {
        "clues": len(tables.clues),
        "dismissed": len(tables.patches) - len(tables.clues),
        **({"earlier": len(tables.earlier)} if tables.earlier else {}),
        "sheets": sheets,
        "exceptions": [e.both for e in work.exceptions],
        "files": [*names, OBSERVED_NAME, "evidence/", "change.tif", STORE_NAME],
        "batch": title.batch,
    }


def _publish_file(
    context: "StageContext", name: str, key: StageKey, write: Callable[[Path], None]
) -> None:
    path = context.run.path(name)

    def make() -> Any:
        write(path)
        return [path], {}

    context.once("outputs", name, key, make, foretold=True)


def _second_writer(
    work: Publication, keys: dict[str, StageKey]
) -> AbstractContextManager[SecondWriter | None]:
    """Return a second process for the workbook, where there is one to write and it pays."""
    run, options, name = work.context.run, work.context.options, FORMATS[WORKBOOK].name
    if name not in keys or run.why_not("outputs", name, keys[name]) is None:
        return nullcontext()
    counts = work.judged["tallies"]
    has_two = pays(options, counts.get("clue", 0), counts["patches"])
    return second_writer(WORKBOOK) if has_two else nullcontext()


def output_keys(context: "StageContext") -> dict[str, StageKey]:
    """Return what the outputs stage of a run writes beside evidence, and what each depends on."""
    formats = [FORMATS[name] for name in context.config.outputs.formats]
    keys = {f.name: context.pictured_key if f.pictured else context.outputs_key for f in formats}
    keys[REPORT_NAME] = context.report_key
    if old := Opening.of(context.run.folder).old:
        told = {"age of images": old[0].en}
        keys = {n: StageKey(k.stage, k.parts | told) for n, k in keys.items()}
    return keys | {
        UNSEEN_NAME: context.unseen_key,
        OBSERVED_NAME: context.observed_key,
    }


def _report(work: Publication, path: Path) -> None:
    settings, tables = work.context.config.report, work.tables
    summary = work.account | {"stages": {"judge": work.judged}}
    model = report_model(tables, work.folder, summary, settings, work.context)
    language = settings.language or tables.title.speech.language
    write_report(report_document(model, language, settings.template), path)


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
        "config": context.config.model_dump(mode="json"),
        "inputs": context.plan_key.parts,
        "models": [model.record for model in context.models],
        "stages": values,
        "epochs": _epochs(context),
        "imagery": run_imagery(context.plan).record,
        "records": list(records.values()),
    } | work.account
    context.run.write_summary(summary)
    return summary
