"""What a flow run shows on the pages of a Prefect server: progress, figures, map, report."""

import base64
import io
import logging
import re
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_progress_artifact,
    create_table_artifact,
)
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.context import FlowRunContext
from prefect.settings import PREFECT_API_URL

from configs.speech import Speech
from configs.units import UNIT_NAMES, area_in
from flows.progress import Progress

__all__ = [
    "SHARES",
    "ProgressArtifact",
    "artifact_key",
    "publish_artifacts",
    "share_done",
    "summary_rows",
    "tolerant",
]

log = logging.getLogger(__name__)

SERIES = "series"
SERIES_SHARE = 20
"""Percent of a run that follows a series of images: what is worked before its stages."""

SHARES = {"plan": 1, "gate": 5, "fit": 20, "tiles": 45, "join": 4, "judge": 10, "outputs": 15}
"""Percent of a run that each stage counts as; tiles are told one by one."""

EVERY_S = 2.0
MAP_DPI = 100
MAP_QUALITY = 80

WORDS = {
    "zh": {
        "item": "项目",
        "count": "图斑数",
        "area": "面积",
        "clues": "线索",
        "dismissed": "未列线索图斑",
        "observed": "有效观测比例（%）",
        "exceptions": "需注意的情况",
        "summary": "{name}：结果汇总。运行文件夹：`{folder}`",
        "map": "{name}：线索分布图",
        "report": "打开报告",
        "link": "{name}：报告 `{path}`",
    },
    "en": {
        "item": "item",
        "count": "patches",
        "area": "area",
        "clues": "clues",
        "dismissed": "dismissed patches",
        "observed": "ground observed (%)",
        "exceptions": "exceptions",
        "summary": "{name}: what was found. Run folder: `{folder}`",
        "map": "{name}: map of the clues",
        "report": "open the report",
        "link": "{name}: report `{path}`",
    },
}


def _is_shown() -> bool:
    """Return whether somebody can look: in a flow run, on a server that lasts."""
    return FlowRunContext.get() is not None and bool(PREFECT_API_URL.value())


def artifact_key(run: str, kind: str) -> str:
    """Return the key of an artifact of a run: lower-case letters, digits and dashes.

    Examples
    --------
    >>> artifact_key("临淄_2025-1A2b3c4d", "map")
    '2025-1a2b3c4d-map'
    """
    return "-".join([*re.findall("[a-z0-9]+", run.lower()), kind])


def share_done(progress: Progress, stage: str, *, has_series: bool = False) -> float:
    """Return the percent of the run that is done, while a stage or its series is worked."""
    if stage == SERIES:
        return round(SERIES_SHARE * _part(progress, stage), 1)
    names = list(SHARES)
    before = sum(SHARES[name] for name in names[: names.index(stage)])
    done = before + SHARES[stage] * _part(progress, stage)
    return round(SERIES_SHARE + done * (100 - SERIES_SHARE) / 100 if has_series else done, 1)


def _is_of(progress: Progress, stage: str) -> bool:
    """Tell whether a progress is that of a stage; a series is worked by its monitor."""
    return progress.stage == stage or (stage == SERIES and progress.stage.startswith("monitor "))


def _part(progress: Progress, stage: str) -> float:
    """Return how much of a stage is done, from 0 to 1."""
    if not _is_of(progress, stage) or not progress.total:
        return 0.0
    return min(1.0, (progress.items + progress.reused) / progress.total)


class ProgressArtifact:
    """Keeps the progress artifact of a run up to date, from a thread of its own.

    A server that does not answer delays nothing and breaks nothing. Where nobody can see it,
    outside a flow run or without a server, it does nothing.

    Parameters
    ----------
    every_s : float
        Seconds between two looks.
    has_series : bool
        Whether a series of images is worked before the stages.
    """

    def __init__(self, every_s: float = EVERY_S, *, has_series: bool = False) -> None:
        self._run = ""
        self._every_s, self._has_series = every_s, has_series
        self._stage = next(iter(SHARES))
        self._id: UUID | None = None
        self._told: tuple[float, str] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="progress", daemon=True)

    def __enter__(self) -> "ProgressArtifact":
        return self

    def begin(self, run: str) -> None:
        """Make the artifact of a run, once."""
        if self._run:
            return
        self._run = run
        if _is_shown():
            self._id = tolerant(
                "the progress artifact",
                lambda: create_progress_artifact(
                    0.0, key=artifact_key(self._run, "progress"), description=self._run
                ),
            )
        if self._id is not None:
            self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        if self._id is None:
            return
        self._thread.join(timeout=10.0)
        if kind is None:
            self._tell(100.0, f"{self._run}: done")
        else:
            self._tell(self._share(Progress.current()), f"{self._stage}: stopped")

    def enter(self, stage: str) -> None:
        """Take note that a stage begins."""
        self._stage = stage

    def _follow(self) -> None:
        while not self._stop.wait(self._every_s):
            current = Progress.current()
            known = _is_of(current, self._stage)
            self._tell(self._share(current), current.text() if known else self._stage)

    def _share(self, progress: Progress) -> float:
        return share_done(progress, self._stage, has_series=self._has_series)

    def _tell(self, percent: float, text: str) -> None:
        told = (percent, text.rpartition(", ")[0] or text)  # the clock alone is no news
        if self._id is None or told == self._told:
            return
        self._told = told
        update = ArtifactUpdate(data=percent, description=text)
        tolerant("the progress artifact", lambda: _update(self._id, update))


