"""What watching found out, for people and programs: workbook, GeoJSON, GeoPackage, JSON, page."""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from clues.outputs.book import open_book, write_sheet
from clues.outputs.exchange import lonlat_outlines
from clues.outputs.page import write_page
from clues.watchfindings import Watch
from clues.wording import Language
from configs.units import metres2, mu, percent
from configs.vocabulary import role_name
from configs.watching import WatchRules
from tiles.files import atomic_path, write_json

__all__ = [
    "ANSWER_NAMES",
    "watch_records",
    "write_watch_geojson",
    "write_watch_geopackage",
    "write_watch_json",
    "write_watch_page",
    "write_watch_workbook",
]

Notes = Sequence[tuple[str, str, str, str]]
Row = list[Any]
LANGUAGES: tuple[Language, Language] = ("zh", "en")

ANSWER_NAMES = {
    "found": {"zh": "疑似", "en": "found"},
    "clear": {"zh": "未发现", "en": "clear"},
    "unknown": {"zh": "不能判断", "en": "unknown"},
}
COLOURS = {"found": "#F8CBAD", "unknown": "#FFE699", "clear": "#E2EFDA"}
SHEETS = {
    "zh": ("批后监管", "问题清单", "未落图文件", "说明"),
    "en": ("documents", "findings", "not on the map", "notes"),
}
HEADS = {
    "zh": ["图层", "文号", "单位", "日期", "到期日", "面积（平方米）", "面积（亩）"],
    "en": ["layer", "number", "holder", "date", "ends", "area, m²", "area, mu"],
}
TAILS = {
    "zh": ["已建（平方米）", "已建占比%", "首次见于", "范围外（平方米）", "范围外占比%"],
    "en": ["built, m²", "built, %", "first seen", "outside, m²", "outside, %"],
}
PERIOD = {"zh": "{} 新建占比%", "en": "{} built, %"}
SEEN = {"zh": "{} 可观测%", "en": "{} observed, %"}
FINDING_HEADS = {
    "zh": ["图层", "文号", "问题", "月数", "结论", "面积（平方米）", "说明", "来源"],
    "en": ["layer", "number", "question", "months", "answer", "area, m²", "sentence", "sources"],
}
PAGE_LIMIT = 200
CHART_WIDTH, CHART_HEIGHT = 360, 90


