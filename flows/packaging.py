"""Hand-in packages of finished runs: built, and merged with those of other counties."""

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from clues.outputs.filenames import official_name
from clues.outputs.imagesources import images_in
from clues.outputs.tables import RunTitle
from clues.packagecheck import require_whole, rules_in
from clues.packagemerge import differences, merged_manifest, merged_tables
from clues.packages import AGAIN, CODE, MANIFEST, TABLES, Manifest, Package, write_package
from clues.packagetotals import PackageTables, county_totals, totals
from clues.packageverdicts import present_cells, verdict_table
from configs.errors import InputError, RunError
from flows.finished import finished_tables, run_summary
from flows.fitting import GATE_FOLDER
from flows.formats import FORMATS, NO_PICTURES, writers_of
from flows.manifest import Run
from flows.packagefiles import (
    Files,
    field_files,
    filled_ledgers,
    kept_products,
    named_product,
    run_products,
)
from flows.registering import store_of

if TYPE_CHECKING:
    from clues.outputs.tables import ClueTables

__all__ = ["build_package", "merge_packages", "require_apart", "target_of"]

TOPIC, MERGED_TOPIC = "成果包", "合并成果包"
MADE_ANEW = ("xlsx", "gpkg", "geojson")
"""Formats of the ledger that a merged package holds."""

MOST_OBSERVED = 32 << 20
STAGES = ("plan", "gate", "fit", "tiles", "join", "judge")
OWN = ("area.county_code", "area.county_name")
"""Fields of the config in which counties of one joint run differ."""


def build_package(
    run: Path, out: Path, *, evidence: bool = False, photos: bool = False
) -> tuple[Path, Manifest]:
    """Build the package of a finished run.

    Parameters
    ----------
    run : Path
        Folder of the run.
    out : Path
        Folder, where the package gets its official name, or the name of a ``.zip``.
    evidence : bool
        Whether the evidence sheets go in.
    photos : bool
        Whether what came back from the field goes in.

    Returns
    -------
    Path, Manifest

    Raises
    ------
    InputError
        If the run is not finished, or a file was altered since.
    """
    summary, tables = run_summary(run), finished_tables(run)
    patches = tables.patches
    codes = dict(zip(patches["county_code"], patches["county_name"], strict=True))
    title, kept = tables.title, _of(tables, run)
    with TemporaryDirectory(prefix="tuban-package-") as folder:
        scratch = Path(folder)
        files = _table_files(kept, scratch)
        for name in ("indicators", "rules"):
            files[f"tables/{name}.json"] = (run / f"{name}.json", *TABLES[f"tables/{name}.json"])
        observed = summary.get("observed", {}).get("areas", [])
        _add_json(files, scratch, "tables/observed.json", observed)
        files |= dict(run_products(run, summary, evidence=evidence))
        files |= dict(filled_ledgers(run, tables, files, scratch))
        if photos:
            files |= dict(field_files(run))
        manifest = Manifest(
            kind="run",
            title={
                "county_code": title.county_code,
                "county_name": title.county_name,
                "year": title.year,
                "quarter": title.quarter,
            },
            counties=county_totals(kept, _county_names(title, summary, codes)),
            totals=totals(kept),
            versions=title.versions,
            epochs=summary.get("epochs") or {},
            grid=summary.get("stages", {}).get("plan", {}).get("grid", {}).get("grid_id", ""),
            state=summary.get("stages", {}).get("fit", {}).get("hash", ""),
            rules=_rules_of(run),
            layers=_layers(summary),
            made_from=_made_from(run),
            attribution=title.attribution,
            images=[image.record for image in title.images],
        )
        target = target_of(out, manifest, TOPIC)
        return target, write_package(target, manifest, files)


