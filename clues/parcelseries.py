"""What the series of each parcel tells: disturbed, declining, growing, stable, or not to be told.

Watched are reserve land (土地储备), restored land, or any parcels whose vegetation matters. A
sudden loss is told from a slow decline by which of the two explains the series better.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clues.wording import Language
from configs.monitoring import ParcelRules, SeriesMethod
from configs.units import metres2
from detect.series import SeriesSettings, fit_series, series_breaks, update_series
from detect.trends import Season, Trend, fit_season, is_step, trend_of

__all__ = ["STATUS_NAMES", "ParcelSeries", "SeriesModel", "parcel_findings", "season_of"]

STATUS_NAMES: dict[str, dict[Language, str]] = {
    "disturbed": {"zh": "受扰动", "en": "disturbed"},
    "declining": {"zh": "长势下降", "en": "declining"},
    "growing": {"zh": "长势上升", "en": "growing"},
    "stable": {"zh": "长势平稳", "en": "stable"},
    "unknown": {"zh": "无法判断", "en": "unknown"},
}
FLAGGED = ("disturbed", "declining")


@dataclass(frozen=True)
class SeriesModel:
    """How a series is followed.

    Attributes
    ----------
    index : str
        Name of the index.
    method, harmonics, trend, settings
        Of `detect.series.fit_series`.
    history_end : int
        Last day of the history, days since 1970-01-01.
    """

    index: str
    method: SeriesMethod
    harmonics: int
    trend: bool
    settings: SeriesSettings
    history_end: int


@dataclass(frozen=True)
class ParcelSeries:
    """The medians of parcels date by date.

    Attributes
    ----------
    parcels : GeoDataFrame
        Of `clues.proposals.read_proposals`, n rows.
    days : ndarray of int64, shape (t,)
        Days since 1970-01-01, ascending.
    median : ndarray of float32, shape (t, n)
        Median of the cloud-free pixels; NaN where there is none.
    share : ndarray of float32, shape (t, n)
        Cloud-free part of the pixels.
    pixels : ndarray of int64, shape (n,)
        Pixels whose centre lies in the parcel.
    lost : ndarray of int64, shape (n,)
        Of these, those with a confirmed loss.
    lost_since : ndarray of int64, shape (n,)
        Earliest day on which one of them was first seen; 0 for none.
    """

    parcels: Any
    days: NDArray[np.int64]
    median: NDArray[np.float32]
    share: NDArray[np.float32]
    pixels: NDArray[np.int64]
    lost: NDArray[np.int64]
    lost_since: NDArray[np.int64]

    def seen(self, least: float) -> NDArray[np.bool_]:
        """Return which dates count for which parcel, shape (t, n)."""
        return np.asarray((self.share >= least) & np.isfinite(self.median), np.bool_)


def season_of(
    series: ParcelSeries, number: int, model: SeriesModel, rules: ParcelRules
) -> Season | None:
    """Return the season of a parcel in its history; None where nothing was seen."""
    here = series.seen(rules.seen_share)[:, number] & (series.days <= model.history_end)
    if not here.any():
        return None
    values = series.median[here, number].astype(np.float64)
    return fit_season(series.days[here], values, model.harmonics)


def parcel_findings(series: ParcelSeries, model: SeriesModel, rules: ParcelRules) -> pd.DataFrame:
    """Judge every parcel.

    Parameters
    ----------
    series : ParcelSeries
    model : SeriesModel
    rules : ParcelRules

    Returns
    -------
    DataFrame
        One row per parcel, in their order: ``status`` (see `STATUS_NAMES`), ``flagged``,
        ``dates``, ``mean``, ``slope`` (per year), ``p``, ``first_seen``, ``confirmed`` (date or
        None), ``magnitude``, ``confidence``, ``lost_share``, ``lost_dm2``, ``reason_zh``,
        ``reason_en``.
    """
    breaks, modelled = _breaks(series, model, rules)
    seen = series.seen(rules.seen_share)
    areas = series.parcels["area_dm2"].to_numpy(dtype=np.int64)
    rows = []
    for n in range(len(areas)):
        days = series.days[seen[:, n]]
        values = series.median[seen[:, n], n].astype(np.float64)
        share = series.lost[n] / series.pixels[n] if series.pixels[n] else 0.0
        row: dict[str, Any] = {
            "dates": len(days),
            "mean": float(values.mean()) if len(values) else float("nan"),
            "lost_share": float(share),
            "lost_dm2": round(share * int(areas[n])),
            "lost_since": _date(series.lost_since[n]),
        }
        row |= {name: values_of[n] for name, values_of in breaks.items()}
        if modelled[n]:
            row |= _judged(days, values, row, model, rules)
        else:
            row |= {"status": "unknown", "slope": float("nan"), "p": 1.0, "confirmed": 0}
        if not row["confirmed"]:
            row |= {"first_seen": 0, "magnitude": float("nan"), "confidence": 0}
        row["first_seen"], row["confirmed"] = _date(row["first_seen"]), _date(row["confirmed"])
        row["flagged"] = row["status"] in FLAGGED
        row |= _reasons(row, model.index, int(series.pixels[n]))
        rows.append(row)
    return pd.DataFrame(rows)


def _breaks(
    series: ParcelSeries, model: SeriesModel, rules: ParcelRules
) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """Follow the medians as a row of pixels; return what is found and which have a model."""
    seen = series.seen(rules.seen_share)[:, None, :]
    values = np.where(seen, series.median[:, None, :], np.float32(0))[:, None]
    count = int(np.searchsorted(series.days, model.history_end, side="right"))
    state = fit_series(
        series.days[:count],
        values[:count],
        seen[:count],
        method=model.method,
        harmonics=model.harmonics,
        trend=model.trend,
        settings=model.settings,
    )
    for t in range(count, len(series.days)):
        state = update_series(state, int(series.days[t]), values[t], seen[t])
    found = series_breaks(state)
    names = ("first_seen", "confirmed", "magnitude", "confidence")
    return {n: getattr(found, n)[0] for n in names}, state.modelled[0]


def _judged(
    days: NDArray[np.int64],
    values: NDArray[np.float64],
    row: dict[str, Any],
    model: SeriesModel,
    rules: ParcelRules,
) -> dict[str, Any]:
    """Return status and trend: a sudden loss first, then a slow one, then one of a part."""
    candidate = row["confirmed"] > 0 and row["magnitude"] <= -rules.least_drop
    if candidate and is_step(days, values, int(row["first_seen"]), model.harmonics):
        before = days < int(row["first_seen"])
        trend = _trend(days[before], values[before], model)
        return {"status": "disturbed", "slope": trend.slope, "p": trend.p}
    trend = _trend(days, values, model)
    sure = trend.p <= rules.significance and abs(trend.slope) >= rules.least_trend
    status = "stable"
    if sure:
        status = "declining" if trend.slope < 0 else "growing"
    enough = row["lost_dm2"] >= 100 * rules.least_area_m2
    if status != "declining" and row["lost_share"] >= rules.least_share and enough:
        status = "disturbed"
    told = {"status": status, "slope": trend.slope, "p": trend.p}
    return told | {"first_seen": 0, "confirmed": 0}


def _trend(days: NDArray[np.int64], values: NDArray[np.float64], model: SeriesModel) -> Trend:
    if not len(days):
        return Trend(float("nan"), 1.0, 0)
    return trend_of(days, values, fit_season(days, values, model.harmonics))


def _date(day: Any) -> dt.date | None:
    return dt.date(1970, 1, 1) + dt.timedelta(days=int(day)) if day > 0 else None


def _reasons(row: dict[str, Any], index: str, pixels: int) -> dict[str, str]:
    """Return why a parcel has its status, in both languages."""
    status = row["status"]
    if status == "unknown":
        if not pixels:
            return {
                "reason_zh": "监测范围内没有像元中心落在该地块内，影像不能判断。",
                "reason_en": "No pixel centre of the monitored area lies in it: unknown.",
            }
        return {
            "reason_zh": f"可用日期仅{row['dates']}个，不足以建立季节模型。",
            "reason_en": f"Only {row['dates']} dates can be used: too few for a season.",
        }
    zh, en = [], []
    if row["first_seen"] is not None:
        zh.append(
            f"自{row['first_seen']}起，地块{index}中位数比同季正常值低{-row['magnitude']:.2f}，"
            f"{row['confirmed']}确认，置信度{row['confidence']}"
        )
        en.append(
            f"since {row['first_seen']} the median {index} lies {-row['magnitude']:.2f} below "
            f"what is normal in that season, confirmed {row['confirmed']}, confidence "
            f"{row['confidence']}"
        )
    if row["lost_dm2"] and status == "disturbed":
        area, share = metres2(row["lost_dm2"]), 100 * row["lost_share"]
        zh.append(f"确认下降的面积{area}平方米，占地块{share:.1f}%，最早见于{row['lost_since']}")
        en.append(
            f"a loss is confirmed on {area} m², {share:.1f} % of the parcel, first seen "
            f"{row['lost_since']}"
        )
    if np.isfinite(row["slope"]):
        span = "此前" if row["first_seen"] is not None else ""
        when = " before that" if row["first_seen"] is not None else ""
        slope = f"{round(row['slope'], 3) + 0.0:+.3f}"
        p = "< 0.001" if row["p"] < 0.001 else f"= {row['p']:.3f}"
        if status == "declining":
            zh.append("长势逐年下降，未见突变")
            en.append("a slow decline, no sudden loss")
        zh.append(f"{span}去季节趋势每年{slope}（p {p}）")
        en.append(f"trend without season{when} {slope} per year (p {p})")
    elif status == "stable":
        zh.append("未确认扰动；日期太少，不能判断趋势")
        en.append("no disturbance is confirmed; too few dates for a trend")
    text = "; ".join(en)
    return {"reason_zh": "；".join(zh) + "。", "reason_en": text[:1].upper() + text[1:] + "."}
