"""Signing in and out, one's password and tokens, and the accounts an administrator keeps."""

import datetime as dt
from typing import Annotated, Any, Literal

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import Field

from clues.accounts import LASTS, ROLES
from clues.store.accounts import UserRow
from configs.told import Told
from web import officemodels
from web.access import COOKIE, Caller, covers, may
from web.answers import answer
from web.asking import Body, TheDesk
from web.errors import Problem

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["accounts"])

Name = Annotated[str, Field(min_length=1, max_length=80)]
Password = Annotated[str, Field(min_length=1, max_length=200)]
Role = Literal[ROLES]  # type: ignore[valid-type]
SIGN_INS = 2
"""Passwords compared at once, in threads of their own: a flood of them takes no other request's."""

_signing: RunVar[CapacityLimiter] = RunVar("_signing")

UserName = Annotated[str, Path(max_length=80)]
Open = Annotated[Caller, Depends(may("open"))]
Own = Annotated[Caller, Depends(may("account"))]
Keeper = Annotated[Caller, Depends(may("users"))]


class SignIn(Body):
    """Name and password."""

    name: Name
    password: Password


class NewPassword(Body):
    """The present password and the next."""

    old: Password
    new: Password


class NewToken(Body):
    """A token for a program."""

    name: Name
    days: int = Field(90, ge=1, le=366)


class NewUser(Body):
    """A user to enter; the password is one for the first time only."""

    name: Name
    role: Role
    division: str = Field("", max_length=12)
    display: str = Field("", max_length=80)
    password: Password


class ChangedUser(Body):
    """What changes of a user."""

    role: Role | None = None
    division: str | None = Field(None, max_length=12)
    display: str | None = Field(None, max_length=80, min_length=1)
    active: bool | None = None
    password: Password | None = None


def told_user(user: UserRow) -> dict[str, Any]:
    """Return what is told of a user."""
    names = ("name", "display", "role", "division", "active", "must_change")
    return {name: getattr(user, name) for name in names}


@router.get("/session", summary="Who is signed in", response_model=officemodels.Session)
def read_session(request: Request, caller: Open) -> Response:
    """Return the user and the mark that writes must carry; nulls where nobody is signed in."""
    user = None if caller.user is None else told_user(caller.user)
    return answer(request, {"user": user, "csrf": caller.csrf or None})


@router.post("/session", summary="Sign in", response_model=officemodels.Session)
async def sign_in(request: Request, desk: TheDesk, _caller: Open, form: SignIn) -> Response:
    """Open a session and set its cookie."""
    try:
        limit = _signing.get()
    except LookupError:
        _signing.set(limit := CapacityLimiter(SIGN_INS))
    signed_in = desk.accounts.signed_in
    opened = await run_sync(signed_in, form.name, form.password, limiter=limit)
    if opened is None:
        raise Problem(
            401,
            Told(
                "用户名或密码错误，或多次输错后账户已锁定",
                "the name or the password is wrong, or the account is locked",
            ),
            Told("核对后重试；锁定 15 分钟后解除", "check both; a lock ends after 15 minutes"),
            kind="sign-in",
        )
    response = answer(request, {"user": told_user(opened.user), "csrf": opened.csrf})
    response.set_cookie(
        COOKIE,
        opened.secret,
        max_age=int(LASTS.total_seconds()),
        secure=desk.secure,
        httponly=True,
        samesite="strict",
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@router.delete("/session", status_code=204, summary="Sign out")
def sign_out(desk: TheDesk, caller: Own) -> Response:
    """End the session and take its cookie back."""
    if caller.secret:
        desk.accounts.sign_out(caller.secret)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, secure=desk.secure, httponly=True, samesite="strict")
    return response


@router.post("/session/password", status_code=204, summary="Change one's password")
def change_password(desk: TheDesk, caller: Own, form: NewPassword) -> Response:
    """Take the next password; other sessions of the user end."""
    user = _user(caller)
    if not desk.accounts.right_password(user, form.old):
        raise Problem(403, Told("原密码错误", "the present password is wrong"), kind="password")
    if form.old == form.new:
        raise Problem(422, Told("新密码与原密码相同", "the next password is the present one"))
    desk.accounts.set_password(user.name, form.new, by=user.name, keep=caller.secret)
    return Response(status_code=204)


