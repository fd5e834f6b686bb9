"""Runs that are hit at drawn places end with the same ledger, and keep what they had finished."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pytest

from configs.errors import ExitCode
from flows.manifest import Run
from flows.stages import RunOptions
from flows.tiling import TILE_FOLDER
from tests.flows.clusters import Cluster
from tests.flows.command import products, run_folder, unfinished
from tests.flows.faults import (
    LEDGER,
    SEPARATOR,
    Fault,
    fill_in_turn,
    killed,
    start_command,
    start_run,
    tile_makings,
    told,
    writes,
)
from tests.flows.minicounty import build_mini, compress_image, spoil_block, write_config

pytestmark = pytest.mark.slow

OPTIONS = RunOptions(tile=32, workers=2)


@dataclass(frozen=True)
class Scene:
    """A county of 42 tiles and what a run that nothing disturbed makes of it."""

    config: Path
    ledger: dict[str, bytes]
    writes: list[str]
    tiles: list[str]


def ledger(out: Path) -> dict[str, bytes]:
    return {name: (run_folder(out) / name).read_bytes() for name in LEDGER}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("county")
    build_mini(folder)
    compress_image(folder / "after.tif")
    outputs = {"evidence": "none", "pictures": 2}
    config = write_config(folder, outputs=outputs, report={"clues": 1})
    out = folder / "whole"
    assert not killed(start_run(config, out, OPTIONS)), told(out)
    assert not told(out)
    return Scene(config, ledger(out), writes(out), sorted(tile_makings(out)))


def wait_stopped(process: BaseProcess, out: Path) -> None:
    while Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T":
        assert process.is_alive(), told(out)
        time.sleep(0.01)


class Finished:
    """The tiles that a run has recorded, each with its files as they lie on the disk."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.tiles = self._now()

    def _now(self) -> dict[str, tuple[tuple[int, int], ...]]:
        if not self.out.is_dir() or not list(self.out.glob("*/manifest.jsonl")):
            return {}
        folder = run_folder(self.out)
        return {
            p["name"]: tuple(
                (info.st_ino, info.st_mtime_ns)
                for info in ((folder / file["path"]).stat() for file in p["files"])
            )
            for p in products(folder)
            if p["stage"] == "tiles"
        }

    def require_reused(self) -> None:
        """Of the tiles finished at the last look nine tenths are there, untouched; look again."""
        now = self._now()
        kept = [name for name, files in self.tiles.items() if now.get(name) == files]
        assert len(kept) >= 0.9 * len(self.tiles), sorted(self.tiles.keys() - set(kept))
        self.tiles = now


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_and_stopped_driver(scene: Scene, tmp_path: Path, seed: int):
    """Eight kills and two stops, each at a write drawn over all writes of a run."""
    draw, out, past = np.random.default_rng(seed), tmp_path / "runs", 0
    finished = Finished(out)
    places = np.sort(draw.choice(np.arange(2, len(scene.writes)), 5, replace=False))
    for number, place in enumerate(places.tolist()):
        stops = number == len(places) - 1
        fault = Fault("stop" if stops else "kill", max(1, place - past), draw.uniform(0, 0.03))
        process = start_run(scene.config, out, OPTIONS, fault)
        if stops:
            wait_stopped(process, out)
            time.sleep(draw.uniform(0.1, 1.0))
            os.kill(process.pid, signal.SIGCONT)
        assert killed(process) is not stops, told(out)
        finished.require_reused()
        past += len(writes(out))
    assert ledger(out) == scene.ledger
    assert sorted(tile_makings(out)) == scene.tiles, "a finished tile was worked again"
    assert unfinished(run_folder(out)) == []


IN_TURN = (
    "gate.json",
    "states/.part",
    "-patches.parquet",
    "clues.sqlite",
    "clues.xlsx",
    "clues.geojson",
    "report.html",
    "run.json",
)
"""The disk is full from the first write to these; libraries in C write the next: a GeoTIFF, the
store, GeoPackages."""


