"""The photo page: per clue a map with the places and directions of its photos, and the photos."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from clues.fieldphotos import MARKS, NEAR_M
from clues.outputs.mapparts import BasePictures, Bounds
from clues.outputs.page import write_page
from tiles.geodesy import metres_per_unit, transformer

__all__ = [
    "BASE_PX",
    "WORDS",
    "PhotoRecord",
    "photo_facts",
    "photo_frame",
    "write_photo_page",
]

SIDE = 420
ARROW = 26.0
BASE_PX = 420
WORDS = {
    "zh": {
        "title": "外业照片",
        "clue": "线索",
        "none": "无法对应线索的照片",
        "counts": "符合要求",
        "marked": "不作依据",
        "taken": "拍摄时间",
        "azimuth": "方位角",
        "magnetic": "磁北",
        "distance": "距图斑",
        "unknown": "不详",
        "colon": "：",
        "arrow": "箭头：拍摄方向；绿色符合要求，红色不作依据",
        "buffer": f"虚线：图斑外 {NEAR_M:.0f} 米",
        "base": "底图：后时相影像",
        "refused": "本次导入未收的文件",
    },
    "en": {
        "title": "Photos from the field",
        "clue": "Clue",
        "none": "Photos that belong to no clue",
        "counts": "counts",
        "marked": "does not count",
        "taken": "taken",
        "azimuth": "azimuth",
        "magnetic": "magnetic",
        "distance": "from the patch",
        "unknown": "unknown",
        "colon": ": ",
        "arrow": "arrows: directions; green ones count, red ones do not",
        "buffer": f"dashed: {NEAR_M:.0f} m around the patch",
        "base": "base: image of the later date",
        "refused": "Files of this import that were not taken",
    },
}


@dataclass(frozen=True)
class PhotoRecord:
    """What the run keeps of a photo; `thumbnail` is a JPEG."""

    sha256: str
    name: str
    clue_no: str
    lonlat: tuple[float, float] | None
    azimuth: float | None
    magnetic: bool
    taken: str
    distance_m: float | None
    marks: tuple[str, ...]


def write_photo_page(
    path: Path,
    records: Sequence[PhotoRecord],
    shapes: Mapping[str, Any],
    crs: str,
    thumbnail: Callable[[PhotoRecord], bytes],
    pictures: BasePictures | None,
    language: str,
    titled: tuple[str, str],
    refused: Sequence[tuple[str, str]] = (),
) -> None:
    """Write the page; it opens without network.

    Parameters
    ----------
    path : Path
        ``.html``
    records : sequence of PhotoRecord
        Of one clue in the order in which they are numbered.
    shapes : mapping of str to geometry
        Patches by clue number, in `crs`.
    crs : str
    thumbnail : callable
        Gives the JPEG of a record.
    pictures : callable or None
        Base picture.
    language : {"zh", "en"}
    titled : tuple of str
        Name of the run and credit line of its images.
    refused : sequence of (str, str)
        Files that were not taken, and why.
    """
    words = WORDS[language]
    groups = []
    for clue in sorted({r.clue_no for r in records}, key=lambda c: (not c, c)):
        own = [r for r in records if r.clue_no == clue]
        drawn = _map(own, shapes[clue], crs, pictures) if clue in shapes else None
        photos = [
            photo_facts(r, language)
            | {"number": i, "jpeg": base64.b64encode(thumbnail(r)).decode()}
            for i, r in enumerate(own, 1)
        ]
        groups.append({"clue": clue, "map": drawn, "photos": photos})
    write_page(
        path,
        "photos.html.j2",
        language=language,
        words=words,
        groups=groups,
        refused=refused,
        side=SIDE,
        run=titled[0],
        credit=titled[1],
        has_base=pictures is not None,
    )


def photo_facts(record: PhotoRecord, language: str) -> dict[str, Any]:
    """Return what is told of a photo in words: name, sha, taken, azimuth, distance, marks."""
    words, place = WORDS[language], 0 if language == "zh" else 1
    azimuth = words["unknown"]
    if record.azimuth is not None:
        azimuth = f"{record.azimuth:.0f}°" + (f" ({words['magnetic']})" if record.magnetic else "")
    far = words["unknown"] if record.distance_m is None else f"{record.distance_m:.0f} m"
    return {
        "name": record.name.rsplit("/", 1)[-1],
        "sha": record.sha256[:12],
        "taken": record.taken.replace("T", " ") or words["unknown"],
        "azimuth": azimuth,
        "distance": far,
        "marks": [MARKS[m][place] for m in record.marks],
    }


def photo_frame(
    records: Sequence[PhotoRecord], shape: Any, crs: str
) -> tuple[Bounds, list[tuple[int, PhotoRecord, float, float]], Any]:
    """Return the square that a patch and its photos lie in, their places, and 50 m around it.

    Parameters
    ----------
    records : sequence of PhotoRecord
        Of one clue.
    shape : Polygon or MultiPolygon
        In `crs`.
    crs : str

    Returns
    -------
    bounds : tuple of float
        West, south, east, north.
    near : list of (number, PhotoRecord, x, y)
        Photos that are not far away, numbered from one in the order of `records`.
    around : Polygon or MultiPolygon
        What lies within 50 m of the patch.
    """
    middle = shapely.centroid(shape)
    scale = np.array(metres_per_unit(crs, middle.x, middle.y))
    ground = shapely.transform(shape, lambda xy: (xy - (middle.x, middle.y)) * scale)
    near = []
    for i, record in enumerate(records, 1):
        place, distance = record.lonlat, record.distance_m
        if place is not None and distance is not None and distance <= 10 * NEAR_M:
            x, y = transformer("EPSG:4490", crs).transform(*place)
            near.append((i, record, float(x), float(y)))
    reach = max(float(np.abs(shapely.bounds(ground)).max()) + 1.6 * NEAR_M, 1.0)
    away = [abs(np.array([x - middle.x, y - middle.y]) * scale).max() for _, _, x, y in near]
    reach = max([reach, *(1.15 * float(a) for a in away)])
    half = reach / scale
    bounds = (middle.x - half[0], middle.y - half[1], middle.x + half[0], middle.y + half[1])
    around = shapely.transform(
        shapely.buffer(ground, NEAR_M), lambda xy: xy / scale + (middle.x, middle.y)
    )
    return bounds, near, around


def _map(
    records: Sequence[PhotoRecord], shape: Any, crs: str, pictures: BasePictures | None
) -> dict[str, Any]:
    """Return the parts of the map of a clue: rings, circle of 50 m, arrows, base picture."""
    bounds, near, around = photo_frame(records, shape, crs)
    west, south, east, north = bounds

    def to_svg(x: float, y: float) -> tuple[float, float]:
        across, up = (x - west) / (east - west), (north - y) / (north - south)
        return round(across * SIDE, 1), round(up * SIDE, 1)

    metres = metres_per_unit(crs, (west + east) / 2, (south + north) / 2)[0] * (east - west)
    return {
        "outline": _path(shape, to_svg),
        "buffer": _path(around, to_svg),
        "arrows": [_arrow(i, r, to_svg(x, y)) for i, r, x, y in near],
        "base": _base(pictures, bounds) if pictures is not None else "",
        "metres": f"{metres:.0f} m",
    }


def _path(shape: Any, to_svg: Callable[[float, float], tuple[float, float]]) -> str:
    parts = []
    for ring in shapely.get_rings(shapely.get_parts(shape)):
        points = [to_svg(x, y) for x, y in shapely.get_coordinates(ring)[:-1].tolist()]
        parts.append("M" + "L".join(f"{x:g} {y:g}" for x, y in points) + "Z")
    return "".join(parts)


def _arrow(number: int, record: PhotoRecord, at: tuple[float, float]) -> dict[str, Any]:
    x, y = at
    drawn: dict[str, Any] = {"number": number, "x": x, "y": y, "counts": not record.marks}
    if record.azimuth is None:
        return drawn | {"tip": None}
    turn = float(np.radians(record.azimuth))
    tip = _ahead(at, turn, ARROW)
    sides = [_ahead(tip, turn + np.pi + side * 0.45, 8.0) for side in (-1, 1)]
    return drawn | {"tip": tip, "sides": sides}


def _ahead(at: tuple[float, float], turn: float, length: float) -> tuple[float, float]:
    """Return a point so far ahead in a direction, clockwise from up."""
    x, y = at
    return round(x + length * float(np.sin(turn)), 1), round(y - length * float(np.cos(turn)), 1)


def _base(pictures: BasePictures, bounds: Bounds) -> str:
    """Return the base picture cut to the frame, as base64 of a JPEG."""
    from PIL import Image

    image, (west, south, east, north) = pictures(bounds, BASE_PX)
    height, width = image.shape[:2]
    left = (bounds[0] - west) / (east - west) * width
    right = (bounds[2] - west) / (east - west) * width
    upper = (north - bounds[3]) / (north - south) * height
    lower = (north - bounds[1]) / (north - south) * height
    cut = Image.fromarray(image).transform(
        (BASE_PX, BASE_PX), Image.Transform.EXTENT, (left, upper, right, lower)
    )
    out = io.BytesIO()
    cut.save(out, "JPEG", quality=80)
    return base64.b64encode(out.getvalue()).decode()
