"""One-Map layers by role: source and description in, one clean table per role out."""

import datetime as dt
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely

from clues.crs import crs_name
from clues.layerrows import chosen_of, named_as_delivered, parsed_rows, source_of
from clues.postgis import database_fingerprint
from clues.quality import (
    REPORT_COLUMNS,
    area_mismatches,
    clean_geometries,
    geometry_report,
    overlapping_features,
    report_rows,
    unique_keys,
)
from configs.layers import FieldSpec, LayersFile, LayerSpec, PatchSource, Until, role_fields
from configs.vocabulary import roles
from tiles.files import fingerprint
from tiles.geodesy import ellipsoidal_area

__all__ = [
    "ANY_GEOMETRY",
    "DOCUMENT_ROLES",
    "LayerTable",
    "OneMap",
    "build_onemap",
    "layers_fingerprint",
    "read_onemap",
    "read_role",
    "roles_fingerprint",
    "with_versions",
]

ANY_GEOMETRY = ("road_network", "lead")
"""Roles whose features may be lines or points; those do not cut patches."""

DOCUMENT_ROLES = (
    "approval",
    "supply",
    "registration",
    "approved_unbuilt",
    "project",
    "temporary",
    "facility",
    "mining_right",
    "reserve",
)
"""Roles whose features are documents; one without geometry is kept as "not on the map"."""


OVERLAP_CODES = {"approval": "repeated_approval", "supply": "repeated_supply"}
"""What an overlap is called where it says more than that two outlines cross."""


@dataclass(frozen=True)
class LayerTable:
    """All features of one role.

    Attributes
    ----------
    table : GeoDataFrame
        One row per feature on the map, sorted by `key`; columns of the role's fields (always all
        of them, None or NaN where the source does not tell), `geometry`, `source`, `row`.
    rejects : DataFrame
        Row-level report, see `clues.quality.REPORT_COLUMNS`.
    not_on_map : DataFrame
        Documents without a usable geometry, with their fields; they cover nothing.
    version : str
        12 hex digits over the bytes of the sources and how they are read.
    complete : bool or date
        Whether absence from the layer means that there is none; a date: up to that day.
    columns : tuple of mapping
        Which source field each internal field was read from, by source.
    source_fields : tuple of str
        All fields of the sources.
    """

    role: str
    specs: tuple[LayerSpec, ...]
    table: Any
    rejects: pd.DataFrame
    not_on_map: pd.DataFrame
    version: str
    complete: bool | dt.date
    columns: tuple[Mapping[str, str], ...] = ()
    source_fields: tuple[str, ...] = ()

    @property
    def spec(self) -> LayerSpec:
        """Description of the first source."""
        return self.specs[0]

    def is_complete(self, on: dt.date | None = None) -> bool:
        """Tell whether absence on a day is known to be absence; None asks about any day.

        A source tells nothing outside its `valid_from` and `valid_to`.
        """
        if on is None:
            return self.complete is True
        for spec in self.specs:
            if (spec.valid_from and on < spec.valid_from) or (spec.valid_to and on > spec.valid_to):
                return False
        return self.complete if isinstance(self.complete, bool) else on <= self.complete


@dataclass(frozen=True)
class OneMap:
    """The layers of a county by role, all in one CRS."""

    crs: str
    layers: Mapping[str, LayerTable]
    file: LayersFile

    def is_complete(self, role: str, on: dt.date | None = None) -> bool:
        """Tell whether absence from a role's layer is known to be absence; no layer tells none."""
        return role in self.layers and self.layers[role].is_complete(on)

    @cached_property
    def features(self) -> pd.DataFrame:
        """Polygon features of all roles but leads, sorted by key.

        Columns: role, key, position (row of ``layers[role].table``), geometry; texts as objects,
        because they are looked up by row.
        """
        frames = []
        for role, layer in self.layers.items():
            if role == "lead":
                continue
            geometry = layer.table.geometry.to_numpy()
            areal = np.flatnonzero(np.isin(shapely.get_type_id(geometry), (3, 6)))
            frame = pd.DataFrame({"role": role, "position": areal}, index=range(len(areal)))
            frame.insert(1, "key", layer.table["key"].to_numpy(dtype=object)[areal])
            frame["geometry"] = pd.Series(geometry[areal], dtype=object)
            frames.append(frame)
        if not frames:
            return pd.DataFrame({"role": [], "key": [], "position": [], "geometry": []})
        features = pd.concat(frames).sort_values("key", ignore_index=True)
        return features.astype({"role": object, "key": object})

    @cached_property
    def tree(self) -> shapely.STRtree:
        """Spatial index over `features`."""
        return shapely.STRtree(self.features["geometry"].to_numpy(dtype=object))

    @cached_property
    def rejects(self) -> pd.DataFrame:
        """Row-level report of all layers, with the role in front."""
        frames = [t.rejects.assign(role=r) for r, t in self.layers.items()]
        report = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
        return report.reindex(columns=["role", *REPORT_COLUMNS])


