"""The judged tables of a run as the writers of outputs receive them."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.outputs.severity import SeverityLevel, read_levels
from configs.speech import PLAIN, Speech
from configs.told import Told

if TYPE_CHECKING:
    from collections.abc import Collection

    import geopandas as gpd
    import pandas as pd

    from clues.outputs.imagesources import ImageSource

__all__ = ["CLASSES_NAME", "ClueTables", "RunTitle"]

CLASSES_NAME = "landclasses.parquet"


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
    """

    patches: "gpd.GeoDataFrame"
    findings: "gpd.GeoDataFrame"
    coverage: "pd.DataFrame"
    indicators: dict[str, Any]
    title: RunTitle
    leads: "gpd.GeoDataFrame | None" = None
    filled: dict[str, dict[str, str]] = field(default_factory=dict)
    mark: str = "0.0"
    classes: "gpd.GeoDataFrame | None" = None
    rule_names: dict[str, dict[str, str]] = field(default_factory=dict)
    gaps: tuple[Told, ...] = ()
    levels: tuple[SeverityLevel, ...] = ()

    @classmethod
    def read(cls, folder: Path, title: RunTitle) -> "ClueTables":
        """Read the tables that a judged run left in `folder`."""
        import geopandas as gpd
        import pandas as pd

        classes = folder / CLASSES_NAME
        return cls(
            gpd.read_parquet(folder / "patches.parquet"),
            gpd.read_parquet(folder / "findings.parquet"),
            pd.read_parquet(folder / "coverage.parquet"),
            json.loads((folder / "indicators.json").read_text(encoding="utf-8")),
            title,
            gpd.read_parquet(folder / "leads.parquet"),
            classes=gpd.read_parquet(classes) if classes.is_file() else None,
            rule_names=_rule_names(folder / "rules.json"),
            levels=read_levels(folder / "rules.json"),
        )

    def with_blanks(self) -> "ClueTables":
        """Return the tables with None for missing texts, which read back are no number."""
        names = ("patches", "findings", "coverage", "leads")
        return replace(self, **{name: _blank(getattr(self, name)) for name in names})

    def only(self, patch_ids: "Collection[str]") -> "ClueTables":
        """Return the tables of some patches, everything else left out."""
        tables: dict[str, Any] = {}
        for name in ("patches", "findings", "coverage", "leads", "classes"):
            table = getattr(self, name)
            if table is not None and "patch_id" in table:
                tables[name] = table[table["patch_id"].isin(patch_ids).to_numpy()]
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
        plain = self.findings.drop(columns="geometry").sort_values(["line", "parcel_no"])
        return _grouped(plain)

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
    for record in table.to_dict("records"):
        groups.setdefault(str(record["patch_id"]), []).append(
            {str(key): value for key, value in record.items()}
        )
    return groups
