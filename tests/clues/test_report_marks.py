"""Marks, the gravest level and the exceptions of a report: each ground once, from its figures."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import shapely

from clues.outputs.report import report_document
from clues.outputs.reportblocks import Points, Table
from clues.outputs.reportbuilding import build_report
from clues.outputs.reportmarks import flag_tallies, gravest_level
from clues.outputs.reportmodel import QualityFacts
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


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_report_tells_what_reaches_the_gravest_level(tables, language):
    told = _again(tables)
    document = report_document(build_report(told, QualityFacts()), language)
    name = LEVELS[0].zh if language == "zh" else LEVELS[0].en
    tables_of = [b for c in document.chapters for b in c.blocks if isinstance(b, Table)]
    rows = [row for t in tables_of for row in t.rows if name in row]
    assert [row[2] for row in rows] == ["1"]
    assert rows[0][3] == "9.60"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_exceptions_tell_gravest_parcels_redline_hits_and_the_ratio(tables, language):
    told = _again(tables)
    told = replace(told, findings=told.findings.assign(redline_dm2=[66_667, 0, 0, 66_667]))
    document = report_document(build_report(told, QualityFacts()), language)
    chapter = next(c for c in document.chapters if c.key == "exceptions")
    (points,) = [b for b in chapter.blocks if isinstance(b, Points)]
    gravest, redline, ratio = points.sentences
    assert "9.60" in gravest
    assert ("不是移送或违法认定" if language == "zh" else "never a verdict") in gravest
    assert "1.00" in redline
    assert "26.47" in ratio


def test_a_calm_run_without_hits_has_no_exceptions(tables, tmp_path: Path):
    calm = replace(tables, indicators=tables.indicators | {"ratio_alert": False})
    document = report_document(build_report(calm, QualityFacts()), "zh")
    (block,) = next(c for c in document.chapters if c.key == "exceptions").blocks
    assert block.text == "无"


@pytest.mark.parametrize(("most", "tone"), [(14.99, "good"), (15.0, "note")])
def test_a_low_ratio_is_no_good_news_while_open_parcels_could_raise_it(tables, most, tone):
    found = {"ratio_alert": False, "ratio_percent_if_open_are_suspected": most}
    told = replace(tables, indicators=tables.indicators | found)
    document = report_document(build_report(told, QualityFacts()), "zh")
    (words,) = (b for b in document.chapters[0].blocks if "警戒线" in str(b))
    assert words.tone == tone
    assert (f"{most:.2f} %" in words.text) is (tone == "note")


def test_the_two_figures_of_suspected_cropland_name_their_basis(tables):
    document = report_document(build_report(tables, QualityFacts()), "zh")
    texts = [str(b) for c in document.chapters for b in c.blocks]
    assert any("各种用途，不限于建设" in text for text in texts)
    assert any("疑似违法占用耕地（仅新增建设）" in text for text in texts)
