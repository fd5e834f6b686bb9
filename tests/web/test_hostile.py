"""What strangers send: nothing of it gets a server error, too much of anything is refused."""

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from PIL import Image
from schemathesis import GenerationMode

from tests.clues.test_uploads import PDF, archive, exif_bomb, png_bomb
from tests.web.conftest import ServedDesk
from web import guards

pytestmark = pytest.mark.slow

EXAMPLES = 3
DRAWN = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
ENDING = ("/api/session", "/api/audit", "/api/users/")
"""Routes whose drawn requests would end the session that draws, or take long."""


def statuses_of(
    operation: Any,
    mode: GenerationMode,
    headers: dict[str, str],
    cookies: dict[str, str],
    clue: str,
) -> set[int]:
    """Draw requests for one operation, send each, and return the statuses."""
    found: set[int] = set()

    @given(case=operation.as_strategy(generation_mode=mode))
    @DRAWN
    def draw(case: Any) -> None:
        if mode is GenerationMode.POSITIVE and "clue_no" in (case.path_parameters or {}):
            case.path_parameters["clue_no"] = clue
        told = case.call(headers=headers, cookies=cookies)
        found.add(told.status_code)
        assert told.status_code < 500, (case.as_curl_command(), told.text[:300])

    draw()
    return found


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda m: m.value)
def test_drawn_requests_get_no_server_error(desk: ServedDesk, mode: GenerationMode):
    client = desk.as_("root")
    headers = {"X-CSRF-Token": client.headers["X-CSRF-Token"], "If-Match": "1"}
    cookies, clue = dict(client.cookies), desk.clue_nos()[0]
    schema = schemathesis.openapi.from_asgi("/openapi.json", desk.app)
    operations = [found.ok() for found in schema.get_all_operations()]
    drawn = [
        statuses_of(operation, mode, headers, cookies, clue)
        for operation in operations
        if not operation.path.startswith(ENDING)
    ]
    assert len(drawn) > 30
    if mode is GenerationMode.POSITIVE:
        assert sum(200 in statuses for statuses in drawn) > 12


@pytest.mark.parametrize(
    "path",
    [
        *("/api/clues?q=%00", "/api/clues?bbox=a,b,c,d", "/api/clues?bbox=9,9,1,1"),
        *("/api/clues?cursor=AAAA", "/api/clues?limit=100000", "/api/clues?min_area=1e400"),
        *("/api/clues/..%2f..%2fetc%2fpasswd", "/static/../web/app.py", "/static/%2e%2e/app.py"),
        *("/tiles/..%2f..%2fx/0/0/0.png", "/tiles/x/99/0/0.png", "/api/attachments/..%2fx"),
    ],
)
def test_strange_addresses_are_refused(desk: ServedDesk, path: str):
    told = desk.as_("root").get(path)
    assert 400 <= told.status_code < 500, told.text


@pytest.mark.parametrize(
    "body",
    [
        b'{"text": "\\u0000"}',
        b'{"text": "\\ud800"}',
        b'{"text": NaN}',
        b'{"text": 1e999}',
        b'{"text": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b"\xff\xfe",
        b'{"text": "a", "more": 1}',
        b"[]",
        b"",
    ],
)
def test_strange_bodies_are_refused(desk: ServedDesk, body: bytes):
    client, number = desk.as_("county"), desk.clue_nos("county")[0]
    path = f"/api/clues/{number}/comments"
    told = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert told.status_code in (400, 422), told.text
    assert told.headers["content-type"] == "application/problem+json"
    assert {"title_zh", "title_en", "fix_zh", "fix_en"} <= set(told.json())


