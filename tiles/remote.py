"""Images and catalogues on other machines: only on hosts that the operator has allowed.

Nothing is fetched unless the environment variable ``TUBAN_HOSTS`` names the host (comma-separated,
a port only where it is not the usual one). An address is carried as a `Path`, which keeps one of
its two slashes; `address` gives it back whole. A host that is allowed is trusted to redirect
images elsewhere; documents are followed to allowed hosts only.
"""

import hashlib
import json
import os
import re
import urllib.request
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from configs.errors import RasterError

__all__ = [
    "HOSTS_VARIABLE",
    "address",
    "fetch_json",
    "is_remote",
    "remote_fingerprint",
    "require_host",
]

HOSTS_VARIABLE = "TUBAN_HOSTS"
REMOTE = re.compile(r"^https?:/+", re.IGNORECASE)
TIMEOUT_S = 60
LIMIT_BYTES = 64_000_000


def is_remote(path: Path | str) -> bool:
    """Return whether a path is an ``http`` or ``https`` address."""
    return REMOTE.match(str(path)) is not None


def address(path: Path | str) -> str:
    """Return an address as it is written: a `Path` has only one slash after the colon."""
    return re.sub(r"^(https?):/+", r"\1://", str(path), flags=re.IGNORECASE)


def require_host(path: Path | str) -> str:
    """Return the address if its host is allowed.

    Raises
    ------
    RasterError
        If it is not; the message says how to allow it.
    """
    url = address(path)
    host = urlsplit(url).netloc.rpartition("@")[2].lower()
    allowed = {h.strip().lower() for h in os.environ.get(HOSTS_VARIABLE, "").split(",")}
    if host and host in allowed:
        return url
    raise RasterError(
        f"the host {host or '(none)'} is not allowed: it is not on this machine",
        url,
        f"download the files, or allow it with the environment variable {HOSTS_VARIABLE}={host}",
    )


def fetch_json(path: Path | str, body: Any = None) -> Any:
    """Return a JSON document from an allowed host.

    Parameters
    ----------
    path : Path or str
    body : JSON value, optional
        Posted if given.

    Raises
    ------
    RasterError
        If the host is not allowed, does not answer, or answers something else.
    """
    url = require_host(path)
    data = None if body is None else json.dumps(body).encode()
    headers = {"Accept": "application/geo+json, application/json"}
    headers |= {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(url, data, headers)
    try:
        with _opener().open(request, timeout=TIMEOUT_S) as answer:
            text = answer.read(LIMIT_BYTES + 1)
        if len(text) > LIMIT_BYTES:
            raise ValueError(f"more than {LIMIT_BYTES // 1_000_000} MB")
        return json.loads(text)
    except RasterError:
        raise
    except (OSError, ValueError) as error:
        raise RasterError(
            f"the catalogue does not answer as it should ({error})",
            url,
            "check the address and the network, and try again",
        ) from error


def remote_fingerprint(path: Path | str) -> str:
    """Return a fingerprint of a remote file from what the server says about it."""
    url = require_host(path)
    request = urllib.request.Request(url, method="HEAD")
    try:
        with _opener().open(request, timeout=TIMEOUT_S) as answer:
            facts = [answer.headers.get(n, "") for n in ("ETag", "Last-Modified", "Content-Length")]
    except OSError as error:
        raise RasterError(
            f"the server does not answer ({error})", url, "check the address and the network"
        ) from error
    return hashlib.sha256("\n".join([url, *facts]).encode()).hexdigest()[:32]


class _AllowedOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirections to allowed hosts only."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        require_host(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_AllowedOnly)
