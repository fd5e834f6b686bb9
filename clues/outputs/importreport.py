"""What came of a ledger that was read back: a workbook for the sender, JSON for programs."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.outputs.book import open_book, write_sheet
from clues.readbacktexts import KIND_NAMES, say
from tiles.files import write_json

if TYPE_CHECKING:
    from clues.readbackplan import ImportPlan
    from configs.vocabulary import Language

__all__ = ["problem_rows", "write_import_report"]

SHEETS = {
    "zh": ("退回与提示", "已导入", "概况"),
    "en": ("problems", "imported", "summary"),
}
HEADS = {
    "zh": ("行号", "线索编号", "字段", "类别", "说明", "处理"),
    "en": ("row", "clue", "column", "kind", "reason", "what to do"),
}
CHANGE_HEADS = {
    "zh": ("行号", "线索编号", "字段", "原内容", "新内容", "核查人", "日期"),
    "en": ("row", "clue", "column", "was", "is now", "by", "on"),
}
TALLY_NAMES = {
    "zh": {
        "result": "结果",
        "rows": "台账行数",
        "imported_rows": "导入行数",
        "imported_cells": "导入单元格数",
        "unchanged": "无新内容的行",
        "faulty": "退回或冲突的行",
    },
    "en": {
        "result": "result",
        "rows": "rows of the ledger",
        "imported_rows": "rows imported",
        "imported_cells": "cells imported",
        "unchanged": "rows with nothing new",
        "faulty": "rows refused or in conflict",
    },
}
RESULTS = {
    "zh": {
        "imported": "已全部导入",
        "partly": "部分导入：有问题的行未导入",
        "refused": "未导入任何内容：先处理退回与冲突的行",
        "nothing": "没有新内容",
    },
    "en": {
        "imported": "imported",
        "partly": "imported in part: rows with problems were left out",
        "refused": "nothing was imported: see to the rows refused or in conflict first",
        "nothing": "nothing new",
    },
}
COLOURS = {
    "退回": "#F8CBAD",
    "冲突": "#FFE699",
    "提示": "#DDEBF7",
    "refused": "#F8CBAD",
    "conflict": "#FFE699",
    "note": "#DDEBF7",
}
TITLES = {
    "zh": {"": "整行", "clue_no": "线索编号", "patch_id": "图斑编号"},
    "en": {"": "whole row", "clue_no": "clue", "patch_id": "patch"},
}


def problem_rows(
    plan: "ImportPlan", language: "Language", titles: Mapping[str, str]
) -> list[tuple[Any, ...]]:
    """Return the problems as rows under `HEADS`, in order of the sheet.

    Parameters
    ----------
    plan : ImportPlan
    language : {"zh", "en"}
    titles : dict of str to str
        Titles of columns by key.
    """
    names = TITLES[language] | dict(titles)
    rows = []
    for problem in plan.problems:
        said = say(problem.code, language, problem.facts)
        kind = KIND_NAMES[language][problem.kind]
        title = names.get(problem.key, problem.key)
        rows.append((problem.row or None, problem.clue_no, title, kind, said.what, said.fix))
    return rows


def write_import_report(
    plan: "ImportPlan",
    tallies: Mapping[str, Any],
    language: "Language",
    titles: Mapping[str, str],
    stem: Path,
) -> list[Path]:
    """Write ``<stem>.xlsx`` and ``<stem>.json``, each atomically; return them.

    Parameters
    ----------
    plan : ImportPlan
    tallies : mapping
        As `TALLY_NAMES`, with ``result`` one of `RESULTS`, and more that only JSON keeps.
    language : {"zh", "en"}
    titles : dict of str to str
        Titles of columns by key.
    stem : Path
        Beside the ledger; its name without suffix.
    """
    names = TITLES[language] | dict(titles)
    changes = [
        (c.row, c.clue_no, names.get(c.key, c.key), c.was, c.value, c.by, c.at.date().isoformat())
        for c in plan.changes
    ]
    rows = problem_rows(plan, language, titles)
    problems, imported, summary = SHEETS[language]
    book_path, data_path = (stem.with_name(f"{stem.name}.{end}") for end in ("xlsx", "json"))
    told = TALLY_NAMES[language]
    values = dict(tallies) | {"result": RESULTS[language][str(tallies["result"])]}
    head = ("项目", "内容") if language == "zh" else ("item", "content")
    with open_book(book_path, COLOURS) as book:
        write_sheet(book, summary, head, [(told[k], values[k]) for k in told])
        write_sheet(book, problems, HEADS[language], rows)
        write_sheet(book, imported, CHANGE_HEADS[language], changes)
    keys = ("row", "clue_no", "column", "kind", "what", "fix")
    plain = {
        **tallies,
        "problems": [
            dict(zip(keys, row, strict=True)) | {"code": p.code, "key": p.key}
            for row, p in zip(rows, plan.problems, strict=True)
        ],
        "changes": [
            {
                **{n: getattr(c, n) for n in ("row", "clue_no", "key", "was", "value", "by")},
                "at": c.at.isoformat(),
            }
            for c in plan.changes
        ],
    }
    write_json(data_path, plain)
    return [book_path, data_path]
