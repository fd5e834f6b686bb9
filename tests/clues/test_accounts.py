"""Accounts on both stores: hashed secrets, lock-out, sessions that end, tokens, their events."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from clues import accounts as module
from clues.accounts import Accounts
from clues.audit.chain import first_broken
from clues.store import schema
from clues.store.events import read_events
from clues.store.repository import Store
from configs.errors import InputError
from tests.clues.desk import place, server, template  # noqa: F401

SECRET = "sorghum under the levee"


@pytest.fixture
def accounts(place: Path | str) -> Iterator[Accounts]:  # noqa: F811
    """Give the accounts of a store with one user in it."""
    store = Store.at(place)
    accounts = Accounts(store)
    accounts.add("wang", "county", "370305", SECRET, by="setup", must_change=False)
    yield accounts
    store.close()


def everything_kept(accounts: Accounts) -> str:
    tables = (schema.users, schema.sessions, schema.tokens, schema.events)
    with accounts.store.engine.connect() as connection:
        return repr([connection.execute(select(table)).all() for table in tables])


def test_no_secret_is_kept_or_told_by_events(accounts: Accounts):
    opened = accounts.signed_in("wang", SECRET)
    assert opened is not None
    _, token = accounts.new_token(opened.user, "qgis", 30)
    kept = everything_kept(accounts)
    assert "$argon2id$" in kept
    assert not [s for s in (SECRET, opened.secret, token) if s in kept]
    with accounts.store.engine.connect() as connection:
        events = list(read_events(connection))
    assert [e.what for e in events] == ["user.add", "session.open", "token.add"]
    assert first_broken(events) == ""


def test_who_reads_waits_for_no_writer(accounts: Accounts, monkeypatch: pytest.MonkeyPatch):
    opened = accounts.signed_in("wang", SECRET)
    assert opened is not None
    monkeypatch.setattr(module, "NOTED", dt.timedelta(0))
    first = accounts.session(opened.secret)
    other = Store(accounts.store.url)
    with other.transaction():
        during = accounts.session(opened.secret)
    after = accounts.session(opened.secret)
    other.close()
    assert first is not None
    assert during is not None
    assert after is not None
    assert first.seen_at < during.seen_at == after.seen_at
    later = accounts.session(opened.secret)
    assert later is not None
    assert later.seen_at > after.seen_at


def test_five_wrong_passwords_lock_and_the_right_one_then_does_not_open(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(module.MOST_FAILURES):
        assert accounts.signed_in("wang", "wrong password") is None
    assert accounts.signed_in("wang", SECRET) is None
    monkeypatch.setattr(module, "LOCKED", dt.timedelta(0))
    accounts.set_password("wang", "another sorghum field", by="root")
    assert accounts.signed_in("wang", "another sorghum field") is not None
    assert accounts.users()[0].failed == 0


def test_a_wrong_name_costs_a_hash_too(accounts: Accounts, monkeypatch: pytest.MonkeyPatch):
    asked = []
    real = Accounts._matches
    monkeypatch.setattr(
        Accounts, "_matches", lambda self, h, p: asked.append(h) or real(self, h, p)
    )
    assert accounts.signed_in("nobody-of-that-name", SECRET) is None
    assert asked == [""]


def test_sessions_end_idle_in_time_and_with_the_password(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
):
    first, second = accounts.signed_in("wang", SECRET), accounts.signed_in("wang", SECRET)
    assert first is not None
    assert second is not None
    assert accounts.session(first.secret) is not None
    accounts.set_password("wang", "another sorghum field", by="wang", keep=second.secret)
    assert accounts.session(first.secret) is None
    assert accounts.session(second.secret) is not None
    monkeypatch.setattr(module, "IDLE", dt.timedelta(0))
    assert accounts.session(second.secret) is None


def test_a_closed_account_loses_sessions_and_tokens(accounts: Accounts):
    opened = accounts.signed_in("wang", SECRET)
    assert opened is not None
    _, token = accounts.new_token(opened.user, "qgis", 1)
    assert accounts.of_token(token) is not None
    accounts.change("wang", by="root", active=False)
    assert accounts.session(opened.secret) is None
    assert accounts.of_token(token) is None
    assert accounts.signed_in("wang", SECRET) is None


def test_a_password_that_somebody_else_chose_ends_tokens(accounts: Accounts):
    _, token = accounts.new_token(accounts.users()[0], "qgis", 1)
    accounts.set_password("wang", "another sorghum field", by="wang")
    assert accounts.of_token(token) is not None
    accounts.set_password("wang", "barley beyond the dyke", by="root", must_change=True)
    assert accounts.of_token(token) is None


def test_a_revoked_token_is_over(accounts: Accounts):
    user = accounts.users()[0]
    key, token = accounts.new_token(user, "qgis", 1)
    assert accounts.revoke(user, key)
    assert accounts.of_token(token) is None
    assert not accounts.revoke(user, key)


def test_the_last_administrator_stays(accounts: Accounts):
    accounts.add("root", "administrator", "", SECRET, by="setup")
    with pytest.raises(InputError, match="last administrator"):
        accounts.change("root", by="root", active=False)
    with pytest.raises(InputError, match="last administrator"):
        accounts.change("root", by="root", role="county", division="370305")


@pytest.mark.parametrize(
    ("role", "division", "kept"),
    [
        ("province", "370000", "37"),
        ("city", "370300", "3703"),
        ("county", "370305", "370305"),
        ("inspector", "370305002", "370305002"),
        ("supervisor", "370000", "37"),
        ("supervisor", "", ""),
    ],
)
def test_divisions_lose_the_zeros_that_fill_codes_up(
    accounts: Accounts, role: str, division: str, kept: str
):
    assert accounts.add("li", role, division, SECRET, by="root").division == kept


@pytest.mark.parametrize(
    ("name", "role", "division", "password"),
    [
        ("wang", "county", "370305", SECRET),
        ("li", "count", "370305", SECRET),
        ("li", "county", "37030", SECRET),
        ("li", "county", "", SECRET),
        ("li", "city", "370305", SECRET),
        ("li", "county", "37030x", SECRET),
        ("l i\n", "county", "370305", SECRET),
        ("li", "county", "370305", "short"),
        ("li", "county", "370305", "aaaaaaaaaaaa"),
        ("sorghum", "county", "370305", SECRET),
    ],
)
def test_what_cannot_be_an_account_is_refused(
    accounts: Accounts, name: str, role: str, division: str, password: str
):
    with pytest.raises(InputError):
        accounts.add(name, role, division, password, by="root")
