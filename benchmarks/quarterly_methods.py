"""Which method for a forest watched quarter by quarter: chosen by simulated losses, then checked.

``python -m benchmarks.quarterly_methods DATA`` with the folder ``nrt_romania_s2``; the table goes
into ``benchmarks/RESULTS.md``. Two steps, in this order:

1. No image after 2018 and no label is looked at. Pixels whose summers of 2016 to 2018 agree are
   taught by the images up to 2017 and followed through 2018, once as they are and once with a loss
   put in on a random day: a clear-cut, half of a pixel, thinning. Chosen is the method with the
   best F1 where one of a hundred pixels is lost in a year.
2. Every method is fitted to 2018 and takes in 2019 and 2020; what it tells is compared with the
   pseudo-label (summer NDVI of 2020 less that of 2016).
"""

import datetime as dt
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from detect.series import SeriesMethod, SeriesSettings, SeriesState, fit_series, update_series
from flows.demo.real import _Cube
from tests.flows.romania import CLEAR, CUBE, LEAST_PX, LOST, is_road, places

RESULTS = Path(__file__).parent / "RESULTS.md"
BEGIN, END = "<!-- quarterly methods: begin -->", "<!-- quarterly methods: end -->"
EPOCH = dt.date(1970, 1, 1)
PIXELS = 3000
SEED = 2018
STEADY = 0.1
"""Summers of a stable pixel differ by no more."""

WOODED = 0.7
"""Least summer NDVI of a pixel on which a loss can be simulated."""

SOIL, ROUGH = 0.2, 0.05
"""NDVI of bare soil (Sobrino et al. 2004, doi:10.1016/j.rse.2004.02.003), and its scatter."""

LOSSES = {"clear-cut": 1.0, "half": 0.5, "thinned": 0.3}
"""Part of the pixel that becomes bare soil."""

RATE = 0.01
"""Losses per pixel and year at which methods are compared."""

HEAD = ["method", "images", "least drop", "clear-cut", "half", "thinned", "days to confirm"]
HEAD += ["false per pixel and year", "precision", "F1", "label: precision", "recall", "F1"]
HEAD += ["clear-cuts found", "days to confirm"]

Array = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Way:
    """One way to follow a series.

    Attributes
    ----------
    season : bool
        Only images of April to October and one wave a year, instead of all and two.
    least : float
        Drop of NDVI from which a change is told.
    """

    method: SeriesMethod
    season: bool
    least: float

    def state(self, days: Array, ndvi: Array, clear: Mask, end: dt.date) -> SeriesState:
        """Fit to a day and take in what is newer; NDVI of shape (t, y, x)."""
        months = np.array([_date(d).month for d in days])
        kept = (months >= 4) & (months <= 10) if self.season else np.ones(len(days), bool)
        days, values, valid = days[kept], ndvi[kept, None], clear[kept]
        fit = int(np.searchsorted(days, _day(end), "right"))
        state = fit_series(
            days[:fit],
            values[:fit],
            valid[:fit],
            method=self.method,
            harmonics=1 if self.season else 2,
            settings=SeriesSettings(),
        )
        for k in range(fit, len(days)):
            state = update_series(state, int(days[k]), values[k], valid[k])
        return state

    def told(self, state: SeriesState) -> Mask:
        """Return the pixels whose loss is confirmed."""
        arrays = state.arrays
        return np.asarray((arrays["confirmed"] > 0) & (arrays["magnitude"] <= -self.least))


def main() -> None:
    """Choose, check, write the table."""
    days, ndvi, clear = read_series(_Cube(Path(sys.argv[1]) / CUBE))
    ways = list(all_ways())
    trials = simulated(days, ndvi, clear)
    chosen = [trial(way, *trials) for way in ways]
    best = max(range(len(ways)), key=lambda i: chosen[i]["F1"])
    label = summer(days, ndvi, clear, 2020) - summer(days, ndvi, clear, 2016) < LOST
    began = onsets(days, ndvi, clear, label)
    lines = [_line(HEAD), _line(["---"] * len(HEAD))]
    for i, way in enumerate(ways):
        checked = against(way, days, ndvi, clear, label, began)
        name = f"**{way.method}, chosen**" if i == best else way.method
        images = "April–October" if way.season else "all"
        lines.append(_line([name, images, way.least, *_cells(chosen[i]), *_cells(checked)]))
    text = "\n".join(lines)
    sys.stdout.write(f"{text}\n")
    before, rest = RESULTS.read_text(encoding="utf-8").split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    RESULTS.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def all_ways() -> Iterator[Way]:
    """Yield every method of the house with all images and with those of the growing season."""
    for method in get_args(SeriesMethod):
        for season in (False, True):
            for least in (0.1, 0.2):
                yield Way(method, season, least)


def read_series(cube: _Cube) -> tuple[Array, Array, Mask]:
    """Return days since 1970, NDVI and where the ground was seen, of shape (t, y, x)."""
    ndvi, clear = [], []
    for date in cube.dates:
        red, nir = (cube.layer(band, date).astype(np.float32) for band in ("B4", "B8"))
        ndvi.append((nir - red) / np.maximum(nir + red, 1))
        clear.append(np.isin(cube.layer("SCL", date), CLEAR))
    return np.array([_day(d) for d in cube.dates]), np.stack(ndvi), np.stack(clear)


