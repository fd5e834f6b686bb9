"""Entering a judged run into its clue store: the step that gives clues their numbers."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.outputs.tables import ClueTables
from clues.store.answers import present_state
from clues.store.repository import LayerRecord, RunRecord, Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["STORE_NAME", "register_run"]

STORE_NAME = "clues.sqlite"


def register_run(
    folder: Path,
    tables: ClueTables,
    *,
    key: str,
    crs: str,
    rule_set: str,
    rule_set_version: str,
    layers: "Sequence[Mapping[str, Any]]",
    config: "Mapping[str, Any]",
) -> ClueTables:
    """Enter a judged run into the store of its folder; registering it again changes nothing.

    Parameters
    ----------
    folder : Path
        Run folder; its store is made when missing.
    tables : ClueTables
        Judged tables; ``clue_no`` need not be there.
    key : str
        Names the judgement.
    crs : str
        CRS of the geometries.
    rule_set, rule_set_version : str
    layers : sequence of mapping
        As `flows.judging.layer_records` gives them.
    config : mapping
        Frozen config as JSON values.

    Returns
    -------
    ClueTables
        With ``clue_no``, empty for dismissed patches, and what people filled in so far.
    """
    title = tables.title
    names = ("role", "name", "version", "features", "complete")
    record = RunRecord(
        run_key=key,
        name=title.run_name,
        county_code=title.county_code,
        county_name=title.county_name,
        grid_crs=crs,
        year=title.year,
        quarter=title.quarter,
        rule_set=rule_set,
        rule_set_version=rule_set_version,
        config=dict(config),
        versions=dict(title.versions),
        layers=tuple(LayerRecord(crs=crs, **{n: r[n] for n in names}) for r in layers),
    )
    store = Store.at(folder / STORE_NAME)
    try:
        numbers = store.register(record, tables.patches, tables.findings, tables.leads)
        filled, mark = present_state(store)
    finally:
        store.close()
    numbered = tables.patches.assign(
        clue_no=[numbers.get(p, "") for p in tables.patches["patch_id"]]
    )
    return replace(tables, patches=numbered, filled=filled, mark=mark)