def _update(artifact: UUID | None, update: ArtifactUpdate) -> None:
    if artifact is not None:
        with get_client(sync_client=True) as client:
            client.update_artifact(artifact, update)


def tolerant(what: str, tell: Callable[[], Any]) -> Any:
    """Return what a call of the server returns; None, with a line in the log, where it fails.

    What is shown of a run must not stop the run.
    """
    try:
        return tell()
    except Exception as error:
        log.warning("%s was not told to the Prefect server: %s", what, error)
        return None


def publish_artifacts(summary: dict[str, Any], served_at: str | None = None) -> None:
    """Show what a finished run found: a table, the map, a link to the report.

    Parameters
    ----------
    summary : dict
        Content of ``run.json``.
    served_at : str, optional
        Address under which the folder of all runs is served.
    """
    if not _is_shown():
        return
    folder, name = Path(summary["folder"]), summary["name"]
    speech = _speech(folder, summary)
    language = speech.language
    words = WORDS[language]
    report = folder / "report.html"
    link = f"{served_at.rstrip('/')}/{quote(name)}/report.html" if served_at else report.as_uri()
    tolerant(
        "the table",
        lambda: create_table_artifact(
            summary_rows(summary, speech),
            key=artifact_key(name, "summary"),
            description=words["summary"].format(name=name, folder=folder),
        ),
    )
    tolerant(
        "the link to the report",
        lambda: create_link_artifact(
            link,
            link_text=words["report"],
            key=artifact_key(name, "report"),
            description=words["link"].format(name=name, path=report),
        ),
    )
    tolerant(
        "the map",
        lambda: create_image_artifact(
            map_picture(folder, language),
            key=artifact_key(name, "map"),
            description=words["map"].format(name=name),
        ),
    )


def _speech(folder: Path, summary: dict[str, Any]) -> Speech:
    """Return how the rule set of a run speaks, in the language of the run's report."""
    from flows.judging import RULES_NAME, rules_of

    speech = rules_of(str(folder / RULES_NAME)).spoken
    wanted = summary["config"]["report"]["language"]
    return speech.model_copy(update={"language": wanted}) if wanted else speech


def summary_rows(summary: dict[str, Any], speech: Speech) -> list[dict[str, Any]]:
    """Return the table of a run: clues and dismissed patches, outcomes by line, exceptions."""
    words, outputs = WORDS[speech.language], summary["stages"]["outputs"]
    unit = UNIT_NAMES[speech.area_unit][speech.language == "en"]
    item, count, area = words["item"], words["count"], f"{words['area']} ({unit})"

    def row(name: str, number: Any, size: str = "") -> dict[str, Any]:
        return {item: name, count: number, area: size}

    rows = [row(words[name], outputs[name]) for name in ("clues", "dismissed")]
    for line, outcomes in summary["indicators"]["lines"].items():
        for outcome, told in outcomes.items():
            if told["count"]:
                name = f"{speech.line(line)} · {speech.outcome(outcome)}"
                size = area_in(round(told["m2"] * 100), speech.area_unit)
                rows.append(row(name, told["count"], str(size)))
    rows.append(row(words["observed"], summary["observed"]["valid_percent"]))
    rows.append(row(words["exceptions"], len(summary["exceptions"])))
    return rows


def map_picture(folder: Path, language: Literal["zh", "en"]) -> str:
    """Return the map of a finished run as an address that holds the picture itself.

    A server has no way to the run folder, and a browser opens no file from a page of a server.
    """
    from PIL import Image

    from clues.outputs.mapwords import MapLook
    from flows.civilday import civil_day
    from flows.mapping import draw_maps

    look = MapLook(language=language)
    with tempfile.TemporaryDirectory(prefix="tuban-map-") as work:
        drawn = draw_maps(folder, Path(work), look, day=civil_day(folder), png_dpi=MAP_DPI)
        picture = next(p for p in drawn[0].files if p.suffix == ".png")
        data = io.BytesIO()
        with Image.open(picture) as image:
            image.convert("RGB").save(data, "JPEG", quality=MAP_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()
