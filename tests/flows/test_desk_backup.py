"""Backup while others write, and restore: the same rows and files, on both kinds of store."""

import gzip
import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clues.accounts import Accounts
from clues.audit.chain import append, first_broken
from clues.audit.verify import verify
from clues.cases.casebook import Casebook
from clues.store.dumping import dump_store
from clues.store.events import read_events
from clues.store.repository import Store
from configs.errors import InputError, StoreError
from flows.desk.backup import back_up
from flows.desk.place import DeskPlace, desk_place
from flows.desk.restoring import restore_backup
from tests.clues.desk import COUNTY, county_run
from tests.clues.test_store import judged, record
from tests.database import postgis_server
from tiles.files import sha256

WRITERS = 3
CLUE = "99990126Q1000002"


@dataclass
class Writers:
    """Threads that add events and files as long as they may."""

    place: DeskPlace
    written: int = 0

    def __post_init__(self) -> None:
        self._end, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._write, args=(i,)) for i in range(WRITERS)]

    def __enter__(self) -> "Writers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _write(self, number: int) -> None:
        store, count = self.place.open(), 0
        while not self._end.is_set():
            path = self.place.files / "attachments" / f"{number}-{count}"
            path.write_bytes(f"photo {number} {count}".encode())
            with store.transaction() as connection:
                append(connection, who=f"writer{number}", what="test", subject=f"case:{count}")
            count += 1
            with self._lock:
                self.written += 1
        store.engine.dispose()


def made_desk(place: DeskPlace) -> DeskPlace:
    """Fill a desk: a run, a user, a photo, an image, scraps."""
    place.files.parent.mkdir(exist_ok=True)
    store = place.open(new=True)
    patches, findings = judged(40)
    store.register(record(), patches, findings)
    Accounts(store).add("anna", "administrator", "", "two words and 7", by="setup")
    store.close()
    for name in ("attachments/ab/photo", "images/run-before-1.tif", "runs/test/run.json"):
        path = place.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 100)
    for name in ("cache/tiles/aa/x.tile", "keys/desk.pem", "images/.new-scrap.tif"):
        path = place.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left out")
    return place


def checksums(place: DeskPlace) -> dict[str, object]:
    store = place.open()
    try:
        return dict(dump_store(store, None).tables)
    finally:
        store.engine.dispose()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> DeskPlace:
    """Return a desk that no test writes to."""
    folder = tmp_path_factory.mktemp("desk")
    return made_desk(desk_place(str(folder / "own" / "register.sqlite")))


@pytest.fixture
def place(made: DeskPlace, tmp_path: Path) -> DeskPlace:
    """Return an own copy of a desk."""
    shutil.copytree(Path(made.store).parent, tmp_path / "own")
    return desk_place(str(tmp_path / "own" / "register.sqlite"))


