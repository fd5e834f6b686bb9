"""The figures of a report: overview map, bars, and the panes of a clue."""

from collections.abc import Sequence

from clues.outputs.cartography import round_length
from clues.outputs.figure import Area, Bar, Figure, Label, Photo, Stroke
from clues.outputs.lettering import Lettering
from clues.outputs.palette import OUTCOME_COLOURS
from clues.outputs.reportmodel import LeadingClue, MapPatch, Pane, ReportModel
from clues.outputs.reportteller import Teller

__all__ = ["bar_chart", "map_figure", "paired_bars", "pane_figure"]

MAP_SIDE = 760.0
MOST_HIGH = 900.0
PANE_SIDE = 300.0
CHART_WIDTH = 680.0
ROW = 24.0
BLUE, ORANGE, GRID = "#2f5597", "#b45309", "#d9d9d9"
LETTERS = Lettering("report")
FAINT = ("non_new", "below_threshold")


def bar_chart(label: str, rows: Sequence[tuple[str, float, str, str]]) -> Figure:
    """Return horizontal bars.

    Parameters
    ----------
    label : str
        What the figure shows.
    rows : sequence of (name, value, printed value, colour)
    """
    names = max((LETTERS.width(r[0], 12) for r in rows), default=0.0) + 12
    figures = max((LETTERS.width(r[2], 12) for r in rows), default=0.0) + 12
    room = CHART_WIDTH - names - figures
    most = max((r[1] for r in rows), default=0.0) or 1.0
    parts: list[Bar | Label | Stroke] = []
    for i, (name, value, printed, colour) in enumerate(rows):
        y, long = i * ROW + 4, room * value / most
        parts.append(Label(names - 6, y + 14, name, 12, "end"))
        parts.append(Bar(names, y, max(long, 0.6), ROW - 8, colour))
        parts.append(Label(names + long + 6, y + 14, printed, 12))
    height = max(len(rows), 1) * ROW + 4
    parts.append(Stroke((names, 0), (names, height), "#595959"))
    return Figure(CHART_WIDTH, height, label, tuple(parts))


def paired_bars(
    label: str, legend: tuple[str, str], rows: Sequence[tuple[str, float, float, str, str]]
) -> Figure:
    """Return two bars for each name, with a legend.

    Parameters
    ----------
    label : str
    legend : tuple of str
    rows : sequence of (name, first, second, printed first, printed second)
    """
    names = max((LETTERS.width(r[0], 12) for r in rows), default=0.0) + 12
    figures = max((LETTERS.width(t, 12) for r in rows for t in r[3:]), default=0.0) + 12
    room = CHART_WIDTH - names - figures
    most = max((v for r in rows for v in r[1:3]), default=0.0) or 1.0
    parts: list[Bar | Label | Stroke] = []
    x = names
    for text, colour in zip(legend, (ORANGE, BLUE), strict=True):
        parts += [Bar(x, 4, 14, 12, colour), Label(x + 20, 15, text, 12)]
        x += 44 + LETTERS.width(text, 12)
    for i, (name, first, second, one, two) in enumerate(rows):
        y = 26 + i * 2 * ROW
        parts.append(Label(names - 6, y + 22, name, 12, "end"))
        for value, text, colour, top in ((first, one, ORANGE, y), (second, two, BLUE, y + 19)):
            long = room * value / most
            parts.append(Bar(names, top, max(long, 0.6), 15, colour))
            parts.append(Label(names + long + 6, top + 12, text, 12))
    height = 26 + max(len(rows), 1) * 2 * ROW
    parts.append(Stroke((names, 22), (names, height), "#595959"))
    return Figure(CHART_WIDTH, height, label, tuple(parts))


def pane_figure(clue: LeadingClue, pane: Pane, label: str) -> Figure:
    """Return one date of a clue with its outline."""
    rings = tuple(tuple((x * PANE_SIDE, y * PANE_SIDE) for x, y in r) for r in clue.rings)
    return Figure(
        PANE_SIDE,
        PANE_SIDE,
        label,
        (
            Photo(0, 0, PANE_SIDE, PANE_SIDE, pane.jpeg),
            Area(rings, "#000000", 3.4),
            Area(rings, "#ffe600", 1.8),
            Bar(0, 0, PANE_SIDE, PANE_SIDE, "", "#333333"),
        ),
    )


