"""The chapters of a report about how far it can be trusted, and what follows from it."""

from collections.abc import Mapping, Sequence
from typing import Any

from clues.outputs.ledgerkeys import VERDICT_CHOICES
from clues.outputs.reportblocks import Block, Chapter, Column, Points, Table, Tone, Words
from clues.outputs.reportcases import case_exceptions
from clues.outputs.reportchapters import names_of_versions
from clues.outputs.reportmodel import PeriodFigures
from clues.outputs.reportteller import Teller
from configs.channels import channel_name

__all__ = [
    "comparison",
    "exceptions",
    "indicators",
    "leads",
    "next_steps",
    "sources",
    "verification",
]

INDICATORS = (
    ("ratio_percent", "%"),
    ("ratio_limit_percent", "%"),
    ("ratio_percent_if_open_are_suspected", "%"),
    ("ratio_suspected_cropland_mu", "mu"),
    ("ratio_new_construction_cropland_mu", "mu"),
)
YES = ("是", "yes")
DEMOLISHED, LEGALISED = ("拆除复耕", "demolished"), ("补办手续", "papers completed")


def indicators(tell: Teller) -> Chapter:
    """Return the ratio and its alert, by county, and the marks of suspected parcels."""
    told = tell.model.indicators
    rows = []
    for name, unit in INDICATORS:
        printed = tell("mu") if unit == "mu" else unit
        rows.append((tell(name), f"{told[name]:,.2f} {printed}"))
    columns = (Column(tell("indicator"), share=2.5), Column(tell("value"), True))
    blocks: list[Block] = [Table(tell("indicators"), columns, tuple(rows))]
    counties = told.get("counties", ())
    if counties:
        blocks.append(_counties(tell, counties))
    if tell.model.flags or tell.model.gravest:
        blocks.append(_flags(tell))
    if tell.model.gravest:
        blocks.append(Words(tell("gravest_note"), "note"))
    return Chapter("indicators", tell("indicators"), tuple(blocks))


def _counties(tell: Teller, counties: Sequence[Mapping[str, Any]]) -> Table:
    names = {s[0].partition(" ")[0]: s[0] for s in tell.model.stages}
    rows, tones = [], []
    for own in counties:
        code = str(own["county_code"])
        state = tell("reached" if own["ratio_alert"] else "below")
        area = f"{own['ratio_suspected_cropland_mu']:,.2f}"
        cells = (tell.percent(own["ratio_percent"]), tell.percent(own["ratio_limit_percent"]))
        rows.append((names.get(code, code), str(own["year"] or "—"), area, *cells, state))
        tones.append("alert" if own["ratio_alert"] else "good")
    columns = (
        Column(tell("county"), share=1.3),
        Column(tell("year"), share=0.6),
        Column(f"{tell('ratio_suspected_cropland_mu')} ({tell('mu')})", True, 1.4),
        Column(tell("ratio"), True),
        Column(tell("limit"), True),
        Column(tell("state")),
    )
    told: tuple[Tone, ...] = tuple("alert" if t == "alert" else "good" for t in tones)
    return Table(tell("counties_caption"), columns, tuple(rows), tones=told)


def _flags(tell: Teller) -> Table:
    columns = (
        Column(tell("flag"), share=0.6),
        Column(tell("meaning"), share=2.2),
        *(Column(tell(n), True) for n in ("count", "area", "cropland_area", "pbf_area")),
    )
    rows = []
    marked = [(code, tell.rule(code), t) for code, t in tell.model.flags]
    if tell.model.gravest:
        name, reached = tell.model.gravest
        marked.append((tell("severity"), name.in_language(tell.language), reached))
    for code, meaning, t in marked:
        areas = (tell.area(a) for a in (t.area_dm2, t.cropland_dm2, t.pbf_dm2))
        rows.append((code, meaning, f"{t.count:,}", *areas))
    return Table(tell("flags_caption"), columns, tuple(rows))


def verification(tell: Teller) -> Chapter:
    """Return what people found and what was put right."""
    model, total = tell.model, tell.model.period.clues.count
    blocks: list[Block] = []
    if not model.verdicts:
        blocks.append(Words(tell("nobody_yet", count=total), "note"))
    else:
        rows = [(_verdict(tell, word), f"{count:,}") for word, count in model.verdicts]
        rest = total - sum(count for _, count in model.verdicts)
        rows += [(tell("not_checked"), f"{rest:,}"), (tell("total"), f"{total:,}")]
        columns = (Column(tell("verdict"), share=2.0), Column(tell("clue_count"), True))
        blocks.append(Table(tell("verdicts_caption"), columns, tuple(rows), True))
    blocks += _rectification(tell)
    return Chapter("verification", tell("verification"), tuple(blocks))


def _verdict(tell: Teller, word: str) -> str:
    for one, other in zip(VERDICT_CHOICES["zh"], VERDICT_CHOICES["en"], strict=True):
        if word in (one, other):
            return one if tell.language == "zh" else other
    return word


def _rectification(tell: Teller) -> list[Block]:
    told = tell.model.rectified
    if not told:
        return [Words(tell("no_rectification"), "note")]
    done = [(way, n) for is_done, way, n in told if is_done.casefold() in YES]
    left = sum(n for is_done, _, n in told if is_done.casefold() not in YES)
    demolished = sum(n for way, n in done if way in DEMOLISHED)
    legalised = sum(n for way, n in done if way in LEGALISED)
    right = sum(n for _, n in done)
    untold = right - demolished - legalised
    counts = (right, demolished, legalised, untold, left)
    keys = ("put_right", "demolished", "legalised", "way_untold", "not_put_right")
    rows = [(tell(k), f"{n:,}") for k, n in zip(keys, counts, strict=True)]
    rows.append((tell("total"), f"{right + left:,}"))
    columns = (Column(tell("rectification"), share=2.0), Column(tell("clue_count"), True))
    check = tell(
        "sum_agrees",
        total=right + left,
        done=right,
        left=left,
        demolished=demolished,
        legalised=legalised,
        untold=untold,
    )
    table = Table(tell("rectification_caption"), columns, tuple(rows), True)
    return [table, Words(check, "note")]


