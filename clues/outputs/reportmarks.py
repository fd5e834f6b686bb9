"""Marks and the gravest level of suspected and unresolved parcels, each ground counted once."""

from typing import Any

import numpy as np
import shapely

from clues.outputs.reportfigures import Tally, tally_by
from clues.outputs.severity import PURSUED, level_text
from clues.outputs.tables import ClueTables
from configs.told import Told

__all__ = ["flag_tallies", "gravest_level"]

AREAS = ("area_dm2", "cropland_dm2", "pbf_dm2")
SLIVER = 0.001
"""Share of a parcel below which what another line has not told of it is no ground of its own."""


def flag_tallies(tables: ClueTables) -> list[tuple[str, Tally]]:
    """Return code and tally of each mark on suspected and unresolved parcels.

    Lines of judgement divide the same ground anew: what two of them mark counts once.
    """
    chosen = _pursued(tables)
    marks = [set(filter(None, str(text).split(","))) for text in chosen["flags"]]
    return [
        (code, _once(chosen[np.array([code in m for m in marks], dtype=bool)], tables))
        for code in sorted(set().union(*marks))
    ]


def gravest_level(tables: ClueTables) -> tuple[Told, Tally] | None:
    """Return the name of the highest level of the rule set and the tally of what reaches it."""
    if not tables.levels:
        return None
    top = max(level.level for level in tables.levels)
    name = Told(level_text(tables.levels, top, "zh"), level_text(tables.levels, top, "en"))
    chosen = _pursued(tables)
    return name, _once(chosen[(chosen["severity"] == top).to_numpy()], tables)


def _pursued(tables: ClueTables) -> Any:
    return tables.findings[tables.findings["outcome"].isin(PURSUED).to_numpy()]


def _once(table: Any, tables: ClueTables) -> Tally:
    """Return the tally of parcels whose ground is counted once, whatever lines tell it.

    The larger parcel counts, at equal size that of the leading line; of a smaller one counts
    what lies outside, with its share of cropland and basic farmland.
    """
    lines = table.groupby("patch_id")["line"].transform("nunique").to_numpy()
    alone = table[lines == 1]
    found = [tally_by(alone, [])[0][1]]
    several = table[lines > 1]
    if tables.folder is not None:  # their outlines are in the file
        several = tables.only(set(several["patch_id"])).findings.loc[several.index]
    several = several.assign(_later=several["line"] != tables.leading_line)
    order = ["patch_id", "area_dm2", "_later", "line", "parcel_id"]
    several = several.sort_values(order, ascending=[True, False, True, True, True])
    for _, parcels in several.groupby("patch_id"):
        taken = shapely.Polygon()
        for row in parcels.itertuples():
            rest = shapely.difference(row.geometry, taken)
            share = float(rest.area / row.geometry.area)
            taken = shapely.union(taken, row.geometry)
            if share > SLIVER:
                share = 1.0 if share > 1 - SLIVER else share
                found.append(Tally(1, *(round(getattr(row, n) * share) for n in AREAS)))
    sums = (sum(getattr(t, n) for t in found) for n in ("count", *AREAS))
    return Tally(*sums)
