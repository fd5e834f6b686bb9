"""Figures of a report: counts and areas of a judged run by county, class, rule and control line.

All sums are whole dm². What is printed in a coarser unit is rounded so that the rows of a table
add up to its rounded total; no row is then more than 0.01 from its own value.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clues.outputs.tables import ClueTables
from configs.layers import SQUARE_METRES
from configs.vocabulary import COVERS, Outcome, change_type

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = [
    "CONTROL_LINES",
    "STAGES",
    "CroplandFlow",
    "Tally",
    "county_stages",
    "cover_flows",
    "covers_of",
    "cropland_flows",
    "observed",
    "rows_in",
    "tally_by",
    "zone_tallies",
]

STAGES = ("issued", "verified", "suspected", "grain", "found")
"""As issued; as verified (a patch that was cut counts by its parts); suspected building; suspected
use of cropland for other crops; found unlawful by people, with the areas that they filled in."""

FOUND = ("违法", "非农违法", "unlawful", "illegal")
FILLED_AREAS = ("illegal_mu", "illegal_cropland_mu", "illegal_pbf_mu")

CONTROL_LINES = {
    "basic_farmland": "pbf_dm2",
    "redline": "redline_dm2",
    "growth_boundary": "outside_boundary_dm2",
}
"""Column of the area within each control line; of the growth boundary that outside it."""

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Tally:
    """How many, and how much ground, in dm².

    Attributes
    ----------
    is_laid_over : bool
        Whether cropland and basic farmland are known.
    """

    count: int = 0
    area_dm2: int = 0
    cropland_dm2: int = 0
    pbf_dm2: int = 0
    is_laid_over: bool = True


@dataclass(frozen=True)
class CroplandFlow:
    """Cropland that became something else and the other way round, by the imagery, in dm²."""

    county: str
    out_dm2: int
    in_dm2: int


def rows_in(areas: Sequence[int], unit: str, whole: Decimal | None = None) -> list[Decimal]:
    """Return areas with two decimals that add up to the rounded sum.

    Parameters
    ----------
    areas : sequence of int
        dm², none negative.
    unit : str
        One of `configs.layers.SQUARE_METRES`.
    whole : Decimal, optional
        What they add up to instead, as another table has rounded their sum.

    Examples
    --------
    >>> [str(x) for x in rows_in([330, 330, 340], "mu")]
    ['0.00', '0.00', '0.01']
    """
    numerator, denominator = SQUARE_METRES[unit]
    parts = [int(a) * denominator for a in areas]
    exact = Fraction(sum(parts), numerator)
    total = int(_half_up(exact) if whole is None else whole.scaleb(2))
    found = [part // numerator for part in parts]
    rest = total - sum(found)
    # where another table rounded its rows down the largest bear it best
    weights = [p % numerator for p in parts] if rest >= 0 else parts
    order = sorted(range(len(parts)), key=weights.__getitem__, reverse=True)
    for n in range(abs(rest)):
        found[order[n % len(order)]] += 1 if rest > 0 else -1
    return [Decimal(c).scaleb(-2) for c in found]


def _half_up(value: Fraction) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal(1), ROUND_HALF_UP)


def observed(patches: "gpd.GeoDataFrame") -> "gpd.GeoDataFrame":
    """Return the patches without the places that only leads name."""
    if "origin" not in patches:
        return patches
    return patches[(patches["origin"] == "image").to_numpy()]


def tally_by(table: Any, columns: Sequence[str]) -> list[tuple[tuple[str, ...], Tally]]:
    """Return the tally of each group of rows, in the order of the groups' names.

    Parameters
    ----------
    table : DataFrame
        With ``area_dm2`` and, for cropland and basic farmland, ``cropland_dm2`` and ``pbf_dm2``.
    columns : sequence of str
        What makes a group; empty: all rows.
    """
    if not columns:
        return [((), _tally(table))]
    keys = [
        tuple(str(v) for v in row)
        for row in zip(*(table[c].tolist() for c in columns), strict=True)
    ]
    places: dict[tuple[str, ...], list[int]] = {}
    for i, key in enumerate(keys):
        places.setdefault(key, []).append(i)
    return [(key, _tally(table.iloc[rows])) for key, rows in sorted(places.items())]


def _tally(table: Any) -> Tally:
    sums = [int(table[n].sum()) if n in table else 0 for n in ("cropland_dm2", "pbf_dm2")]
    return Tally(len(table), int(table["area_dm2"].sum()), sums[0], sums[1])


def county_stages(
    tables: ClueTables, issued: "pd.DataFrame | None" = None
) -> list[tuple[str, str, Tally | None]]:
    """Return county, stage and tally, in the order of counties and `STAGES`.

    A cut patch is counted among the issued ones and its parts among the verified ones, never
    both. The last two stages count parcels; None where no rule set judged that line.

    Parameters
    ----------
    tables : ClueTables
    issued : DataFrame, optional
        The patches as they were before people edited them; by default nothing was edited.
    """
    patches = _with_farmland(tables)
    first = patches if issued is None else issued
    counties = [np.array(_counties(t), dtype=object) for t in (first, patches)]
    county = dict(zip(patches["patch_id"].tolist(), counties[1].tolist(), strict=True))
    found: list[tuple[str, str, Tally | None]] = []
    for name in sorted({*county.values(), *counties[0].tolist()}):
        before, now = (c == name for c in counties)
        found += [
            (name, "issued", replace(_tally(first[before]), is_laid_over=issued is None)),
            (name, "verified", _tally(patches[now])),
            (name, "suspected", _suspected(tables, county, name, tables.leading_line)),
            (name, "grain", _suspected(tables, county, name, "cropland_use")),
            (name, "found", _found(tables, county, name)),
        ]
    return found


def _found(tables: ClueTables, county: dict[str, str], name: str) -> Tally | None:
    """Return what people found unlawful in a county; None while nobody has looked there."""
    looked = [f for p, f in tables.filled.items() if f.get("verdict") and county.get(p) == name]
    if not looked:
        return None
    speech = tables.title.speech
    unit = "mu" if speech.language == "zh" else speech.area_unit
    own = [f for f in looked if f["verdict"].casefold() in FOUND]
    area, cropland, pbf = (
        sum(_filled_dm2(f.get(key, ""), unit) for f in own) for key in FILLED_AREAS
    )
    return Tally(len(own), area, cropland, pbf)


def _filled_dm2(text: str, unit: str) -> int:
    numerator, denominator = SQUARE_METRES[unit]
    return int(_half_up(Fraction(text or "0") * 100 * numerator / denominator))


def _counties(patches: Any) -> list[str]:
    codes, names = patches["county_code"].tolist(), patches["county_name"].tolist()
    return [f"{c or ''} {n or ''}".strip() for c, n in zip(codes, names, strict=True)]


def _suspected(tables: ClueTables, county: dict[str, str], name: str, line: str) -> Tally | None:
    own = tables.findings[(tables.findings["line"] == line).to_numpy()]
    if line != tables.leading_line and not len(own):
        return None
    chosen = (own["outcome"] == Outcome.SUSPECTED.value).to_numpy()
    here = np.array([county.get(p) == name for p in own["patch_id"].tolist()], dtype=bool)
    return _tally(own[chosen & here])


def _with_farmland(tables: ClueTables) -> Any:
    """Return the observed patches with the cropland and basic farmland of their parcels."""
    patches = observed(tables.patches)
    own = tables.findings[(tables.findings["line"] == tables.leading_line).to_numpy()]
    sums = own.groupby("patch_id")[["cropland_dm2", "pbf_dm2"]].sum()
    plain = pd.DataFrame(patches.drop(columns="geometry"))
    for name in ("cropland_dm2", "pbf_dm2"):
        plain[name] = plain["patch_id"].map(sums[name]).fillna(0).astype(np.int64)
    return plain


def cover_flows(patches: Any) -> tuple[tuple[str, ...], dict[tuple[str, str], int]]:
    """Return the covers that occur and the area, in dm², that went from one to another."""
    flows: dict[tuple[str, str], int] = {}
    for first, second, area in zip(*covers_of(patches), patches["area_dm2"].tolist(), strict=True):
        key = (first, second)
        flows[key] = flows.get(key, 0) + int(area)
    used = {name for pair in flows for name in pair}
    return tuple(c for c in (*COVERS, UNKNOWN) if c in used), flows


def covers_of(patches: Any) -> tuple[list[str], list[str]]:
    """Return the covers before and after; unknown where no image was looked at."""
    names = ("from_cover", "to_cover")
    none = [None] * len(patches)
    first, second = (patches[n].tolist() if n in patches else none for n in names)
    return [_cover(c) for c in first], [_cover(c) for c in second]


def _cover(value: Any) -> str:
    return value if isinstance(value, str) and value in COVERS else UNKNOWN


def cropland_flows(patches: Any) -> list[CroplandFlow]:
    """Return cropland lost and won by county; pseudo-changes are none."""
    kinds = [change_type(c) for c in patches["change_type"].tolist()]
    real = patches[np.array([not k.is_pseudo for k in kinds], dtype=bool)]
    first, second = (np.array([c == "cropland" for c in cs], dtype=bool) for cs in covers_of(real))
    areas = real["area_dm2"].to_numpy(dtype=np.int64)
    where = np.array(_counties(real), dtype=object)
    return [
        CroplandFlow(
            name,
            int(areas[(where == name) & first & ~second].sum()),
            int(areas[(where == name) & ~first & second].sum()),
        )
        for name in sorted(set(_counties(patches)))
    ]


def zone_tallies(tables: ClueTables) -> list[tuple[str, str, Tally, Tally]]:
    """Return kind, name, suspected and unresolved within each control line and plan zone.

    The kind is a layer role; the name is empty for a control line. Areas are those inside.
    """
    line = (tables.findings["line"] == tables.leading_line).to_numpy()
    own = tables.findings[line]
    found = []
    for role, column in CONTROL_LINES.items():
        inside = own[(own[column] > 0).to_numpy()].assign(area_dm2=own[column])
        found.append((role, "", *_open_tallies(inside)))
    zones = tables.coverage[(tables.coverage["role"] == "plan").to_numpy()]
    outcome = dict(zip(own["parcel_id"], own["outcome"], strict=True))
    zones = zones[(zones["line"] == tables.leading_line).to_numpy()]
    zones = zones.assign(outcome=[outcome.get(p, "") for p in zones["parcel_id"]])
    names = np.array([str(n or k) for n, k in zip(zones["number"], zones["key"], strict=True)])
    for name in sorted(set(names.tolist())):
        found.append(("plan", name, *_open_tallies(zones[names == name])))
    return found


def _open_tallies(table: Any) -> tuple[Tally, Tally]:
    wanted = (Outcome.SUSPECTED.value, Outcome.UNRESOLVED.value)
    first, second = (_tally(table[(table["outcome"] == o).to_numpy()]) for o in wanted)
    return first, second
