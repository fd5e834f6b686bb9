"""What is known of the pixels of one tile after a date: settings, models, running changes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from tiles.files import atomic_path

__all__ = ["SeriesMethod", "SeriesSettings", "SeriesState"]

SeriesMethod = Literal["ewma", "cusum", "mosum", "ccdc"]

VERSION = 1
"""Of the file format."""

Array = NDArray[Any]


@dataclass(frozen=True)
class SeriesSettings:
    """How a series is followed; the defaults are those of the published methods.

    Attributes
    ----------
    history : {"auto", "all", "robust", "stable"}
        Which observations make the model: all; without outliers (``robust``); or also without
        what lies before the last break of the history (``stable``, the default of CUSUM and
        MOSUM; that of EWMA is ``robust``). CCDC screens in its own way.
    memory : float
        EWMA: weight of the newest observation.
    limit : float
        EWMA: limit in standard deviations of the process.
    alpha : float
        CUSUM and MOSUM: chance of a false signal in the monitoring period; CCDC: chance that an
        unchanged observation is taken for a changed one; 0: 0.05, with CCDC 0.01.
    window : float
        MOSUM: observations of the moving sum per observation of the history.
    confirm : int
        Signals in a row that confirm a change; 0: 3, with CCDC 6.
    clip : float
        Residuals are held within this many standard deviations.
    least_sigma : float
        Least standard deviation of a model, in units of the values.
    """

    history: Literal["auto", "all", "robust", "stable"] = "auto"
    memory: float = 0.3
    limit: float = 3.0
    alpha: float = 0.0
    window: float = 0.25
    confirm: int = 0
    clip: float = 5.0
    least_sigma: float = 0.0

    @property
    def chance(self) -> float:
        """Chance of a false signal in the monitoring period of CUSUM and MOSUM."""
        return self.alpha or 0.05

    def __post_init__(self) -> None:
        ranges = {
            "memory": 0 < self.memory <= 1,
            "limit": self.limit > 0,
            "alpha": 0 <= self.alpha <= 0.5,
            "window": 0 < self.window <= 1,
            "confirm": 0 <= self.confirm <= 1000,
            "clip": self.clip > 0,
            "least_sigma": self.least_sigma >= 0,
        }
        for name, good in ranges.items():
            if not good:
                raise InputError(
                    f"{name} = {getattr(self, name)} is out of range",
                    "the settings of the time series",
                    "see the documentation of SeriesSettings",
                )


@dataclass(frozen=True)
class SeriesState:
    """Models and running changes of the pixels of a tile, after the last date taken in.

    Attributes
    ----------
    method : {"ewma", "cusum", "mosum", "ccdc"}
    settings : SeriesSettings
    harmonics : int
        Waves per year of the model.
    trend : bool
        Whether the model has a slope.
    bands : int
    origin : int
        Day on which the trend is zero, days since 1970-01-01.
    last_day : int
        Newest date taken in.
    arrays : mapping of str to ndarray
        Per pixel, never written to. All methods: ``first_seen`` and ``confirmed`` (int32 days, 0
        for none), ``magnitude`` (float32), ``run`` (int16, signals in a row). The rest belongs to
        the method.
    """

    method: SeriesMethod
    settings: SeriesSettings
    harmonics: int
    trend: bool
    bands: int
    origin: int
    last_day: int
    arrays: Mapping[str, Array]

    def __post_init__(self) -> None:
        for array in self.arrays.values():
            array.flags.writeable = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        height, width = self.arrays["first_seen"].shape
        return height, width

    @property
    def modelled(self) -> NDArray[np.bool_]:
        """Pixels that have a model or a change found by one, shape (y, x)."""
        observations = self.arrays["fitted" if self.method == "ccdc" else "count"]
        return np.asarray((observations > 0) | (self.arrays["first_seen"] != 0), np.bool_)

    def save(self, path: Path) -> None:
        """Write the state as one npz file, whole or not at all.

        Parameters
        ----------
        path : Path
            Ends in ``.npz``.
        """
        header = json.dumps(
            {"version": VERSION, "hash": _digest(self.arrays)} | _header(self), sort_keys=True
        )
        told = np.frombuffer(header.encode(), np.uint8)
        with atomic_path(path) as part, part.open("wb") as handle:
            np.savez(handle, header=told, **dict(sorted(self.arrays.items())))  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> "SeriesState":
        """Read a state written by `save`.

        Raises
        ------
        InputError
            If there is no state, it was altered, or another version wrote it.
        """
        try:
            with np.load(path, allow_pickle=False) as npz:
                arrays = {key: npz[key] for key in sorted(npz.files)}
            header = json.loads(arrays.pop("header").tobytes())
            version, told = header.pop("version"), header.pop("hash")
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise InputError(
                f"no state of a time series can be read ({error})", str(path), "fit it again"
            ) from error
        if version != VERSION:
            raise InputError(
                f"the state has the format {version}, this program reads {VERSION}",
                str(path),
                "fit it again with this version of the program",
            )
        if told != _digest(arrays):
            raise InputError(
                "the state was altered after it was written", str(path), "fit it again"
            )
        header["settings"] = SeriesSettings(**header["settings"])
        return cls(arrays=arrays, **header)


def _header(state: SeriesState) -> dict[str, Any]:
    names = ("method", "harmonics", "trend", "bands", "origin", "last_day")
    return {n: getattr(state, n) for n in names} | {"settings": asdict(state.settings)}


def _digest(arrays: Mapping[str, Array]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]
