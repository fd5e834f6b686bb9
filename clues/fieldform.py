"""The check card (核查登记卡): what an inspector fills in on site, and what it says already."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from clues.outputs.ledgerkeys import VERDICT_CHOICES

__all__ = ["FILLED", "SHOWN", "CardField", "choices", "field_title"]

Kind = Literal["text", "long", "choice", "date", "area", "whole"]
YES_NO = {"zh": ("是", "否"), "en": ("yes", "no")}


@dataclass(frozen=True)
class CardField:
    """One field of the card.

    Attributes
    ----------
    key : str
        Column of the table; of what the ledger holds too, the ledger's key.
    kind : str
        ``choice`` fields have a drop-down.
    """

    key: str
    zh: str
    en: str
    kind: Kind = "text"
    words: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def choices(self, language: str) -> tuple[str, ...]:
        """Return the words of the drop-down in a language."""
        return dict(self.words).get(language, ())


def _words(words: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(sorted(words.items()))


SHOWN = (
    CardField("clue_no", "线索编号", "Clue"),
    CardField("patch_id", "图斑号", "Patch"),
    CardField("county_code", "行政区划代码", "Division code"),
    CardField("location", "土地坐落", "Place"),
    CardField("centre", "中心点", "Centre"),
    CardField("change", "地块类型", "Change"),
    CardField("before", "前时相", "Before"),
    CardField("after", "后时相", "After"),
    CardField("suggestion", "判定建议", "Suggestion"),
    CardField("area_m2", "面积（平方米）", "Area (m²)", "area"),
    CardField("area_mu", "面积（亩）", "Area (mu)", "area"),
    CardField("cropland_mu", "其中耕地（亩）", "Cropland (mu)", "area"),
    CardField("pbf_mu", "其中永久基本农田（亩）", "Basic farmland (mu)", "area"),
    CardField("farmland_mu", "其他农用地（亩）", "Other farmland (mu)", "area"),
    CardField("construction_mu", "建设用地（亩）", "Construction land (mu)", "area"),
    CardField("unused_mu", "未利用地（亩）", "Unused land (mu)", "area"),
    CardField("documents", "涉及文件", "Documents", "long"),
    CardField("reason", "判定理由", "Reason", "long"),
    CardField("questions", "待核问题", "To ask", "long"),
    CardField("priority", "优先级", "Priority", "whole"),
)
"""What the machine knows of a clue; nothing of it is read back."""

FILLED = (
    CardField("verdict", "核实认定意见", "Finding", "choice", _words(VERDICT_CHOICES)),
    CardField("situation", "核查情况", "Situation on site", "long"),
    CardField("project", "项目名称", "Project"),
    CardField("holder", "项目主体", "Holder"),
    CardField("used_since", "用地时间", "In use since"),
    CardField("actual_use", "实际用途", "Actual use"),
    CardField("licence", "矿权许可证号", "Mining licence"),
    CardField("authority", "批准机关", "Approving authority"),
    CardField(
        "homestead",
        "一户一宅",
        "One homestead per household",
        "choice",
        _words({"zh": ("是", "否", "不适用"), "en": ("yes", "no", "does not apply")}),
    ),
    CardField("rectified", "是否整改", "Put right", "choice", _words(YES_NO)),
    CardField("remarks", "备注", "Remarks", "long"),
    CardField("checked_by", "核查人", "Checked by"),
    CardField("checked_on", "核查日期", "Checked on", "date"),
)
"""What people fill in, in the order of the form."""


def choices(language: str) -> dict[str, tuple[str, ...]]:
    """Return the words of the drop-downs by field."""
    return {f.key: f.choices(language) for f in FILLED if f.kind == "choice"}


def field_title(field: CardField, language: str) -> str:
    """Return the title of a field."""
    return field.zh if language == "zh" else field.en
