"""The layer of patches that interpreters edit: written for them, and read back with checks."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from clues.redrawn import Drawn
from configs.errors import InputError
from configs.units import metres2
from configs.vocabulary import change_types, find_use, uses
from tiles.files import atomic_path
from tiles.geodesy import ellipsoidal_area

__all__ = ["LAYER", "PatchFault", "overlaps", "read_drawn", "write_editable"]

LAYER = "patches"
COLUMNS = ("patch_id", "clue_no", "change_type", "use", "outcome", "rule", "area_m2", "version")
MOST_BYTES = 1 << 30
MOST_FEATURES, MOST_POINTS = 500_000, 20_000_000
LEAST_M2 = 1.0
TOLERANCE_DM2 = 1.0
"""What two patches may have in common: 0.01 m²."""
FIX = "write the layer again with `tuban patches export`, and edit that one"


@dataclass(frozen=True)
class PatchFault:
    """Why a feature cannot be taken; `row` counts features from 1."""

    row: int
    patch_id: str
    what: str
    where: str
    fix: str


def write_editable(patches: gpd.GeoDataFrame, version: str, path: Path) -> None:
    """Write patches as a GeoPackage to edit: layer ``patches``.

    Parameters
    ----------
    patches : GeoDataFrame
        With `clue_no`, `outcome`, `rule`.
    version : str
        Names the version of the patches; stands on every feature.
    path : Path
        Written atomically.
    """
    table = patches.assign(
        area_m2=[float(metres2(a)) for a in patches["area_dm2"]], version=version
    )
    with atomic_path(path) as part:
        table[[*COLUMNS, "geometry"]].to_file(part, layer=LAYER, driver="GPKG", engine="pyogrio")


def read_drawn(
    path: Path, patches: gpd.GeoDataFrame, version: str, bounds: tuple[float, ...]
) -> tuple[list[Drawn], list[PatchFault]]:
    """Read an edited layer and check every outline by itself.

    Parameters
    ----------
    path : Path
        ``.gpkg`` of `write_editable`, edited in any program.
    patches : GeoDataFrame
        The patches as they are.
    version : str
        Their version; a layer of another one is refused.
    bounds : tuple of float
        Of the images, in the CRS of `patches`.

    Raises
    ------
    InputError
        If the layer as a whole cannot be used.
    """
    table = _opened(path)
    _require_version(table, version, path)
    crs = patches.crs.to_string()
    moved = table.geometry if table.crs == patches.crs else table.geometry.to_crs(patches.crs)
    outline = shapely.force_2d(moved.to_numpy())
    frame = shapely.box(*bounds)
    known = set(patches["patch_id"])
    drawn, faults = [], []
    size = ellipsoidal_area(np.where(_usable(outline), outline, shapely.Polygon()), crs)
    columns = [_column(table, name) for name in ("patch_id", "change_type", "use")]
    for i, (number, kind, use) in enumerate(zip(*columns, strict=True)):
        fault = _outline_fault(outline[i], float(size[i]), frame)
        codes = _codes(kind, use)
        if fault is None and number and number not in known:
            what = f"the run has no patch {number!r}"
            fault = (what, "", "leave patch_id empty for what is new")
        if fault is None and isinstance(codes, str):
            fault = (codes, "", "write a code, or its Chinese or English name")
        if fault is None and not number and not any(codes):
            fault = ("a new patch says nothing of what changed", "", "fill in change_type or use")
        if fault is not None or isinstance(codes, str):
            what, where, fix = fault or ("", "", "")
            faults.append(PatchFault(i + 1, number, what, where, fix))
            continue
        drawn.append(Drawn(i + 1, number, *codes, outline[i]))
    return drawn, faults


def _opened(path: Path) -> gpd.GeoDataFrame:
    """Return the layer of polygons of a GeoPackage, within limits."""
    import pyogrio

    if not path.is_file():
        raise InputError("the file does not exist", str(path), "name an edited GeoPackage (.gpkg)")
    with path.open("rb") as handle:
        sqlite = handle.read(16) == b"SQLite format 3\x00"
    if not sqlite or path.stat().st_size > MOST_BYTES:
        raise InputError("it is no GeoPackage of up to 1 GB", str(path), FIX)
    try:
        names = [str(n) for n, kind in pyogrio.list_layers(path) if kind]
        name = LAYER if LAYER in names else names[0] if len(names) == 1 else ""
        if not name:
            told = ", ".join(names[:5]) or "none"
            raise InputError(f"it has no layer {LAYER!r}; layers: {told}", str(path), FIX)
        count = int(pyogrio.read_info(path, layer=name)["features"])
        if count > MOST_FEATURES:
            raise InputError(f"{count} features, at most {MOST_FEATURES}", str(path), FIX)
        table = pyogrio.read_dataframe(path, layer=name)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise InputError(f"it cannot be read ({error})", str(path), FIX) from error
    except (shapely.errors.GEOSException, ValueError, UnicodeDecodeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"an outline is damaged ({error})", str(path), FIX) from error
    if not isinstance(table, gpd.GeoDataFrame) or table.crs is None:
        raise InputError(
            "the layer has no coordinate reference system", str(path), "set it, then save again"
        )
    if "patch_id" not in table:
        raise InputError("the column 'patch_id' is gone", str(path), FIX)
    if int(shapely.get_num_coordinates(table.geometry.to_numpy()).sum()) > MOST_POINTS:
        raise InputError(f"more than {MOST_POINTS} points", str(path), FIX)
    return table


def _require_version(table: gpd.GeoDataFrame, version: str, path: Path) -> None:
    found = sorted({v for v in _column(table, "version") if v})
    if found and found != [version]:
        raise InputError(
            f"it was written from version {', '.join(found[:3])}, the run is at {version}",
            str(path),
            FIX,
        )


def _column(table: gpd.GeoDataFrame, name: str) -> list[str]:
    if name not in table:
        return [""] * len(table)
    return ["" if v is None or v != v else str(v).strip() for v in table[name]]


def _usable(outline: NDArray[np.object_]) -> NDArray[np.bool_]:
    kinds = np.isin(shapely.get_type_id(outline), (3, 6))
    return np.asarray(kinds & shapely.is_valid(outline), dtype=bool)


def _outline_fault(outline: Any, size_m2: float, frame: Any) -> tuple[str, str, str] | None:
    if outline is None or shapely.is_empty(outline):
        return "it has no outline", "", "delete the row"
    if shapely.get_type_id(outline) not in (3, 6):
        return "it is no polygon", "", "draw an area"
    if not np.isfinite(shapely.get_coordinates(outline)).all():
        return "it has coordinates that are no numbers", "", "draw it again"
    centre = shapely.get_coordinates(shapely.centroid(outline)).ravel().tolist()
    place = " ".join(f"{v:.2f}" for v in centre)
    if not shapely.is_valid(outline):
        reason = str(shapely.is_valid_reason(outline))
        return f"its outline is not valid: {reason}", place, "in QGIS: Vector › Fix geometries"
    if size_m2 < LEAST_M2:
        return f"it has only {size_m2:.2f} m²", place, "delete the sliver, or join it to a patch"
    if not shapely.covers(frame, outline):
        return "it reaches beyond the images of the run", place, "cut it at their edge"
    return None


def _codes(kind: str, use: str) -> tuple[str, str] | str:
    """Return the codes of change type and use, or what is wrong with them."""
    code = ""
    if kind:
        named = {w.casefold(): t.code for t in change_types() for w in _names(t)}
        found = named.get(kind.casefold())
        if found is None:
            near = difflib.get_close_matches(kind.casefold(), list(named), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return f"change_type {kind[:40]!r} is not known{hint}"
        code = found
    if not use:
        return code, ""
    known = uses().get(use) or find_use(use)
    if known is None:
        return f"use {use[:40]!r} is not known"
    return code, known.code


def _names(kind: Any) -> tuple[str, str, str]:
    return kind.code, kind.name_zh, kind.name_en


def overlaps(
    ids: list[str], outlines: NDArray[np.object_], touched: set[str], crs: str
) -> list[tuple[str, str, float]]:
    """Return pairs of patches that share ground, one of them touched, with their common m²."""
    tree = shapely.STRtree(outlines)
    left, right = tree.query(outlines, predicate="intersects")
    first = left < right
    own = np.array([i in touched for i in ids], dtype=bool)
    chosen = first & (own[left] | own[right])
    left, right = left[chosen], right[chosen]
    common = shapely.intersection(outlines[left], outlines[right])
    areas = ellipsoidal_area(common, crs)
    pairs = [
        (ids[a], ids[b], float(m2))
        for a, b, m2 in zip(left.tolist(), right.tolist(), areas, strict=True)
        if m2 * 100 > TOLERANCE_DM2
    ]
    return sorted(pairs)
