"""The words of the desk in both languages: states, steps, forms, outcomes, rules, roles."""

from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response

from clues.layers import DOCUMENT_ROLES
from clues.objects import FATE_NAMES
from clues.ways import UNDECIDED
from configs.cases import case_book
from configs.loading import available
from configs.rules import RuleSet, load_rules
from configs.vocabulary import Line, Outcome, change_types, role_name, roles
from web.answers import answer
from web.asking import Reader, TheDesk

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["words"])


@router.get(
    "/vocabulary",
    summary="Names of all codes, in both languages",
    response_model=dict[str, Any],
)
def read_vocabulary(request: Request, desk: TheDesk, _caller: Reader) -> Response:
    """Return the names of every code that the API tells, and the table of steps with forms."""
    return answer(request, _words() | {"formats": list(desk.services.formats())})


@cache
def _words() -> dict[str, Any]:
    book = case_book()
    plain = ("states", "verdicts", "review_levels", "roles", "reasons", "fields", "actions")
    told = {n: _dumped(getattr(book, n)) for n in plain}
    return told | {
        "outcomes": {o.value: _named(o.name_zh, o.name_en) for o in Outcome},
        "lines": {x.value: _named(x.name_zh, x.name_en) for x in Line},
        "layer_roles": {r: _named(role_name(r, "zh"), role_name(r, "en")) for r in roles()},
        "document_roles": list(DOCUMENT_ROLES),
        "change_types": {c.code: _named(c.name_zh, c.name_en) for c in change_types()},
        "fates": {fate: _named(*name) for fate, name in FATE_NAMES.items()},
        **_rules(),
    }


def _dumped(values: Any) -> dict[str, Any]:
    return {
        k: v.model_dump(by_alias=True) if hasattr(v, "model_dump") else _dumped(v)
        for k, v in values.items()
    }


def _named(zh: str, en: str) -> dict[str, str]:
    return {"zh": zh, "en": en}


def _rules() -> dict[str, Any]:
    """Return the names of rules and flags; of several rule sets the first names a code."""
    open_name = _named(Outcome.UNRESOLVED.name_zh, Outcome.UNRESOLVED.name_en)
    found: dict[str, dict[str, Any]] = {"rules": {UNDECIDED: open_name}, "flags": {}}
    for name in sorted(available("rules")):
        rules: RuleSet = load_rules(name)
        for kind in found:
            for rule in getattr(rules, kind):
                found[kind].setdefault(rule.code, _named(rule.name.zh, rule.name.en))
    return found
