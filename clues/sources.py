"""Opening vector files: drivers by content, text encoding, layer choice, CRS against coordinates.

Only this module opens vector layers. A file is taken for what its first bytes say, so that a
mislabelled or hostile file (a VRT named ``.geojson``, a zip bomb) is refused before GDAL sees it.
"""

import codecs
import logging
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from clues.coordinatetext import read_coordinate_text
from clues.crs import checked_crs
from clues.localcrs import to_national
from clues.postgis import read_postgis
from configs.errors import LayerError
from configs.layers import LocalCrs

__all__ = ["open_source"]

log = logging.getLogger(__name__)

MAGIC = {
    ".gpkg": b"SQLite format 3\x00",
    ".shp": b"\x00\x00\x27\x0a",
    ".parquet": b"PAR1",
    ".geoparquet": b"PAR1",
    ".fgb": b"fgb",
    ".geojson": b"{",
    ".json": b"{",
}
TABLES = (".xlsx", ".xls", ".csv")
MAX_UNZIPPED_BYTES = 4 << 30
MAX_ZIP_RATIO = 200
KNOWN = (
    "GPKG, GeoJSON, Shapefile (also zipped), FileGDB folder, FlatGeobuf, GeoParquet or "
    "coordinate TXT"
)


def open_source(
    source: Path | str,
    *,
    layer: str | None = None,
    encoding: str | None = None,
    crs: str | LocalCrs | None = None,
    crs_override: bool = False,
) -> Any:
    """Read all rows of one layer.

    Parameters
    ----------
    source : Path or str
        File, FileGDB folder, zip with one Shapefile, or address of a PostGIS database.
    layer : str, optional
        Layer of a source that holds several; table of a database.
    encoding : str, optional
        Text encoding of a Shapefile; by default found from ``.cpg`` and the bytes (UTF-8, GBK).
    crs : str or LocalCrs, optional
        CRS the source must have, or has if it does not say. A table in a local system is brought
        to the CGCS2000 zone of its place.
    crs_override : bool
        Take `crs` even where the source says otherwise.

    Returns
    -------
    GeoDataFrame
        Rows in file order with a CRS that fits the coordinates; a missing geometry is None.

    Raises
    ------
    LayerError
        If the file is missing, unreadable or not what it says, the layer is not there, or the
        CRS is missing or contradicts `crs` or the coordinates.
    """
    where = f"{source}" + (f", layer {layer}" if layer else "")
    table = read_postgis(source, layer, where) if isinstance(source, str) else None
    if table is None:
        table = _read_file(Path(source), layer, encoding, where)
    table = table.reset_index(drop=True)
    if isinstance(crs, LocalCrs):
        return to_national(table, crs, where)
    return table.set_crs(checked_crs(table, crs, crs_override, where), allow_override=True)


def _read_file(source: Path, layer: str | None, encoding: str | None, where: str) -> Any:
    path, suffix = _checked_path(source, where)
    if suffix == ".txt":
        return read_coordinate_text(source, encoding, where)
    try:
        return _read(path, suffix, layer, encoding, where)
    except LayerError:
        raise
    except UnicodeDecodeError as error:
        raise LayerError(
            f"the texts are not in {encoding or error.encoding}",
            where,
            "leave `encoding:` out, it is found from the bytes; or name another, such as GB18030",
        ) from error
    except Exception as error:
        raise LayerError(
            f"the layer cannot be read ({type(error).__name__}: {error})",
            where,
            f"check that the file is whole and is a {KNOWN}; export it again from its program",
        ) from error


def _checked_path(source: Path, where: str) -> tuple[str, str]:
    """Return what GDAL may open and the suffix of the real format."""
    suffix = source.suffix.lower()
    if not source.exists():
        raise LayerError("the file does not exist", where, "mend `source:` in the layers file")
    if suffix == ".gdb" and source.is_dir():
        return str(source), suffix
    if suffix == ".txt" and source.is_file():
        return str(source), suffix
    if suffix == ".zip" and source.is_file():
        return _checked_zip(source, where)
    if source.is_dir() or suffix not in MAGIC:
        table = suffix in TABLES
        how = "join the table to the outlines of its parcels in a GIS, then " if table else ""
        raise LayerError(
            f"{source.name} is of no known vector format", where, f"{how}give a {KNOWN}"
        )
    with source.open("rb") as handle:
        head = handle.read(512)
    _require_magic(head, suffix, where)
    return str(source), suffix


