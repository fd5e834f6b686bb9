"""Places of leads that concern no patch: outline, row of the patch table, documents there."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import shapely

from clues.coverage import Documents
from clues.layers import DOCUMENT_ROLES, OneMap
from clues.leadtexts import LEAD_LINE
from clues.papers import document_date
from clues.quality import polygon_parts
from configs.vocabulary import Outcome
from tiles.geodesy import (
    DM2_PER_M2,
    ellipsoidal_area,
    metres_per_unit,
    sheet_number,
    to_cgcs2000,
)

__all__ = ["documents_at", "place_outlines", "place_rows"]

SHOWN_ROLES = (*DOCUMENT_ROLES, "basic_farmland", "redline", "growth_boundary")


def place_outlines(shapes: Any, radius: Any, crs: str) -> Any:
    """Return reported places as polygons: outlines as they are, others with a radius in metres."""
    places = np.array(shapes, dtype=object)
    for i in np.flatnonzero(~np.isin(shapely.get_type_id(places), (3, 6))):
        x, y = shapely.get_coordinates(shapely.centroid(places[i]))[0]
        scale = np.array(metres_per_unit(crs, x, y))
        flat = shapely.transform(places[i], lambda xy, s=scale: xy * s)
        round_ = shapely.buffer(flat, float(radius[i]))
        places[i] = shapely.transform(round_, lambda xy, s=scale: xy / s)
    return places


def place_rows(places: Any, patches: Any, onemap: OneMap) -> Iterator[dict[str, Any]]:
    """Yield clues that leads opened as rows of the patch table; a place has no area of its own.

    Parameters
    ----------
    places : DataFrame
        lead_id, number, place.
    patches : GeoDataFrame
        Judged patches; the county is theirs where the layers file names none.
    onemap : OneMap
    """
    county = onemap.file.county
    code = county.code if county else (str(patches["county_code"].iloc[0]) if len(patches) else "")
    name = county.name if county else ""
    if not name and "county_name" in patches and len(patches):
        name = str(patches["county_name"].iloc[0])
    shapes = places["place"].to_numpy(dtype=object)
    centre = to_cgcs2000(shapely.get_coordinates(shapely.centroid(shapes)), onemap.crs)
    for i, row in enumerate(places.itertuples(index=False)):
        west, _, _, north = shapes[i].bounds
        lon, lat = (float(v) for v in centre[i])
        yield {
            "patch_id": row.lead_id,
            "source_id": row.number or "",
            "county_code": code,
            "county_name": name,
            "anchor_row": int(np.floor(-north)),
            "anchor_col": int(np.floor(west)),
            "confidence": -1,
            "change_type": "unknown",
            "use": "unknown",
            "tblx": "",
            "lon": lon,
            "lat": lat,
            "sheet": sheet_number(lon, lat),
            "outcome": Outcome.UNRESOLVED.value,
            "disposition": "clue",
            "origin": "lead",
            "geometry": shapes[i],
        }


def documents_at(places: Any, onemap: OneMap) -> pd.DataFrame:
    """Return the documents and control lines on places, as rows of the coverage table."""
    shapes = places["place"].to_numpy(dtype=object)
    documents = Documents.of(onemap)
    place, document = onemap.tree.query(shapes, predicate="intersects")
    shown = np.isin(documents.role[document].astype(str), SHOWN_ROLES)
    place, document = place[shown], document[shown]
    geometry = onemap.features["geometry"].to_numpy(dtype=object)[document]
    common = polygon_parts(shapely.intersection(shapes[place], geometry))
    areas = np.rint(ellipsoidal_area(common, onemap.crs) * DM2_PER_M2).astype(np.int64)
    whole = np.rint(ellipsoidal_area(shapes, onemap.crs) * DM2_PER_M2)
    ids = places["lead_id"].to_numpy(dtype=object)
    order = np.flatnonzero(areas > 0)
    order = order[np.lexsort((document[order], place[order]))]
    place, document, areas = place[order], document[order], areas[order]
    return pd.DataFrame(
        {
            "patch_id": ids[place],
            "line": LEAD_LINE,
            "parcel_id": ids[place],
            "role": documents.role[document],
            "key": documents.key[document],
            "number": [documents.named(d) for d in document],
            "date": [document_date(documents, d) for d in document],
            "valid_to": [document_date(documents, d, "valid_to") for d in document],
            "area_dm2": areas,
            "share": areas / whole[place],
        }
    )
