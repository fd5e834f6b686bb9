"""Totals of a package, added up from its tables alone."""

from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clues.leadtexts import LEAD_LINE
from clues.packageparquet import decoded_bytes
from clues.packages import AGAIN, Package
from clues.packageverdicts import VERDICT_TABLE, filled_totals, no_verdicts
from configs.errors import InputError

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = ["PackageTables", "county_totals", "faults_of", "read_tables", "totals"]

MOST_FILE, MOST_DECODED = 256 << 20, 512 << 20
"""Bytes of one table as it is packed, and of all tables of a package as they are read."""
FEWER = "if the package is whole, make packages of fewer counties; else ask for it again"
NEEDED = {
    "patches": ("patch_id", "clue_no", "county_code", "area_dm2", "disposition", "outcome"),
    "findings": ("patch_id", "line", "parcel_no", "parcel_id", "outcome", "rule", "area_dm2"),
    "coverage": ("patch_id", "line", "parcel_id", "role", "key", "area_dm2"),
    "leads": ("lead_id", "patch_id", "relation"),
    "verdicts": VERDICT_TABLE,
}
PLAIN = ("coverage", "verdicts")
"""Columns that reading relies on."""


@dataclass(frozen=True)
class PackageTables:
    """The judged tables of a package."""

    patches: "gpd.GeoDataFrame"
    findings: "gpd.GeoDataFrame"
    coverage: "pd.DataFrame"
    leads: "gpd.GeoDataFrame"
    verdicts: "pd.DataFrame" = field(default_factory=no_verdicts)

    def write(self, folder: Path) -> None:
        """Write the tables into a folder, as packages name them; equal rows give equal bytes."""
        import pandas as pd

        folder.mkdir(parents=True, exist_ok=True)
        for name in NEEDED:
            table = getattr(self, name).copy()
            for column in table.columns.drop("geometry", errors="ignore"):
                values = table[column].to_numpy(dtype=object)
                told = values[~pd.isna(values)]
                if len(told) and all(isinstance(v, str) for v in told):  # kept in several ways
                    table[column] = pd.Series(values, index=table.index, dtype="str")
            table.to_parquet(folder / f"{name}.parquet", index=False)


def read_tables(package: Package) -> PackageTables:
    """Read the tables of a package into memory.

    Raises
    ------
    InputError
        If a table is missing, damaged, too large, or lacks a column.
    """
    left, found = MOST_DECODED, {}
    for name in NEEDED:
        found[name], size = _table(package, name, left)
        left -= size
    return PackageTables(**found)


