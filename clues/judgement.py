"""Judgement of a patch table: pieces, parcels, facts, rules, reasons, tables."""

import multiprocessing
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clues.catalogue import catalogue
from clues.coverage import Documents, Epochs, Links
from clues.doubt import with_doubts
from clues.explain import reasons_and_questions
from clues.facts import FactTable
from clues.findings import AREA_COLUMNS, Findings
from clues.gather import Setting, gather
from clues.ground import Cut
from clues.headlines import headlines
from clues.indicators import indicators
from clues.judge import Decisions, applicable, judge_line
from clues.layers import DOCUMENT_ROLES, OneMap
from clues.leads import join_leads
from clues.nearby import DISTANCE_ROLES, FiledUse, filed_use, reach_of
from clues.overlay import Pieces, pieces
from clues.papers import document_date
from clues.parcels import DM2_PER_MU, Parcels, partition
from clues.priority import priorities
from clues.rowgroups import BATCH
from configs.rules import RuleSet

__all__ = ["COVERAGE_ROLES", "Judgement", "judge_patches"]

COVERAGE_ROLES = (*DOCUMENT_ROLES, "basic_farmland", "redline", "growth_boundary", "plan")
"""Roles listed in the coverage table."""

COVERAGE_COLUMNS = (
    *("patch_id", "line", "parcel_id", "role", "key"),
    *("number", "date", "valid_to", "area_dm2", "share"),
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
    leads : GeoDataFrame
        One row per lead, see `clues.leads.LEAD_COLUMNS`.
    kept : Path or None
        File that holds all of the findings; the table has their short columns then.
    """

    patches: Any
    findings: Any
    coverage: pd.DataFrame
    indicators: dict[str, Any]
    leads: Any
    kept: Path | None = None


def judge_patches(
    patches: Any,
    onemap: OneMap,
    rules: RuleSet,
    *,
    among: Any = None,
    batch: int = BATCH,
    workers: int = 1,
    into: Path | None = None,
) -> Judgement:
    """Judge all patches on all lines of a rule set.

    Parameters
    ----------
    patches : GeoDataFrame
        Patch table in the CRS of `onemap`.
    onemap : OneMap
    rules : RuleSet
    among : GeoDataFrame, optional
        All patches of the run, if only some are judged: farm facilities use up a filing together.
    batch : int
        Patches worked on at a time; the answer does not depend on it.
    workers : int
        Batches worked on at the same time, in forked processes; in a process that runs other
        threads, or cannot fork, one after the other.
    into : Path, optional
        File for the findings, written batch by batch: an area has more than memory.

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
    rules.check(catalogue())
    findings, coverage = Findings(patches.crs, into), list[pd.DataFrame]()
    documents, seen = Documents.of(onemap), with_doubts(patches, rules)
    everyone = seen if among is None else with_doubts(among, rules)
    work = _Work(seen, onemap, rules, documents, filed_use(everyone, onemap, documents))
    parts = [slice(i, i + batch) for i in range(0, len(patches), batch)]
    for part, found in zip(parts, _batches(work, parts, workers), strict=True):
        order = {p: i for i, p in enumerate(patches["patch_id"].iloc[part])}
        findings.add([_sorted(_stacked(found["findings"]), order, rules)])
        coverage.append(_sorted(_stacked(found["coverage"]), order, rules))
    table = findings.table()
    led = join_leads(headlines(patches, table), table, onemap, rules)
    findings.take_in(led)
    judged = headlines(led.patches, led.findings) if len(led.leads) else led.patches
    numbers = indicators(judged, led.findings, rules)
    covered = _stacked(coverage).reindex(columns=list(COVERAGE_COLUMNS))
    covered = _stacked([covered, led.coverage])
    return Judgement(judged, led.findings, covered, numbers, led.leads, into)


@dataclass(frozen=True)
class _Work:
    """What all batches share."""

    patches: Any
    onemap: OneMap
    rules: RuleSet
    documents: Documents
    filed: FiledUse


_work: list[_Work] = []
"""What forked processes judge; handed over by the fork, because it is large."""


def _batches(
    work: _Work, parts: list[slice], workers: int
) -> Iterator[dict[str, list[pd.DataFrame]]]:
    """Yield the tables of each batch, in order."""
    alone = threading.active_count() == 1 and "fork" in multiprocessing.get_all_start_methods()
    if min(workers, len(parts)) < 2 or not alone:
        yield from (_judged(work, part) for part in parts)
        return
    _ = work.onemap.tree  # made once, before the fork
    _work.append(work)
    try:
        with multiprocessing.get_context("fork").Pool(min(workers, len(parts))) as pool:
            yield from pool.imap(_judged_in_fork, parts)
    finally:
        _work.clear()


def _judged_in_fork(part: slice) -> dict[str, list[pd.DataFrame]]:
    return _judged(_work[0], part)


def _judged(work: _Work, part: slice) -> dict[str, list[pd.DataFrame]]:
    """Judge one batch of patches on all lines."""
    batch = _Batch(work, part)
    found: dict[str, list[pd.DataFrame]] = {"findings": [], "coverage": []}
    for line in work.rules.lines:
        for table, rows in batch.judge(line):
            found[table].append(rows)
    return found


def _stacked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    full = [p for p in parts if len(p)]
    return pd.concat(full or parts[:1], ignore_index=True) if parts else pd.DataFrame()


def _sorted(table: Any, order: dict[Any, int], rules: RuleSet) -> Any:
    """Order by patch, line, then as made (parcel number, key)."""
    if not len(table):
        return table
    lines, made = list(rules.lines), np.arange(len(table))
    patch = np.array([order[p] for p in table["patch_id"].to_numpy(dtype=object)], dtype=np.int64)
    line = np.array([lines.index(n) for n in table["line"].to_numpy(dtype=object)], dtype=np.int64)
    ranks = np.lexsort((made, line, patch))
    return table if np.array_equal(ranks, made) else table.iloc[ranks].reset_index(drop=True)


class _Batch:
    """Patches of one batch, cut into pieces once for all lines."""

    def __init__(self, work: "_Work", part: slice) -> None:
        self.patches = work.patches.iloc[part].reset_index(drop=True)
        self.onemap, self.rules, self.documents = work.onemap, work.rules, work.documents
        self.pieces: Pieces = pieces(self.patches, self.onemap)
        self.links = Links.of(self.pieces)
        self.setting = Setting(
            self.patches,
            self.onemap,
            self.documents,
            self.links,
            self.pieces.area_dm2.astype(np.float64),
            self.pieces.patch,
            Epochs.of(self.patches),
            work.filed,
            {role: reach_of(self.rules, role) for role in DISTANCE_ROLES.values()},
        )
        n = len(self.patches)
        whole = Cut(self.setting.area_dm2, self.pieces.patch, self.pieces.patch, np.arange(n), n)
        ids = self.patches["patch_id"].to_numpy(dtype=object)
        self.chosen = _lines_of(gather(self.setting, whole, ids), self.rules)

    def judge(self, line: str) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield the findings and the coverage of one line."""
        chosen = self.chosen[line]
        if not chosen.any():
            return
        parcels = partition(
            self.pieces,
            self.onemap,
            line,
            documents=self.rules.lines[line].documents,
            tau=_least_fit(self.patches, self.rules),
            uncovered_cropland_mu=self.rules.number("uncovered_cropland") / DM2_PER_MU,
            min_parcel_mu=self.rules.number("outside_tolerance") / DM2_PER_MU,
        )
        rows = np.flatnonzero(chosen[parcels.patch])
        cut = self._cut(parcels, rows)
        facts = self._facts(parcels, rows, cut)
        decisions = judge_line(facts, self.rules, line)
        yield "findings", self._findings(line, parcels, rows, facts, decisions)
        yield "coverage", self._coverage(line, facts, cut)

    def _cut(self, parcels: Parcels, rows: Any) -> Cut:
        place = np.full(len(parcels), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        return Cut(
            self.setting.area_dm2,
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
        return gather(self.setting, cut, names)

    def _findings(
        self, line: str, parcels: Parcels, rows: Any, facts: FactTable, decisions: Decisions
    ) -> pd.DataFrame:
        reason_zh, asked_zh = reasons_and_questions(decisions, "zh")
        reason_en, asked_en = reasons_and_questions(decisions, "en")
        table: dict[str, Any] = {
            "patch_id": facts.patches,
            "line": line,
            "parcel_no": parcels.parcel_no[rows],
            "parcel_id": facts.parcels,
            "area_dm2": facts["area"].low.astype(np.int64),
            "outcome": decisions.column([w.outcome for w in decisions.ways]),
            "rule": decisions.column([w.rule for w in decisions.ways]),
            "rules": decisions.column([",".join(w.rules) for w in decisions.ways]),
            "also_possible": decisions.column([",".join(w.also_possible) for w in decisions.ways]),
            "flags": decisions.column([",".join(f.code for f in w.flags) for w in decisions.ways]),
            "questions_zh": ["；".join(q) for q in asked_zh],
            "questions_en": ["; ".join(q) for q in asked_en],
            "reason_zh": reason_zh,
            "reason_en": reason_en,
            "documents": [",".join(parcels.documents[r]) for r in rows],
        }
        for column, fact in AREA_COLUMNS.items():
            table[column] = facts[fact].low.astype(np.int64)
        table["severity"] = decisions.levels
        table["priority"] = priorities(decisions)
        table["trace"] = decisions.traces()
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


def _lines_of(facts: FactTable, rules: RuleSet) -> dict[str, Any]:
    """Return which patches each line judges.

    What no line applies to stays on the first one: its rules say why it is nothing for it.
    """
    chosen = {line: applicable(facts, rules, line) for line in rules.lines}
    first = next(iter(chosen))
    chosen[first] = chosen[first] | ~np.logical_or.reduce(list(chosen.values()))
    return chosen


def _least_fit(patches: Any, rules: RuleSet) -> Any:
    """Return the share of each patch from which one set of documents stands for all of it.

    Where a rule set fits small patches by their main building, they are kept whole from its
    share on, so that the question about the building is put for the whole patch.
    """
    tau = np.full(len(patches), rules.number("tau"))
    if "small_fit" in rules.parameters and rules.parameters["small_fit"].value:
        small = patches["area_dm2"].to_numpy() <= rules.number("small_patch")
        tau[small] = np.minimum(tau[small], rules.number("tau_small"))
    return tau
