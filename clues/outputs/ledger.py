"""The clue ledger (线索台账) as a workbook: what inspectors read, fill in and hand back.

Sheet 1 is the list people work with, sheet 2 holds the machine's columns, sheet 3 says what every
column and code means. Every text is written as text: a cell that begins with ``=`` stays text.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from clues.outputs.columns import (
    Column,
    Form,
    Row,
    day_text,
    document_texts,
    english_form,
    measured,
)
from clues.outputs.tables import ClueTables
from configs.channels import channel_name
from configs.speech import PLAIN
from configs.units import SCORE_UNIT, metres2, mu
from configs.vocabulary import Outcome, change_type, change_types
from tiles.files import atomic_path

__all__ = ["INSPECTOR_CHOICES", "LEDGER_COLUMNS", "MACHINE_COLUMNS", "Column", "write_ledger"]

BLUE, YELLOW, FONT = "#4472C4", "#FFF2CC", "微软雅黑"
EXCEL_TEXT_LIMIT = 32_000
INSPECTOR_CHOICES = {
    "是否整改": ["是", "否"],
    "整改方式": ["拆除复耕", "补办手续", "未整改"],
    "核实认定意见": ["合法", "违法", "其他", "伪变化"],
    "重大典型问题": ["是", "否"],
}


def _outside(row: Row) -> Decimal:
    return mu(row.area("outside_boundary_dm2"))


def _sources(row: Row) -> str:
    """Name what points at the clue: imagery, and each lead with its day and distance."""
    parts = ["卫片"] if row.patch.get("origin", "image") == "image" else []
    return "\n".join(parts + [_lead_name(lead) for lead in row.leads])


def _lead_name(lead: dict[str, Any]) -> str:
    far = lead["distance_m"]
    place = "" if far != far else f"距{far:.2f} m"
    name = channel_name(lead["channel"]).zh
    return f"{name}{lead['number'] or ''}（{day_text(lead['received']) or '日期不详'}）{place}"


def _type_name(row: Row) -> str:
    return change_type(row.patch["change_type"]).name_zh


LEDGER_COLUMNS: tuple[Column, ...] = (
    Column("序号", 6, "本表行号", lambda r: r.number, "whole"),
    Column("县名称", 12, "县级行政区名称", lambda r: r.patch["county_name"]),
    Column("线索编号", 19, "县代码+年+季+六位流水号，不重复使用", lambda r: r.patch["clue_no"]),
    Column("图斑编号", 16, "由格网、时相和起始像元生成", lambda r: r.patch["patch_id"]),
    Column("变化类型", 12, "影像判定的变化类型", _type_name),
    Column("前时相", 11, "变化前影像日期（末日）", lambda r: day_text(r.patch["before_to"])),
    Column("后时相", 11, "变化后影像日期（末日）", lambda r: day_text(r.patch["after_to"])),
    Column("面积（平方米）", 13, "椭球面积", lambda r: metres2(r.patch["area_dm2"]), "area"),
    Column("面积（亩）", 10, "1亩=2000/3平方米", lambda r: mu(r.patch["area_dm2"]), "area"),
    Column("耕地（亩）", 10, "占耕地毛面积", lambda r: mu(r.area("cropland_dm2")), "area"),
    Column("永久基本农田（亩）", 12, "占永久基本农田", lambda r: mu(r.area("pbf_dm2")), "area"),
    Column("生态红线（亩）", 12, "占生态保护红线", lambda r: mu(r.area("redline_dm2")), "area"),
    Column(
        "判定建议", 12, "机器判定建议，不是违法认定", lambda r: Outcome(r.patch["outcome"]).name_zh
    ),
    Column("线索来源", 24, "卫片，或举报、信访等来件（日期）及距离", _sources),
    Column("规则", 10, "决定性规则代码", lambda r: r.joined("rule", "、")),
    Column("批准文件及覆盖", 30, "文号（日期）覆盖比例", partial(document_texts, speech=PLAIN)),
    Column("理由", 60, "逐地块的判定理由", lambda r: r.joined("reason_zh")),
    Column("待核问题", 36, "须内业或外业回答的问题", lambda r: r.joined("questions_zh")),
    Column("优先级", 8, "数值越大越先查", lambda r: int(r.patch["priority"]), "whole"),
    Column("核实认定意见", 13, "由核查人员填写", lambda r: "", "fill"),
    Column("项目名称", 18, "由核查人员填写", lambda r: "", "fill"),
    Column("项目主体", 18, "由核查人员填写", lambda r: "", "fill"),
    Column("是否整改", 10, "由核查人员填写", lambda r: "", "fill"),
    Column("整改方式", 12, "由核查人员填写", lambda r: "", "fill"),
    Column("重大典型问题", 13, "由核查人员填写", lambda r: "", "fill"),
    Column("备注", 24, "由核查人员填写", lambda r: "", "fill"),
)

INDEX_MEANING = "后时相减前时相，图斑内像元（至多64个）的平均"

MACHINE_COLUMNS: tuple[Column, ...] = (
    Column("线索编号", 19, "同表一", lambda r: r.patch["clue_no"]),
    Column("图斑编号", 16, "同表一", lambda r: r.patch["patch_id"]),
    Column("来源编号", 14, "导入图斑的原编号", lambda r: r.patch["source_id"] or ""),
    Column("经度", 12, "中心点，CGCS2000，度", lambda r: round(float(r.patch["lon"]), 6), "degree"),
    Column("纬度", 12, "中心点，CGCS2000，度", lambda r: round(float(r.patch["lat"]), 6), "degree"),
    Column("图幅号", 14, "1:10000图幅号", lambda r: r.patch["sheet"]),
    Column("像元数", 10, "图斑像元个数", lambda r: int(r.patch["n_pixels"]), "whole"),
    Column("变化代码", 16, "变化类型代码", lambda r: r.patch["change_type"]),
    Column("图斑类型", 10, "TBLX", lambda r: r.patch["tblx"] or ""),
    Column("前覆被", 10, "前时相覆被", lambda r: r.patch["from_cover"] or ""),
    Column("后覆被", 10, "后时相覆被", lambda r: r.patch["to_cover"] or ""),
    Column("置信度", 8, "0–100,−1为未知", lambda r: int(r.patch["confidence"]), "whole"),
    Column("平均宽度（米）", 11, "长条形图斑的平均宽度", measured("width_m"), "measure"),
    Column(
        "变化强度",
        10,
        "变化最强的十分之一像元，为阈值的倍数",
        measured("magnitude_p90", SCORE_UNIT),
        "measure",
    ),
    Column("植被指数变化", 11, f"NDVI，{INDEX_MEANING}", measured("ndvi_change"), "measure"),
    Column("建筑指数变化", 11, f"NDBI，{INDEX_MEANING}", measured("ndbi_change"), "measure"),
    Column("水体指数变化", 11, f"NDWI，{INDEX_MEANING}", measured("ndwi_change"), "measure"),
    Column("判定代码", 14, "机器判定代码", lambda r: r.patch["outcome"]),
    Column("全部规则", 16, "成立的规则", lambda r: r.joined("rules", "、")),
    Column("控制线标记", 14, "PBF/ECO/UGB/RES/NRR", lambda r: r.joined("flags", "、")),
    Column("耕地净面积（亩）", 13, "扣除田坎", lambda r: mu(r.area("cropland_net_dm2")), "area"),
    Column(
        "边界外（亩）", 11, "城镇开发边界外", lambda r: mu(r.area("outside_boundary_dm2")), "area"
    ),
    Column("涉及文件", 30, "文件键", lambda r: r.joined("documents", "、")),
    Column("英文理由", 60, "reasons in English", lambda r: r.joined("reason_en")),
)


RELATIONS = {"attached": "并入线索", "reopened": "重新核实", "opened": "单独列为线索"}


def _told(name: str) -> Callable[[Row], str]:
    return lambda row: str(row.leads[0][name] or "")


LEAD_COLUMNS: tuple[Column, ...] = (
    Column("来件编号", 18, "举报、信访等来件的编号", _told("number")),
    Column("来件渠道", 14, "举报、信访等", lambda r: channel_name(r.leads[0]["channel"]).zh),
    Column("来件日期", 11, "收到日期", lambda r: day_text(r.leads[0]["received"])),
    Column("反映内容", 50, "来件原文", _told("text")),
    Column("处理方式", 14, "并入、重新核实或单列", lambda r: RELATIONS[r.leads[0]["relation"]]),
    Column("线索编号", 19, "同表一", lambda r: r.patch["clue_no"]),
    Column("图斑编号", 16, "同表一", lambda r: r.patch["patch_id"]),
    Column("处理理由", 60, "距离、时限和结论", _told("reason_zh")),
    Column("英文处理理由", 60, "the same in English", _told("reason_en")),
)


CHINESE_FORM = Form(
    "卫片执法线索台账",
    LEDGER_COLUMNS,
    MACHINE_COLUMNS,
    ("线索台账", "机器字段", "字典"),
    "合计",
    "&C第 &P 页 共 &N 页",
    ("字段或代码", "含义"),
    "版本",
    INSPECTOR_CHOICES,
    "同表一",
    lambda kind: str(kind.name_zh),
)


def write_ledger(tables: ClueTables, path: Path) -> None:
    """Write the ledger workbook.

    Parameters
    ----------
    tables : ClueTables
        Clues in ledger order.
    path : Path
        ``.xlsx``; written atomically.
    """
    import xlsxwriter

    parts = (tables.findings_by_patch(), tables.coverage_by_patch(), tables.leads_by_patch())
    records = tables.clues.drop(columns="geometry").to_dict("records")
    line, rows = tables.leading_line, []
    for i, record in enumerate(records, start=1):
        own = [part.get(record["patch_id"], []) for part in parts]
        rows.append(Row(i, record, own[0], own[1], own[2], line))
    speech = tables.title.speech
    form = CHINESE_FORM if speech.language == "zh" else english_form(speech)
    with atomic_path(path) as part:
        options = {"strings_to_formulas": False, "strings_to_urls": False, "constant_memory": False}
        with xlsxwriter.Workbook(str(part), options) as book:
            formats = _formats(book)
            _write_list(book, formats, form, tables, rows)
            _write_machine(book, formats, form, rows)
            if tables.leads is not None and len(tables.leads):
                _write_leads(book, formats, rows)
            _write_dictionary(book, formats, form, tables)


def _formats(book: Any) -> dict[str, Any]:
    base = {"font_name": FONT, "font_size": 10, "border": 1, "valign": "vcenter"}
    head = base | {"bold": True, "font_color": "#FFFFFF", "bg_color": BLUE, "text_wrap": True}
    return {
        "title": book.add_format(
            {"font_name": FONT, "font_size": 16, "bold": True}
            | {"align": "center", "valign": "vcenter"}
        ),
        "head": book.add_format(head | {"align": "center"}),
        "text": book.add_format(base | {"text_wrap": True}),
        "fill": book.add_format(base | {"text_wrap": True, "bg_color": "#F2F2F2"}),
        "whole": book.add_format(base | {"num_format": "0"}),
        "area": book.add_format(base | {"num_format": "#,##0.00"}),
        "degree": book.add_format(base | {"num_format": "0.000000"}),
        "measure": book.add_format(base | {"num_format": "0.00"}),
        "total": book.add_format(base | {"bold": True, "bg_color": YELLOW}),
        "total_area": book.add_format(
            base | {"bold": True, "bg_color": YELLOW, "num_format": "#,##0.00"}
        ),
    }


def _write_list(
    book: Any, formats: dict[str, Any], form: Form, tables: ClueTables, rows: list[Row]
) -> None:
    sheet = book.add_worksheet(form.sheets[0])
    columns, title = form.columns, tables.title
    heading = f"{title.stem} {form.title}"
    sheet.merge_range(0, 0, 0, len(columns) - 1, heading, formats["title"])
    sheet.set_row(0, 30)
    _write_rows(sheet, formats, columns, rows, first=1)
    last = len(rows) + 2
    sheet.write_string(last, 0, form.total, formats["total"])
    for c, column in enumerate(columns[1:], start=1):
        if column.kind == "area":
            total = sum((Decimal(column.value(r)) for r in rows), Decimal(0))
            sheet.write_number(last, c, float(total), formats["total_area"])
        else:
            sheet.write_blank(last, c, None, formats["total"])
    for name, choices in form.choices.items():
        c = [column.title for column in columns].index(name)
        if rows:
            sheet.data_validation(2, c, last - 1, c, {"validate": "list", "source": choices})
    sheet.freeze_panes(2, 4)
    sheet.autofilter(1, 0, max(last - 1, 1), len(columns) - 1)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0, 1)
    sheet.set_footer("&L" + _safe_footer(title.attribution) + form.page)


def _write_machine(book: Any, formats: dict[str, Any], form: Form, rows: list[Row]) -> None:
    sheet = book.add_worksheet(form.sheets[1])
    _write_rows(sheet, formats, form.machine, rows, first=0)
    sheet.freeze_panes(1, 1)


def _write_leads(book: Any, formats: dict[str, Any], rows: list[Row]) -> None:
    sheet = book.add_worksheet("其他来源线索")
    single = [Row(i, r.patch, [], [], [lead]) for i, r in enumerate(rows, 1) for lead in r.leads]
    _write_rows(sheet, formats, LEAD_COLUMNS, single, first=0)
    sheet.freeze_panes(1, 1)


def _write_dictionary(book: Any, formats: dict[str, Any], form: Form, tables: ClueTables) -> None:
    sheet = book.add_worksheet(form.sheets[2])
    lines: list[Sequence[str]] = [form.head]
    lines += [(c.title, c.meaning) for c in form.columns]
    lines += [(c.title, c.meaning) for c in form.machine if c.meaning != form.repeated]
    if tables.leads is not None and len(tables.leads):
        lines += [(c.title, c.meaning) for c in LEAD_COLUMNS if c.meaning != "同表一"]
    lines += [(t.code, form.kind(t)) for t in change_types()]
    lines += [(f"{form.version} {key}", value) for key, value in tables.title.versions.items()]
    for r, pair in enumerate(lines):
        for c, text in enumerate(pair):
            sheet.write_string(r, c, text, formats["head" if r == 0 else "text"])
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 1, 60)
    sheet.freeze_panes(1, 0)


def _write_rows(
    sheet: Any, formats: dict[str, Any], columns: Sequence[Column], rows: list[Row], *, first: int
) -> None:
    for c, column in enumerate(columns):
        sheet.set_column(c, c, column.width)
        sheet.write_string(first, c, column.title, formats["head"])
    for r, row in enumerate(rows, start=first + 1):
        for c, column in enumerate(columns):
            value = column.value(row)
            if value is None:
                sheet.write_blank(r, c, None, formats["text"])
            elif column.kind in ("area", "whole", "degree", "measure"):
                sheet.write_number(r, c, float(value), formats[column.kind])
            else:
                text = str(value)[:EXCEL_TEXT_LIMIT]
                sheet.write_string(r, c, text, formats["fill" if column.kind == "fill" else "text"])


def _safe_footer(text: str) -> str:
    return text.replace("&", "&&")[:150]
