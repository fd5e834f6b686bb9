"""A public export: change counted on a coarse grid, nothing that leads back to a place or person.

Tables are made new from codes and sums, none is copied and blanked: ids of patches (hashes that
tell their first pixel to anyone who tries all pixels), clue numbers, documents, texts, names of
places and persons, outlines and pictures cannot slip through.
"""

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from clues.outputs.book import open_book, write_sheet
from clues.packagepublic import public_code
from clues.packagetotals import PackageTables
from configs.errors import InputError
from configs.units import metres2, mu
from configs.vocabulary import Language, Outcome, change_type, change_types
from tiles.geodesy import metres_per_unit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LEAST_CELL_M", "CellGrid", "PublicCells", "blur", "count_cells", "write_cells"]

LEAST_CELL_M = 500.0
"""Smaller cells would tell where a plot lies."""

FEW = 3
"""The area of fewer patches would be that of a plot: anyone with its plan could find it."""

AREA_STEP = 100_000
"""Areas of few patches are told in steps of 1000 m²."""

DEGREE_STEP = 0.001
STAMP = dt.datetime(2000, 1, 1)
UNITS = {"area_m2": metres2, "area_mu": mu}
HEADS = (
    ("x", "网格西边坐标", "west edge"),
    ("y", "网格南边坐标", "south edge"),
    ("county_code", "行政区代码", "county code"),
    ("change_type", "变化类型", "change type"),
    ("outcome", "判定建议", "outcome"),
    ("patches", "图斑数", "patches"),
    ("area_m2", "面积_平方米", "area in m²"),
    ("area_mu", "面积_亩", "area in mu"),
    ("rounded", "面积已取整", "area is rounded"),
)
ROUNDED = {"zh": ("", "是"), "en": ("", "yes")}


@dataclass(frozen=True)
class CellGrid:
    """Cells of one size, counted from (0, 0) of a CRS, so that exports of one size agree.

    Attributes
    ----------
    crs : str
    size_m : float
        As asked for.
    step : float
        Side of a cell in units of the CRS, never less on the ground than asked for.
    """

    crs: str
    size_m: float
    step: float

    @classmethod
    def over(cls, bounds: Iterable[float], crs: str, size_m: float) -> "CellGrid":
        """Return the cells for an area.

        Raises
        ------
        InputError
            If the cells are too small to hide a place.
        """
        if not math.isfinite(size_m) or size_m < LEAST_CELL_M:
            raise InputError(
                f"cells of {size_m:g} m would tell where plots lie",
                "--grid",
                f"write {LEAST_CELL_M:.0f} metres or more",
            )
        if not pyproj.CRS(crs).is_geographic:
            return cls(crs, size_m, float(math.ceil(size_m)))
        west, south, east, north = bounds
        far = max(abs(south), abs(north))
        least = min(metres_per_unit(crs, (west + east) / 2, far))
        steps = math.ceil(size_m / least / DEGREE_STEP)
        return cls(crs, size_m, round(steps * DEGREE_STEP, 3))

    def cells(self, shapes: NDArray[np.object_]) -> NDArray[np.int64]:
        """Return column and row of the cell that holds a point inside each shape."""
        points = shapely.get_coordinates(shapely.point_on_surface(shapes)).reshape(-1, 2)
        return np.asarray(np.floor(points / self.step), dtype=np.int64)


def count_cells(tables: PackageTables, grid: CellGrid) -> "pd.DataFrame":
    """Count patches by cell, county, change type and outcome.

    What leads of people opened is left out: it has no area, and its place is where they live.

    Returns
    -------
    DataFrame
        column, row, county_code, change_type, outcome, patches, area_dm2; sorted.
    """
    import pandas as pd

    patches = tables.patches
    if "origin" in patches:
        patches = patches[(patches["origin"] == "image").to_numpy()]
    place = grid.cells(patches.geometry.to_numpy())
    known, answers = {c.code for c in change_types()}, {o.value for o in Outcome}
    plain = pd.DataFrame(
        {
            "column": place[:, 0],
            "row": place[:, 1],
            "county_code": [public_code(c) for c in patches["county_code"]],
            "change_type": [c if c in known else "unknown" for c in patches["change_type"]],
            "outcome": [o if o in answers else "unresolved" for o in patches["outcome"]],
            "area_dm2": patches["area_dm2"].to_numpy(dtype=np.int64),
        }
    )
    keys = ["column", "row", "county_code", "change_type", "outcome"]
    grouped = plain.groupby(keys, sort=True)["area_dm2"]
    return grouped.agg(patches="size", area_dm2="sum").reset_index()


@dataclass(frozen=True)
class PublicCells:
    """Cells as the public sees them.

    Attributes
    ----------
    table : DataFrame
        As `count_cells`, and ``rounded``: whether the area of the row is.
    area_dm2 : int
        Of all patches; exact where they are not few.
    rounding_dm2 : int
        What is to be added to the areas of the rows to give that of all patches.
    """

    table: "pd.DataFrame"
    area_dm2: int
    rounding_dm2: int


