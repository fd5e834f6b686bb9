"""CPU seconds of nrt: ``python peer_nrt.py CUBE.npz ewma|cusum|mosum REPEATS``.

Runs in an environment of its own, on one thread. Prints pairs: fit of the history, one new date.
"""

import datetime as dt
import sys
import time

import numpy as np
import xarray as xr
from nrt.monitor.cusum import CuSum
from nrt.monitor.ewma import EWMA
from nrt.monitor.mosum import MoSum

MONITORS = {
    "ewma": (lambda: EWMA(trend=False, harmonic_order=2), {"method": "OLS"}),
    "cusum": (lambda: CuSum(trend=False, harmonic_order=2), {"method": "ROC"}),
    "mosum": (lambda: MoSum(trend=False, harmonic_order=2), {"method": "ROC"}),
}

path, name, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3])
with np.load(path) as cube:
    days, values = cube["days"], cube["values"].astype(np.float64)
dates = days.astype("datetime64[D]").astype("datetime64[ns]")
history = xr.DataArray(values[:-1], dims=("time", "y", "x"), coords={"time": dates[:-1]})
last = dt.datetime(1970, 1, 1) + dt.timedelta(days=int(days[-1]))
make, how = MONITORS[name]
for turn in range(repeats + 1):
    monitor = make()
    start = time.process_time()
    monitor.fit(history, **how)
    fitted = time.process_time()
    monitor.monitor(values[-1], last)
    if turn:  # the first compiles
        print(fitted - start, time.process_time() - fitted)
