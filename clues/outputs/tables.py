"""The judged tables of a run as the writers of outputs receive them."""

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clues.findings import LONG
from clues.outputs.severity import SeverityLevel, read_levels
from clues.rowgroups import BATCH, columns_of, read_rows, records, row_batches
from configs.speech import PLAIN, Speech
from configs.told import Told

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    import geopandas as gpd
    import pandas as pd
    from numpy.typing import NDArray

    from clues.outputs.earlier import EarlierClue
    from clues.outputs.imagesources import ImageSource

__all__ = ["CLASSES_NAME", "ClueTables", "RunTitle"]

FINDINGS_NAME, CLASSES_NAME = "findings.parquet", "landclasses.parquet"


@dataclass(frozen=True)
class RunTitle:
    """What titles, file names and footers say about a run.

    Attributes
    ----------
    versions : dict of str to str
        Rule set, layers, config, states, model: printed on every product.
    attribution : str
        Credit lines of the imagery.
    speech : Speech
        Language, unit and names of the rule set.
    images : tuple of ImageSource
        Scenes of both dates, in the order in which they are used.
    """

    county_code: str
    county_name: str
    year: int
    quarter: int
    run_name: str
    versions: dict[str, str]
    attribution: str = ""
    speech: Speech = PLAIN
    images: "tuple[ImageSource, ...]" = ()

    @property
    def stem(self) -> str:
        """Beginning of file names, such as ``130427磁县_2026Q3``."""
        return f"{self.county_code}{self.county_name}_{self.year}Q{self.quarter}".strip("_")

    @property
    def batch(self) -> str:
        """Name of the monitoring batch."""
        return f"{self.year}Q{self.quarter}"

    @property
    def record(self) -> dict[str, Any]:
        """What ``run.json`` keeps of it."""
        names = ("county_code", "county_name", "year", "quarter")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class ClueTables:
    """Patches, findings and coverage of one judged run, in ledger order.

    Attributes
    ----------
    patches : GeoDataFrame
        One row per patch, order (county, anchor), with ``clue_no`` ("" for dismissed patches).
    findings : GeoDataFrame
        One row per parcel and line.
    coverage : DataFrame
        One row per parcel and document.
    indicators : dict
        Totals and the illegal-cropland ratio.
    title : RunTitle
    leads : GeoDataFrame or None
        One row per lead, see `clues.leads.LEAD_COLUMNS`.
    filled : dict of str to dict
        By patch: what people filled in so far, by key of the ledger's column.
    mark : str
        How far the store went when it was read, see `clues.store.answers.Mark`.
    classes : GeoDataFrame or None
        Land classes before of each patch, the largest first, see `clues.formerclasses`.
    rule_names : dict
        Names of the rules and marks in both languages, by code.
    gaps : tuple of Told
        What the list lacks because parts of the run could not be worked.
    levels : tuple of SeverityLevel
        Of the rule set.
    earlier : tuple of EarlierClue
        Clues of other periods that wait for an answer and are none of this one.
    folder : Path or None
        Where the long columns of findings and the outlines of classes are, which `only`, `parts`
        and `whole` read; None where the tables hold them.
    """

    patches: "gpd.GeoDataFrame"
    findings: "pd.DataFrame"
    coverage: "pd.DataFrame"
    indicators: dict[str, Any]
    title: RunTitle
    leads: "gpd.GeoDataFrame | None" = None
    filled: dict[str, dict[str, str]] = field(default_factory=dict)
    mark: str = "0.0"
    classes: "pd.DataFrame | None" = None
    rule_names: dict[str, dict[str, str]] = field(default_factory=dict)
    gaps: tuple[Told, ...] = ()
    levels: tuple[SeverityLevel, ...] = ()
    earlier: "tuple[EarlierClue, ...]" = ()
    folder: Path | None = None

    @classmethod
    def read(cls, folder: Path, title: RunTitle) -> "ClueTables":
        """Read the tables that a judged run left in `folder`, but what is asked for by patch."""
        import geopandas as gpd
        import pandas as pd

        classes = folder / CLASSES_NAME
        return cls(
            gpd.read_parquet(folder / "patches.parquet"),
            _short(folder / FINDINGS_NAME),
            pd.read_parquet(folder / "coverage.parquet"),
            json.loads((folder / "indicators.json").read_text(encoding="utf-8")),
            title,
            gpd.read_parquet(folder / "leads.parquet"),
            classes=_short(classes) if classes.is_file() else None,
            rule_names=_rule_names(folder / "rules.json"),
            levels=read_levels(folder / "rules.json"),
            folder=folder,
        )

    def with_blanks(self) -> "ClueTables":
        """Return the tables with None for missing texts, which read back are no number."""
        names = ("patches", "findings", "coverage", "leads")
        return replace(self, **{name: _blank(getattr(self, name)) for name in names})

    def only(self, patch_ids: "Collection[str]", without: "Collection[str]" = ()) -> "ClueTables":
        """Return the tables of some patches, everything else left out, columns `without` too."""
        import pandas as pd

        patches, rows = self._patch_rows
        wanted = np.zeros(len(patches) + 1, np.bool_)  # the last is that of rows without a patch
        wanted[patches.get_indexer(pd.Index(list(patch_ids)))] = True
        wanted[-1] = False
        tables = {name: getattr(self, name)[wanted[of]] for name, of in rows.items()}
        return replace(self, **tables)._read_up(without)

    @cached_property
    def _patch_rows(self) -> "tuple[pd.Index, dict[str, NDArray[np.intp]]]":
        """Numbers of the patches, and the place among them of each row, by table; -1 for none."""
        import pandas as pd

        patches = pd.Index(self.patches["patch_id"].to_numpy(dtype=object)).unique()
        found = {}
        for name in ("patches", "findings", "coverage", "leads", "classes"):
            table = getattr(self, name)
            if table is not None and "patch_id" in table:
                found[name] = patches.get_indexer(table["patch_id"].to_numpy(dtype=object))
        return patches, found

    def whole(self) -> "ClueTables":
        """Return the tables with all columns of all patches in memory."""
        return self._read_up()

    def parts(
        self, patches: "Iterable[str]", without: "Collection[str]" = (), size: int = BATCH
    ) -> "Iterator[ClueTables]":
        """Yield the tables of some patches, as many at a time as memory holds, in their order."""
        ids = list(patches)
        for start in range(0, len(ids) or 1, size):
            yield self.only(set(ids[start : start + size]), without)

    def finding_batches(self, columns: "Sequence[str] | None" = None) -> "Iterator[Any]":
        """Yield the findings with all columns, or some of them, some thousands at a time."""
        if self.folder is None:
            starts = range(0, len(self.findings), BATCH)
            wanted = self.findings if columns is None else self.findings[list(columns)]
            yield from (wanted.iloc[i : i + BATCH] for i in starts)
        else:
            yield from row_batches(self.folder / FINDINGS_NAME, self.patches.crs, columns)

    def _read_up(self, without: "Collection[str]" = ()) -> "ClueTables":
        """Return the tables with the columns that are kept in files."""
        if self.folder is None:
            return self
        tables: dict[str, Any] = {"folder": None}
        for name, file in (("findings", FINDINGS_NAME), ("classes", CLASSES_NAME)):
            table = getattr(self, name)
            if table is not None:
                path = self.folder / file
                names = [n for n in columns_of(path) if n not in without]
                found = read_rows(path, table.index.to_numpy(), self.patches.crs, names)
                tables[name] = _blank(found)
        return replace(self, **tables)

    @property
    def leading_line(self) -> str:
        """The line whose areas stand in the ledger: that of the indicators."""
        return str(self.indicators.get("line", "land"))

    @property
    def clues(self) -> "gpd.GeoDataFrame":
        """The patches that are clues, in ledger order."""
        return self.patches[self.patches["disposition"] == "clue"]

    def findings_by_patch(self) -> dict[str, list[dict[str, Any]]]:
        """Return the findings as plain records, by patch, ordered by line and parcel."""
        plain = self.whole().findings.drop(columns="geometry", errors="ignore")
        return _grouped(plain.sort_values(["line", "parcel_no"]))

    def leads_by_patch(self) -> dict[str, list[dict[str, Any]]]:
        """Return the leads as plain records, by patch, the nearest first."""
        if self.leads is None:
            return {}
        far = self.leads["distance_m"].fillna(-1.0)
        plain = self.leads.drop(columns="geometry").assign(_far=far)
        return _grouped(plain.sort_values(["_far", "lead_id"]).drop(columns="_far"))

    def classes_by_patch(self) -> dict[str, list[dict[str, Any]]]:
        """Return the land classes before as plain records, by patch, the largest first."""
        if self.classes is None:
            return {}
        return _grouped(self.classes.drop(columns="geometry", errors="ignore"))

    def coverage_by_patch(self) -> dict[str, list[dict[str, Any]]]:
        """Return the document coverage as plain records, by patch."""
        return _grouped(self.coverage.sort_values(["line", "parcel_id", "role", "key"]))


def _short(path: Path) -> Any:
    """Return a table without the columns that are read by patch; the index tells its rows."""
    import pandas as pd

    return pd.read_parquet(path, columns=[n for n in columns_of(path) if n not in LONG])


def _blank(table: Any) -> Any:
    if table is None:
        return None
    texts = [c for c in table.columns if table[c].dtype == "str" and table[c].hasnans]
    return table.assign(**{c: table[c].astype(object).where(table[c].notna(), None) for c in texts})


def _rule_names(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    names: dict[str, dict[str, str]] = {}
    kept = json.loads(path.read_text(encoding="utf-8"))
    for rule in (*kept["rules"], *kept.get("flags", ())):
        names.setdefault(rule["code"], rule["name"])
    return names


def _grouped(table: "pd.DataFrame") -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in records(table):
        groups.setdefault(str(record["patch_id"]), []).append(record)
    return groups
