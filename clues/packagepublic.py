"""The manifest of a public package, made of what is known, never of texts that were handed in.

Attribution, names, versions and rule names of a manifest are free texts: a name of a person, a
number of a document or a position may stand in any of them.
"""

import re
from typing import TYPE_CHECKING, Any

from clues.packagecheck import rules_in
from clues.packages import Manifest, Package
from clues.packagetotals import PackageTables
from configs.sensors import sensor_names, sensor_spec

if TYPE_CHECKING:
    from clues.publiccells import CellGrid, PublicCells

__all__ = ["county_of", "public_code", "public_manifest"]

LEVELS = (2, 4, 6, 9, 12)
"""Digits of a division code, from the province down to the village."""

NAME = re.compile(r"[\u4e00-\u9fff]{1,14}[省市区县旗州盟]")
VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){0,3}((a|b|rc|\.dev|\.post)\d{1,3})?")


def public_code(code: Any) -> str:
    """Return a division code, or "" for what is none."""
    text = str(code)
    return text if text.isascii() and text.isdigit() and len(text) in LEVELS else ""


def county_of(manifest: Manifest, tables: PackageTables) -> tuple[str, str]:
    """Return code and name of the area; a name only where the judged patches tell it."""
    code = public_code(manifest.title["county_code"])
    patches = tables.patches
    if not code or "county_name" not in patches:
        return code, ""
    names = {str(n) for n in patches["county_name"][(patches["county_code"] == code).to_numpy()]}
    (name,) = names if len(names) == 1 else ("",)
    return code, name if NAME.fullmatch(name) else ""


def public_manifest(
    package: Package, tables: PackageTables, cells: "PublicCells", grid: "CellGrid"
) -> Manifest:
    """Return the manifest of a public package, without its files.

    Parameters
    ----------
    package : Package
        Of a run, or merged; whole.
    tables : PackageTables
        Of the package.
    cells : PublicCells
    grid : CellGrid
    """
    told = package.manifest
    code, name = county_of(told, tables)
    patches = int(cells.table["patches"].sum())
    version = told.versions.get("tuban", "")
    credits = {sensor_spec(sensor).attribution for sensor in sensor_names()} - {""}
    return Manifest(
        kind="public",
        title={
            "county_code": code,
            "county_name": name,
            "year": told.title["year"],
            "quarter": told.title["quarter"],
        },
        counties=[],
        totals={
            "patches": patches,
            "area_dm2": cells.area_dm2,
            "rounding_dm2": cells.rounding_dm2,
        },
        versions={"tuban": version} if VERSION.fullmatch(str(version)) else {},
        epochs={n: list(told.epochs[n]) for n in ("before", "after") if n in told.epochs},
        rules={"version": rules_in(package).digest},
        attribution="; ".join(sorted(credits.intersection(told.attribution.split("; ")))),
        details={
            "crs": grid.crs,
            "cell": grid.step,
            "left_out": {"leads": len(tables.patches) - patches},
        },
    )