@pytest.mark.parametrize("places", ["drawn", "named"])
def test_disk_full(scene: Scene, tmp_path: Path, places: str):
    """A real disk in memory that has no room left from one write on."""
    draw, out = np.random.default_rng(3), tmp_path / "runs"
    drawn = np.sort(draw.choice(np.arange(2, len(scene.writes)), 6, replace=False)).tolist()
    process = fill_in_turn(scene.config, out, OPTIONS, drawn if places == "drawn" else IN_TURN)
    assert not killed(process)
    if told(out).startswith("no disk"):
        pytest.skip(
            f"{told(out)}: a full disk needs a tmpfs of its own (root, or user namespaces), which "
            "this machine does not allow; the landing runs `make test-slow` as root and has it"
        )
    *stopped, last = told(out).split(SEPARATOR)
    assert last == ""
    for message in stopped:
        assert re.match("no space left on the disk\n|the clue store .* disk is full\n", message)
        assert "left: " not in message
    assert ledger(out) == scene.ledger
    assert sorted(tile_makings(out)) == scene.tiles
    assert unfinished(run_folder(out)) == []


CLUSTER_FAULTS = (
    *("kill worker",) * 4,
    *("stop worker",) * 2,
    *("kill scheduler",) * 2,
    *("stop scheduler", "kill driver"),
)


AWAY = ("the scheduler went away", "no Dask scheduler answers")
"""What a run says that had its scheduler, and one that was about to connect."""


def test_killed_and_stopped_workers_and_schedulers(scene: Scene, tmp_path: Path):
    """Ten faults of a cluster by address in drawn order, each at a drawn share of the tiles."""
    draw, out = np.random.default_rng(4), tmp_path / "runs"
    cluster = Cluster(tmp_path / "workers").start()
    options = RunOptions(scheduler=cluster.address, tile=32, workers=2)
    places = np.sort(draw.integers(0, 24, len(CLUSTER_FAULTS)))
    finished = Finished(out)
    process = start_run(scene.config, out, options)
    try:
        for place, which in zip(places, draw.permutation(len(CLUSTER_FAULTS)), strict=True):
            wait_tiles(process, out, int(place))
            finished.require_reused()
            what, _, whom = CLUSTER_FAULTS[which].partition(" ")
            worker = cluster.workers[draw.integers(len(cluster.workers))]
            struck = {"worker": worker, "scheduler": cluster.scheduler, "driver": process}[whom]
            if what == "stop":
                os.kill(struck.pid, signal.SIGSTOP)
                time.sleep(draw.uniform(0.1, 1.0))
                os.kill(struck.pid, signal.SIGCONT)
                continue
            struck.kill()
            struck.join()
            if whom == "worker":
                cluster.workers.remove(worker)
                cluster.add_worker()
                continue
            ended = not killed(process)
            assert ended is (whom == "scheduler") or has_ended(out), told(out)
            if whom == "scheduler":
                away = told(out).startswith(AWAY)
                assert away or has_ended(out), told(out)
                cluster.start()
            process = start_run(scene.config, out, options)
        assert not killed(process)
    finally:
        process.kill()
        cluster.stop()
    assert told(out) == ""
    finished.require_reused()
    assert ledger(out) == scene.ledger
    assert sorted(tile_makings(out)) == scene.tiles, "a finished tile was worked again"
    pids = {p["values"]["pid"] for p in products(run_folder(out)) if p["stage"] == "tiles"}
    assert pids <= set(cluster.pids), "the driver worked tiles itself"
    assert len(pids) >= 3


def has_ended(out: Path) -> bool:
    """Whether the run was faster than the fault that was meant for it."""
    return any(out.glob("*/run.json"))


def wait_tiles(process: BaseProcess, out: Path, count: int) -> None:
    """Wait until a run has recorded so many tiles."""
    while not out.is_dir() or len(tiles_recorded(out)) < count:
        assert process.is_alive(), told(out)
        time.sleep(0.005)


def tiles_recorded(out: Path) -> list[int]:
    manifests = list(out.glob("*/manifest.jsonl"))
    return [m.start() for p in manifests for m in re.finditer(b'"stage":"tiles"', p.read_bytes())]


