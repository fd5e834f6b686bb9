"""Answers as JSON with an entity tag; what the caller holds already is not sent again."""

import gzip
import hashlib
import json
from typing import Annotated, Any

from fastapi import Header, Request, Response

from configs.told import Told
from web.errors import Problem

__all__ = ["IfMatch", "answer", "sent", "version_of"]

SMALL = 1400
"""Bytes that fit into one packet are not worth packing."""

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=80, description="The version that was seen, in quotes."),
]


def answer(request: Request, content: Any, status: int = 200) -> Response:
    """Return content as JSON, or 304 where the caller holds the same."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str).encode()
    return sent(request, body, status=status)


def sent(
    request: Request, body: bytes, media_type: str = "application/json", status: int = 200
) -> Response:
    """Return bytes with their entity tag, packed where the caller takes that."""
    tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Vary": "Accept-Encoding, Cookie, Authorization"}
    if status == 200 and request.method in ("GET", "HEAD"):
        known = {t.strip() for t in request.headers.get("if-none-match", "").split(",")}
        if tag in known:
            return Response(status_code=304, headers=headers)
    if len(body) > SMALL and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 3, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status, headers, media_type)


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