def map_figure(model: ReportModel, tell: Teller) -> Figure:
    """Return the overview map: image, patches by outcome, numbers, scale bar, north, legend."""
    west, south, east, north = model.map_bounds
    wide, high = (
        n * m for n, m in zip((east - west, north - south), model.map_metres, strict=True)
    )
    scale = min(MAP_SIDE / wide, MOST_HIGH / high)
    width, height = wide * scale, high * scale
    left = (MAP_SIDE - width) / 2
    parts: list[Area | Bar | Label | Photo | Stroke] = []
    if model.overview is not None:
        parts.append(Photo(left, 0, width, height, model.overview.jpeg))
    order = [p for p in model.map_patches if p.outcome in FAINT]
    order += [p for p in model.map_patches if p.outcome not in FAINT]
    for patch in order:
        rings = _placed(patch, left, width, height)
        colour = OUTCOME_COLOURS[patch.outcome]
        parts.append(Area(rings, colour, 1.4, colour, 0.3, patch.name))
    parts.append(Bar(left, 0, width, height, "", "#333333"))
    parts += _numbers(model, left, width, height)
    foot = height + 8
    parts += _scale_bar(1 / scale, left, foot)
    parts += [
        Area(_arrow(left + width - 14, foot), "#222222", 0.8, "#222222", 1.0),
        Label(left + width - 24, foot + 22, tell("north"), 12, "end"),
    ]
    legend, bottom = _legend(tell, foot + 44)
    return Figure(MAP_SIDE, bottom, tell("map"), (*parts, *legend))


def _placed(
    patch: MapPatch, left: float, width: float, height: float
) -> tuple[tuple[tuple[float, float], ...], ...]:
    return tuple(tuple((left + x * width, y * height) for x, y in ring) for ring in patch.rings)


def _arrow(x: float, y: float) -> tuple[tuple[tuple[float, float], ...], ...]:
    return (((x, y), (x + 7, y + 24), (x, y + 18), (x - 7, y + 24), (x, y)),)


def _numbers(model: ReportModel, left: float, width: float, height: float) -> list[Bar | Label]:
    """Return the numbers of the first clues, each beside its patch and clear of the others."""
    taken: list[tuple[float, float]] = []
    parts: list[Bar | Label] = []
    for patch in sorted((p for p in model.map_patches if p.number), key=lambda p: p.number):
        xs, ys = ([p[i] for ring in patch.rings for p in ring] for i in (0, 1))
        x, y = left + max(xs) * width, min(ys) * height
        wide = 8 + 7.0 * len(str(patch.number))
        places = [
            (x + 2 + dx, y - 16 + dy) for dy in (0, 18, -18, 36, -36) for dx in (0, -wide - 24)
        ]
        free = [
            (px, py)
            for px, py in places
            if left <= px <= left + width - wide
            and 0 <= py <= height - 16
            and all(abs(px - tx) > 24 or abs(py - ty) > 17 for tx, ty in taken)
        ]
        if not free:
            continue
        px, py = free[0]
        taken.append((px, py))
        parts.append(Bar(px, py, wide, 16, "#ffffff", "#333333"))
        parts.append(Label(px + wide / 2, py + 12.5, str(patch.number), 12, "middle"))
    return parts


def _scale_bar(metres_per_unit: float, left: float, top: float) -> list[Bar | Label]:
    metres = round_length(180 * metres_per_unit)
    long, x = metres / metres_per_unit, left + 4
    text = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    return [
        Bar(x, top, long / 2, 6, "#222222", "#222222"),
        Bar(x + long / 2, top, long / 2, 6, "#ffffff", "#222222"),
        Label(x, top + 21, "0", 12),
        Label(x + long, top + 21, text, 12, "middle"),
    ]


def _legend(tell: Teller, top: float) -> tuple[list[Bar | Label], float]:
    """Return the legend in as many lines as it needs, and where it ends."""
    parts: list[Bar | Label] = []
    x, y = 4.0, top
    for code, tally in tell.model.outcomes:
        if not tally.count:
            continue
        text = f"{tell.outcome(code)} {tally.count}"
        wide = 24 + LETTERS.width(text, 12) + 20
        if x + wide > MAP_SIDE:
            x, y = 4.0, y + 20
        parts += [Bar(x, y, 14, 12, OUTCOME_COLOURS[code]), Label(x + 20, y + 11, text, 12)]
        x += wide
    return parts, y + 20