@router.get("/tokens", summary="One's tokens", response_model=officemodels.TokenList)
def read_tokens(request: Request, desk: TheDesk, caller: Own) -> Response:
    """Return the tokens of the caller, without their secrets."""
    return answer(request, {"items": [_told_token(t) for t in desk.accounts.tokens(_user(caller))]})


@router.post(
    "/tokens", status_code=201, summary="Make a token", response_model=officemodels.NewToken
)
def add_token(request: Request, desk: TheDesk, caller: Own, form: NewToken) -> Response:
    """Return a token; its secret is told this once."""
    if not caller.secret:
        what = Told("令牌只能在登录后建立", "a token is made from a session, not by a token")
        raise Problem(403, what, kind="token")
    key, secret = desk.accounts.new_token(_user(caller), form.name, form.days)
    response = answer(request, {"id": key, "name": form.name, "secret": secret}, 201)
    response.headers["Cache-Control"] = "no-store"
    return response


@router.delete("/tokens/{token}", status_code=204, summary="Revoke a token")
def revoke_token(
    desk: TheDesk, caller: Own, token: Annotated[int, Path(ge=1, le=2**31 - 1)]
) -> Response:
    """Revoke one's token."""
    if not desk.accounts.revoke(_user(caller), token):
        raise Problem(404, Told("没有此令牌", "there is no such token"))
    return Response(status_code=204)


@router.get("/users", summary="All users", response_model=officemodels.UserList)
def read_users(request: Request, desk: TheDesk, caller: Keeper) -> Response:
    """Return the users of the caller's division by name."""
    items = [told_user(u) for u in desk.accounts.users() if covers(caller, u.division)]
    return answer(request, {"items": items})


@router.post("/users", status_code=201, summary="Enter a user", response_model=officemodels.User)
def add_user(request: Request, desk: TheDesk, caller: Keeper, form: NewUser) -> Response:
    """Enter a user, who chooses another password at the first sign-in."""
    _require_covered(caller, form.division)
    user = desk.accounts.add(
        form.name,
        form.role,
        form.division,
        form.password,
        display=form.display,
        by=caller.actor.name,
    )
    return answer(request, told_user(user), 201)


@router.patch("/users/{name}", summary="Change a user", response_model=officemodels.User)
def change_user(
    request: Request, desk: TheDesk, caller: Keeper, name: UserName, form: ChangedUser
) -> Response:
    """Change role, division, name shown, or close an account; its sessions end."""
    changes = {k: v for k, v in form.model_dump(exclude={"password"}).items() if v is not None}
    if not any(u.name == name and covers(caller, u.division) for u in desk.accounts.users()):
        raise Problem(404, Told("没有此用户", "there is no such user"))
    if form.division is not None:
        _require_covered(caller, form.division)
    by = caller.actor.name
    if form.password is not None:
        desk.accounts.set_password(name, form.password, by=by, must_change=True)
    user = desk.accounts.change(name, by=by, **changes)
    return answer(request, told_user(user))


def _require_covered(caller: Caller, division: str) -> None:
    """Refuse accounts that would see more than the administrator who keeps them."""
    if not covers(caller, division.strip()):
        raise Problem(
            403,
            Told("辖区超出您的管理范围", "the division is not within yours"),
            Told("由上级管理员办理", "ask an administrator of the division above"),
            kind="division",
        )


def _user(caller: Caller) -> UserRow:
    assert caller.user is not None
    return caller.user


def _told_token(token: Any) -> dict[str, Any]:
    def day(moment: dt.datetime | None) -> str | None:
        return None if moment is None else moment.isoformat(timespec="seconds")

    return {
        "id": token.id,
        "name": token.name,
        "created_at": day(token.created_at),
        "expires_at": day(token.expires_at),
        "revoked_at": day(token.revoked_at),
    }
