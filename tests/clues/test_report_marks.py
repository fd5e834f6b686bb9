"""Marks, the gravest level and the exceptions of a report: each ground once, from its figures."""

from dataclasses import replace

import pandas as pd
import pytest
import shapely

from clues.outputs.reportmarks import flag_tallies, gravest_level
from clues.outputs.severity import SeverityLevel

LEVELS = (
    SeverityLevel(4, (), "达到移送标准", "at the transfer threshold"),
    SeverityLevel(1, (), "一般", "ordinary"),
)


def _again(tables, shape=None, share=1.0):
    """Return the tables with the first parcel told by another line, all of it or a part."""
    row = tables.findings.iloc[[0]].assign(line="mining", rule="M3", parcel_id="TAAAAAAAAAAA1_2")
    for name in ("area_dm2", "cropland_dm2", "pbf_dm2"):
        row[name] = (row[name] * share).astype(int)
    if shape is not None:
        row = row.set_geometry([shape], crs=tables.findings.crs)
    both = pd.concat([tables.findings, row], ignore_index=True)
    return replace(tables, findings=both.assign(severity=[4, 1, 0, 4]), levels=LEVELS)


def _half(tables):
    west, south, east, north = tables.findings.geometry.iloc[0].bounds
    return shapely.box(west, south, (west + east) / 2, north)


def test_a_parcel_that_two_lines_mark_counts_once(tables):
    (once,) = flag_tallies(tables)
    assert once[1].area_dm2 == 640_000
    assert flag_tallies(_again(tables)) == [once]
    assert flag_tallies(_again(tables, _half(tables), 0.5)) == [once]
    assert gravest_level(_again(tables)) == (gravest_level(_again(tables))[0], once[1])


def test_ground_that_the_larger_parcel_leaves_out_is_added(tables):
    whole = tables.findings.geometry.iloc[0]
    east = shapely.affinity.translate(_half(tables), xoff=60)
    ((_, tally),) = flag_tallies(_again(tables, east, 0.5))
    outside = east.difference(whole).area / east.area
    assert outside == pytest.approx(0.5)
    assert (tally.count, tally.area_dm2) == (2, 640_000 + 160_000)
