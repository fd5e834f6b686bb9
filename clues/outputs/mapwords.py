"""What map sheets say: title, legend and notes, in Chinese and English."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyproj

from clues.outputs.tables import RunTitle
from configs.speech import Speech

__all__ = ["MapLook", "legend_words", "notes", "title_lines", "true_north"]

NUMERALS = ("一", "二", "三", "四")


@dataclass(frozen=True)
class MapLook:
    """How sheets are drawn.

    Attributes
    ----------
    paper : str
        A4, A3 or A1.
    language : str
    public : bool
        For people outside: no picture, no outlines, no coordinates.
    cell_m : float
        Side in metres of the cells of public maps.
    """

    paper: Literal["A4", "A3", "A1"] = "A4"
    language: Literal["zh", "en"] = "zh"
    public: bool = False
    cell_m: float = 1000.0


def title_lines(title: RunTitle, name: str, look: MapLook) -> tuple[str, str]:
    """Return the title and the line below it."""
    if look.language == "zh":
        quarter = NUMERALS[title.quarter - 1] if 1 <= title.quarter <= 4 else str(title.quarter)
        first = f"{title.county_name}{title.year}年第{quarter}季度土地变化线索分布图"
        first += f"（{name}）" if name else ""
        second = f"行政区代码 {title.county_code}"
        return first, f"{second}　公开版" if look.public else second
    first = f"Land-change clues of {title.county_name}, {title.year} quarter {title.quarter}"
    first += f": {name}" if name else ""
    second = f"Division code {title.county_code}"
    return first, f"{second} · public edition" if look.public else second


def legend_words(look: MapLook, speech: Speech) -> dict[str, str]:
    """Return the words of legend and scale."""
    zh, cell = look.language == "zh", f"{look.cell_m / 1000:g}"
    words = {
        outcome: ("线索：{}" if zh else "clue: {}").format(speech.outcome(outcome, look.language))
        for outcome in ("suspected", "unresolved", "legal", "other", "non_new", "below_threshold")
    }
    if zh:
        return words | {
            "legend": "图例",
            "scale": "比例尺",
            "away": "图幅或辖区外的线索",
            "border": "行政区界线（示意）",
            "part": "本图范围",
            "cell0": f"{cell} 公里格网内线索 1–2 个",
            "cell1": "3–5 个",
            "cell2": "6 个及以上",
        }
    return words | {
        "legend": "Legend",
        "scale": "Scale",
        "away": "clues outside this part",
        "border": "division borders (not authoritative)",
        "part": "ground of this map",
        "cell0": f"1–2 clues in a cell of {cell} km",
        "cell1": "3–5",
        "cell2": "6 or more",
    }


def true_north(look: MapLook, degrees: float) -> tuple[str, ...]:
    """Return what the arrow means; public maps have no degrees.

    Parameters
    ----------
    look : MapLook
    degrees : float
        How far true north lies to the right of the upper edge.
    """
    zh, size = look.language == "zh", f"{abs(degrees):.2f}°"
    first = "箭头指真北" if zh else "Arrow: true north"
    if look.public:
        return (first,)
    if zh:
        return first, f"偏坐标北以{'东' if degrees >= 0 else '西'} {size}"
    return first, f"{size} {'east' if degrees >= 0 else 'west'} of grid north"


def notes(title: RunTitle, look: MapLook, facts: Mapping[str, Any]) -> list[str]:
    """Return the notes below a map.

    Parameters
    ----------
    title : RunTitle
    look : MapLook
    facts : mapping
        ``crs``, ``days`` by column, ``picture``, ``unlabelled``, ``prefixes``, ``clues``.
    """
    before, after = (_span(facts["days"], name) for name in ("before", "after"))
    projection = _crs_name(facts["crs"])
    names = {"tuban": "tuban", "rules": "规则集" if look.language == "zh" else "rules"}
    versions = " · ".join(f"{names[k]} {v}" for k, v in title.versions.items() if k in names)
    if look.language == "zh":
        return _chinese(title, look, facts, (before, after, projection, versions))
    return _english(title, look, facts, (before, after, projection, versions))


def _chinese(
    title: RunTitle, look: MapLook, facts: Mapping[str, Any], told: tuple[str, str, str, str]
) -> list[str]:
    before, after, projection, versions = told
    lines = [
        f"时相：前 {before}，后 {after}",
        f"图上线索 {facts['clues']} 个，为判定建议，不是违法认定",
    ]
    if look.public:
        lines.append(f"投影：{projection}；位置概略到 {look.cell_m / 1000:g} 公里格网")
        lines.append("乡镇名后的数字为该乡镇线索个数；公开使用前应依法送审地图")
        return [*lines, f"版本：{versions}"]
    lines.append(f"投影：{projection}；图廓经纬度为 CGCS2000（EPSG:4490）")
    if facts["prefixes"]:
        lines.append(f"编号为线索编号 {'、'.join(facts['prefixes'])} 后的流水号（去零）")
    if facts["unlabelled"]:
        lines.append(f"有 {facts['unlabelled']} 个线索因拥挤未注编号")
    picture = (
        f"底图：后时相影像（白色处无影像）；{title.attribution}"
        if facts["picture"]
        else "无影像底图"
    )
    return [*lines, picture.rstrip("；"), f"版本：{versions} · {title.run_name}"]


def _english(
    title: RunTitle, look: MapLook, facts: Mapping[str, Any], told: tuple[str, str, str, str]
) -> list[str]:
    before, after, projection, versions = told
    count = facts["clues"]
    lines = [
        f"Images: before {before}, after {after}",
        f"{count} clue{'s' * (count != 1)} on this map: leads, never verdicts",
    ]
    if look.public:
        lines.append(f"Projection: {projection}; places are given to {look.cell_m / 1000:g} km")
        lines.append(
            "Numbers behind names count clues of divisions; maps for the public may need approval"
        )
        return [*lines, f"Versions: {versions}"]
    lines.append(f"Projection: {projection}; degrees along the frame: CGCS2000 (EPSG:4490)")
    if facts["prefixes"]:
        lines.append(
            f"Numbers follow {', '.join(facts['prefixes'])} in clue numbers, without zeros"
        )
    if facts["unlabelled"]:
        lines.append(f"{facts['unlabelled']} clues have no number here for want of room")
    picture = (
        f"Base: image of the later date, white without image; {title.attribution}"
        if facts["picture"]
        else ""
    )
    picture = picture or "No image as base"
    return [*lines, picture.rstrip("; "), f"Versions: {versions} · {title.run_name}"]


def _span(days: Mapping[str, list[str]], name: str) -> str:
    first, last = days[f"{name}_from"], days[f"{name}_to"]
    if not last:
        return "—"
    start = (first or last)[0]
    return last[-1] if start == last[-1] else f"{start} – {last[-1]}"


def _crs_name(crs: str) -> str:
    known = pyproj.CRS(crs)
    code = known.to_epsg()
    return f"{known.name} (EPSG:{code})" if code else known.name
