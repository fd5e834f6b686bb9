"""The report as page, document and PDF: figures, languages, letters, independent readers."""

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import docx
import lxml.html
import numpy as np
import pandas as pd
import pdfplumber
import pytest

from clues.outputs.lettering import writable
from clues.outputs.report import report_document, write_report
from clues.outputs.reportblocks import (
    Chapter,
    Column,
    Document,
    Graphic,
    Pair,
    Points,
    Table,
    Words,
)
from clues.outputs.reportbuilding import build_report
from clues.outputs.reportfigures import county_stages, rows_in
from clues.outputs.reportmodel import QualityFacts
from clues.quality import report_rows
from configs.reportwords import report_words
from configs.told import Told
from flows.trust import quality_of
from tiles.gate import gate_report
from tiles.lineage import geometry_checks
from tiles.scene import Epoch, Scene

LANGUAGES = ("zh", "en")
CJK = re.compile(r"[\u3400-\u9fff]")
LAYERS = [
    {"role": r, "name": f"{r}.shp", "version": "a1", "features": 3, "rejects": 0, "complete": True}
    for r in ("approval", "landuse")
]
SAMPLE = {
    "classes": ["no change", "change"],
    "mapped": [950.0, 50.0],
    "areas": [{"value": 941.2, "margin": 9.1}, {"value": 58.8, "margin": 9.1}],
    "users": [{"value": 0.98, "margin": 0.02}, {"value": 0.91, "margin": 0.05}],
    "producers": [{"value": 0.99, "margin": 0.01}, {"value": 0.78, "margin": 0.12}],
    "overall": {"value": 0.972, "margin": 0.018},
}


@pytest.fixture
def quality() -> QualityFacts:
    unreadable = report_rows(
        "unreadable_value",
        "JSYDSP.shp",
        np.array([3]),
        keys=np.array(["approval:A3"], dtype=object),
        field="PZRQ",
        values=["soon"],
        facts={"kind": "date", "kind_zh": "日期", "column": "PZRQ"},
    )
    check = {"name": "residual shift", "value": 0.1, "limit": 0.5, "unit": "px", "passed": True}
    areas = {"area_dm2": 50_000_000, "observed_dm2": 40_000_000, "observed_percent": 80.0}
    return QualityFacts(
        checks=[check | {"remedy": "", "detail": ""}],
        notes=["auto: k = 3.0"],
        landcover={"cropland": 0.93},
        rejects=[{"role": "approval"} | unreadable.to_dict("records")[0]],
        exceptions=[Told("搁置了一景影像", "one scene was set aside")],
        observed=[{"code": "999901", "name": "示例县"} | areas],
        layers=LAYERS,
        assessment=SAMPLE,
        latency={"p50_days": 9, "p90_days": 21},
    )


@pytest.fixture
def model(tables, pictures, quality):
    overview = pictures(tuple(tables.patches.total_bounds))[1]
    return build_report(tables, quality, pictures, overview)


def said(document) -> list[str]:
    """Return every text of a document."""
    texts = [document.title, document.subtitle, document.footer, document.contents, document.hint]
    for chapter in document.chapters:
        texts.append(chapter.heading)
        for block in chapter.blocks:
            match block:
                case Words():
                    texts.append(block.text)
                case Points():
                    texts += block.sentences
                case Table():
                    texts += [block.caption, *(c.title for c in block.columns)]
                    texts += [cell for row in block.rows for cell in row]
                case Graphic():
                    texts += [block.caption, block.figure.label, *block.figure.texts()]
                case Pair():
                    texts += [block.title, *block.captions, block.swipe]
                    texts += [w.text for w in block.lines]
    return texts


def found(document, caption: str) -> Table:
    blocks = [b for c in document.chapters for b in c.blocks]
    return next(b for b in blocks if isinstance(b, Table) and b.caption.startswith(caption))


def number(cell: str) -> Decimal:
    return Decimal(cell.replace(",", "") or "0")


def sums_up(table: Table) -> None:
    """Each column of figures adds up to its last row."""
    assert table.total
    for i, column in enumerate(table.columns):
        if column.figures:
            cells = [number(row[i]) for row in table.rows]
            assert sum(cells[:-1]) == cells[-1], (table.caption, column.title)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", ["quarterly", "annual"])
