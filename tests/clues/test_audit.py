"""The audit on both stores: a flipped byte is named, writers lose nothing, outsiders check."""

import datetime as dt
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from clues.audit.chain import append, first_broken
from clues.audit.checkpoints import (
    check_export,
    export_events,
    make_checkpoint,
    new_key,
    read_checkpoint,
    read_public_key,
)
from clues.audit.hashing import GENESIS, event_hash
from clues.audit.verify import verify
from clues.cases.actors import Actor
from clues.store.answers import add_answers
from clues.store.batches import Batch
from clues.store.events import read_events
from clues.store.repository import Store
from clues.store.verdicts import add_verdicts
from configs.errors import InputError
from tests.clues.desk import (  # noqa: F401
    COUNTY,
    book_of,
    days,
    filled,
    place,
    server,
    template,
)
from tests.database import database_server

CLUE = "99990126Q1000002"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return tmp_path / "attachments"


@pytest.fixture
def store(place: Path | str, tmp_path: Path) -> Iterator[Store]:  # noqa: F811
    """A store in which something of every kind happened."""
    store = filled(place, 3)
    book = book_of(store, tmp_path)
    batch = Batch(2026, 1, days(-1), days(30))
    told = book.case(COUNTY, book.dispatch(COUNTY, [CLUE], batch).cases[CLUE])
    book.act(COUNTY, told["case_no"], "desk_check", 1, {"finding": "no approval"})
    book.comment(COUNTY, CLUE, "seen from the road")
    book.attach(COUNTY, CLUE, b"a scan of a permit", "permit.pdf", "application/pdf")
    now = dt.datetime.now(dt.UTC)
    said = {"patch_key": 3, "by": "Sun", "at": now, "source": "ledger abc"}
    with store.transaction() as connection:
        verdict = {"parcel_no": 0, "line": "land", "verdict": "合法", "reason": "permit"}
        add_verdicts(connection, [said | verdict])
        add_answers(connection, [said | {"name": "remarks", "value": "a road"}])
    yield store
    store.close()


FLIPS = (
    ("patches", "rule", "patch T000000000000"),
    ("patches", "geometry", "patch T000000000000"),
    ("findings", "reason_zh", "parcels and findings of patch T000000000000"),
    ("parcels", "areas", "parcels and findings of patch T000000000000"),
    ("clues", "status", "clue 99990126Q1000001"),
    ("verdicts", "reason", "verdict 1"),
    ("answers", "value", "answer 1"),
    ("comments", "text", "comment 1"),
    ("checks", "form", "check 1"),
    ("cases", "state", f"case {CLUE}-01"),
    ("attachments", "name", "attachment "),
    ("attachment_links", "kind", "the link of a file, number 1"),
    ("batches", "due_date", f"the batch of clue {CLUE}"),
    ("worklist", "outcome", "the row of clue 99990126Q1000001 in the worklist"),
    ("events", "who", "event 1 "),
    ("events", "after", "event 1 "),
    ("events", "rows", "event 1 "),
)


def first_value(store: Store, table: str, column: str, put: Any = None) -> Any:
    """Return a value of the first row; put another there, as who holds the database can."""
    sign = "?" if store.engine.dialect.name == "sqlite" else "%s"
    key = {"events": "seq", "worklist": "clue_no"}.get(table, "id")
    with store.engine.begin() as connection:
        first = f"{key} = (SELECT min({key}) FROM {table})"
        asked = f"SELECT {column} FROM {table} WHERE {first}"
        value = connection.exec_driver_sql(asked).scalar_one()
        if put is not None:
            plain = json.dumps(put) if isinstance(put, dict) else put
            connection.exec_driver_sql(
                f"UPDATE {table} SET {column} = {sign} WHERE {first}", (plain,)
            )
    return value


def flipped(value: Any) -> Any:
    """Return a value with one byte of it changed."""
    if isinstance(value, bytes):
        return value[:30] + bytes([value[30] ^ 1]) + value[31:]
    if isinstance(value, dict):
        return {k: "nu approval" if v == "no approval" else v for k, v in value.items()} | (
            {"pbf_dm2": 1} if "pbf_dm2" in value else {}
        )
    if isinstance(value, dt.date):
        return value + dt.timedelta(days=1)
    at = next(i for i in range(len(value) - 1, -1, -1) if value[i].isalnum())
    return value[:at] + ("1" if value[at] == "0" else "0") + value[at + 1 :]


def test_one_flipped_byte_is_named(store: Store, files: Path):
    assert not verify(store, files).broken
    is_file = store.engine.dialect.name == "sqlite"
    trigger = "events_no_update" if is_file else "events_only_grow ON events"
    with store.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
    for table, column, name in FLIPS:
        value = first_value(store, table, column)
        first_value(store, table, column, flipped(value))
        broken = verify(store, files).broken
        assert name in broken, (table, column, broken)
        first_value(store, table, column, value)
    assert not verify(store, files).broken


def test_a_flipped_byte_of_a_file_is_named(store: Store, files: Path):
    path = next(p for p in files.rglob("*") if p.is_file())
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert f"attachment {path.name} (permit.pdf) was altered" in verify(store, files).broken
    path.unlink()
    assert "is missing" in verify(store, files).broken


def test_events_only_grow(store: Store):
    for statement in ("UPDATE events SET who = 'x'", "DELETE FROM events WHERE seq > 2"):
        with pytest.raises(DBAPIError, match="only grow"), store.transaction() as connection:
            connection.exec_driver_sql(statement)
    assert not verify(store).broken


