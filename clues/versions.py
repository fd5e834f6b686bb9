"""The immutable file of a layer version: its table, its content hash, merging, contradictions.

A version keeps the features as they were understood at import: internal fields, areas in m², one
id per feature, the outline in the CRS of the source. A later reading needs no field map.
"""

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely

from clues.layers import LayerTable
from clues.quality import overlapping_features
from configs.errors import LayerError
from configs.layers import LayerSpec, role_fields
from tiles.files import atomic_path
from tiles.geodesy import ellipsoidal_area

__all__ = [
    "content_hash",
    "merged_version",
    "read_version",
    "refuse_contradiction",
    "version_spec",
    "version_table",
    "write_version",
]

ORIGIN = ("source", "row")
"""Where a feature came from; not part of its content."""

BALANCED = ("area_m2",)
"""What a baseline keeps besides: areas that sum up to those of the parcels it cut."""

NAMED_ROWS = 10


def version_table(layer: LayerTable) -> Any:
    """Return the features of a layer as they are kept: `id`, fields, origin, geometry.

    Documents without geometry are kept too: they stay "not on the map".
    """
    import geopandas

    lost = layer.not_on_map.drop(columns="geometry", errors="ignore")
    shapes = np.concatenate([layer.table.geometry.to_numpy(), np.full(len(lost), None)])
    rows = pd.concat([pd.DataFrame(layer.table.drop(columns="geometry")), lost])
    values: dict[str, Any] = {"id": [k.partition(":")[2] for k in rows["key"]]}
    for name, spec in role_fields(layer.role).items():
        if name == "id":
            continue
        column = rows["use_text"] if name == "use" and "use_text" in rows else rows[name]
        if spec.kind in ("number", "area"):
            values[name] = column.to_numpy(dtype=float)
        else:
            values[name] = pd.Series([_text(v) for v in column], dtype=object)
    for name in ORIGIN:
        values[name] = rows[name].to_numpy()
    table = geopandas.GeoDataFrame(values, geometry=shapes, crs=layer.table.crs)
    return table.sort_values("id", ignore_index=True)


def _text(value: Any) -> str | None:
    if value is None or value != value:
        return None
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def read_version(role: str, path: Path) -> Any:
    """Return the features of a version's file, as `version_table` gave them."""
    import geopandas
    import pyogrio

    raw = pyogrio.read_dataframe(path, layer="features")
    values: dict[str, Any] = {}
    for name, spec in role_fields(role).items():
        number = spec.kind in ("number", "area")
        column = raw[name]
        values[name] = (
            column.astype(float) if number else pd.Series(map(_text, column), dtype=object)
        )
    for name in (*ORIGIN, *(n for n in BALANCED if n in raw)):
        values[name] = raw[name].to_numpy()
    return geopandas.GeoDataFrame(values, geometry=raw.geometry.to_numpy(), crs=raw.crs)


def _row_texts(table: Any) -> list[str]:
    """Return each feature as one text, without where it came from."""
    columns = sorted(c for c in table.columns if c not in (*ORIGIN, "geometry"))
    shapes = shapely.to_wkb(table.geometry.to_numpy(), hex=True)
    rows = zip(*(table[c].tolist() for c in columns), shapes, strict=True)
    return [repr(dict(zip([*columns, "geometry"], row, strict=True))) for row in rows]


def content_hash(table: Any) -> str:
    """Return the SHA-256 of the features of a version, whatever file or order they came in."""
    digest = hashlib.sha256(str(table.crs.to_wkt()).encode())
    for line in sorted(_row_texts(table)):
        digest.update(line.encode())
    return digest.hexdigest()


def write_version(table: Any, path: Path) -> None:
    """Write the file of a version, read-only from then on."""
    import pyogrio

    with atomic_path(path) as part:
        pyogrio.write_dataframe(
            table, part, driver="GPKG", layer="features", geometry_type="Unknown"
        )
    path.chmod(0o444)


def version_spec(role: str, file: Path, version: str, scheme: str, **settings: Any) -> LayerSpec:
    """Return how the file of a version is read."""
    fields = role_fields(role)
    return LayerSpec(
        role=role,
        source=file,
        version=version,
        layer="features",
        fields={name: name for name in fields},
        units={name: "m2" for name, spec in fields.items() if spec.kind == "area"},
        scheme=scheme,
        **settings,
    )


def merged_version(parent: Any, update: Any, where: str) -> tuple[Any, dict[str, list[str]]]:
    """Return a version with features added, or replaced where the id is known.

    Parameters
    ----------
    parent, update : GeoDataFrame
        As `version_table` gives them, in the same CRS.
    where : str
        For errors.

    Returns
    -------
    table : GeoDataFrame
    changes : dict
        Ids under ``added``, ``replaced``, ``unchanged``.

    Raises
    ------
    LayerError
        If a feature of the update has no id of its own.
    """
    nameless = [i for i in update["id"] if i.startswith("row") or "#" in i]
    if nameless:
        raise LayerError(
            f"{len(nameless)} features have no id of their own, first {nameless[0]}",
            where,
            "give each feature its id: an update adds or replaces by id",
        )
    before = dict(zip(parent["id"], _row_texts(parent), strict=True))
    after = dict(zip(update["id"], _row_texts(update), strict=True))
    changes = {
        "added": [i for i in after if i not in before],
        "replaced": [i for i in after if i in before and before[i] != after[i]],
        "unchanged": [i for i in after if before.get(i) == after[i]],
    }
    fresh = update[update["id"].isin([*changes["added"], *changes["replaced"]])]
    kept = parent[~parent["id"].isin(changes["replaced"])]
    return pd.concat([kept, fresh]).sort_values("id", ignore_index=True), changes


def refuse_contradiction(table: Any, changed: set[str] | None, where: str) -> None:
    """Refuse features that overlap in a layer that allows none.

    Parameters
    ----------
    table : GeoDataFrame
    changed : set of str or None
        Only overlaps with these ids count: those of an update; None for all.
    where : str
        For the error.

    Raises
    ------
    LayerError
        Naming the features, their source rows and the m².
    """
    crs = table.crs.to_string()
    onmap = table[~table.geometry.isna()].reset_index(drop=True)
    shape = onmap.geometry.to_numpy()
    first, second, area = overlapping_features(shape, lambda g: ellipsoidal_area(g, crs))
    ids, rows = onmap["id"].tolist(), onmap["row"].tolist()
    pairs = [
        f"{ids[a]} (row {rows[a]}) and {ids[b]} (row {rows[b]}) by {m:.2f} m²"
        for a, b, m in zip(first, second, area, strict=True)
        if changed is None or {ids[a], ids[b]} & changed
    ]
    if pairs:
        more = f" and {len(pairs) - NAMED_ROWS} more" if len(pairs) > NAMED_ROWS else ""
        raise LayerError(
            f"{len(pairs)} overlaps in a layer without overlaps: "
            f"{'; '.join(pairs[:NAMED_ROWS])}{more}; nothing was imported",
            where,
            "mend the outlines and import again, or set `no_overlap: false`",
        )
