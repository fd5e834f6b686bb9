"""What strangers send: nothing of it gets a server error, too much of anything is refused."""

import gzip
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from PIL import Image

from tests.clues.test_uploads import PDF, SCRIPT, archive, exif_bomb, packed_pdf, png_bomb
from tests.web.conftest import ServedDesk
from web import guards

pytestmark = pytest.mark.slow


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
        ("a.jpg", b"\xff\xd8\xff" + bytes(5000), 415),
        ("a.png", png_bomb(100_000), 415),
        ("a.zip", archive(archive(archive(bytes(8 << 20)))), 415),
        ("a.jpg", archive(archive()), 415),
        ("a.jpg", b"GIF89a/*" + picture() + b"*/", 415),
        ("a.pdf", b"<html><!--" + PDF + b"--></html>", 415),
        ("a.pdf", PDF.replace(b"endobj", b"endobj <html><script>1</script>"), 415),
        ("a.pdf", PDF.replace(b"/Catalog", b"/Catalog/OpenAction<</S/J#61vaScript>>"), 415),
        ("a.pdf", packed_pdf(SCRIPT), 415),
        ("a.jpg", picture()[:-2] + PDF, 415),
        ("a.jpg", b"%PDF-1.4\n" + picture(), 415),
        ("a.svg", b"\x1f\x8b" + gzip.compress(b"<svg onload='1'/>", mtime=0), 415),
        ("a.svgz", gzip.compress(b"<svg onload='1'/>", mtime=0), 415),
        ("a.jpg", b"\x00" + picture(), 415),
        ("a.jpg.exe", picture(), 415),
        ("a.jpg\x00.html", picture(), 415),
        ("a.html\x00.jpg", picture(), 201),
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


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../etc/passwd.jpg", "passwd.jpg"),
        ("..\\..\\boot.ini.jpg", "boot.ini.jpg"),
        ("C:\\a\\b.jpg", "b.jpg"),
        ("/etc/cron.d/x.jpg", "x.jpg"),
        ("x\u202egpj.exe.jpg", "xgpj.exe.jpg"),
        ("<img src=x onerror=1>.jpg", "img src=x onerror=1.jpg"),
        ("a%0d%0aSet-Cookie: x=1.jpg", "a%0d%0aSet-Cookie x=1.jpg"),
        ("=cmd|' /C calc'!A0.jpg", "C calc'!A0.jpg"),
        ("a" * 300 + ".jpg", "a" * 196 + ".jpg"),
        (".jpg", ".jpg"),
        ("现场 照片.jpg", "现场 照片.jpg"),
    ],
)
def test_names_of_files_lead_nowhere(desk: ServedDesk, name: str, kept: str):
    client, number = desk.as_("county"), desk.clue_nos("county")[0]
    before = {p for p in desk.folder.rglob("*") if p.is_file() and "register" not in p.name}
    files = {"file": (name, picture(), "image/jpeg")}
    told = client.post(f"/api/clues/{number}/attachments", files=files)
    assert told.status_code == 201, told.text
    digest = told.json()["sha256"]
    assert told.json()["name"].strip() == kept
    back = client.get(f"/api/attachments/{digest}")
    assert back.content == picture()
    assert not {"set-cookie", "refresh"} & set(back.headers)
    fresh = {p for p in desk.folder.rglob("*") if p.is_file() and "register" not in p.name} - before
    assert all(p.name == digest for p in fresh)


def test_a_packed_body_is_not_unpacked(desk: ServedDesk):
    client, number = desk.as_("county"), desk.clue_nos("county")[0]
    bomb = gzip.compress(b'{"text": "' + b"a" * (64 << 20) + b'"}')
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    told = client.post(f"/api/clues/{number}/comments", content=bomb, headers=headers)
    assert told.status_code in (400, 422)


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


def upload_head(desk: ServedDesk, number: str) -> bytes:
    """Return the head of an upload in chunks, of no known length."""
    client = desk.as_("county")
    return (
        f"POST /api/clues/{number}/attachments HTTP/1.1\r\nHost: desk.test\r\n"
        f"Cookie: tuban_session={client.cookies['tuban_session']}\r\n"
        f"X-CSRF-Token: {client.headers['X-CSRF-Token']}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()


def test_an_endless_stream_is_cut_off_at_the_limit(
    desk: ServedDesk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(guards, "UPLOAD_LIMIT", 4 << 20)
    number = desk.clue_nos("county")[0]
    start = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    chunk = b"\xff" * 65536
    with listening(desk) as port, socket.create_connection(("127.0.0.1", port), 30) as line:
        line.sendall(upload_head(desk, number) + b"%x\r\n%s\r\n" % (len(start), start))
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


def test_a_file_that_drips_is_given_up_and_leaves_nothing(
    desk: ServedDesk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(guards, "SECONDS", 1.5)
    number, client = desk.clue_nos("county")[0], desk.as_("county")
    attached = client.get(f"/api/clues/{number}").json()["attachments"]
    start = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    with listening(desk) as port, socket.create_connection(("127.0.0.1", port), 30) as line:
        line.sendall(upload_head(desk, number) + b"%x\r\n%s\r\n" % (len(start), start))
        line.settimeout(0.2)
        answered = b""
        for _ in range(200):  # one byte at a time, never a pause that ends by itself
            try:
                line.sendall(b"1\r\n\xff\r\n")
                answered = line.recv(200)
                break
            except TimeoutError:
                continue
    assert b" 408 " in answered.split(b"\r\n")[0]
    assert client.get(f"/api/clues/{number}").json()["attachments"] == attached


def test_a_file_that_is_cut_off_leaves_nothing(desk: ServedDesk):
    number, client = desk.clue_nos("county")[0], desk.as_("county")
    attached = client.get(f"/api/clues/{number}").json()["attachments"]
    start = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    with listening(desk) as port:
        with socket.create_connection(("127.0.0.1", port), 30) as line:
            whole = start + picture()
            line.sendall(upload_head(desk, number) + b"%x\r\n%s\r\n" % (len(whole), whole))
        with socket.create_connection(("127.0.0.1", port), 30) as line:
            line.sendall(b"GET /health HTTP/1.1\r\nHost: desk.test\r\nConnection: close\r\n\r\n")
            assert b" 200 " in line.recv(200).split(b"\r\n")[0]
    assert client.get(f"/api/clues/{number}").json()["attachments"] == attached


def test_a_body_said_to_be_too_large_is_not_read(desk: ServedDesk):
    headers = {"Content-Length": str(1 << 40), "Content-Type": "application/json"}
    told = desk.nobody().post("/api/session", content=b"{}", headers=headers)
    assert told.status_code == 413
