"""The report of a layer check: a workbook with a sheet in each language, and JSON."""

from pathlib import Path
from typing import Any

from clues.checks import LayersCheck
from configs.problems import effect_name, problem
from configs.vocabulary import role_name
from tiles.files import atomic_path, write_json

__all__ = ["write_check_json", "write_check_workbook"]

HEAD = "#4472C4"
TITLES = {
    "zh": ["图层", "数据源", "行号", "要素", "问题", "字段", "填写值", "说明", "处理", "建议"],
    "en": [
        "layer",
        "source",
        "row",
        "feature",
        "defect",
        "field",
        "value",
        "what is wrong",
        "effect",
        "remedy",
    ],
}
LAYER_TITLES = {
    "zh": ["图层", "数据源", "坐标系", "图上要素", "未落图", "问题数", "缺少字段", "拒绝原因"],
    "en": [
        "layer",
        "sources",
        "CRS",
        "on the map",
        "not on the map",
        "defects",
        "absent fields",
        "refused because",
    ],
}
SHEETS = {"zh": ("图层", "问题清单", "未检查"), "en": ("layers", "defects", "not checked")}
WIDTHS = [16, 24, 8, 34, 22, 14, 18, 60, 18, 50]


def write_check_workbook(check: LayersCheck, path: Path) -> None:
    """Write layers, defects and what was not checked, each in Chinese and English."""
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    with atomic_path(path) as part:
        book = xlsxwriter.Workbook(str(part), options)
        head = book.add_format({"bold": True, "font_color": "white", "bg_color": HEAD})
        wrap = book.add_format({"text_wrap": True, "valign": "top"})
        for place, language in enumerate(("zh", "en")):
            layers, defects, unchecked = SHEETS[language]
            tables = (
                (defects, TITLES[language], _defect_rows(check, language), WIDTHS),
                (layers, LAYER_TITLES[language], _layer_rows(check, language), [20] * 8),
                (unchecked, [unchecked], [[note[place]] for note in check.not_checked], [80]),
            )
            for name, titles, rows, widths in tables:
                sheet = book.add_worksheet(name)
                sheet.freeze_panes(1, 0)
                for column, (title, width) in enumerate(zip(titles, widths, strict=True)):
                    sheet.set_column(column, column, width, wrap)
                    sheet.write_string(0, column, title, head)
                _write_rows(sheet, rows)
                if rows:
                    sheet.autofilter(0, 0, len(rows), len(titles) - 1)
        book.close()


def _write_rows(sheet: Any, rows: list[list[Any]]) -> None:
    for line, row in enumerate(rows, start=1):
        for column, value in enumerate(row):
            if isinstance(value, int):
                sheet.write_number(line, column, value)
            elif value:
                sheet.write_string(line, column, str(value))


def _defect_rows(check: LayersCheck, language: str) -> list[list[Any]]:
    texts = ("problem_zh", "remedy_zh") if language == "zh" else ("problem", "remedy")
    rows = []
    for f in check.findings.to_dict("records"):
        rows.append(
            [
                role_name(f["role"], "zh" if language == "zh" else "en"),
                f["source"],
                int(f["row"]),
                _text(f["key"]),
                getattr(problem(f["code"]).name, language),
                f["field"],
                _text(f["value"]),
                f[texts[0]],
                getattr(effect_name(f["effect"]), language),
                f[texts[1]],
            ]
        )
    return rows


def _layer_rows(check: LayersCheck, language: str) -> list[list[Any]]:
    counts = check.findings["role"].value_counts()
    return [
        [
            role_name(layer.role, "zh" if language == "zh" else "en"),
            ", ".join(layer.sources),
            layer.crs,
            layer.on_map,
            layer.not_on_map,
            int(counts.get(layer.role, 0)),
            ", ".join(layer.absent),
            layer.refused,
        ]
        for layer in check.layers
    ]


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)


def write_check_json(check: LayersCheck, path: Path) -> None:
    """Write the same as JSON: layers, findings by row, counts by code, what was not checked."""
    findings = [
        {str(k): None if v != v else v for k, v in f.items()}
        for f in check.findings.to_dict("records")
    ]
    counts = check.findings["code"].value_counts()
    value = {
        "layers": [vars(layer) for layer in check.layers],
        "counts": {str(k): int(counts[k]) for k in sorted(counts.index)},
        "findings": findings,
        "not_checked": [{"zh": zh, "en": en} for zh, en in check.not_checked],
    }
    write_json(path, value, plain=str)
