"""`tuban audit` as an auditor types it, on both stores: what fits, what was altered."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from configs.errors import ExitCode
from flows.cli.app import build_app
from flows.desk.place import desk_place
from tests.clues.desk import COUNTY, book_of, filled, place, server, template  # noqa: F401

CLUE = "99990126Q1000002"


def audit(*words: object):
    return CliRunner().invoke(build_app(), ["audit", *map(str, words)])


def told(*words: object) -> dict[str, str]:
    """Return what a command that went well prints, by name."""
    done = audit(*words)
    assert done.exit_code == 0, done.output
    return dict(line.split("\t") for line in done.stdout.splitlines())


@pytest.fixture
def where(place: Path | str, tmp_path: Path) -> tuple[object, ...]:  # noqa: F811
    """Fill a store with a case and a file; return the options that name both."""
    store = filled(place, 3)
    book = book_of(store, tmp_path)
    book.dispatch(COUNTY, [CLUE])
    book.attach(COUNTY, CLUE, b"a scan of a permit", "permit.pdf", "application/pdf")
    store.close()
    return ("--store", place, "--files", tmp_path)


def spoil(where: tuple[object, ...], statement: str) -> None:
    """Change a store past its events, as who holds the database can."""
    store = desk_place(str(where[1])).open()
    with store.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    store.close()


def test_verify_names_a_clue_and_a_file_that_were_altered(where, tmp_path):
    assert told("verify", *where) | {"events": "", "rows": ""} == {
        "events": "", "checkpoints": "0", "rows": "", "files": "1", "broken": "none",
    }  # fmt: skip
    spoil(where, f"UPDATE clues SET status = status || 'x' WHERE clue_no = '{CLUE}'")
    found = audit("verify", *where)
    assert found.exit_code == ExitCode.USER_ERROR
    assert f"clue {CLUE}" in found.stderr
    spoil(where, f"UPDATE clues SET status = replace(status, 'x', '') WHERE clue_no = '{CLUE}'")
    assert told("verify", *where)["broken"] == "none"
    scan = next(p for p in (tmp_path / "attachments").rglob("*") if p.is_file())
    scan.write_bytes(b"b scan of a permit")
    found = audit("verify", *where)
    assert found.exit_code == ExitCode.USER_ERROR
    assert f"{scan.name} (permit.pdf) was altered" in found.stderr


def test_an_outsider_checks_what_was_handed_out(where, tmp_path):
    store, key, sign, events = where[:2], tmp_path / "k.pem", tmp_path / "c.json", tmp_path / "e"
    public = told("key", key)["public_key"]
    seq = told("checkpoint", *store, "--key", key, "--out", sign)["seq"]
    assert told("export", *store, events)["events"] == seq
    assert told("verify", *where, "--public-key", public)["checkpoints"] == "1"
    signed = ("--checkpoint", sign, "--public-key", public)
    assert told("check", events, *signed) == {"checkpoint": seq, "broken": "none"}
    text = events.read_text(encoding="utf-8")
    events.write_text(text.replace('"li"', '"lo"', 1), encoding="utf-8")
    found = audit("check", events, *signed)
    assert found.exit_code == ExitCode.USER_ERROR
    assert "broken: " in found.stderr
