"""The quality chapter of a report: checks of the pair, what was seen, layers, accuracy."""

import math
from collections.abc import Mapping
from typing import Any

from clues.outputs.reportblocks import Block, Chapter, Column, Points, Table, Tone, Words
from clues.outputs.reportteller import Teller
from configs.reportwords import report_words
from configs.units import hectares

__all__ = ["quality"]

MOST_REJECTS = 40
AT_LEAST = ("common bands", "overlap", "usable pixels", "date order", "agreeing windows")
"""Checks whose limit is the least value; of the others it is the greatest."""


def quality(tell: Teller) -> Chapter:
    """Return the quality chapter."""
    facts = tell.model.quality
    blocks: list[Block] = []
    if facts.checks:
        blocks.append(_gate(tell))
    if facts.observed:
        blocks += _observed(tell)
    if facts.layers:
        blocks.append(_layers(tell))
    if facts.rejects:
        blocks += _rejects(tell)
    blocks += _landcover(tell)
    blocks += _accuracy(tell)
    return Chapter("quality", tell("quality"), tuple(blocks))


def _gate(tell: Teller) -> Table:
    words, rows, tones = report_words(), [], []
    for check in tell.model.quality.checks:
        known, units = words.checks.get(check["name"]), words.units.get(check["unit"])
        name = getattr(known, tell.language) if known else check["name"]
        unit = getattr(units, tell.language) if units else check["unit"]
        value = check["value"]
        shown = tell("not_measured") if value is None else f"{round(value, 2):g} {unit}"
        remedy = words.remedy(check["remedy"], tell.language)
        sign, limit = "≥" if check["name"] in AT_LEAST else "≤", check["limit"]
        bound = "–" if limit is None else f"{sign} {limit:g}"
        state = tell("passed") if check["passed"] else remedy
        rows.append((name, shown, bound, state))
        tones.append(bool(check["passed"]))
    columns = (
        Column(tell("check"), share=1.3),
        Column(tell("value"), True),
        Column(tell("limit"), True, 0.6),
        Column(tell("state"), share=2.0),
    )
    told: tuple[Tone, ...] = tuple("good" if passed else "alert" for passed in tones)
    return Table(tell("gate_caption"), columns, tuple(rows), tones=told)


def _observed(tell: Teller) -> list[Block]:
    areas = tell.model.quality.observed
    columns = (
        Column(tell("county"), share=1.6),
        *(Column(tell(n), True) for n in ("hectares", "observed_hectares", "share")),
    )
    rows = tuple(
        (
            f"{a['code']} {a['name']}".strip(),
            f"{hectares(a['area_dm2']):,}",
            f"{hectares(a['observed_dm2']):,}",
            tell.percent(a["observed_percent"]),
        )
        for a in areas
    )
    hidden = hectares(areas[0]["area_dm2"] - areas[0]["observed_dm2"])
    note = Words(tell("unseen_note", area=f"{hidden:,}"), "note")
    return [Table(tell("observed_caption"), columns, rows), note]


def _layers(tell: Teller) -> Table:
    rows, tones = [], []
    for layer in tell.model.quality.layers:
        complete = layer["complete"]
        if isinstance(complete, Mapping):
            state = tell("complete_until", day=complete["until"])
        else:
            state = tell("is_complete" if complete else "not_complete")
        counts = (f"{int(layer['features']):,}", f"{int(layer['rejects']):,}")
        rows.append((tell.role(layer["role"]), layer["name"], layer["version"], *counts, state))
        tones.append(bool(complete))
    columns = (
        Column(tell("layer"), share=1.3),
        Column(tell("file"), share=1.4),
        Column(tell("version"), share=1.2),
        Column(tell("features"), True, 0.7),
        Column(tell("rejects"), True, 0.8),
        Column(tell("complete"), share=1.2),
    )
    told: tuple[Tone, ...] = tuple("plain" if known else "alert" for known in tones)
    return Table(tell("layers_caption"), columns, tuple(rows), tones=told)


