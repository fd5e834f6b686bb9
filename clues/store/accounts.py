"""Accounts in the clue store: users, their sessions and tokens; secrets are kept as hashes only."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from clues.store import schema
from clues.store.tables import in_utc

__all__ = [
    "SessionRow",
    "TokenRow",
    "UserRow",
    "add_session",
    "add_token",
    "add_user",
    "change_user",
    "drop_sessions",
    "find_session",
    "find_token",
    "find_user",
    "revoke_token",
    "revoke_tokens",
    "seen_session",
    "tokens_of",
    "users",
]


@dataclass(frozen=True)
class UserRow:
    """A user as the store keeps it."""

    id: int
    name: str
    display: str
    role: str
    division: str
    password_hash: str
    active: bool
    must_change: bool
    failed: int
    locked_until: dt.datetime | None


@dataclass(frozen=True)
class SessionRow:
    """A session with the user who opened it."""

    user: UserRow
    csrf: str
    seen_at: dt.datetime
    expires_at: dt.datetime


@dataclass(frozen=True)
class TokenRow:
    """A token without its secret."""

    id: int
    name: str
    created_at: dt.datetime | None
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None


USER_COLUMNS = tuple(schema.users.c[n] for n in UserRow.__dataclass_fields__)


def _user(row: Row[Any]) -> UserRow:
    values = dict(zip(UserRow.__dataclass_fields__, row, strict=False))
    values["locked_until"] = in_utc(values["locked_until"])
    values["password_hash"] = values["password_hash"] or ""
    return UserRow(**values)


def find_user(connection: Connection, name: str) -> UserRow | None:
    """Return the user of a name, or None."""
    row = connection.execute(select(*USER_COLUMNS).where(schema.users.c.name == name)).first()
    return None if row is None else _user(row)


def users(connection: Connection) -> list[UserRow]:
    """Return all users by name."""
    asked = select(*USER_COLUMNS).order_by(schema.users.c.name)
    return [_user(row) for row in connection.execute(asked)]


def add_user(connection: Connection, values: Mapping[str, Any]) -> int:
    """Enter a user; return the row number."""
    key: Any = connection.execute(insert(schema.users).values(**values)).inserted_primary_key
    return int(key[0])


def change_user(connection: Connection, user: int, values: Mapping[str, Any]) -> None:
    """Change fields of a user."""
    table = schema.users
    connection.execute(update(table).where(table.c.id == user).values(**values))


def add_session(connection: Connection, values: Mapping[str, Any]) -> None:
    """Enter a session; those that ended are swept away."""
    table = schema.sessions
    connection.execute(delete(table).where(table.c.expires_at < values["created_at"]))
    connection.execute(insert(table).values(**values))


def find_session(connection: Connection, token_hash: str) -> SessionRow | None:
    """Return the session of a hashed token, or None."""
    table = schema.sessions.c
    asked = (
        select(*USER_COLUMNS, table.csrf, table.seen_at, table.expires_at)
        .join(schema.users, schema.users.c.id == table.user_id)
        .where(table.token_hash == token_hash)
    )
    row = connection.execute(asked).first()
    if row is None:
        return None
    seen, ends = in_utc(row.seen_at), in_utc(row.expires_at)
    assert seen is not None
    assert ends is not None
    return SessionRow(_user(row), row.csrf, seen, ends)


def seen_session(connection: Connection, token_hash: str, now: dt.datetime) -> None:
    """Note that a session was used."""
    table = schema.sessions
    connection.execute(update(table).where(table.c.token_hash == token_hash).values(seen_at=now))


def drop_sessions(
    connection: Connection, *, user: int | None = None, token_hash: str = "", but: str = ""
) -> None:
    """End the session of a token, or all sessions of a user but one."""
    table = schema.sessions
    ended = table.c.token_hash == token_hash if user is None else table.c.user_id == user
    connection.execute(delete(table).where(ended, table.c.token_hash != but))


def add_token(connection: Connection, values: Mapping[str, Any]) -> int:
    """Enter a token; return its row number."""
    key: Any = connection.execute(insert(schema.tokens).values(**values)).inserted_primary_key
    return int(key[0])


def find_token(connection: Connection, token_hash: str, now: dt.datetime) -> UserRow | None:
    """Return the user of a token that holds now, or None."""
    table = schema.tokens.c
    asked = (
        select(*USER_COLUMNS, table.expires_at)
        .join(schema.users, schema.users.c.id == table.user_id)
        .where(table.token_hash == token_hash, table.revoked_at.is_(None))
    )
    row = connection.execute(asked).first()
    if row is None:
        return None
    ends = in_utc(row.expires_at)
    return None if ends is not None and ends <= now else _user(row)


def tokens_of(connection: Connection, user: int) -> list[TokenRow]:
    """Return the tokens of a user, the oldest first."""
    table = schema.tokens.c
    columns = [table[n] for n in TokenRow.__dataclass_fields__]
    rows = connection.execute(select(*columns).where(table.user_id == user).order_by(table.id))
    return [
        TokenRow(r.id, r.name, in_utc(r.created_at), in_utc(r.expires_at), in_utc(r.revoked_at))
        for r in rows
    ]


def revoke_tokens(connection: Connection, user: int, now: dt.datetime) -> None:
    """Revoke all tokens of a user."""
    table = schema.tokens
    own = (table.c.user_id == user) & table.c.revoked_at.is_(None)
    connection.execute(update(table).where(own).values(revoked_at=now))


def revoke_token(connection: Connection, user: int, token: int, now: dt.datetime) -> bool:
    """Revoke a token of a user; return whether there is one."""
    table = schema.tokens
    own = (table.c.id == token) & (table.c.user_id == user) & table.c.revoked_at.is_(None)
    return connection.execute(update(table).where(own).values(revoked_at=now)).rowcount > 0
