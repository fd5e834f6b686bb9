"""`tuban assess`: a change map against a truth, or against a sample that people looked at."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from models.areas import AreaEstimate, allocate, draw_stratified, estimate_areas
from models.changescores import (
    PatchScores,
    PixelScores,
    boundary_iou,
    score_patches,
    score_pixels,
)
from tiles.changemap import ChangeMap, MapStrips, burn_truth, read_change_map, write_picture
from tiles.files import write_json
from tiles.geodesy import transformer

__all__ = ["against_sample", "against_truth", "design_sample"]

NOT_OBSERVED, NO_CHANGE = 0, 1
Units = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Rows, columns and strata of pixels."""

STRATA = ("no change", "change")
VECTORS = (".gpkg", ".geojson", ".json", ".shp", ".parquet", ".gml", ".kml")
BOUNDARY_PX = 2
"""Width of the rims that boundary IoU compares."""

COLOURS = np.array([[236, 236, 236], [46, 139, 87], [214, 69, 65], [240, 173, 49], [90, 90, 90]])
"""Neither, hit, missed, false alarm, not observed."""


def against_truth(
    map_path: Path,
    truth_path: Path,
    out: Path,
    *,
    share: float,
    pixel_m: float | None,
    changed: Sequence[int] = (),
) -> dict[str, Any]:
    """Score a map against a truth of every pixel; write ``assessment.json`` and ``errors.png``.

    Parameters
    ----------
    map_path : Path
        0 not observed, 1 no change, 2 and more changed.
    truth_path : Path
        Raster on the same pixels or polygons of the change.
    out : Path
        Folder.
    share : float
        Part of a patch that must be covered to count as found, 0–1.
    pixel_m : float, optional
        Ground size of a pixel, for maps without a CRS.
    changed : sequence of int
        Values of the truth raster that are change; none given: all but 0.
    """
    found = read_change_map(map_path)
    truth = _truth(truth_path, found, changed)
    valid, mapped = found.classes != NOT_OBSERVED, found.classes > NO_CHANGE
    pixel_m2 = pixel_m**2 if pixel_m else found.pixel_m2
    if pixel_m2 is None:
        raise InputError(
            "the map has no CRS: the size of its pixels is not known",
            str(map_path),
            "give --pixel-m, the ground size of a pixel in metres",
        )
    pixels = score_pixels(truth, mapped, valid)
    patches = score_patches(truth, mapped, valid, pixel_m2=pixel_m2, share=share)
    result = {
        "map": str(map_path),
        "truth": str(truth_path),
        "pixel_m2": pixel_m2,
        "not_observed_percent": round(100.0 * float((~valid).mean()), 3),
        "pixels": _pixels(pixels)
        | {"boundary_iou": boundary_iou(truth, mapped, valid, distance_px=BOUNDARY_PX)},
        "patches": [_patches(p) for p in patches],
        "covered_share": share,
    }
    kind = np.where(truth & mapped, 1, np.where(truth, 2, np.where(mapped, 3, 0)))
    kind[~valid] = 4
    write_picture(out / "errors.png", COLOURS[kind].astype(np.uint8))
    write_json(out / "assessment.json", result)
    return result


def _truth(path: Path, found: ChangeMap, changed: Sequence[int]) -> NDArray[np.bool_]:
    if path.suffix.lower() not in VECTORS:
        return _changed(read_change_map(path, found), changed)
    from clues.sources import open_source

    if changed:
        raise InputError(
            "a changed value is named, but the truth is polygons",
            str(path),
            "leave out --changed: every polygon is change",
        )
    if found.facts.crs is None:
        raise InputError(
            "the map has no CRS: polygons cannot be laid over it",
            str(found.path),
            "give the truth as a raster",
        )
    table = open_source(path)
    if table.crs is None:
        raise InputError("the polygons have no CRS", str(path), "save them with one")
    return burn_truth(table.geometry.to_crs(found.facts.crs).to_numpy(), found) > 0


def _changed(truth: ChangeMap, changed: Sequence[int]) -> NDArray[np.bool_]:
    """Return where a truth raster says change; refuse one that may count from one."""
    if changed:
        return np.isin(truth.classes, changed)
    values = np.unique(truth.classes).tolist()
    if values[0] == NO_CHANGE:
        raise InputError(
            f"the truth holds {', '.join(map(str, values))} and no 0: which of them is change?",
            str(truth.path),
            "name it: --changed 2 where 1 is no change, as in a map of tuban, --changed 1 where 1 "
            "is change; repeat the option for several",
        )
    return truth.classes > 0


def _pixels(scores: PixelScores) -> dict[str, Any]:
    names = ("precision", "recall", "f1", "iou", "kappa")
    return asdict(scores) | {name: getattr(scores, name) for name in names}


def _patches(scores: PatchScores) -> dict[str, Any]:
    return asdict(scores) | {name: getattr(scores, name) for name in ("precision", "recall", "f1")}


