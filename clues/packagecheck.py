"""What an outsider can check of a package without the run: files, sums, totals, indicators."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from clues.packages import AGAIN, MANIFEST, TABLES, Package, open_package
from clues.packagetotals import PackageTables, county_totals, faults_of, read_tables, totals
from configs.errors import InputError, TubanError

if TYPE_CHECKING:
    from configs.rules import RuleSet

__all__ = ["CELLS", "Checked", "check_package", "require_whole", "rules_in"]

CELLS = "cells.csv"
"""The table of a public package that its totals add up from."""

PUBLIC_FILES = (CELLS, "cells.xlsx", "cells.gpkg")
EVIDENCE, PHOTO = "products/evidence/", "/field/attachments/"
MOST_FAULTS, MOST_JSON, MOST_CELLS = 50, 32 << 20, 64 << 20


@dataclass(frozen=True)
class Checked:
    """The answer of a check.

    Attributes
    ----------
    package : Package or None
        None where the archive itself is refused.
    faults : list of InputError
        What is wrong, where, and what to do.
    """

    package: Package | None
    faults: list[InputError]


def check_package(path: Path) -> Checked:
    """Check a package; nothing of it is written anywhere.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Checked
        Faults of the archive and manifest, then missing, foreign and altered files, then tables
        whose rows do not add up to the totals.
    """
    try:
        package = open_package(path)
    except InputError as error:
        return Checked(None, [error])
    faults = list(_file_faults(package))
    if not faults:
        public = package.manifest.kind == "public"
        try:
            faults = list(_public_faults(package) if public else _table_faults(package))
        except InputError as error:
            faults = [error]
        except (TypeError, ValueError, KeyError, AttributeError) as error:  # columns of a stranger
            faults = [
                InputError(f"the rows cannot be added up ({error})", f"{path}: tables/", AGAIN)
            ]
    return Checked(package, faults[:MOST_FAULTS])


def require_whole(path: Path) -> Package:
    """Return a package that is whole; raise the first fault of another."""
    checked = check_package(path)
    if checked.faults or checked.package is None:
        raise checked.faults[0]
    return checked.package


def rules_in(package: Package) -> "RuleSet":
    """Return the rule set of a package.

    Raises
    ------
    ConfigError
        If it breaks its contract.
    """
    from clues.catalogue import catalogue
    from configs.rules import load_rules

    with TemporaryDirectory(prefix="tuban-rules-") as folder:
        kept = Path(folder) / "rules.json"
        kept.write_bytes(package.read("tables/rules.json", MOST_JSON))
        return load_rules(str(kept), catalogue())


def _file_faults(package: Package) -> Iterator[InputError]:
    manifest, at = package.manifest, str(package.path)
    told = {entry.path: entry for entry in manifest.files}
    if len(told) < len(manifest.files):
        yield InputError("a file is named twice", f"{at}: {MANIFEST}", AGAIN)
    there = set(package.entries) - {MANIFEST}
    for name in sorted(there):
        if not _has_place(package, name):
            yield InputError("such a package holds no such file", f"{at}: {name}", AGAIN)
    for name in sorted(there - set(told)):
        yield InputError("the manifest does not name the file", f"{at}: {name}", AGAIN)
    needed = () if manifest.kind == "public" else TABLES
    for name in sorted((set(told) | set(needed)) - there):
        yield InputError("the file is missing", f"{at}: {name}", AGAIN)
    for name in sorted(there & set(told)):
        size = package.entries[name].file_size
        if size != told[name].size:
            what = f"the file has {size} bytes, the manifest says {told[name].size}"
            yield InputError(what, f"{at}: {name}", AGAIN)
        elif package.digest(name) != told[name].sha256:
            yield InputError("the file was altered (SHA-256 differs)", f"{at}: {name}", AGAIN)
        elif PHOTO in name and Path(name).stem != told[name].sha256:
            yield InputError("the photo is not the one it is named after", f"{at}: {name}", AGAIN)


def _has_place(package: Package, name: str) -> bool:
    """Return whether a kind of package may hold a file of a name."""
    root, _, inner = name.partition("/")
    if package.manifest.kind == "public":
        return name in PUBLIC_FILES
    if root != "counties":
        return name in TABLES or (root == "products" and bool(inner))
    codes = {str(c["code"]) for c in package.manifest.counties}
    folder, _, rest = inner.partition("/")
    return package.manifest.kind == "merged" and bool(rest) and codes >= {*folder.split("_")}


def _evidence_faults(package: Package, tables: PackageTables) -> Iterator[InputError]:
    """Yield evidence that belongs to no clue of the package."""
    clues = set(tables.patches["clue_no"]) - {""}
    for name in sorted(package.entries):
        stem, _, suffix = name.removeprefix(EVIDENCE).rpartition(".")
        if name.startswith(EVIDENCE) and not (stem in clues and suffix in ("pdf", "html")):
            yield InputError("the package has no such clue", f"{package.path}: {name}", AGAIN)


def _table_faults(package: Package) -> Iterator[InputError]:
    """Yield where tables do not fit together or do not add up to what is told."""
    manifest, at = package.manifest, f"{package.path}: "
    tables = read_tables(package)
    for what in faults_of(tables):
        yield InputError(what, at + "tables/", AGAIN)
    found = totals(tables)
    for name in sorted(set(found) | set(manifest.totals)):
        yield from _differs(name, found.get(name), manifest.totals.get(name), at)
    names = {str(c.get("code")): str(c.get("name", "")) for c in manifest.counties}
    own = {c["code"]: c for c in county_totals(tables, names)}
    told = {str(c.get("code")): c for c in manifest.counties}
    for code in sorted(set(own) | set(told)):
        mine, theirs = (c.get(code, {}).get("totals") for c in (own, told))
        yield from _differs(f"of county {code}", mine, theirs, at)
    yield from _evidence_faults(package, tables)
    yield from _indicator_faults(package, tables)


def _differs(name: str, found: Any, told: Any, at: str) -> Iterator[InputError]:
    if found != told:
        what = (
            f"totals {name}: the rows add up to {_brief(found)}, the manifest says {_brief(told)}"
        )
        yield InputError(what, at + MANIFEST, AGAIN)


def _indicator_faults(package: Package, tables: PackageTables) -> Iterator[InputError]:
    from clues.indicators import indicators

    where = f"{package.path}: tables/indicators.json"
    try:
        told = json.loads(package.read("tables/indicators.json", MOST_JSON))
        rules = rules_in(package)
        made = json.loads(json.dumps(indicators(tables.patches, tables.findings, rules)))
    except (TubanError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = error.what if isinstance(error, TubanError) else str(error)
        yield InputError(f"the indicators cannot be worked out ({what})", where, AGAIN)
        return
    if rules.digest != package.manifest.rules.get("version"):
        yield InputError("the rule set is not the one that the manifest names", where, AGAIN)
    for name in sorted(set(made) | set(told)):
        if made.get(name) != told.get(name):
            what = f"{name}: the rows give {_brief(made.get(name))}, told {_brief(told.get(name))}"
            yield InputError(what, where, AGAIN)


def _public_faults(package: Package) -> Iterator[InputError]:
    """Yield where the cells of a public package do not add up to its totals."""
    where = f"{package.path}: {CELLS}"
    text = package.read(CELLS, MOST_CELLS).decode("utf-8-sig", "replace")
    patches, area = 0, 0
    try:
        for row in csv.DictReader(io.StringIO(text)):
            patches, area = patches + int(row["patches"]), area + int(row["area_dm2"])
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        yield InputError(f"the cells cannot be read ({error})", where, AGAIN)
        return
    area += package.manifest.totals.get("rounding_dm2", 0)
    for name, found in (("patches", patches), ("area_dm2", area)):
        yield from _differs(name, found, package.manifest.totals.get(name), f"{package.path}: ")


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}…"
