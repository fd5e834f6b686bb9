"""The table of the patches that imagery found, written while they are made."""

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from clues.rowgroups import RowGroups

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["GROUP", "PatchFile"]

GROUP = 20_000
"""Patches from which on a row group is written; a smaller table is written as a whole."""


class PatchFile:
    """A GeoParquet file of patches that are added in their order.

    Row groups follow from the numbers of patches, so that the file does not depend on tiles and
    workers. What fits into one group has the bytes of ``GeoDataFrame.to_parquet``.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: list[gpd.GeoDataFrame] = []
        self._groups = RowGroups(path)
        self._is_grouped = False

    def add(self, patches: "gpd.GeoDataFrame") -> None:
        """Append patches."""
        self._held.append(patches)
        if sum(len(p) for p in self._held) >= GROUP:
            self._groups.add(self._taken())
            self._is_grouped = True

    def _taken(self) -> "gpd.GeoDataFrame":
        import pandas as pd

        full = [p for p in self._held if len(p)] or self._held[:1]
        self._held = []
        return full[0] if len(full) == 1 else pd.concat(full, ignore_index=True)

    def close(self) -> None:
        """Write what is left."""
        if not self._is_grouped:
            self._taken().to_parquet(self.path, index=False)
        elif self._held:
            self._groups.add(self._taken())
        self._groups.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self._groups.close()
