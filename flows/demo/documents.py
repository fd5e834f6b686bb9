"""The papers of the demo county: who holds which approval, drawn where and dated when.

What should be said of a change follows from where its papers were put: this is the truth that a
run is scored against. Nothing here looks at how the product judges.
"""

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely

from flows.demo.changes import Change
from flows.demo.settings import AFTER, BEFORE

__all__ = ["PAPERS", "Documents", "Expectation", "draw_documents"]

ROOM_M = 60.0
"""How far papers that cover a change fully reach beyond it: a project's plot, not its footprint."""

LONG_AGO = (BEFORE - dt.timedelta(days=700), BEFORE - dt.timedelta(days=30))
MEANWHILE = (BEFORE + dt.timedelta(days=20), AFTER - dt.timedelta(days=20))
TOO_LATE = (AFTER + dt.timedelta(days=10), AFTER + dt.timedelta(days=60))

Row = dict[str, Any]


@dataclass(frozen=True)
class Expectation:
    """What should be said of a change.

    Attributes
    ----------
    land, mining : tuple of str
        Outcomes any of which is right as the gravest of the line; empty where the line is silent.
    also : str
        Outcome that a part of the change must have besides, "" if none.
    why : str
        One sentence.
    """

    land: tuple[str, ...]
    why: str
    mining: tuple[str, ...] = ()
    also: str = ""


SUSPECTED, UNRESOLVED = ("suspected",), ("unresolved",)
LEGAL, OTHER, NON_NEW = ("legal",), ("other",), ("non_new",)

PAPERS: dict[str, Expectation] = {
    "none": Expectation(SUSPECTED, "no paper touches it"),
    "full": Expectation(LEGAL, "one approval covers it, dated before the earlier image"),
    "supplied": Expectation(LEGAL, "approval and land supply cover it, both dated before"),
    "twice": Expectation(LEGAL, "two overlapping approvals cover it only together"),
    "bow_tie": Expectation(LEGAL, "an approval with a twisted corner covers it"),
    "partial": Expectation(SUSPECTED, "an approval covers one half only", also="legal"),
    "late": Expectation(SUSPECTED, "the approval is dated after the later image"),
    "applied": Expectation(SUSPECTED, "applied for before, approved after the later image"),
    "between": Expectation(UNRESOLVED, "the approval is dated between the two images"),
    "undated": Expectation(UNRESOLVED, "the approval has no readable date"),
    "unmapped": Expectation(SUSPECTED, "the approval has no geometry"),
    "inside": Expectation(NON_NEW, "it was construction land before"),
    "temporary": Expectation(OTHER, "a temporary permit in force covers it"),
    "lapsed": Expectation(UNRESOLVED, "the temporary permit ended within the last year"),
    "long_lapsed": Expectation(SUSPECTED, "the temporary permit ended long ago"),
    "mine_full": Expectation(LEGAL, "approved, and inside a mining right in force", LEGAL),
    "mine_licence": Expectation(SUSPECTED, "a mining right, but no land approval", LEGAL),
    "mine_beyond": Expectation(SUSPECTED, "half of it beyond the mining right", SUSPECTED),
    "mine_none": Expectation(SUSPECTED, "no approval, no mining right", SUSPECTED),
    "mine_expired": Expectation(SUSPECTED, "the mining right ended before", SUSPECTED),
    "filed": Expectation(OTHER, "inside a facility filing, within the filed area"),
    "farm": Expectation((*SUSPECTED, *UNRESOLVED), "a pond dug on cropland: for fish, or a lake?"),
    "cleared": Expectation(NON_NEW, "vegetation lost, nothing built"),
    "green": Expectation(NON_NEW, "vegetation came back"),
}


@dataclass
class Documents:
    """Rows of the document layers, geometry in the image's CRS, fields as deliveries name them."""

    approvals: list[Row] = field(default_factory=list)
    supplies: list[Row] = field(default_factory=list)
    permits: list[Row] = field(default_factory=list)
    filings: list[Row] = field(default_factory=list)
    rights: list[Row] = field(default_factory=list)