def blur(cells: "pd.DataFrame") -> PublicCells:
    """Round areas so that none, and no difference of any, is that of fewer than `FEW` patches.

    Rows of few patches are rounded. Where those rows together hold few, the exact total less the
    other rows would be theirs: all rows are rounded then. The total of few patches is rounded too.
    """
    count, area = (cells[n].to_numpy(dtype=np.int64) for n in ("patches", "area_dm2"))
    few = count < FEW
    if 0 < int(count[few].sum()) < FEW:
        few = np.full(len(cells), fill_value=True)
    steps = np.maximum((2 * area + AREA_STEP) // (2 * AREA_STEP), 1)
    told = np.where(few, steps * AREA_STEP, area)
    total = int(area.sum()) if int(count.sum()) >= FEW else int(told.sum())
    table = cells.assign(area_dm2=told, rounded=few.astype(np.int64))
    return PublicCells(table, total, total - int(told.sum()))


def write_cells(found: PublicCells, grid: CellGrid, folder: Path) -> dict[str, tuple[str, str]]:
    """Write the cells as CSV, XLSX and GeoPackage; return what each file is, zh and en."""
    import geopandas as gpd
    import pandas as pd

    cells = found.table
    digits = 0 if grid.step == int(grid.step) else 3
    corner = {
        name: [round(int(i) * grid.step, digits) for i in cells[of]]
        for name, of in (("x", "column"), ("y", "row"))
    }
    if digits == 0:
        corner = {name: [int(v) for v in values] for name, values in corner.items()}
    table = pd.DataFrame(corner)
    for name in ("county_code", "change_type", "outcome", "patches", "area_dm2"):
        table[name] = cells[name].to_numpy()
    exact = {name: [of(int(a)) for a in cells["area_dm2"]] for name, of in UNITS.items()}
    table = table.assign(**{n: pd.Series(v, dtype=object) for n, v in exact.items()})
    table["rounded"] = cells["rounded"].to_numpy()
    table.to_csv(folder / "cells.csv", index=False, encoding="utf-8-sig", lineterminator="\n")
    _write_book(table, found, folder / "cells.xlsx")
    x, y = (table[n].to_numpy(dtype=float) for n in ("x", "y"))
    far = [np.round(v + grid.step, 3) for v in (x, y)]
    plain = table.assign(**{name: table[name].astype(float) for name in UNITS})
    squares = gpd.GeoDataFrame(plain, geometry=shapely.box(x, y, *far), crs=grid.crs)
    _write_layer(squares, folder / "cells.gpkg")
    return {
        "cells.csv": ("按网格汇总的变化", "change counted by cells"),
        "cells.xlsx": ("按网格汇总的变化（表格）", "change counted by cells, as a workbook"),
        "cells.gpkg": ("按网格汇总的变化（图层）", "change counted by cells, as a map layer"),
    }


def _write_book(table: "pd.DataFrame", found: PublicCells, path: Path) -> None:
    """Write the cells as a sheet per language, with the totals in a last row."""
    patches = int(table["patches"].sum())
    with open_book(path, {}) as book:
        book.book.set_properties({"created": STAMP})
        words: tuple[tuple[Language, int, str, str], ...] = (
            ("zh", 1, "取整差额", "合计"),
            ("en", 2, "rounding", "total"),
        )
        for language, place, rounding, total in words:
            rows = [_said(row, language) for row in table.to_dict("records")]
            sums = [(rounding, None, found.rounding_dm2)] if found.rounding_dm2 else []
            for name, count, area in [*sums, (total, patches, found.area_dm2)]:
                rows.append([name, *[None] * 4, count, metres2(area), mu(area), ""])
            name = "网格汇总" if language == "zh" else "cells"
            write_sheet(book, name, [head[place] for head in HEADS], rows)


def _said(row: dict[Any, Any], language: Language) -> list[Any]:
    """Return a row with the names of its change type and outcome."""
    kind, outcome = change_type(row["change_type"]), Outcome(row["outcome"])
    said = row | {
        "change_type": kind.name_zh if language == "zh" else kind.name_en,
        "outcome": outcome.name_zh if language == "zh" else outcome.name_en,
        "rounded": ROUNDED[language][int(row["rounded"])],
    }
    values = [said[name] for name, *_ in HEADS]
    return [v.item() if isinstance(v, np.generic) else v for v in values]


def _write_layer(squares: Any, path: Path) -> None:
    """Write a GeoPackage that does not tell when it was written."""
    import pyogrio

    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{STAMP:%Y-%m-%dT%H:%M:%SZ}"})
    try:
        squares.to_file(path, layer="cells", driver="GPKG", engine="pyogrio", index=False)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
