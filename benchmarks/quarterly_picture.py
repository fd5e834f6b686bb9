"""The picture of a forest watched quarter by quarter: when each place was first seen, on NDVI."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from clues.outputs.lettering import font_path

__all__ = ["Place", "draw", "quarter_name"]

COLOURS = {2016: "#2f5597", 2017: "#0b84a5", 2018: "#7b4fa3", 2019: "#c55a11", 2020: "#c00000"}
MISSED, BESIDE, LINE, GRID = "#000000", "#e8b800", "#595959", "#dddddd"
SCALE, LEFT, TOP = 6, 20, 60
WIDE, HIGH, COLUMNS = 232, 118, 3
"""Of one small plot, and how many stand side by side."""

LOW, TALL = 0.2, 1.0
"""NDVI at the foot and the head of a plot."""

WORDS = {
    "en": {
        "title": "Summer NDVI of each lost place (median); upright: the day it was first seen",
        "map": "Summer NDVI {year}, dark is low; coloured: reported, by year first seen",
        "missed": "lost, not reported",
        "beside": "reported, not in the label",
        "cut": "{n} clear-cut, {found} of {of} px",
        "road": "{n} forest road, {found} of {of} px",
        "none": "not seen",
    },
    "zh": {
        "title": "各损失地块夏季植被指数（中位数）；竖线为首次发现日期",
        "map": "{year}年夏季植被指数，越暗越低；彩色为已报告像元，按首次发现年份",
        "missed": "已损失而未报告",
        "beside": "已报告而不在参考标签内",
        "cut": "{n} 皆伐迹地，报告 {found}/{of} 像元",
        "road": "{n} 林区道路，报告 {found}/{of} 像元",
        "none": "未发现",
    },
}
QUARTERS = {"en": "{} Q{}", "zh": "{}年第{}季度"}

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Place:
    """One connected place of the label.

    Attributes
    ----------
    pixels : ndarray of bool
        Of the whole map.
    found : int
        Pixels of it that were reported.
    seen : date or None
        Median day on which those were first seen.
    summers : dict of int to float
        Median summer NDVI by year.
    """

    pixels: Mask
    is_road: bool
    found: int
    seen: dt.date | None
    summers: Mapping[int, float]


def quarter_name(day: dt.date, language: str = "en") -> str:
    """Return the quarter of a day by name."""
    number = (day.month - 1) // 3
    told = "一二三四"[number] if language == "zh" else number + 1
    return QUARTERS[language].format(day.year, told)


def draw(
    path: Path,
    language: str,
    places: Sequence[Place],
    first: NDArray[np.int32],
    reported: Mask,
    label: Mask,
    ndvi: tuple[int, NDArray[np.float64]],
) -> None:
    """Write the picture.

    Parameters
    ----------
    path : Path
    language : {"en", "zh"}
    places : sequence of Place
    first : ndarray of int32
        Days since 1970 on which reported pixels were first seen.
    reported, label : ndarray of bool
    ndvi : (int, ndarray)
        Year and summer NDVI of the map.
    """
    rows = -(-len(places) // COLUMNS)
    side = label.shape[1] * SCALE
    picture = Image.new("RGB", (LEFT * 3 + side + COLUMNS * WIDE, TOP + rows * HIGH), "white")
    pen = ImageDraw.Draw(picture)
    words = WORDS[language]
    x0 = LEFT * 2 + side
    pen.text((LEFT, 18), words["map"].format(year=ndvi[0]), "black", _font(14))
    pen.text((x0, 18), words["title"], "black", _font(14))
    picture.paste(_map(first, reported, label, ndvi[1]), (LEFT, TOP))
    for n, place in enumerate(places, 1):
        ys, xs = np.nonzero(place.pixels)
        spot = (LEFT + (xs.max() + 1.5) * SCALE, TOP + ys.mean() * SCALE)
        pen.text(spot, str(n), "white", _font(13), anchor="lm", stroke_width=2, stroke_fill="black")
        corner = (x0 + (n - 1) % COLUMNS * WIDE, TOP + (n - 1) // COLUMNS * HIGH)
        _plot(pen, corner, n, place, language)
    used = np.unique(_years(first[reported]))
    legend = [(COLOURS[y], str(y)) for y in used.tolist()]
    legend += [(MISSED, words["missed"]), (BESIDE, words["beside"])]
    x, y = float(LEFT), TOP + label.shape[0] * SCALE + 14
    for colour, text in legend:
        if x + 20 + pen.textlength(text, _font(13)) > LEFT + side:
            x, y = float(LEFT), y + 24
        pen.rectangle((x, y, x + 14, y + 14), fill=colour)
        pen.text((x + 20, y + 7), text, "black", _font(13), anchor="lm")
        x += 36 + pen.textlength(text, _font(13))
    picture.save(path, optimize=True)


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font_path()), size)


def _years(days: NDArray[np.int32]) -> NDArray[np.int64]:
    years = days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    return np.asarray(np.clip(years, min(COLOURS), max(COLOURS)))


def _map(
    first: NDArray[np.int32], reported: Mask, label: Mask, ndvi: NDArray[np.float64]
) -> Image.Image:
    """Return NDVI in grey with what was reported in colour."""
    grey = np.clip(np.nan_to_num(ndvi), 0, 1)
    shown = np.repeat((60 + 195 * grey)[:, :, None], 3, axis=2).astype(np.uint8)
    shown[label & ~reported] = _rgb(MISSED)
    shown[reported & ~label] = _rgb(BESIDE)
    years = _years(first)
    for year, colour in COLOURS.items():
        shown[reported & label & (years == year)] = _rgb(colour)
    return Image.fromarray(shown).resize(
        (label.shape[1] * SCALE, label.shape[0] * SCALE), Image.Resampling.NEAREST
    )


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def _plot(
    pen: ImageDraw.ImageDraw, corner: tuple[float, float], n: int, place: Place, language: str
) -> None:
    """Draw the summers of a place and the day on which it was first seen."""
    west, east = corner[0] + 26, corner[0] + WIDE - 14
    north, south = corner[1] + 20, corner[1] + HIGH - 20
    years = sorted(place.summers)

    def at(year: float, value: float) -> tuple[float, float]:
        x = west + (year - years[0]) / (years[-1] + 1 - years[0]) * (east - west)
        return x, south - (value - LOW) / (TALL - LOW) * (south - north)

    for value in (0.4, 0.6, 0.8):
        pen.line((*at(years[0], value), *at(years[-1] + 1, value)), fill=GRID)
        pen.text((west - 4, at(0, value)[1]), f"{value:.1f}", LINE, _font(10), anchor="rm")
    for year in (*years, years[-1] + 1):
        pen.line((at(year, LOW)[0], south, at(year, LOW)[0], south + 4), fill=LINE)
    for year in years:
        pen.text((at(year + 0.5, LOW)[0], south + 3), str(year), LINE, _font(10), anchor="ma")
    pen.line((west, south, east, south), fill=LINE)
    dots = [at(year + 0.58, place.summers[year]) for year in years]
    pen.line(dots, fill=LINE, width=2)
    for x, y in dots:
        pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=LINE)
    words = WORDS[language]
    of = {"n": n, "found": place.found, "of": int(place.pixels.sum())}
    title = words["road" if place.is_road else "cut"].format(**of)
    pen.text((corner[0] + 4, corner[1] + 2), title, "black", _font(12))
    if place.seen is None:
        pen.text((west + 4, south - 20), words["none"], MISSED, _font(12))
        return
    day = place.seen.year + (place.seen.timetuple().tm_yday - 1) / 366
    x, colour = at(day, LOW)[0], COLOURS[min(max(place.seen.year, min(COLOURS)), max(COLOURS))]
    pen.line((x, north, x, south), fill=colour, width=3)
    is_late = x > (west + east) / 2
    spot, anchor = (x - 5 if is_late else x + 5, south - 9), "rm" if is_late else "lm"
    pen.text(spot, quarter_name(place.seen, language), colour, _font(12), anchor=anchor)
