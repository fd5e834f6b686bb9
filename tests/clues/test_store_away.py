"""A store that is locked, or away, for a while: waited for, or told so that a person can act."""

import sqlite3
import threading

import pytest

from clues.store.repository import Store
from configs.errors import StoreError
from flows.registering import open_register


def test_a_locked_store_is_waited_for(tmp_path):
    path = tmp_path / "register.sqlite"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(0.7, other.close)
    timer.start()
    store = Store.at(path)
    assert store.counts()["runs"] == 0
    store.close()
    timer.join()


def test_a_register_whose_folder_is_away_is_not_made_anew(tmp_path):
    with pytest.raises(StoreError, match="the folder of the register is not there") as away:
        open_register(str(tmp_path / "share" / "register.sqlite"))
    assert "connect the disk or share" in away.value.fix
    assert not (tmp_path / "share").exists()


def test_a_damaged_store_is_told_as_such(tmp_path):
    path = tmp_path / "register.sqlite"
    Store.at(path).close()
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="the clue store is damaged") as damaged:
        Store.at(path)
    assert damaged.value.where == str(path)
    assert "tuban desk restore" in damaged.value.fix


def test_a_server_that_is_away_is_told(tmp_path):
    pytest.importorskip("psycopg")
    store = Store("postgresql://somebody:secret@127.0.0.1:9/county")
    for ask in (store.counts, store.migrate):
        with pytest.raises(StoreError, match="the clue store refuses: connection") as away:
            ask()
        assert "check that the server runs" in away.value.fix
        assert "secret" not in str(away.value)