def picture(kind: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 60)).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("现场.jpg", picture(), 201),
        ("批文.pdf", PDF, 201),
        ("exif.jpg", exif_bomb(), 201),
        ("a.jpg", picture() + archive(), 415),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", 415),
        ("a.html", b"<!doctype html><script>1</script>", 415),
        ("a.png", png_bomb(), 415),
        ("a.zip", archive(), 415),
        ("a.pdf", PDF + archive(), 415),
        ("a.gif", picture("GIF"), 415),
        ("a.jpg", b"", 415),
    ],
)
def test_only_photos_and_scans_are_taken_and_come_back_harmless(
    desk: ServedDesk, name: str, data: bytes, status: int
):
    client, number = desk.as_("county"), desk.clue_nos("county")[0]
    path = f"/api/clues/{number}/attachments"
    told = client.post(path, files={"file": (name, data, "text/html")})
    assert told.status_code == status, told.text
    if status == 201:
        back = client.get(f"/api/attachments/{told.json()['sha256']}")
        assert back.content == data
        assert back.headers["content-disposition"].startswith("attachment;")
        assert back.headers["content-type"] in ("image/jpeg", "application/pdf")
        assert back.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in back.headers["content-security-policy"]


def test_many_parts_and_long_fields_are_refused(desk: ServedDesk):
    client, number = desk.as_("county"), desk.clue_nos("county")[0]
    path = f"/api/clues/{number}/attachments"
    files = [("file", (f"{i}.jpg", picture(), "image/jpeg")) for i in range(20)]
    assert client.post(path, files=files).status_code == 400
    fields = {"kind": "x" * 10_000}
    one = {"file": ("a.jpg", picture(), "image/jpeg")}
    assert client.post(path, files=one, data=fields).status_code in (400, 422)
    assert client.post(path, json={}).status_code == 415


def test_headers_keep_pages_from_being_framed_or_scripted(desk: ServedDesk):
    for path in ("/", "/api/session", "/api/clues", "/no-such-page", "/static/no-such-file"):
        headers = desk.nobody().get(path).headers
        assert "'unsafe-inline'" not in headers["content-security-policy"], path
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff", path
    assert desk.nobody().get("/docs").status_code == 404


@contextmanager
def listening(desk: ServedDesk) -> Iterator[int]:
    """Serve the desk on a port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = uvicorn.Config(desk.app, port=port, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(200):
        if server.started:
            break
        time.sleep(0.05)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(10)


def test_an_endless_stream_is_cut_off_at_the_limit(
    desk: ServedDesk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(guards, "UPLOAD_LIMIT", 4 << 20)
    number, client = desk.clue_nos("county")[0], desk.as_("county")
    head = (
        f"POST /api/clues/{number}/attachments HTTP/1.1\r\nHost: desk.test\r\n"
        f"Cookie: tuban_session={client.cookies['tuban_session']}\r\n"
        f"X-CSRF-Token: {client.headers['X-CSRF-Token']}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    start = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    chunk = b"\xff" * 65536
    with listening(desk) as port, socket.create_connection(("127.0.0.1", port), 30) as line:
        line.sendall(head.encode() + b"%x\r\n%s\r\n" % (len(start), start))
        sent, answered = 0, b""
        line.settimeout(0.001)
        while sent < (64 << 20) and not answered:
            try:
                line.settimeout(20)
                line.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                sent += len(chunk)
                line.settimeout(0.001)
                answered = line.recv(200)
            except TimeoutError:
                continue
            except OSError:
                break
    assert sent < (16 << 20)
    assert not answered or b" 413 " in answered.split(b"\r\n")[0]


def test_a_body_that_drips_is_given_up(desk: ServedDesk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(guards, "SECONDS", 0.5)
    with listening(desk) as port, socket.create_connection(("127.0.0.1", port), 30) as line:
        line.sendall(
            b"POST /api/session HTTP/1.1\r\nHost: desk.test\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        assert b" 408 " in line.recv(200).split(b"\r\n")[0]


def test_a_body_said_to_be_too_large_is_not_read(desk: ServedDesk):
    headers = {"Content-Length": str(1 << 40), "Content-Type": "application/json"}
    told = desk.nobody().post("/api/session", content=b"{}", headers=headers)
    assert told.status_code == 413
