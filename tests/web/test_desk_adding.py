"""Runs brought into a desk: whole, once, as the run saw its images; and outlines taken over."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.warp import transform
from sqlalchemy import insert, select

from clues.audit.chain import first_broken
from clues.cases.actors import Actor
from clues.cases.casebook import Casebook
from clues.store import schema
from clues.store.cases import case_row, change_case
from clues.store.clueview import clue
from clues.store.events import read_events
from clues.store.images import images
from clues.store.places import places_of
from clues.store.repository import Store
from clues.store.worklist import Filters, Scope, clue_numbers_matching
from configs.errors import InputError, StoreError
from flows.desk.adding import add_run
from flows.desk.place import DeskPlace, desk_place
from flows.desk.services import DeskServices
from flows.finished import finished_tables
from tests.clues.test_store import judged, record
from tests.web.conftest import FIRST, SECOND, DeskFiles
from tiles.files import sha256
from web.services import Outline

pytestmark = pytest.mark.slow

OFFICE = Actor("li", "county", FIRST)


@pytest.fixture
def place(desk_files: DeskFiles, tmp_path: Path) -> DeskPlace:
    """Return an own copy of the desk."""
    shutil.copy(desk_files.store, tmp_path)
    own = desk_files.store.with_name("register-desk")
    shutil.copytree(own, tmp_path / own.name)
    return desk_place(str(tmp_path / desk_files.store.name))


@pytest.fixture
def store(place: DeskPlace) -> Iterator[Store]:
    found = place.open()
    yield found
    found.close()


@pytest.fixture
def run(desk_files: DeskFiles, tmp_path: Path) -> Path:
    """Return an own copy of the run of the first county."""
    own = desk_files.runs[FIRST]
    return Path(shutil.copytree(own, tmp_path / "runs" / own.name))


def test_the_desk_has_what_the_ledgers_have(desk_files: DeskFiles, place: DeskPlace, store: Store):
    ledger = {n for run in desk_files.runs.values() for n in finished_tables(run).clues["clue_no"]}
    with store.engine.connect() as connection:
        assert set(clue_numbers_matching(connection, Filters(), Scope())) == ledger
        shown = images(connection)
        events = list(read_events(connection))
    assert {(row.run, row.role) for row in shown} == {
        (run.name, role)
        for run in desk_files.runs.values()
        for role in ("before", "after", "change")
    }
    for row in shown:
        assert sha256(place.files / row.path) == row.fingerprint
    assert [e.what for e in events if e.subject.startswith("run:")].count("desk.add") == 2
    assert first_broken(events) == ""


def test_display_images_have_the_pixels_of_the_run(desk_files: DeskFiles, place: DeskPlace):
    run = desk_files.runs[FIRST]
    found = {p.name.split("-")[-2]: p for p in (place.files / "images").glob(f"{run.name}-*.tif")}
    with rasterio.open(run / "change.tif") as change, rasterio.open(found["change"]) as shown:
        values = change.read(1) > 1
        rows, cols = np.indices(values.shape)
        x, y = transform(change.crs, shown.crs, *change.xy(rows.ravel(), cols.ravel()))
        at = tuple(np.asarray(n).astype(int) for n in ~shown.transform @ (np.array(x), np.array(y)))
        seen = (shown.dataset_mask() > 0)[at[1], at[0]].reshape(values.shape)
    assert (seen != values).mean() < 0.01  # a pixel's edge may fall on the other side
    assert seen.sum() == pytest.approx(values.sum(), rel=0.05)
    with rasterio.open(found["before"]) as before, rasterio.open(found["after"]) as after:
        assert before.transform == after.transform
        assert before.shape == after.shape
        assert before.dtypes == ("uint8",) * 3
        np.testing.assert_array_equal(before.dataset_mask() > 0, after.dataset_mask() > 0)


def test_the_same_run_again_changes_nothing(run: Path, place: DeskPlace, store: Store):
    before = store.counts()
    done = add_run(run, place, by="again")
    assert done.is_known
    assert not done.notes
    assert store.counts() == before


def test_what_was_changed_since_the_run_is_left_out_and_told(desk_files: DeskFiles, tmp_path: Path):
    county = Path(shutil.copytree(desk_files.folder / SECOND, tmp_path / "away"))
    run = next((county / "runs").glob("run-*"))
    summary = (run / "run.json").read_text(encoding="utf-8")
    moved = summary.replace(str(desk_files.folder / SECOND), str(county))
    (run / "run.json").write_text(moved, encoding="utf-8")
    with rasterio.open(county / "after.tif", "r+") as image:
        values = image.read()
        values[:, :20, :20] += 0.01
        image.write(values)
    with (county / "approval.dbf").open("ab") as handle:
        handle.write(b"\x1a")
    (tmp_path / "new").mkdir()
    done = add_run(run, desk_place(str(tmp_path / "new" / "desk.sqlite")), by="later")
    told = " ".join(note.en for note in done.notes)
    assert "the images were changed since the run" in told
    assert "the layer approval was changed" in told
    assert done.images == 0
    assert done.clues == len(finished_tables(run).clues)


def test_a_run_whose_clues_would_get_other_numbers_is_refused(run: Path, tmp_path: Path):
    place = desk_place(str(tmp_path / "other.sqlite"))
    store = place.open(new=True)
    patches, findings = judged(3, county=FIRST)
    title = finished_tables(run).title
    taken = replace(record(), year=title.year, quarter=title.quarter)
    store.register(taken, patches, findings)
    before = store.counts()
    with pytest.raises(StoreError, match="would have the number"):
        add_run(run, place, by="x", pictures=False)
    assert store.counts() == before
    store.close()


def halves_of(run: Path) -> tuple[str, tuple[dict, dict]]:
    """Return a clue of a run and its outline in two parts."""
    table = finished_tables(run).clues.to_crs("EPSG:4326")
    number, shape = table["clue_no"].iloc[-1], table.geometry.iloc[-1]
    west, south, east, north = shape.bounds
    middle = (west + east) / 2
    boxes = (west, south, middle, north), (middle, south, east, north)
    parts = [shapely.intersection(shape, shapely.box(*box)) for box in boxes]
    return number, tuple(shapely.geometry.mapping(part) for part in parts)


def test_a_clue_is_cut_at_the_desk(run: Path, place: DeskPlace, store: Store):
    add_run(run, place, by="setup")
    number, drawn = halves_of(run)
    services = DeskServices(place, store, "Asia/Shanghai")
    done = services.outline(number, Outline(drawn, "chen"))
    assert done["tallies"]["cut"] == 2
    with store.engine.connect() as connection:
        now = places_of(connection, [number, *(c["clue_no"] for c in done["clues"])])
    assert len(now) >= 2
    assert len({p.patch_id for p in now}) == len(now)
    fresh = {c["clue_no"] for c in done["clues"]}
    assert len(fresh) == 2
    assert fresh <= set(finished_tables(run).patches["clue_no"])


def put_into(store: Store, case_no: str, state: str) -> None:
    """Put a case into a state without the steps that lead there."""
    with store.transaction() as connection:
        held = case_row(connection, case_no)
        assert held is not None
        assert change_case(connection, held.id, held.version, {"state": state}, held.updated_at)


def test_an_outline_is_not_drawn_under_several_cases_or_a_closed_one(
    run: Path, place: DeskPlace, store: Store
):
    add_run(run, place, by="setup")
    number, drawn = halves_of(run)
    with store.engine.connect() as connection:
        found = clue(connection, number, Scope())
        key = connection.scalar(select(schema.worklist.c.patch_key).filter_by(clue_no=number))
    assert found is not None
    with store.transaction() as connection:  # a second parcel on the ground of the first
        one = connection.execute(select(schema.parcels).filter_by(patch_key=key)).mappings().first()
        assert one is not None
        more = {k: v for k, v in one.items() if k != "id"}
        more |= {"parcel_id": f"{one['parcel_id']}_2", "parcel_no": 2}
        connection.execute(insert(schema.parcels).values(**more))
    book = Casebook(store)
    (case_no,) = book.dispatch(OFFICE, [number]).cases.values()
    pair = book.split(OFFICE, case_no, 1, [("land", more["parcel_id"])])["cases"]
    services = DeskServices(place, store, "Asia/Shanghai")
    with pytest.raises(InputError, match="several cases"):
        services.outline(number, Outline(drawn, "chen"))
    book.undo(OFFICE, pair[0]["case_no"], pair[0]["version"])
    put_into(store, case_no, "closed")
    with pytest.raises(InputError, match="is closed"):
        services.outline(number, Outline(drawn, "chen"))
    put_into(store, case_no, "judged")
    assert services.outline(number, Outline(drawn, "chen"))


@pytest.mark.parametrize(
    "polygon",
    [
        {"type": "Point", "coordinates": [1, 2]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": "no"},
    ],
)
def test_an_outline_that_cannot_be_is_refused(
    run: Path, place: DeskPlace, store: Store, polygon: dict[str, object]
):
    number = finished_tables(run).clues["clue_no"].iloc[0]
    services = DeskServices(place, store, "Asia/Shanghai")
    with pytest.raises(InputError):
        services.outline(number, Outline((polygon,), "chen"))