def read_onemap(file: Path, *, crs: str, only: Collection[str] | None = None) -> OneMap:
    """Read the layers of a layers file into one CRS: all, or those of some roles.

    Raises
    ------
    ConfigError
        If the layers file breaks its contract.
    LayerError
        If a layer is refused; nothing is half-loaded.
    """
    found = LayersFile.load(file)
    if only is not None:
        layers = tuple(spec for spec in found.layers if spec.role in only)
        found = found.model_copy(update={"layers": layers})
    return build_onemap(found, crs=crs)


def build_onemap(file: LayersFile, *, crs: str) -> OneMap:
    """Read all layers of an already loaded `file` into one CRS, see `read_onemap`."""
    file, layers = with_versions(file), {}
    for role in roles():
        specs = tuple(spec for spec in file.layers if spec.role == role)
        if specs:
            layers[role] = read_role(role, specs, crs=crs)
    return OneMap(crs, layers, file)


def with_versions(file: LayersFile) -> LayersFile:
    """Return a layers file whose ``catalogue:`` sources name the files of their versions."""
    if not any(spec.from_catalogue for spec in file.layers):
        return file
    from clues.onemap import resolve

    return resolve(file)


def read_role(
    role: str, specs: tuple[LayerSpec, ...], *, crs: str | None = None, checked: bool = False
) -> LayerTable:
    """Read all sources of one role.

    Parameters
    ----------
    role : str
    specs : tuple of LayerSpec
    crs : str, optional
        CRS of the result; that of the first source if not given.
    checked : bool
        Read also the fields that only the quality check needs.

    Raises
    ------
    LayerError
        If a source is refused.
    """
    import geopandas

    parts, reports, columns, names = [], [], [], dict[str, None]()
    fields = role_fields(role, checked=checked)
    for spec in specs:
        source = source_of(spec)
        crs = crs or crs_name(source.crs)
        names |= dict.fromkeys(str(c) for c in source.columns)
        part, report = _read_rows(spec, source, fields, crs)
        columns.append(part.attrs.pop("columns"))
        parts.append(part)
        reports.append(report)
    crs = str(crs)
    table = pd.concat(parts, ignore_index=True)
    geometry = table.pop("geometry").to_numpy(dtype=object)
    table.insert(0, "key", unique_keys(role, table["id"].tolist(), table["row"].tolist(), geometry))
    reports.append(_doubles(table))
    on_map = ~shapely.is_missing(geometry)
    order = np.argsort(table["key"].to_numpy(dtype=str), kind="stable")
    order = order[on_map[order]]
    result = geopandas.GeoDataFrame(table.iloc[order], geometry=geometry[order], crs=crs)
    result = result.reset_index(drop=True)
    reports.extend(_checks(role, specs, result, crs))
    lost = table[~on_map] if role in DOCUMENT_ROLES else table.iloc[:0]
    rejects = named_as_delivered(pd.concat(reports, ignore_index=True), specs, columns)
    rejects = rejects[REPORT_COLUMNS]
    key_of = dict(zip(zip(table["source"], table["row"], strict=True), table["key"], strict=True))
    rejects["key"] = [key_of[p] for p in zip(rejects["source"], rejects["row"], strict=True)]
    return LayerTable(
        role,
        specs,
        result,
        rejects.sort_values(["source", "row", "field", "problem"], ignore_index=True),
        lost.sort_values("key", ignore_index=True),
        _version(specs),
        _completeness(specs),
        tuple(columns),
        tuple(names),
    )


