"""The quality check of a One-Map: every layer, every row, and the layers against each other.

Each source is checked in the CRS it was drawn in. A layer that is refused does not stop the
check of the others.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from clues.columnchecks import check_codes, check_dates, check_missing, check_sums
from clues.layerrows import named_as_delivered
from clues.layers import (
    ANY_GEOMETRY,
    DOCUMENT_ROLES,
    OVERLAP_CODES,
    LayerTable,
    read_role,
    with_versions,
)
from clues.localcrs import accuracy
from clues.quality import REPORT_COLUMNS, overlapping_features, report_rows
from clues.topology import gaps, outer_rings, outside, overlaps, same_outlines, slivers
from clues.webmaps import suspect_fields, suspect_shift
from configs.errors import LayerError
from configs.layers import SQUARE_METRES, LayersFile, LocalCrs, role_fields
from configs.problems import unit_name
from configs.vocabulary import roles
from tiles.geodesy import ellipsoidal_area, to_cgcs2000, transformer

__all__ = ["CheckedLayer", "LayersCheck", "check_layers"]

TOPOLOGY_ROLES = ("landuse", "basic_farmland")
"""Roles whose polygons must not overlap, whatever the layers file says."""

GAPLESS_ROLES = ("landuse",)
OUTLINE_ROLES = ("division", "village_area", "growth_boundary", "plan")
"""Roles whose outlines may come from a web map."""

CHECKED_HERE = frozenset({"overlap", "repeated_approval", "repeated_supply", "area_differs"})
"""Codes that reading reports less strictly; the check finds them itself."""

AREA_TOLERANCE = {"landuse": 0.005, "basic_farmland": 0.005}
"""Relative difference of a stated area from the ellipsoidal one; 0.05 for other roles."""

MIN_DIFFERENCE_M2 = 1.0
OUTSIDE_SHARE = 0.01
MIN_ROWS_OF_UNIT, SHARE_OF_UNIT, UNIT_TOLERANCE = 5, 0.8, 0.03

Shapes = NDArray[np.object_]


@dataclass(frozen=True)
class CheckedLayer:
    """What was checked of one role.

    Attributes
    ----------
    fields : dict of str to str
        Internal field and the source field it was read from.
    absent : tuple of str
        Fields of the role that no source has.
    refused : str
        Why the layer is refused; "" if it is not.
    accuracy : str
        How well the local systems of its sources fit; "" without any.
    """

    role: str
    sources: tuple[str, ...]
    crs: str
    version: str
    on_map: int
    not_on_map: int
    fields: dict[str, str]
    absent: tuple[str, ...]
    refused: str = ""
    accuracy: str = ""


@dataclass(frozen=True)
class LayersCheck:
    """The result of a check.

    Attributes
    ----------
    findings : DataFrame
        ``role`` and `clues.quality.REPORT_COLUMNS`, one row per defect; row 0 is the whole layer.
    not_checked : tuple of (zh, en)
        What could not be checked, and why.
    """

    layers: tuple[CheckedLayer, ...]
    findings: pd.DataFrame
    not_checked: tuple[tuple[str, str], ...]

    @property
    def refused(self) -> bool:
        """Whether a layer is refused."""
        return any(layer.refused for layer in self.layers)


def check_layers(file: LayersFile, *, today: dt.date) -> LayersCheck:
    """Check all layers of a layers file.

    Parameters
    ----------
    file : LayersFile
    today : date
        Later dates lie in the future.
    """
    file = with_versions(file)
    tables: dict[str, LayerTable] = {}
    checked, frames = [], []
    for role in roles():
        specs = tuple(spec for spec in file.layers if spec.role == role)
        if not specs:
            continue
        names = tuple(spec.name for spec in specs)
        try:
            layer = read_role(role, specs, checked=True)
        except LayerError as error:
            facts = {"what": error.what, "fix": error.fix}
            row = report_rows("refused", names[0], np.zeros(1, np.int64), facts=facts)
            frames.append(row.assign(role=role))
            checked.append(CheckedLayer(role, names, "", "", 0, 0, {}, (), error.what))
            continue
        tables[role] = layer
        checked.append(_summary(layer, names))
        frames.append(_check_layer(layer, today, file.oldest).assign(role=role))
    frames.extend(_check_between(tables))
    findings = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    findings = findings.reindex(columns=["role", *REPORT_COLUMNS])
    place = findings["role"].map({r: i for i, r in enumerate(roles())})
    order = np.lexsort(
        [findings[c].fillna("").astype(str) for c in ("problem", "field", "code")]
        + [findings["row"], findings["source"], place]
    )
    return LayersCheck(
        tuple(checked), findings.iloc[order].reset_index(drop=True), _not_checked(tables)
    )


def _summary(layer: LayerTable, names: tuple[str, ...]) -> CheckedLayer:
    fields = {name: column for part in layer.columns for name, column in part.items()}
    absent = tuple(n for n in role_fields(layer.role) if n not in fields)
    lost = len(layer.not_on_map)
    crs = layer.table.crs.to_string()
    fits = [accuracy(s.crs, s.name).text() for s in layer.specs if isinstance(s.crs, LocalCrs)]
    size = len(layer.table)
    return CheckedLayer(
        layer.role, names, crs, layer.version, size, lost, fields, absent, "", "; ".join(fits)
    )


def _check_layer(layer: LayerTable, today: dt.date, oldest: dt.date) -> pd.DataFrame:
    """Return all findings within one role."""
    mapped = {name for part in layer.columns for name in part}
    read = layer.rejects[~layer.rejects["code"].isin(CHECKED_HERE)]
    frames = list[pd.DataFrame]()
    table = pd.DataFrame(layer.table.drop(columns="geometry"))
    rows = pd.concat([table, layer.not_on_map.drop(columns="geometry", errors="ignore")])
    rows = rows.reset_index(drop=True)
    frames.append(check_missing(layer.role, rows, _reported(layer)))
    frames.extend(check_codes(layer.role, rows, mapped))
    frames.extend(check_dates(layer.role, rows, today, oldest))
    if {"area_m2", "deducted_m2", "net_m2"} <= mapped:
        frames.append(check_sums(rows))
    if layer.role not in ANY_GEOMETRY and len(layer.table):
        frames.extend(_check_geometry(layer, mapped))
    found = [named_as_delivered(f, layer.specs, layer.columns) for f in frames]
    report = pd.concat([f for f in (read, *found) if len(f)] or [read], ignore_index=True)
    doubled = report.loc[report["code"] == "duplicate_feature", "key"]
    return report[(report["code"] != "double_id") | ~report["key"].isin(doubled)]


def _reported(layer: LayerTable) -> set[tuple[str, int, str]]:
    """Return (source, row, internal field) of the values that reading has reported."""
    names: dict[tuple[str, str], list[str]] = {}
    for spec, columns in zip(layer.specs, layer.columns, strict=True):
        for name, column in columns.items():
            names.setdefault((spec.name, column), []).append(name)
    wrong = layer.rejects[layer.rejects["code"].isin(("value_missing", "unreadable_value"))]
    return {
        (source, int(row), name)
        for source, row, column in wrong[["source", "row", "field"]].to_numpy()
        for name in names.get((source, column), [])
    }


def _rows_at(layer: LayerTable, code: str, at: Any, field: str, **more: Any) -> pd.DataFrame:
    chosen = layer.table.iloc[at]
    sources, keys = (chosen[c].to_numpy(dtype=object) for c in ("source", "key"))
    return report_rows(code, sources, chosen["row"].to_numpy(), keys=keys, field=field, **more)


def _check_geometry(layer: LayerTable, mapped: set[str]) -> list[pd.DataFrame]:
    """Return findings of doubles, overlaps, gaps, slivers and stated areas."""
    shape, keys = layer.table.geometry.to_numpy(), layer.table["key"].to_numpy(dtype=object)
    crs = layer.table.crs.to_string()
    area = ellipsoidal_area(shape, crs)
    frames = []
    later, first = same_outlines(shape)
    if layer.role in OVERLAP_CODES:  # another document for the same place is no double
        base = np.array([k.partition("#")[0] for k in keys], dtype=object)
        same = base[later] == base[first]
        later, first = later[same], first[same]
    facts = [{"other": keys[i]} for i in first]
    frames.append(_rows_at(layer, "duplicate_feature", later, "geometry", facts=facts))
    frames.append(_overlaps(layer, shape, crs, set(later.tolist())))
    thin, width = slivers(shape, area, crs)
    facts = [
        {"area": f"{area[i]:.2f}", "width": f"{w:.3f}"} for i, w in zip(thin, width, strict=True)
    ]
    frames.append(_rows_at(layer, "sliver", thin, "geometry", facts=facts))
    if layer.role in GAPLESS_ROLES:
        hole, beside, size = gaps(shape, crs)
        points = to_cgcs2000(shapely.get_coordinates(shapely.point_on_surface(hole)), crs)
        facts = [
            {"area": f"{a:.2f}", "place": f"{p[0]:.6f}, {p[1]:.6f}"}
            for a, p in zip(size, points, strict=True)
        ]
        frames.append(_rows_at(layer, "gap", beside, "geometry", facts=facts))
    if "area_m2" in mapped and layer.role != "facility":
        frames.append(_areas(layer, area))
    return frames


def _overlaps(layer: LayerTable, shape: Shapes, crs: str, doubles: set[int]) -> pd.DataFrame:
    keys = layer.table["key"].to_numpy(dtype=object)
    documents = layer.role in OVERLAP_CODES
    if layer.role in TOPOLOGY_ROLES or (any(s.no_overlap for s in layer.specs) and not documents):
        first, second, area = overlaps(shape, crs)
    elif documents:
        first, second, area = overlapping_features(shape, lambda g: ellipsoidal_area(g, crs))
    else:
        first = second = np.empty(0, dtype=np.int64)
        area = np.empty(0)
    pairs = zip(first.tolist(), second.tolist(), strict=True)
    keep = np.array([not doubles & {a, b} for a, b in pairs], dtype=bool)
    first, second, area = first[keep], second[keep], area[keep]
    facts = [{"other": keys[j], "area": f"{a:.2f}"} for j, a in zip(second, area, strict=True)]
    code = OVERLAP_CODES.get(layer.role, "overlap")
    return _rows_at(layer, code, first, "geometry", facts=facts)


def _areas(layer: LayerTable, drawn: NDArray[np.float64]) -> pd.DataFrame:
    stated = layer.table["area_m2"].to_numpy(dtype=float)
    limit = np.maximum(
        MIN_DIFFERENCE_M2, AREA_TOLERANCE.get(layer.role, 0.05) * np.fmax(stated, drawn)
    )
    with np.errstate(invalid="ignore"):
        wrong = np.flatnonzero(np.abs(stated - drawn) > limit)
    unit = _wrong_unit(layer, stated[wrong], drawn[wrong])
    if unit is not None:
        row, source = np.zeros(1, np.int64), layer.specs[0].name
        return report_rows("unit_suspected", source, row, field="area_m2", facts=unit)
    facts = [{"stated": f"{stated[i]:.2f}", "drawn": f"{drawn[i]:.2f}"} for i in wrong]
    return _rows_at(layer, "area_differs", wrong, "area_m2", facts=facts)


def _wrong_unit(
    layer: LayerTable, stated: NDArray[np.float64], drawn: NDArray[np.float64]
) -> dict[str, Any] | None:
    """Return what to say where nearly all areas are off by the factor between two units."""
    count = len(layer.table)
    if count < MIN_ROWS_OF_UNIT or len(stated) < SHARE_OF_UNIT * count or (drawn <= 0).any():
        return None
    spec = layer.specs[0]
    unit = spec.units.get("area_m2", role_fields(layer.role, checked=True)["area_m2"].unit)
    factor = float(np.median(stated / drawn))
    for other, (numerator, denominator) in SQUARE_METRES.items():
        read = SQUARE_METRES[unit][0] / SQUARE_METRES[unit][1]
        expected = read * denominator / numerator
        if other != unit and abs(factor / expected - 1) < UNIT_TOLERANCE:
            names = {"unit_zh": unit_name(unit), "other_zh": unit_name(other)}
            names |= {"unit": unit, "other": other, "factor": f"{expected:.4g}"}
            return names | {"count": count, "wrong": len(stated)}
    return None


def _check_between(tables: dict[str, LayerTable]) -> list[pd.DataFrame]:
    """Return findings of layers against each other."""
    frames = []
    if "supply" in tables and "approval" in tables:
        frames.append(_supply_outside(tables["supply"], tables["approval"]))
    for role in OUTLINE_ROLES:
        if role in tables and len(tables[role].table):
            frames.append(_web_map(tables[role], tables.get("landuse")))
    return frames


def _supply_outside(supply: LayerTable, approval: LayerTable) -> pd.DataFrame:
    crs = supply.table.crs.to_string()
    shape = supply.table.geometry.to_numpy()
    covers = approval.table.geometry.to_crs(crs).to_numpy()
    area = ellipsoidal_area(shape, crs)
    rest = outside(shape, covers, crs)
    at = np.flatnonzero((rest >= MIN_DIFFERENCE_M2) & (rest > OUTSIDE_SHARE * area))
    facts = [{"area": f"{rest[i]:.2f}", "percent": f"{100 * rest[i] / area[i]:.2f}"} for i in at]
    return _rows_at(supply, "supply_outside", at, "geometry", facts=facts).assign(role="supply")


def _web_map(layer: LayerTable, landuse: LayerTable | None) -> pd.DataFrame:
    """Return a suspicion that a layer in degrees is in GCJ-02."""
    found = suspect_fields(layer.source_fields)
    if found is None and landuse is not None and layer.table.crs.is_geographic:
        to_degrees = transformer(landuse.table.crs.to_string(), "EPSG:4490")
        rings = outer_rings(landuse.table.geometry.to_numpy())
        lines = shapely.transform(rings, lambda xy: np.column_stack(to_degrees.transform(*xy.T)))
        found = suspect_shift(shapely.get_coordinates(layer.table.geometry.to_numpy()), lines)
    count = 0 if found is None else 1
    facts = {"evidence_zh": found.zh, "evidence_en": found.en} if found else {}
    source = layer.specs[0].name
    row = report_rows("gcj02", source, np.zeros(count, np.int64), field="geometry", facts=facts)
    return row.assign(role=layer.role)


def _not_checked(tables: dict[str, LayerTable]) -> tuple[tuple[str, str], ...]:
    notes = []
    if "supply" in tables and "approval" not in tables:
        notes.append(
            ("供地是否超出批准范围：无批文图层", "supply outside approval: no approval layer")
        )
    if "landuse" not in tables:
        notes.append(("图斑缝隙：无土地利用现状图层", "gaps: no land-use layer"))
    for role, layer in sorted(tables.items()):
        if role in DOCUMENT_ROLES and any(spec.complete is False for spec in layer.specs):
            notes.append(
                (f"{role}：图层未声明完整，缺件无从检查", f"{role}: not declared complete")
            )
    return tuple(notes)
