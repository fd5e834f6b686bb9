"""Runs that are killed go on, say what they reuse, and end with the same list."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.demo.county import DemoCounty
from tests.flows.command import (
    ROOT,
    made,
    products,
    run_folder,
    start,
    tuban,
    unfinished,
)

pytestmark = pytest.mark.slow

TILE, WORKERS = 64, 2
IN_FLIGHT = 2 * WORKERS
OPTIONS = ("--plain", "--tile", TILE, "--workers", WORKERS, "--progress", "json")


@pytest.fixture(scope="module")
def whole(quick_county: DemoCounty, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole")
    tuban("run", quick_county.config, "--out", out, *OPTIONS)
    return run_folder(out)


def next_line(process: subprocess.Popen[str], pattern: str) -> str:
    """Wait until the process says something on stderr that matches."""
    said = []
    for line in process.stderr:
        said.append(line)
        if re.search(pattern, line):
            return line
    raise AssertionError(f"ended before it said {pattern!r}:\n{''.join(said)[-3000:]}")


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not ready():
        assert process.poll() is None, process.stderr.read()[-3000:]
        time.sleep(0.002)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def tiles_made(folder: Path) -> set[str]:
    return {p["name"].rpartition("/")[2] for p in products(folder) if p["stage"] == "tiles"}


def test_killed_in_tiles_join_store_and_ledger(
    quick_county: DemoCounty, whole: Path, tmp_path: Path
):
    total = made(whole)["tiles"]
    command = ("run", quick_county.config, "--out", tmp_path, *OPTIONS)

    process = start(*command)
    next_line(process, r'"tiles: 0 of')
    folder = run_folder(tmp_path)
    manifest = folder / "manifest.jsonl"
    wait_until(lambda: manifest.read_bytes().count(b'"stage":"tiles"') >= 0.35 * total, process)
    kill(process)
    kept = tiles_made(folder)
    assert 0.3 * total <= len(kept) <= 0.7 * total
    begun = {
        re.sub(r"^\.part-[0-9a-f]+-|\.valid|\.npz$", "", path.name)
        for path in (folder / "work" / "tiles" / str(TILE)).iterdir()
    }
    assert len(begun - kept) <= IN_FLIGHT
    seen = len(products(folder))

    process = start(*command)
    text = next_line(process, r'"tiles: \d+ of')
    assert f"{len(kept)} of {total} reused (inputs, settings and code are the same)" in text
    assert f"{total - len(kept)} to make: {total - len(kept)} × not made yet" in text
    next_line(process, r'"join: 0 of 1 reused')
    kill(process)
    assert made(folder, seen) == {"tiles": total - len(kept)}
    seen = len(products(folder))

    process = start(*command)
    next_line(process, r'"stage":"outputs","state":"running"')
    kill(process)
    assert made(folder, seen) == {"join": 1, "judge": 1}
    seen = len(products(folder))

    process = start(*command)
    next_line(process, r'"outputs: 0 of 6 reused')
    wait_until(lambda: b'"name":"clues.geojson"' in manifest.read_bytes(), process)
    kill(process)
    assert [p["name"] for p in products(folder)[seen:]] == ["clues.xlsx", "clues.geojson"]
    assert not (folder / "clues.gpkg").exists()
    seen = len(products(folder))

    told = tuban(*command)
    assert "took over the lock of process" in told
    assert "the process has ended" in told
    assert "join: 1 of 1 reused (inputs, settings and code are the same)" in told
    assert made(folder, seen) == {"outputs": 4, "evidence": 2}
    assert unfinished(folder) == []
    assert (folder / "clues.geojson").read_bytes() == (whole / "clues.geojson").read_bytes()
    assert (folder / "change.tif").read_bytes() == (whole / "change.tif").read_bytes()
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in whole.iterdir())


def test_killed_driver_of_worker_processes(quick_county: DemoCounty, whole: Path, tmp_path: Path):
    command = ("run", quick_county.config, "--out", tmp_path, *OPTIONS)
    process = start(*command, "--scheduler", "processes")
    next_line(process, r'"tiles: 0 of')
    folder = run_folder(tmp_path)
    wait_until(lambda: len(tiles_made(folder)) >= 5, process)
    kill(process)
    kept = len(tiles_made(folder))
    told = tuban(*command)
    assert f"{kept} of {made(whole)['tiles']} reused" in told
    assert unfinished(folder) == []
    assert (folder / "clues.geojson").read_bytes() == (whole / "clues.geojson").read_bytes()


def test_second_operator_is_refused(quick_county: DemoCounty, tmp_path: Path):
    command = ("run", quick_county.config, "--out", tmp_path, *OPTIONS)
    process = start(*command)
    try:
        next_line(process, r'"stage":"gate"')
        process.send_signal(signal.SIGSTOP)
        lines = tuban(*command, codes=(1,)).splitlines()
    finally:
        kill(process)
    assert len(lines) == 3
    assert f"another operator works in this run folder: process {process.pid}" in lines[0]
    assert lines[1] == f"  where: {run_folder(tmp_path) / 'run.lock'}"
    assert "--out" in lines[2]


def test_nothing_changed_makes_nothing(quick_county: DemoCounty, whole: Path):
    seen = len(products(whole))
    before = {p: p.stat().st_mtime_ns for p in whole.rglob("*") if p.suffix in (".npz", ".pdf")}
    told = tuban("run", quick_county.config, "--out", whole.parent, *OPTIONS)
    assert made(whole, seen) == {}
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert "plan: 2 of 2 reused" in told
    for stage in ("gate", "fit", "join", "judge"):
        assert f"{stage}: 1 of 1 reused" in told
    assert "outputs: 6 of 6 reused" in told


def test_changed_threshold_judges_anew_only(quick_county: DemoCounty, whole: Path, tmp_path: Path):
    shutil.copytree(whole, tmp_path / whole.name)
    folder = run_folder(tmp_path)
    rules = quick_county.folder / "strict.yaml"
    text = (ROOT / "configs" / "rules" / "cn-land.yaml").read_text(encoding="utf-8")
    strict = text.replace("tau: {value: 0.95", "tau: {value: 0.99")
    assert strict != text
    rules.write_text(strict, encoding="utf-8")
    config = quick_county.folder / "strict-run.yaml"
    text = quick_county.config.read_text(encoding="utf-8")
    config.write_text(text.replace("rules: cn-land", "rules: strict.yaml"), encoding="utf-8")
    seen = len(products(folder))
    told = tuban("run", config, "--out", tmp_path, *OPTIONS)
    assert made(folder, seen) == {"judge": 1, "outputs": 4, "evidence": 2}
    assert "config field rules changed" in told
    assert f"tiles: {made(whole)['tiles']} of {made(whole)['tiles']} reused" in told