def comparison(tell: Teller) -> Chapter:
    """Return this period beside the previous one; a clear word where there is none."""
    this, other = tell.model.period, tell.model.previous
    heading = tell("comparison")
    if other is None:
        return Chapter("comparison", heading, (Words(tell("no_previous"), "note"),))
    first, second = _numbers(this), _numbers(other)
    rows = [_compared(tell, key, first[key], second[key]) for key in first]
    old, new = (tell.percent(p.ratio_percent) for p in (other, this))
    change = f"{this.ratio_percent - other.ratio_percent:+.2f}"
    rows.append((f"{tell('ratio_percent')} (%)", old, new, change))
    names = ("item", "previous_period", "this_period", "difference")
    columns = tuple(Column(tell(n), i > 0, 2.0 if i == 0 else 1.0) for i, n in enumerate(names))
    spans = [
        tell("days", first=tell.day(p.days[0]), last=tell.day(p.days[1])) for p in (this, other)
    ]
    caption = tell(
        "comparison_caption",
        this=this.batch,
        this_days=spans[0],
        other=other.batch,
        other_days=spans[1],
    )
    again = Words(tell("again", count=tell.model.again))
    return Chapter("comparison", heading, (Table(caption, columns, tuple(rows)), again))


def _numbers(period: PeriodFigures) -> dict[str, int]:
    """Return what is compared, areas in dm²."""
    return {
        "patch_count": period.patches.count,
        "patch_area": period.patches.area_dm2,
        "clue_count": period.clues.count,
        "suspected_count": period.suspected.count,
        "suspected_area": period.suspected.area_dm2,
        "suspected_cropland": period.suspected.cropland_dm2,
        "suspected_pbf": period.suspected.pbf_dm2,
        "open_area": period.unresolved.area_dm2,
        "cropland_lost": sum(f.out_dm2 for f in period.cropland),
        "cropland_won": sum(f.in_dm2 for f in period.cropland),
    }


def _compared(tell: Teller, key: str, this: int, other: int) -> tuple[str, ...]:
    if key.endswith("count"):
        return (tell(key), f"{other:,}", f"{this:,}", f"{this - other:+,}")
    moved = tell.area(this - other)
    return (tell(key), tell.area(other), tell.area(this), moved if moved[0] == "-" else f"+{moved}")


def leads(tell: Teller) -> Chapter | None:
    """Return what people reported and what became of it; None without such leads."""
    if not tell.model.leads:
        return None
    names = ("lead", "channel", "day", "told", "clue", "handling")
    shares = (1.0, 0.9, 0.9, 1.8, 1.3, 2.4)
    rows = tuple(
        (
            str(lead["number"] or "—"),
            str(getattr(channel_name(lead["channel"]), tell.language)),
            tell.day(lead["received"] if hasattr(lead["received"], "isoformat") else None),
            str(lead["text"] or "—"),
            str(lead["clue_no"] or "—"),
            str(lead[f"reason_{tell.language}"]),
        )
        for lead in tell.model.leads
    )
    columns = tuple(Column(tell(n), share=s) for n, s in zip(names, shares, strict=True))
    return Chapter("leads", tell("leads"), (Table(tell("leads"), columns, rows),))


def exceptions(tell: Teller) -> Chapter:
    """Return what a reader must know before trusting the list, and what must not wait in it."""
    found = tell.model.quality.exceptions
    told = tuple(e.in_language(tell.language) for e in found or ())
    cases = case_exceptions(tell)
    blocks: list[Block] = []
    if found is None:
        blocks.append(Words(tell("not_recorded"), "alert"))
    elif told or not cases:
        blocks.append(Points(told, "alert") if told else Words(tell("none")))
    if cases:
        blocks += [Words(tell("case_exceptions")), Points(cases, "alert")]
    return Chapter("exceptions", tell("exceptions"), tuple(blocks))


def next_steps(tell: Teller) -> Chapter:
    """Return what follows from the figures."""
    model = tell.model
    hidden = sum(a["area_dm2"] - a["observed_dm2"] for a in model.quality.observed[:1])
    steps = []
    if model.indicators["ratio_alert"]:
        steps.append(tell("next_ratio"))
    if model.period.suspected.count:
        steps.append(tell("next_suspected", count=model.period.suspected.count))
    if model.period.unresolved.count:
        steps.append(tell("next_open", count=model.period.unresolved.count))
    if model.quality.rejects:
        steps.append(tell("next_layers", count=len(model.quality.rejects)))
    if hidden > 0:
        steps.append(tell("next_unseen"))
    return Chapter("next", tell("next"), (Points(tuple(steps) or (tell("next_none"),)),))


def sources(tell: Teller) -> Chapter:
    """Return versions and credits."""
    rows = [(name, value) for name, value in names_of_versions(tell)]
    if tell.model.title.attribution:
        rows.append((tell("imagery"), tell.model.title.attribution))
    told = (reason.in_language(tell.language) for reason in tell.model.quality.images)
    rows += [(tell("why_images"), reason) for reason in told]
    if days := tell.model.quality.latency:
        half, most = days["p50_days"], days["p90_days"]
        rows.append((tell("latency"), tell("latency_days", half=half, most=most)))
    columns = (Column(tell("item"), share=0.6), Column(tell("version"), share=2.4))
    return Chapter("sources", tell("sources"), (Table(tell("sources"), columns, tuple(rows)),))
