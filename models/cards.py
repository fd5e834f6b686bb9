"""A model card for people, in Chinese or English."""

import json
from collections.abc import Mapping
from typing import Any

from configs.vocabulary import COVERS, Language, cover_name
from models.cardnotes import chinese_note
from models.modelfile import ModelCard

__all__ = ["card_lines", "kind_name"]

KINDS = {
    "landcover": ("地类", "land cover"),
    "change": ("变化", "change"),
    "clues": ("线索真伪", "true or pseudo change"),
    "net": ("网络", "net"),
}

LABELS = {
    "name": ("名称", "name"),
    "hash": ("指纹", "hash"),
    "kind": ("种类", "kind"),
    "created": ("建立日期", "created"),
    "parent": ("来源模型", "made from"),
    "sensor": ("前时相传感器", "sensor before"),
    "season": ("两期月份", "months of both dates"),
    "bands": ("波段", "bands"),
    "roles": ("波段作用", "roles of the bands"),
    "classes": ("类别", "classes"),
    "features": ("特征", "features"),
    "metrics": ("精度指标", "figures of quality"),
    "settings": ("训练参数", "settings"),
    "data": ("学习数据", "learned from"),
    "notes": ("说明", "notes"),
}

FIGURES = {
    "macro_f1": ("各类平均精度（已清洗样本）", "macro F1, cleaned samples"),
    "macro_f1_map": ("各类平均精度（全部样本）", "macro F1, all samples of the map"),
    "kappa": ("卡帕系数", "kappa"),
    "f1": ("变化检出精度（F1，各地点平均）", "F1 of change, mean of the places"),
    "f1_auto": ("自动方法的精度（F1，各地点平均）", "F1 of auto, mean of the places"),
    "brier": ("布赖尔评分", "Brier score"),
    "brier_none": ("布赖尔评分（无模型）", "Brier score without a model"),
    "real_lost": ("误消的真实变化", "true changes lost"),
    "pseudo_gone": ("消除的伪变化", "pseudo-changes taken away"),
    "way": ("判别对象", "what is told"),
    "proven": ("标注已证明优于自动方法", "labels prove more than auto"),
    "power": ("票数的指数", "power of the votes"),
    "classifier": ("分类器", "classifier"),
    "trees": ("决策树棵数", "trees"),
    "max_depth": ("最大深度", "largest depth"),
    "samples_per_class": ("每类样本上限", "samples per class at most"),
    "erode_px": ("边界内缩像元", "pixels dropped along borders"),
    "seed": ("随机种子", "seed"),
    "pixel_m": ("像元大小（米）", "pixel size, m"),
    "code": ("程序代码指纹", "fingerprint of the code"),
    "tuban": ("程序版本", "version of the program"),
    "county": ("区县", "county"),
    "before": ("前时相", "before"),
    "after": ("后时相", "after"),
    "samples": ("样本数", "samples"),
    "dropped": ("清洗去除数", "dropped by cleaning"),
    "files": ("影像文件指纹", "fingerprints of image files"),
    "layers": ("图层指纹", "fingerprint of the layers"),
    "labels": ("标注", "labels"),
    "places": ("地点", "places"),
    "scenes": ("影像", "scenes"),
    "from": ("起", "from"),
    "to": ("止", "to"),
    "sensor": ("传感器", "sensor"),
    "runs": ("运行", "runs"),
    "verdicts": ("核实认定来源", "verdicts"),
    "patches": ("图斑", "patches"),
    "pseudo_patches": ("其中伪变化", "pseudo-changes among them"),
    "real": ("真实变化", "true change"),
    "pseudo": ("伪变化", "pseudo-change"),
    "changed": ("变化", "changed"),
    "unchanged": ("未变", "unchanged"),
    "sure_percent": ("消除所需概率（%）", "probability to dismiss, %"),
    "file": ("原文件", "original file"),
    "bytes": ("字节数", "bytes"),
    "side": ("输入边长（像元）", "side of the input, pixels"),
    "scale": ("输入比例", "scale of the input"),
    "threshold": ("阈值", "threshold"),
}

