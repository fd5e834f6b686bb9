"""Coverage of counties by the scenes of a catalogue, as a table and a map of gaps."""

import json
from pathlib import Path

import shapely

from clues.sources import open_source
from configs.errors import LayerError
from tiles.catalog import load_catalog
from tiles.coverage import coverage_of
from tiles.files import atomic_path, write_csv_rows

__all__ = ["COLUMNS", "write_coverage"]

COLUMNS = ("county", "period", "scenes", "usable_percent")
NAMES = ("XZQMC", "name", "NAME", "county", "XZQDM", "code")
"""Fields that are looked for when none is named."""


def write_coverage(
    catalog: Path, counties: Path, field: str | None, every: str, out: Path, time_zone: str
) -> list[tuple[str, str, int, float]]:
    """Write ``coverage.csv`` and ``gaps.geojson``; return the rows of the table.

    Parameters
    ----------
    catalog : Path
    counties : Path
        Polygon layer; features of one name are one county.
    field : str or None
        With the county's name; the usual ones are looked for if None.
    every : {"year", "quarter", "month"}
    out : Path
    time_zone : str

    Raises
    ------
    LayerError
        If the layer has no such field.
    """
    entries = load_catalog(catalog)
    rows: list[tuple[str, str, int, float]] = []
    gaps = []
    for county, area in _counties(counties, field):
        for found in coverage_of(entries, area, every=every, time_zone=time_zone):
            rows.append((county, found.period, found.scenes, found.usable_percent))
            if not found.gaps.is_empty:
                properties = {"county": county, "period": found.period}
                shape = json.loads(shapely.to_geojson(found.gaps))
                gaps.append({"type": "Feature", "properties": properties, "geometry": shape})
    write_csv_rows(out / "coverage.csv", [COLUMNS, *rows])
    with atomic_path(out / "gaps.geojson") as part:
        text = json.dumps({"type": "FeatureCollection", "features": gaps}, ensure_ascii=False)
        part.write_text(text, encoding="utf-8")
    return rows


def _counties(path: Path, field: str | None) -> list[tuple[str, object]]:
    table = open_source(path).to_crs("EPSG:4326")
    wanted = field or next((n for n in NAMES if n in table.columns), None)
    if wanted is None or wanted not in table.columns:
        names = ", ".join(c for c in table.columns if c != table.geometry.name)
        raise LayerError(
            f"no field {field!r}" if field else "no field with the name of the county",
            str(path),
            f"name one with --name; there are {names or 'none'}",
        )
    shapes: dict[str, list[object]] = {}
    for name, shape in zip(table[wanted].astype(str), table.geometry, strict=True):
        shapes.setdefault(name, []).append(shape)
    return [
        (name, shapely.make_valid(shapely.union_all(parts)))
        for name, parts in sorted(shapes.items())
    ]
