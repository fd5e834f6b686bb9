"""Accounts of the desk: who may sign in, with what password, for how long; tokens for programs.

Passwords are hashed by Argon2id, secrets of sessions and tokens are kept as SHA-256 only. After
`MOST_FAILURES` wrong passwords an account is locked for a while. A wrong name costs as much time
and gets the same answer as a wrong password.
"""

import datetime as dt
import hashlib
import re
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from clues.audit.chain import append
from clues.store import accounts as rows
from clues.store.accounts import SessionRow, TokenRow, UserRow
from clues.store.repository import Store
from configs.errors import InputError, StoreAway
from configs.mistakes import choice

__all__ = ["ROLES", "Accounts", "NewSession", "check_password"]

ROLES = ("administrator", "province", "city", "county", "inspector", "supervisor", "public")
DIGITS = {"province": (2,), "city": (4,), "county": (6,), "inspector": (6, 9, 12)}
"""Digits of the division that a role works for; the others may have any, or none for all."""

MOST_FAILURES = 5
LOCKED = dt.timedelta(minutes=15)
IDLE = dt.timedelta(hours=1)
LASTS = dt.timedelta(hours=12)
NOTED = dt.timedelta(minutes=1)
"""How stale the moment of last use may be: not every request writes."""

LONGEST_TOKEN = 366
SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 200
NAME = re.compile(r"[\w.@+\-]{1,80}")
KIBIBYTES, PASSES = 19_456, 2
AT_ONCE = threading.BoundedSemaphore(4)
"""A hash takes memory and a core: a flood of sign-ins must not take those of the machine."""


@dataclass(frozen=True)
class NewSession:
    """A session that was just opened; `secret` is told once."""

    secret: str
    csrf: str
    user: UserRow