def design_sample(map_path: Path, units: int, out: Path) -> dict[str, Any]:
    """Draw a sample stratified by the map; write ``sample.geojson`` to be filled in.

    Parameters
    ----------
    map_path : Path
        Map with a CRS.
    units : int
        Sample units in all.
    out : Path
        Folder.
    """
    found = MapStrips(map_path)
    if found.facts.crs is None:
        raise InputError(
            "the map has no CRS: nobody could find its pixels", str(map_path), "georeference it"
        )
    pixels, (rows, cols, strata) = _candidates(found, units)
    take = allocate(pixels, units)
    drawn = draw_stratified(rows, cols, strata, take)
    lon, lat = _places(found, rows[drawn], cols[drawn])
    features = [
        {
            "type": "Feature",
            "geometry": {
                "type": "Point",
                "coordinates": [round(float(lon[k]), 9), round(float(lat[k]), 9)],
            },
            "properties": {
                "unit": k + 1,
                "row": int(rows[i]),
                "col": int(cols[i]),
                "mapped": STRATA[int(strata[i])],
                "reference": None,
            },
        }
        for k, i in enumerate(drawn)
    ]
    write_json(out / "sample.geojson", {"type": "FeatureCollection", "features": features})
    return {"strata": dict(zip(STRATA, take, strict=True)), "units": len(drawn)}


def _candidates(found: MapStrips, units: int) -> tuple[list[int], Units]:
    """Return the pixels of each stratum, and row, column and stratum of the first ones to draw."""
    pixels, kept = [0] * len(STRATA), (np.zeros(0, np.int64),) * 3
    for first, classes in found:
        rows, cols = np.nonzero(classes != NOT_OBSERVED)
        strata = (classes[rows, cols] > NO_CHANGE).astype(np.int64)
        for s in range(len(STRATA)):
            pixels[s] += int((strata == s).sum())
        kept = _first_units(_first_units((rows + first, cols, strata), units), units, kept)
    return pixels, kept


def _first_units(found: Units, units: int, kept: Units | None = None) -> Units:
    """Return the first units of each stratum to draw, of some and of others kept before."""
    if kept is not None:
        rows, cols, strata = (np.concatenate(p) for p in zip(kept, found, strict=True))
        found = rows, cols, strata
    drawn = draw_stratified(*found, [units] * len(STRATA))
    return found[0][drawn], found[1][drawn], found[2][drawn]


def _places(
    found: MapStrips, rows: NDArray[np.int64], cols: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return longitude and latitude (WGS 84) of the centres of pixels."""
    t = found.facts.transform
    right, down = cols + 0.5, rows + 0.5
    x, y = t.a * right + t.b * down + t.c, t.d * right + t.e * down + t.f
    lon, lat = transformer(str(found.facts.crs), "EPSG:4326").transform(x, y)
    return np.asarray(lon), np.asarray(lat)


def against_sample(map_path: Path, sample_path: Path, out: Path) -> AreaEstimate:
    """Estimate areas and accuracies from an interpreted sample; write ``assessment.json``.

    Parameters
    ----------
    map_path : Path
    sample_path : Path
        The file of `design_sample` with ``reference`` filled in: ``change`` or ``no change``.
    out : Path
        Folder.
    """
    from clues.sources import open_source

    found = MapStrips(map_path)
    pixel_m2 = found.pixel_m2 or 0.0
    table = open_source(sample_path)
    missing = [name for name in ("unit", "row", "col", "reference") if name not in table]
    if missing:
        raise InputError(
            f"the sample lacks {', '.join(missing)}",
            str(sample_path),
            "fill in the file that `tuban assess MAP --design N` writes",
        )
    rows, cols = table["row"].to_numpy(np.int64), table["col"].to_numpy(np.int64)
    mapped, seen = _mapped(found, rows, cols)
    reference = _reference(list(table["reference"]), list(table["unit"]), sample_path)
    counts = np.zeros((len(STRATA), len(STRATA)), np.int64)
    np.add.at(counts, (mapped, reference), 1)
    hectares = [float(n) * pixel_m2 / 10_000 for n in seen]
    estimate = estimate_areas(counts, hectares, STRATA)
    values = asdict(estimate) | {
        "proportions": estimate.proportions.tolist(),
        "counts": counts.tolist(),
        "map": str(map_path),
        "sample": str(sample_path),
        "area_unit": "ha",
    }
    write_json(out / "assessment.json", values)
    return estimate


def _mapped(
    found: MapStrips, rows: NDArray[np.int64], cols: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[int]]:
    """Return the stratum of some pixels, and how many pixels each stratum has in all."""
    mapped, seen = np.zeros(len(rows), np.int64), [0] * len(STRATA)
    for first, classes in found:
        own = (rows >= first) & (rows < first + classes.shape[0])
        mapped[own] = classes[rows[own] - first, cols[own]] > NO_CHANGE
        changed = classes[classes != NOT_OBSERVED] > NO_CHANGE
        seen[0] += int((~changed).sum())
        seen[1] += int(changed.sum())
    return mapped, seen


def _reference(told: Sequence[object], units: Sequence[object], path: Path) -> NDArray[np.int64]:
    """Return the stratum that people saw at each unit."""
    found = np.empty(len(told), np.int64)
    for i, (value, unit) in enumerate(zip(told, units, strict=True)):
        text = str(value).strip().lower()
        if text not in STRATA:
            raise InputError(
                f"unit {unit} has the reference {value!r}",
                f"{path}, row {i + 1}",
                f"write {' or '.join(STRATA)}; a unit that cannot be told must be replaced",
            )
        found[i] = STRATA.index(text)
    return found
