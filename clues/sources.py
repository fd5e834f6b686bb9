"""Opening vector files: drivers by content, text encoding, layer choice, CRS against coordinates.

Only this module opens vector layers. A file is taken for what its first bytes say, so that a
mislabelled or hostile file (a VRT named ``.geojson``, a zip bomb) is refused before GDAL sees it.
"""

import codecs
import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyproj

from configs.errors import LayerError

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
MAX_UNZIPPED_BYTES = 4 << 30
MAX_ZIP_RATIO = 200
KNOWN = "GPKG, GeoJSON, Shapefile (also zipped), FileGDB folder, FlatGeobuf or GeoParquet"


def open_source(
    source: Path,
    *,
    layer: str | None = None,
    encoding: str | None = None,
    crs: str | None = None,
    crs_override: bool = False,
) -> Any:
    """Read all rows of one layer.

    Parameters
    ----------
    source : Path
        File, FileGDB folder, or zip with one Shapefile.
    layer : str, optional
        Layer of a source that holds several.
    encoding : str, optional
        Text encoding of a Shapefile; by default found from ``.cpg`` and the bytes (UTF-8, GBK).
    crs : str, optional
        CRS the source must have, or has if it does not say.
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
    path, suffix = _checked_path(source, where)
    try:
        table = _read(path, suffix, layer, encoding, where)
    except LayerError:
        raise
    except Exception as error:
        raise LayerError(
            f"the layer cannot be read ({type(error).__name__}: {error})",
            where,
            f"check that the file is whole and is a {KNOWN}; export it again from its program",
        ) from error
    table = table.reset_index(drop=True)
    return table.set_crs(_checked_crs(table, crs, crs_override, where), allow_override=True)


def _checked_path(source: Path, where: str) -> tuple[str, str]:
    """Return what GDAL may open and the suffix of the real format."""
    suffix = source.suffix.lower()
    if not source.exists():
        raise LayerError("the file does not exist", where, "mend `source:` in the layers file")
    if suffix == ".gdb" and source.is_dir():
        return str(source), suffix
    if suffix == ".zip" and source.is_file():
        return _checked_zip(source, where)
    if source.is_dir() or suffix not in MAGIC:
        raise LayerError(f"{source.name} is of no known vector format", where, f"give a {KNOWN}")
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
    table = pyogrio.read_dataframe(path, layer=layer or names[0], encoding=encoding)
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


def _checked_crs(table: Any, declared: str | None, override: bool, where: str) -> str:
    """Return the CRS of the table, checked against `declared` and the coordinates."""
    own = table.crs
    try:
        wanted = None if declared is None else pyproj.CRS(declared)
    except pyproj.exceptions.CRSError as error:
        raise LayerError(
            f"there is no CRS {declared!r}", where, "write `crs: EPSG:4490` or the like"
        ) from error
    if own is None and wanted is None:
        raise LayerError(
            "the source does not say its CRS",
            where,
            f"add `crs:` to the layer; {_guess(table.total_bounds)}",
        )
    if own is not None and wanted is not None and not override and not _same_crs(own, wanted):
        raise LayerError(
            f"the source says {_name(own)}, the layers file says {declared}",
            where,
            "mend `crs:`, or add `crs_override: true` if the source is wrong",
        )
    crs = wanted if wanted is not None and (override or own is None) else own
    _check_bounds(crs, table.total_bounds, where)
    return _name(crs)


def _name(crs: Any) -> str:
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())


def _same_crs(a: Any, b: Any) -> bool:
    return bool(a.equals(b, ignore_axis_order=True) or _name(a) == _name(b))


def _check_bounds(crs: Any, bounds: Any, where: str) -> None:
    """Refuse coordinates that cannot be in `crs`: such as degrees called metres."""
    west, south, east, north = (float(v) for v in bounds)
    if not np.isfinite(bounds).all():
        return  # no geometry at all
    problem = ""
    if crs.is_geographic:
        if min(west, south) < -180.000001 or east > 360 or max(abs(south), abs(north)) > 90.000001:
            problem = "they are no degrees"
            if _within(bounds, (3, 73, 54, 136)):
                problem = "latitude and longitude are swapped"
    else:
        centre = _transverse_mercator_easting(crs)
        if centre is not None and max(abs(west - centre[0]), abs(east - centre[0])) > centre[1]:
            problem = f"they lie {abs((west + east) / 2 - centre[0]):,.0f} units off its meridian"
        elif not _on_earth(crs, bounds):
            problem = "they lie outside the projection"
    if problem:
        raise LayerError(
            f"the coordinates x {west:.10g} to {east:.10g}, y {south:.10g} to {north:.10g} "
            f"contradict {_name(crs)}: {problem}",
            where,
            f"{_guess(bounds)}; then set `crs:` and `crs_override: true`, or mend the source",
        )


def _transverse_mercator_easting(crs: Any) -> tuple[float, float] | None:
    """Return the false easting and the farthest sensible distance from it, in CRS units."""
    operation = crs.coordinate_operation
    if operation is None or "Transverse Mercator" not in operation.method_name:
        return None
    unit = crs.axis_info[0].unit_conversion_factor or 1.0
    easting = next((p.value for p in operation.params if p.name == "False easting"), None)
    return None if easting is None else (float(easting), 1e6 / unit)


def _on_earth(crs: Any, bounds: Any) -> bool:
    to_lonlat = pyproj.Transformer.from_crs(crs, "EPSG:4490", always_xy=True)
    lon, lat = to_lonlat.transform([bounds[0], bounds[2]], [bounds[1], bounds[3]])
    return bool(np.isfinite(lon).all() and np.isfinite(lat).all())


def _within(bounds: Any, limits: tuple[float, float, float, float]) -> bool:
    """Tell whether west, south, east, north lie inside the limits."""
    return bool((bounds[:2] >= limits[:2]).all() and (bounds[2:] <= limits[2:]).all())


def _guess(bounds: Any) -> str:
    """Say which CRS the coordinates look like."""
    west, east = float(bounds[0]), float(bounds[2])
    if not np.isfinite(bounds).all():
        return "there are no coordinates to tell it from"
    if _within(bounds, (73, 3, 136, 54)):
        return "they look like longitude and latitude in China (EPSG:4490)"
    zone = int(west // 1_000_000)
    if 25 <= zone <= 45 and int(east // 1_000_000) == zone:
        return f"they look like 3° zone {zone} with prefix (EPSG:{4513 + zone - 25})"
    if 13 <= zone <= 23 and int(east // 1_000_000) == zone:
        return f"they look like 6° zone {zone} with prefix (EPSG:{4491 + zone - 13})"
    if _within(bounds, (100_000, 300_000, 1_000_000, 6_500_000)):
        return (
            "they look like a zone without prefix (EPSG:4534 to 4554, central meridian 75° to "
            "135°; 114° is EPSG:4547)"
        )
    return "their CRS cannot be guessed"
