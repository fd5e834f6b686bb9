"""Lock of a run folder: refusal, races, take-over."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from configs.errors import RunError, RunLocked
from flows.lock import LOCK_NAME, Holder, RunLock, read_holder

HOLD = """
import sys, time
from pathlib import Path
from configs.errors import RunLocked
from flows.lock import RunLock

try:
    lock = RunLock(Path(sys.argv[1])).acquire()
except RunLocked:
    print("refused", flush=True)
    sys.exit(1)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def holder_process(folder: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), str(seconds)], stdout=subprocess.PIPE, text=True
    )


def first_word(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def plant(folder: Path, holder: Holder, *, age_s: float = 0.0) -> Path:
    path = folder / LOCK_NAME
    path.write_text(json.dumps(asdict(holder)))
    stamp = time.time() - age_s
    os.utime(path, (stamp, stamp))
    return path


def test_second_operator_is_refused_with_names(tmp_path):
    other = holder_process(tmp_path, 60)
    try:
        assert first_word(other) == "held"
        with pytest.raises(RunLocked) as refused:
            RunLock(tmp_path).acquire()
        message = str(refused.value)
        assert f"process {other.pid} of" in message
        assert "since 20" in message
        assert "--out" in message
    finally:
        other.kill()
        other.wait()
    lock = RunLock(tmp_path).acquire()
    assert f"process {other.pid}" in (lock.took_over or "")
    assert "the process has ended" in (lock.took_over or "")
    lock.release()
    assert list(tmp_path.iterdir()) == []


def test_normal_exit_leaves_no_lock(tmp_path):
    other = holder_process(tmp_path, 0)
    assert first_word(other) == "held"
    assert other.wait() == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stale", [False, True])
def test_race_has_one_winner(tmp_path, stale):
    if stale:
        plant(tmp_path, replace(Holder.me(), pid=2**22 + 1))
    racers = [holder_process(tmp_path, 60) for _ in range(5)]
    try:
        words = [first_word(r) for r in racers]
        assert sorted(words) == ["held"] + ["refused"] * 4
        assert [p.name for p in tmp_path.iterdir()] == [LOCK_NAME]
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()


def test_holder_with_a_reused_pid_counts_as_dead(tmp_path):
    plant(tmp_path, replace(Holder.me(), started=12345.0))
    with RunLock(tmp_path) as lock:
        assert "the process has ended" in (lock.took_over or "")


def test_other_machine_is_judged_by_its_heartbeat(tmp_path):
    stranger = replace(Holder.me(), host="node7", machine="node7|x", token="t")
    plant(tmp_path, stranger, age_s=20)
    with pytest.raises(RunLocked, match="node7"):
        RunLock(tmp_path).acquire()
    assert read_holder(tmp_path) == stranger
    plant(tmp_path, stranger, age_s=90)
    with RunLock(tmp_path) as lock:
        assert "no sign of life for 90 s" in (lock.took_over or "")


def test_unreadable_lock_is_judged_by_age(tmp_path):
    path = tmp_path / LOCK_NAME
    path.write_text("{")
    with pytest.raises(RunLocked, match="unknown host"):
        RunLock(tmp_path).acquire()
    os.utime(path, (1.0, 1.0))
    with RunLock(tmp_path) as lock:
        assert lock.took_over is not None


def test_heartbeat_moves_and_a_lost_lock_is_noticed(tmp_path):
    with RunLock(tmp_path, stale_s=0.24) as lock:
        os.utime(lock.path, (1.0, 1.0))
        end = time.monotonic() + 10
        while lock.path.stat().st_mtime < 2.0:
            assert time.monotonic() < end
            time.sleep(0.01)
        lock.require_held()
        thief = replace(Holder.me(), token="other")
        plant(tmp_path, thief)
        with pytest.raises(RunError, match="was lost"):
            lock.require_held()
    assert read_holder(tmp_path) == thief


def test_living_lock_moved_by_mistake_is_put_back(tmp_path, monkeypatch):
    stale = replace(Holder.me(), pid=2**22 + 1)
    plant(tmp_path, stale)
    living = replace(Holder.me(), token="quicker")

    def quicker(*_):
        plant(tmp_path, living)
        return "the process has ended"

    monkeypatch.setattr("flows.lock._death", quicker)
    with pytest.raises(RunLocked):
        RunLock(tmp_path).acquire()
    assert read_holder(tmp_path) == living
    assert [p.name for p in tmp_path.iterdir()] == [LOCK_NAME]


def test_locks_without_hard_links(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    with RunLock(tmp_path), pytest.raises(RunLocked):
        RunLock(tmp_path).acquire()
