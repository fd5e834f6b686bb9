"""Hand-in packages: one zip archive with a manifest that an outsider can check it by.

A package holds the judged tables of counties, from which every total can be added up again, and the
products that people read. `manifest.json` names each file with its size and SHA-256, the totals,
and what the answers were made from: two packages may be merged where all of that is the same.
"""

import datetime as dt
import hashlib
import json
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clues.outputs.archive import fixed_zip
from configs.errors import InputError
from tiles.archives import safe_entries
from tiles.files import sha256

__all__ = [
    "AGAIN",
    "CODE",
    "FORMAT",
    "MANIFEST",
    "SCHEMA",
    "TABLES",
    "FileEntry",
    "Manifest",
    "Package",
    "open_package",
    "write_package",
]

FORMAT, SCHEMA = "tuban-package", 1
"""Name and version of the format; the version goes up when a reader must change."""

MANIFEST = "manifest.json"
MOST_MANIFEST = 64 << 20
MOST_BYTES = 64 << 30
MOST_FILES = 200_000
"""A sheet per clue of a province."""

BLOCK = 1 << 20
AGAIN = "ask for the package again, or build it anew: tuban package build"

CODE = re.compile(r"[0-9]{2,12}")
"""Codes of divisions; they become names of folders and files."""

LISTS = ("counties", "layers", "parts", "images")
"""Fields of the manifest that are lists of entries, besides the files."""

MOST_NAME, MOST_YEAR, QUARTERS = 100, 9999, 4

TABLES: dict[str, tuple[str, str]] = {
    "tables/patches.parquet": ("图斑表", "patches with clue numbers, outcome and area in dm²"),
    "tables/findings.parquet": ("地块判定表", "one row per parcel and line, with its reason"),
    "tables/coverage.parquet": ("文件套合表", "documents and control lines on each parcel"),
    "tables/leads.parquet": ("其他来源线索表", "leads of people and the patch they concern"),
    "tables/verdicts.parquet": ("核查填报表", "what inspectors filled in, by whom and when"),
    "tables/indicators.json": ("统计指标", "totals by outcome, rule and county"),
    "tables/rules.json": ("规则集", "the rule set as it was used"),
    "tables/observed.json": ("可观测范围", "how much of each county was observed at both dates"),
}
"""Tables that every package of counties holds, with what they are in Chinese and English."""

Kind = Literal["run", "merged", "public"]


@dataclass(frozen=True)
class FileEntry:
    """One file of a package; `zh` and `en` say what it is."""

    path: str
    size: int
    sha256: str
    zh: str = ""
    en: str = ""


