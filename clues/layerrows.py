"""The rows of one source of a layer: opened, fields parsed, codes looked up, rows chosen."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from clues.attributes import chosen_rows, read_fields
from clues.codes import add_classes, add_right_kind, add_uses
from clues.sources import open_source
from configs.layers import FieldSpec, LayerSpec

__all__ = ["chosen_of", "named_as_delivered", "parsed_rows", "source_of"]


def source_of(spec: LayerSpec) -> Any:
    """Open the source of a layer, see `clues.sources.open_source`."""
    return open_source(
        spec.source,
        layer=spec.layer,
        encoding=spec.encoding,
        crs=spec.crs,
        crs_override=spec.crs_override,
    )


def parsed_rows(
    spec: LayerSpec, source: Any, fields: Mapping[str, FieldSpec]
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Return the parsed fields of all rows of a source, and reports of what cannot be read.

    Raises
    ------
    LayerError
        As `clues.attributes.read_fields`.
    """
    table, report = read_fields(
        source,
        fields,
        spec.fields,
        spec.units,
        spec.constants,
        name=spec.name,
        where=str(spec.source),
        nothing=spec.nothing,
        defaults=spec.defaults,
    )
    if spec.role == "landuse":
        report.append(add_classes(table, spec))
    if "use" in table:
        report.append(add_uses(table, spec))
    if spec.role == "mining_right":
        add_right_kind(table, spec)
    return table, report


def chosen_of(
    spec: LayerSpec, source: Any, table: pd.DataFrame, report: Sequence[pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows that ``where:`` of a layer asks for, and their reports as one.

    Raises
    ------
    LayerError
        As `clues.attributes.chosen_rows`.
    """
    found = pd.concat(report, ignore_index=True)
    if spec.where:
        columns = table.attrs["columns"]
        table = table[chosen_rows(source, spec.where, where=str(spec.source))]
        table.attrs["columns"] = columns
        found = found[found["row"].isin(table["row"])]
    return table, found


def named_as_delivered(
    report: pd.DataFrame, specs: Sequence[LayerSpec], columns: Sequence[Mapping[str, str]]
) -> pd.DataFrame:
    """Return a row-level report with fields named as the sources name them.

    Parameters
    ----------
    report : DataFrame
        See `clues.quality.REPORT_COLUMNS`; what cannot be read is of a source field already.
    specs, columns : sequence
        Of the sources of a role, see `clues.layers.LayerTable`.
    """
    own = {
        (s.name, name): own
        for s, part in zip(specs, columns, strict=True)
        for name, own in part.items()
    }
    places = zip(report["source"], report["field"], report["code"], strict=True)
    named = [f if c == "unreadable_value" else own.get((s, f), f) for s, f, c in places]
    return report.assign(field=np.array(named, dtype=object))
