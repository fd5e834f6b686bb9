"""Ledger, exchange files, evidence sheets and report, read back by independent readers."""

import json
import re
from pathlib import Path

import numpy as np
import pyogrio
import pypdfium2
import pytest
import shapely

from clues.outputs.evidence import write_sheets
from clues.outputs.exchange import write_geojson, write_geopackage
from clues.outputs.ledger import write_ledger
from clues.outputs.lettering import font_path
from clues.outputs.report import QualityFacts, write_report
from clues.outputs.sheet import evidence_sheets
from clues.quality import report_rows


def test_geojson_follows_rfc_7946(tables, tmp_path: Path):
    write_geojson(tables, tmp_path / "clues.geojson")
    text = (tmp_path / "clues.geojson").read_text(encoding="utf-8")
    data = json.loads(text)
    assert len(data["features"]) == 2
    first, second = data["features"]
    assert first["properties"]["area_m2"] == 6400.0
    assert first["properties"]["findings"][0]["pbf_m2"] == 1000.0
    assert not re.search(r"\d\.\d{10}", text)
    shape = shapely.geometry.shape(second["geometry"])
    assert shape.exterior.is_ccw
    assert not shape.interiors[0].is_ccw
    assert 113.9 < shape.centroid.x < 114.1


def test_geojson_bytes_do_not_depend_on_row_order(tables, tmp_path: Path):
    write_geojson(tables, tmp_path / "a.geojson")
    object.__setattr__(tables, "findings", tables.findings[::-1])
    write_geojson(tables, tmp_path / "b.geojson")
    assert (tmp_path / "a.geojson").read_bytes() == (tmp_path / "b.geojson").read_bytes()


def test_geopackage_keeps_clues_and_dismissed_apart(tables, tmp_path: Path):
    path = tmp_path / "clues.gpkg"
    write_geopackage(tables, path)
    counts = {
        name: pyogrio.read_info(path, layer=name)["features"]
        for name, _ in pyogrio.list_layers(path)
    }
    assert counts == {"线索": 2, "地块": 3, "未列线索图斑": 1}
    clue = pyogrio.read_dataframe(path, layer="线索").iloc[0]
    assert (clue["面积亩"], clue["前时相"]) == (9.6, "2025-03-05")


def test_evidence_sheet_is_one_page_with_chinese_text(tables, tmp_path: Path, pictures):
    made = list(write_sheets(evidence_sheets(tables), tmp_path, pictures))
    assert [p.name for p in made] == ["99990125Q2000001.pdf", "99990125Q2000002.pdf"]
    document = pypdfium2.PdfDocument(made[1])
    assert len(document) == 1
    text = document[0].get_textpage().get_text_bounded()
    for words in (
        "土地变化线索证据单",
        "临时用地是否正在复垦",
        "临字〔2023〕1号",
        "53.19",
        "4700.00",
        "平均宽度",
        "6.4 m",
    ):
        assert words in text
    picture = document[0].render(scale=1).to_numpy()
    assert len({tuple(p) for p in picture.reshape(-1, 3)[::7]}) > 500


def test_evidence_sheets_come_one_by_one(tables, tmp_path: Path, pictures):
    first = next(iter(write_sheets(evidence_sheets(tables), tmp_path, pictures)))
    assert [p.name for p in tmp_path.iterdir()] == [first.name]


def test_the_shipped_font_covers_the_texts_of_the_sheet(tables):
    from reportlab.pdfbase.ttfonts import TTFont

    glyphs = TTFont("probe", str(font_path())).face.charToGlyph
    texts = [str(s) for s in evidence_sheets(tables)]
    missing = {c for text in texts for c in text if c.isprintable() and ord(c) not in glyphs}
    assert not missing


def test_report_is_self_contained_and_sums_up(tables, tmp_path: Path, pictures):
    words = {"kind": "date", "kind_zh": "日期", "column": "PZRQ"}
    unreadable = report_rows(
        "unreadable_value",
        "JSYDSP.shp",
        np.array([3]),
        keys=np.array(["approval:A3"], dtype=object),
        field="PZRQ",
        values=["soon"],
        facts=words,
    )
    quality = QualityFacts(
        checks=[
            {
                "name": "residual",
                "value": 0.1,
                "limit": 1.0,
                "unit": "px",
                "passed": True,
                "remedy": "",
                "detail": "",
            }
        ],
        notes=["auto: k = 3.0"],
        landcover={"cropland": 0.93},
        rejects=[{"role": "approval"} | unreadable.to_dict("records")[0]],
        exceptions=["1 row of approval was set aside"],
    )
    overview = pictures(tuple(tables.patches.total_bounds))[1]
    write_report(tables, tmp_path / "report.html", quality, pictures, overview)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http" not in text.replace("http://www.w3.org", "")
    assert "共 3 个图斑（12000.00 m²，18.00 亩）" in text
    assert text.count('class="card"') == 2
    assert "用地批文 land approval" in text
    assert "<td>approval:A3</td><td>PZRQ</td><td>soon</td><td>无法识别为日期<br>" in text
    assert "&lt;no approval&gt;" in text


@pytest.mark.parametrize("name", ["clues.xlsx", "clues.geojson", "clues.gpkg"])
def test_a_failing_writer_leaves_nothing(tables, tmp_path: Path, name: str):
    broken = tables.patches.drop(columns="area_dm2")
    object.__setattr__(tables, "patches", broken)
    write = {"xlsx": write_ledger, "geojson": write_geojson, "gpkg": write_geopackage}
    with pytest.raises(KeyError):
        write[name.rpartition(".")[2]](tables, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
