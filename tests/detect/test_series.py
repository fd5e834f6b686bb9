"""States of time series: what they promise whatever the method."""

from pathlib import Path

import numpy as np
import pytest

from configs.errors import InputError
from detect.series import SeriesState, fit_series, series_breaks, update_series
from tests.detect.invented_series import DAYS, followed, invented


def test_a_drop_is_seen_confirmed_and_measured():
    values, valid = invented(DAYS, (4, 5))
    values[110:, 0, 1, 2] -= 0.3
    state = fit_series(DAYS[:100], values[:100], valid[:100], method="ewma")
    breaks = series_breaks(followed(state, DAYS[100:], values[100:], valid[100:]))
    assert np.count_nonzero(breaks.confirmed) <= 2
    clear = DAYS[110:][valid[110:, 1, 2]]
    assert breaks.first_seen[1, 2] == clear[0]
    assert breaks.confirmed[1, 2] == clear[2]
    assert breaks.magnitude[1, 2] == pytest.approx(-0.3, abs=0.06)
    assert breaks.confidence[1, 2] == 100


def test_a_state_is_never_altered_and_survives_the_disk(tmp_path: Path):
    values, valid = invented(DAYS, (3, 4))
    state = fit_series(DAYS[:100], values[:100], valid[:100], method="ewma")
    before = {name: array.copy() for name, array in state.arrays.items()}
    state.save(tmp_path / "a" / "state.npz")
    again = SeriesState.load(tmp_path / "a" / "state.npz")
    one = update_series(state, int(DAYS[100]), values[100], valid[100])
    two = update_series(again, int(DAYS[100]), values[100], valid[100])
    for name, array in before.items():
        np.testing.assert_array_equal(state.arrays[name], array)
        np.testing.assert_array_equal(one.arrays[name], two.arrays[name])
    one.save(tmp_path / "1.npz")
    two.save(tmp_path / "2.npz")
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()
    with pytest.raises(ValueError, match="read-only"):
        one.arrays["process"][0, 0] = 1


def test_older_or_repeated_dates_are_refused():
    values, valid = invented(DAYS, (2, 2))
    state = fit_series(DAYS[:100], values[:100], valid[:100], method="ewma")
    for day in (DAYS[99], DAYS[0]):
        with pytest.raises(InputError, match="not after the last date"):
            update_series(state, int(day), values[0], valid[0])


def test_an_altered_file_is_refused(tmp_path: Path):
    values, valid = invented(DAYS, (2, 2))
    state = fit_series(DAYS, values, valid, method="ewma")
    path = tmp_path / "state.npz"
    state.save(path)
    with np.load(path) as npz:
        arrays = {k: npz[k] for k in npz.files}
    arrays["sigma"] = arrays["sigma"] * 2
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="altered"):
        SeriesState.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="no state"):
        SeriesState.load(path)
