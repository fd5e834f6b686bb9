"""What a run knows about its own quality: checks, exceptions, what was seen, accuracy."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.outputs.reportmodel import QualityFacts
from configs.errors import InputError
from configs.told import Told
from configs.vocabulary import role_name
from flows.aside import scene_set_aside
from flows.fitting import clouds_not_searched
from flows.givenup import told_given_up
from flows.opening import Opening
from flows.patchversions import unused_edits

if TYPE_CHECKING:
    from flows.stages import StageContext
    from flows.tilejob import States

__all__ = ["assessment_of", "gate_checks", "quality_of", "run_exceptions", "trust_record"]

VALID_PERCENT_ALERT = 90.0
NAMED = 5
"""Divisions that an exception names at most."""

BOTH = re.compile(
    r"(?P<zh>.*[\u3000-\u9fff\uff00-\uffef](?: [\d.]+ %)?) (?P<en>[ -~]*[a-z]{3}[ -~]*)"
)
"""Chinese up to its last character or a percentage behind it, then English."""

GATE_NAME = "quality/gate.json"


def gate_checks(folder: Path) -> list[dict[str, Any]]:
    """Return what the gate of a run measured; nothing for a run without images."""
    path = folder / GATE_NAME
    if not path.is_file():
        return []
    return list(json.loads(path.read_text(encoding="utf-8"))["checks"])


def run_exceptions(
    context: "StageContext",
    states: "States",
    judged: Mapping[str, Any],
    observed: Sequence[dict[str, Any]],
) -> list[Told]:
    """Return what a reader must know before trusting the list of a run.

    Parameters
    ----------
    context : StageContext
    states : States
    judged : mapping
        What the manifest keeps of the judgement: ``rejects``, rows of layers with problems;
        ``away``, roles of complete layers that lie beside the run.
    observed : sequence of dict
        The county and then its divisions, with ``observed_percent``.
    """
    plan = context.plan
    aside = (*plan.before.set_aside, *plan.after.set_aside)
    found = [*Opening.of(context.run.folder).gaps]
    found += told_given_up(context.given_up)
    found += unused_edits(context.run)
    found += [scene_set_aside(one) for one in aside]
    found += [s.doubt for s in (*plan.before.scenes, *plan.after.scenes) if s.doubt]
    checks = gate_checks(context.run.folder)
    unknown = any(c["name"] == "shift" and c["value"] is None for c in checks)
    if context.config.gate.register_pair and unknown:
        found.append(
            Told(
                "两期影像间的位移未能测出，未作配准：清晰且有纹理的窗口太少",
                "the displacement between the dates could not be measured, nothing was "
                "corrected: too few clear windows with texture",
            )
        )
    found += [_away(role) for role in judged.get("away", ())]
    if rows := len(judged["rejects"]):
        found.append(Told(f"图层有 {rows} 条记录有问题", f"{rows} layer rows have problems"))
    found += _too_little_seen(observed)
    if unsearched := clouds_not_searched(context):
        found.append(unsearched)
    if context.feedback is not None and context.feedback.doubt is not None:
        found.append(context.feedback.doubt)
    if not states.landcover.is_known:
        found.append(
            Told("没有地类模型，变化类型未知", "no land-cover model: change types are unknown")
        )
    return found


def _away(role: str) -> Told:
    return Told(
        f"图层“{role_name(role)}”声明完整，但全部图形位于分析范围之外：请核对是否为本地图层及其坐标系",
        f"the layer {role_name(role, 'en')} is said to be complete, but lies wholly beside the "
        "area: check that it is of this place, and its CRS",
    )


def _too_little_seen(areas: Sequence[dict[str, Any]]) -> list[Told]:
    """Return the exceptions of a county and of divisions of which too little was observed."""
    county, *divisions = areas
    found = []
    percent = county["observed_percent"]
    if percent < VALID_PERCENT_ALERT:
        found.append(
            Told(f"仅 {percent} % 的面积两期均可观测", f"only {percent} % could be observed")
        )
    low = [d for d in divisions if d["observed_percent"] < VALID_PERCENT_ALERT]
    if low:
        worst = sorted(low, key=lambda d: (d["observed_percent"], d["code"], d["name"]))[:NAMED]
        names = [f"{d['name'] or d['code']} {d['observed_percent']} %" for d in worst]
        found.append(
            Told(
                f"{len(low)} 个行政区可观测不足 {VALID_PERCENT_ALERT:.0f} %：{'、'.join(names)}",
                f"{len(low)} divisions were observed to less than {VALID_PERCENT_ALERT:.0f} %: "
                f"{', '.join(names)}",
            )
        )
    return found


def trust_record(exceptions: Sequence[Told], states: "States") -> dict[str, Any]:
    """Return what ``run.json`` keeps of the quality of a run beside its other parts."""
    landcover = states.landcover
    scores = zip(landcover.classes, landcover.f1, strict=True)
    return {
        "exceptions": [{"zh": e.zh, "en": e.en} for e in exceptions],
        "notes": [*states.change.notes, *landcover.notes],
        "landcover": {name: score for name, score in scores if score is not None},
    }


def quality_of(
    folder: Path, summary: Mapping[str, Any], assessment: Mapping[str, Any] | None = None
) -> QualityFacts:
    """Return what a finished run knows about its own quality.

    Parameters
    ----------
    folder : Path
    summary : mapping
        ``run.json``, or as much of it as is known while the run is written.
    assessment : mapping, optional
        See `assessment_of`.
    """
    told = summary.get("quality", {})
    judged = summary.get("stages", {}).get("judge", summary)
    return QualityFacts(
        checks=gate_checks(folder),
        notes=told.get("notes", []),
        landcover=told.get("landcover", {}),
        rejects=judged.get("rejects", []),
        exceptions=_recorded_exceptions(summary),
        observed=summary.get("observed", {}).get("areas", []),
        layers=summary.get("layers", []),
        assessment=assessment or {},
        images=Opening.of(folder).reasons,
        latency=summary.get("latency") or {},
    )


def _recorded_exceptions(summary: Mapping[str, Any]) -> list[Told] | None:
    """Return the exceptions of a run; None where it kept none, as no run said them at first."""
    told = summary.get("quality", {})
    if "exceptions" in told:
        return [Told(e["zh"], e["en"]) for e in told["exceptions"]]
    if "exceptions" in summary:
        return [_told_apart(str(text)) for text in summary["exceptions"]]
    return None


def _told_apart(text: str) -> Told:
    """Return the languages of `Told.both`; where they cannot be told apart, both in each."""
    found = BOTH.fullmatch(text)
    return Told(text, text) if found is None else Told(found["zh"], found["en"])


def assessment_of(path: Path) -> dict[str, Any]:
    """Return ``assessment.json`` of `tuban assess`.

    Parameters
    ----------
    path : Path
        The file, or the folder that holds it.

    Raises
    ------
    InputError
        If it is none.
    """
    file = path / "assessment.json" if path.is_dir() else path
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"the assessment cannot be read ({type(error).__name__})",
            str(file),
            "name the folder that `tuban assess` wrote",
        ) from error
    if not isinstance(found, dict) or not {"users", "patches"} & found.keys():
        raise InputError(
            "the file holds no assessment", str(file), "name the folder that `tuban assess` wrote"
        )
    return found