def test_rows_taken_out_or_put_in_past_the_events_are_named(store: Store):
    with store.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM comments")
    assert verify(store).broken == "comment 1 was taken out"
    with store.transaction() as connection:
        connection.exec_driver_sql(
            'INSERT INTO comments (object_id, patch_key, text, "by", at) VALUES '
            "('T000000000001', 2, 'forged', 'li', '2026-01-01 00:00:00')"
        )
    assert "comment" in verify(store).broken


def test_an_outsider_checks_a_checkpoint_without_the_store(store: Store, tmp_path: Path):
    public = new_key(tmp_path / "key.pem")
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0
    with pytest.raises(InputError, match="a key already"):
        new_key(tmp_path / "key.pem")
    make_checkpoint(store, tmp_path / "key.pem", tmp_path / "checkpoint.json")
    with store.transaction() as connection:
        append(connection, who="li", what="later", subject="x")
    events, told = tmp_path / "events.jsonl", read_checkpoint(tmp_path / "checkpoint.json")
    assert export_events(store, events) == told["seq"] + 1
    key = read_public_key(public)
    assert check_export(events, told, key) == ""
    assert verify(store, None, public).checkpoints == 1
    forged = rewritten(events.read_text(encoding="utf-8"))
    events.write_text(forged, encoding="utf-8")
    wrong = check_export(events, told, key)
    assert wrong == f"event {told['seq']} is not the one that the checkpoint signed"
    other = read_public_key(new_key(tmp_path / "other.pem"))
    assert "another key" in check_export(events, told, other)
    told["hash"] = "0" * 64
    assert "signature is of other values" in check_export(events, told, key)


def rewritten(text: str) -> str:
    """Return a whole chain made anew with one word changed: each hash fits."""
    previous, lines = GENESIS, []
    for line in text.splitlines():
        event = json.loads(line) | {"previous_hash": previous}
        event["who"] = "somebody else" if event["seq"] == 2 else event["who"]
        previous = event["hash"] = event_hash(event)
        lines.append(json.dumps(event, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def commenting(place: Path | str, name: str, times: int, start: Any) -> None:  # noqa: F811
    store = Store.at(place)
    start.wait()
    for i in range(times):
        book_of(store, Path()).comment(Actor(name, "county", "999901"), CLUE, f"{name} {i}")
    store.close()


def test_ten_writers_at_once_lose_nothing(place: Path | str):  # noqa: F811
    filled(place, 3).close()
    context, times = multiprocessing.get_context("fork"), 5
    start = context.Event()
    workers = [
        context.Process(target=commenting, args=(place, f"w{i}", times, start)) for i in range(10)
    ]
    for worker in workers:
        worker.start()
    start.set()
    for worker in workers:
        worker.join(240)
        assert worker.exitcode == 0
    store = Store.at(place)
    with store.engine.connect() as connection:
        said = [e.after["text"] for e in read_events(connection) if e.what == "comment.add"]
        assert first_broken(read_events(connection)) == ""
    assert sorted(said) == sorted(f"w{i} {k}" for i in range(10) for k in range(times))
    assert store.counts()["comments"] == 10 * times
    assert not verify(store).broken
    store.close()


def acknowledging(place: Path | str, said: str) -> None:  # noqa: F811
    """Comment for ever; write down each comment once the store has taken it."""
    store = Store.at(place)
    book = book_of(store, Path())
    with Path(said).open("a", encoding="utf-8", buffering=1) as file:
        for i in range(100_000):
            book.comment(COUNTY, CLUE, f"n {i}")
            file.write(f"n {i}\n")


def test_a_killed_writer_loses_no_event_that_was_acknowledged(
    place: Path | str,  # noqa: F811
    tmp_path: Path,
):
    filled(place, 3).close()
    said = tmp_path / "acknowledged"
    context = multiprocessing.get_context("fork")
    for _ in range(2):
        worker = context.Process(target=acknowledging, args=(place, str(said)))
        before = len(said.read_text().splitlines()) if said.exists() else 0
        worker.start()
        wait_for_lines(said, before + 3)
        os.kill(worker.pid or 0, signal.SIGKILL)
        worker.join(60)
    require_acknowledged(place, said, ends=2)


def wait_for_lines(said: Path, count: int) -> None:
    for _ in range(2400):
        time.sleep(0.05)
        if said.exists() and len(said.read_text().splitlines()) > count:
            break


def require_acknowledged(place: Path | str, said: Path, ends: int) -> None:  # noqa: F811
    """Require every comment that was acknowledged, and at most one more for each sudden end."""
    store = Store.at(place)
    with store.engine.connect() as connection:
        kept = [e.after["text"] for e in read_events(connection) if e.what == "comment.add"]
    told = said.read_text().splitlines()
    assert len(told) > 3
    assert not [text for text in told if kept.count(text) < told.count(text)]
    assert len(kept) <= len(told) + ends
    assert not verify(store).broken
    store.close()


@pytest.mark.desk
@pytest.mark.slow
def test_a_server_that_fails_loses_no_event_that_was_acknowledged(tmp_path: Path):
    said = tmp_path / "acknowledged"
    context = multiprocessing.get_context("fork")
    with database_server() as failing:
        filled(failing.url, 3).close()
        worker = context.Process(target=acknowledging, args=(failing.url, str(said)))
        worker.start()
        wait_for_lines(said, 5)
        failing.stop("immediate")
        worker.join(60)
        assert worker.exitcode == 1
        failing.start()
        require_acknowledged(failing.url, said, ends=1)
