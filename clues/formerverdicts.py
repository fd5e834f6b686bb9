"""Facts of a register: whether people decided on what a patch shows, or were told of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clues.facts import FactColumn

__all__ = ["former_verdicts"]


def former_verdicts(patches: Any, rows: NDArray[np.int64]) -> list[FactColumn]:
    """Return what a register tells of verdicts of earlier periods; nothing where there is none."""
    objects, judged, outside = np.empty(len(rows), object), np.zeros(len(rows)), np.zeros(len(rows))
    objects.fill(())
    listed = np.zeros(len(rows))
    if "judged_before" in patches:
        judged = patches["judged_before"].to_numpy(dtype=np.float64)[rows]
        outside = patches["unjudged_dm2"].to_numpy(dtype=np.float64)[rows]
        if "listed_before" in patches:
            listed = patches["listed_before"].to_numpy(dtype=np.float64)[rows]
        days = patches["first_seen"].to_numpy(dtype=object)
        names = patches["object_id"].to_numpy(dtype=object)
        for place in np.flatnonzero((judged > 0) | (listed > 0)):
            day = days[rows[place]]
            told = day.isoformat() if hasattr(day, "isoformat") else ""
            objects[place] = ((str(names[rows[place]]), told),)
    return [
        FactColumn.bounded("judged_before", judged, judged),
        FactColumn.named("judged_object", objects),
        FactColumn.bounded("listed_before", listed, listed),
        FactColumn.bounded("unjudged_area", outside, outside),
    ]