def merge_packages(
    paths: Sequence[Path], out: Path, *, code: str = "", name: str = ""
) -> tuple[Path, Manifest]:
    """Merge packages of counties into what one run of all of them would have given.

    Parameters
    ----------
    paths : sequence of Path
    out : Path
        Folder or ``.zip``.
    code, name : str
        Of the area that the counties make; by default the common digits of their codes.

    Raises
    ------
    InputError
        If a package is not whole, or something differs that answers depend on: all of it is named.
    """
    require_apart(out, paths)
    packages = [require_whole(path) for path in paths]
    if len(packages) < 2:
        raise InputError("one package is nothing to merge", str(paths[0]), "name two or more")
    found = differences(packages)
    if found:
        raise InputError(
            f"the packages would not equal one joint run: {'; '.join(found)}",
            ", ".join(path.name for path in paths),
            "run every county with area.by_county, the same images, layers, rules and settings, "
            "and one state of `tuban fit` (--state); then build and merge again",
        )
    packages.sort(key=lambda p: min(str(c["code"]) for c in p.manifest.counties))
    tables = merged_tables(packages)
    if code and not CODE.fullmatch(code):
        raise InputError(
            f"{code[:40]!r} is no code of a division", "--code", "write 2 to 12 digits"
        )
    code = code or _common_code([str(c["code"]) for p in packages for c in p.manifest.counties])
    manifest = merged_manifest(packages, tables, code, name)
    with TemporaryDirectory(prefix="tuban-package-") as folder:
        scratch = Path(folder)
        files = _table_files(tables, scratch)
        try:
            _add_made(files, scratch, packages, tables, manifest)
        except InputError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            # columns and lists of a stranger
            what = f"no ledger can be made of the tables ({error!r})"
            raise InputError(what, ", ".join(path.name for path in paths), AGAIN) from error
        for package in packages:
            files |= dict(kept_products(package, scratch))
        target = target_of(out, manifest, MERGED_TOPIC, paths)
        return target, write_package(target, manifest, files)


def _of(tables: "ClueTables", run: Path) -> PackageTables:
    assert tables.leads is not None  # every judged run keeps the table
    patches = tables.patches
    store = store_of(run)
    try:
        numbers = dict(zip(patches["patch_id"], patches["clue_no"], strict=True))
        told = verdict_table(store, numbers)
    finally:
        store.close()
    return PackageTables(patches, tables.whole().findings, tables.coverage, tables.leads, told)


def _table_files(tables: PackageTables, scratch: Path) -> Files:
    tables.write(scratch / "tables")
    names = (n for n in TABLES if n.endswith(".parquet"))
    return {name: (scratch / name, *TABLES[name]) for name in names}


def _add_json(files: Files, scratch: Path, name: str, value: Any) -> None:
    path = scratch / name
    path.write_text(
        json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8"
    )
    files[name] = (path, *TABLES[name])


def _county_names(
    title: RunTitle, summary: dict[str, Any], found: dict[str, str]
) -> dict[str, str]:
    """Return names by code: of the counties with patches, and of those worked without one."""
    names = {str(c): "" if n is None or n != n else str(n) for c, n in found.items()}
    area = summary.get("config", {}).get("area", {})
    if not area.get("by_county"):
        return {title.county_code: title.county_name} | names
    worked = summary["stages"]["plan"].get("counties", {})
    return {str(c): str(n) for c, n in worked.items()} | names


def _rules_of(run: Path) -> dict[str, str]:
    told = json.loads((run / "indicators.json").read_text(encoding="utf-8"))
    return {"name": str(told["rule_set"]), "version": str(told["rule_set_digest"])}


def _layers(summary: dict[str, Any]) -> list[dict[str, Any]]:
    names = ("role", "version", "features", "complete")
    return [{n: layer.get(n) for n in names} for layer in summary.get("layers", [])]


