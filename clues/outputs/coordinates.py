"""Clues as coordinate TXT, the exchange text of land parcels: what `clues.coordinatetext` reads."""

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.outputs.flat import flat_rows
from clues.outputs.national import last_day, national_zone, zone_crs_of
from clues.outputs.tables import ClueTables
from configs.errors import InputError
from tiles.files import atomic_path
from tiles.geodesy import transformer

__all__ = ["write_coordinates"]

DM2_PER_HA = Decimal(1_000_000)
HECTARE = Decimal("0.0001")
METRE_DECIMALS = 3
SEPARATORS = str.maketrans({",": "、", "\uff0c": "、", "@": " ", "\n": " ", "\r": " "})
"""What parts the fields of a record, and what may stand for it in a text."""


def write_coordinates(tables: ClueTables, path: Path) -> None:
    """Write the clues as coordinate TXT in the three-degree zone of their middle.

    X is north, Y is east with the number of the zone; each ring is closed, the outer one first.

    Parameters
    ----------
    tables : ClueTables
    path : Path
        ``.txt``, UTF-8; written atomically.

    Raises
    ------
    InputError
        If the clues lie in no zone of the country: the format has no other reference system.
    """
    clues = tables.clues
    zone = national_zone(tables)
    if zone is None:
        raise InputError(
            "the clues lie in no three-degree zone of the country, which coordinate TXT needs",
            tables.title.run_name,
            "choose another format, such as geojson or gpkg",
        )
    change = transformer(clues.crs.to_string(), zone_crs_of(zone))

    def to_zone(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(change.transform(xy[:, 0], xy[:, 1])).round(METRE_DECIMALS)

    moved = shapely.transform(clues.geometry.to_numpy(), to_zone)
    shapes = dict(zip(clues["patch_id"], moved, strict=True))
    areas = dict(zip(clues["patch_id"], clues["area_dm2"], strict=True))
    with atomic_path(path) as part, part.open("w", encoding="utf-8", newline="") as target:
        for line in _head(tables, zone):
            target.write(line + "\r\n")
        for patch, values in flat_rows(tables):
            for line in _parcel(shapes[patch], int(areas[patch]), values):
                target.write(line + "\r\n")


def _head(tables: ClueTables, zone: int) -> Iterator[str]:
    yield "[属性描述]"
    yield "格式版本号=1.01版本"
    yield f"数据产生单位={tables.title.county_name}"
    yield f"数据产生日期={last_day(tables).isoformat()}"
    yield "坐标系=2000国家大地坐标系"
    yield "几度分带=3"
    yield "投影类型=高斯克吕格"
    yield "计量单位=米"
    yield f"带号={zone}"
    yield "精度=0.001"
    yield "转换参数=0,0,0,0,0,0,0"
    yield "[地块坐标]"


def _parcel(shape: Any, area_dm2: int, values: Mapping[str, Any]) -> Iterator[str]:
    rings = [ring for part in shapely.get_parts(shape) for ring in (part.exterior, *part.interiors)]
    points = [shapely.get_coordinates(ring) for ring in rings]
    hectares = (Decimal(area_dm2) / DM2_PER_HA).quantize(HECTARE, ROUND_HALF_UP)
    named = (values["clue_no"], values["change"], "面", values["sheet"], "", values["class_code"])
    told = ",".join(str(value).translate(SEPARATORS) for value in named)
    yield f"{sum(len(p) for p in points)},{hectares},{told},@"
    number = 1
    for ring, own in enumerate(points, start=1):
        names = [*range(number, number + len(own) - 1), number]
        number += len(own) - 1
        for name, (east, north) in zip(names, own.tolist(), strict=True):
            yield f"J{name},{ring},{north:.{METRE_DECIMALS}f},{east:.{METRE_DECIMALS}f}"
