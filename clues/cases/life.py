"""The life of a case: which step somebody may take now, and what the case is after it.

Pure: a case and a form go in, the case after the step comes out. The table of steps is
``configs/vocabularies/cases.yaml``; what it calls guards stands here.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from clues.cases.actors import Actor
from clues.cases.balance import Areas
from clues.cases.deadlines import due_after
from clues.cases.forms import read_form
from clues.cases.refusals import CaseRefused, NotAllowed
from clues.cases.reviews import DONE, FIRST, holds, next_level
from configs.cases import Action, case_book
from configs.told import Told

__all__ = ["Case", "allowed", "take"]


@dataclass(frozen=True)
class Case:
    """A case as it stands.

    Attributes
    ----------
    area_dm2 : int
        Of its parcels: no illegal area is larger.
    facts : dict
        What forms told so far, such as the filing number.
    returned : str
        Why it was sent back; "" where it was not.
    """

    case_no: str
    state: str
    division: str
    area_dm2: int
    verdict: str = ""
    verdict_reason: str = ""
    review_level: str = FIRST
    returned: str = ""
    assigned_to: str = ""
    due_date: dt.date | None = None
    areas: Areas = field(default_factory=Areas)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Step:
    """A step that is about to be taken."""

    case: Case
    form: Mapping[str, Any]
    actor: Actor
    areas: Areas

    @property
    def verdict(self) -> str:
        return str(self.form.get("verdict", self.case.verdict))


Guard = Callable[[_Step], bool]
GUARDS: dict[str, tuple[Guard, Told, Told]] = {
    "at_own_level": (
        lambda s: holds(s.actor.role, s.case.review_level),
        Told("案件不在本级", "the case does not lie with this level"),
        Told("由当前审核级办理或打回", "the level that holds it may act, or send it back"),
    ),
    "at_county": (
        lambda s: s.case.review_level == FIRST,
        Told("案件已提报", "the case was submitted already"),
        Told("等待审核", "wait for the review"),
    ),
    "under_own_review": (
        lambda s: (
            s.case.review_level not in (FIRST, DONE) and holds(s.actor.role, s.case.review_level)
        ),
        Told("案件不在本级审核", "the case is not under review at this level"),
        Told("由当前审核级审核", "the level that holds it reviews it"),
    ),
    "reason_given": (
        lambda s: s.verdict not in ("other", "false_alarm") or bool(s.form.get("reason")),
        Told("认定为其他或伪变化须写明理由", "other and no change need a reason"),
        Told("选择或填写理由", "choose or write a reason"),
    ),
    "illegal_was_seen": (
        lambda s: s.verdict != "illegal" or s.case.state in ("field_checked", "judged"),
        Told("未经外业核查不能认定违法", "unlawful needs a field check first"),
        Told("先完成外业核查", "do the field check first"),
    ),
    "illegal": (
        lambda s: s.case.verdict == "illegal",
        Told("该案件未认定违法", "the case was not judged unlawful"),
        Told("先认定", "judge it first"),
    ),
    "area_known": (
        lambda s: bool(s.areas.illegal),
        Told("未填违法面积", "the illegal area is not known"),
        Told("填写违法面积", "tell the illegal area"),
    ),
    "not_more_than_illegal": (
        lambda s: s.areas.remaining >= 0,
        Told("整改面积大于违法面积", "more was put right than is illegal"),
        Told("核对拆除、补办、没收面积", "check demolished, papers and confiscated areas"),
    ),
    "unfiled_has_reason": (
        lambda s: s.case.state != "judged" or bool(s.form.get("reason")),
        Told("未立案直接整改须写明理由", "putting right without filing needs a reason"),
        Told("填写理由", "write the reason"),
    ),
    "was_decided": (
        lambda s: "decision_number" in s.case.facts,
        Told("该案件没有处罚决定", "the case has no decision"),
        Told("重新登记整改", "tell the rectification again"),
    ),
    "review_ended": (
        lambda s: s.case.review_level == DONE,
        Told("审核尚未结束", "the review has not ended"),
        Told("提报并完成市、省审核", "submit it; city and province review it"),
    ),
    "balanced": (
        lambda s: s.case.verdict != "illegal" or s.case.state == "rectified",
        Told("违法案件尚未整改", "an unlawful case is not put right yet"),
        Told("先登记整改", "tell the rectification first"),
    ),
    "nothing_remaining": (
        lambda s: s.case.verdict != "illegal" or s.areas.remaining == 0,
        Told("剩余未整改面积不为 0", "some of the illegal area remains"),
        Told("整改完成后再办结", "close it once nothing remains"),
    ),
}
OF_FORM = (
    *("reason_given", "illegal_was_seen", "area_known", "not_more_than_illegal"),
    "unfiled_has_reason",
)
"""Guards that depend on what a form tells: such a step is offered all the same."""


def _may(action: Action, actor: Actor) -> bool:
    return actor.role == "administrator" or actor.role in action.roles


def allowed(case: Case, actor: Actor) -> tuple[str, ...]:
    """Return the steps that somebody may take on a case now, in the order of the table."""
    step = _Step(case, {}, actor, case.areas)
    return tuple(
        name
        for name, action in case_book().actions.items()
        if case.state in action.from_
        and _may(action, actor)
        and all(g in OF_FORM or GUARDS[g][0](step) for g in action.guards)
    )


def take(
    case: Case, name: str, form: Mapping[str, Any], actor: Actor, day: dt.date
) -> tuple[Case, dict[str, Any]]:
    """Return a case after a step, and what the form told.

    Parameters
    ----------
    case : Case
    name : str
        Of the step.
    form : mapping
        As it came in.
    actor : Actor
    day : date
        Today, by the civil calendar of the desk.

    Raises
    ------
    NotAllowed
        If the role may not take it.
    CaseRefused
        If the state, a guard or the form does not let it.
    """
    book = case_book()
    action = book.actions.get(name)
    if action is None:
        raise CaseRefused(
            Told(f"没有操作 {name}", f"there is no step {name}"),
            case.case_no,
            Told(f"可用：{'、'.join(book.actions)}", f"steps: {', '.join(book.actions)}"),
        )
    if not _may(action, actor):
        role = book.roles.get(actor.role)
        raise NotAllowed(
            Told(
                f"{role.zh if role else actor.role}无权{action.zh}",
                f"the role {actor.role} may not {action.en}",
            ),
            case.case_no,
            Told("请有权限的人员办理", "ask somebody whose role may"),
        )
    if case.state not in action.from_:
        state = book.states[case.state]
        raise CaseRefused(
            Told(f"案件“{state.zh}”，不能{action.zh}", f"a {state.en} case: no {action.en}"),
            case.case_no,
            Told("刷新后查看可办理的操作", "load it again and look at what can be done"),
        )
    told = read_form(action, form, case.case_no)
    areas = case.areas.told(told)
    step = _Step(case, told, actor, areas)
    if (areas.illegal or 0) > case.area_dm2:
        raise CaseRefused(
            Told("违法面积大于地块面积", "the illegal area is larger than the parcels"),
            f"{case.case_no}, illegal_dm2",
            Told(f"不大于 {case.area_dm2} dm²", f"at most {case.area_dm2} dm²"),
        )
    for guard in action.guards:
        holds_now, why, fix = GUARDS[guard]
        if not holds_now(step):
            kind = NotAllowed if guard in ("at_own_level", "under_own_review") else CaseRefused
            raise kind(why, case.case_no, fix)
    return _after(case, name, action, step, day), told


KEPT = (
    *("filing_number", "filing_date", "decision_number", "decision_date", "rectify_by"),
    *("rectified_on", "closing_note", "approval_number"),
)
"""What a case remembers of its forms; checks are kept whole beside it."""


def _after(case: Case, name: str, action: Action, step: _Step, day: dt.date) -> Case:
    told = step.form
    facts = case.facts | {n: told[n] for n in KEPT if n in told}
    after = replace(case, state=action.to or case.state, areas=step.areas, facts=facts)
    if name == "judge":
        after = replace(
            after,
            verdict=told["verdict"],
            verdict_reason=told.get("reason", ""),
            areas=step.areas if told["verdict"] == "illegal" else Areas(),
            returned="",
        )
    elif name in ("submit", "approve"):
        return replace(after, review_level=next_level(case.review_level))
    elif name == "send_back":
        after = replace(after, verdict="", verdict_reason="", areas=Areas())
        after = replace(after, review_level=FIRST, returned=told["reason"])
    elif name in ("drop", "reopen"):
        dropped = ("filing_number", "filing_date", "decision_number", "decision_date")
        kept = {n: v for n, v in facts.items() if n not in dropped}
        after = replace(after, review_level=FIRST, returned=told["reason"], facts=kept)
    if after.state != case.state or name == "dispatch":
        after = replace(after, due_date=_due(after, case, told, day))
    return after


def _due(after: Case, before: Case, told: Mapping[str, Any], day: dt.date) -> dt.date | None:
    """Return the due date in a new state: as a form tells it, by the step, or as it was."""
    named = told.get("due_date") or (told.get("rectify_by") if after.state == "decided" else None)
    if named:
        return dt.date.fromisoformat(str(named))
    if after.state in ("dispatched", "desk_checked", "field_checked"):
        return before.due_date
    return due_after(after.state, after.verdict, day)
