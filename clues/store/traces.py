"""Traces of findings in the clue store: what an explanation is made from."""

import json
from typing import Any

from sqlalchemy import Connection, select

from clues.store import schema
from clues.store.worklist import Scope, visible

__all__ = ["traces_of"]


def traces_of(
    connection: Connection, clue_no: str, scope: Scope
) -> tuple[str, list[dict[str, Any]]] | None:
    """Return the run that shows a clue now, and the trace of the last finding of each parcel.

    None where the clue is not there for somebody.
    """
    row, parcel, finding, patch, run = (
        t.c for t in (schema.worklist, schema.parcels, schema.findings, schema.patches, schema.runs)
    )
    asked = (
        select(row.patch_key, run.name)
        .join(schema.patches, patch.id == row.patch_key)
        .join(schema.runs, run.id == patch.run_id)
        .where(row.clue_no == clue_no, visible(scope))
    )
    found = connection.execute(asked).first()
    if found is None:
        return None
    traces = (
        select(parcel.line, parcel.parcel_no, finding.trace)
        .join(schema.findings, finding.parcel_key == parcel.id)
        .where(parcel.patch_key == found.patch_key)
        .order_by(parcel.line, parcel.parcel_no, finding.id)
    )
    last = {
        (line, number): json.loads(trace) if isinstance(trace, str) else dict(trace)
        for line, number, trace in connection.execute(traces)
    }
    return str(found.name), list(last.values())
