"""What a form tells: its fields read by kind, so that nothing half-read enters a case."""

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

from clues.cases.refusals import CaseRefused
from configs.cases import Action, FormField, case_book
from configs.told import Told

__all__ = ["read_form"]

LONGEST = {"text": 200, "long": 4000}
LARGEST_DM2 = 10**13
"""A hundred thousand km²."""


def read_form(action: Action, form: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return what a form tells, empty fields left out.

    Raises
    ------
    CaseRefused
        If it has a field that the step does not ask for, lacks one, or one cannot be read.
    """
    book = case_book()
    read: dict[str, Any] = {}
    for name, value in form.items():
        if name not in action.form:
            raise CaseRefused(
                Told(f"“{action.zh}”没有字段 {name}", f"{action.en} has no field {name}"),
                where,
                Told("去掉该字段", "leave it out"),
            )
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        try:
            read[name] = _value(book.fields[name], value)
        except (TypeError, ValueError) as error:
            field = book.fields[name]
            raise CaseRefused(
                Told(f"{field.zh}填写有误：{error}", f"{field.en}: {error}"),
                f"{where}, {name}",
                Told("改正后重试", "mend it and send it again"),
            ) from error
    for name in action.required:
        if name not in read:
            field = book.fields[name]
            raise CaseRefused(
                Told(f"缺少{field.zh}", f"{field.en} is missing"),
                f"{where}, {name}",
                Told(f"填写{field.zh}", "fill it in"),
            )
    return read


def _value(field: FormField, value: Any) -> Any:
    if field.kind in LONGEST:
        if not isinstance(value, str) or len(value) > LONGEST[field.kind]:
            raise ValueError(f"text ≤ {LONGEST[field.kind]}")
        return value.strip()
    if field.kind == "date":
        if isinstance(value, dt.datetime) or not isinstance(value, str | dt.date):
            raise ValueError("YYYY-MM-DD")
        return dt.date.fromisoformat(str(value)).isoformat()
    if field.kind == "area":
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_DM2:
            raise ValueError("0, 1, 2, … dm²")
        return value
    if field.kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("number")
        least, most = field.within or (-math.inf, math.inf)
        if not (math.isfinite(value) and least <= value <= most):
            raise ValueError(f"{least:g} – {most:g}" if field.within else "number")
        return value
    if value not in case_book().verdicts:
        raise ValueError(" | ".join(case_book().verdicts))
    return value