def _day(span: tuple[dt.date, dt.date], rng: np.random.Generator) -> dt.date:
    return span[0] + dt.timedelta(days=int(rng.integers(0, (span[1] - span[0]).days + 1)))


def _around(change: Change) -> shapely.Polygon:
    """Return a project's plot: the change's rectangle, grown."""
    plot = shapely.minimum_rotated_rectangle(change.geometry).buffer(ROOM_M, join_style="mitre")
    return shapely.set_precision(plot, 0.01)


def _part(change: Change, low: float, high: float) -> shapely.Polygon:
    """Return the part of the plot between two shares of its length."""
    ring = shapely.get_coordinates(shapely.minimum_rotated_rectangle(change.geometry))
    sides = [ring[1] - ring[0], ring[2] - ring[1]]
    lengths = [math.hypot(*side) for side in sides]
    i = int(lengths[1] > lengths[0])
    along, start = sides[i] / lengths[i], ring[i]
    across = np.array([-along[1], along[0]])
    reach = 2 * max(lengths) + 4 * ROOM_M
    left = start + along * (lengths[i] * low if low > 0 else -reach)
    right = start + along * (lengths[i] * high if high < 1 else lengths[i] + reach)
    slab = [left - across * reach, right - across * reach, right + across * reach,
            left + across * reach]  # fmt: skip
    return shapely.set_precision(_around(change) & shapely.Polygon(slab), 0.01)


def _twisted(plot: shapely.Polygon) -> shapely.Polygon:
    """Return the plot with a small loop at one corner, as a slip of the hand makes it."""
    ring = shapely.get_coordinates(plot)[:-1]
    out = ring[0] - plot.centroid.coords[0]
    out = out / math.hypot(*out)
    side = np.array([-out[1], out[0]])
    loop = [ring[0] + out * 6 - side * 4, ring[0] + out * 6 + side * 4]
    if np.dot(side, ring[1] - ring[0]) > np.dot(side, ring[-1] - ring[0]):
        loop.reverse()  # come back on the wrong side, so that the ring crosses itself
    return shapely.Polygon(np.vstack([ring[:1], loop, ring[1:]]))