def _table(package: Package, name: str, most: int) -> tuple[Any, int]:
    """Return a table that takes at most so many bytes, and how many it takes."""
    import geopandas as gpd
    import pandas as pd
    import pyarrow as pa

    path = f"tables/{name}.parquet"
    where = f"{package.path}: {path}"
    data = package.read(path, MOST_FILE)
    try:
        size = decoded_bytes(data, most, where, FEWER)
        read = pd.read_parquet if name in PLAIN else gpd.read_parquet
        table = read(BytesIO(data))
    except (pa.ArrowException, ValueError, OSError, KeyError, TypeError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the table cannot be read ({error})", where, AGAIN) from error
    lost = [c for c in NEEDED[name] if c not in table.columns]
    if lost and len(table):
        raise InputError(f"the table has no column {', '.join(lost)}", where, AGAIN)
    return table, size


def totals(tables: PackageTables) -> dict[str, Any]:
    """Return the totals of tables: whole numbers, areas in dm² (0.01 m²).

    Returns
    -------
    dict
        ``patches``, ``clues``, ``dismissed``, ``area_dm2``, ``leads``; ``outcomes``: patches and
        area by outcome; ``lines``: findings and area by line and outcome; ``filled``: what people
        filled in, see `clues.packageverdicts.filled_totals`.
    """
    patches, findings = tables.patches, tables.findings
    clues = int((patches["disposition"] == "clue").sum())
    lines: dict[str, Any] = {}
    if len(findings):
        for line in sorted(set(findings["line"])):
            own = findings[(findings["line"] == line).to_numpy()]
            lines[str(line)] = _by_outcome(own)
    return {
        "patches": len(patches),
        "clues": clues,
        "dismissed": len(patches) - clues,
        "area_dm2": int(patches["area_dm2"].sum()),
        "leads": len(tables.leads),
        "outcomes": _by_outcome(patches),
        "lines": lines,
        "filled": filled_totals(tables.verdicts),
    }


def county_totals(tables: PackageTables, names: dict[str, str]) -> list[dict[str, Any]]:
    """Return the totals of each county, by code; `names` holds also those without a patch."""
    patches, findings = tables.patches, tables.findings
    home = dict(zip(patches["patch_id"], patches["county_code"], strict=True))
    place = np.array([home.get(p, "") for p in findings["patch_id"]], dtype=object)
    led = np.array([home.get(p, "") for p in tables.leads["patch_id"]], dtype=object)
    told = np.array([home.get(p, "") for p in tables.verdicts["patch_id"]], dtype=object)
    found = []
    for code in sorted({*names, *patches["county_code"]}):
        own = PackageTables(
            patches[(patches["county_code"] == code).to_numpy()],
            findings[place == code],
            tables.coverage,
            tables.leads[led == code],
            tables.verdicts[told == code],
        )
        found.append({"code": str(code), "name": names.get(code, ""), "totals": totals(own)})
    return found


def faults_of(tables: PackageTables) -> list[str]:
    """Return in words what does not fit together in tables: ids, numbers, sums."""
    patches, findings = tables.patches, tables.findings
    found = []
    ids = patches["patch_id"].tolist()
    if len(set(ids)) < len(ids):
        found.append(f"{len(ids) - len(set(ids))} patch ids stand there twice")
    numbers = [n for n in patches["clue_no"] if n]
    if len(set(numbers)) < len(numbers):
        found.append(f"{len(numbers) - len(set(numbers))} clue numbers stand there twice")
    is_clue, numbered = patches["disposition"] == "clue", patches["clue_no"] != ""
    if not (is_clue == numbered).all():
        found.append("clues and clue numbers do not belong together")
    for name in ("findings", "coverage", "leads", "verdicts"):
        table = getattr(tables, name)
        lost = set(table["patch_id"]) - set(ids) if len(table) else set()
        if lost:
            found.append(f"{name}: {len(lost)} patches are not in the table, e.g. {min(lost)}")
    number_of = dict(zip(ids, patches["clue_no"], strict=True))
    told = zip(tables.verdicts["patch_id"], tables.verdicts["clue_no"], strict=True)
    astray = {str(n) for p, n in told if number_of.get(p, n) != n}
    if astray:
        found.append(f"verdicts: clue numbers of other patches, e.g. {min(astray)}")
    lost_parcels = _lost_parcels(tables)
    if lost_parcels:
        found.append(
            f"verdicts: {len(lost_parcels)} parcels are not in the table, e.g. {min(lost_parcels)}"
        )
    imaged = findings[(findings["line"] != LEAD_LINE).to_numpy()]
    sums = imaged.groupby(["patch_id", "line"])["area_dm2"].sum()
    whole = dict(zip(ids, patches["area_dm2"].tolist(), strict=True))
    wrong = [p for (p, _), area in sums.items() if area != whole.get(p, area)]
    if wrong:
        found.append(f"the parcels of {len(wrong)} patches do not add up, e.g. {min(wrong)}")
    return found


def _lost_parcels(tables: PackageTables) -> set[str]:
    """Return the parcels that verdicts name and no finding knows."""
    names = ("patch_id", "line", "parcel_no")
    known = {tuple(map(str, row)) for row in zip(*(tables.findings[n] for n in names), strict=True)}
    told = [tuple(map(str, row)) for row in zip(*(tables.verdicts[n] for n in names), strict=True)]
    return {" ".join(row) for row in told if row[1:] != ("", "0") and row not in known}


def _by_outcome(table: Any) -> dict[str, dict[str, int]]:
    return {
        str(o): {"count": len(t), "area_dm2": int(t["area_dm2"].sum())}
        for o, t in table.groupby("outcome", sort=True)
    }