class Accounts:
    """The accounts of a store.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._hasher = PasswordHasher(PASSES, KIBIBYTES, parallelism=1)

    @cached_property
    def _nobody(self) -> str:
        """Hash of a password that nobody has."""
        return self._hasher.hash(secrets.token_hex(16))

    def users(self) -> list[UserRow]:
        """Return all users by name."""
        with self.store.engine.connect() as connection:
            return rows.users(connection)

    def add(
        self,
        name: str,
        role: str,
        division: str,
        password: str,
        *,
        display: str = "",
        by: str,
        must_change: bool = True,
    ) -> UserRow:
        """Enter a user.

        Raises
        ------
        InputError
            If the name is taken, or a value cannot be.
        """
        division = _division(role, division)
        if not NAME.fullmatch(name):
            raise InputError(
                f"{name!r} is no name of a user", "name", "letters, digits and . _ - @ +, up to 80"
            )
        check_password(password, name)
        values = {
            "name": name,
            "display": (display.strip() or name)[:80],
            "role": role,
            "division": division,
        }
        hashed, now = self._hashed(password), dt.datetime.now(dt.UTC)
        with self.store.transaction() as connection:
            if rows.find_user(connection, name) is not None:
                raise InputError(f"there is a user {name!r} already", "name", "choose another name")
            kept = {"password_hash": hashed, "active": True, "must_change": must_change}
            rows.add_user(connection, values | kept | {"failed": 0, "created_at": now})
            append(connection, who=by, what="user.add", subject=f"user:{name}", after=values)
            found = rows.find_user(connection, name)
        assert found is not None
        return found

    def change(self, name: str, *, by: str, **changes: Any) -> UserRow:
        """Change display, role, division, active or locked of a user; sessions end with it.

        Raises
        ------
        InputError
            If there is no such user, or nobody would be left to administer.
        """
        with self.store.transaction() as connection:
            user = self._known(connection, name)
            role = changes.get("role", user.role)
            if "role" in changes or "division" in changes:
                changes["division"] = _division(role, changes.get("division", user.division))
            if user.role == "administrator" and not (
                role == "administrator" and changes.get("active", True)
            ):
                self._require_another(connection, user)
            before = {k: getattr(user, k) for k in changes}
            rows.change_user(connection, user.id, changes)
            rows.drop_sessions(connection, user=user.id)
            append(
                connection,
                who=by,
                what="user.change",
                subject=f"user:{name}",
                before=before,
                after=changes,
            )
            return self._known(connection, name)

    def set_password(
        self, name: str, password: str, *, by: str, must_change: bool = False, keep: str = ""
    ) -> None:
        """Give a user another password; sessions end, but the one of a secret; a lock ends too.

        Where they must change it, because somebody else chose it, their tokens are revoked.
        """
        check_password(password, name)
        hashed = self._hashed(password)
        with self.store.transaction() as connection:
            user = self._known(connection, name)
            values = {"password_hash": hashed, "must_change": must_change, "failed": 0}
            rows.change_user(connection, user.id, values | {"locked_until": None})
            rows.drop_sessions(connection, user=user.id, but=_digest(keep) if keep else "")
            if must_change:
                rows.revoke_tokens(connection, user.id, dt.datetime.now(dt.UTC))
            append(connection, who=by, what="user.password", subject=f"user:{name}")

    def signed_in(self, name: str, password: str) -> NewSession | None:
        """Open a session; None where name or password is wrong, or the account locked or closed."""
        with self.store.engine.connect() as connection:
            user = rows.find_user(connection, name)
        right = self._matches(user.password_hash if user else "", password)
        now = dt.datetime.now(dt.UTC)
        if user is None or not user.active:
            return None
        if user.locked_until is not None and user.locked_until > now:
            return None
        if not right:
            self._failed(name, now)
            return None
        secret, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        with self.store.transaction() as connection:
            values = {"token_hash": _digest(secret), "user_id": user.id, "csrf": csrf}
            times = {"created_at": now, "seen_at": now, "expires_at": now + LASTS}
            rows.add_session(connection, values | times)
            if user.failed or user.locked_until:
                rows.change_user(connection, user.id, {"failed": 0, "locked_until": None})
            append(connection, who=name, what="session.open", subject=f"user:{name}")
        return NewSession(secret, csrf, user)

    def right_password(self, user: UserRow, password: str) -> bool:
        """Tell whether a password is that of a user who is signed in."""
        return self._matches(user.password_hash, password)

    def session(self, secret: str) -> SessionRow | None:
        """Return the session of a secret; None where it ended or its user is closed."""
        digest, now = _digest(secret), dt.datetime.now(dt.UTC)
        with self.store.engine.connect() as connection:
            found = rows.find_session(connection, digest)
        if found is None or not found.user.active:
            return None
        if found.expires_at <= now or found.seen_at + IDLE <= now:
            return None
        if found.seen_at + NOTED <= now:
            with suppress(StoreAway), self.store.transaction(wait=False) as connection:
                rows.seen_session(connection, digest, now)  # readers wait for no writer
        return found

    def sign_out(self, secret: str) -> None:
        """End the session of a secret."""
        with self.store.transaction() as connection:
            rows.drop_sessions(connection, token_hash=_digest(secret))

    def new_token(self, user: UserRow, name: str, days: int) -> tuple[int, str]:
        """Give a user a token for a program; return its row and its secret, told once."""
        if not 1 <= days <= LONGEST_TOKEN:
            raise InputError(
                f"a token cannot hold for {days} days", "days", f"1 to {LONGEST_TOKEN} days"
            )
        secret, now = f"tuban_{secrets.token_urlsafe(32)}", dt.datetime.now(dt.UTC)
        with self.store.transaction() as connection:
            values = {"user_id": user.id, "name": name[:80], "token_hash": _digest(secret)}
            times = {"created_at": now, "expires_at": now + dt.timedelta(days=days)}
            key = rows.add_token(connection, values | times)
            told = {"token": key, "name": name[:80], "days": days}
            append(
                connection,
                who=user.name,
                what="token.add",
                subject=f"user:{user.name}",
                after=told,
            )
        return key, secret

    def tokens(self, user: UserRow) -> list[TokenRow]:
        """Return the tokens of a user."""
        with self.store.engine.connect() as connection:
            return rows.tokens_of(connection, user.id)

    def revoke(self, user: UserRow, token: int) -> bool:
        """Revoke a token of a user; return whether there was one."""
        with self.store.transaction() as connection:
            done = rows.revoke_token(connection, user.id, token, dt.datetime.now(dt.UTC))
            if done:
                told = {"token": token}
                append(
                    connection,
                    who=user.name,
                    what="token.revoke",
                    subject=f"user:{user.name}",
                    after=told,
                )
        return done

    def of_token(self, secret: str) -> UserRow | None:
        """Return the user of a token that holds; None otherwise."""
        with self.store.engine.connect() as connection:
            user = rows.find_token(connection, _digest(secret), dt.datetime.now(dt.UTC))
        return user if user is not None and user.active else None

    def _failed(self, name: str, now: dt.datetime) -> None:
        """Count a wrong password; lock the account where there were too many."""
        with self.store.transaction() as connection:
            user = rows.find_user(connection, name)
            assert user is not None
            failed = user.failed + 1
            until = now + LOCKED if failed % MOST_FAILURES == 0 else user.locked_until
            rows.change_user(connection, user.id, {"failed": failed, "locked_until": until})
            if until is not None and until > now:
                told = {"failed": failed, "until": until.isoformat(timespec="seconds")}
                append(connection, who=name, what="user.lock", subject=f"user:{name}", after=told)

    def _hashed(self, password: str) -> str:
        with AT_ONCE:
            return self._hasher.hash(password)

    def _matches(self, hashed: str, password: str) -> bool:
        with AT_ONCE:
            try:
                return self._hasher.verify(hashed or self._nobody, password) and bool(hashed)
            except (Argon2Error, InvalidHashError):
                return False

    def _known(self, connection: Any, name: str) -> UserRow:
        user = rows.find_user(connection, name)
        if user is None:
            names = tuple(u.name for u in rows.users(connection))
            raise InputError(f"there is no user {name!r}", "name", choice(name, names))
        return user

    def _require_another(self, connection: Any, user: UserRow) -> None:
        others = [
            u for u in rows.users(connection) if u.role == "administrator" and u.id != user.id
        ]
        if not any(u.active for u in others):
            raise InputError(
                f"{user.name!r} is the last administrator", "name", "make another one first"
            )


def check_password(password: str, name: str) -> None:
    """Raise `InputError` where a password is too easy to guess."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        what = f"a password of {len(password)} characters is not taken"
    elif len(set(password)) < 5:
        what = "a password of fewer than five different characters is not taken"
    elif name.lower() in password.lower():
        what = "a password that holds the name is not taken"
    else:
        return
    fix = f"{SHORTEST_PASSWORD} characters or more, such as a few words, without the name"
    raise InputError(what, "password", fix)


def _division(role: str, division: str) -> str:
    """Return the digits of the division that a role sees, without the zeros that fill codes up."""
    if role not in ROLES:
        raise InputError(f"there is no role {role!r}", "role", choice(role, ROLES))
    code = division.strip()
    if len(code) == 6 and role in ("province", "city", "administrator", "supervisor"):
        code = re.sub(r"(00)+$", "", code)
    wanted = DIGITS.get(role, (0, 2, 4, 6, 9, 12))
    if len(code) not in wanted or (code and not re.fullmatch(r"[0-9]+", code)):
        digits = " or ".join(str(n) for n in wanted)
        raise InputError(
            f"{division!r} is no division for the role {role}",
            "division",
            f"the code of {digits} digits" + (" (none: everything)" if 0 in wanted else ""),
        )
    return code


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
