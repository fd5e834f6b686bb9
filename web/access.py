"""Who may do what, and where: the only place that decides it.

Every route names one action by `may`; the table tells which roles have it. Which clues, cases,
files and figures a caller sees follows from role and division: the `Scope` handed to every query.
"""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from clues.cases.actors import Actor
from clues.cases.bookkeeping import scope_of as scope_of_staff
from clues.store.accounts import UserRow
from clues.store.worklist import Scope
from configs.told import Told
from web.desk import desk_of
from web.errors import Problem

__all__ = ["ACTIONS", "COOKIE", "CSRF_HEADER", "Caller", "covers", "may", "scope_of"]

COOKIE = "tuban_session"
CSRF_HEADER = "X-CSRF-Token"
SAFE = ("GET", "HEAD", "OPTIONS")

OFFICES = ("administrator", "province", "city", "county")
HANDS = (*OFFICES, "inspector")
STAFF = (*HANDS, "supervisor")
ANYBODY = (*STAFF, "public", "nobody")

ACTIONS: dict[str, tuple[str, ...]] = {
    "account": (*STAFF, "public"),  # one's own session, password and tokens
    "read": STAFF,  # clues, cases, explanations, events, words
    "tiles": STAFF,
    "features": STAFF,
    "attachments": STAFF,
    "export": (*OFFICES, "supervisor"),
    "statistics": (*OFFICES, "supervisor"),
    "exceptions": (*OFFICES, "supervisor"),
    "sample": ("administrator", "province", "city", "supervisor"),
    "comment": HANDS,
    "attach": HANDS,
    "act": HANDS,  # which step of a case: the table of `clues.cases.life`
    "rejudge": OFFICES,
    "outline": OFFICES,
    "dispatch": OFFICES,
    "assign": OFFICES,
    "audit": ("administrator", "supervisor"),
    "users": ("administrator",),
    "public": ANYBODY,
    "open": ANYBODY,  # health, signing in
}
"""Roles that have an action; ``nobody`` is somebody who is not signed in."""


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes
    ----------
    actor : Actor
        Name, role and division, as cases and events know them.
    scope : Scope
        What of the store is told to them.
    user : UserRow or None
    secret : str
        Of their session; "" with a token or nothing.
    csrf : str
    """

    actor: Actor
    scope: Scope
    user: UserRow | None = None
    secret: str = ""
    csrf: str = ""

    @property
    def role(self) -> str:
        """Role, or ``nobody``."""
        return str(self.actor.role)


def may(action: str) -> Callable[[Request], Awaitable[Caller]]:
    """Return the dependency that lets only callers through whose role has an action."""
    roles = ACTIONS[action]

    async def allowed(request: Request) -> Caller:
        caller = await run_in_threadpool(_caller, request)
        request.state.who = caller.actor.name
        _require_own_page(request, caller, action)
        if caller.role not in roles:
            if caller.role == "nobody":
                raise Problem(401, Told("请先登录", "sign in first"), kind="sign-in")
            what = Told(
                f"角色 {caller.role} 无权进行此操作", f"the role {caller.role} may not do this"
            )
            raise Problem(403, what, kind="role")
        if caller.user is not None and caller.user.must_change and action not in _FIRST:
            raise Problem(
                403,
                Told("首次登录须修改密码", "choose a password of your own first"),
                Told("修改密码后继续", "change the password, then go on"),
                kind="password",
            )
        return caller

    allowed.__dict__["action"] = action
    return allowed


_FIRST = ("account", "open", "public")
"""What can be done with a password that somebody else chose."""


def scope_of(actor: Actor) -> Scope:
    """Return what of the store an actor is told."""
    if actor.role in ("public", "nobody"):
        return Scope((), redacted=True)
    return scope_of_staff(actor)


def covers(caller: Caller, division: str) -> bool:
    """Tell whether a division lies in that of a caller."""
    return division.startswith(caller.actor.division)


def _require_own_page(request: Request, caller: Caller, action: str) -> None:
    """Refuse what a page of another site lets a browser send."""
    if request.method in SAFE:
        return
    foreign = request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
    told = request.headers.get(CSRF_HEADER, "")
    forged = bool(caller.secret) and not hmac.compare_digest(told.encode(), caller.csrf.encode())
    if foreign or (forged and action != "open"):
        raise Problem(
            403,
            Told("请求缺少防伪标记", f"the header {CSRF_HEADER} is missing or wrong"),
            Told("重新载入页面后重试", "load the page again"),
            kind="csrf",
        )


def _caller(request: Request) -> Caller:
    """Return who asks: by bearer token, or by the cookie of a session, or nobody."""
    accounts = desk_of(request).accounts
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind:
        user = accounts.of_token(secret.strip()) if kind.lower() == "bearer" else None
        if user is None:
            raise Problem(
                401,
                Told("访问令牌无效或已过期", "the token is not known, revoked or over"),
                kind="token",
            )
        return _of_user(user)
    cookie = request.cookies.get(COOKIE, "")
    session = accounts.session(cookie) if cookie else None
    if session is None:
        nobody = Actor("", "nobody", "")
        return Caller(nobody, scope_of(nobody))
    return _of_user(session.user, cookie, session.csrf)


def _of_user(user: UserRow, secret: str = "", csrf: str = "") -> Caller:  # nosec B107 # a token
    actor = Actor(user.name, user.role, user.division)
    return Caller(actor, scope_of(actor), user, secret, csrf)
