"""A judgement says the same in memory, in a file and in batches; so does what is written of it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from geopandas.testing import assert_geodataframe_equal

from clues.findings import LONG
from clues.judgement import judge_patches
from clues.outputs import exchange, flattables, geopackage, ledger, ledgerrows, sheet, survey
from clues.outputs.tables import ClueTables, RunTitle
from clues.rowgroups import read_rows
from clues.store.inserting import RunRecord
from clues.store.repository import Store
from flows.judging import write_classes, write_tables
from tests.clues.casebook import shipped
from tests.clues.made import patch, patches_of, rectangle
from tests.clues.test_leads import CLUE, LEGAL, SMALL, lead, world

SITES = (CLUE, LEGAL, SMALL, *(rectangle(x, 400, x + 50, 460) for x in range(0, 500, 100)))
LEADS = [lead("H1", 75, 30), lead("H2", 330, 70), lead("H3", 900, 900), lead("H4", 220, 470)]
WHOLE = ("n_pixels", "magnitude_p90", "anchor_row", "anchor_col")
WRITERS = {
    "clues.xlsx": ledger.write_ledger,
    "clues.geojson": exchange.write_geojson,
    "clues.csv": flattables.write_csv,
    "clues.gpkg": geopackage.write_geopackage,
    "bhtb.zip": survey.write_survey_patches,
}


def patches() -> gpd.GeoDataFrame:
    names = ("source_id", "sheet", "tblx", "from_cover", "to_cover")
    changes = [f"{index}_change" for index in ("ndvi", "ndbi", "ndwi")]
    table = patches_of([patch(s, change_type="new_building") for s in SITES])
    table["county_name"], table["confidence"] = "示例县", np.int64(-1)
    told = dict.fromkeys(names, "") | dict.fromkeys(WHOLE, 9)
    measures = (*changes, "magnitude", "width_m", "lon", "lat")
    return table.assign(**told, **dict.fromkeys(measures, 1.5))


def batched(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    for module in ("findings", "rowgroups", "outputs.tables", "outputs.geopackage"):
        monkeypatch.setattr(f"clues.{module}.BATCH", size)
    for name, value in (("BATCH", size), ("WINDOW", 2 * size)):
        monkeypatch.setattr(ledgerrows, name, value)


@pytest.mark.parametrize("size", [1, 3])
def test_batches_in_a_file_hold_the_findings_of_a_judgement_in_memory(monkeypatch, tmp_path, size):
    onemap, rules, path = world(*LEADS), shipped("cn-land"), tmp_path / "findings.parquet"
    whole = judge_patches(patches(), onemap, rules)
    batched(monkeypatch, size)
    found = judge_patches(patches(), onemap, rules, batch=size, into=path)
    assert {"opened", "reopened", "attached"} == set(whole.leads["relation"])
    assert found.kept == path
    assert not set(LONG) & set(found.findings)
    kept = read_rows(path, np.arange(len(found.findings)), whole.findings.crs)
    assert_geodataframe_equal(kept, whole.findings, check_dtype=False)
    assert_geodataframe_equal(gpd.read_parquet(path), kept)
    short = whole.findings[list(found.findings)]
    pd.testing.assert_frame_equal(found.findings, pd.DataFrame(short), check_dtype=False)
    assert_geodataframe_equal(found.patches, whole.patches)
    assert found.indicators == whole.indicators
    pd.testing.assert_frame_equal(found.coverage, whole.coverage, check_dtype=False)


def test_what_is_written_in_batches_is_what_is_written_at_once(monkeypatch, tmp_path):
    onemap, rules = world(*LEADS), shipped("cn-land")
    judgement = judge_patches(patches(), onemap, rules, into=tmp_path / "part.parquet")
    write_tables(judgement, rules, tmp_path)
    write_classes(judgement, onemap, tmp_path)
    title = RunTitle("999901", "示例县", 2025, 2, "run", {"rules": "cn-land"})
    read = ClueTables.read(tmp_path, title)
    clue = (read.patches["disposition"] == "clue").to_numpy()
    read.patches["clue_no"] = [f"C{i:03d}" if c else "" for i, c in enumerate(clue)]
    assert clue.sum() > 4
    whole = read.whole()
    assert whole.folder is None
    assert [s.reasons for s in sheet.evidence_sheets(read)] == [
        s.reasons for s in sheet.evidence_sheets(whole)
    ]
    written = {}
    for name, own in (("once", whole), ("batches", read)):
        if name == "batches":
            batched(monkeypatch, 2)
        (tmp_path / name).mkdir()
        for file, write in WRITERS.items():
            write(own.with_blanks(), tmp_path / name / file)
        written[name] = {f: _content(tmp_path / name / f) for f in WRITERS}
        written[name]["store"] = _registered(own, tmp_path / name)
    for file, content in written["once"].items():
        assert written["batches"][file] == content, file


def _content(path: Path) -> object:
    """Return the bytes of a file; of a GeoPackage the rows, whose pages may lie otherwise."""
    if path.suffix != ".gpkg":
        return path.read_bytes()
    with closing(sqlite3.connect(path)) as database:
        kinds = sorted(database.execute("SELECT * FROM gpkg_geometry_columns"))
        names = [str(row[0]) for row in kinds]
        assert len(names) == 4
        return [kinds, *(list(database.execute(f'SELECT * FROM "{n}"')) for n in names)]


def _registered(own: ClueTables, folder: Path) -> object:
    record = RunRecord(
        "key", "run", "999901", "示例县", "EPSG:4526", 2025, 2, "cn-land", "1", {}, {}
    )
    store = Store.at(folder / "clues.sqlite")
    numbers = store.register(record, own.patches, own.finding_batches(), own.leads)
    store.close()
    with closing(sqlite3.connect(folder / "clues.sqlite")) as database:
        parcels = list(database.execute("SELECT * FROM parcels ORDER BY id"))
        asked = "SELECT parcel_key, outcome, severity, reason_zh, trace FROM findings ORDER BY id"
        return numbers, parcels, list(database.execute(asked))
