"""Answers as JSON with an entity tag; what the caller holds already is not sent again."""

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Header, Request, Response

from configs.told import Told
from web.errors import Problem

__all__ = ["IfMatch", "Kept", "Packed", "answer", "as_json", "packed", "sent", "version_of"]

Thing = TypeVar("Thing")
VARY = "Accept-Encoding, Cookie, Authorization"
SMALL = 1400
"""Bytes that fit into one packet are not worth packing."""

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=80, description="The version that was seen, in quotes."),
]


@dataclass(frozen=True)
class Packed:
    """A body that is ready to be sent: plain, packed, and its entity tag."""

    plain: bytes
    gzipped: bytes
    tag: str

    @classmethod
    def of(cls, content: Any) -> "Packed":
        """Write content as JSON and pack it."""
        plain = as_json(content)
        return cls(plain, gzip.compress(plain, 3, mtime=0), _tag(plain))


class Kept(Generic[Thing]):
    """What many callers ask for, made once; the last few are kept."""

    def __init__(self, most: int = 16) -> None:
        self._most, self._lock = most, threading.Lock()
        self._things: OrderedDict[Hashable, Future[Thing]] = OrderedDict()

    def made(self, key: Hashable, make: Callable[[], Thing]) -> Thing:
        """Return the thing of a key, made where it is not there; who asks the same waits for it."""
        with self._lock:
            found = self._things.get(key)
            thing = self._things[key] = Future() if found is None else found
            self._things.move_to_end(key)
            while len(self._things) > self._most:
                self._things.popitem(last=False)
        if found is None:
            try:
                thing.set_result(make())
            except BaseException as error:
                with self._lock:
                    self._things.pop(key, None)
                thing.set_exception(error)
        return thing.result()


def answer(request: Request, content: Any, status: int = 200) -> Response:
    """Return content as JSON, or 304 where the caller holds the same."""
    return sent(request, as_json(content), status=status)


def sent(
    request: Request, body: bytes, media_type: str = "application/json", status: int = 200
) -> Response:
    """Return bytes with their entity tag, packed where the caller takes that."""
    headers = {"ETag": _tag(body), "Vary": VARY}
    if status == 200 and _is_held(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if len(body) > SMALL and _takes_gzip(request):
        body = gzip.compress(body, 1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status, headers, media_type)


def packed(request: Request, body: Packed) -> Response:
    """Return a body that is kept ready, or 304 where the caller holds the same."""
    headers = {"ETag": body.tag, "Vary": VARY}
    if _is_held(request, body.tag):
        return Response(status_code=304, headers=headers)
    if _takes_gzip(request):
        headers["Content-Encoding"] = "gzip"
        return Response(body.gzipped, 200, headers, "application/json")
    return Response(body.plain, 200, headers, "application/json")


def as_json(content: Any) -> bytes:
    """Return content as JSON; moments and days by ISO 8601, what else has no form as its text."""
    options = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
    return orjson.dumps(content, default=_plain, option=options)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else str(value)


def _tag(body: bytes) -> str:
    return f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def _is_held(request: Request, tag: str) -> bool:
    known = {t.strip() for t in request.headers.get("if-none-match", "").split(",")}
    return request.method in ("GET", "HEAD") and tag in known


def _takes_gzip(request: Request) -> bool:
    return "gzip" in request.headers.get("accept-encoding", "")


def version_of(if_match: str | None) -> int:
    """Return the version that a writer saw.

    Raises
    ------
    Problem
        428 where it is missing, 400 where it is no number.
    """
    if if_match is None:
        raise Problem(428, Told("缺少 If-Match", "the header If-Match is missing"), kind="if-match")
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Problem(400, Told("If-Match 不是版本号", "If-Match is no version"), kind="if-match")
    return int(text)
