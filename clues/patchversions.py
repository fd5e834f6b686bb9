"""A new version of a patch table after people edited it, and the judgement of what they touched."""

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from clues.judgement import Judgement
from clues.layers import OneMap
from clues.redrawn import Edit, Redrawn
from clues.rejudge import Rejudged, renewed
from clues.shape import mean_widths, perimeters
from configs.rules import RuleSet
from configs.vocabulary import change_type, change_types
from tiles.geodesy import DM2_PER_M2, ellipsoidal_area, sheet_number, to_cgcs2000

if TYPE_CHECKING:
    from tiles.grid import AnalysisGrid

__all__ = ["new_version", "rejudge_edited"]

MEASURED = ("magnitude", "magnitude_p90", "ndvi_change", "ndbi_change", "ndwi_change")
"""What was measured on the pixels of an outline: not known of another one."""
ORDER = ["county_code", "anchor_row", "anchor_col", "patch_id"]


def new_version(
    patches: gpd.GeoDataFrame,
    redrawn: Redrawn,
    grid: "AnalysisGrid",
    *,
    editor: str,
    at: str,
    fresh: dict[str, Any],
) -> gpd.GeoDataFrame:
    """Return the patch table with the edits in it, in the order of a run.

    Parameters
    ----------
    patches : GeoDataFrame
        Of `clues.redrawn.with_lineage`.
    redrawn : Redrawn
    grid : AnalysisGrid
        Of the run.
    editor, at : str
        Who drew, and the moment (ISO 8601, UTC).
    fresh : dict
        County and dates of a patch that has no parent.

    Returns
    -------
    GeoDataFrame
        An edited patch has the facts of the parent it shares most ground with; what was measured
        on other pixels is not known of it, and its confidence is −1: a person drew it.
    """
    kept = patches[patches["patch_id"].isin(redrawn.kept).to_numpy()]
    parents = {str(r["patch_id"]): r for r in patches.to_dict("records")}
    rows = [_row(edit, parents, fresh) for edit in redrawn.edits]
    if not rows:
        return kept.reset_index(drop=True)
    told = pd.DataFrame(rows).reindex(columns=[c for c in patches.columns if c != "geometry"])
    told = told.assign(editor=editor, edited_at=at)
    outline = np.array([e.drawn.geometry for e in redrawn.edits], dtype=object)
    table = gpd.GeoDataFrame(told, geometry=outline, crs=patches.crs)
    table = _with_places(table, grid)
    joined = pd.concat([kept, table], ignore_index=True)
    for name, kind in patches.dtypes.items():
        unknown = kind.kind in "iu" and joined[name].isna().any()
        if name != "geometry" and joined[name].dtype != kind:
            joined[name] = joined[name].astype(np.float64 if unknown else kind)
    whole = gpd.GeoDataFrame(joined, geometry="geometry", crs=patches.crs)
    return whole.sort_values(ORDER, ignore_index=True)


def _row(edit: Edit, parents: dict[str, Any], fresh: dict[str, Any]) -> dict[str, Any]:
    known = [parents[p] for p in edit.parents]
    outline = edit.drawn.geometry
    shared = [shapely.area(shapely.intersection(r["geometry"], outline)) for r in known]
    row = dict(known[int(np.argmax(shared))]) if known else dict(fresh)
    was = (row.get("change_type") or "", row.get("use") or "")
    kind, use = edit.drawn.change_type or was[0], edit.drawn.use or was[1]
    if not kind:
        kind = next((t.code for t in change_types() if t.use == use), "unknown")
    if kind != was[0] and (not edit.drawn.use or use == was[1]):
        use = change_type(kind).use
    if (kind, use) != was:
        row |= {"tblx": change_type(kind).tblx, "from_cover": "", "to_cover": ""}
    row |= {"change_type": kind, "use": use, "confidence": -1, "patch_id": edit.patch_id}
    row |= {"object_id": edit.thing, "parents": ",".join(edit.parents), "edit": edit.kind}
    if edit.kind != "retyped":
        row |= dict.fromkeys(MEASURED, np.nan) | {"n_pixels": 0}
    row.pop("geometry", None)
    return row


def _with_places(table: gpd.GeoDataFrame, grid: "AnalysisGrid") -> gpd.GeoDataFrame:
    """Return the table with areas, widths, anchors and centres of its outlines."""
    outline, crs = table.geometry.to_numpy(), grid.crs
    area = ellipsoidal_area(outline, crs)
    table["area_dm2"] = np.floor(area * DM2_PER_M2 + 0.5).astype(np.int64)
    table["width_m"] = mean_widths(perimeters(outline, crs), area)
    extents = [grid.extent_of(tuple(b)) for b in shapely.bounds(outline).tolist()]
    table["anchor_row"] = np.array([e.row0 for e in extents], dtype=np.int64)
    table["anchor_col"] = np.array([e.col0 for e in extents], dtype=np.int64)
    points = shapely.get_coordinates(shapely.point_on_surface(outline))
    lonlat = to_cgcs2000(points, crs)
    table["lon"], table["lat"] = lonlat[:, 0], lonlat[:, 1]
    table["sheet"] = [sheet_number(x, y) for x, y in lonlat.tolist()]
    return table


def rejudge_edited(
    judgement: Judgement, patches: gpd.GeoDataFrame, onemap: OneMap, rules: RuleSet
) -> Rejudged:
    """Judge what an edit touched, by the layers and rules of the run; the rest stays as it is.

    Touched are patches that are new or gone, and those that share a facility filing with one:
    together they use it up.

    Parameters
    ----------
    judgement : Judgement
        Of the version before.
    patches : GeoDataFrame
        The new version, not judged.
    onemap : OneMap
        The same layers.
    rules : RuleSet
        The same rules.
    """
    before = judgement.patches
    known, now = set(before["patch_id"]), set(patches["patch_id"])
    fresh = ~patches["patch_id"].isin(known).to_numpy()
    gone = ~before["patch_id"].isin(now).to_numpy()
    outlines = [patches.geometry.to_numpy()[fresh], before.geometry.to_numpy()[gone]]
    touched = fresh | _sharing(patches, np.concatenate(outlines), onemap)
    return renewed(judgement, patches, touched, onemap, rules)


def _sharing(patches: gpd.GeoDataFrame, changed: NDArray[Any], onemap: OneMap) -> NDArray[np.bool_]:
    """Tell which patches stand on a facility filing that a changed outline stands on."""
    touched = np.zeros(len(patches), dtype=bool)
    layer = onemap.layers.get("facility")
    if layer is None or not len(layer.table) or not len(changed):
        return touched
    filings = layer.table.geometry.to_numpy()
    used = np.unique(shapely.STRtree(filings).query(changed, predicate="intersects")[1])
    tree = shapely.STRtree(patches.geometry.to_numpy())
    touched[tree.query(filings[used], predicate="intersects")[1]] = True
    return touched
