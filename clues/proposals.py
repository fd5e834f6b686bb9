"""Proposed parcels, delivered as a layer, read into the table that is vetted."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely

from clues.attributes import read_fields
from clues.crs import crs_name
from clues.quality import (
    REPORT_COLUMNS,
    clean_geometries,
    geometry_report,
    overlapping_features,
    report_rows,
    unique_keys,
)
from clues.sources import open_source
from configs.errors import LayerError
from configs.layers import ParcelSource, parcel_fields
from configs.vocabulary import find_use
from tiles.geodesy import DM2_PER_M2, ellipsoidal_area, sheet_number, to_cgcs2000

__all__ = ["read_proposals"]

COLUMNS = [
    "parcel_id",
    "name",
    "use",
    "use_text",
    "holder",
    "applied",
    "stated_m2",
    "area_dm2",
    "lon",
    "lat",
    "sheet",
    "row",
]


def read_proposals(path: Path, how: ParcelSource) -> tuple[Any, pd.DataFrame]:
    """Read proposed parcels.

    Parameters
    ----------
    path : Path
        Any format the layer reader takes.
    how : ParcelSource
        Field names, units, uses and CRS of the delivery.

    Returns
    -------
    parcels : GeoDataFrame
        In the CRS of the delivery, ordered by id, numbers in it by their value. `use` is a code of
        the use vocabulary, ``unknown`` where the word is not known; `stated_m2` is NaN and
        `applied` None where they are not told.
    report : DataFrame
        Row-level report, see `clues.quality.REPORT_COLUMNS`; parcels that overlap each other are
        in it.

    Raises
    ------
    LayerError
        If the layer is refused, or no parcel has a usable outline.
    """
    import geopandas

    layer = open_source(
        path,
        layer=how.layer,
        encoding=how.encoding,
        crs=how.crs,
        crs_override=how.crs_override,
    )
    crs = crs_name(layer.crs)
    table, report = read_fields(
        layer, parcel_fields(), how.fields, how.units, {}, name=path.name, where=str(path)
    )
    geometry, problems = clean_geometries(layer.geometry.to_numpy(), crs)
    report.append(geometry_report(path.name, problems, geometry))
    keys = unique_keys("parcel", table["id"].tolist(), table["row"].tolist(), geometry)
    table["parcel_id"] = [str(k).removeprefix("parcel:") for k in keys]
    report.append(_add_uses(table, how, path.name))
    there = ~shapely.is_missing(geometry)
    if not there.any():
        raise LayerError(
            "there is no parcel with a usable outline", str(path), "check the parcel layer"
        )
    parcels = geopandas.GeoDataFrame(table[there], geometry=geometry[there], crs=crs)
    parcels = _with_places(parcels.rename(columns={"area_m2": "stated_m2"}), crs)
    report.append(_overlaps(parcels, path.name, crs))
    return parcels, pd.concat(report, ignore_index=True)[REPORT_COLUMNS]


def _add_uses(table: pd.DataFrame, how: ParcelSource, name: str) -> pd.DataFrame:
    """Turn the stated use into a code, keep the words; report words that are not known."""
    by_word = {word.strip().casefold(): code for word, code in how.uses.items()}
    found: dict[str, str] = {}
    for word in dict.fromkeys(w for w in table["use"] if w):
        use = find_use(word, how.scheme)
        found[word] = by_word.get(word.casefold()) or (use.code if use else "unknown")
    words = table["use"].to_numpy(dtype=object)
    table["use_text"] = words
    table["use"] = [found.get(w, "unknown") for w in words]
    lost = np.flatnonzero([w is not None and found.get(w) == "unknown" for w in words])
    rows = table["row"].to_numpy()[lost]
    field = table.attrs["columns"].get("use", "use")
    return report_rows("unknown_use", name, rows, field=field, values=words[lost])


def _with_places(parcels: Any, crs: str) -> Any:
    """Add areas, centres and sheets; sort; select."""
    geometry = parcels.geometry.to_numpy()
    parcels["area_dm2"] = np.rint(ellipsoidal_area(geometry, crs) * DM2_PER_M2).astype(np.int64)
    centre = to_cgcs2000(shapely.get_coordinates(shapely.centroid(geometry)), crs)
    parcels["lon"], parcels["lat"] = centre[:, 0], centre[:, 1]
    parcels["sheet"] = [sheet_number(float(x), float(y)) for x, y in centre]
    ranks = parcels["parcel_id"].map(lambda i: re.sub(r"\d+", lambda m: m[0].zfill(20), i))
    order = np.argsort(ranks.to_numpy(dtype=str), kind="stable")
    return parcels.iloc[order].reset_index(drop=True)[[*COLUMNS, "geometry"]]


def _overlaps(parcels: Any, name: str, crs: str) -> pd.DataFrame:
    """Report parcels that overlap each other: what one takes, the other cannot be given."""
    geometry = parcels.geometry.to_numpy()
    first, second, area = overlapping_features(geometry, lambda g: ellipsoidal_area(g, crs))
    ids = parcels["parcel_id"].to_numpy(dtype=object)
    return report_rows(
        "overlap",
        name,
        parcels["row"].to_numpy()[first],
        keys=ids[first],
        field="geometry",
        facts=[{"other": ids[j], "area": f"{a:.2f}"} for j, a in zip(second, area, strict=True)],
    )
