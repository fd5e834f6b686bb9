"""Six dates of one small area and the year of a hundred objects on it, written from a plan.

Four quarters make the year; the last date belongs to the next one, which is judged by its baseline.

The table of fates is the plan itself: nothing of it is read back from a run.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import geopandas as gpd
import numpy as np
import rasterio
import shapely
import yaml
from affine import Affine
from numpy.typing import NDArray

from tests.flows.minicounty import (
    APPROVAL_NUMBER,
    CRS,
    NORTH,
    PIXEL,
    WEST,
    box,
    paint,
    write_approvals,
    write_image,
)

HIGH, WIDE = 24, 30
"""Ground of one object in pixels."""

ROWS, COLS, CROP_COLS = 16, 10, 8
"""Objects stand on the columns of cropland; beyond lie wood and hamlets, which stay as they are."""

CLEAR_ROWS = 13
"""The rows from here on lie under the edges of clouds on the hidden day."""

PARCEL_ROWS, PARCEL_COLS = 24, 40
"""Parcels are laid so that their borders run through objects."""

DAYS = ("2024-12-20", "2025-03-20", "2025-06-20", "2025-09-20", "2025-12-20", "2026-03-20")
NEXT_YEAR = 5
"""The date of the next year."""

HIDDEN_DAY, NARROW_QUARTER = 2, 3
"""The day with a cloud, and the quarter whose area leaves out the western strip."""

USES = (("厂房", "0601"), ("0508", "0508"), ("住宅", "0702"))
"""Words of people and the land class that each means."""

CLOUD_SLOTS = [(row, col) for row in (10, 11) for col in (0, 1, 2)]
STRIP_SLOTS = [(row, 0) for row in range(6)]

Pairs = Literal["cumulative", "consecutive"]
Box = tuple[int, int, int, int]
"""Row, column, height, width within the slot."""

WHOLE: Box = (7, 4, 10, 22)
HAMLET: tuple[Box, Box] = ((2, 3, 9, 11), (13, 16, 9, 11))
"""Buildings that the land-use layer knows, so that small ones are known from the start."""

SMALL: Box = (7, 4, 10, 11)
HALVES: tuple[Box, Box] = ((7, 4, 10, 7), (7, 19, 10, 7))

EAST: Box = (0, 15, HIGH, 15)
ACROSS: Box = (0, 12, HIGH, 6)
"""Clouds that hide a half of `WHOLE`, and that leave a piece of it on either side."""


@dataclass(frozen=True)
class Life:
    """One object: what stands on its slot at each date, and what each quarter must call it.

    Attributes
    ----------
    states : tuple of tuple of Box
        By date.
    fates : tuple of str
        Of the quarters; "" where there is nothing.
    verdict : tuple of (int, str) or None
        Quarter after which people judge it, and their word.
    between : tuple of str
        Fates between consecutive dates, where they are others; what no pair sees is not told.
    cloud : Box or None
        Part of the slot that a cloud hides on the hidden day.
    """

    number: int
    kind: str
    row: int
    col: int
    states: tuple[tuple[Box, ...], ...]
    fates: tuple[str, ...]
    verdict: tuple[int, str] | None = None
    between: tuple[str, ...] = ()
    cloud: Box | None = None

    @property
    def told(self) -> tuple[str, str]:
        """What people say of its use, and the land class that it means."""
        return USES[self.number % len(USES)]

    def fate(self, quarter: int, pairs: Pairs) -> str:
        """Return its fate in a quarter.

        Between two consecutive dates the parts that a split leaves show no change: the thing keeps
        its number and has less ground.
        """
        if self.between and pairs == "consecutive":
            return self.between[quarter - 1]
        fate = self.fates[quarter - 1]
        return "shrunk" if (fate, pairs) == ("split", "consecutive") else fate

    def is_new_to_people(self, quarter: int, pairs: Pairs) -> bool | None:
        """Tell whether it must stand in the list of clues of a quarter; None: not said.

        It must where it shows something that no list told yet. What was judged is told again only
        where it grew. What nobody judged and changes back between consecutive dates is another
        question.
        """
        fate = self.fate(quarter, pairs)
        unsaid = False if self.is_judged(quarter) else None
        hidden = self.kind == "hidden" and (
            quarter == HIDDEN_DAY or (quarter == HIDDEN_DAY + 1 and pairs == "consecutive")
        )
        outside = self.kind == "outside" and quarter == NARROW_QUARTER
        if fate in ("", "ended") or hidden or outside:
            return False if pairs == "cumulative" or fate in ("", "persisting") else unsaid
        if fate in ("new", "grown", "merged"):
            return True
        if fate in ("persisting", "shrunk") and pairs == "cumulative":
            return False
        if fate == "split":
            return not self.is_judged(quarter)
        return False if fate == "persisting" else unsaid

    def is_judged(self, quarter: int) -> bool:
        """Tell whether people had judged it before the list of a quarter."""
        return self.verdict is not None and self.verdict[0] < quarter

    def outline(self, day: int) -> shapely.Geometry:
        """Return what stands at a date, in the CRS of the images."""
        parts = [self._box(b) for b in self.states[day]]
        return shapely.union_all(parts) if parts else shapely.Polygon()

    def ground(self) -> shapely.Polygon:
        """Return the slot."""
        return box(self.row * HIGH, self.col * WIDE, HIGH, WIDE)

    def hidden(self) -> shapely.Geometry:
        """Return the ground that is hidden on the hidden day."""
        return self._box(self.cloud) if self.cloud else shapely.Polygon()

    def _box(self, part: Box) -> shapely.Polygon:
        row, col, height, width = part
        return box(self.row * HIGH + row, self.col * WIDE + col, height, width)


def _story(*steps: tuple[int, tuple[Box, ...]]) -> tuple[tuple[Box, ...], ...]:
    """Return the states of the five dates from (first date, what stands from then on)."""
    return tuple(next((s for d, s in reversed(steps) if d <= day), ()) for day in range(len(DAYS)))


def _fates(*told: tuple[int, str]) -> tuple[str, ...]:
    """Return the fates of the quarters; what stands goes on, seen or not, until it ends."""
    by_quarter = dict(told)
    fates, standing = [], False
    for quarter in range(1, len(DAYS)):
        fate = by_quarter.get(quarter, "persisting" if standing else "")
        standing = bool(fate) and fate != "ended"
        fates.append(fate)
    return tuple(fates)


def _lives() -> Iterator[tuple[str, tuple[tuple[Box, ...], ...], tuple[str, ...]]]:
    """Yield kind, states and fates of every object that lies neither hidden nor outside."""
    for quarter in (1, 2, 3, 4):
        for _ in range(8):
            yield "lasting", _story((quarter, (SMALL,))), _fates((quarter, "new"))
    for first, second in ((1, 2), (1, 2), (1, 3), (1, 3), (1, 4), (2, 3), (2, 3), (2, 4), (3, 4)):
        told = _fates((first, "new"), (second, "grown"))
        yield "growing", _story((first, (SMALL,)), (second, (WHOLE,))), told
    for _ in range(2):
        states = _story((1, ((7, 4, 10, 8),)), (2, ((7, 4, 10, 14),)), (4, (WHOLE,)))
        yield "growing twice", states, _fates((1, "new"), (2, "grown"), (4, "grown"))
    for first, second in ((1, 2), (1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4), (3, 4)):
        told = _fates((first, "new"), (second, "shrunk"))
        yield "shrinking", _story((first, (WHOLE,)), (second, (SMALL,))), told
    for first, second in ((1, 2), (1, 2), (1, 3), (1, 3), (1, 4), (2, 3), (2, 3), (2, 4), (3, 4)):
        told = _fates((first, "new"), (second, "ended"))
        yield "ending", _story((first, (WHOLE,)), (second, ())), told
    for first, second in ((1, 2), (1, 3), (1, 3), (2, 3), (2, 4), (3, 4)):
        told = _fates((first, "new"), (second, "split"))
        yield "splitting", _story((first, (WHOLE,)), (second, HALVES)), told
    for first, second in ((1, 2), (1, 3), (1, 3), (2, 3), (2, 4), (3, 4)):
        told = _fates((first, "new"), (second, "merged"))
        yield "merging", _story((first, HALVES), (second, (WHOLE,))), told
    for _ in range(10):
        yield "rotation", _story(), _fates()
    for _ in range(4):
        yield "rotated, then built", _story((3, (SMALL,))), _fates((3, "new"))
    for _ in range(3):
        yield "next year", _story((NEXT_YEAR, (SMALL,))), _fates((NEXT_YEAR, "new"))


def _clouded(number: int) -> list[Life]:
    """Return the objects under the edges of clouds, numbered from a number on."""
    lasting = _fates((1, "new"))
    new = _story((1, (WHOLE,)))
    gone, less = _story((1, (WHOLE,)), (2, ())), _story((1, (WHOLE,)), (2, (SMALL,)))
    restored = (_fates((1, "new"), (3, "ended")), _fates((1, "new"), (2, "shrunk")))
    lessened = _fates((1, "new"), (3, "shrunk"))
    appeared = (_fates((2, "new"), (3, "grown")), _fates((2, "new")))
    plan = [
        *[("half hidden", new, lasting, (), EAST)] * 6,
        *[("cut by a cloud", new, lasting, (), ACROSS)] * 6,
        *[("restored, half hidden", gone, *restored, EAST)] * 4,
        *[("torn down under a cloud", less, lessened, lasting, EAST)] * 4,
        *[("built under a cloud", _story((2, (WHOLE,))), *appeared, EAST)] * 4,
    ]
    slots = [(r, c) for r in range(CLEAR_ROWS, ROWS) for c in range(CROP_COLS)]
    found = []
    for i, ((row, col), told) in enumerate(zip(slots, plan, strict=True), number):
        kind, states, fates, between, cloud = told
        # what a cloud hid was not judged
        verdict = _verdict(i, states) if fates == lasting else None
        found.append(Life(i, kind, row, col, states, fates, verdict, between, cloud))
    return found


def lives() -> list[Life]:
    """Return the plan: more than a hundred objects, each on a slot of its own."""
    own = [*CLOUD_SLOTS, *STRIP_SLOTS]
    slots = [(r, c) for r in range(CLEAR_ROWS) for c in range(CROP_COLS) if (r, c) not in own]
    order = np.random.default_rng(8).permutation(len(slots))
    plan = [
        Life(*(i, kind, *slots[order[i]], states, fates), verdict=_verdict(i, states))
        for i, (kind, states, fates) in enumerate(_lives())
    ]
    lasting = _fates((1, "new"))
    for row, col in CLOUD_SLOTS:
        told = (len(plan), "hidden", row, col, _story((1, (SMALL,))), lasting)
        plan.append(Life(*told, verdict=(1, "违法")))
    grown = _fates((1, "new"), (4, "grown"))
    for row, col in STRIP_SLOTS:
        told = (len(plan), "outside", row, col, _story((1, (SMALL,)), (4, (WHOLE,))), grown)
        plan.append(Life(*told, verdict=(1, "合法")))
    return plan + _clouded(len(plan))


def _verdict(number: int, states: tuple[tuple[Box, ...], ...]) -> tuple[int, str] | None:
    """Return when people judge an object and what they say: three of four, once known."""
    first = next((day for day, state in enumerate(states) if state), 0)
    if number % 4 == 3 or not first:
        return None
    return first, ("违法", "伪变化", "合法")[number % 4]


def _hamlets() -> list[Box]:
    east = (CROP_COLS + 1) * WIDE
    return [(r * HIGH + row, east + col, h, w) for r in range(ROWS) for row, col, h, w in HAMLET]


def cover_of(plan: list[Life], day: int) -> NDArray[np.uint8]:
    """Return the cover of every pixel at a date, by the numbers of `minicounty.paint`."""
    cover = np.zeros((ROWS * HIGH, COLS * WIDE), np.uint8)
    cover[:, CROP_COLS * WIDE : (CROP_COLS + 1) * WIDE] = 1
    for row, col, height, width in _hamlets():
        cover[row : row + height, col : col + width] = 2
    for life in plan:
        for row, col, height, width in life.states[day]:
            top, left = life.row * HIGH + row, life.col * WIDE + col
            cover[top : top + height, left : left + width] = 2
    return cover


def build_quarters(folder: Path) -> list[Life]:
    """Write images, masks, parcels, the areas of the quarters; return the plan."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = lives()
    for day in range(len(DAYS)):
        bands = paint(cover_of(plan, day), day)
        _rotate(bands, plan, day)
        if day == HIDDEN_DAY:
            whole = [box(r * HIGH, c * WIDE, HIGH, WIDE) for r, c in CLOUD_SLOTS]
            hidden = _burnt(shapely.union_all([*whole, *(life.hidden() for life in plan)]))
            bands[:, hidden] = 0.8
            _write_mask(folder / "cloud.tif", hidden)
        write_image(folder / f"d{day}.tif", bands)
    _write_parcels(folder / "landuse.gpkg")
    whole = box(0, 0, ROWS * HIGH, COLS * WIDE)
    strip = box(0, 0, len(STRIP_SLOTS) * HIGH, WIDE)
    areas = {"whole": whole, "narrow": whole.difference(strip)}
    for name, shape in areas.items():
        gpd.GeoDataFrame({"name": [name]}, geometry=[shape], crs=CRS).to_file(
            folder / f"{name}.gpkg", index=False
        )
    approved = box(0, CROP_COLS * WIDE + 5, 10, 10)
    write_approvals(folder / "approval.shp", {APPROVAL_NUMBER: approved})
    layers = [
        {"role": "landuse", "source": "landuse.gpkg", "complete": True},
        {"role": "approval", "source": "approval.shp", "encoding": "GBK", "complete": True},
    ]
    (folder / "LAYERS.yaml").write_text(yaml.safe_dump({"version": 1, "layers": layers}))
    return plan