def summer(days: Array, ndvi: Array, clear: Mask, year: int) -> Array:
    """Return the median NDVI of June to September."""
    of = [_date(d).year == year and 6 <= _date(d).month <= 9 for d in days]
    return np.asarray(np.nanmedian(np.where(clear[of], ndvi[of], np.nan), axis=0))


def simulated(days: Array, ndvi: Array, clear: Mask) -> tuple[Array, Array, Mask, Array]:
    """Return stable pixels up to 2018, first as they are, then with each kind of loss.

    Returns
    -------
    days, ndvi, clear
        Of shape (t,), (t, 1 + kinds, pixels) and the same.
    lost : ndarray of int64, shape (pixels,)
        Day of the loss.
    """
    until = days <= _day(dt.date(2018, 12, 31))
    days, ndvi, clear = days[until], ndvi[until], clear[until]
    summers = np.stack([summer(days, ndvi, clear, year) for year in (2016, 2017, 2018)])
    stable = (np.ptp(summers, axis=0) <= STEADY) & (summers.min(axis=0) >= WOODED)
    random = np.random.default_rng(SEED)
    row, col = np.nonzero(stable)
    some = np.sort(random.choice(len(row), min(PIXELS, len(row)), replace=False))
    values, seen = ndvi[:, row[some], col[some]], clear[:, row[some], col[some]]
    first, last = _day(dt.date(2018, 1, 1)), _day(dt.date(2018, 8, 31))
    lost = random.integers(first, last, len(some), endpoint=True)
    soil = random.normal(SOIL, ROUGH, values.shape).astype(np.float32)
    gone = days[:, None] >= lost
    kinds = [np.where(gone, values + part * (soil - values), values) for part in LOSSES.values()]
    rows = np.stack([values, *kinds], axis=1).astype(np.float32)
    return days, rows, np.repeat(seen[:, None], rows.shape[1], axis=1), lost


def trial(way: Way, days: Array, ndvi: Array, clear: Mask, lost: Array) -> dict[str, float]:
    """Return how a way does on simulated losses; a loss told before it happened is a false one."""
    state = way.state(days, ndvi, clear, dt.date(2017, 12, 31))
    told, sure = way.told(state), state.arrays["confirmed"].astype(np.int64)
    new = told & (sure > _day(dt.date(2017, 12, 31)))
    right = new[1:] & (state.arrays["first_seen"][1:] >= lost)
    found = {kind: float(right[i].mean()) for i, kind in enumerate(LOSSES)}
    false = float(new[0].mean())
    recall = float(np.mean(list(found.values())))
    precision = RATE * recall / max(RATE * recall + (1 - RATE) * false, 1e-9)
    delay = float(np.median((sure[1:] - lost)[right])) if right.any() else np.nan
    told_of = {"days": delay, "false": false, "precision": precision}
    return found | told_of | {"F1": _f1(precision, recall)}


def against(
    way: Way, days: Array, ndvi: Array, clear: Mask, label: Mask, began: Array
) -> dict[str, float]:
    """Return how a way, fitted to 2018, does on the forest to the end of 2020."""
    until = days <= _day(dt.date(2020, 12, 31))
    state = way.state(days[until], ndvi[until], clear[until], dt.date(2018, 12, 31))
    parts, _ = ndimage.label(way.told(state), np.ones((3, 3)))
    told = (parts > 0) & (np.bincount(parts.ravel())[parts] >= LEAST_PX)
    right = told & label
    precision, recall = right.sum() / max(told.sum(), 1), right.sum() / label.sum()
    cuts = np.logical_or.reduce([p for p in places(label) if not is_road(p)])
    delays = (state.arrays["confirmed"] - began)[right & (began > 0)]
    return {
        "precision": float(precision),
        "recall": float(recall),
        "F1": _f1(float(precision), float(recall)),
        "cuts": float((cuts & told).sum() / cuts.sum()),
        "days": float(np.median(delays)) if delays.size else np.nan,
    }


def onsets(days: Array, ndvi: Array, clear: Mask, label: Mask) -> Array:
    """Return from which day the label lies low: three clear images of May to October in a row.

    0 where there is no such day, and outside the label.
    """
    level = summer(days, ndvi, clear, 2016) + LOST
    began = np.zeros(label.shape, np.int64)
    grown = np.array([5 <= _date(d).month <= 10 for d in days])
    for row, col in np.argwhere(label):
        seen = grown & clear[:, row, col]
        low, when = ndvi[seen, row, col] < level[row, col], days[seen]
        runs = np.flatnonzero(low[:-2] & low[1:-1] & low[2:])
        began[row, col] = when[runs[0]] if runs.size else 0
    return began


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / max(precision + recall, 1e-9)


def _day(date: dt.date) -> int:
    return (date - EPOCH).days


def _date(day: int) -> dt.date:
    return EPOCH + dt.timedelta(days=int(day))


def _cells(figures: dict[str, float]) -> list[str]:
    places = {"days": 0, "false": 4}
    return [f"{v:.{places.get(name, 2)}f}" for name, v in figures.items()]


def _line(cells: list[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