def test_rows_add_up_to_totals_and_to_the_patches(model, tables, language, template):
    document = report_document(model, language, template)
    totals = [b for c in document.chapters for b in c.blocks if isinstance(b, Table) and b.total]
    assert len(totals) >= 5
    for table in totals:
        sums_up(table)
    whole = Decimal(int(tables.patches["area_dm2"].sum())) * 3 / 200_000
    outcomes = found(document, {"zh": "按判定建议", "en": "Patches by outcome"}[language])
    assert abs(number(outcomes.rows[-1][3]) - whole) <= Decimal("0.01")
    matrix = found(document, {"zh": "地类流向", "en": "Flows between"}[language])
    assert number(matrix.rows[-1][-1]) == number(outcomes.rows[-1][3])


@pytest.mark.parametrize("unit", ["mu", "ha", "acre"])
def test_rounded_rows_add_up_and_stay_near(unit):
    areas = np.random.default_rng(3).integers(0, 9_000_000, 300).tolist()
    rows = rows_in(areas, unit)
    assert sum(rows) == rows_in([sum(areas)], unit)[0]
    alone = [rows_in([a], unit)[0] for a in areas]
    assert max(abs(a - b) for a, b in zip(rows, alone, strict=True)) <= Decimal("0.01")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_keeps_to_its_language(model, language):
    texts = said(report_document(model, language, "annual"))
    proper = ("示例县", "临字〔2023〕1号")
    known = re.compile(
        r"999901\d*Q?\d*|J50G\d+|JSYDSP|PZRQ|soon|approval|landuse|shp|cn-land 1|test-run"
        r"|Copernicus|no approval|none|[VNLU]\d*|PBF|km|(?<=\d )m\b"
    )
    for text in texts:
        if language == "en":
            for name in proper:
                text = text.replace(name, "")
            assert not CJK.search(text), text
        else:
            assert not re.search(r"[A-Za-z]{2,}", known.sub("", text)), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_shipped_font_writes_every_letter(model, language):
    missing = {c for text in said(report_document(model, language)) for c in writable(text)[1]}
    assert not missing