def test_a_tile_that_cannot_be_worked_is_given_up_told_and_tried_again(
    scene: Scene, tmp_path: Path
):
    out, poison = tmp_path / "runs", scene.tiles[17].partition("/")[2]
    bad = Fault("bad", re.escape(f"-{poison}.npz"))
    assert not killed(start_run(scene.config, out, OPTIONS, bad))
    assert told(out) == ""
    folder = run_folder(out)
    summary = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (why,) = summary["stages"]["tiles"]["given_up"].values()
    assert "Input/output error" in why
    (exception,) = [e for e in summary["quality"]["exceptions"] if poison in e["en"]]
    assert exception["zh"].startswith("1 个瓦片未能处理，按未观测计")
    assert poison in (folder / "report.html").read_text(encoding="utf-8")
    book = openpyxl.load_workbook(folder / "clues.xlsx")
    assert str(book["线索台账"]["A1"].value).endswith("（资料不全，见“字典”表）")
    assert [c.value for c in book["字典"][2]] == ["注意", exception["zh"]]
    hidden = gpd.read_file(folder / "quality" / "unseen.gpkg").set_index("要素").loc[[poison]]
    assert hidden["object"].tolist() == ["tile that could not be worked"]
    assert hidden.geometry.area.tolist() == [32 * 32 * 100.0]
    assert (folder / "quality" / "observed.csv").read_bytes() != scene.ledger[LEDGER[-1]]

    assert not killed(start_run(scene.config, out, OPTIONS))
    assert told(out) == ""
    assert ledger(out) == scene.ledger
    assert tile_makings(out)[-1] == f"32/{poison}"
    assert sorted(tile_makings(out)) == scene.tiles


