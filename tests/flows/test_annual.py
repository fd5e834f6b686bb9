"""The annual flow under Prefect: tasks, retries, cancellation, and nothing leaving the machine."""

import json
import logging
import os
import re
import signal
import sqlite3
import threading
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import geopandas as gpd
import psutil
import pytest
from jsonschema import Draft202012Validator
from prefect.flows import load_flow_from_entrypoint
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.utilities.callables import parameter_schema
from typer.testing import CliRunner

from configs.errors import ConfigError
from configs.profiles import ProfileName
from configs.run import RunConfig
from flows.cli.app import build_app
from flows.cluster import open_client
from flows.environment import prefect_environment
from flows.finished import finished_tables
from flows.lock import RunLock
from flows.progress import Progress
from flows.runner import SERIES, open_run, work_run
from flows.server.artifacts import SERIES_SHARE, SHARES, share_done
from flows.server.parameters import Working
from flows.server.stale import why_stale
from flows.stages import STAGES, RunOptions, run_stage
from tests.flows.command import made, products, run_folder, start, tuban, unfinished
from tests.flows.minicounty import build_mini, write_config
from tiles.reader import PairReader

pytestmark = [pytest.mark.slow, pytest.mark.flow]

OPTIONS = ("--tile", 64, "--workers", 2, "--progress", "json")


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_mini(tmp_path_factory.mktemp("mini"))


