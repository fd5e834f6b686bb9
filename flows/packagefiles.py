"""The files for people that packages take over from runs and from other packages."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.packages import Package
from configs.errors import InputError, RunError
from flows.formats import FORMATS, run_thumbnails, writers_of
from flows.manifest import Run
from tiles.files import sha256

if TYPE_CHECKING:
    from clues.outputs.tables import ClueTables

__all__ = [
    "Files",
    "field_files",
    "filled_ledgers",
    "kept_products",
    "named_product",
    "run_products",
]

Named = tuple[str, tuple[Path, str, str]]
Files = dict[str, tuple[Path, str, str]]

FIELD, ATTACHMENTS = "field", "attachments"
FOLDERS = {
    "quality/": ("质量文件", "quality"),
    "field/": ("外业核查照片", "photos from the field"),
}
FILLED_FORMATS = ("xlsx", "csv")
"""Formats of the ledger that show what people filled in."""

PICTURED = 500


PRODUCTS = {
    ".xlsx": ("线索台账", "clue ledger"),
    ".gpkg": ("图层", "map layers"),
    ".geojson": ("图层（GeoJSON）", "clues as GeoJSON"),
    ".kmz": ("图层（KMZ）", "clues as KMZ"),
    ".parquet": ("图层（GeoParquet）", "clues as GeoParquet"),
    ".csv": ("数据表", "table"),
    ".zip": ("图层（Shapefile）", "Shapefiles"),
    ".txt": ("坐标文本", "coordinates as text"),
    ".html": ("报告", "report"),
    ".docx": ("报告（Word）", "report (Word)"),
    ".pdf": ("证据单", "evidence sheet"),
}


def run_products(run: Path, summary: dict[str, Any], *, evidence: bool) -> Iterator[Named]:
    """Yield the files that a run wrote for people, unaltered.

    Raises
    ------
    InputError
        If one is gone or was altered.
    """
    try:
        opened = Run.open(run)
    except RunError:
        for path in sorted(p for p in run.iterdir() if p.suffix in (".xlsx", ".gpkg", ".geojson")):
            yield named_product(path.name, path)
        return
    named = set(summary["stages"]["outputs"]["files"])
    records = [r for p in opened.products("outputs") for r in p.files if r.path in named]
    if evidence:
        sheets = [r for p in opened.products("evidence") for r in p.files]
        records += [r for r in sheets if (run / r.path).is_file()]  # others are of former clues
    for record in records:
        path = run / record.path
        if not path.is_file() or sha256(path) != record.sha256:
            raise InputError(
                "the file is gone or was altered since the run wrote it",
                str(path),
                "run the same command again: it writes the file anew",
            )
        yield named_product(record.path, path)


def named_product(name: str, path: Path) -> Named:
    """Return a product of a run as a package names it, with what it is."""
    zh, en = PRODUCTS.get(Path(name).suffix.lower(), ("成果文件", "product"))
    for folder, words in FOLDERS.items():
        if name.startswith(folder):
            zh, en = words
    return f"products/{name}", (path, zh, en)


def kept_products(package: Package, scratch: Path) -> Iterator[Named]:
    """Yield what a merged package takes over: evidence, and reports and quality by county."""
    home = "_".join(str(c["code"]) for c in package.manifest.counties[:3])
    for entry in package.manifest.files:
        root, _, inner = entry.path.partition("/")
        if root == "products" and not inner.startswith("evidence/"):
            if Path(inner).suffix not in (".html", ".docx") and "/" not in inner:
                continue
            name = f"counties/{home}/{inner}"
        elif root in ("products", "counties"):
            name = entry.path
        else:
            continue
        yield name, (package.unpack(entry.path, scratch, name), entry.zh, entry.en)


def filled_ledgers(run: Path, tables: "ClueTables", files: Files, scratch: Path) -> Iterator[Named]:
    """Yield ledgers with what people filled in, instead of those written before they did."""
    if not tables.filled:
        return
    names = [f for f in FILLED_FORMATS if f"products/{FORMATS[f].name}" in files]
    wanted = writers_of(names, tables, run, lambda: run_thumbnails(run, tables, PICTURED))
    for name, write in wanted.items():
        path = scratch / "products" / FORMATS[name].name
        write(path)
        yield named_product(path.name, path)


def field_files(run: Path) -> Iterator[Named]:
    """Yield what came back from the field: photos under their hashes, their records and pages.

    Raises
    ------
    InputError
        If nothing came back, or a photo was altered since.
    """
    folder = run / FIELD
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    if not paths:
        raise InputError(
            "the run has no photos from the field",
            str(folder),
            "leave out --photos, or take them over first: tuban field import",
        )
    for path in paths:
        inner = path.relative_to(folder)
        if inner.parts[0] == ATTACHMENTS and sha256(path) != path.stem:
            raise InputError(
                "the photo was altered since it was taken over",
                str(path),
                "take the photos over again: tuban field import",
            )
        yield named_product(f"{FIELD}/{inner.as_posix()}", path)
