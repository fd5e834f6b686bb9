"""An outline drawn or cut at the desk, taken over as a new version of the run's patches."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely

from configs.errors import InputError, TubanError

if TYPE_CHECKING:
    from clues.store.repository import Store
    from flows.desk.place import DeskPlace
    from web.services import Outline

__all__ = ["run_folder", "take_outline"]

WGS84 = "EPSG:4326"
MOST_POLYGONS, MOST_POINTS = 50, 20_000
FIX = "draw it again inside the images, without crossing lines or other patches"


def take_outline(
    place: "DeskPlace", store: "Store", clue_no: str, outline: "Outline"
) -> dict[str, Any]:
    """Take over outlines in place of that of a clue; several cut it.

    The same checks, version and judging as of `tuban patches import`; the run is then brought into
    the desk again.

    Parameters
    ----------
    place : DeskPlace
    store : Store
    clue_no : str
    outline : Outline

    Returns
    -------
    dict
        ``version``, ``tallies``, and ``clues`` that are new.

    Raises
    ------
    InputError
        If an outline cannot be taken, or the run folder is not at hand.
    """
    from clues.store.places import places_of
    from flows.desk.adding import add_run
    from flows.patchediting import export_patches, import_patches

    polygons = _polygons(outline)
    with store.engine.connect() as connection:
        found = places_of(connection, [clue_no])
    if not found:
        raise InputError(f"there is no clue {clue_no!r}", "clue", "check the number")
    _require_one_open(store, clue_no)
    run = run_folder(place.files, found[0].run)
    with tempfile.TemporaryDirectory(prefix="tuban-outline-") as scratch:
        layer = Path(scratch) / "patches.gpkg"
        export_patches(run, layer)
        edited = Path(scratch) / "drawn.gpkg"
        _redraw(layer, edited, found[0].patch_id, polygons, outline.change_type)
        done = import_patches(edited, run, editor=outline.by)
    if done.faults:
        fault = done.faults[0]
        raise InputError(fault.what, fault.where or "outline", fault.fix or FIX)
    add_run(run, place, by=outline.by)
    return {
        "version": done.version,
        "tallies": done.tallies,
        "clues": [{"clue_no": number, "patch_id": patch} for number, patch in done.clues],
    }


def _require_one_open(store: "Store", clue_no: str) -> None:
    """Raise where a clue has several cases, or a closed one: a new outline has other parcels."""
    from clues.store.cases import case_row, clue_rows, parcels_of
    from clues.store.worklist import Scope

    with store.engine.connect() as connection:
        clue = clue_rows(connection, [clue_no], Scope())[clue_no]
        cases = parcels_of(connection, clue.clue_id)
        rows = [case_row(connection, case_no) for case_no in cases]
    if len(cases) > 1:
        raise InputError(
            f"the parcels of the clue lie with several cases ({', '.join(cases)})",
            "outline",
            "end these cases by its parcels as they are",
        )
    if any(row and row.values["state"] == "closed" for row in rows):
        raise InputError(
            f"the case of the clue is closed ({', '.join(cases)})",
            "outline",
            "have the case reopened first",
        )


def _polygons(outline: "Outline") -> list[Any]:
    """Return the drawn polygons in degrees."""
    if not 1 <= len(outline.polygons) <= MOST_POLYGONS:
        raise InputError(
            f"{len(outline.polygons)} polygons cannot be taken", "outline", f"1 to {MOST_POLYGONS}"
        )
    try:
        shapes = [shapely.from_geojson(json.dumps(dict(p))) for p in outline.polygons]
    except (TypeError, ValueError, shapely.errors.GEOSException) as error:
        raise InputError(f"an outline is no GeoJSON ({error})", "outline", FIX) from error
    points = int(shapely.get_num_coordinates(shapes).sum())
    if any(s.geom_type not in ("Polygon", "MultiPolygon") for s in shapes) or points > MOST_POINTS:
        raise InputError("an outline is no polygon, or has too many points", "outline", FIX)
    return shapes


def run_folder(files: Path, run: str) -> Path:
    """Return the folder that a run of the desk came from; `InputError` where it is not at hand."""
    from flows.desk.adding import ORIGIN, RUNS

    path = files / RUNS / run / ORIGIN
    try:
        folder = Path(json.loads(path.read_text(encoding="utf-8"))["folder"])
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"nobody knows where the folder of the run {run} is",
            str(path),
            "bring it in again with `tuban desk add`",
        ) from error
    if not (folder / "manifest.jsonl").is_file():
        raise InputError(
            f"the folder of the run {run} is not at hand",
            str(folder),
            "connect the disk that holds it, or bring the run in again with `tuban desk add`",
        )
    return folder


def _redraw(
    layer: Path, edited: Path, patch_id: str, polygons: list[Any], change_type: str
) -> None:
    """Write the editable layer with the outlines in place of that of a patch."""
    import geopandas as gpd
    import pandas as pd

    table = gpd.read_file(layer, layer="patches")
    own = (table["patch_id"] == patch_id).to_numpy()
    if not own.any():
        raise TubanError(
            "another version of the patches is in use", patch_id, "load the clue again"
        )
    drawn = gpd.GeoSeries(polygons, crs=WGS84).to_crs(table.crs)
    pieces = pd.concat([table[own]] * len(polygons), ignore_index=True)
    pieces = pieces.set_geometry(drawn.to_numpy(), crs=table.crs)
    if change_type:
        pieces["change_type"] = change_type
    merged = pd.concat([table[~own], pieces], ignore_index=True)
    gpd.GeoDataFrame(merged, geometry="geometry", crs=table.crs).to_file(
        edited, layer="patches", driver="GPKG", engine="pyogrio"
    )
