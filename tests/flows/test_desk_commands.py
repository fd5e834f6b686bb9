"""`tuban desk` as an operator types it: users, serving, what is refused, the files beside it."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from clues.store.repository import Store
from configs.errors import ExitCode
from flows.cli.app import build_app
from flows.desk.place import desk_place
from tests.clues.test_store import judged, record

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "two words and 7"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("desk") / "county.sqlite"
    made = Store.at(path)
    patches, findings = judged(6)
    made.register(record(), patches, findings)
    made.close()
    return path


def desk(*words: object, given: str = ""):
    return CliRunner().invoke(build_app(), ["desk", *map(str, words)], input=given)


def test_users_are_entered_listed_closed_and_get_another_password(store: Path):
    where = ("--store", store)
    role = ("--role", "county", "--division", "370305")
    assert desk("user", "add", "chen", *where, *role, given=f"{PASSWORD}\n").exit_code == 0
    told = desk("user", "list", *where).stdout.splitlines()
    assert told[0] == "name\trole\tdivision\tstate\tdisplay"
    assert "chen\tcounty\t370305\tactive\tchen" in told
    assert PASSWORD not in desk("user", "list", *where).stdout
    assert desk("user", "disable", "chen", *where).exit_code == 0
    assert "chen\tcounty\t370305\tclosed\tchen" in desk("user", "list", *where).stdout
    assert desk("user", "enable", "chen", *where).exit_code == 0
    again = desk("user", "password", "chen", *where, given="three other words\n")
    assert again.exit_code == 0


@pytest.mark.parametrize("given", ["", "short\n", "chen2 chen2 x\n", "aaaaaaaaaaaa\n"])
def test_there_is_no_default_password_and_none_that_is_easy(store: Path, given: str):
    told = desk("user", "add", "chen2", "--store", store, "--role", "supervisor", given=given)
    assert told.exit_code == ExitCode.USER_ERROR
    assert "password" in told.stderr
    assert "chen2" not in desk("user", "list", "--store", store).stdout


def test_another_address_is_refused_without_https(store: Path):
    told = desk("serve", "--store", store, "--host", "0.0.0.0")
    assert told.exit_code == ExitCode.USER_ERROR
    assert "--https" in told.stderr


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path):
    for words in (("serve",), ("backup", tmp_path / "b"), ("user", "list")):
        told = desk(*words, "--store", tmp_path / "none.sqlite")
        assert told.exit_code == ExitCode.USER_ERROR, words
        assert told.stderr.startswith("error: there is no clue store"), words
    assert not list(tmp_path.glob("*.sqlite"))


def test_files_lie_beside_the_store(tmp_path: Path):
    place = desk_place(str(tmp_path / "county.sqlite"))
    assert place.files == tmp_path / "county-desk"
    server = desk_place("postgresql://host/county", tmp_path / "files")
    assert server.files == tmp_path / "files"


def test_compose_has_no_password_and_listens_on_this_machine_only():
    told = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    services = told["services"]
    assert set(services) == {"database", "prefect", "worker", "desk"}
    ports = [port for one in services.values() for port in one.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    secrets = [
        value
        for one in services.values()
        for name, value in one["environment"].items()
        if "PASSWORD" in name or "@" in value
    ]
    assert secrets
    assert all("${TUBAN_DB_PASSWORD:?" in value for value in secrets)
    words = services["desk"]["command"]
    shown = CliRunner().invoke(build_app(), [*words[:2], "--help"]).stdout
    assert all(word in shown for word in words if word.startswith("--"))
    copied = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "USER tuban" in copied
    rooms = ("configs", "tiles", "detect", "models", "clues", "web", "flows")
    assert all(f"COPY {room} {room}\n" in copied for room in rooms)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
def test_the_desk_serves_logs_json_and_ends_when_told(store: Path, tmp_path: Path):
    port, log = _free_port(), tmp_path / "log"
    code = "from flows.cli.app import main; main()"
    words = [
        sys.executable,
        "-c",
        code,
        "desk",
        "serve",
        "--store",
        str(store),
        "--port",
        str(port),
    ]
    with log.open("wb") as target:
        process = subprocess.Popen(words, stderr=target, cwd=ROOT)
        try:
            told = _health(port, process)
            with pytest.raises(urllib.error.HTTPError) as error:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ogc/collections", timeout=20)
            store.rename(tmp_path / "elsewhere")
            with pytest.raises(urllib.error.HTTPError) as away:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=20)
            assert not store.exists()
            (tmp_path / "elsewhere").rename(store)
            _health(port, process)
        finally:
            process.send_signal(signal.SIGTERM)
            ended = process.wait(60)
    assert told["status"] == "ok"
    assert (error.value.code, away.value.code) == (401, 503)
    assert ended == 0
    lines = log.read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    asked = [r for r in records if r.get("path") == "/ogc/collections"]
    assert [(r["method"], r["status"], r["address"]) for r in asked] == [("GET", 401, "127.0.0.1")]
    assert any("was moved, removed or replaced" in r["message"] for r in records)
    assert {"at", "level", "logger", "message"} <= set(records[0])
    assert records[0]["message"] == f"the desk is at http://127.0.0.1:{port} (Ctrl-C ends it)"
    assert records[-1]["message"] == "the desk has ended"


def _health(port: int, process: subprocess.Popen[bytes]) -> dict[str, str]:
    for _ in range(240):
        assert process.poll() is None, "the desk ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                return dict(json.loads(answer.read()))
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.25)
    raise AssertionError("the desk does not answer")
