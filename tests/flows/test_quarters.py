"""Four quarters with one register: fates, lists of clues, numbers, land use after the year."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import geopandas as gpd
import numpy as np
import openpyxl
import pytest
import shapely
import yaml
from typer.testing import CliRunner

from clues.objects import FateName
from clues.onemap import Catalogue
from clues.store.verdicts import clue_numbers
from clues.store.versions import layer_versions
from clues.versions import read_version
from configs.vocabulary import change_type
from flows.cli.app import build_app
from flows.ledgerimport import import_ledger
from flows.registering import open_register, store_of
from flows.runner import work_run
from flows.stages import RunOptions
from tests.flows.fourquarters import (
    COLS,
    HIGH,
    NEXT_YEAR,
    ROWS,
    WIDE,
    Life,
    Pairs,
    build_quarters,
    write_quarter,
)
from tests.flows.minicounty import NORTH, PIXEL, WEST
from tiles.geodesy import ellipsoidal_area

QUARTERS = (1, 2, 3, 4)


@dataclass
class Year:
    """Four runs with one register, and what people said in between."""

    folder: Path
    pairs: Pairs
    plan: list[Life]
    runs: dict[int, Path] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    """What people told of the use of clues that they found lawful."""

    @property
    def register(self) -> Path:
        return self.folder / f"{self.pairs}.sqlite"

    def work(self, quarter: int) -> None:
        """Run a quarter."""
        config = write_quarter(self.folder, quarter, self.pairs, register=self.register.name)
        work_run(config, self.folder / "runs", RunOptions("threads", 1), plain=True)
        (self.runs[quarter],) = (self.folder / "runs").glob(f"{self.pairs}-q{quarter}-*")

    def patches(self, quarter: int) -> Any:
        """Return the patches of a quarter with their fates."""
        table = gpd.read_parquet(self.runs[quarter] / "patches.parquet")
        store = store_of(self.runs[quarter])
        try:
            numbers = clue_numbers(store)
        finally:
            store.close()
        return table.assign(
            pseudo=[change_type(t).is_pseudo for t in table["change_type"]],
            clue_no=[numbers.get(p, "") for p in table["patch_id"]],
        )

    def rows(self, quarter: int) -> Any:
        """Return what became of all things in a quarter."""
        return gpd.read_parquet(self.runs[quarter] / "lineage.parquet")

    def judge(self, quarter: int) -> None:
        """Let people fill in the ledger of a quarter as the plan says."""
        path = self.runs[quarter] / "clues.xlsx"
        book = openpyxl.load_workbook(path)
        sheet = book.worksheets[0]
        heads = [cell.value for cell in sheet[2]]
        row_of = {r[heads.index("线索编号")].value: r for r in sheet.iter_rows(min_row=3)}
        clues = self.patches(quarter)
        clues = clues[clues["disposition"] == "clue"]
        for life in self.plan:
            if life.verdict is None or life.verdict[0] != quarter:
                continue
            for number in clues[on_ground(clues, life)]["clue_no"]:
                row_of[number][heads.index("核实认定意见")].value = life.verdict[1]
                if life.verdict[1] == "违法":
                    row_of[number][heads.index("非农违法土地用途")].value = life.told[0]
                elif life.verdict[1] == "合法":
                    self.classes[number] = life.told[0]
        book.save(path)
        import_ledger(path, self.runs[quarter], by="张三")


def on_ground(table: Any, life: Life) -> Any:
    """Tell which rows lie on the slot of an object."""
    return table.geometry.representative_point().within(life.ground()).to_numpy()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Life]]:
    folder = tmp_path_factory.mktemp("quarters")
    return folder, build_quarters(folder)


@pytest.fixture(scope="module", params=["cumulative", "consecutive"])
def year(scene: tuple[Path, list[Life]], request: pytest.FixtureRequest) -> Year:
    """Return a year that was worked and judged quarter by quarter."""
    made = Year(scene[0], request.param, scene[1])
    for quarter in QUARTERS:
        made.work(quarter)
        made.judge(quarter)
    return made


def wrong_fates(year: Year) -> tuple[list[tuple[Any, ...]], Counter[str]]:
    """Return what is not told as planned, and how much of each fate was planned; "" is nothing."""
    wrong, planned = [], Counter[str]()
    pseudo: set[str] = set()
    for quarter in QUARTERS:
        patches, rows = year.patches(quarter), year.rows(quarter)
        pseudo |= set(patches[patches["pseudo"]]["object_id"]) - set(
            patches[~patches["pseudo"]]["object_id"]
        )
        rows = rows[~rows["object_id"].isin(pseudo)]
        for life in year.plan:
            wanted = life.fate(quarter, year.pairs)
            found = set(rows[on_ground(rows, life)]["fate"])
            planned[wanted] += 1
            if found != ({wanted} if wanted else set()):
                wrong.append((quarter, life.number, life.kind, wanted, sorted(found)))
    return wrong, planned


def wrong_lists(year: Year) -> list[tuple[Any, ...]]:
    """Return objects that stand in the list of a quarter and should not, or the other way round."""
    wrong = []
    for quarter in QUARTERS:
        patches = year.patches(quarter)
        clues = patches[patches["disposition"] == "clue"]
        for life in year.plan:
            wanted = life.is_new_to_people(quarter, year.pairs)
            found = bool(on_ground(clues, life).any())
            if wanted is not None and found != wanted:
                wrong.append((quarter, life.number, life.kind, wanted, found))
    return wrong


def counts(year: Year) -> dict[str, int]:
    store = open_register(str(year.register))
    try:
        return store.counts()
    finally:
        store.close()


def said(*words: str, code: int = 0) -> str:
    told = CliRunner().invoke(build_app(), ["register", *words])
    assert told.exit_code == code, told.output
    return told.output


MANY = 50
"""Planned cases of a fate of which one in fifty may be told wrongly; of fewer none may."""


@pytest.mark.slow
def test_every_kind_of_fate_is_as_planned(year: Year):
    wrong, planned = wrong_fates(year)
    kinds = set(get_args(FateName)) - ({"split"} if year.pairs == "consecutive" else set())
    assert set(planned) == kinds | {""}
    assert min(planned.values()) >= 6
    for fate, count in planned.items():
        missed = [row for row in wrong if row[3] == fate]
        assert len(missed) <= (0.02 * count if count >= MANY else 0), (fate, missed)


@pytest.mark.slow
def test_what_people_judged_is_not_listed_again_and_all_else_is(year: Year):
    wrong = wrong_lists(year)
    assert not [row for row in wrong if row[-1]]
    listed = sum(len(year.patches(q).query("disposition == 'clue'")) for q in QUARTERS)
    assert len(wrong) <= 0.02 * listed, wrong


@pytest.mark.slow
def test_what_waits_for_an_answer_stands_in_a_sheet_of_its_own(year: Year):
    waiting: set[str] = set()
    numbers: dict[str, str] = {}  # of things
    for quarter in QUARTERS:
        patches = year.patches(quarter)
        issued = patches[patches["clue_no"] != ""]
        numbers |= dict(zip(issued["object_id"], issued["clue_no"], strict=True))
        told = patches["disposition"].value_counts()
        assert told["clue"] + told.get("dismissed", 0) == len(patches)
        new = set(patches.query("disposition == 'clue'")["clue_no"])
        book = openpyxl.load_workbook(year.runs[quarter] / "clues.xlsx", read_only=True)
        earlier = (
            {row[0]: row[1:] for row in book["前期线索"].iter_rows(min_row=2, values_only=True)}
            if "前期线索" in book.sheetnames
            else {}
        )
        assert not new & set(earlier)
        assert set(earlier) <= waiting
        again = patches[patches["listed_before"]]
        if year.pairs == "cumulative" and quarter > 1:
            assert len(again) > 10
            assert set(again["rule"]) <= {"N6", "N7", "F1", "N2"}
            listed = again[again["rule"] == "N7"]
            pieces = listed["clue_no"] == ""  # of a thing that is listed by another piece
            assert set(listed[~pieces]["clue_no"]) <= set(earlier)
            for parents in listed[pieces]["object_parents"]:
                assert any(number in earlier for o, number in numbers.items() if o in parents)
        judged = {
            n
            for life in year.plan
            if life.verdict and life.verdict[0] == quarter
            for n in patches[on_ground(patches, life)]["clue_no"]
            if n
        }
        waiting = (waiting | new) - judged


@pytest.mark.slow
def test_parts_and_wholes_name_what_they_came_from(year: Year):
    checked = {"split": 0, "merged": 0}
    for quarter in QUARTERS[1:]:
        former, rows = year.rows(quarter - 1), year.rows(quarter)
        for life in year.plan:
            fate = life.fates[quarter - 1]
            if fate not in checked:
                continue
            then = former[on_ground(former, life) & (former["fate"] != "ended").to_numpy()]
            came_from = set(then["object_id"])
            shown = rows[on_ground(rows, life) & (rows["patch_id"] != "").to_numpy()]
            parents = [set(p.split(",")) - {""} for p in shown["parents"]]
            if fate == "merged":
                ((name, told),) = zip(shown["object_id"], parents, strict=True)
                assert told | ({name} & came_from) == came_from
                assert len(came_from) == 2
            elif year.pairs == "cumulative":
                assert parents == [came_from, came_from]
                assert not came_from & set(shown["object_id"])
            else:
                assert set(shown["object_id"]) == came_from
                assert parents == [set()]
            checked[fate] += 1
            shown_in = said("show", str(year.register), shown["object_id"].iloc[0])
            assert all(p in shown_in for p in parents[0])
    assert min(checked.values()) >= 6


@pytest.mark.slow
def test_a_field_that_rotated_and_was_built_on_later_is_told(year: Year):
    first, built = year.patches(1), year.patches(3)
    for life in year.plan:
        if life.kind != "rotated, then built":
            continue
        then = first[on_ground(first, life)]
        assert list(then["pseudo"]) == [True]
        now = built[on_ground(built, life) & ~built["pseudo"].to_numpy()]
        assert list(now["disposition"]) == ["clue"]
        assert not set(now["object_id"]) & set(then["object_id"])


@pytest.mark.slow
def test_numbers_are_of_one_thing_for_ever_and_a_run_again_adds_nothing(year: Year):
    told: dict[str, set[str]] = {}
    for quarter in QUARTERS:
        clues = year.patches(quarter).query("disposition == 'clue'")
        assert clues["clue_no"].ne("").all()
        for number, thing in zip(clues["clue_no"], clues["object_id"], strict=True):
            told.setdefault(number, set()).add(thing)
    assert {len(things) for things in told.values()} == {1}
    assert len({min(things) for things in told.values()}) == len(told)
    before = counts(year)
    assert before["clues"] == len(told)
    year.work(2)
    import_ledger(year.runs[2] / "clues.xlsx", year.runs[2], by="张三")
    assert counts(year) == before


@pytest.mark.slow
def test_clues_are_issued_and_the_land_use_after_the_year_is_what_was_confirmed(year: Year):
    """Exact within confirmed outlines and away from them, the new parcels close to the outlines.

    Noise moves the outline of a patch by a pixel, and the parcel is the patch: see `wrong_classes`
    and `parcel_ious` for what is asked of the rim. The areas add up to the square decimetre.
    """
    place, store = str(year.register), year.folder / f"{year.pairs}-onemap"
    words = ("--number", "1", "--date", "2026-01-05", "--days", "30")
    assert "due\t2026-02-04" in said("issue", place, *words)
    assert "new\t0" in said("issue", place, *words)
    layers = str(year.folder / "LAYERS.yaml")
    words = ("layers", "import", layers, "--store", str(store), "--valid-from", "2024-01-01")
    assert CliRunner().invoke(build_app(), list(words)).exit_code == 0
    table = year.folder / f"{year.pairs}-classes.csv"
    rows = [f"{number},{told}" for number, told in sorted(year.classes.items())]
    table.write_text("\n".join(["线索编号,实地地类", *rows]), encoding="utf-8")
    words = ("baseline", place, "--store", str(store), "--classes", str(table))
    assert "\tnew\tfrom 2025-12-20" in said(*words)
    assert "\tas before\tfrom 2025-12-20" in said(*words)
    with Catalogue(store) as catalogue:
        versions = layer_versions(catalogue.store, "landuse")
        assert [v.parent for v in versions] == [None, versions[0].version]
        former, after = (read_version("landuse", catalogue.path(v)) for v in versions)
    assert wrong_classes(year, former, after) == []
    ious = parcel_ious(year, former, after)
    assert len(ious) >= 40
    assert [(n, i, b) for n, (i, b) in ious.items() if i < b] == []
    areas = np.rint(after["area_m2"].to_numpy() * 100).astype(int)
    drawn = np.rint(ellipsoidal_area(former.geometry.to_numpy(), former.crs.to_string()) * 100)
    assert areas.sum() == int(drawn.sum())
    if year.pairs == "cumulative":
        assert wrong_next_year(year, store) == []


def wrong_next_year(year: Year, store: Path) -> list[tuple[Any, ...]]:
    """Return objects that the next year, judged by the baseline, does not answer as planned.

    It has a register of its own and sees everything since the first date once more: what was
    confirmed is construction land now, what was not is told again.
    """
    layers = yaml.safe_load((year.folder / "LAYERS.yaml").read_text())
    layers["layers"][0] = {"role": "landuse", "source": "catalogue:landuse", "complete": True}
    layers["layers"][0].pop("complete")
    layers["catalogue"] = str(store)
    (year.folder / "NEXT.yaml").write_text(yaml.safe_dump(layers))
    config = write_quarter(
        year.folder, NEXT_YEAR, year.pairs, register="next.sqlite", layers="NEXT.yaml"
    )
    work_run(config, year.folder / "runs", RunOptions("threads", 1), plain=True)
    (year.runs[NEXT_YEAR],) = (year.folder / "runs").glob(f"{year.pairs}-q{NEXT_YEAR}-*")
    patches, wrong, checked = year.patches(NEXT_YEAR), [], 0
    classes = gpd.read_parquet(year.runs[NEXT_YEAR] / "landclasses.parquet")
    largest = classes.sort_values("area_dm2", ascending=False)
    main = largest.drop_duplicates("patch_id").set_index("patch_id")["code"].to_dict()
    for life in year.plan:
        if life.kind not in ("lasting", "next year"):
            continue
        word = life.verdict[1] if life.verdict else ""
        is_known = life.kind == "lasting" and word in ("违法", "合法")
        own = patches[on_ground(patches, life)]
        found = [main[p] for p in own["patch_id"]]
        lists = list(own["disposition"])
        checked += 1
        if found != [life.told[1] if is_known else "0103"] or (not is_known and lists != ["clue"]):
            wrong.append((life.number, life.kind, word, life.told, found, lists))
    dismissed = patches[patches["rule"] == "N1"]
    known = [life for life in year.plan if life.verdict and life.verdict[1] != "伪变化"]
    assert len(dismissed) > 5
    assert len(dismissed) == sum(on_ground(dismissed, life).sum() for life in known)
    assert checked >= 30
    return wrong


INNER, OUTER = 1.5 * PIXEL, 3 * PIXEL
"""Metres within an outline from which the class must be the new one, beyond it the former one."""


def confirmed(year: Year) -> list[tuple[Life, shapely.Geometry]]:
    """Return what people found lawful or unlawful and still stands, with its true ground."""
    found = []
    for life in year.plan:
        if life.verdict is not None and life.verdict[1] != "伪变化":
            ground = life.outline(life.verdict[0]).intersection(life.outline(len(QUARTERS)))
            found += [] if ground.is_empty else [(life, ground)]
    return found


def wrong_classes(year: Year, former: Any, after: Any) -> list[tuple[int, int, str, str]]:
    """Return pixels whose class is not that of the plan: (row, column, wanted, found).

    A pixel whose centre lies 1.5 pixels or more within the outline of a confirmed object must have
    the class that people told; one 3 pixels or more beyond every such outline must have its former
    class. What lies between is held by `parcel_ious`.
    """
    rows, cols = np.mgrid[: ROWS * HIGH, : COLS * WIDE].reshape(2, -1) + 0.5
    points = shapely.points(WEST + cols * PIXEL, NORTH - rows * PIXEL)
    wanted, found = codes_at(former, points), codes_at(after, points)
    rim = np.zeros(len(points), dtype=bool)
    for life, ground in confirmed(year):
        inside = shapely.contains(ground.buffer(-INNER), points)
        rim |= shapely.contains(ground.buffer(OUTER), points) & ~inside
        wanted[inside] = life.told[1]
    wrong = np.flatnonzero((wanted != found) & ~rim)
    return [(int(rows[i]), int(cols[i]), wanted[i], found[i]) for i in wrong]


def parcel_ious(year: Year, former: Any, after: Any) -> dict[int, tuple[float, float]]:
    """Return, by number of the confirmed object, how well its parcels are its true outline.

    The parcels are all ground of its slot that has the class people told and had another before;
    the first figure is their common area with the outline over the area of both, 0 to 1. The second
    is what it would be if the rim were off by a whole pixel on every side: less must not be.
    """
    found = {}
    for life, ground in confirmed(year):
        now, then = (
            shapely.union_all(table[table["code"] == life.told[1]].geometry.to_numpy())
            for table in (after, former)
        )
        parcels = now.difference(then).intersection(life.ground())
        iou = parcels.intersection(ground).area / parcels.union(ground).area
        found[life.number] = iou, ground.buffer(-PIXEL).area / ground.buffer(PIXEL).area
    return found


def codes_at(table: Any, points: Any) -> Any:
    """Return the land class at points, each of which lies in one parcel."""
    point, parcel = shapely.STRtree(table.geometry.to_numpy()).query(points, "within")
    assert np.array_equal(point, np.arange(len(points)))
    return table["code"].to_numpy(dtype=object)[parcel]