def _rotate(bands: NDArray[np.float32], plan: list[Life], day: int) -> None:
    """Make the fields of rotation look another way at every second date: a denser crop."""
    for life in plan:
        is_denser = day == 1 if life.kind == "rotated, then built" else day % 2
        if life.kind in ("rotation", "rotated, then built") and is_denser:
            row, col = life.row * HIGH, life.col * WIDE
            field = bands[:, row + 3 : row + 21, col + 3 : col + 27]
            field *= np.array([0.4, 0.7, 0.35, 1.6], np.float32)[:, None, None]


def _burnt(shape: shapely.Geometry) -> NDArray[np.bool_]:
    rows, cols = np.mgrid[: ROWS * HIGH, : COLS * WIDE] + 0.5
    return np.asarray(shapely.contains_xy(shape, WEST + cols * PIXEL, NORTH - rows * PIXEL))


def _write_mask(path: Path, hidden: NDArray[np.bool_]) -> None:
    with rasterio.open(
        path, "w", driver="GTiff", dtype="uint8", count=1, height=hidden.shape[0],
        width=hidden.shape[1], crs=CRS, transform=Affine(PIXEL, 0, WEST, 0, -PIXEL, NORTH),
    ) as raster:  # fmt: skip
        raster.write(hidden.astype(np.uint8), 1)


