"""A real Prefect server and a worker of its pool: forms, schedules, runs, what their page shows."""

import base64
import datetime as dt
import io
import json
import os
import re
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import psutil
import pytest
import yaml
from jsonschema import Draft202012Validator
from PIL import Image
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from configs.profiles import ProfileName
from flows.cli.app import build_app
from flows.lock import RunLock, read_holder
from flows.runner import work_run
from flows.server.deploying import deploy, open_server
from flows.server.deployments import shipped_file, wanted_deployments
from flows.server.stale import FOLDER_LABEL, LOCK_LABEL
from flows.stages import STAGES, RunOptions
from tests.flows.command import made, products, run_folder, tuban, unfinished
from tests.flows.minicounty import build_mini, write_config
from tests.flows.prefectserver import PrefectServer, prefect_server, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.flow]

OPTIONS = RunOptions(tile=64, workers=2)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of all runs that the worker makes."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def server(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """Give a server with the forms of the three flows, and a worker of its pool."""
    with prefect_server(tmp_path_factory.mktemp("server") / "home") as server:
        tuban("deploy", "--out", out, **server.environment)
        server.prefect("worker", "worker", "start", "--pool", "tuban", "--limit", "1")
        yield server


def worked_plainly(config: Path, out: Path) -> Path:
    """Return the folder of a run without Prefect."""
    work_run(config, out, OPTIONS, plain=True)
    return run_folder(out)


def deployed(server: PrefectServer, name: str) -> dict[str, Any]:
    return server.ask("GET", f"/deployments/name/{name}")


def runs_of(server: PrefectServer, deployment: str, *states: str) -> list[dict[str, Any]]:
    """Return the flow runs of a deployment, the first made first."""
    wanted: dict[str, Any] = {"deployments": {"id": {"any_": [deployment]}}}
    if states:
        wanted["flow_runs"] = {"state": {"type": {"any_": states}}}
    return sorted(server.ask("POST", "/flow_runs/filter", wanted), key=lambda run: run["created"])


def shown_by(server: PrefectServer, run: str, folder: str) -> dict[str, dict[str, Any]]:
    """Return the artifacts of a flow run by kind."""
    found = server.ask("POST", "/artifacts/filter", {"flow_runs": {"id": {"any_": [run]}}})
    mark = re.sub("[^a-z0-9]+", "-", folder.lower())
    return {one["key"].removeprefix(f"{mark}-"): one for one in found if one["key"]}


@pytest.mark.parametrize("flow", get_args(ProfileName))
def test_the_form_of_each_flow_is_typed_and_kept_to(server: PrefectServer, flow: str):
    form = deployed(server, f"{flow}/form")
    schema = form["parameter_openapi_schema"]
    Draft202012Validator.check_schema(schema)
    assert schema["required"] == ["config"]
    assert {n: p.get("type") for n, p in schema["properties"].items()} == {
        "config": "string",
        "out": "string",
        "working": None,
        "state": None,
        "fresh": "boolean",
        "served_at": None,
    }
    (told,) = schema["definitions"].values()
    assert {n: p.get("type") for n, p in told["properties"].items() if "type" in p} == {
        "scheduler": "string",
        "tile": "integer",
    }
    assert told["properties"]["workers"]["anyOf"] == [
        {"minimum": 1, "type": "integer"},
        {"type": "null"},
    ]
    assert form["schedules"] == []
    for wrong, word in (
        ({}, "config"),
        ({"config": 3}, "config"),
        ({"config": "a.yaml", "working": {"tile": 1}}, "tile"),
        ({"config": "a.yaml", "fresh": "perhaps"}, "fresh"),
        ({"config": "a.yaml", "served_at": "runs"}, "served_at"),
    ):
        ask = partial(server.ask, "POST", f"/deployments/{form['id']}/create_flow_run")
        with pytest.raises(AssertionError, match=f"(?s)create_flow_run: .*{word}"):
            ask({"parameters": wrong})
    assert runs_of(server, form["id"]) == []


def test_a_quarterly_config_has_the_days_of_its_quarters(
    server: PrefectServer, out: Path, tmp_path: Path
):
    build_mini(tmp_path)
    config = write_config(tmp_path, name="spots", profile="quarterly")
    tuban("deploy", config, "--out", out, **server.environment)
    one = deployed(server, "quarterly/spots")
    assert one["parameters"] == {"config": str(config), "out": str(out)}
    assert one["work_pool_name"] == "tuban"
    scheduled = wait_for("a day", lambda: runs_of(server, one["id"], "SCHEDULED"), 300, server)
    for run in scheduled:
        at = dt.datetime.fromisoformat(run["expected_start_time"])
        day = at.astimezone(ZoneInfo("Asia/Shanghai"))
        assert (day.day, day.hour, day.minute) == (3, 2, 0)
        assert day.month in (1, 4, 7, 10)
    server.ask("POST", f"/deployments/{one['id']}/pause_deployment")


def test_an_emergency_asked_for_in_the_form_is_worked_and_shown(
    server: PrefectServer, out: Path, tmp_path: Path
):
    """One layer is not there: the run goes on, and its page says so; its link opens the report."""
    build_mini(tmp_path)
    config = write_config(tmp_path, name="flood", profile="emergency")
    layers = yaml.safe_load((tmp_path / "LAYERS.yaml").read_text(encoding="utf-8"))
    layers["layers"].append({"role": "redline", "source": "redline.gpkg"})
    (tmp_path / "LAYERS.yaml").write_text(yaml.safe_dump(layers), encoding="utf-8")
    plain = worked_plainly(config, tmp_path / "plain")

    form = deployed(server, "emergency/form")
    with served(out) as address:
        asked = {"config": str(config), "working": {"tile": 64, "workers": 1}}
        ask = {"parameters": asked | {"served_at": address}}
        run = server.ask("POST", f"/deployments/{form['id']}/create_flow_run", ask)["id"]
        wait_for("a finished run", lambda: runs_of(server, form["id"], "COMPLETED"), 600, server)
        folder = out / plain.name
        shown = shown_by(server, run, plain.name)
        assert set(shown) == {"progress", "summary", "map", "report"}
        (link,) = re.findall(r"\((http[^)]+)\)", shown["report"]["data"])
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(link) as page:
            assert page.read() == (folder / "report.html").read_bytes()
    assert server.ask("GET", f"/flow_runs/{run}")["name"] == folder.name
    wanted = {"flow_runs": {"id": {"any_": [run]}}}
    tasks = server.ask("POST", "/task_runs/filter", wanted)
    assert {(t["name"], t["state_type"]) for t in tasks} == {(s, "COMPLETED") for s in STAGES}

    told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert any("redline" in line for line in told["exceptions"])
    assert shown["progress"]["data"] == 100
    rows = {row["项目"]: row for row in json.loads(shown["summary"]["data"])}
    assert rows["线索"]["图斑数"] == len(
        json.loads((plain / "clues.geojson").read_text())["features"]
    )
    assert rows["需注意的情况"]["图斑数"] == len(told["exceptions"]) >= 1
    head, _, picture = shown["map"]["data"].partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        assert image.format == "JPEG"
        assert min(image.size) > 300
        assert len(image.getcolors(image.width * image.height)) > 100, "the map is empty"
    for name in ("clues.xlsx", "clues.geojson", "change.tif"):
        assert (folder / name).read_bytes() == (plain / name).read_bytes()


class served:
    """Serve a folder on loopback; give its address."""

    def __init__(self, folder: Path) -> None:
        handler = partial(QuietHandler, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve files without a word."""

    def log_message(self, *_: object) -> None: ...