@dataclass(frozen=True)
class Manifest:
    """What a package says about itself.

    Attributes
    ----------
    kind : str
        ``run``, ``merged``, or ``public`` for a redacted one.
    title : dict
        county_code, county_name, year, quarter.
    counties : list of dict
        code and name of each county, with its own totals.
    totals : dict
        See `clues.packagetotals.totals`.
    versions : dict of str to str
        What is printed on products.
    epochs : dict
        First and last day of both dates.
    grid, state : str
        Grid id and hash of the fitted state, "" where there is none.
    rules : dict
        name and version of the rule set.
    layers : list of dict
        role, version, features, complete.
    made_from : dict
        Everything that an answer depends on, by name; empty if it cannot be merged.
    parts : list of dict
        Packages that were merged: file name, hash of the manifest.
    attribution : str
        Credit lines of the imagery.
    images : list of dict
        Scenes of both dates, see `clues.outputs.imagesources.ImageSource`.
    details : dict
        What else a kind of package tells.
    files : tuple of FileEntry
    """

    kind: Kind
    title: dict[str, Any]
    counties: list[dict[str, Any]]
    totals: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    epochs: dict[str, list[str]] = field(default_factory=dict)
    grid: str = ""
    state: str = ""
    rules: dict[str, str] = field(default_factory=dict)
    layers: list[dict[str, Any]] = field(default_factory=list)
    made_from: dict[str, Any] = field(default_factory=dict)
    parts: list[dict[str, str]] = field(default_factory=list)
    attribution: str = ""
    images: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    files: tuple[FileEntry, ...] = ()

    def to_json(self) -> str:
        """Return the text of ``manifest.json``."""
        head = {"format": FORMAT, "schema_version": SCHEMA}
        values = {n: getattr(self, n) for n in self.__dataclass_fields__ if n != "files"}
        files = [vars(entry) for entry in self.files]
        return json.dumps(head | values | {"files": files}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: bytes, where: str) -> "Manifest":
        """Read ``manifest.json``; every field is there and of its kind.

        Raises
        ------
        InputError
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{MANIFEST} is no JSON ({error})", where, AGAIN) from error
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise InputError(f"{MANIFEST} is not that of a tuban package", where, AGAIN)
        if values.get("schema_version") != SCHEMA:
            raise InputError(
                f"the package has schema version {values.get('schema_version')!r}, "
                f"this tuban reads version {SCHEMA}",
                where,
                "use the tuban that built it, or build it with this one",
            )
        return cls._typed(values, where)

    @classmethod
    def _typed(cls, values: dict[str, Any], where: str) -> "Manifest":
        kinds = {"kind": str, "grid": str, "state": str, "attribution": str, "files": list}
        kinds |= dict.fromkeys(LISTS, list)
        names = [*cls.__dataclass_fields__]
        wrong = [n for n in names if not isinstance(values.get(n), kinds.get(n, dict))]
        other = sorted(set(values) - {*names, "format", "schema_version"})
        inner = [
            e
            for n in ("counties", "layers", "parts", "images", "files")
            for e in values.get(n) or ()
        ]
        if wrong or other or not all(isinstance(e, dict) for e in inner):
            told = ", ".join([*wrong, *other]) or "a list"
            raise InputError(f"{MANIFEST} holds what it may not: {told[:200]}", where, AGAIN)
        try:
            files = tuple(FileEntry(**entry) for entry in values["files"])
            plain = all(
                isinstance(e.path, str) and isinstance(e.sha256, str) and isinstance(e.size, int)
                for e in files
            )
        except TypeError:
            plain = False
        plain = plain and _well_told(values)
        if not plain or values["kind"] not in ("run", "merged", "public"):
            raise InputError(
                f"{MANIFEST} tells its kind, title, days, counties or files wrongly", where, AGAIN
            )
        return cls(**{n: values[n] for n in names if n != "files"}, files=files)


def _well_told(values: dict[str, Any]) -> bool:
    """Return whether title, days and counties are what merging and naming rely on."""
    title = values["title"]
    kinds = {"county_code": str, "county_name": str, "year": int, "quarter": int}
    days = [day for pair in values["epochs"].values() for day in pair]
    try:
        for day in days:
            dt.date.fromisoformat(day)
    except (TypeError, ValueError):
        return False
    if not all(type(title.get(n)) is kind for n, kind in kinds.items()):
        return False
    places = [(title["county_code"], title["county_name"])]
    places += [(c.get("code"), c.get("name", "")) for c in values["counties"]]
    numbers = 0 <= title["year"] <= MOST_YEAR and 0 <= title["quarter"] <= QUARTERS
    return numbers and all(_is_place(*place) for place in places)


def _is_place(code: Any, name: Any) -> bool:
    """Return whether code and name are those of a division, or empty."""
    return (
        isinstance(code, str)
        and isinstance(name, str)
        and (not code or CODE.fullmatch(code) is not None)
        and len(name) <= MOST_NAME
        and not any(unicodedata.category(c).startswith("C") for c in name)
    )


@dataclass(frozen=True)
class Package:
    """A package whose archive was looked through and whose manifest was read."""

    path: Path
    manifest: Manifest
    entries: Mapping[str, zipfile.ZipInfo]
    manifest_sha256: str

    def read(self, name: str, most_bytes: int = 1 << 30) -> bytes:
        """Return the bytes of one file.

        Raises
        ------
        InputError
            If it is missing, too large for memory, or damaged.
        """
        where = f"{self.path}: {name}"
        entry = self.entries.get(name)
        if entry is None:
            raise InputError("the file is missing", where, AGAIN)
        if entry.file_size > most_bytes:
            raise InputError(f"{entry.file_size / 1e6:.0f} MB are too much", where, AGAIN)
        try:
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(entry)
        except (zipfile.BadZipFile, OSError, EOFError, zlib.error) as error:
            raise InputError(f"the file is damaged ({error})", where, AGAIN) from error

    def digest(self, name: str) -> str:
        """Return the SHA-256 of one file, read as a stream; "" if it is damaged."""
        digest = hashlib.sha256()
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.entries[name]) as part:
                while block := part.read(BLOCK):
                    digest.update(block)
        except (zipfile.BadZipFile, OSError, EOFError, zlib.error):
            return ""
        return digest.hexdigest()

    def unpack(self, name: str, folder: Path, inner: str) -> Path:
        """Write one file into a folder, as `inner`; return where it lies.

        Raises
        ------
        InputError
            If that is not inside the folder, stands there already, or the file is damaged.
        """
        where = f"{self.path}: {name}"
        target = folder / inner
        if not target.resolve().is_relative_to(folder.resolve()) or target.exists():
            raise InputError(f"it may not be unpacked as {inner[:80]!r}", where, AGAIN)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (
                zipfile.ZipFile(self.path) as archive,
                archive.open(self.entries[name]) as part,
                target.open("xb") as out,
            ):
                while block := part.read(BLOCK):
                    out.write(block)
        except (zipfile.BadZipFile, OSError, EOFError, zlib.error) as error:
            raise InputError(f"the file is damaged ({error})", where, AGAIN) from error
        return target


def open_package(path: Path) -> Package:
    """Look through an archive and read its manifest; nothing is written.

    Raises
    ------
    InputError
        If the file is no package, is damaged, or was made to do harm.
    """
    if not path.is_file():
        raise InputError("there is no such file", str(path), "name a package (.zip)")
    found = safe_entries(path, most_bytes=MOST_BYTES, most_files=MOST_FILES, fix=AGAIN)
    entries = {e.filename: e for e in found if not e.is_dir()}
    if MANIFEST not in entries:
        raise InputError(f"the archive holds no {MANIFEST}", str(path), AGAIN)
    bare = Package(path, Manifest("run", {}, [], {}), entries, "")
    text = bare.read(MANIFEST, MOST_MANIFEST)
    manifest = Manifest.from_json(text, f"{path}: {MANIFEST}")
    return Package(path, manifest, entries, hashlib.sha256(text).hexdigest())


def write_package(
    path: Path, manifest: Manifest, files: Mapping[str, tuple[Path, str, str]]
) -> Manifest:
    """Write a package: manifest first, then the files by name; the same files, the same bytes.

    Parameters
    ----------
    path : Path
        Written atomically.
    manifest : Manifest
        Its files are filled in here.
    files : mapping of str to (Path, str, str)
        Where each file lies, and what it is in Chinese and English.

    Returns
    -------
    Manifest
        As it was written.

    Raises
    ------
    InputError
        If a reader would refuse the manifest, as with a code that is none.
    """
    entries = tuple(
        FileEntry(name, source.stat().st_size, sha256(source), zh, en)
        for name, (source, zh, en) in sorted(files.items())
    )
    values = {n: getattr(manifest, n) for n in manifest.__dataclass_fields__}
    told = Manifest(**values | {"files": entries})
    Manifest.from_json(told.to_json().encode(), str(path))  # what is written can be read
    with fixed_zip(path) as archive:
        archive.add(MANIFEST, told.to_json().encode())
        for entry in entries:
            archive.add_file(entry.path, files[entry.path][0])
    return told
