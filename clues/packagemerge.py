"""Merging packages of counties into what one run of all of them would have given.

Runs by county keep to county borders, so the tables of a joint run are those of its counties one
after the other. What must be the same for that to hold is told by each package: grid, fitted
state, images, layer versions, rule set, settings and the code of the program.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from clues.packages import Manifest, Package
from clues.packagetotals import PackageTables, county_totals, read_tables, totals
from configs.errors import InputError

__all__ = ["BY_COUNTY", "differences", "merged_manifest", "merged_tables"]

BY_COUNTY = "config field area.by_county"
"""Entry of `Manifest.made_from` of a run that keeps to county borders."""


def differences(packages: Sequence[Package]) -> list[str]:
    """Return in words what keeps packages from being merged; nothing if they may be."""
    first, found = packages[0], []
    for package in packages:
        made = package.manifest.made_from
        if package.manifest.kind == "public" or not made:
            found.append(f"{package.path.name} does not tell what it was made from")
        elif made.get(BY_COUNTY) is not True:
            found.append(f"{package.path.name} is of a run without area.by_county")
    seen: dict[str, str] = {}
    for package in packages:
        for county in package.manifest.counties:
            code, name = str(county["code"]), package.path.name
            if not code:
                found.append(f"a county of {name} has no code")
            elif code in seen:
                found.append(f"county {code} is in {seen[code]} and in {name}")
            seen[code] = name
    mine = comparable(first.manifest)
    for other in packages[1:]:
        theirs = comparable(other.manifest)
        for name in sorted(set(mine) | set(theirs), key=lambda n: (n[0] != " ", n)):
            a, b = mine.get(name, "none"), theirs.get(name, "none")
            if a != b:
                names = first.path.name, other.path.name
                found.append(f"{name.strip()}: {a} in {names[0]}, {b} in {names[1]}")
    return found


def comparable(manifest: Manifest) -> dict[str, Any]:
    """Return what must be the same in packages that are merged, by name.

    Names of what people look at first begin with a space, so that they are told first.
    """
    layers = {f" layer {e.get('role')}": e.get("version") for e in manifest.layers}
    return {
        " grid id": manifest.grid,
        " fitted state": manifest.state,
        " rule set": " ".join(str(manifest.rules.get(n)) for n in ("name", "version")),
        **{f" {name} epoch": " – ".join(d) for name, d in manifest.epochs.items()},
        **{f" {name}": manifest.title.get(name) for name in ("year", "quarter")},
        **layers,
        **{name: value for name, value in manifest.made_from.items() if name != BY_COUNTY},
    }


def merged_tables(packages: Sequence[Package]) -> PackageTables:
    """Return the tables of packages in the order of their counties.

    Raises
    ------
    InputError
        If two packages hold a patch or a clue number of the same name.
    """
    parts = [read_tables(package) for package in packages]
    homes: dict[str, str] = {}
    for part in parts:
        homes |= dict(zip(part.patches["patch_id"], part.patches["county_code"], strict=True))
    tables = PackageTables(
        **{
            name: _in_order([getattr(p, name) for p in parts], homes)
            for name in ("patches", "findings", "coverage", "leads", "verdicts")
        }
    )
    for column in ("patch_id", "clue_no"):
        named = tables.patches[column][(tables.patches[column] != "").to_numpy()]
        twice = sorted(set(named[named.duplicated()]))
        if twice:
            raise InputError(
                f"{len(twice)} {column} stand in two packages, e.g. {twice[0]}",
                ", ".join(p.path.name for p in packages),
                "build the packages again from runs of one quarter, each county once",
            )
    return tables


def _in_order(tables: list[Any], homes: dict[str, str]) -> Any:
    """Return rows of all tables by county, in the order each table has them."""
    full = [t for t in tables if len(t)]
    if not full:
        return tables[0]
    table = full[0] if len(full) == 1 else pd.concat(full, ignore_index=True)
    codes = np.array([homes[p] for p in table["patch_id"]], dtype=str)
    return table.iloc[np.argsort(codes, kind="stable")].reset_index(drop=True)


def merged_manifest(
    packages: Sequence[Package], tables: PackageTables, code: str, name: str
) -> Manifest:
    """Return the manifest of the merged package, without its files.

    Parameters
    ----------
    packages : sequence of Package
        That may be merged.
    tables : PackageTables
        Of all of them.
    code, name : str
        Of the area that the counties make.
    """
    first = packages[0].manifest
    counties = [c for p in packages for c in p.manifest.counties]
    names = {str(c["code"]): str(c.get("name", "")) for c in counties}
    images = {json.dumps(i, sort_keys=True): i for p in packages for i in p.manifest.images}
    credits = {line for p in packages for line in p.manifest.attribution.split("; ") if line}
    return replace(
        first,
        kind="merged",
        title=first.title | {"county_code": code, "county_name": name},
        counties=county_totals(tables, names),
        totals=totals(tables),
        versions={n: v for n, v in first.versions.items() if n != "config"},  # each has its own
        parts=[{"file": p.path.name, "manifest": p.manifest_sha256} for p in packages],
        attribution="; ".join(sorted(credits)),
        images=list(images.values()),
        details={},
        files=(),
    )
