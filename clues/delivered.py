"""Change patches drawn elsewhere and delivered as a layer, read into the patch table."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import shapely

from clues.attributes import read_fields
from clues.quality import (
    REPORT_COLUMNS,
    clean_geometries,
    geometry_report,
    report_rows,
    unique_keys,
)
from clues.shape import mean_widths, perimeters
from clues.sources import open_source
from configs.errors import LayerError
from configs.layers import PatchSource, patch_fields
from configs.vocabulary import change_types, find_use, tblx_use, uses
from tiles.geodesy import DM2_PER_M2, ellipsoidal_area, sheet_number, to_cgcs2000

__all__ = ["load_patches"]


def load_patches(source: PatchSource, folder: Path, crs: str) -> tuple[Any, pd.DataFrame]:
    """Read delivered patches.

    Parameters
    ----------
    source : PatchSource
        The layer and how to read it.
    folder : Path
        Relative sources are taken from here.
    crs : str
        CRS of the run.

    Returns
    -------
    patches : GeoDataFrame
        The patch columns of the product, in order of county, then north to south by the whole
        metre, then west to east. `patch_id` is the deliverer's number (``rowN`` without one,
        ``#2`` for doubles); `confidence` is −1; a patch has no pixels.
    report : DataFrame
        Row-level report, see `clues.quality.REPORT_COLUMNS`.

    Raises
    ------
    LayerError
        If the layer is refused, or a patch has no date and none is given.
    """
    import geopandas

    path = folder / source.source
    layer = open_source(
        path,
        layer=source.layer,
        encoding=source.encoding,
        crs=source.crs,
        crs_override=source.crs_override,
    )
    where = str(path)
    table, report = read_fields(
        layer,
        patch_fields(),
        source.fields,
        source.units,
        source.constants,
        name=path.name,
        where=where,
    )
    geometry, problems = clean_geometries(layer.geometry.to_crs(crs).to_numpy(), crs)
    gone = shapely.is_missing(geometry)
    report.append(geometry_report(path.name, problems, geometry))
    _add_dates(table, source, where)
    report.append(_add_uses(table, source))
    keys = unique_keys("patch", table["id"].tolist(), table["row"].tolist(), geometry)
    table["patch_id"] = [str(k).removeprefix("patch:") for k in keys]
    patches = geopandas.GeoDataFrame(table[~gone], geometry=geometry[~gone], crs=crs)
    patches = _with_places(patches.reset_index(drop=True), crs)
    return patches, pd.concat(report, ignore_index=True)[REPORT_COLUMNS]


def _add_dates(table: pd.DataFrame, source: PatchSource, where: str) -> None:
    for name, given in (("before", source.before_date), ("after", source.after_date)):
        dates = table[f"{name}_date"].map(lambda d, given=given: given if d is None else d)
        missing = np.flatnonzero([d is None for d in dates])
        if len(missing):
            raise LayerError(
                f"{len(missing)} patches have no {name} date, first in row {missing[0] + 1}",
                where,
                f"give `{name}_date:` under patches, or name the field under `fields:`",
            )
        table[f"{name}_from"] = table[f"{name}_to"] = dates.astype(object)
    wrong = np.flatnonzero(table["before_from"] > table["after_to"])
    if len(wrong):
        raise LayerError(
            f"{len(wrong)} patches have a before date after their after date, "
            f"first in row {wrong[0] + 1}",
            where,
            "swap the two fields under `fields:`",
        )


def _add_uses(table: pd.DataFrame, source: PatchSource) -> pd.DataFrame:
    """Add use, tblx and change type: the stated use if it is known, else what TBLX stands for.

    Returns
    -------
    DataFrame
        Report rows of what is stated but not known.
    """
    by_word = {word.strip().casefold(): uses()[code] for word, code in source.uses.items()}
    type_of_use = {c.use: c.code for c in reversed(change_types())}
    found, unread = [], []
    for i, (word, tblx) in enumerate(zip(table["use"], table["type"], strict=True)):
        stated = by_word.get((word or "").casefold()) or find_use(word, source.scheme)
        found.append(stated or tblx_use(tblx) or uses()["unknown"])
        if word and stated is None:
            unread.append((i, "use", word))
        elif tblx and stated is None and tblx_use(tblx) is None:
            unread.append((i, "type", tblx))
    of_type = [type_of_use.get(getattr(tblx_use(t), "code", ""), "unknown") for t in table["type"]]
    of_use = [type_of_use.get(u.code, "unknown") for u in found]
    columns = table.attrs["columns"]
    report = report_rows(
        "unmapped_use",
        table["source"].iloc[0] if len(table) else "",
        np.array([table["row"].iloc[i] for i, _, _ in unread], dtype=np.int64),
        keys=np.array([f"patch:{table['id'].iloc[i]}" for i, _, _ in unread], dtype=object),
        field=[columns[name] for _, name, _ in unread],
        values=[value for _, _, value in unread],
        facts=[
            {"value": value, "use": found[i].name_en, "use_zh": found[i].name_zh}
            for i, _, value in unread
        ],
    )
    table["use"] = [u.code for u in found]
    table["tblx"] = table["type"]
    table["change_type"] = [
        t if t != "unknown" else u for t, u in zip(of_type, of_use, strict=True)
    ]
    return report


def _with_places(patches: Any, crs: str) -> Any:
    """Add areas, anchors, centres and the columns a detected patch has; sort; select."""
    geometry = patches.geometry.to_numpy()
    patches["source_id"] = patches["id"]
    patches["area_dm2"] = np.rint(ellipsoidal_area(geometry, crs) * DM2_PER_M2).astype(np.int64)
    bounds = shapely.bounds(geometry)
    per_metre = 1e5 if pyproj.CRS(crs).is_geographic else 1.0
    patches["anchor_row"] = np.floor(-bounds[:, 3] * per_metre).astype(np.int64)
    patches["anchor_col"] = np.floor(bounds[:, 0] * per_metre).astype(np.int64)
    centre = to_cgcs2000(shapely.get_coordinates(shapely.centroid(geometry)), crs)
    patches["lon"], patches["lat"] = centre[:, 0], centre[:, 1]
    patches["sheet"] = [sheet_number(float(x), float(y)) for x, y in centre]
    patches["county_code"] = patches["county_code"].map(lambda c: c or "").astype(object)
    patches["county_name"] = patches["county_name"].map(lambda c: c or "").astype(object)
    patches["n_pixels"], patches["confidence"] = np.int64(0), np.int64(-1)
    area_m2 = patches["area_dm2"].to_numpy() / DM2_PER_M2
    patches["width_m"] = mean_widths(perimeters(geometry, crs), area_m2)
    unknown = ("magnitude", "magnitude_p90", "ndvi_change", "ndbi_change", "ndwi_change")
    for name in unknown:
        patches[name] = np.nan
    patches["from_cover"] = patches["to_cover"] = None
    order = ["county_code", "anchor_row", "anchor_col", "patch_id"]
    return patches.sort_values(order, ignore_index=True)[[*PATCH_COLUMNS, "geometry"]]


PATCH_COLUMNS = [
    "patch_id",
    "source_id",
    "county_code",
    "county_name",
    "anchor_row",
    "anchor_col",
    "n_pixels",
    "area_dm2",
    "width_m",
    "before_from",
    "before_to",
    "after_from",
    "after_to",
    "change_type",
    "tblx",
    "use",
    "confidence",
    "magnitude",
    "magnitude_p90",
    "ndvi_change",
    "ndbi_change",
    "ndwi_change",
    "from_cover",
    "to_cover",
    "lon",
    "lat",
    "sheet",
]
"""Columns of the patch table before `geometry`, the same as those of detected patches."""