def _rejects(tell: Teller) -> list[Block]:
    every = tell.model.quality.rejects
    zh = tell.language == "zh"
    rows = tuple(
        (
            "—" if row["role"] == "patches" else tell.role(row["role"]),
            str(row["source"] or ""),
            str(row["row"] or ""),
            str(row["key"] or ""),
            " ".join(_field(tell, row)),
            str(row["problem_zh" if zh else "problem"]),
            str(row["remedy_zh" if zh else "remedy"]),
        )
        for row in every[:MOST_REJECTS]
    )
    names = ("layer", "file", "row", "feature", "field", "problem", "remedy")
    shares = (1.0, 1.1, 0.5, 1.2, 0.9, 2.0, 1.6)
    columns = tuple(Column(tell(n), n == "row", s) for n, s in zip(names, shares, strict=True))
    found: list[Block] = [Table(tell("rejects_caption"), columns, rows)]
    if len(every) > MOST_REJECTS:
        found.append(Words(tell("more_rejects", count=len(every) - MOST_REJECTS), "note"))
    return found


def _field(tell: Teller, row: Mapping[str, Any]) -> list[str]:
    """Return the field of a row with a problem, and the value where it tells one."""
    field = tell("outline") if row["field"] == "geometry" else str(row["field"])
    return [part for part in (field, str(row["value"] or "")) if part]


def _landcover(tell: Teller) -> list[Block]:
    facts, found = tell.model.quality, list[Block]()
    if facts.landcover:
        columns = (Column(tell("class"), share=2.0), Column(tell("score"), True))
        rows = tuple((tell.cover(n), f"{f1:.3f}") for n, f1 in facts.landcover.items())
        found.append(Table(tell("landcover_caption"), columns, rows))
    if facts.notes:
        found.append(Words(tell("notes"), "note"))
        if tell.language == "en":
            found.append(Points(tuple(facts.notes), "note"))
    return found


def _accuracy(tell: Teller) -> list[Block]:
    told = tell.model.quality.assessment
    if "users" in told:
        return _sample(tell, told)
    if "patches" in told:
        return [_truth(tell, told)]
    return [Words(tell("no_assessment"), "note")]


def _sample(tell: Teller, told: Mapping[str, Any]) -> list[Block]:
    names = {"change": tell("change_class"), "no change": tell("no_change_class")}
    rows = tuple(
        (
            names.get(name, name),
            f"{told['mapped'][k]:,.1f}",
            _interval(told["areas"][k], 1),
            _interval(told["users"][k], 3),
            _interval(told["producers"][k], 3),
        )
        for k, name in enumerate(told["classes"])
    )
    heads = ("class", "mapped", "estimated", "users", "producers")
    columns = tuple(Column(tell(n), i > 0) for i, n in enumerate(heads))
    value, margin = (f"{told['overall'][n]:.3f}" for n in ("value", "margin"))
    overall = Words(tell("overall", value=value, margin=margin))
    return [Table(tell("sample_caption"), columns, rows), overall]


def _interval(estimate: Mapping[str, float], digits: int) -> str:
    value, margin = estimate["value"], estimate["margin"]
    if value is None or math.isnan(value):
        return "—"
    return f"{value:,.{digits}f} ± {margin:,.{digits}f}"


def _truth(tell: Teller, told: Mapping[str, Any]) -> Table:
    limits = [p["from_m2"] / 10_000 for p in told["patches"]]
    rows = []
    for k, own in enumerate(told["patches"]):
        low = f"{limits[k]:g}"
        if k + 1 < len(limits):
            size = tell("between_hectares", low=low, high=f"{limits[k + 1]:g}")
        else:
            size = tell("from_hectares", low=low)
        counts = (own[n] for n in ("true_patches", "found", "mapped_patches", "right"))
        shares = (own[n] for n in ("recall", "precision"))
        cells = (*(f"{c:,}" for c in counts), *("—" if s is None else f"{s:.3f}" for s in shares))
        rows.append((size, *cells))
    heads = (
        *("from_area", "true_patches", "found_patches", "mapped_patches", "right_patches"),
        *("recall", "precision"),
    )
    columns = tuple(Column(tell(n), i > 0, 1.6 if i == 0 else 1.0) for i, n in enumerate(heads))
    return Table(tell("truth_caption"), columns, tuple(rows))
