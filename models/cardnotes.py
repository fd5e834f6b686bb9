"""Notes of model cards in Chinese: cards hold them in English, whatever program wrote them."""

import re
from collections.abc import Callable

from configs.vocabulary import COVERS, cover_name

__all__ = ["chinese_note"]


def _cover(match: re.Match[str]) -> str:
    code, found, needed = match.groups()
    name = cover_name(code, "zh") if code in COVERS else code
    return f"未学习{name}：样本 {found} 个，至少需要 {needed} 个"


NOTES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"(\w+) is not learned: (\d+) samples, (\d+) needed", _cover),
    (
        r"land cover stays unknown: (\d+) classes have enough samples",
        r"地类保持未知：只有 \1 类样本足够",
    ),
    (
        "all samples lie in one block: no accuracy, no cleaning",
        "全部样本位于同一地块：无法评定精度，也未清洗",
    ),
    (
        "trained elsewhere: nothing is known of its accuracy here",
        "在别处训练：在本地的精度未知",
    ),
    (
        r"(\d+) patches have contradicting verdicts: set aside: (.*)",
        r"\1 个图斑的认定相互矛盾，已搁置：\2",
    ),
    (r"(\d+) patches have verdicts that settle nothing: (.*)", r"\1 个图斑的认定未作结论：\2"),
    (
        r"(\d+) patches have verdicts that patches like them contradict: "
        r"not learned from, look again: (.*)",
        r"\1 个图斑的认定与相似图斑不符：未用于学习，请复核：\2",
    ),
    (
        r"(\d+) patches with a verdict are in none of the runs: (.*)",
        r"\1 个有认定的图斑不在所给各次运行中：\2",
    ),
    (
        "on places that it had not seen it found more than auto, beyond chance",
        "在未见过的地点，检出精度高于自动方法，且超出偶然",
    ),
    (
        "on places that it had not seen it did not find more than auto beyond chance: runs with "
        "this model use auto; label more places",
        "在未见过的地点，检出精度未能超出偶然地高于自动方法：使用本模型的运行仍用自动方法；"
        "请标注更多地点",
    ),
    (
        "the runs do not tell their images: runs of images refuse this model",
        "所给运行未说明影像：以影像为输入的运行不接受本模型",
    ),
    ("runs use it all the same, as asked", "按要求，运行仍使用本模型"),
    (
        r"places where nothing changed, learned from and not scored: (.*)",
        r"无变化的地点（用于学习，不计精度）：\1",
    ),
)
"""What a note says in English, as a pattern, and in Chinese."""


def chinese_note(note: str) -> str:
    """Return a note in Chinese; one that no program of ours wrote stays as it is."""
    for pattern, chinese in NOTES:
        match = re.fullmatch(pattern, note, re.DOTALL)
        if match is not None:
            return chinese(match) if callable(chinese) else match.expand(chinese)
    return note
