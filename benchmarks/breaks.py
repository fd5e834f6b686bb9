"""Breaks of series: a real pixel, invented pixels, labelled points; precision, recall and F1.

Run ``python -m benchmarks.breaks [--data FOLDER]``. FOLDER holds ``pyccd_pixels/`` (one Landsat
pixel with the eight breaks of the published program) and ``cglops_breaks/`` (336 points of MODIS
with yes or no to a change). The invented pixels are those of the tests, seeds 1 to 5. EWMA, CUSUM
and MOSUM follow one band from a history: of the invented pixels near infrared and three years, of
the points the years before 2015. They end at their first change, so the real pixel is none for
them.
"""

import argparse
import datetime as dt
import os
from pathlib import Path
from typing import Any, get_args

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from detect.series import SeriesMethod, SeriesState, fit_series, update_series
from tests.detect.invented_breaks import invented_breaks, scores

Array = NDArray[Any]

EPOCH = dt.date(1970, 1, 1)
HISTORY_DAYS = 3 * 365
SEEDS = range(1, 6)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("TUBAN_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default)
    options = parser.parse_args()
    print("| series | method | told | precision | recall | F1 |")
    print("|---|---|---:|---:|---:|---:|")
    _real(options.data / "pyccd_pixels")
    for method in get_args(SeriesMethod):
        for within in (180, 60):
            _invented(method, within)
    for method in get_args(SeriesMethod):
        _points(method, options.data / "cglops_breaks")


def _row(series: str, method: str, told: float, precision: float, recall: float) -> None:
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    figures = f"{told:g} | {precision:.3f} | {recall:.3f} | {f1:.3f}"
    print(f"| {series} | {method} | {figures} |", flush=True)


def _real(folder: Path) -> None:
    """Match the breaks of the real pixel one to one, within two clear observations."""
    table = np.loadtxt(folder / "test_3657_3610_observations.csv", delimiter=",")
    _, order = np.unique(table[:, 0], return_index=True)
    table = table[order]
    days = table[:, 0].astype(np.int64) - EPOCH.toordinal()
    clear = np.isin(table[:, 8], (0, 1)) & np.all((table[:, 1:8] > 0) & (table[:, 1:8] < 1e4), 1)
    values = table[:, 2:7, None, None].astype(np.float32)
    state = _state("ccdc", days, values, clear[:, None, None], days.size)
    spans = np.loadtxt(folder / "test_3657_3610_coefficients.csv", delimiter=",")[:, :2]
    # its days are those of MATLAB, 366 after the proleptic ordinals of the observations
    spans = np.unique(spans.astype(np.int64), axis=0) - 366 - EPOCH.toordinal()
    whole = spans[spans[:, 0] < spans[:, 1]]
    dates = days[clear]
    # one observation alone stands between two segments: the change after it is listed too
    true = np.searchsorted(dates, np.insert(whole[:-1, 1], 6, whole[6, 0]))
    found = np.searchsorted(dates, _breaks(state)[0])
    near = np.abs(true[:, None] - found) <= 2
    right = np.count_nonzero(near[linear_sum_assignment(near, maximize=True)])
    told = f"real pixel, {true.size} breaks, ± 2 observations"
    _row(told, "ccdc", found.size, right / found.size, right / true.size)


def _invented(method: SeriesMethod, within: int) -> None:
    """Print the mean over the seeds."""
    reached, told = [], 0
    for seed in SEEDS:
        days, values, valid, truth = invented_breaks(200, seed=seed)
        bands = values if method == "ccdc" else values[:, 1:2]
        history = int(np.searchsorted(days, days[0] + HISTORY_DAYS))
        found = _breaks(_state(method, days, bands, valid, history))
        told += sum(map(len, found))
        reached.append(scores(found, truth, within)[:2])
    precision, recall = np.mean(reached, axis=0)
    series = f"invented, 5 × 200 pixels, ± {within} days"
    _row(series, method, told, float(precision), float(recall))


def _points(method: SeriesMethod, folder: Path) -> None:
    """Count the points with a confirmed change."""
    points = gpd.read_file(folder / "bfast0n-benchmark-points-pca.gpkg")
    columns = [name for name in points.columns if name.startswith("X")]
    dates = [dt.date.fromisoformat(name[1:].replace(".", "-")) for name in columns]
    days = np.array([(date - EPOCH).days for date in dates], np.int64)
    values = points[columns].to_numpy(np.float32).T[:, None, None, :]
    valid = np.isfinite(values[:, 0])
    history = int(np.searchsorted(days, (dt.date(2015, 1, 1) - EPOCH).days))
    state = _state(method, days, np.nan_to_num(values), valid, history)
    told, true = state.arrays["confirmed"][0] > 0, (points["change_at_300m"] == "yes").to_numpy()
    right = np.count_nonzero(told & true)
    series = f"labelled points, {np.count_nonzero(true)} of {true.size} changed"
    _row(series, method, told.sum(), right / max(told.sum(), 1), right / true.sum())


def _state(
    method: SeriesMethod, days: Array, values: Array, valid: Array, history: int
) -> SeriesState:
    """Take the whole series in; what is after the history only follows the model."""
    if method == "ccdc":
        return fit_series(days, values, valid, method=method, harmonics=3, trend=True)
    state = fit_series(days[:history], values[:history], valid[:history], method=method)
    for k in range(history, days.size):
        state = update_series(state, int(days[k]), values[k], valid[k])
    return state


def _breaks(state: SeriesState) -> list[list[int]]:
    """Return the days of the confirmed changes of every pixel."""
    arrays = state.arrays
    if state.method == "ccdc":
        days = arrays["breaks"].reshape(-1, arrays["breaks"].shape[2])
    else:
        days = np.where(arrays["confirmed"] > 0, arrays["first_seen"], 0).reshape(-1, 1)
    return [[int(day) for day in pixel if day] for pixel in days]


if __name__ == "__main__":
    main()
