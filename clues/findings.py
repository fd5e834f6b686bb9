"""The findings of a judgement: whole in memory, or in a file with their short columns in memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clues.rowgroups import BATCH, RowGroups, read_rows

if TYPE_CHECKING:
    from clues.leads import Led

__all__ = ["AREA_COLUMNS", "LONG", "Findings", "short"]

AREA_COLUMNS = {
    "cropland_dm2": "cropland_area",
    "cropland_net_dm2": "cropland_net_area",
    "pbf_dm2": "pbf_area",
    "redline_dm2": "redline_area",
    "outside_boundary_dm2": "outside_boundary_area",
    "farmland_dm2": "farmland_area",
    "unused_dm2": "unused_area",
    "construction_dm2": "construction_area",
}
FINDING_TEXTS = (
    "patch_id",
    "line",
    "parcel_id",
    "outcome",
    "rule",
    "rules",
    "also_possible",
    "flags",
    "questions_zh",
    "questions_en",
    "reason_zh",
    "reason_en",
    "documents",
    "trace",
)
LONG = (
    "also_possible",
    "questions_zh",
    "questions_en",
    "reason_zh",
    "reason_en",
    "trace",
    "geometry",
)
"""Columns that take nine tenths of the memory and are asked for by patch."""


def short(findings: Any) -> pd.DataFrame:
    """Return the columns of findings that are kept of a whole run."""
    return pd.DataFrame(findings.drop(columns=[c for c in LONG if c in findings]))


class Findings:
    """Takes the findings of a judgement batch by batch.

    Parameters
    ----------
    crs : CRS
    into : Path, optional
        File that holds them; in memory by default.
    """

    def __init__(self, crs: Any, into: Path | None = None) -> None:
        self.crs, self.into = crs, into
        self._parts: list[pd.DataFrame] = []
        self._file = None if into is None else RowGroups(into, FINDING_TEXTS)

    def add(self, tables: Sequence[pd.DataFrame]) -> None:
        """Append the findings of the next patches."""
        for table in tables:
            if self._file is None:
                self._parts.append(table)
            elif len(table):
                self._file.add(_geo(table, self.crs))
                self._parts.append(short(table))

    def table(self) -> Any:
        """Return the findings; the short columns of them where a file holds the others."""
        full = [part for part in self._parts if len(part)]
        self._parts.clear()
        if self._file is not None:
            if not full:
                self._file.add(_geo(_no_findings(), self.crs))
            self._file.close()
            return pd.concat(full, ignore_index=True) if full else short(_no_findings())
        whole = pd.concat(full, ignore_index=True) if full else _no_findings()
        return _geo(whole, self.crs)

    def take_in(self, led: "Led") -> None:
        """Put the findings of leads into the file, where `led` has them in the table."""
        from clues.leads import extended

        if self.into is None or not len(led.rows):
            return
        count = len(led.order) - len(led.rows)
        part = self.into.with_name(f"{self.into.name}-led")
        with RowGroups(part, FINDING_TEXTS) as file:
            for start in range(0, len(led.order), BATCH):
                places = led.order[start : start + BATCH]
                known = read_rows(self.into, places[places < count], self.crs)
                fresh = [led.rows[i - count] for i in places[places >= count]]
                own = places < count
                at = np.where(own, np.cumsum(own) - 1, len(known) + np.cumsum(~own) - 1)
                file.add(extended(known, fresh).iloc[at])
        part.replace(self.into)


def _geo(table: pd.DataFrame, crs: Any) -> Any:
    import geopandas as gpd

    return gpd.GeoDataFrame(table, geometry="geometry", crs=crs)


def _no_findings() -> pd.DataFrame:
    """Return the findings of no patch."""
    numbers = ("parcel_no", "area_dm2", *AREA_COLUMNS, "severity", "priority")
    kinds = dict.fromkeys(FINDING_TEXTS, object) | dict.fromkeys(numbers, np.int64)
    columns = {name: pd.Series(dtype=kind) for name, kind in kinds.items()}
    return pd.DataFrame(columns | {"geometry": pd.Series(dtype=object)})
