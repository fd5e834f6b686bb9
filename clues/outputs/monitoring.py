"""What a monitor tells of parcels, for people: workbook, GeoPackage, page with a plot each."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clues.outputs.book import open_book, write_sheet
from clues.outputs.page import write_page
from clues.parcelseries import STATUS_NAMES, ParcelSeries, SeriesModel, season_of
from clues.wording import Language
from configs.monitoring import ParcelRules
from configs.units import metres2, mu
from tiles.files import atomic_path

__all__ = [
    "ParcelReport",
    "write_parcel_geopackage",
    "write_parcel_page",
    "write_parcel_workbook",
]

LANGUAGES: tuple[Language, Language] = ("zh", "en")
COLOURS = {
    "disturbed": "#F8CBAD",
    "declining": "#FFE699",
    "growing": "#E2EFDA",
    "unknown": "#EDEDED",
}
SHEETS = {
    "zh": ("地块长势", "标记地块序列", "说明"),
    "en": ("parcels", "flagged series", "notes"),
}
HEADS = {
    "zh": [
        "地块编号",
        "名称",
        "面积（平方米）",
        "面积（亩）",
        "状况",
        "首次出现",
        "确认日期",
        "幅度",
        "置信度",
        "下降面积（平方米）",
        "下降占比%",
        "每年趋势",
        "p值",
        "平均值",
        "可用日期数",
        "像元数",
        "经度",
        "纬度",
        "图幅号",
        "原因",
    ],
    "en": [
        "parcel",
        "name",
        "area, m²",
        "area, mu",
        "status",
        "first seen",
        "confirmed",
        "magnitude",
        "confidence",
        "loss, m²",
        "loss, %",
        "trend per year",
        "p",
        "mean",
        "dates",
        "pixels",
        "longitude",
        "latitude",
        "sheet",
        "reason",
    ],
}
SERIES_HEADS = {
    "zh": ("地块编号", "日期", "中位数", "无云占比%"),
    "en": ("parcel", "date", "median", "cloud-free, %"),
}
NOTE_HEADS = {"zh": ("项目", "内容"), "en": ("item", "content")}
PAGE_LIMIT = 200
WIDTH, HEIGHT, LEFT, BOTTOM = 680, 190, 34, 18
STEP_DAYS = 8
"""Days between two points of the drawn season."""


@dataclass(frozen=True)
class ParcelReport:
    """Everything that is written of the parcels of a version.

    Attributes
    ----------
    series : ParcelSeries
    findings : DataFrame
        Of `clues.parcelseries.parcel_findings`.
    model : SeriesModel
    rules : ParcelRules
    notes : sequence of (zh, en, value in zh, value in en)
        What the answers hold for.
    """

    series: ParcelSeries
    findings: pd.DataFrame
    model: SeriesModel
    rules: ParcelRules
    notes: Sequence[tuple[str, str, str, str]]

    def records(self) -> list[dict[str, Any]]:
        """Return what is known of each parcel, flagged ones first, the largest loss on top."""
        names = ["parcel_id", "name", "area_dm2", "lon", "lat", "sheet"]
        known = self.series.parcels[names].to_dict("records")
        rows = []
        for number, (parcel, found) in enumerate(
            zip(known, self.findings.to_dict("records"), strict=True)
        ):
            extra = {"number": number, "pixels": int(self.series.pixels[number])}
            rows.append(parcel | {str(k): v for k, v in found.items()} | extra)
        order = {status: k for k, status in enumerate(STATUS_NAMES)}
        return sorted(rows, key=lambda r: (order[r["status"]], -r["lost_dm2"], r["number"]))


def write_parcel_geopackage(report: ParcelReport, path: Path) -> None:
    """Write the parcels with all findings as a GeoPackage layer, in the order of their layer."""
    import geopandas as gpd

    parcels, found = report.series.parcels, report.findings
    columns = {
        "parcel_id": parcels["parcel_id"].astype(str).to_numpy(),
        "name": parcels["name"].to_numpy(),
        "area_m2": parcels["area_dm2"].to_numpy() / 100,
        "status": found["status"].to_numpy(),
        "status_zh": [STATUS_NAMES[s]["zh"] for s in found["status"]],
        "flagged": found["flagged"].to_numpy(bool),
        **{name: _told(found[name]) for name in ("first_seen", "confirmed", "lost_since")},
        "magnitude": found["magnitude"].to_numpy(),
        "confidence": found["confidence"].to_numpy(np.int32),
        "lost_m2": found["lost_dm2"].to_numpy() / 100,
        "lost_percent": np.round(100 * found["lost_share"].to_numpy(), 2),
        "slope": found["slope"].to_numpy(),
        "p": found["p"].to_numpy(),
        "mean": found["mean"].to_numpy(),
        "dates": found["dates"].to_numpy(np.int32),
        "pixels": report.series.pixels.astype(np.int32),
        "reason_zh": found["reason_zh"].to_numpy(),
        "reason_en": found["reason_en"].to_numpy(),
    }
    table = gpd.GeoDataFrame(columns, geometry=parcels.geometry.to_numpy(), crs=parcels.crs)
    with atomic_path(path) as part:
        table.to_file(part, layer="地块长势", driver="GPKG", engine="pyogrio")


def _told(days: "pd.Series[Any]") -> list[str | None]:
    return [None if day is None else str(day) for day in days]


def write_parcel_workbook(report: ParcelReport, path: Path) -> None:
    """Write findings, the series of flagged parcels, and notes, in each language."""
    records = report.records()
    colours = {
        STATUS_NAMES[status][x]: colour for status, colour in COLOURS.items() for x in LANGUAGES
    }
    with open_book(path, colours) as book:
        for place, language in enumerate(LANGUAGES):
            names = SHEETS[language]
            write_sheet(book, names[0], HEADS[language], [_row(r, language) for r in records])
            write_sheet(book, names[1], SERIES_HEADS[language], _series_rows(report, records))
            told = [[note[place], note[place + 2]] for note in report.notes]
            write_sheet(book, names[2], NOTE_HEADS[language], told)


def _row(r: dict[str, Any], language: Language) -> list[Any]:
    return [
        *(r["parcel_id"], r["name"]),
        *(metres2(r["area_dm2"]), mu(r["area_dm2"])),
        *(STATUS_NAMES[r["status"]][language], r["first_seen"], r["confirmed"]),
        *(_rounded(r["magnitude"], 3), int(r["confidence"]) if r["confirmed"] else None),
        *(metres2(r["lost_dm2"]), Decimal(f"{100 * r['lost_share']:.2f}")),
        *(_rounded(r["slope"], 4), _rounded(r["p"], 4), _rounded(r["mean"], 3)),
        *(int(r["dates"]), r["pixels"], _rounded(r["lon"], 6), _rounded(r["lat"], 6)),
        *(r["sheet"], r[f"reason_{language}"]),
    ]


def _rounded(value: float, digits: int) -> float | None:
    return round(float(value), digits) + 0.0 if np.isfinite(value) else None


def _series_rows(report: ParcelReport, records: list[dict[str, Any]]) -> list[list[Any]]:
    series, rows = report.series, list[list[Any]]()
    for record in (r for r in records if r["flagged"]):
        number = record["number"]
        for day, median, share in zip(
            series.days, series.median[:, number], series.share[:, number], strict=True
        ):
            if np.isfinite(median):
                percent = Decimal(f"{100 * share:.2f}")
                rows.append([record["parcel_id"], _date(day), _rounded(median, 4), percent])
    return rows


def _date(day: Any) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=int(day))


def write_parcel_page(report: ParcelReport, path: Path) -> None:
    """Write the page: what each status counts, and a plot and the reason per flagged parcel."""
    records = report.records()
    flagged = [r for r in records if r["flagged"]]
    for record in flagged[:PAGE_LIMIT]:
        record["chart"] = _chart(report, record)
        record["area_m2"], record["area_mu"] = metres2(record["area_dm2"]), mu(record["area_dm2"])
    counts = report.findings["status"].value_counts()
    write_page(
        path,
        "monitor.html.j2",
        index=report.model.index,
        notes=report.notes,
        tallies=[(s, names, int(counts.get(s, 0))) for s, names in STATUS_NAMES.items()],
        records=flagged[:PAGE_LIMIT],
        hidden=max(len(flagged) - PAGE_LIMIT, 0),
        names=STATUS_NAMES,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        bottom=HEIGHT - BOTTOM,
    )


def _chart(report: ParcelReport, record: dict[str, Any]) -> dict[str, Any]:
    """Return points, season, break and axes of a parcel's plot in its own pixels."""
    series, number = report.series, record["number"]
    here = series.seen(report.rules.seen_share)[:, number]
    days, values = series.days[here], series.median[here, number].astype(np.float64)
    season = season_of(series, number, report.model, report.rules)
    grid = np.arange(int(days[0]), int(days[-1]) + 1, STEP_DAYS)
    normal = season.at(grid) if season is not None else np.full(len(grid), np.nan)
    every = np.concatenate([values, normal[np.isfinite(normal)]])
    low, high = np.floor(10 * every.min()) / 10, np.ceil(10 * every.max()) / 10 + 1e-9
    x_scale = (WIDTH - LEFT - 6) / max(int(days[-1] - days[0]), 1)
    y_scale = (HEIGHT - BOTTOM - 8) / (high - low)

    def x(day: NDArray[Any] | int) -> Any:
        return np.round(LEFT + (np.asarray(day) - int(days[0])) * x_scale, 1)

    def y(value: NDArray[Any] | float) -> Any:
        return np.round(HEIGHT - BOTTOM - (np.asarray(value) - low) * y_scale, 1)

    breaks = [record["first_seen"], record["confirmed"]]
    years = range(_date(days[0]).year + 1, _date(days[-1]).year + 1)
    levels = np.arange(low, high, 0.2 if high - low > 0.5 else 0.1)
    return {
        "points": [
            {"x": px, "y": py, "day": _date(d), "value": f"{v:.3f}", "late": late}
            for px, py, d, v, late in zip(
                x(days).tolist(),
                y(values).tolist(),
                days,
                values,
                (days > report.model.history_end).tolist(),
                strict=True,
            )
        ],
        "season": " ".join(f"{px},{py}" for px, py in zip(x(grid), y(normal), strict=True)),
        "breaks": [{"x": float(x(_number(d))), "day": d} for d in breaks if d is not None],
        "history": float(np.clip(x(report.model.history_end), LEFT, WIDTH - 6)),
        "years": [{"x": float(x(_number(dt.date(n, 1, 1)))), "year": n} for n in years],
        "levels": [{"y": float(y(v)), "text": f"{v:.1f}"} for v in levels],
    }


def _number(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days