def test_flow_runs_whose_process_is_gone_are_closed_by_hand(server: PrefectServer, tmp_path: Path):
    """One that was running, one that was being cancelled, and one that lives."""
    flow = deployed(server, "annual/form")["flow_id"]

    def begun(state: str, folder: Path, token: str) -> str:
        folder.mkdir(exist_ok=True)
        (folder / "manifest.jsonl").touch()
        os.utime(folder / "manifest.jsonl", (0, 0))
        run = server.ask("POST", "/flow_runs/", {"flow_id": flow})["id"]
        labels = {FOLDER_LABEL: str(folder), LOCK_LABEL: token}
        server.ask("PATCH", f"/flow_runs/{run}/labels", labels)
        forced = {"state": {"type": state}, "force": True}
        server.ask("POST", f"/flow_runs/{run}/set_state", forced)
        return str(run)

    def states() -> list[str]:
        return [server.ask("GET", f"/flow_runs/{run}")["state"]["type"] for run in runs]

    def told(*options: str) -> str:
        with temporary_settings({PREFECT_API_URL: server.api}):
            result = CliRunner().invoke(build_app(), ["deploy", "--mark-stale", *options])
        assert result.exit_code == 0, result.output
        return result.output

    (tmp_path / "live").mkdir()
    with RunLock(tmp_path / "live") as lock:
        runs = [
            begun("RUNNING", tmp_path / "killed", "gone"),
            begun("CANCELLING", tmp_path / "asked", "gone"),
            begun("RUNNING", tmp_path / "live", lock.holder.token),
            begun("RUNNING", tmp_path / "live", "an earlier one"),
        ]
        assert told("--dry-run").count(": stale, it holds the run folder no more") == 3
        assert states() == ["RUNNING", "CANCELLING", "RUNNING", "RUNNING"]
        assert told().count(": closed, it holds the run folder no more") == 3
        assert states() == ["CRASHED", "CANCELLED", "RUNNING", "CRASHED"]
    assert told().count(": closed, ") == 1
    assert states()[2] == "CRASHED"
    assert "no flow run is open" in told()
    silent = server.ask("POST", "/flow_runs/", {"flow_id": flow})["id"]
    forced = {"state": {"type": "RUNNING"}, "force": True}
    server.ask("POST", f"/flow_runs/{silent}/set_state", forced)
    assert f"if its process is gone: prefect flow-run delete {silent}" in told()
    server.ask("DELETE", f"/flow_runs/{silent}")