def _write_parcels(path: Path) -> None:
    """Write the land use: borders of fields run through objects, in both directions."""
    found = []
    for row in range(-PARCEL_ROWS // 2, ROWS * HIGH, PARCEL_ROWS):
        for col in range(0, CROP_COLS * WIDE, PARCEL_COLS):
            found.append(("0103", box(row, col, PARCEL_ROWS, PARCEL_COLS)))
    found.append(("0301", box(0, CROP_COLS * WIDE, ROWS * HIGH, WIDE)))
    houses = [box(*b) for b in _hamlets()]
    around = box(0, (CROP_COLS + 1) * WIDE, ROWS * HIGH, WIDE)
    found.append(("0103", around.difference(shapely.union_all(houses))))
    found += [("0702", house) for house in houses]
    gpd.GeoDataFrame(
        {
            "BSM": [f"3703052100{i:08d}" for i in range(1, len(found) + 1)],
            "DLBM": [code for code, _ in found],
        },
        geometry=[shape for _, shape in found],
        crs=CRS,
    ).to_file(path, index=False)


def write_quarter(folder: Path, quarter: int, pairs: Pairs, **changes: object) -> Path:
    """Write the config of one quarter; return it."""
    before = 0 if pairs == "cumulative" else quarter - 1

    def epoch(day: int) -> dict[str, object]:
        told: dict[str, object] = {"scenes": [f"d{day}.tif"], "date": DAYS[day]}
        return told | ({"mask": "cloud.tif"} if day == HIDDEN_DAY else {})

    area = {"county_code": "370305", "county_name": "小县"}
    config = {
        "name": f"{pairs}-q{quarter}",
        "quarter": (quarter - 1) % 4 + 1,
        "area": area | {"aoi": f"{'narrow' if quarter == NARROW_QUARTER else 'whole'}.gpkg"},
        "before": epoch(before),
        "after": epoch(quarter),
        "layers": "LAYERS.yaml",
        "detection": {"method": "cva"},
        "clouds": {"search": "never"},
        "clue_list": "new",
        "landcover": {"trees": 9, "max_depth": 6, "samples_per_class": 400},
        "outputs": {"evidence": 0, "formats": ["xlsx"], "pictures": 0},
        **changes,
    }
    path = folder / f"{pairs}-q{quarter}.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return path