def _made_from(run: Path) -> dict[str, Any]:
    """Return what the answers of a run depend on, without what other entries tell.

    Paths are left out: the files behind them are there by fingerprint.
    """
    try:
        opened = Run.open(run)
    except RunError:
        return {}  # judged from delivered patches
    found: dict[str, Any] = {}
    for stage in STAGES:
        for product in opened.products(stage)[:1]:
            found |= opened.made_from(product)
    own = {f"config field {name}" for name in OWN}
    gate = run / GATE_FOLDER / "state.json"
    handed = json.loads(gate.read_text(encoding="utf-8"))["hash"] if gate.is_file() else ""
    return {
        name: value
        for name, value in sorted(found.items())
        if name not in own
        and not name.startswith("input ")
        and name not in ("file state", "file rules")
        and not (isinstance(value, str) and Path(value).is_absolute())
    } | {"registration and clouds": handed}


def _add_made(
    files: Files,
    scratch: Path,
    packages: Sequence[Package],
    tables: PackageTables,
    manifest: Manifest,
) -> None:
    """Add what is worked out anew for all counties together: indicators, ledger, layers."""
    from clues.indicators import indicators
    from clues.outputs.severity import read_levels
    from clues.outputs.tables import ClueTables

    rules = rules_in(packages[0])
    numbers = indicators(tables.patches, tables.findings, rules)
    _add_json(files, scratch, "tables/indicators.json", numbers)
    name = "tables/rules.json"
    files[name] = (packages[0].unpack(name, scratch, name), *TABLES[name])
    rows = [json.loads(p.read("tables/observed.json", MOST_OBSERVED)) for p in packages]
    _add_json(files, scratch, "tables/observed.json", _observed(rows, manifest.title))
    told = ClueTables(
        tables.patches,
        tables.findings,
        tables.coverage,
        numbers,
        _title(manifest),
        tables.leads,
        present_cells(tables.verdicts),
        levels=read_levels(files["tables/rules.json"][0]),
    )
    wanted = writers_of(MADE_ANEW, told, scratch, lambda: NO_PICTURES)
    for name, write in wanted.items():
        path = scratch / "products" / FORMATS[name].name
        write(path)
        files |= dict([named_product(path.name, path)])


def _title(manifest: Manifest) -> RunTitle:
    title = manifest.title
    code, name = str(title["county_code"]), str(title["county_name"])
    when = int(title["year"]), int(title["quarter"])
    return RunTitle(
        *(code, name, *when, code + name, manifest.versions, manifest.attribution),
        images=images_in(manifest.images, MANIFEST),
    )


def _observed(rows: Sequence[list[dict[str, Any]]], title: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the observed shares of all counties, with those of all together in front."""
    heads = [part[0] for part in rows if part]
    area, seen = (sum(int(h[n]) for h in heads) for n in ("area_dm2", "observed_dm2"))
    divisions = [row for part in rows for row in part[1:]]
    whole = {
        "code": title["county_code"],
        "name": title["county_name"],
        "area_dm2": area,
        "observed_dm2": seen,
        "observed_percent": round(100.0 * seen / area, 2) if area else 0.0,
    }
    return [whole, *sorted(divisions, key=lambda r: (r["code"], r["name"]))]


def _common_code(codes: Sequence[str]) -> str:
    """Return the digits that codes begin with, in pairs, filled up with zeros."""
    alike = next((n for n in (4, 2) if len({c[:n] for c in codes}) == 1), 0)
    return codes[0][:alike].ljust(6, "0")


def target_of(out: Path, manifest: Manifest, topic: str, inputs: Sequence[Path] = ()) -> Path:
    """Return where a package goes; in a folder it gets its official name.

    Raises
    ------
    InputError
        If one of the packages that it is made of lies there.
    """
    target = out
    if out.suffix.lower() != ".zip":
        days = manifest.epochs.get("after") or ["2000-01-01"]
        day = dt.date.fromisoformat(days[-1])
        target = out / official_name(_title(manifest), topic, day, "zip")
    require_apart(target, inputs)
    return target


def require_apart(out: Path, inputs: Sequence[Path]) -> None:
    """Refuse a place where one of the packages that are read lies.

    Raises
    ------
    InputError
    """
    if out.is_file() and any(path.exists() and out.samefile(path) for path in inputs):
        raise InputError(
            "the package that is read would be replaced",
            str(out),
            "name another file or folder with --out",
        )