@pytest.fixture(scope="module")
def whole(made: DeskPlace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return back_up(made, tmp_path_factory.mktemp("backups")).folder


@pytest.fixture
def backup(whole: Path, tmp_path: Path) -> Path:
    """Return an own copy of a backup."""
    return Path(shutil.copytree(whole, tmp_path / "backup"))


def backup_under_load(place: DeskPlace, target: Path) -> Path:
    with Writers(place) as writers:
        while writers.written < 5:
            pass
        before = writers.written
        done = back_up(place, target)
        while writers.written < before + 5:
            pass
    return done.folder


def require_restored(backup: Path, place: DeskPlace) -> int:
    """The restored place has the checksums that the manifest tells, and a chain that holds.

    Returns how many of its events the load wrote.
    """
    told = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    restored = checksums(place)
    for name, table in told["tables"].items():
        assert (restored[name].rows, restored[name].sha256) == (table["rows"], table["sha256"])
    files = {
        p.relative_to(place.files).as_posix(): sha256(p)
        for p in place.files.rglob("*")
        if p.is_file()
    }
    assert files == {name: f["sha256"] for name, f in told["files"].items()}
    assert {"attachments/ab/photo", "images/run-before-1.tif", "runs/test/run.json"} <= set(files)
    assert not [name for name in files if name.startswith(("cache", "keys")) or "scrap" in name]
    store = place.open()
    with store.engine.connect() as connection:
        events = list(read_events(connection))
    assert first_broken(events) == ""
    with store.transaction() as connection:
        append(connection, who="later", what="test", subject="after")
    assert Accounts(store).signed_in("anna", "two words and 7") is not None
    store.close()
    return sum(event.what == "test" for event in events)


def test_a_backup_under_load_is_restored_with_its_checksums(place: DeskPlace, tmp_path: Path):
    backup = backup_under_load(place, tmp_path / "backups")
    other = desk_place(str(tmp_path / "other" / "register.sqlite"))
    done = restore_backup(backup, other)
    assert done.store == str(tmp_path / "other" / "register.sqlite")
    assert require_restored(backup, other) >= 5
    assert not list(tmp_path.rglob(".part-*"))


def test_a_backup_of_an_earlier_version_is_restored_and_brought_up_to_date(
    backup: Path, tmp_path: Path
):
    manifest = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    manifest["revision"] = "0004"  # without the batches that each clue was in
    del manifest["tables"]["issues"]
    (backup / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    other = desk_place(str(tmp_path / "other" / "register.sqlite"))
    restore_backup(backup, other)
    assert {p.name for p in (tmp_path / "other").iterdir()} == {"register.sqlite", "register-desk"}
    require_restored(backup, other)
    with sqlite3.connect(other.store) as kept:
        assert kept.execute("SELECT count(*) FROM issues").fetchone() == (0,)


def test_a_backup_of_a_later_version_is_refused(backup: Path, tmp_path: Path):
    manifest = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    manifest["revision"] = "0999"
    (backup / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    other = desk_place(str(tmp_path / "other" / "register.sqlite"))
    with pytest.raises(StoreError, match=r"(?s)0999.*use the version of tuban that wrote it"):
        restore_backup(backup, other)
    assert not list((tmp_path / "other").iterdir())


@pytest.mark.parametrize("part", ["rows/events.jsonl.gz", "files/attachments/ab/photo"])
@pytest.mark.parametrize("how", ["altered", "gone"])
def test_a_damaged_backup_is_refused_and_nothing_is_left(
    backup: Path, tmp_path: Path, part: str, how: str
):
    path = backup / part
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    if how == "gone":
        path.unlink()
    other = desk_place(str(tmp_path / "other" / "register.sqlite"))
    with pytest.raises(InputError, match=how) as error:
        restore_backup(backup, other)
    assert error.value.where == str(path)
    assert not (tmp_path / "other").exists()


def test_rows_that_do_not_add_up_are_refused(backup: Path, tmp_path: Path):
    path = backup / "rows" / "users.jsonl.gz"
    line = gzip.decompress(path.read_bytes()).replace(b'"administrator"', b'"supervisor"')
    path.write_bytes(gzip.compress(line))
    manifest = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    manifest["tables"]["users"]["file_sha256"] = sha256(path)
    (backup / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    other = desk_place(str(tmp_path / "other" / "register.sqlite"))
    with pytest.raises(StoreError, match="users"):
        restore_backup(backup, other)
    assert not list((tmp_path / "other").iterdir())


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a\\..\\b"])
def test_a_backup_that_names_files_elsewhere_is_refused(backup: Path, tmp_path: Path, name: str):
    manifest = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"][name] = {"bytes": 0, "sha256": ""}
    (backup / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(InputError, match="elsewhere"):
        restore_backup(backup, desk_place(str(tmp_path / "other" / "register.sqlite")))


def test_nothing_is_restored_over_what_is_there(place: DeskPlace, tmp_path: Path):
    backup = back_up(place, tmp_path / "backups", images=False).folder
    assert not (backup / "files" / "images").exists()
    with pytest.raises(InputError, match=r"(?s)there already.*--store"):
        restore_backup(backup, place)
    with pytest.raises(InputError, match=r"(?s)not empty.*--files"):
        restore_backup(backup, desk_place(str(tmp_path / "new.sqlite"), place.files))
    assert checksums(place)["patches"].rows == 40


def test_an_image_that_a_row_names_and_is_gone_fails_the_backup(place: DeskPlace, tmp_path: Path):
    from clues.store.images import ImageRow, keep_images
    from configs.errors import ResourceError

    row = ImageRow("test-before", 1, "test", "before", "images/none.tif", "0" * 64, None, None,
                   "", 14, 0.0, 0.0, 1.0, 1.0)  # fmt: skip
    store = place.open()
    with store.transaction() as connection:
        keep_images(connection, [row])
    store.close()
    with pytest.raises(ResourceError, match="test-before"):
        back_up(place, tmp_path / "backups")
    assert not list((tmp_path / "backups").iterdir())


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgis_server() as url:
        yield url


def emptied(url: str) -> str:
    store = Store(url)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    store.engine.dispose()
    return url


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", pytest.param("server", marks=pytest.mark.desk)])
def test_a_desk_at_work_is_restored_and_fits_its_events(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
):
    url = emptied(request.getfixturevalue("server")) if kind == "server" else ""
    place = DeskPlace(url or str(tmp_path / "own.sqlite"), tmp_path / "own")
    store = place.open(new=True)
    store.register(record("run-1"), *county_run(4))
    end, done = threading.Event(), [0] * WRITERS

    def work(number: int) -> None:
        own = place.open()
        book = Casebook(own, attachments=place.files / "attachments")
        while not end.is_set():
            words = f"{number} {done[number]}"
            book.attach(COUNTY, CLUE, words.encode(), f"{words}.pdf", "application/pdf")
            book.comment(COUNTY, CLUE, words)
            done[number] += 1
        own.close()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(WRITERS)]
    for thread in threads:
        thread.start()
    while sum(done) < 6:
        end.wait(0.05)
    backup = back_up(place, tmp_path / "backups").folder
    end.set()
    for thread in threads:
        thread.join(60)
    other = desk_place(str(tmp_path / "other" / "register.sqlite"))
    restore_backup(backup, other)
    restored = other.open()
    found = verify(restored, other.files / "attachments")
    told = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    assert not found.broken
    assert found.files == told["tables"]["attachments"]["rows"] >= 6
    assert restored.counts()["comments"] >= 4
    assert not verify(store, place.files / "attachments").broken
    restored.close()
    store.close()


@pytest.mark.desk
def test_a_server_is_backed_up_under_load_and_restored_on_both_kinds(server: str, tmp_path: Path):
    place = made_desk(DeskPlace(emptied(server), tmp_path / "own"))
    backup = backup_under_load(place, tmp_path / "backups")
    file = desk_place(str(tmp_path / "file" / "register.sqlite"))
    restore_backup(backup, file)
    assert require_restored(backup, file) >= 5
    with pytest.raises(StoreError, match="not empty"):
        restore_backup(backup, DeskPlace(server, tmp_path / "again"))
    again = DeskPlace(emptied(server), tmp_path / "again")
    restore_backup(backup, again)
    assert require_restored(backup, again) >= 5
