"""Judgement of a patch table: pieces, parcels, facts, rules, reasons, tables."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clues.catalogue import catalogue
from clues.coverage import Documents, Epochs, Links
from clues.explain import questions, reason
from clues.facts import FactTable
from clues.ground import (
    Cut,
    class_facts,
    control_facts,
    cropland_of,
    patch_facts,
)
from clues.indicators import indicators
from clues.judge import UNDECIDED, Decision, applicable, judge_line
from clues.layers import DOCUMENT_ROLES, OneMap
from clues.overlay import Pieces, pieces
from clues.papers import document_date, paper_facts
from clues.parcels import DM2_PER_MU, Parcels, partition
from configs.rules import RuleSet
from configs.vocabulary import Line, Outcome

__all__ = ["COVERAGE_ROLES", "Judgement", "judge_patches"]

COVERAGE_ROLES = (*DOCUMENT_ROLES, "basic_farmland", "redline", "growth_boundary")
"""Roles listed in the coverage table."""

HEADLINE = (
    Outcome.SUSPECTED,
    Outcome.UNRESOLVED,
    Outcome.OTHER,
    Outcome.LEGAL,
    Outcome.NON_NEW,
    Outcome.BELOW_THRESHOLD,
)
"""Outcomes of a patch's findings: the first that occurs is the patch's."""

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
COVERAGE_COLUMNS = (
    "patch_id",
    "line",
    "parcel_id",
    "role",
    "key",
    "number",
    "date",
    "valid_to",
    "area_dm2",
    "share",
)


@dataclass(frozen=True)
class Judgement:
    """The judged tables of a run.

    Attributes
    ----------
    patches : GeoDataFrame
        The patches with `disposition`, `outcome`, `rule`, `priority`.
    findings : GeoDataFrame
        One row per parcel and line.
    coverage : DataFrame
        One row per parcel and document or control line on it.
    indicators : dict
        See `clues.indicators.indicators`.
    """

    patches: Any
    findings: Any
    coverage: pd.DataFrame
    indicators: dict[str, Any]


def judge_patches(patches: Any, onemap: OneMap, rules: RuleSet, *, batch: int = 5000) -> Judgement:
    """Judge all patches on all lines of a rule set.

    Parameters
    ----------
    patches : GeoDataFrame
        Patch table in the CRS of `onemap`.
    onemap : OneMap
    rules : RuleSet
    batch : int
        Patches worked on at a time; the answer does not depend on it.

    Returns
    -------
    Judgement
        Every patch is a clue (a finding is suspected or unresolved) or dismissed; the parcels of
        each line it is judged on sum up to its area.

    Raises
    ------
    ConfigError
        If the rule set does not fit the catalogue of facts.
    InputError
        If patches and layers are not in one CRS.
    """
    import geopandas as gpd

    rules.check(catalogue())
    documents = Documents.of(onemap)
    findings: list[pd.DataFrame] = []
    coverage: list[pd.DataFrame] = []
    for start in range(0, len(patches), batch):
        part = patches.iloc[start : start + batch].reset_index(drop=True)
        work = _Batch(part, onemap, rules, documents)
        for line in rules.lines:
            for table, rows in work.judge(line):
                (findings if table == "findings" else coverage).append(rows)
    stacked = _stacked(findings or [_no_findings()])
    table = gpd.GeoDataFrame(stacked, geometry="geometry", crs=patches.crs)
    order = {p: i for i, p in enumerate(patches["patch_id"])}
    table = _sorted(table, order, rules)
    covered = _stacked(coverage).reindex(columns=list(COVERAGE_COLUMNS))
    covered = _sorted(covered, order, rules)
    judged = _headlines(patches, table)
    return Judgement(judged, table, covered, indicators(judged, table, rules))


def _no_findings() -> pd.DataFrame:
    """Return the findings of no patch: the columns of `_Batch.judge` without rows."""
    numbers = ("parcel_no", "area_dm2", *AREA_COLUMNS, "severity", "priority")
    kinds = dict.fromkeys(FINDING_TEXTS, object) | dict.fromkeys(numbers, np.int64)
    columns = {name: pd.Series(dtype=kind) for name, kind in kinds.items()}
    return pd.DataFrame(columns | {"geometry": pd.Series(dtype=object)})


def _stacked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    full = [p for p in parts if len(p)]
    return pd.concat(full or parts[:1], ignore_index=True) if parts else pd.DataFrame()


def _sorted(table: Any, order: dict[Any, int], rules: RuleSet) -> Any:
    """Order by patch, line, then as made (parcel number, key)."""
    lines = {line: i for i, line in enumerate(rules.lines)}
    patch = np.array([order[p] for p in table["patch_id"]], dtype=np.int64)
    line = np.array([lines[n] for n in table["line"]], dtype=np.int64)
    ranks = np.lexsort((np.arange(len(table)), line, patch))
    return table.iloc[ranks].reset_index(drop=True)


class _Batch:
    """Patches of one batch, cut into pieces once for all lines."""

    def __init__(self, patches: Any, onemap: OneMap, rules: RuleSet, documents: Documents) -> None:
        self.patches, self.onemap, self.rules, self.documents = patches, onemap, rules, documents
        self.pieces: Pieces = pieces(patches, onemap)
        self.links = Links.of(self.pieces)
        self.epochs = Epochs.of(patches)

    def judge(self, line: str) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield the findings and the coverage of one line."""
        chosen = self._on_line(line)
        if not chosen.any():
            return
        parcels = partition(
            self.pieces,
            self.onemap,
            Line(line),
            tau=self.rules.number("tau"),
            uncovered_cropland_mu=self.rules.number("uncovered_cropland") / DM2_PER_MU,
            min_parcel_mu=self.rules.number("outside_tolerance") / DM2_PER_MU,
        )
        rows = np.flatnonzero(chosen[parcels.patch])
        cut = self._cut(parcels, rows)
        facts = self._facts(parcels, rows, cut)
        decisions = judge_line(facts, self.rules, line)
        yield "findings", self._findings(line, parcels, rows, facts, decisions)
        yield "coverage", self._coverage(line, facts, cut)

    def _on_line(self, line: str) -> Any:
        n = len(self.patches)
        whole = np.arange(n)
        cut = Cut(self.patches["area_dm2"].to_numpy(dtype=np.float64), whole, whole, whole, n)
        ids = self.patches["patch_id"].to_numpy(dtype=object)
        facts = FactTable(ids, ids)
        facts.add(*patch_facts(self.patches, cut, self.epochs, self.onemap.crs))
        return applicable(facts, self.rules, line)

    def _cut(self, parcels: Parcels, rows: Any) -> Cut:
        place = np.full(len(parcels), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        return Cut(
            self.pieces.area_dm2.astype(np.float64),
            self.pieces.patch,
            place[parcels.of_piece],
            parcels.patch[rows],
            len(self.patches),
        )

    def _facts(self, parcels: Parcels, rows: Any, cut: Cut) -> FactTable:
        ids = self.patches["patch_id"].to_numpy(dtype=object)[cut.parcel_patch]
        count = np.bincount(cut.parcel_patch, minlength=cut.n_patches)[cut.parcel_patch]
        numbers = parcels.parcel_no[rows]
        names = np.array(
            [p if k == 1 else f"{p}_{n}" for p, k, n in zip(ids, count, numbers, strict=True)],
            dtype=object,
        )
        facts = FactTable(names, ids)
        shared = (self.documents, self.links, cut)
        facts.add(*patch_facts(self.patches, cut, self.epochs, self.onemap.crs))
        facts.add(*class_facts(self.onemap, *shared))
        facts.add(*control_facts(self.onemap, *shared, self.epochs))
        cropland = cropland_of(self.onemap, *shared)
        facts.add(*paper_facts(self.onemap, self.patches, *shared, self.epochs, cropland))
        return facts

    def _findings(
        self, line: str, parcels: Parcels, rows: Any, facts: FactTable, decisions: list[Decision]
    ) -> pd.DataFrame:
        table: dict[str, Any] = {
            "patch_id": facts.patches,
            "line": line,
            "parcel_no": parcels.parcel_no[rows],
            "parcel_id": facts.parcels,
            "area_dm2": facts["area"].low.astype(np.int64),
            "outcome": [d.outcome for d in decisions],
            "rule": [d.rule for d in decisions],
            "rules": [",".join(d.rules) for d in decisions],
            "also_possible": [",".join(d.also_possible) for d in decisions],
            "flags": [",".join(d.flags) for d in decisions],
            "questions_zh": ["；".join(questions(d.trace, self.rules, "zh")) for d in decisions],
            "questions_en": ["; ".join(questions(d.trace, self.rules, "en")) for d in decisions],
            "reason_zh": [reason(d.trace, self.rules, "zh") for d in decisions],
            "reason_en": [reason(d.trace, self.rules, "en") for d in decisions],
            "documents": [",".join(parcels.documents[r]) for r in rows],
        }
        for column, fact in AREA_COLUMNS.items():
            table[column] = facts[fact].low.astype(np.int64)
        table["severity"] = [d.level for d in decisions]
        table["priority"] = _priorities(facts, decisions, self.rules)
        table["trace"] = [
            json.dumps(d.trace, ensure_ascii=False, separators=(",", ":")) for d in decisions
        ]
        table["geometry"] = parcels.outlines(self.pieces)[rows]
        return pd.DataFrame(table)

    def _coverage(self, line: str, facts: FactTable, cut: Cut) -> pd.DataFrame:
        """Return the area of each document and control line on each parcel."""
        role = self.documents.role[self.links.document]
        own = np.flatnonzero(
            np.isin(role.astype(str), COVERAGE_ROLES) & (cut.parcel[self.links.piece] >= 0)
        )
        pairs = np.column_stack([cut.parcel[self.links.piece[own]], self.links.document[own]])
        unique, inverse = np.unique(pairs, axis=0, return_inverse=True)
        areas = np.bincount(
            inverse.reshape(-1), weights=cut.area[self.links.piece[own]], minlength=len(unique)
        ).astype(np.int64)
        parcel, document = unique[:, 0], unique[:, 1]
        return pd.DataFrame(
            {
                "patch_id": facts.patches[parcel],
                "line": line,
                "parcel_id": facts.parcels[parcel],
                "role": self.documents.role[document],
                "key": self.documents.key[document],
                "number": [self.documents.named(d) for d in document],
                "date": [document_date(self.documents, d) for d in document],
                "valid_to": [document_date(self.documents, d, "valid_to") for d in document],
                "area_dm2": areas,
                "share": areas / cut.parcel_area[parcel],
            }
        )


def _priorities(facts: FactTable, decisions: list[Decision], rules: RuleSet) -> Any:
    """Return whole-number priorities by the rule set's formula; larger is sooner."""
    spec = rules.priority
    points = spec.level_points * np.array([d.level for d in decisions], dtype=np.float64)
    for fact, weight in spec.mu_weights.items():
        points += weight * facts[fact].low / DM2_PER_MU
    factor = np.array([spec.outcome_factors.get(d.outcome, 0.0) for d in decisions])
    return np.floor(factor * points + 0.5).astype(np.int64)


def _headlines(patches: Any, findings: Any) -> Any:
    """Return the patches with disposition, outcome, rule and priority of their worst finding."""
    rank = {o.value: i for i, o in enumerate(HEADLINE)}
    worst = findings.assign(
        _rank=[rank[o] for o in findings["outcome"]], _made=np.arange(len(findings))
    ).sort_values(
        ["_rank", "severity", "priority", "area_dm2", "_made"],
        ascending=[True, False, False, False, True],
    )
    first = worst.drop_duplicates("patch_id").set_index("patch_id")
    priority = findings.groupby("patch_id")["priority"].max()
    ids = patches["patch_id"]
    judged = patches.copy()
    judged["outcome"] = ids.map(first["outcome"]).fillna(Outcome.UNRESOLVED.value).to_numpy()
    judged["rule"] = ids.map(first["rule"]).fillna(UNDECIDED).to_numpy()
    judged["priority"] = ids.map(priority).fillna(0).astype(np.int64).to_numpy()
    pursued = (Outcome.SUSPECTED.value, Outcome.UNRESOLVED.value)
    judged["disposition"] = np.where(judged["outcome"].isin(pursued), "clue", "dismissed")
    return judged
