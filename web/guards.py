"""What stands around every answer: security headers, limits of what may come in, one log line."""

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.errors import problem_response

__all__ = ["BODY_LIMIT", "POLICY", "UPLOAD_LIMIT", "Guards"]

log = logging.getLogger("web.access")

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(self), microphone=(), payment=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
LASTING = "max-age=31536000; includeSubDomains"

BODY_LIMIT = 2 << 20
UPLOAD_LIMIT = 64 << 20
"""Bytes of one upload: the largest photo that is taken, and its envelope."""

SECONDS = 120.0
"""A body must be here within so many seconds, however slowly it drips."""


class Guards:
    """Middleware around the whole app.

    Parameters
    ----------
    app : ASGI application
    secure : bool
        Whether browsers reach it by HTTPS only.
    uploads : tuple of str
        Ends of paths that take files.
    """

    def __init__(self, app: ASGIApp, *, secure: bool, uploads: tuple[str, ...] = ()) -> None:
        self.app, self.secure, self.uploads = app, secure, uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        limit = UPLOAD_LIMIT if scope["path"].endswith(self.uploads) else BODY_LIMIT

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": self._headers(message.get("headers", ()))}
            await send(message)

        try:
            if _declared(scope) > limit:
                await problem_response(413)(scope, receive, told)
            else:
                await self.app(scope, _Counted(receive, limit, SECONDS), told)
        finally:
            _note(scope, status, time.perf_counter() - started)

    def _headers(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        there = {name.lower() for name, _ in headers}
        wanted: Mapping[str, str] = HEADERS
        if self.secure:
            wanted = {**HEADERS, "strict-transport-security": LASTING}
        if b"cache-control" not in there:
            wanted = {**wanted, "cache-control": "private, no-cache"}
        more = [(n.encode(), v.encode()) for n, v in wanted.items() if n.encode() not in there]
        return [*headers, *more]


class _Counted:
    """Receives a body up to a limit of bytes and of seconds."""

    def __init__(self, receive: Receive, limit: int, seconds: float) -> None:
        self.receive, self.limit = receive, limit
        self.until = time.monotonic() + seconds
        self.size, self.done = 0, False

    async def __call__(self) -> Message:
        if self.done:
            return await self.receive()
        try:
            async with asyncio.timeout(max(self.until - time.monotonic(), 0.001)):
                message = await self.receive()
        except TimeoutError:
            raise HTTPException(408) from None
        if message["type"] == "http.request":
            self.size += len(message.get("body", b""))
            self.done = not message.get("more_body", False)
            if self.size > self.limit:
                raise HTTPException(413)
        return message


def _declared(scope: Scope) -> int:
    """Return the length that the request tells, 0 where it tells none."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            with suppress(ValueError):
                return int(value)
    return 0


def _note(scope: Scope, status: int, seconds: float) -> None:
    route = scope.get("route")
    who = scope.get("state", {}).get("who", "")
    log.info(
        "%s %s %d",
        scope["method"],
        getattr(route, "path", scope["path"]),
        status,
        extra={
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "milliseconds": round(1000 * seconds, 1),
            "who": who,
            "address": (scope.get("client") or ("",))[0],
        },
    )