def test_the_page_is_self_contained(model, tmp_path: Path):
    write_report(report_document(model, "zh"), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http" not in text.replace("http-equiv", "")
    page = lxml.html.fromstring(text)
    assert page.get("lang") == "zh-CN"
    links = [str(a).removeprefix("#") for a in page.xpath("//nav/a/@href")]
    assert links == page.xpath("//section/@id")
    assert len(page.xpath("//article[@class='pair']//input[@type='range'][@aria-label]")) == 2
    assert len(page.xpath("//article//*[local-name()='image']")) == 4
    cells = [c.text_content() for c in page.xpath("//td")]
    assert "approval:A3" in cells
    assert any("无法识别为日期" in c for c in cells)
    assert "&lt;no approval&gt;" in (
        write_report(report_document(model, "en"), tmp_path / "en.html")
        or (tmp_path / "en.html").read_text(encoding="utf-8")
    )


def test_document_and_pdf_say_what_the_page_says(model, tmp_path: Path):
    document = report_document(model, "zh", "annual")
    for suffix in ("docx", "pdf"):
        for name in ("report", "again"):
            write_report(document, tmp_path / f"{name}.{suffix}")
        first, second = (tmp_path / f"{n}.{suffix}" for n in ("report", "again"))
        assert first.read_bytes() == second.read_bytes()
    book = docx.Document(tmp_path / "report.docx")
    heads = [p.text for p in book.paragraphs if p.style.name == "Heading 1"]
    assert heads == [c.heading for c in document.chapters]
    wanted = [b for c in document.chapters for b in c.blocks if isinstance(b, Table)]
    read = [t for t in book.tables if t.style.name == "Table Grid"]
    for table, own in zip(wanted, read, strict=True):
        rows = [[c.text.removeprefix("■ ") for c in row.cells] for row in own.rows]
        assert rows == [[c.title for c in table.columns], *(list(r) for r in table.rows)]
    graphics = [b for c in document.chapters for b in c.blocks if isinstance(b, Graphic | Pair)]
    assert len(book.inline_shapes) == sum(1 + isinstance(b, Pair) for b in graphics)
    with pdfplumber.open(tmp_path / "report.pdf") as pdf:
        text = "".join(p.extract_text() for p in pdf.pages)
        for page in pdf.pages:
            assert all(c["x0"] >= 0 and c["x1"] <= page.width for c in page.chars)
            assert all(c["top"] >= 0 and c["bottom"] <= page.height for c in page.chars)
    flat = re.sub(r"\s", "", text)
    for words in ("2025年度土地变化监测报告", "地类流向矩阵", "总体精度0.972±0.018", "18.00"):
        assert words in flat


@pytest.mark.parametrize(
    ("summary", "told"),
    [
        ({}, "本次运行没有例外记录，不等于没有例外。"),
        ({"exceptions": []}, "无"),
        ({"exceptions": ["搁置一景 one scene"], "quality": {"exceptions": []}}, "无"),
        (
            {"exceptions": ["2 个行政区不足 90 %：甲 83.85 %、乙 85 % 2 divisions under 90 %"]},
            "2 个行政区不足 90 %：甲 83.85 %、乙 85 %",
        ),
        ({"exceptions": ["one scene was set aside"]}, "one scene was set aside"),
    ],
)
def test_exceptions_of_earlier_runs_are_told(tables, tmp_path: Path, summary, told):
    calm = replace(tables, indicators=tables.indicators | {"ratio_alert": False})
    model = build_report(calm, quality_of(tmp_path, summary))
    chapters = report_document(model, "zh").chapters
    (block,) = next(c.blocks for c in chapters if c.key == "exceptions")
    assert (told,) == (block.sentences if isinstance(block, Points) else (block.text,))


def test_cut_patches_are_issued_and_their_parts_verified(tables):
    whole = tables.patches.iloc[[0, 2]].assign(area_dm2=[1_110_000, 90_000])
    stages = {stage: tally for _, stage, tally in county_stages(tables, whole)}
    assert (stages["issued"].count, stages["issued"].area_dm2) == (2, 1_200_000)
    assert (stages["verified"].count, stages["verified"].area_dm2) == (3, 1_200_000)
    assert not stages["issued"].is_laid_over
    assert stages["suspected"].cropland_dm2 == 640_000
    assert stages["grain"] is None


def test_what_people_found_unlawful_counts_with_the_areas_that_they_filled_in(tables, quality):
    answers = {"verdict": "违法", "illegal_mu": "3.20", "illegal_cropland_mu": "1.05"}
    told = replace(tables, filled={"TAAAAAAAAAAA1": answers, "TAAAAAAAAAAA2": {"verdict": "合法"}})
    table = found(report_document(build_report(told, quality), "zh"), "分县统计")
    assert next(r for r in table.rows if r[1] == "核查认定违法")[2:] == (
        "1",
        "3.20",
        "1.05",
        "0.00",
    )
    nobody = found(report_document(build_report(tables, quality), "zh"), "分县统计")
    assert next(r for r in nobody.rows if r[1] == "核查认定违法")[2:] == ("—",) * 4


def test_classes_have_one_area_in_every_table(tables, quality):
    areas = [1_234_567, 7_654_321, 4_444_444]
    patches = tables.patches.assign(area_dm2=areas, county_name=["甲", "乙", "乙"])
    covers = {"from_cover": ["forest", "grass", "grass"], "to_cover": ["built", "built", "bare"]}
    model = build_report(replace(tables, patches=patches.assign(**covers)), quality)
    for scale in range(1, 30):
        classes = tuple((k, replace(t, area_dm2=t.area_dm2 // scale)) for k, t in model.classes)
        flows = dict.fromkeys(model.flows, 0)
        for (_, _, cover), tally in classes:
            pair = next(p for p in flows if p[1] == cover and flows[p] == 0)
            flows[pair] = tally.area_dm2
        document = report_document(replace(model, classes=classes, flows=flows), "zh")
        by_class, matrix = found(document, "分县按变化后"), found(document, "地类流向")
        sums: dict[str, Decimal] = {}
        for row in by_class.rows[:-1]:
            sums[row[1]] = sums.get(row[1], Decimal(0)) + number(row[3])
        heads = [c.title for c in matrix.columns]
        ends = {heads[i]: number(c) for i, c in enumerate(matrix.rows[-1]) if heads[i] in sums}
        assert ends == sums
        for row in matrix.rows:
            assert sum(number(c) for c in row[1:-1]) == number(row[-1])
        sums_up(matrix)


def test_plan_zones_have_their_own_rows(tables, quality):
    ground = tables.coverage.assign(role="plan", key="plan:1", number="120 农田保护区")
    tables = replace(tables, coverage=pd.concat([tables.coverage, ground], ignore_index=True))
    rows = found(report_document(build_report(tables, quality), "zh"), "按控制线").rows
    assert rows[-1] == ("规划分区 120 农田保护区", "0", "0.00", "1", "3.75")


def test_without_approvals_nothing_is_called_unlawful(tables):
    model = build_report(tables, QualityFacts())
    texts = " ".join(said(report_document(model, "zh")))
    assert "待核实" in texts
    assert "没有叠加用地批文图层" in texts
    assert "没有提供上期运行" in texts


def test_two_periods_are_compared(tables, quality):
    later = replace(tables, title=replace(tables.title, quarter=3))
    later.patches.loc[0, "area_dm2"] = 640_000
    fewer = tables.patches[tables.patches["patch_id"] != "TAAAAAAAAAAA2"]
    previous = replace(tables, patches=fewer.reset_index(drop=True))
    model = build_report(later, quality, previous=previous)
    table = found(report_document(model, "en"), "2025Q3")
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["Patches"] == ("2", "3", "+1")
    assert rows["Area of patches (mu)"] == ("10.95", "18.00", "+7.05")
    assert model.again == 1


def test_the_days_from_image_to_clue_are_told(model):
    texts = said(report_document(model, "en"))
    assert "Half of the clues within 9 days of the image, 90 % within 21." in texts
    assert any("九成在 21 天内" in text for text in said(report_document(model, "zh")))


def test_verdicts_and_rectification_are_counted(tables, quality):
    cells = {"verdict": "违法", "rectified": "是", "rectification": "拆除复耕"}
    model = build_report(replace(tables, filled={"TAAAAAAAAAAA1": cells}), quality)
    document = report_document(model, "en", "annual")
    assert found(document, "Clues by verdict").rows == (
        ("unlawful", "1"),
        ("not checked yet", "1"),
        ("Total", "2"),
    )
    assert found(document, "Clues by rectification").rows[1] == ("demolished", "1")


def test_a_check_without_value_and_limit_is_told(tables, quality):
    flat = {"name": "terrain before", "value": None, "limit": None, "unit": "", "passed": False}
    flat |= {"remedy": "give an elevation raster (terrain.dem): relief displaces what lies higher"}
    flat["remedy"] += " or lower"
    document = report_document(
        build_report(tables, replace(quality, checks=[flat])), "zh", "quarterly"
    )
    row = found(document, report_words().say("gate_caption", "zh")).rows[0]
    assert row == ("前时相地形改正", "未测出", "–", "提供高程栅格：地形起伏会使高处和低处移位")


def test_every_remedy_of_the_gate_has_chinese_words():
    made = (gate_report.__code__.co_filename, geometry_checks.__code__.co_filename)
    source = "".join(Path(name).read_text(encoding="utf-8") for name in made)
    folded = re.sub(r'"\s*\n\s*"', "", source)
    words = report_words()
    for remedy in words.remedies:
        assert remedy.en in folded
    epoch = Epoch((Scene("S", {}),))
    checks = gate_report(
        epoch,
        epoch,
        bands=("red",),
        overlap_percent=1,
        valid_percent=1,
        resolution_ratio=9,
        found=None,
        left=None,
    )
    for check in checks:
        assert check.name in words.checks
        assert check.unit in words.units
        assert not check.remedy or CJK.search(words.remedy(check.remedy, "zh")), check.remedy


def test_no_word_of_the_vocabulary_is_dead():
    room = Path(report_document.__code__.co_filename).parent
    code = "".join(p.read_text(encoding="utf-8") for p in sorted(room.glob("report*.py")))
    assert not [key for key in report_words().words if f'"{key}"' not in code]


def test_no_caption_stands_alone_at_the_foot_of_a_page(tmp_path: Path):
    columns = (
        Column("控制线"),
        *(Column("存疑地块的面积（按图斑合计，亩）", True) for _ in range(8)),
    )
    table = Table("标题", columns, tuple((f"第{i}行", *"12345678") for i in range(3)))
    for fill in range(32, 37):
        blocks = (*(Words("一段话") for _ in range(fill)), table)
        chapter = Chapter("one", "章", blocks)
        document = Document("zh", "题", "", "", "", (chapter,), "", "{page}")
        write_report(document, tmp_path / "r.pdf")
        with pdfplumber.open(tmp_path / "r.pdf") as pdf:
            own = [t for t in (p.extract_text() for p in pdf.pages) if "标题" in t]
        assert len(own) == 1
        assert "第0行" in own[0], fill
