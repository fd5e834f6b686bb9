"""The chapters of a report about what was found: summary, map, first clues, statistics."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from clues.objects import FATE_NAMES
from clues.outputs.palette import OUTCOME_COLOURS
from clues.outputs.reportblocks import (
    Block,
    Chapter,
    Column,
    Graphic,
    Pair,
    Points,
    Table,
    Tone,
    Words,
)
from clues.outputs.reportcases import case_exceptions
from clues.outputs.reportcharts import bar_chart, map_figure, paired_bars, pane_figure
from clues.outputs.reportfigures import STAGES, Tally
from clues.outputs.reportmodel import LeadingClue, Pane
from clues.outputs.reportteller import Teller
from configs.reportwords import report_words
from configs.vocabulary import roles

__all__ = ["cropland", "first_clues", "overview_map", "statistics", "summary"]

CHANGE_COLOUR = "#2f5597"


def summary(tell: Teller) -> Chapter:
    """Return the chapter a supervisor reads first."""
    model = tell.model
    period, ratio = model.period, model.indicators["ratio_percent"]
    first, last = (tell.day(d) for d in period.days)
    dated = any(period.days)
    words = tell("period", first=first, last=last) if dated else tell("period_unknown")
    found = [words, tell("lead_not_verdict")]
    totals = tell(
        "totals",
        count=f"{period.patches.count:,}",
        m2=tell.metres(period.patches.area_dm2),
        area=tell.area(period.patches.area_dm2),
        clues=f"{period.clues.count:,}",
        clue_area=tell.area(period.clues.area_dm2),
    )
    suspected = tell(
        "suspected_sentence",
        name=tell.outcome("suspected"),
        count=f"{period.suspected.count:,}",
        area=tell.area(period.suspected.area_dm2),
        cropland=tell.area(period.suspected.cropland_dm2),
        pbf=tell.area(period.suspected.pbf_dm2),
        open=f"{period.unresolved.count:,}",
        open_area=tell.area(period.unresolved.area_dm2),
    )
    lost, won = (sum(getattr(f, n) for f in period.cropland) for n in ("out_dm2", "in_dm2"))
    areas = tell.area(lost), tell.area(won)
    cropland_words = tell("cropland_sentence", out=areas[0], won=areas[1], net=tell.net(*areas))
    limit = model.indicators["ratio_limit_percent"]
    most = model.indicators["ratio_percent_if_open_are_suspected"]
    key, tone = _ratio_told(bool(model.indicators["ratio_alert"]), most >= limit)
    told = {"ratio": tell.percent(ratio), "limit": tell.percent(limit), "most": tell.percent(most)}
    blocks: list[Block] = [
        Words(tell.joined(found)),
        Points((totals, suspected, cropland_words)),
        Words(tell(key, **told), tone),
    ]
    if not model.has_approvals:
        blocks.append(Words(tell("no_approvals"), "alert"))
    if count := len(model.quality.exceptions or ()) + len(case_exceptions(tell)):
        blocks.append(Words(tell("exceptions_sentence", count=count), "note"))
    return Chapter("summary", tell("summary"), tuple(blocks))


def _ratio_told(alert: bool, open_alert: bool) -> tuple[str, Tone]:
    """Return the sentence of the ratio; it is no good news while open parcels could raise it."""
    if alert:
        return "ratio_alert", "alert"
    return ("ratio_open", "note") if open_alert else ("ratio_calm", "good")


def overview_map(tell: Teller) -> Chapter:
    """Return the map of all patches."""
    model = tell.model
    chapter = tell("cases" if tell.template == "annual" else "first")
    caption = tell("map_caption", count=len(model.first), chapter=chapter)
    blocks: list[Block] = [Graphic(map_figure(model, tell), caption, wide=True)]
    if model.overview is None:
        blocks.append(Words(tell("map_bare"), "note"))
    elif model.overview.attribution:
        blocks.append(Words(model.overview.attribution, "note"))
    return Chapter("map", tell("map"), tuple(blocks))


def first_clues(tell: Teller) -> Chapter:
    """Return the first clues by priority, each with both dates."""
    heading = tell("cases" if tell.template == "annual" else "first")
    if not tell.model.first:
        return Chapter("first", heading, (Words(tell("no_clues")),))
    blocks: list[Block] = [Words(tell("first_words"), "note")]
    for clue in tell.model.first:
        lines = _clue_lines(tell, clue)
        title = f"{clue.number}. {clue.clue_no}"
        if clue.before is None or clue.after is None:
            blocks += [Words(title), *lines]
            continue
        captions = (_dated(tell, "before", clue.before), _dated(tell, "after", clue.after))
        figures = [
            pane_figure(clue, pane, f"{clue.clue_no} {text}")
            for pane, text in zip((clue.before, clue.after), captions, strict=True)
        ]
        swipe = tell("swipe", clue=clue.clue_no)
        blocks.append(Pair(title, figures[0], figures[1], captions, swipe, lines))
    return Chapter("first", heading, tuple(blocks))


def _dated(tell: Teller, key: str, pane: Pane) -> str:
    return tell(key, day=tell.day(pane.day))


def _clue_lines(tell: Teller, clue: LeadingClue) -> tuple[Words, ...]:
    areas = tell(
        "clue_areas",
        change=_begun(tell.change(clue.change_type)),
        outcome=tell.outcome(clue.outcome),
        area=tell.area(clue.areas.area_dm2),
        cropland=tell.area(clue.areas.cropland_dm2),
        pbf=tell.area(clue.areas.pbf_dm2),
    )
    place = tell("clue_place", lon=f"{clue.lon:.6f}", lat=f"{clue.lat:.6f}", sheet=clue.sheet)
    reasons = [Words(said.in_language(tell.language)) for said in clue.reasons]
    asked = [
        Words(tell("to_check", question=said.in_language(tell.language)), "note")
        for said in clue.questions
    ]
    return (Words(tell.joined((areas, place))), *reasons, *asked)


def _begun(text: str) -> str:
    """Return a name as it begins a sentence."""
    return text[:1].upper() + text[1:]


def statistics(tell: Teller) -> Chapter:
    """Return the tables by county, outcome, kind, class, rule and control line."""
    blocks = (
        *_stage_blocks(tell),
        *_outcome_blocks(tell),
        *_fate_blocks(tell),
        *_type_blocks(tell),
        _class_table(tell),
        _rule_table(tell),
        *_zone_blocks(tell),
        Words(tell("rounding_note"), "note"),
    )
    return Chapter("statistics", tell("statistics"), blocks)


def _stage_blocks(tell: Teller) -> list[Block]:
    rows: list[tuple[str, ...]] = []
    for county, stage, tally in tell.model.stages:
        cells = ("—", "—", "—", "—") if tally is None else _whole(tell, tally)
        rows.append((county, tell(stage), *cells))
    if len({county for county, _, _ in tell.model.stages}) > 1:
        for stage in STAGES:
            own = [t for _, s, t in tell.model.stages if s == stage and t is not None]
            if own:
                rows.append((tell("total"), tell(stage), *_whole(tell, _added(own))))
    columns = (
        Column(tell("county"), share=1.3),
        Column(tell("stage"), share=1.6),
        Column(tell("count"), True, 0.7),
        *(Column(tell(n), True, 1.2) for n in ("area", "cropland_area", "pbf_area")),
    )
    table = Table(tell("stages_caption"), columns, tuple(rows))
    return [table, Words(tell("stages_note"), "note")]


def _whole(tell: Teller, tally: Tally) -> tuple[str, ...]:
    inside = (tally.cropland_dm2, tally.pbf_dm2)
    laid = [tell.area(a) if tally.is_laid_over else "—" for a in inside]
    return (f"{tally.count:,}", tell.area(tally.area_dm2), *laid)


def _added(tallies: Sequence[Tally]) -> Tally:
    return Tally(
        sum(t.count for t in tallies),
        sum(t.area_dm2 for t in tallies),
        sum(t.cropland_dm2 for t in tallies),
        sum(t.pbf_dm2 for t in tallies),
        all(t.is_laid_over for t in tallies),
    )


def _outcome_blocks(tell: Teller) -> list[Block]:
    outcomes = tell.model.outcomes
    cells = tell.tally_cells([t for _, t in outcomes], metres=True)
    names = [*(tell.outcome(code) for code, _ in outcomes), tell("total")]
    columns = (
        Column(tell("outcome"), share=1.4),
        *(Column(tell(n), True) for n in ("count", "square_metres", "area")),
    )
    swatches = (*(OUTCOME_COLOURS[code] for code, _ in outcomes), "")
    rows = tuple((n, *c) for n, c in zip(names, cells, strict=True))
    caption = tell("outcomes_caption")
    bars = [
        (row[0], float(t.area_dm2), f"{row[-1]} {tell.unit}", colour)
        for row, (_, t), colour in zip(rows, outcomes, swatches, strict=False)
        if t.count
    ]
    note = Words(tell("outcomes_note"), "note")
    found: list[Block] = [Table(caption, columns, rows, True, swatches), note]
    if bars:
        found.append(Graphic(bar_chart(caption, bars)))
    return found


def _fate_blocks(tell: Teller) -> list[Block]:
    fates, zh = tell.model.fates, tell.language == "zh"
    if not fates:
        return []
    cells = tell.tally_cells([t for _, t in fates], metres=True)
    names = [*(FATE_NAMES[fate][0 if zh else 1] for fate, _ in fates), tell("total")]
    columns = (
        Column(tell("fate"), share=1.4),
        *(Column(tell(n), True) for n in ("count", "square_metres", "area")),
    )
    rows = tuple((n, *c) for n, c in zip(names, cells, strict=True))
    return [
        Table(tell("fates_caption"), columns, rows, True),
        Words(tell("fates_note"), "note"),
    ]


def _type_blocks(tell: Teller) -> list[Block]:
    types = sorted(tell.model.types, key=lambda row: (-row[1].area_dm2, row[0]))
    if not types:
        return []
    cells = tell.tally_cells([t for _, t in types])
    names = [*(tell.change(code) for code, _ in types), tell("total")]
    columns = (
        Column(tell("change"), share=1.6),
        Column(tell("count"), True),
        Column(tell("area"), True),
    )
    caption = tell("types_caption")
    rows = tuple((n, *c) for n, c in zip(names, cells, strict=True))
    bars = [
        (name, float(t.area_dm2), f"{area} {tell.unit}", CHANGE_COLOUR)
        for (name, _, area), (_, t) in zip(rows, types, strict=False)
    ]
    return [Table(caption, columns, rows, True), Graphic(bar_chart(caption, bars))]


def _class_table(tell: Teller) -> Table:
    classes = tell.model.classes
    cells = tell.tally_cells([t for _, t in classes])
    names = [(f"{code} {name}".strip(), tell.cover(cover)) for (code, name, cover), _ in classes]
    names.append((tell("total"), ""))
    columns = (
        Column(tell("county"), share=1.3),
        Column(tell("later_class"), share=1.3),
        Column(tell("count"), True),
        Column(tell("area"), True),
    )
    rows = tuple((*n, *c) for n, c in zip(names, cells, strict=True))
    return Table(tell("classes_caption"), columns, rows, True)


def _rule_table(tell: Teller) -> Table:
    rules = tell.model.rules
    counts = [f"{t.count:,}" for _, t in rules]
    areas = dict(zip([k for k, _ in rules], _by_line(tell), strict=True))
    columns = (
        Column(tell("line"), share=0.8),
        Column(tell("rule"), share=0.7),
        Column(tell("meaning"), share=2.4),
        Column(tell("outcome"), share=1.2),
        Column(tell("count"), True, 0.7),
        Column(tell("area"), True, 1.0),
    )
    rows = tuple(
        (tell.line(line), rule, tell.rule(rule), tell.outcome(outcome), count, areas[key])
        for (key, _), count in zip(rules, counts, strict=True)
        for line, rule, outcome in [key]
    )
    return Table(tell("rules_caption"), columns, rows)


def _by_line(tell: Teller) -> list[str]:
    """Return areas rounded line by line: each line divides the same ground anew."""
    found: list[str] = []
    rules = tell.model.rules
    for line in dict.fromkeys(key[0] for key, _ in rules):
        found += tell.areas([t.area_dm2 for key, t in rules if key[0] == line])
    return found


def _zone_blocks(tell: Teller) -> list[Block]:
    rows = []
    for role, name, suspected, unresolved in tell.model.zones:
        known = tell("outside_boundary") if role == "growth_boundary" else tell.role(role)
        shown = f"{known} {name}".strip()
        cells = (suspected.count, tell.area(suspected.area_dm2))
        more = (unresolved.count, tell.area(unresolved.area_dm2))
        rows.append((shown, *(str(c) for c in (*cells, *more))))
    names = ("zone_count", "zone_suspected", "zone_open_count", "zone_open")
    columns = (Column(tell("zone"), share=1.8), *(Column(tell(n), True) for n in names))
    table = Table(tell("zones_caption"), columns, tuple(rows))
    return [table, Words(tell("zones_note"), "note")]


def cropland(tell: Teller) -> Chapter:
    """Return cropland lost and won, and the matrix of flows between classes."""
    flows = tell.model.period.cropland
    lost, won = ([getattr(f, n) for f in flows] for n in ("out_dm2", "in_dm2"))
    names = [*(f.county for f in flows), tell("total")]
    one, two = [*tell.areas(lost), tell.area(sum(lost))], [*tell.areas(won), tell.area(sum(won))]
    nets = [tell.net(a, b) for a, b in zip(one, two, strict=True)]
    rows = tuple(zip(names, one, two, nets, strict=True))
    columns = (
        Column(tell("county"), share=1.4),
        *(Column(tell(n), True) for n in ("lost", "won", "net")),
    )
    caption = tell("cropland_caption")
    bars = [
        (f.county, float(f.out_dm2), float(f.in_dm2), a, b)
        for f, a, b in zip(flows, one[:-1], two[:-1], strict=True)
    ]
    blocks: list[Block] = [Table(caption, columns, rows, True)]
    if bars:
        legend = (tell("lost_short"), tell("won_short"))
        blocks.append(Graphic(paired_bars(caption, legend, bars)))
    if tell.model.covers:
        blocks += [_matrix(tell), Words(tell("matrix_note"), "note")]
    return Chapter("cropland", tell("cropland"), tuple(blocks))


def _class_sizes(tell: Teller) -> dict[str, Decimal]:
    """Return the area of each class of the later date, as the table of classes rounds it."""
    classes, found = tell.model.classes, defaultdict[str, Decimal](Decimal)
    sizes = tell.sizes([t.area_dm2 for _, t in classes])
    for ((_, _, cover), _), size in zip(classes, sizes, strict=True):
        found[cover] += size
    return found


def _matrix(tell: Teller) -> Table:
    covers, flows = tell.model.covers, tell.model.flows
    columns = (
        Column(tell("from_to"), share=1.3),
        *(Column(tell.cover(c), True) for c in covers),
        Column(tell("total"), True, 1.1),
    )
    ends = _class_sizes(tell)
    cells: dict[tuple[str, str], Decimal] = {}
    for second in covers:
        own = [pair for pair in flows if pair[1] == second]
        cells |= zip(own, tell.sizes([flows[p] for p in own], ends[second]), strict=True)
    starts = {c: sum((a for (b, _), a in cells.items() if b == c), Decimal("0.00")) for c in covers}
    rows = [
        (
            tell.cover(first),
            *(f"{cells[first, end]:,}" if (first, end) in cells else "" for end in covers),
            f"{starts[first]:,}",
        )
        for first in covers
    ]
    last = [f"{ends[second]:,}" for second in covers]
    rows.append((tell("total"), *last, tell.area(sum(flows.values()))))
    return Table(tell("matrix_caption"), columns, tuple(rows), True)


def names_of_versions(tell: Teller) -> list[tuple[str, str]]:
    """Return the versions of the run by name, those of layers by role."""
    names, rows = report_words().names, []
    for key, value in tell.model.title.versions.items():
        shown = str(getattr(names[key], tell.language)) if key in names else key
        if key == "layers":
            parts = [part.partition(":") for part in value.split()]
            value = ", ".join(f"{tell.role(r) if r in roles() else r} {v}" for r, _, v in parts)
        rows.append((shown, value.replace(", ", "、") if tell.language == "zh" else value))
    return rows
