"""Patches proposed for inspection, as a workbook to fill in and as CSV."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from clues.outputs.book import open_book, write_sheet
from configs.units import mu
from configs.vocabulary import Outcome, change_type
from tiles.files import write_csv_rows

__all__ = ["Proposed", "proposal_reason", "write_proposed_csv", "write_proposed_workbook"]


@dataclass(frozen=True)
class Proposed:
    """One patch that should be looked at next.

    Attributes
    ----------
    patch : dict
        Its row of the patch table.
    percent : int or None
        Probability of a pseudo-change; None without a model.
    control : bool
        Dismissed as a pseudo-change, proposed to find mistakes of that.
    judged_alike : int
        Patches of its change type that have a verdict.
    """

    patch: dict[str, Any]
    percent: int | None
    control: bool
    judged_alike: int


def proposal_reason(one: Proposed, language: str) -> str:
    """Say why a patch is proposed."""
    zh, kind = language == "zh", change_type(one.patch["change_type"])
    parts = []
    if one.control:
        parts.append(
            "已判为伪变化未列线索，抽查以发现误判"
            if zh
            else "dismissed as a pseudo-change: looked at to find mistakes"
        )
    if one.percent is not None:
        parts.append(
            f"模型给出的伪变化概率为{one.percent}%"
            if zh
            else f"probability of a pseudo-change {one.percent} % to the model"
        )
    else:
        parts.append(
            f"影像判定可信度为{one.patch['confidence']}%"
            if zh
            else f"confidence of imagery {one.patch['confidence']} %"
        )
    size = mu(int(one.patch["area_dm2"]))
    parts.append(f"面积{size}亩" if zh else f"{size} mu")
    parts.append(
        f"“{kind.name_zh}”类已有核查结论{one.judged_alike}件"
        if zh
        else f"{one.judged_alike} verdicts on {kind.name_en} so far"
    )
    return ("；" if zh else "; ").join(parts)


ZH = ("序号", "图斑编号", "线索编号", "变化类型", "经度", "纬度", "图幅号", "面积（亩）",
      "判定建议", "原因", "核查结论", "核查说明", "核查人", "核查日期")  # fmt: skip
EN = ("No.", "Patch", "Clue", "Change", "Longitude", "Latitude", "Sheet", "Area (mu)",
      "Suggestion", "reason", "Verdict", "Remarks", "Checked by", "Checked on")  # fmt: skip


def write_proposed_workbook(proposed: Sequence[Proposed], path: Path) -> None:
    """Write a sheet in Chinese and one in English; what is filled in `tuban model retrain` reads.

    Parameters
    ----------
    proposed : sequence of Proposed
        In the order in which to go.
    path : Path
        ``.xlsx``; written atomically.
    """
    with open_book(path, {}) as book:
        for name, heads, language in (("建议核查", ZH, "zh"), ("To inspect", EN, "en")):
            rows = [_row(i, one, language) for i, one in enumerate(proposed, 1)]
            write_sheet(book, name, heads, rows)


def _row(number: int, one: Proposed, language: str) -> list[Any]:
    patch, zh = one.patch, language == "zh"
    kind, outcome = change_type(patch["change_type"]), Outcome(patch["outcome"])
    return [
        number,
        patch["patch_id"],
        patch.get("clue_no") or "",
        kind.name_zh if zh else kind.name_en,
        f"{patch['lon']:.6f}",
        f"{patch['lat']:.6f}",
        patch["sheet"],
        Decimal(mu(int(patch["area_dm2"]))),
        outcome.name_zh if zh else outcome.name_en,
        proposal_reason(one, language),
        *[""] * 4,
    ]


CSV = ("patch_id", "clue_no", "change_type", "lon", "lat", "sheet", "area_mu", "outcome",
       "pseudo_percent", "reason_zh", "reason_en",
       "verdict", "verdict_reason", "by", "at")  # fmt: skip


def write_proposed_csv(proposed: Sequence[Proposed], path: Path) -> None:
    """Write a table that spreadsheets open with Chinese characters."""
    rows = [
        [
            one.patch["patch_id"],
            one.patch.get("clue_no") or "",
            one.patch["change_type"],
            f"{one.patch['lon']:.6f}",
            f"{one.patch['lat']:.6f}",
            one.patch["sheet"],
            mu(int(one.patch["area_dm2"])),
            one.patch["outcome"],
            "" if one.percent is None else one.percent,
            proposal_reason(one, "zh"),
            proposal_reason(one, "en"),
            *[""] * 4,
        ]
        for one in proposed
    ]
    write_csv_rows(path, [CSV, *rows])
