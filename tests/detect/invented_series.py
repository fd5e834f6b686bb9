"""Invented time series: a seasonal wave, noise, clouds."""

import numpy as np

from detect.series import update_series

DAYS = np.arange(16_000, 17_500, 12, dtype=np.int64)


def invented(days, shape, *, seed=0, noise=0.03, clear=0.7, bands=1):
    """Return a seasonal series and its clear observations."""
    rng = np.random.default_rng(seed)
    wave = 0.6 + 0.2 * np.cos(2 * np.pi * days / 365.25)
    values = wave[:, None, None, None] + noise * rng.normal(size=(days.size, bands, *shape))
    return values.astype(np.float32), rng.random((days.size, *shape)) < clear


def followed(state, days, values, valid):
    for k, day in enumerate(days):
        state = update_series(state, int(day), values[k], valid[k])
    return state