def _read_rows(
    spec: LayerSpec, source: Any, fields: Mapping[str, FieldSpec], crs: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of one source with parsed fields and clean geometry, and the report."""
    table, report = parsed_rows(spec, source, fields)
    polygons = spec.role not in ANY_GEOMETRY
    projected = source.geometry.to_crs(crs).to_numpy()
    table["geometry"], problems = clean_geometries(projected, crs, polygons=polygons)
    report.append(geometry_report(spec.name, problems, table["geometry"].to_numpy()))
    return chosen_of(spec, source, table, report)


def _doubles(table: pd.DataFrame) -> pd.DataFrame:
    """Report features whose id was there before."""
    double = table["key"].str.contains("#").to_numpy()
    rows = table[double]
    return report_rows(
        "double_id",
        rows["source"].to_numpy(dtype=object),
        rows["row"].to_numpy(),
        keys=rows["key"].to_numpy(dtype=object),
        field="id",
        values=rows["id"].to_numpy(dtype=object),
    )


def _checks(role: str, specs: tuple[LayerSpec, ...], table: Any, crs: str) -> list[pd.DataFrame]:
    """Report stated areas that differ from the drawn ones, and overlaps where none may be."""
    reports = []
    geometry, keys = table.geometry.to_numpy(), table["key"].to_numpy(dtype=object)
    rows, sources = table["row"].to_numpy(), table["source"].to_numpy(dtype=object)
    if "area_m2" in table and role != "facility":
        drawn = ellipsoidal_area(geometry, crs)
        stated = table["area_m2"].to_numpy(dtype=float)
        wrong = area_mismatches(stated, drawn)
        facts = [{"stated": f"{stated[i]:.2f}", "drawn": f"{drawn[i]:.2f}"} for i in wrong]
        at = {"keys": keys[wrong], "field": "area_m2"}
        reports.append(report_rows("area_differs", sources[wrong], rows[wrong], facts=facts, **at))
    if any(spec.no_overlap for spec in specs) and role not in ANY_GEOMETRY:
        first, second, area = overlapping_features(geometry, lambda g: ellipsoidal_area(g, crs))
        both = zip(second, area, strict=True)
        reports.append(
            report_rows(
                OVERLAP_CODES.get(role, "overlap"),
                sources[first],
                rows[first],
                keys=keys[first],
                field="geometry",
                facts=[{"other": keys[j], "area": f"{a:.2f}"} for j, a in both],
            )
        )
    return reports


def _source_fingerprint(spec: LayerSpec | PatchSource) -> str:
    """Return a fingerprint of a source with the files that belong to it; "" if it is missing."""
    source = spec.source
    if isinstance(source, str):
        return database_fingerprint(source, spec.layer, source)
    if not source.exists():
        return ""
    files = [source]
    if source.suffix.lower() == ".shp":
        files = sorted(p for p in source.parent.iterdir() if p.stem == source.stem)
    return "".join(fingerprint(path) for path in files)


def _version(specs: tuple[LayerSpec, ...]) -> str:
    if len(specs) == 1 and specs[0].version:
        return specs[0].version
    digest = hashlib.sha256()
    for spec in specs:
        settings = spec.model_dump(mode="json", exclude={"source"})
        digest.update(json.dumps(settings, sort_keys=True).encode())
        digest.update(_source_fingerprint(spec).encode())
    return digest.hexdigest()[:12]


def layers_fingerprint(file: Path) -> str:
    """Return a fingerprint of a layers file and of all sources it names, 32 hex digits."""
    digest = hashlib.sha256(fingerprint(file).encode())
    layers = with_versions(LayersFile.load(file))
    for spec in layers.layers:
        digest.update((spec.version or "").encode())
    for source in (*layers.layers, *((layers.patches,) if layers.patches else ())):
        digest.update(_source_fingerprint(source).encode())
    return digest.hexdigest()[:32]


def roles_fingerprint(file: Path, roles: Iterable[str]) -> str:
    """Return a fingerprint of the layers of some roles: their sources and how these are read."""
    layers, parts = with_versions(LayersFile.load(file)), []
    for role in sorted(set(roles)):
        specs = tuple(spec for spec in layers.layers if spec.role == role)
        parts += [role, _version(specs) if specs else ""]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _completeness(specs: tuple[LayerSpec, ...]) -> bool | dt.date:
    """Return the completeness of all sources together: any incomplete one makes it incomplete."""
    if not all(spec.complete for spec in specs):
        return False
    limits = [spec.complete.until for spec in specs if isinstance(spec.complete, Until)]
    return min(limits) if limits else True
