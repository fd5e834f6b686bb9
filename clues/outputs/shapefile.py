"""Shapefiles in a zip: short field names that any program reads, with their meaning beside."""

import csv
import datetime as dt
import io
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.outputs.archive import FixedZip, fixed_zip
from clues.outputs.dbase import DbaseField, encoding_for, spelled, write_dbase
from clues.outputs.flat import FLAT_FIELDS, flat_rows
from clues.outputs.national import in_national_crs, last_day
from clues.outputs.tables import ClueTables

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["ShapeLayer", "lines_first", "write_shape_layers", "write_shapefile"]

PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
SENTENCE, PARCEL = re.compile("[^。]+。?"), re.compile(r"地块 (\S+) ")
CONTROL = ("占永久基本农田", "占生态保护红线", "占自然保护地", "跨越城镇开发边界", "涉及储备土地")
MEANINGS = "字段说明.csv"
NUMBER_WIDTH = 15


@dataclass(frozen=True)
class ShapeLayer:
    """One layer of a zip.

    Attributes
    ----------
    name : str
        Pinyin capitals.
    fields : sequence of DbaseField
    rows : sequence of mapping
    shapes : GeoSeries
        As long as the rows.
    meanings : mapping of str to str
        What each field holds.
    """

    name: str
    fields: Sequence[DbaseField]
    rows: Sequence[Mapping[str, Any]]
    shapes: "gpd.GeoSeries"
    meanings: Mapping[str, str]


def write_shapefile(tables: ClueTables, path: Path) -> None:
    """Write the clues as a Shapefile in a zip, in CGCS2000.

    Names have at most ten bytes in any encoding; texts are GBK where GBK has all of their
    characters (m² is spelled out, which it lacks), else UTF-8, and the ``.cpg`` says which. Texts
    beyond 254 bytes end with dots: read those in another format. What a reason says of control
    lines stands first in it.

    Parameters
    ----------
    tables : ClueTables
    path : Path
        ``.zip``; written atomically.
    """
    fields = tuple(
        DbaseField(f.short, f.width) if f.width else DbaseField(f.short, NUMBER_WIDTH, f.decimals)
        for f in FLAT_FIELDS
    )
    found = list(flat_rows(tables))
    rows = [
        {f.short: values[f.key] for f in FLAT_FIELDS} | {"LY": lines_first(values["reason_zh"])}
        for _, values in found
    ]
    shapes = tables.clues.set_index("patch_id").geometry.loc[[patch for patch, _ in found]]
    meanings = {f.short: f.zh for f in FLAT_FIELDS}
    layer = ShapeLayer("XS", fields, rows, in_national_crs(shapes, tables), meanings)
    write_shape_layers([layer], path, day=last_day(tables))


def lines_first(reason: str) -> str:
    """Return a reason with its control lines in front: the end of a long text is cut off."""
    parcels = reason.split("\n")
    drawn, rest = [], []
    for text in parcels:
        sentences = SENTENCE.findall(text)
        own = "".join(s for s in sentences if s.startswith(CONTROL))
        named = PARCEL.match(text) if len(parcels) > 1 else None
        drawn.append(f"{named[1]}：{own}" if own and named else own)
        rest.append("".join(s for s in sentences if not s.startswith(CONTROL)))
    return "".join(drawn) + "\n".join(text for text in rest if text)


def write_shape_layers(layers: Sequence[ShapeLayer], path: Path, *, day: dt.date) -> None:
    """Write layers as Shapefiles into one zip, with a table of what the fields hold.

    Parameters
    ----------
    layers : sequence of ShapeLayer
    path : Path
        ``.zip``; written atomically.
    day : date
        Of the last change.
    """
    with tempfile.TemporaryDirectory() as folder, fixed_zip(path) as archive:
        for layer in layers:
            _add(archive, layer, Path(folder), day)
        archive.add(MEANINGS, _meanings(layers))


def _add(archive: FixedZip, layer: ShapeLayer, folder: Path, day: dt.date) -> None:
    import geopandas as gpd

    base = folder / f"{layer.name}.shp"
    bare = gpd.GeoDataFrame({"N": range(len(layer.rows))}, geometry=layer.shapes.to_numpy())
    bare = bare.set_crs(layer.shapes.crs)
    kind = {} if len(bare) else {"geometry_type": "Polygon"}
    bare.to_file(base, driver="ESRI Shapefile", engine="pyogrio", **kind)
    names = {f.name for f in layer.fields if f.decimals is None}
    rows = [{k: spelled(v) if k in names else v for k, v in r.items()} for r in layer.rows]
    encoding = encoding_for(str(row.get(n) or "") for row in rows for n in names)
    table = base.with_suffix(".dbf")
    write_dbase(table, layer.fields, rows, encoding=encoding, day=day)
    base.with_suffix(".cpg").write_text(encoding, encoding="ascii")
    for suffix in PARTS:
        archive.add_file(f"{layer.name}{suffix}", base.with_suffix(suffix))


def _meanings(layers: Sequence[ShapeLayer]) -> bytes:
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\r\n")
    lines.writerow(["图层", "字段", "类型", "含义"])
    for layer in layers:
        for field in layer.fields:
            kind = f"C({field.width})"
            if field.decimals is not None:
                kind = f"N({field.width},{field.decimals})"
            lines.writerow([layer.name, field.name, kind, layer.meanings.get(field.name, "")])
    return text.getvalue().encode("utf-8-sig")