def _require_magic(head: bytes, suffix: str, where: str) -> None:
    if suffix in (".geojson", ".json"):
        head = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if not head.startswith(MAGIC[suffix]):
        raise LayerError(
            f"the file is empty, broken, or no {suffix} file: it begins with {head[:16]!r}",
            where,
            "give the file its true suffix, or export it again from its program",
        )


def _checked_zip(source: Path, where: str) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(source) as archive:
            members = archive.infolist()
            total = sum(m.file_size for m in members)
            packed = max(1, sum(m.compress_size for m in members))
            if total > MAX_UNZIPPED_BYTES or (total > 100e6 and total / packed > MAX_ZIP_RATIO):
                raise LayerError(
                    f"the zip would unpack to {total / 1e6:.0f} MB from {packed / 1e6:.1f} MB",
                    where,
                    "unpack it yourself if you trust it, and name the file inside",
                )
            inner = [m.filename for m in members if Path(m.filename).suffix.lower() == ".shp"]
            if len(inner) != 1:
                raise LayerError(
                    f"the zip holds {len(inner)} Shapefiles, one is needed",
                    where,
                    "unpack it and name one file",
                )
            with archive.open(inner[0]) as handle:
                _require_magic(handle.read(16), ".shp", where)
    except (zipfile.BadZipFile, OSError) as error:
        raise LayerError(
            f"the zip cannot be read ({error})", where, "copy or download the file again"
        ) from error
    return f"/vsizip/{source}/{inner[0]}", ".shp"


def _read(path: str, suffix: str, layer: str | None, encoding: str | None, where: str) -> Any:
    import geopandas
    import pyogrio

    if suffix in (".parquet", ".geoparquet"):
        return geopandas.read_parquet(path)
    names = [str(n) for n, _ in pyogrio.list_layers(path)]
    if layer is not None and layer not in names:
        raise LayerError(
            f"there is no layer {layer!r}", where, f"choose one of: {', '.join(sorted(names))}"
        )
    if layer is None and len(names) != 1:
        raise LayerError(
            f"the source holds {len(names)} layers",
            where,
            f"add `layer:` with one of: {', '.join(sorted(names))}",
        )
    if suffix == ".shp" and encoding is None and not path.startswith("/vsizip/"):
        encoding = _shapefile_encoding(Path(path))
    elif suffix in (".gpkg", ".gdb", ".fgb"):
        encoding = None  # always UTF-8, whatever the Shapefiles of the same role are in
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        table = pyogrio.read_dataframe(path, layer=layer or names[0], encoding=encoding)
    for text in dict.fromkeys(str(w.message) for w in said):
        log.warning("%s: %s", where, text)
    if not isinstance(table, geopandas.GeoDataFrame):
        table = geopandas.GeoDataFrame(table, geometry=[None] * len(table))
    return table


def _shapefile_encoding(shape: Path) -> str | None:
    """Return the encoding that reads the attribute bytes best: .cpg, UTF-8, GB18030 in turn."""
    beside = {p.suffix.lower(): p for p in shape.parent.iterdir() if p.stem == shape.stem}
    if ".dbf" not in beside:
        return None
    candidates = ["utf-8", "gb18030"]
    if ".cpg" in beside:
        name = beside[".cpg"].read_text("ascii", "ignore").strip()
        name = {"936": "gb18030", "ANSI 936": "gb18030", "GBK": "gb18030"}.get(name.upper(), name)
        try:
            candidates.insert(0, codecs.lookup(name).name)
        except LookupError:
            log.warning("%s: unknown encoding %r in the .cpg file", shape, name)
    with beside[".dbf"].open("rb") as handle:
        sample = handle.read(4 << 20)[32:]
    wrong = [sample.decode(c, "replace").count("\ufffd") for c in candidates]
    return candidates[int(np.argmin(wrong))]