def larger_tiles(scene: Scene) -> list[str]:
    """Return the names of tiles twice as large, the least that a person may ask for."""
    places = (map(int, re.findall(r"[+-]\d+", tile)) for tile in scene.tiles)
    return sorted({"r{:+06d}c{:+06d}".format(*(x // 2 for x in place)) for place in places})


def bad_places(tiles: list[str]) -> Fault:
    """Return a disk that takes no file of some tiles."""
    return Fault("bad", f"-({'|'.join(map(re.escape, tiles))}).npz")


def test_exit_codes_where_tiles_are_given_up(scene: Scene, tmp_path: Path):
    """One tile in ten may be missing, which is told by exit code 3; with more there is no list."""
    out = tmp_path / "runs"
    words = ("run", scene.config, "--out", out, "--plain", "--tile", 64, "--workers", 2)
    tiles = larger_tiles(scene)
    tolerated = len(tiles) // 10
    process = start_command(out, bad_places(tiles[: tolerated + 1]), *words)
    process.join(600)
    assert process.exitcode == ExitCode.USER_ERROR, told(out)
    what, where, fix = told(out).splitlines()[-3:]
    assert what.startswith(f"error: {tolerated + 1} of {len(tiles)} tiles could not be")
    assert where == f"  where: {run_folder(out)}"
    assert "run the same command again: finished tiles are kept" in fix
    assert not (run_folder(out) / "clues.xlsx").exists()
    kept = Finished(out)
    assert len(kept.tiles) == len(tiles) - tolerated - 1

    process = start_command(out, bad_places(tiles[:tolerated]), *words)
    process.join(600)
    assert process.exitcode == ExitCode.EXCEPTIONS, told(out)
    assert f"exception: {tolerated} 个瓦片未能处理" in told(out)
    kept.require_reused()
    given_up = json.loads((run_folder(out) / "run.json").read_text(encoding="utf-8"))
    assert len(given_up["stages"]["tiles"]["given_up"]) == tolerated

    process = start_command(out, Fault(), *words)
    process.join(600)
    assert process.exitcode == ExitCode.OK, told(out)
    kept.require_reused()
    assert ledger(out) == scene.ledger


STALE_S = 1
"""Seconds after which a driver that sleeps counts as dead on other machines."""


@pytest.mark.parametrize("place", ["work/tiles/.*npz", "clues.sqlite", "clues.geojson"])
def test_a_driver_that_slept_past_its_lock_writes_nothing_more(
    scene: Scene, tmp_path: Path, place: str
):
    """It is stopped on one machine, taken over on another, and wakes up in the midst of that."""
    out, limit = tmp_path / "runs", {"TUBAN_LOCK_STALE_S": str(STALE_S)}
    far = {"host": "elsewhere", "environment": limit}
    sleeper = start_run(scene.config, out, OPTIONS, Fault("stop", place), **far)
    second = None
    try:
        wait_stopped(sleeper, out)
        time.sleep(1.5 * STALE_S)
        second = start_run(scene.config, out, OPTIONS, Fault("stop", "report.html"))
        wait_stopped(second, out)
        before = {p: p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}
        os.kill(sleeper.pid, signal.SIGCONT)
        assert not killed(sleeper)
        lost = f"the lock of the run was lost; it is now held by process {second.pid}"
        assert told(out).startswith(lost), told(out)
        assert {p: p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()} == before
        os.kill(second.pid, signal.SIGCONT)
        assert not killed(second)
    finally:
        sleeper.kill()
        if second is not None:
            second.kill()
    assert told(out) == ""
    assert ledger(out) == scene.ledger
    assert sorted(tile_makings(out)) == scene.tiles
    assert unfinished(run_folder(out)) == []
    (takeover,) = [n["text"] for n in Run.open(run_folder(out)).notes if n["kind"] == "takeover"]
    assert re.search(rf"process {sleeper.pid} of .* on elsewhere.*no sign of life", takeover)


@contextlib.contextmanager
def impatient(scene: Scene, folder: Path) -> Iterator[tuple[Path, Cluster, BaseProcess]]:
    """Start a run, five tiles done, whose scheduler gives a silent worker up after five seconds."""
    out = folder / "runs"
    cluster = Cluster(folder / "workers", worker_ttl="5s").start()
    options = RunOptions(scheduler=cluster.address, tile=32, workers=2)
    process = start_run(scene.config, out, options)
    try:
        wait_tiles(process, out, 5)
        yield out, cluster, process
    finally:
        process.kill()
        cluster.stop()


def test_a_worker_that_sleeps_longer_than_the_scheduler_waits(scene: Scene, tmp_path: Path):
    """Its tiles are worked by another; when it wakes up after the end it changes nothing."""
    with impatient(scene, tmp_path) as (out, cluster, process):
        sleeper = cluster.workers[0]
        os.kill(sleeper.pid, signal.SIGSTOP)
        finished = Finished(out)
        assert not killed(process)
        assert told(out) == ""
        finished.require_reused()
        assert ledger(out) == scene.ledger
        assert sorted(tile_makings(out)) == scene.tiles
        last = Finished(out)
        os.kill(sleeper.pid, signal.SIGCONT)
        sleeper.join(60)
        assert sleeper.exitcode is not None, "the scheduler has let it go"
        assert last.tiles == Finished(out).tiles
        assert unfinished(run_folder(out)) == []


def test_a_scheduler_that_sleeps_longer_than_it_waits_for_workers(scene: Scene, tmp_path: Path):
    """Awake again it may let its workers go; those that are started anew take up their tiles."""
    with impatient(scene, tmp_path) as (out, cluster, process):
        finished = Finished(out)
        os.kill(cluster.scheduler.pid, signal.SIGSTOP)
        time.sleep(12)
        os.kill(cluster.scheduler.pid, signal.SIGCONT)
        end = time.monotonic() + 600
        while process.is_alive() and time.monotonic() < end:
            for worker in [w for w in cluster.workers if not w.is_alive()]:
                cluster.workers.remove(worker)
                cluster.add_worker()
            time.sleep(0.2)
        assert not killed(process)
    assert told(out) == ""
    finished.require_reused()
    assert ledger(out) == scene.ledger
    assert sorted(tile_makings(out)) == scene.tiles
    assert unfinished(run_folder(out)) == []


def test_a_store_that_is_away_for_a_while(scene: Scene, tmp_path: Path):
    """The share with the register is not there, then comes back while somebody writes into it."""
    out = tmp_path / "runs"
    register = out / "share" / "register.sqlite"
    config = scene.config.with_name("with-register.yaml")
    text = scene.config.read_text(encoding="utf-8")
    config.write_text(f"{text}register: {register}\n", encoding="utf-8")
    register.parent.mkdir(parents=True)
    assert not killed(start_run(config, out, OPTIONS))
    calm = ledger(out)
    out.rename(tmp_path / "whole")
    assert not killed(start_run(config, out, OPTIONS))
    assert told(out).startswith("the folder of the register is not there\n"), told(out)
    assert not register.parent.exists()
    register.parent.mkdir()
    fault = Fault("locked", "register.sqlite", 1.5)
    assert not killed(start_run(config, out, OPTIONS, fault))
    assert told(out) == ""
    assert ledger(out) == calm
    assert sorted(tile_makings(out)) == scene.tiles
    with contextlib.closing(sqlite3.connect(register)) as kept:
        assert kept.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def start_stopped(scene: Scene, out: Path) -> BaseProcess:
    """Start a run and stop its process when it has written a third of its tiles."""
    places = [n for n, name in enumerate(scene.writes, 1) if f"/{TILE_FOLDER}/" in name]
    process = start_run(scene.config, out, OPTIONS, Fault("stop", places[len(places) * 36 // 100]))
    wait_stopped(process, out)
    return process


BLOCK = (1, 2)
"""Of the after image, by row and column of blocks of 64 pixels: no tile of the first third reads
it, and it is not the last of the file, which is looked at when a run starts."""


def test_a_source_block_that_cannot_be_read_is_mended(scene: Scene, tmp_path: Path):
    """It goes bad while tiles are worked; nothing is tried again until the file is put right."""
    out, image = tmp_path / "runs", scene.config.with_name("after.tif")
    sound = image.read_bytes()
    process = start_stopped(scene, out)
    try:
        finished = Finished(out)
        assert len(finished.tiles) >= len(scene.tiles) // 4
        spoil_block(image, *BLOCK)
        os.kill(process.pid, signal.SIGCONT)
        assert not killed(process)
        first = told(out)
        finished.require_reused()
        kept = products(run_folder(out))
        assert not killed(start_run(scene.config, out, OPTIONS))
        again = told(out)
        assert products(run_folder(out)) == kept
    finally:
        process.kill()
        image.write_bytes(sound)
    for message in (first, again):
        what, where, fix = message.splitlines()
        assert what.startswith("1 of 9 blocks of the file are damaged and cannot be read (")
        assert where.startswith(f"  where: {image}")
        assert "first block: rows 64–127, columns 128–191" in message
        assert fix == "  fix:   copy or download the file again"
    assert not killed(start_run(scene.config, out, OPTIONS))
    assert told(out) == ""
    finished.require_reused()
    assert ledger(out) == scene.ledger
    assert sorted(tile_makings(out)) == scene.tiles, "a finished tile was worked again"
    assert unfinished(run_folder(out)) == []


def test_the_images_are_away_for_a_while(scene: Scene, tmp_path: Path):
    """The driver dies in the tiles, the share with the images is not there when it starts again."""
    out, image = tmp_path / "runs", scene.config.with_name("after.tif")
    process = start_stopped(scene, out)
    process.kill()
    assert killed(process)
    finished = Finished(out)
    assert len(finished.tiles) >= len(scene.tiles) // 4
    image.rename(tmp_path / image.name)
    try:
        assert not killed(start_run(scene.config, out, OPTIONS))
    finally:
        (tmp_path / image.name).rename(image)
    assert told(out).splitlines()[1] == f"  where: {image}", told(out)
    finished.require_reused()
    assert not killed(start_run(scene.config, out, OPTIONS))
    assert told(out) == ""
    finished.require_reused()
    assert ledger(out) == scene.ledger
    assert sorted(tile_makings(out)) == scene.tiles, "a finished tile was worked again"
    assert unfinished(run_folder(out)) == []