class _Clerk:
    """Writes papers, with running numbers."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.out = rng, Documents()

    def approve(
        self,
        geometry: shapely.Polygon | None,
        date: dt.date | str | None,
        *,
        use: str | None = None,
        applied: dt.date | None = None,
    ) -> None:
        number = len(self.out.approvals) + 1
        year = date.year if isinstance(date, dt.date) else BEFORE.year
        self.out.approvals.append(
            {
                "DKBH": f"D{number:04d}",
                "XMMC": f"演示项目{number}",
                "PWH": f"演政土批〔{year}〕{number}号",
                "PZJG": "演示省人民政府",
                "PZRQ": date,
                "SQRQ": applied,
                "YTDM": use,
                "geometry": geometry,
            }
        )

    def supply(self, geometry: shapely.Polygon, date: dt.date) -> None:
        number = len(self.out.supplies) + 1
        self.out.supplies.append(
            {
                "DZJGH": f"9999022025B{number:05d}",
                "GYFS": "出让",
                "TDYT": "0601",
                "QDRQ": date,
                "geometry": geometry,
            }
        )

    def permit(self, geometry: shapely.Polygon, start: dt.date, end: dt.date) -> None:
        number = len(self.out.permits) + 1
        self.out.permits.append(
            {
                "PZWH": f"演临用〔{start.year}〕{number}号",
                "QSRQ": start,
                "JZRQ": end,
                "geometry": geometry,
            }
        )

    def file(self, geometry: shapely.Polygon, date: dt.date) -> None:
        number = len(self.out.filings) + 1
        self.out.filings.append(
            {
                "BAH": f"SSNY999902{number:04d}",
                "XMMC": f"蔬菜大棚{number}",
                "SSLX": "种植",
                "SCMJ": round(geometry.area, 2),
                "FSMJ": round(0.03 * geometry.area, 2),
                "BARQ": date,
                "geometry": geometry,
            }
        )

    def license(self, geometry: shapely.Polygon, start: dt.date, end: dt.date) -> None:
        number = len(self.out.rights) + 1
        self.out.rights.append(
            {
                "XKZH": f"C9999022020{number:06d}",
                "KSMC": f"演示采石场{number}",
                "KCFS": "露天开采",
                "YXQQ": start,
                "YXQZ": end,
                "geometry": geometry,
            }
        )


def _approvals(clerk: _Clerk, change: Change) -> None:
    """Draw the approvals of one change."""
    plot, rng, papers = _around(change), clerk.rng, change.item.papers
    before = _day(LONG_AGO, rng)
    use = "0601" if change.item.look == "works" else None
    if papers in ("full", "supplied", "mine_full"):
        clerk.approve(plot, before, use=use)
    if papers == "supplied":
        clerk.supply(plot, min(before + dt.timedelta(days=25), BEFORE))
    if papers == "twice":
        clerk.approve(_part(change, 0, 0.65), before, use=use)
        clerk.approve(_part(change, 0.35, 1), _day(LONG_AGO, rng), use=use)
    if papers == "bow_tie":
        clerk.approve(_twisted(plot), before, use=use)
    if papers == "partial":
        clerk.approve(_part(change, 0, 0.5), before, use=use)
    if papers == "late":
        clerk.approve(plot, _day(TOO_LATE, rng), use=use)
    if papers == "applied":
        clerk.approve(plot, _day(TOO_LATE, rng), use=use, applied=_day(LONG_AGO, rng))
    if papers == "between":
        clerk.approve(plot, _day(MEANWHILE, rng), use=use)
    if papers == "undated":
        clerk.approve(plot, None, use=use)
    if papers == "unmapped":
        clerk.approve(None, before, use=use)


def _permits(clerk: _Clerk, change: Change) -> None:
    plot, year = _around(change), dt.timedelta(days=365)
    if change.item.papers == "temporary":
        clerk.permit(plot, BEFORE - year // 2, AFTER + year)
    if change.item.papers == "lapsed":
        clerk.permit(plot, BEFORE - 2 * year, AFTER - dt.timedelta(days=60))
    if change.item.papers == "long_lapsed":
        clerk.permit(plot, BEFORE - 4 * year, BEFORE - 2 * year)
    if change.item.papers == "filed":
        clerk.file(plot, _day(LONG_AGO, clerk.rng))


def _rights(clerk: _Clerk, change: Change) -> None:
    plot = _around(change)
    valid = (dt.date(2020, 5, 1), dt.date(2030, 4, 30))
    if change.item.papers in ("mine_full", "mine_licence"):
        clerk.license(plot, *valid)
    if change.item.papers == "mine_beyond":
        clerk.license(_part(change, 0, 0.5), *valid)
    if change.item.papers == "mine_expired":
        clerk.license(plot, dt.date(2014, 5, 1), BEFORE - dt.timedelta(days=200))


def draw_documents(changes: list[Change], spare: list[shapely.Polygon], seed: int) -> Documents:
    """Draw the papers of all changes, and papers of land where nothing happened.

    Parameters
    ----------
    changes : list of Change
    spare : list of Polygon
        Land clear of the changes, for approvals that were never used.
    seed : int

    Returns
    -------
    Documents
    """
    clerk = _Clerk(np.random.default_rng([seed, 20]))
    steps: tuple[Callable[[_Clerk, Change], None], ...] = (_approvals, _permits, _rights)
    for change in changes:
        for step in steps:
            step(clerk, change)
    for i, land in enumerate(spare):
        date: dt.date | str = _day(LONG_AGO, clerk.rng)
        clerk.approve(land, "2024-13-45" if i == 0 else date)
    return clerk.out
