"""The state of run folders: finished, stopped, running or stale, and how far each one came."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from configs.errors import InputError, RunError
from flows.lock import holder_state
from flows.manifest import MANIFEST_NAME, SUMMARY_NAME, Run

__all__ = ["RunState", "read_state", "read_states", "summary_of"]

State = Literal["finished", "stopped", "running", "stale", "unreadable"]


@dataclass(frozen=True)
class RunState:
    """What a run folder tells about its run without working it.

    Attributes
    ----------
    folder : Path
    kind : str
        ``run``, ``judge``, or the first stage of another job that keeps a manifest.
    state : str
        ``stale``: the folder is locked by a process that has ended.
    why : str
        Who holds the folder, why it is stale or cannot be read; "" where nothing is to be said.
    stage : str
        The last stage that was finished since the last start.
    profile, county : str
        "" where the run has none.
    before, after : str
        Days of the images, ``YYYY-MM-DD``, or two of them with a slash.
    clues, exceptions : int or None
        Of a finished run.
    size_bytes : int
    started, ended : str
        First start and last event, ISO 8601 UTC.
    """

    folder: Path
    kind: str
    state: State
    why: str
    stage: str
    profile: str
    county: str
    before: str
    after: str
    clues: int | None
    exceptions: int | None
    size_bytes: int
    started: str
    ended: str

    def age(self, now: dt.datetime) -> str:
        """Return the time since the last event in its largest unit; "" where none is told."""
        if not self.ended:
            return ""
        seconds = max(0.0, (now - dt.datetime.fromisoformat(self.ended)).total_seconds())
        for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
            if seconds >= size:
                return f"{seconds / size:.0f} {unit}"
        return f"{seconds:.0f} s"


def read_states(out: Path) -> list[RunState]:
    """Return the state of every run folder in a folder, the latest first.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    if not out.is_dir():
        fix = "name the folder of all runs: tuban runs list DIR"
        raise InputError("there is no such folder", str(out), fix)
    names = (MANIFEST_NAME, SUMMARY_NAME)
    folders = [p for p in out.iterdir() if p.is_dir() and any((p / n).is_file() for n in names)]
    found = [read_state(folder) for folder in sorted(folders)]
    return sorted(found, key=lambda one: one.ended, reverse=True)


def read_state(folder: Path) -> RunState:
    """Return the state of one run folder."""
    summary = summary_of(folder)
    if not (folder / MANIFEST_NAME).is_file():
        return _judged(folder, summary)
    try:
        run = Run.open(folder)
    except RunError as error:
        return _state(folder, summary, {}, "unreadable", error.what)
    starts = [i for i, note in enumerate(run.notes) if note["kind"] == "start"]
    last = run.notes[starts[-1] :] if starts else run.notes
    done = [note["stage"] for note in last if note["kind"] == "stage"]
    config = last[0].get("config", {}) if starts else {}
    products = run.products()
    finished = bool(summary) and (done[-1:] == ["outputs"] or "after" not in config)
    state, why = _lock_state(folder, finished)
    kind = "run" if "after" in config else products[0].stage if products else "run"
    moments = sorted([n["at"] for n in run.notes] + [p.at for p in products if p.at])
    return _state(
        folder,
        summary if finished else {},
        config,
        state,
        why,
        kind=kind,
        stage=done[-1] if done else "",
        moments=moments,
    )


def summary_of(folder: Path) -> dict[str, Any]:
    """Return ``run.json`` of a run folder; nothing where there is none that can be read."""
    try:
        found = json.loads((folder / SUMMARY_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _lock_state(folder: Path, finished: bool) -> tuple[State, str]:
    holder, dead = holder_state(folder)
    if holder is None:
        return ("finished" if finished else "stopped"), ""
    if dead:
        return "stale", f"{holder}: {dead}; the same command goes on from here"
    return "running", str(holder)


def _judged(folder: Path, summary: Mapping[str, Any]) -> RunState:
    """Return the state of a folder that was judged without imagery."""
    path = folder / SUMMARY_NAME
    stamp = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC).isoformat(timespec="seconds")
    readable = bool(summary)
    return _state(
        folder,
        summary,
        {},
        "finished" if readable else "unreadable",
        "" if readable else f"{SUMMARY_NAME} cannot be read",
        kind=str(summary.get("command", "judge")),
        stage="judge",
        moments=[stamp],
    )


def _state(
    folder: Path,
    summary: Mapping[str, Any],
    config: Mapping[str, Any],
    state: State,
    why: str,
    *,
    kind: str = "run",
    stage: str = "",
    moments: list[str] | None = None,
) -> RunState:
    config = config or summary.get("config", {})
    title = summary.get("title") or config.get("area", {})
    days = summary.get("epochs") or {}
    found = summary.get("stages", {}).get("outputs", {}).get("clues", summary.get("clues"))
    county = " ".join(str(title.get(n) or "") for n in ("county_code", "county_name")).strip()
    return RunState(
        folder=folder,
        kind=kind,
        state=state,
        why=why,
        stage=stage,
        profile=str(config.get("profile") or ""),
        county="" if county == "000000" else county,
        before=_days(days.get("before"), config.get("before")),
        after=_days(days.get("after"), config.get("after")),
        clues=len(found) if isinstance(found, list) else found,
        exceptions=len(summary["exceptions"]) if "exceptions" in summary else None,
        size_bytes=sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()),
        started=moments[0] if moments else "",
        ended=moments[-1] if moments else "",
    )


def _days(told: Any, epoch: Any) -> str:
    """Return the days of a date: those of its images, else what the config says."""
    if told:
        return "/".join(dict.fromkeys(map(str, told)))
    return str((epoch.get("date") if isinstance(epoch, Mapping) else None) or "")
