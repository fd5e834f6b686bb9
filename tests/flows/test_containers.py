"""Dockerfile and compose.yaml against the program they run: no Docker is needed for that."""

import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from sqlalchemy.engine import make_url

from configs.errors import InputError
from flows.cli.app import build_app
from flows.desk.serving import DEFAULT_PORT, Serving
from tests.test_house import ROOT
from web import app as desk_app

PASSWORD = "a1b2c3"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, each whole."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in lines]


def said(name: str) -> list[str]:
    return [rest for word, rest in instructions() if word == name]


def composed() -> dict[str, Any]:
    """Return the services with the password filled in, as Compose does."""
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    filled = re.sub(r"\$\{TUBAN_DB_PASSWORD:\?[^}]*\}", PASSWORD, text)
    assert "${" not in filled
    return dict(yaml.safe_load(filled))


def called(*words: object) -> str:
    """Run a program in the checkout; return what it prints."""
    command = [str(word) for word in words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


SERVICES: dict[str, Any] = composed()["services"]


def parsed(words: list[str]) -> dict[str, Any]:
    """Return what a command line of tuban means; raise where it is none."""
    command: Any = typer.main.get_command(build_app())
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    return dict(command.make_context("tuban", list(words)).params)


def copied() -> list[str]:
    """Return what is copied from the checkout into the image."""
    own = [rest.split() for rest in said("COPY") if not rest.startswith("--from")]
    return [source for words in own for source in words[:-1]]


def test_all_that_the_build_needs_is_copied_and_in_the_checkout():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    tracked = called("git", "ls-files").splitlines()
    for source in copied():
        assert any(t == source or t.startswith(f"{source}/") for t in tracked), source
        assert f"!{source}" in ignored, source
    found = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    rooms = {name.removesuffix("*") for name in found}
    named = {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]}
    assert rooms | named | {"pyproject.toml", "constraints.txt"} == set(copied())


def test_the_image_installs_what_the_project_declares():
    (install,) = [run for run in said("RUN") if "pip install" in run]
    words = shlex.split(install)
    extras = words[-1].removeprefix(".[").removesuffix("]").split(",")
    assert set(extras) <= set(PROJECT["project"]["optional-dependencies"])
    assert "postgis" in extras
    assert words[words.index("-c") + 1] in copied()
    versions = {re.search(r"python:3\.(\d+)", rest).group(1) for rest in said("FROM")}  # type: ignore[union-attr]
    assert len(versions) == 1
    assert 11 <= int(versions.pop()) < 14


def test_the_image_starts_the_program_as_nobody_special():
    (entry,) = said("ENTRYPOINT")
    (command,) = said("CMD")
    assert yaml.safe_load(entry) == ["tuban"]
    assert "tuban" in PROJECT["project"]["scripts"]
    parsed(yaml.safe_load(command))
    (user,) = said("USER")
    (made,) = re.findall(r"useradd .*--uid (\d+) (\w+)", " ".join(said("RUN")))
    assert made[1] == user
    own = [one for one in SERVICES.values() if one.get("image") == "tuban:local"]
    assert {one["user"] for one in own} == {made[0]}
    (venv,) = [rest.split()[-1] for rest in said("COPY") if rest.startswith("--from")]
    assert f"PATH={venv}/bin:" in " ".join(said("ENV"))


def test_what_is_written_lies_on_a_volume():
    (kept,) = said("VOLUME")
    settings = dict(word.split("=", 1) for word in " ".join(said("ENV")).split())
    places = [value for value in settings.values() if value.startswith("/")]
    assert all(p.startswith((f"{kept}/", "/opt/")) for p in places)
    declared = set(composed()["volumes"])
    for name, one in SERVICES.items():
        mounts = dict(mount.split(":")[:2] for mount in one["volumes"])
        assert {m for m in mounts if not m.startswith(".")} <= declared, name
        if one.get("read_only"):
            assert kept in mounts.values(), name
            assert "/tmp" in one["tmpfs"]
        files = one["environment"].get("TUBAN_DESK_FILES", kept)
        assert Path(files).is_relative_to(kept)


def test_services_wait_for_services_that_tell_their_health():
    for one in SERVICES.values():
        for other, how in one.get("depends_on", {}).items():
            assert how["condition"] == "service_healthy"
            assert SERVICES[other]["healthcheck"]["test"][0] == "CMD"


def test_the_desk_is_served_with_the_settings_that_it_reads(monkeypatch: pytest.MonkeyPatch):
    one = SERVICES["desk"]
    for name, value in one["environment"].items():
        monkeypatch.setenv(name, value)
    told = parsed(one["command"])
    url, database = make_url(told["store"]), SERVICES["database"]["environment"]
    assert (url.host, url.username, url.database, url.password) == (
        *("database", database["POSTGRES_USER"], database["POSTGRES_DB"]),
        database["POSTGRES_PASSWORD"],
    )
    assert str(told["files"]) == one["environment"]["TUBAN_DESK_FILES"]
    Serving(told["host"], told["port"], told["https"], told["proxies"], told["zone"])
    assert told["host"] == "0.0.0.0"
    with pytest.raises(InputError):
        Serving(told["host"], told["port"], https=False)
    (port,) = one["ports"]
    assert port == f"127.0.0.1:{told['port']}:{told['port']}"
    assert told["port"] == DEFAULT_PORT
    health = one["healthcheck"]["test"][-1]
    compile(health, "health", "exec")
    assert f"http://127.0.0.1:{told['port']}/health" in health
    assert "/health" in {route.path for route in desk_app.system.routes}  # type: ignore[attr-defined]


def test_the_commands_that_people_are_told_are_taken(monkeypatch: pytest.MonkeyPatch):
    for name, value in SERVICES["desk"]["environment"].items():
        monkeypatch.setenv(name, value)
    names = ("compose.yaml", "docs/how-to/desk.md")
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in names]
    runs = [r for text in texts for r in re.findall(r"docker compose run --rm (\w+) (.+)", text)]
    assert len(runs) >= 3
    for service, words in runs:
        assert service in SERVICES
        given = [str(ROOT) if word.startswith("/county") else word for word in words.split()]
        parsed(given)


@pytest.mark.slow
@pytest.mark.parametrize("service", ["prefect", "worker"])
def test_the_commands_of_prefect_are_taken(service: str):
    one = SERVICES[service]
    assert one["entrypoint"] == ["prefect"]
    words = one["command"]
    first = next(i for i, word in enumerate(words) if word.startswith("-"))
    shown = called(sys.executable, "-m", "prefect", *words[:first], "--help")
    assert not [word for word in words if word.startswith("--") and word not in shown]
    port = SERVICES["prefect"]["command"][-1]
    assert SERVICES["prefect"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert SERVICES["worker"]["environment"]["PREFECT_API_URL"] == f"http://prefect:{port}/api"
    if service == "worker":
        deployed = yaml.safe_load((ROOT / "flows" / "prefect.yaml").read_text(encoding="utf-8"))
        pools = {one["work_pool"]["name"] for one in deployed["deployments"]}
        assert pools == {words[words.index("--pool") + 1]}


@pytest.mark.slow
def test_what_is_copied_makes_the_package(tmp_path: Path):
    source = tmp_path / "src"
    source.mkdir()
    names = called("git", "ls-files", "--", *copied()).splitlines()
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    called(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, source)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        shipped = set(archive.namelist())
    needed = [n for n in names if n.endswith((".py", ".js", ".css", ".yaml", ".ttf", ".mako"))]
    assert len(needed) > 300
    assert not [n for n in needed if n not in shipped]
