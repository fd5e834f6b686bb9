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
        for place in np.flatnonzero((judged > 0) | (listed > 0)):
            day = days[rows[place]]
            told = day.isoformat() if hasattr(day, "isoformat") else ""
            objects[place] = tuple((name, told) for name in _things(patches, int(rows[place])))
    return [
        FactColumn.bounded("judged_before", judged, judged),
        FactColumn.named("judged_object", objects),
        FactColumn.bounded("listed_before", listed, listed),
        FactColumn.bounded("unjudged_area", outside, outside),
    ]


def _things(patches: Any, row: int) -> list[str]:
    """Return what was judged or listed: the thing of a patch, or what a new part came from."""
    thing = str(patches["object_id"].iat[row])
    if "object_parents" not in patches or thing != patches["patch_id"].iat[row]:
        return [thing]
    parents = str(patches["object_parents"].iat[row] or "")
    return [name for name in parents.split(",") if name] or [thing]