VALUES = {
    "classifier": {
        "forest": ("随机森林", "random forest"),
        "boosting": ("梯度提升树", "boosted trees"),
    },
    "way": {"pixels": ("像元", "pixels"), "objects": ("影像对象", "image objects")},
    "proven": {"True": ("是", "yes"), "False": ("否", "no")},
}
"""Names of values, by what they are a value of."""

SHOWN = 20
"""Entries of a list that are shown at most."""


def kind_name(kind: str, language: Language) -> str:
    """Return the name of a kind of model."""
    return _pick(KINDS[kind], language)


def card_lines(card: ModelCard, language: Language) -> list[str]:
    """Return a card as lines of text.

    Parameters
    ----------
    card : ModelCard
    language : {"zh", "en"}

    Returns
    -------
    list of str
        What stands in it as it is: names, numbers, fingerprints. Fields that are empty are left
        out.
    """
    colon = "：" if language == "zh" else ": "
    lines = []
    for field, names in LABELS.items():
        value = getattr(card, field)
        label = f"{_pick(names, language)}{colon}"
        if field == "kind":
            lines.append(label + kind_name(value, language))
        elif isinstance(value, Mapping):
            lines += [label.rstrip()] if value else []
            lines += [f"  {name}{colon}{text}" for name, text in _rows(value, language)]
        elif value:
            if field == "classes":
                value = [_name(c, language) for c in value]
            elif field == "notes" and language == "zh":
                value = [chinese_note(note) for note in value]
            lines.append(label + _text(value, language))
    return lines


def _pick(names: tuple[str, str], language: Language) -> str:
    return names[0] if language == "zh" else names[1]


def _name(key: str, language: Language) -> str:
    """Return the name of a figure, setting or class; what has none keeps its own."""
    head, _, tail = key.partition(".")
    if head == "f1" and tail:
        return f"F1 {_name(tail, language)}"
    if head == "f1_auto" and tail:
        return _pick((f"自动方法 F1 {tail}", f"F1 of auto, {tail}"), language)
    if key in COVERS:
        return cover_name(key, language)
    return _pick(FIGURES[key], language) if key in FIGURES else key


def _rows(values: Mapping[str, Any], language: Language) -> list[tuple[str, str]]:
    """Return names and values, in the order of `FIGURES` and `COVERS`, what is in neither last."""
    order = [*FIGURES, *COVERS, *(f"f1.{cover}" for cover in COVERS)]
    place = {name: i for i, name in enumerate(order)}
    keys = sorted(values, key=lambda k: (place.get(k, len(order)), k))
    return [(_name(k, language), _value(k, values[k], language)) for k in keys]


def _value(key: str, value: Any, language: Language) -> str:
    known = VALUES.get(key, {}).get(str(value))
    if known is not None:
        return _pick(known, language)
    if key == "places" and isinstance(value, Mapping):
        colon = "：" if language == "zh" else ": "
        rows = [f"\n    {_plain(k)}{colon}{_text(v, language)}" for k, v in sorted(value.items())]
        return "".join(rows)
    return _text(value, language)


def _text(value: Any, language: Language) -> str:
    comma, colon = ("，", "：") if language == "zh" else (", ", ": ")
    if isinstance(value, Mapping):
        return comma.join(f"{name}{colon}{text}" for name, text in _rows(value, language))
    if isinstance(value, list | tuple):
        rest = [f"… ({len(value)})"] if len(value) > SHOWN else []
        return comma.join([*(_text(v, language) for v in value[:SHOWN]), *rest])
    if isinstance(value, float):
        return f"{value:.4g}"
    if value is None:
        return "–"
    return _plain(json.dumps(value) if isinstance(value, bool) else str(value))


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isprintable())  # a terminal obeys other characters
