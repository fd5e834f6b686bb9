"""Mines on indigenous land: settings alone, and the same numbers as plain shapely and pyproj."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely
import yaml

from tests.elsewhere.independent import area, geodesic_area, overlaps, play, repaired

pytestmark = pytest.mark.slow

NEW = "mining_202400_simplified.geojson"
INVALID = "amazon_basin_48px_v3.2-3.7ensemble_dissolved-0.6_2022diff.geojson"
TERRITORIES = "indigenous_territories_impacts.geojson"
ROUNDING_M2 = 0.06
"""Coordinates are kept to 1e-10 degrees, and whole dm² are shared out among the parts of a mine."""


@dataclass
class World:
    """What the product answered and what plain libraries say of the same files."""

    done: list[tuple[int, str]]
    folder: Path
    mines: Any
    left: np.ndarray
    territories: Any
    pairs: dict[tuple[str, str], Any]
    patches: Any
    findings: Any
    coverage: pd.DataFrame

    def touching(self, patch: str) -> list[str]:
        return [t for p, t in self.pairs if p == patch]

    def play(self, patch: str) -> float:
        cutters = [self.territories.geometry[t] for t in self.touching(patch)]
        return ROUNDING_M2 + play(self.left[int(patch[3:]) - 1], cutters)


@pytest.fixture(scope="module", params=[NEW, INVALID])
def world(
    request: pytest.FixtureRequest,
    run_example: Callable[..., tuple[Path, list[tuple[int, str]]]],
    data_dir: Path,
) -> World:
    source = data_dir / "vector_amazon_mining"
    if not source.is_dir():
        pytest.skip(f"there are no mines at {source}")
    files = {name: source / name for name in (NEW, INVALID, TERRITORIES)}
    folder, done = run_example("amazon-mining", files, {NEW: request.param})
    mines = gpd.read_file(source / request.param)
    territories = gpd.read_file(source / TERRITORIES).set_index("id")
    left = repaired(mines.geometry)
    found = overlaps(left, repaired(territories.geometry))
    pairs = {(f"row{i + 1}", territories.index[j]): common for i, j, common in found}
    run = folder / "run"
    tables = [gpd.read_parquet(run / f"{name}.parquet") for name in ("patches", "findings")]
    coverage = pd.read_parquet(run / "coverage.parquet")
    coverage["territory"] = coverage["key"].str.partition(":")[2]
    return World(done, folder, mines, left, territories, pairs, *tables, coverage)


def test_every_command_of_the_page_runs(world: World):
    invalid = int((~world.mines.is_valid).sum())
    assert [code for code, _ in world.done[:2]] == [0, 3 if invalid else 0]
    assert world.done[2][0] == 0, world.done[2][1]


def test_every_territory_is_read_once_whatever_its_status(world: World):
    settings = yaml.safe_load((world.folder / "LAYERS.yaml").read_text(encoding="utf-8"))
    named = [s for layer in settings["layers"] for s in layer["where"]["status_field"]]
    assert sorted(named) == sorted(set(world.territories["status_field"].fillna("")))


def test_areas_of_all_mines_are_equal(world: World):
    own = pd.Series([area(s) for s in world.left], [f"row{i + 1}" for i in range(len(world.left))])
    theirs = world.patches.set_index("patch_id")["area_dm2"] / 100
    assert sorted(theirs.index) == sorted(own.index)  # no mine is lost, valid or not
    difference = (theirs - own[theirs.index]).abs()
    assert difference.max() <= 0.015  # coordinates are kept to 1e-10 degrees
    assert difference.quantile(0.95) <= 0.0061  # whole dm²


def test_the_areas_come_near_those_of_geodesics(world: World):
    small = [s for s in world.left[:400] if s.geom_type == "Polygon" and not s.interiors]
    own = np.array([area(s) for s in small])
    other = np.array([geodesic_area(s) for s in small])
    assert np.abs(own / other - 1).max() < 1e-5


def test_repaired_rows_are_reported_and_only_they(world: World):
    import json

    rejects = json.loads((world.folder / "run" / "run.json").read_text(encoding="utf-8"))["rejects"]
    broken = np.flatnonzero(~world.mines.is_valid) + 1
    assert sorted(int(r["row"]) for r in rejects) == broken.tolist()
    assert {r["code"] for r in rejects} <= {"repaired_outline"}


def test_mines_meet_the_same_territories_on_the_same_areas(world: World):
    theirs = world.coverage.groupby(["patch_id", "territory"])["area_dm2"].sum() / 100
    assert sorted(theirs.index) == sorted(world.pairs)
    wrong = []
    for (patch, territory), common in world.pairs.items():
        difference = abs(theirs[patch, territory] - area(common))
        if difference > ROUNDING_M2 and difference > world.play(patch):
            wrong.append((patch, territory, difference))
    assert not wrong
    whole = {f"row{i + 1}": area(s) for i, s in enumerate(world.left)}
    share = [abs(theirs[k] - area(c)) / whole[k[0]] for k, c in world.pairs.items()]
    assert np.quantile(share, 0.99) < 1e-6


def test_areas_by_status_are_equal(world: World):
    status = world.territories["status_field"].fillna("")
    own = pd.Series(0.0, sorted(set(status)))
    for (_, territory), common in world.pairs.items():
        own[status[territory]] += area(common)
    theirs = world.coverage.groupby(world.coverage["territory"].map(status))["area_dm2"].sum() / 100
    assert (theirs.reindex(own.index).fillna(0) / own.clip(lower=1) - 1)[own > 0].abs().max() < 1e-6


def test_land_in_two_territories_is_counted_once(world: World):
    settings = yaml.safe_load((world.folder / "LAYERS.yaml").read_text(encoding="utf-8"))
    recognised = settings["layers"][0]["where"]["status_field"]
    names = world.territories.index[world.territories["status_field"].isin(recognised)]
    theirs = world.findings.groupby("patch_id")["redline_dm2"].sum() / 100
    pair_sum = union = 0.0
    for patch in sorted({p for p, _ in world.pairs}):
        own = [t for t in world.touching(patch) if t in names]
        commons = [world.pairs[patch, t] for t in own]
        inside = area(shapely.union_all(commons)) if commons else 0.0
        assert theirs[patch] == pytest.approx(inside, abs=world.play(patch)), patch
        pair_sum, union = pair_sum + sum(map(area, commons)), union + inside
    if world.mines.is_valid.all():
        assert pair_sum > union + 10_000  # the overlap is real


def test_outcomes_follow_from_the_areas(world: World):
    settings = yaml.safe_load((world.folder / "LAYERS.yaml").read_text(encoding="utf-8"))
    recognised = settings["layers"][0]["where"]["status_field"]
    status = world.territories["status_field"].fillna("")
    theirs = world.patches.set_index("patch_id")["outcome"]
    disputed = 0
    for patch in theirs.index:
        inside = {True: 0.0, False: 0.0}
        for territory in world.touching(patch):
            key = status[territory] in recognised
            inside[key] += area(world.pairs[patch, territory])
        if any(500 < size < 2500 for size in inside.values()):
            disputed += 1  # which parcel a strip joins decides: no matter of plain areas
            continue
        claimed = "unresolved" if inside[False] > 1000 else "non_new"
        assert theirs[patch] == ("suspected" if inside[True] > 1000 else claimed), (patch, inside)
    assert disputed < 0.01 * len(theirs)


def test_the_ledger_speaks_of_territories_in_english_and_hectares(world: World):
    book = openpyxl.load_workbook(world.folder / "run" / "clues.xlsx")
    assert book.sheetnames == ["clues", "machine", "dictionary", "tuban"]
    assert book["tuban"].sheet_state == "hidden"
    rows = list(book["clues"].iter_rows(min_row=2, values_only=True))
    head, body, total = rows[0], rows[1:-1], rows[-1]
    assert {"Area (ha)", "Recognised territory (ha)"} <= set(head)
    assert len(body) == int((world.patches["disposition"] == "clue").sum())
    column = head.index("Recognised territory (ha)")
    assert sum(r[column] for r in body) == pytest.approx(total[column], abs=0.005)
    text = "\n".join(str(v) for row in rows for v in row)
    assert not any("\u4e00" <= c <= "\u9fff" for c in text)
    assert " mu" not in text
    assert "redline" not in text