@pytest.fixture(scope="module")
def plain(mini: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run folder of the same run without Prefect."""
    out = tmp_path_factory.mktemp("plain")
    tuban("run", mini, "--out", out, "--plain", *OPTIONS)
    return run_folder(out)


def test_one_sheet_is_that_of_the_first_clue_by_priority(plain: Path):
    clues = finished_tables(plain).clues.sort_values("priority", ascending=False)
    assert len(clues) > 1
    assert [p.stem for p in (plain / "evidence").glob("*.pdf")] == [clues["clue_no"].iat[0]]


def ask(out: Path, question: str) -> list[tuple]:
    """Ask the database that Prefect left beside the runs."""
    with sqlite3.connect(out / ".prefect" / "prefect.db") as database:
        return database.execute(question).fetchall()


def file_names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def test_one_task_per_stage_and_a_failing_read_is_retried(mini: Path, plain: Path, tmp_path: Path):
    """The first read fails, since the image is not there yet; the task waits and tries again."""
    image, aside = mini.parent / "after.tif", mini.parent / "on-its-way"
    image.rename(aside)
    told = []
    process = start("run", mini, "--out", tmp_path, *OPTIONS)
    try:
        for line in process.stderr:
            told.append(line)
            if '"state":"stopped"' in line and aside.exists():
                aside.rename(image)
        assert process.wait(timeout=60) == 0, "".join(told)[-3000:]
    finally:
        process.kill()
        process.communicate()
        if aside.exists():
            aside.rename(image)
    text = "".join(told)
    assert "Traceback" not in text
    assert re.search(r"stage plan.*there is no such raster file.*1 of 2", text)

    assert ask(tmp_path, "select state_name from flow_run") == [("Completed",)]
    tasks = ask(
        tmp_path, "select name, state_name, run_count from task_run order by expected_start_time"
    )
    assert [name for name, _, _ in tasks] == list(STAGES)
    assert {state for _, state, _ in tasks} == {"Completed"}
    assert {name: count for name, _, count in tasks} == dict.fromkeys(STAGES, 1) | {"plan": 2}
    states = ask(
        tmp_path,
        "select s.name from task_run_state s join task_run t on s.task_run_id = t.id "
        "where t.name = 'plan' order by s.timestamp",
    )
    assert [name for (name,) in states][-3:] == ["AwaitingRetry", "Retrying", "Completed"]

    folder = run_folder(tmp_path)
    assert folder.name == plain.name
    assert file_names(folder) == file_names(plain)
    for name in ("clues.geojson", "change.tif"):
        assert (folder / name).read_bytes() == (plain / name).read_bytes()
    assert {(p["stage"], p["name"], p["key"]) for p in products(folder)} == {
        (p["stage"], p["name"], p["key"]) for p in products(plain)
    }


def test_a_fault_that_would_repeat_is_said_once(tmp_path: Path):
    config = build_mini(tmp_path / "county")
    table = gpd.read_file(tmp_path / "county" / "landuse.gpkg").rename(columns={"DLBM": "LEIXING"})
    (tmp_path / "county" / "landuse.gpkg").unlink()
    table.to_file(tmp_path / "county" / "landuse.gpkg", index=False)
    told = tuban("--quiet", "run", config, "--out", tmp_path / "runs", codes=(1,)).splitlines()
    assert [line[:7] for line in told] == ["error: ", "  where", "  fix: "]
    assert "landuse.gpkg" in told[1]
    tasks = ask(tmp_path / "runs", "select name, state_name, run_count from task_run")
    assert ("fit", "Failed", 1) in tasks


def test_cancelled_flow_goes_on_plainly(mini: Path, plain: Path, tmp_path: Path):
    process = start("run", mini, "--out", tmp_path, *OPTIONS)
    deadline = threading.Timer(300, process.kill)
    deadline.start()
    for line in process.stderr:
        if '"tiles: 0 of' in line:
            process.send_signal(signal.SIGINT)
            break
    said, told = process.communicate(timeout=120)
    deadline.cancel()
    assert process.returncode == 130, told[-3000:]
    assert "the same command goes on where this one stopped" in told
    assert "Traceback" not in told
    assert said == ""
    folder = run_folder(tmp_path)
    assert unfinished(folder) == []
    kept = made(folder)
    settled = {"plan": 2, "gate": 1, "fit": 1}
    assert settled.items() <= kept.items()
    assert "join" not in kept
    assert ask(tmp_path, "select state_type from flow_run") in (
        [("CANCELLED",)],
        [("CRASHED",)],
        [("FAILED",)],
    )
    seen = len(products(folder))
    tuban("run", mini, "--out", tmp_path, "--plain", *OPTIONS)
    again = made(folder, seen)
    assert not set(settled) & set(again)
    assert again["tiles"] + kept.get("tiles", 0) == made(plain)["tiles"]
    assert (folder / "clues.geojson").read_bytes() == (plain / "clues.geojson").read_bytes()


def test_a_failing_read_of_a_tile_is_retried(mini: Path, plain: Path, tmp_path: Path):
    """Tiles are retried by the dispatcher; the run tells how often."""
    image, aside = mini.parent / "after.tif", mini.parent / "on-its-way"
    process = start("run", mini, "--out", tmp_path, "--plain", *OPTIONS)
    told = []
    try:
        for line in process.stderr:
            told.append(line)
            if '"stage":"fit"' in line and '"state":"done"' in line:
                image.rename(aside)
            elif "; retry 1 of 2" in line and aside.exists():
                aside.rename(image)
        assert process.wait(timeout=60) == 0, "".join(told)[-3000:]
    finally:
        process.kill()
        process.communicate()
        if aside.exists():
            aside.rename(image)
    folder = run_folder(tmp_path)
    retries = [int(n) for n in re.findall(r'"retries":(\d+),.*"stage":"tiles"', "".join(told))]
    assert retries[-1] >= 1
    assert (folder / "clues.geojson").read_bytes() == (plain / "clues.geojson").read_bytes()


def test_nothing_leaves_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    own = prefect_environment(tmp_path)
    assert own["PREFECT_HOME"] == str(tmp_path)
    assert own["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert own["PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY"] == "false"
    assert own["DO_NOT_TRACK"] == "1"
    assert own["PREFECT_SERVER_EPHEMERAL_ENABLED"] == "true"
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    assert "PREFECT_SERVER_EPHEMERAL_ENABLED" not in prefect_environment(tmp_path)


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_nobody_else_can_connect(scheduler: str):
    with open_client(scheduler, 1, None):
        me = psutil.Process()
        heard = [
            connection.laddr.ip
            for process in (me, *me.children(recursive=True))
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
    assert set(heard) == {"127.0.0.1"}


def test_the_driver_reads_no_pixels(mini: Path, plain: Path, tmp_path: Path, monkeypatch):
    """Gate, fit and tiles are worked by worker processes alone: here reading is not possible."""

    def refuse(*_: object) -> None:
        raise AssertionError("the driver reads pixels")

    monkeypatch.setattr(PairReader, "read", refuse)
    work_run(mini, tmp_path, RunOptions("processes", 2, tile=64), plain=True)
    folder = run_folder(tmp_path)
    assert (folder / "clues.geojson").read_bytes() == (plain / "clues.geojson").read_bytes()


def test_the_form_of_a_server_asks_for_parameters_with_types_and_words():
    schemas = []
    for name in get_args(ProfileName):
        flow = load_flow_from_entrypoint(f"flows.{name}.{name}")
        assert flow.name == name
        schemas.append(parameter_schema(flow.fn).model_dump(exclude_unset=True))
    assert schemas[0] == schemas[1] == schemas[2]
    schema = schemas[0]
    Draft202012Validator.check_schema(schema)
    assert schema["required"] == ["config"]
    assert list(schema["properties"]) == ["config", "out", "working", "state", "fresh", "served_at"]
    working = schema["definitions"]["Working"]["properties"]
    assert working["scheduler"]["enum"] == ["threads", "processes"]
    for name, told in {**schema["properties"], **working}.items():
        assert told.get("description"), name
        assert name == "config" or "default" in told, name
    check = Draft202012Validator(schema)
    assert check.is_valid({"config": "a.yaml", "working": {"tile": 64, "workers": None}})
    for wrong in ({}, {"config": "a", "fresh": "no"}, {"config": "a", "working": {"tile": 1}}):
        assert not check.is_valid(wrong)
    given = RunOptions("tcp://host:8786", 3, 256, 2_500_000_001, Path("state"))
    assert Working.of(given).options("state") == given


def test_a_flow_refuses_the_config_of_another(tmp_path: Path):
    config = write_config(tmp_path, profile="emergency")
    with pytest.raises(ConfigError, match="for the flow emergency, the flow is annual"):
        load_flow_from_entrypoint("flows.annual.annual").fn(str(config))


def test_what_is_reused_stands_in_the_log_that_a_server_shows(
    mini: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "flows.stages")
    with open_run(RunConfig.load(mini), tmp_path / "runs", RunOptions()) as context:
        run_stage("plan", context)
    assert "plan: 0 of 2 reused, 2 to make: 2 × not made yet" in caplog.text


def test_a_dry_run_needs_no_server(mini: Path, monkeypatch: pytest.MonkeyPatch):
    with temporary_settings({PREFECT_API_URL: None}):
        told = CliRunner().invoke(build_app(), ["deploy", str(mini), "--dry-run"])
        assert told.exit_code == 0, told.output
        assert "deployment annual/mini: would be created\n  schedule 0 2 10 1 *" in told.stdout
        told = CliRunner().invoke(build_app(), ["deploy", str(mini)])
        assert told.exit_code == 1
        assert "no Prefect server is named" in told.stderr
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        monkeypatch.setenv("http_proxy", "http://proxy:3128")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        told = CliRunner().invoke(build_app(), ["deploy", "--mark-stale"])
    assert told.exit_code == 1
    assert "does not answer" in told.stderr
    assert "http_proxy is set: name the server's host in NO_PROXY" in told.stderr


def test_a_flow_run_is_stale_when_its_lock_is(tmp_path: Path):
    assert why_stale(tmp_path / "elsewhere", "") is None
    journal = tmp_path / "manifest.jsonl"
    journal.touch()
    assert why_stale(tmp_path, "mine") is None, "it may be about to tell its end"
    os.utime(journal, (0, 0))
    assert why_stale(tmp_path, "mine") == "it holds the run folder no more"
    with RunLock(tmp_path) as lock:
        assert lock.holder is not None
        assert why_stale(tmp_path, lock.holder.token) is None
        assert why_stale(tmp_path, "another") == "it holds the run folder no more"
        lock.path.write_text(json.dumps(asdict(lock.holder) | {"pid": 2**22 - 1}))
        assert why_stale(tmp_path, lock.holder.token) == "the process has ended"


def test_tiles_move_the_share_of_a_run():
    assert sum(SHARES.values()) == 100
    assert list(SHARES) == list(STAGES)
    with Progress("monitor v0002", mode="quiet") as progress, progress.counting(10) as count:
        for _ in range(5):
            count.step()
        assert share_done(progress, SERIES, has_series=True) == SERIES_SHARE / 2
        assert share_done(progress, "plan", has_series=True) == SERIES_SHARE
    with Progress("tiles", mode="quiet") as progress, progress.counting(10, done=4) as count:
        count.step()
        assert share_done(progress, "tiles") == 26 + 45 * 0.5
        assert share_done(progress, "join") == 71
