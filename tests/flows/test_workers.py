"""Tiles on Dask: order, bounds, retries, dead letters, cancellation, processes, addresses."""

import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from functools import partial
from pathlib import Path

import pytest

from configs.errors import ConfigError, InputError, ResourceError, RunError
from flows import workers
from flows.cluster import open_client, worker_memory
from flows.environment import prefect_environment
from flows.progress import Meter
from flows.room import SHARE, Room
from flows.workers import map_tiles
from tests.flows import tile_functions as jobs


def values(function, tiles, **options):
    found = {}
    for tile, result in map_tiles(function, tiles, **options):
        assert tile not in found
        found[tile] = result
    return found


def test_threads_work_every_tile_once():
    found = values(jobs.square, range(40), workers=3)
    assert {t: r.value for t, r in found.items()} == {t: t * t for t in range(40)}
    assert {r.pid for r in found.values()} == {os.getpid()}
    assert all(r.attempts == 1 and r.failure is None for r in found.values())


def test_no_tiles_start_no_cluster(monkeypatch):
    monkeypatch.setattr(workers, "open_client", None)
    assert values(jobs.square, []) == {}


def test_tiles_in_flight_are_bounded(tmp_path):
    peak = 0
    for tile, result in map_tiles(
        partial(jobs.count_flying, folder=tmp_path), range(30), workers=2
    ):
        (tmp_path / f"done-{tile}").touch()
        peak = max(peak, result.value)
    assert 1 <= peak <= 4
    assert len(list(tmp_path.glob("done-*"))) == 30


def test_failing_read_is_retried_and_said(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "flows.workers"):
        found = values(partial(jobs.fails_twice, folder=tmp_path), range(6), workers=2)
    assert found[3].value == 3
    assert found[3].attempts == 3
    assert "tile 3: OSError: [Errno 5] input/output error; retry 1 of 2" in caplog.text
    assert "retry 2 of 2" in caplog.text


def test_unreadable_tiles_are_reported_and_the_others_go_on(caplog):
    found = values(jobs.never_reads, range(8), workers=2)
    assert sorted(t for t, r in found.items() if r.failure) == [1, 5]
    assert found[1].failure == "block 7 cannot be decoded (scene.tif)"
    assert found[1].attempts == 3
    assert "given up after 3 attempts" in caplog.text


def test_hopeless_run_stops():
    with pytest.raises(RunError, match="none of the first 8 tiles"):
        values(jobs.nothing_reads, range(200), workers=2, retries=0)


def test_other_errors_are_raised_at_once():
    with pytest.raises(ConfigError, match="the window is even"):
        values(jobs.misconfigured, range(50), workers=2)
    with pytest.raises(ResourceError, match="no space left") as full:
        values(jobs.fills_disk, range(50), workers=2)
    assert full.value.where == "tile.npz"


def test_function_must_be_importable():
    with pytest.raises(InputError, match="cannot be imported"):
        values(lambda tile: tile, [1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheduler": "cluster"}, "no scheduler 'cluster'"),
        ({"workers": 0}, "0 workers"),
    ],
)
def test_misuse_is_named(options, message):
    with pytest.raises(InputError, match=message):
        values(jobs.square, [1], **options)


def test_closing_the_iterator_cancels_quickly():
    results = map_tiles(jobs.slow_square, range(1000), workers=2)
    next(results)
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 3


def test_memory_of_a_worker():
    each = worker_memory(8 << 30, 2)
    assert 3 << 30 < each < 4 << 30
    with pytest.raises(ResourceError, match="for each of 40 workers") as refused:
        worker_memory(4 << 30, 40)
    assert "--workers" in refused.value.fix


