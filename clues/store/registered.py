"""A run as a store tells it, so that it can be entered into another store under the same name."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from clues.store import schema
from clues.store.inserting import LayerRecord, RunRecord

if TYPE_CHECKING:
    from clues.outputs.tables import RunTitle
    from clues.store.repository import Store

__all__ = ["registered_run"]


def registered_run(
    store: "Store", title: "RunTitle", layers: Iterable[Mapping[str, Any]]
) -> RunRecord | None:
    """Return what a store keeps of the last judgement of a run; None where it has none.

    Parameters
    ----------
    store : Store
    title : RunTitle
        Names the run, its year and quarter.
    layers : iterable of mapping
        As `flows.judging.layer_records` gives them.
    """
    runs, findings = schema.runs.c, schema.findings.c
    asked = select(schema.runs).where(runs.name == title.run_name).order_by(runs.id.desc())
    with store.engine.connect() as connection:
        row = connection.execute(asked.limit(1)).first()
        if row is None:
            return None
        rules = connection.execute(
            select(findings.rule_set, findings.rule_set_version)
            .join(schema.parcels, schema.parcels.c.id == findings.parcel_key)
            .join(schema.patches, schema.patches.c.id == schema.parcels.c.patch_key)
            .where(schema.patches.c.run_id == row.id)
            .order_by(findings.id.desc())
            .limit(1)
        ).first()
    name, version = (rules.rule_set, rules.rule_set_version) if rules else ("", "")
    names = ("role", "name", "version", "features", "complete")
    before, after = row.period_before, row.period_after
    return RunRecord(
        run_key=row.run_key,
        name=row.name,
        county_code=row.county_code,
        county_name=row.county_name,
        grid_crs=row.grid_crs,
        year=title.year,
        quarter=title.quarter,
        rule_set=name,
        rule_set_version=version,
        config=dict(row.config),
        versions=dict(row.versions),
        layers=tuple(LayerRecord(crs=row.grid_crs, **{n: one[n] for n in names}) for one in layers),
        period=(before, after) if before and after else None,
    )