def pace(folder: Path, seconds: float, ended: Callable[[], bool]) -> None:
    """Slow a flow's process down to a tenth until something has ended."""
    holder = read_holder(folder)
    assert holder is not None
    process, end = psutil.Process(holder.pid), time.monotonic() + seconds
    try:
        while not ended() and time.monotonic() < end:
            process.suspend()
            time.sleep(0.45)
            process.resume()
            time.sleep(0.05)
    except psutil.NoSuchProcess:
        pass


def test_a_server_schedules_runs_cancels_resumes_and_shows(
    server: PrefectServer, out: Path, tmp_path: Path
):
    """Deployed, run by its schedule on a worker, cancelled in the tiles, taken up again."""
    mini = build_mini(tmp_path / "mini")
    plain = worked_plainly(mini, tmp_path / "plain")
    file = tmp_path / "prefect.yaml"
    told = yaml.safe_load(shipped_file().read_text(encoding="utf-8"))
    annual = told["deployments"][0]
    annual["schedules"][0]["cron"] = "* * * * *"
    annual["parameters"]["working"] = {"tile": 64, "workers": 1}
    file.write_text(yaml.safe_dump(told), encoding="utf-8")
    tuban("deploy", mini, "--out", out, "--file", file, **server.environment)
    deployment = deployed(server, "annual/mini")
    assert deployment["parameters"]["config"] == str(mini)
    runs = partial(runs_of, server, deployment["id"])
    first = wait_for("a scheduled run", lambda: runs("RUNNING"), 600, server)[0]
    assert first["auto_scheduled"]
    server.ask("POST", f"/deployments/{deployment['id']}/pause_deployment")
    with temporary_settings({PREFECT_API_URL: server.api}), open_server() as client:
        steps = deploy(wanted_deployments([mini], out, file), client)
    assert [step.action for step in steps] == ["keep", "keep"], steps
    for waiting in runs("SCHEDULED", "PENDING"):
        server.ask("DELETE", f"/flow_runs/{waiting['id']}")

    folder = out / plain.name
    wait_for("a tile", lambda: "tiles" in made(folder), 400, server)
    psutil.Process(read_holder(folder).pid).suspend()
    stopping = {"state": {"type": "CANCELLING"}}
    server.ask("POST", f"/flow_runs/{first['id']}/set_state", stopping)
    pace(folder, 200, lambda: bool(runs("CANCELLED", "COMPLETED", "CRASHED")))
    wait_for("the end", lambda: runs("CANCELLED"), 200, server)
    kept = made(folder)
    assert 1 <= kept["tiles"] < made(plain)["tiles"]
    assert "join" not in kept
    assert unfinished(folder) == []

    killed = server.ask("POST", "/flow_runs/", {"flow_id": deployment["flow_id"]})["id"]
    server.ask("PATCH", f"/flow_runs/{killed}/labels", {FOLDER_LABEL: str(folder)})
    running = {"state": {"type": "RUNNING"}, "force": True}
    server.ask("POST", f"/flow_runs/{killed}/set_state", running)
    again = server.ask("POST", f"/deployments/{deployment['id']}/create_flow_run", {})["id"]
    seen = len(products(folder))
    wait_for("a finished run", lambda: runs("COMPLETED"), 600, server)
    assert server.ask("GET", f"/flow_runs/{killed}")["state"]["type"] == "CRASHED"
    resumed = made(folder, seen)
    assert not {"plan", "gate", "fit"} & set(resumed)
    assert resumed["tiles"] + kept["tiles"] == made(plain)["tiles"]

    shown = shown_by(server, again, plain.name)
    assert set(shown) == {"progress", "summary", "map", "report"}
    assert shown["progress"]["data"] == 100
    assert json.loads(shown["summary"]["data"])[0] == {
        "项目": "线索",
        "图斑数": 3,
        "面积 (亩)": "",
    }
    assert shown["map"]["data"].startswith("data:image/jpeg;base64,/9j/")
    assert (folder / "report.html").as_uri() in shown["report"]["data"]
    for ledger in ("clues.xlsx", "clues.geojson", "change.tif"):
        assert (folder / ledger).read_bytes() == (plain / ledger).read_bytes()