def test_prefect_is_offline_silent_and_at_home(tmp_path, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    given = prefect_environment(tmp_path)
    assert given["PREFECT_HOME"] == str(tmp_path.resolve())
    assert given["DO_NOT_TRACK"] == "1"
    assert given["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    code = (
        "from prefect.settings import get_current_settings as g; s = g();"
        "print(s.home, s.server.analytics_enabled, s.server.ephemeral.enabled,"
        " s.server.ephemeral.startup_timeout_seconds, s.api.url, s.server.ui.enabled,"
        " s.results.persist_by_default, s.cloud.enable_orchestration_telemetry)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | given, capture_output=True, text=True
    )
    assert (
        told.stdout.split() == f"{tmp_path.resolve()} False True 180 None False False False".split()
    )


@pytest.mark.slow
def test_processes_are_at_least_two_and_not_the_driver():
    found = values(jobs.slow_square, range(12), scheduler="processes", workers=2)
    pids = {r.pid for r in found.values()}
    assert len(pids) == 2
    assert os.getpid() not in pids
    found = values(jobs.environment, [0], scheduler="processes", workers=1)
    assert found[0].value == ("1", "64")


def test_a_result_lost_with_its_worker_is_worked_again_alone():
    """A future that the scheduler let go is no answer and no end of the run."""
    with open_client("threads", 1, None) as (client, _):
        dispatch = workers._Dispatch(client, jobs.square, deque(), 1, retries=1)
        future = client.submit(jobs.square, 3)
        client.cancel(future, force=True)
        attempt = workers._Try(3, attempts=1)
        assert dispatch._judge(future, attempt) is None
        assert list(dispatch.alone) == [attempt]
        attempt.attempts = 2
        dispatch.done = 1
        assert dispatch._judge(future, attempt).failure == "its result was lost with a worker"


@pytest.mark.slow
def test_poison_tile_is_given_up_and_the_others_live(caplog):
    found = values(jobs.dies, range(12), scheduler="processes", workers=2, retries=1)
    assert [t for t, r in sorted(found.items()) if r.failure] == [5]
    assert found[5].failure == "its worker process died"
    assert {t: r.value for t, r in found.items() if t != 5} == {t: t for t in range(12) if t != 5}
    assert "retry 1 of 1" in caplog.text


@pytest.mark.slow
def test_address_of_a_running_cluster():
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        found = values(jobs.square, range(9), scheduler=cluster.scheduler_address)
    assert {t: r.value for t, r in found.items()} == {t: t * t for t in range(9)}
    assert os.getpid() not in {r.pid for r in found.values()}


def group_lives(pid):
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


CANCEL = """
import sys, time
from flows.workers import map_tiles
from tests.flows.tile_functions import sleep_long

if __name__ == "__main__":
    try:
        for tile, result in map_tiles(sleep_long, range(50), scheduler=sys.argv[1], workers=2):
            print("done", tile, flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
"""


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_ctrl_c_ends_quickly_and_kills_the_workers(tmp_path, scheduler):
    script = tmp_path / "cancel.py"
    script.write_text(CANCEL)
    root = str(Path(__file__).resolve().parents[2])
    driver = subprocess.Popen(
        [sys.executable, str(script), scheduler],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": root},
        start_new_session=True,
    )
    assert driver.stdout is not None
    assert driver.stdout.readline() == "done 0\n"
    start = time.monotonic()
    os.killpg(driver.pid, signal.SIGINT)
    assert driver.wait(timeout=25) == 130
    assert time.monotonic() - start < 10
    assert driver.stdout.read() == "interrupted\n"
    while group_lives(driver.pid) and time.monotonic() - start < 20:
        time.sleep(0.1)
    assert not group_lives(driver.pid)


def test_tiles_side_by_side_are_as_many_as_the_memory_holds(caplog):
    room = Room(1000 << 20, most=4)
    room._base = 400 << 20
    for peak, width in ((500, 2), (600, 3), (700, 4), (800, 4), (1100, 3), (700, 3)):
        room._landed += 2 * room.width
        room.learn(peak << 20)
        assert room.width == width
    assert "4 tiles side by side took 1153 MB of 1049 MB: one fewer from here" in caplog.text
    tight = Room(450 << 20, most=4)
    with pytest.raises(ResourceError, match="one tile alone takes 524 MB of 472 MB") as refused:
        tight.learn(500 << 20)
    assert "smaller --tile" in refused.value.fix


def test_memory_is_held_by_working_fewer_tiles_at_a_time(tmp_path):
    """Each tile takes 250 MB: two fit below the limit and three do not."""
    values(jobs.square, [1])  # loads what is loaded once
    with Meter() as meter:
        base = meter.now_bytes
    limit = round((base + 2.5 * jobs.TAKEN) / SHARE)
    work = partial(jobs.takes_memory, folder=tmp_path)
    found = values(work, range(9), workers=4, memory=limit)
    assert max(r.value for r in found.values()) == 2
    with pytest.raises(ResourceError, match="MB are needed to begin") as refused:
        values(jobs.square, [1], memory=100 << 20)
    assert re.search(r"--memory \d+\.\dGB or more", refused.value.fix)