def watch_records(found: Watch) -> list[dict[str, Any]]:
    """Return one record per document: what it is, what was built per period, its findings."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in found.findings.to_dict("records"):
        grouped.setdefault(str(row["key"]), []).append({str(k): v for k, v in row.items()})
    records = []
    for i, document in enumerate(found.built.documents.drop(columns="geometry").to_dict("records")):
        area, first = int(document["area_dm2"]), found.first[i]
        built = int(found.together[-1, i]) if len(found.together) else 0
        outside = int(found.built.outside_dm2[i])
        periods = [
            {
                "name": period.name,
                "from": period.first,
                "to": period.last,
                "built_m2": metres2(int(found.own[t, i])),
                "share_percent": percent(int(found.own[t, i]), area),
                "cumulative_m2": metres2(int(found.together[t, i])),
                "cumulative_percent": percent(int(found.together[t, i]), area),
                "observed_percent": _observed(found.observed[t, i]),
            }
            for t, period in enumerate(found.built.periods)
        ]
        records.append(
            {str(k): document[k] for k in ("role", "key", "number", "holder", "date", "expires")}
            | {
                "area_m2": metres2(area),
                "area_mu": mu(area),
                "built_m2": metres2(built),
                "built_percent": percent(built, area),
                "first_seen_after": first[0] if first else None,
                "first_seen_by": first[1] if first else None,
                "outside_m2": metres2(outside),
                "outside_percent": percent(outside, outside + built),
                "periods": periods,
                "findings": grouped.get(str(document["key"]), []),
                "source": document["source"],
            }
        )
    return records


def _observed(share: float) -> Decimal | None:
    return None if np.isnan(share) else Decimal(f"{100 * share:.2f}")


def write_watch_json(found: Watch, head: dict[str, Any], path: Path) -> None:
    """Write everything as JSON; what could not be observed is null, never 0."""
    write_json(path, head | {"documents": watch_records(found)}, plain=_json_value)


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.item() if isinstance(value, np.generic) else str(value)


def write_watch_geojson(found: Watch, path: Path) -> None:
    """Write the documents with their findings as GeoJSON (RFC 7946)."""
    shapes = lonlat_outlines(found.built.documents)
    features = [
        {
            "type": "Feature",
            "id": record["key"],
            "properties": record,
            "geometry": shapely.geometry.mapping(shape),
        }
        for record, shape in zip(watch_records(found), shapes, strict=True)
    ]
    value = {"type": "FeatureCollection", "features": features}
    with atomic_path(path) as part:
        text = json.dumps(value, ensure_ascii=False, default=_json_value)
        part.write_text(text + "\n", encoding="utf-8")


def write_watch_geopackage(found: Watch, path: Path) -> None:
    """Write the documents with an answer per question as a GeoPackage layer."""
    import geopandas as gpd

    rows = []
    for record in watch_records(found):
        answers = {
            f"{f['kind']}_{f['months']}" if f["months"] else f["kind"]: f["answer"]
            for f in record["findings"]
        }
        plain = {k: v for k, v in record.items() if k not in ("periods", "findings")}
        texts = [f["sentence_zh"] for f in record["findings"] if f["answer"] == "found"]
        rows.append(
            {k: float(v) if isinstance(v, Decimal) else _told(v) for k, v in plain.items()}
            | answers
            | {"findings": "\n".join(texts)}
        )
    documents = found.built.documents
    table = gpd.GeoDataFrame(rows, geometry=documents.geometry.to_numpy(), crs=documents.crs)
    with atomic_path(path) as part:
        table.to_file(part, layer="批后监管", driver="GPKG", engine="pyogrio")


def _told(value: Any) -> str | None:
    return None if value is None or value != value else str(value)


def write_watch_workbook(
    found: Watch, rules: WatchRules, lost: Sequence[Row], notes: Notes, path: Path
) -> None:
    """Write documents, findings, documents not on the map, and notes, in each language.

    Parameters
    ----------
    lost : sequence of [role, number, date]
        Documents without a place: they cannot be watched.
    notes : sequence of (zh, en, value in zh, value in en)
        What the answers hold for.
    """
    colours = {n[x]: COLOURS[a] for a, n in ANSWER_NAMES.items() for x in LANGUAGES}
    records = watch_records(found)
    with open_book(path, colours) as book:
        for language in LANGUAGES:
            names = SHEETS[language]
            write_sheet(book, names[0], *_document_rows(records, found, rules, language))
            write_sheet(book, names[1], *_finding_rows(found, rules, language))
            heads = [HEADS[language][i] for i in (0, 1, 3)]
            listed = [[role_name(r, language), *rest] for r, *rest in lost]
            write_sheet(book, names[2], heads, listed)
            place = LANGUAGES.index(language)
            told = [[note[place], note[place + 2]] for note in notes]
            write_sheet(
                book,
                names[3],
                list(("项目", "内容") if language == "zh" else ("item", "content")),
                told,
            )


def _document_rows(
    records: list[dict[str, Any]], found: Watch, rules: WatchRules, language: Language
) -> tuple[list[str], list[Row]]:
    periods = [p.name for p in found.built.periods]
    questions = _questions(found, rules, language)
    heads = [*HEADS[language]]
    for name in periods:
        heads += [PERIOD[language].format(name), SEEN[language].format(name)]
    heads += [*TAILS[language], *questions.values()]
    rows = []
    for r in records:
        row = [role_name(r["role"], language), r["number"], r["holder"], r["date"], r["expires"]]
        row += [r["area_m2"], r["area_mu"]]
        for p in r["periods"]:
            row += [p["share_percent"], p["observed_percent"]]
        first = (r["first_seen_after"], r["first_seen_by"])
        between = f"{first[0]} – {first[1]}" if first[0] else None
        row += [r["built_m2"], r["built_percent"], between, r["outside_m2"], r["outside_percent"]]
        answers = {(f["kind"], f["months"]): f["answer"] for f in r["findings"]}
        row += [ANSWER_NAMES[answers[q]][language] if q in answers else None for q in questions]
        rows.append(row)
    return heads, rows


def _questions(found: Watch, rules: WatchRules, language: Language) -> dict[tuple[str, int], str]:
    """Return the title of each question that was put, with its months."""
    asked = dict.fromkeys(zip(found.findings["kind"], found.findings["months"], strict=True))
    titles = {}
    for kind, months in asked:
        name = getattr(rules.findings[kind].name, language)
        unit = f"（{months}个月）" if language == "zh" else f" ({months} months)"
        titles[kind, months] = name + unit * bool(months)
    return titles


def _finding_rows(
    found: Watch, rules: WatchRules, language: Language
) -> tuple[list[str], list[Row]]:
    order = {"found": 0, "unknown": 1, "clear": 2}
    table = found.findings.assign(_rank=found.findings["answer"].map(order))
    rows = [
        [
            role_name(f["role"], language),
            f["number"],
            getattr(rules.findings[f["kind"]].name, language),
            f["months"] or None,
            ANSWER_NAMES[f["answer"]][language],
            metres2(f["area_dm2"]),
            f[f"sentence_{language}"],
            f["sources"],
        ]
        for f in table.sort_values("_rank", kind="stable").to_dict("records")
    ]
    return FINDING_HEADS[language], rows


def write_watch_page(found: Watch, rules: WatchRules, notes: Notes, path: Path) -> None:
    """Write the page: documents with something found first, each with its timeline."""
    records = watch_records(found)
    rank = {"found": 0, "unknown": 1, "clear": 2}
    for record in records:
        record["worst"] = min((rank[f["answer"]] for f in record["findings"]), default=2)
        record["chart"] = _chart(record["periods"])
    records.sort(key=lambda r: r["worst"])
    write_page(
        path,
        "watch.html.j2",
        rules=rules,
        notes=notes,
        tallies=_tallies(found, rules),
        records=records[:PAGE_LIMIT],
        hidden=max(len(records) - PAGE_LIMIT, 0),
        names=ANSWER_NAMES,
        role_name=role_name,
        width=CHART_WIDTH,
        height=CHART_HEIGHT,
    )


def _tallies(found: Watch, rules: WatchRules) -> list[dict[str, Any]]:
    titles = {x: _questions(found, rules, x) for x in ("zh", "en")}
    table = found.findings
    rows = []
    for kind, months in titles["zh"]:
        own = table[((table["kind"] == kind) & (table["months"] == months)).to_numpy()]
        counts = {a: int((own["answer"] == a).sum()) for a in ANSWER_NAMES}
        rows.append({x: titles[x][kind, months] for x in titles} | counts | {"all": len(own)})
    return rows


def _chart(periods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a bar per period: built in it on top of what was built before, or not observed."""
    step = CHART_WIDTH / max(len(periods), 1)
    plot = CHART_HEIGHT - 26
    bars = []
    for t, period in enumerate(periods):
        together, own = float(period["cumulative_percent"]), float(period["share_percent"])
        before = float(periods[t - 1]["cumulative_percent"]) if t else 0.0
        bars.append(
            {
                "x": round(t * step + step * 0.15, 1),
                "width": round(step * 0.7, 1),
                "middle": round((t + 0.5) * step, 1),
                "before": round(plot * before / 100, 1),
                "added": round(plot * max(together - before, 0.0) / 100, 1),
                "base": plot + 12,
                "share": f"{together:.2f} %",
                "own": f"{own:.2f} %",
                "to": period["to"],
                "unseen": period["observed_percent"] is not None and not period["observed_percent"],
                "untold": period["observed_percent"] is None,
            }
        )
    return bars
