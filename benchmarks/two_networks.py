"""One run by two workers that share nothing but the run folder, each in a network of its own.

Two network namespaces joined by a cable of two virtual ends stand for two machines: the scheduler
and the driver in one, a worker in each. Every process has a ``/tmp`` and a ``/dev/shm`` of its own
and its own working folder. Needs root and ``ip``.

    python -m benchmarks.two_networks --tile 128 --size 1536
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from flows.demo.county import build_county
from flows.journal import Journal

ROOT = Path(__file__).resolve().parents[1]
HERE, THERE = "tuban-here", "tuban-there"
ADDRESSES = {HERE: "10.77.0.1", THERE: "10.77.0.2"}
PORT = 8786
LEDGER = ("clues.xlsx", "clues.geojson", "change.tif", "quality/observed.csv")
ALONE = (
    "hostname {place}; mount -t tmpfs none /dev/shm; mount --bind {own} /tmp; cd {own}; "
    "exec {command}"
)
QUICK = """
detection: {method: cva}
landcover: {trees: 8, max_depth: 8, samples_per_class: 200, mode: exact}
outputs: {evidence: none}
"""


def main() -> None:
    """Build a county, work it alone and by two networks, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tile", type=int, default=128)
    parser.add_argument("--size", type=int, default=1536)
    args = parser.parse_args()
    if os.geteuid() or not shutil.which("ip"):
        sys.exit("needs root and the program ip")
    folder = Path(tempfile.mkdtemp(prefix="tuban-networks-", dir=Path.home()))
    try:
        with networks():
            report(folder, args.tile, args.size)
    finally:
        shutil.rmtree(folder)


def report(folder: Path, tile: int, size: int) -> None:
    """Work the county four times and print what came of it."""
    county = build_county(folder, seed=1, difficulty=1, size_px=size)
    with county.config.open("a", encoding="utf-8") as config:
        config.write(QUICK)
    runs = {}
    for name, places, kill in (
        ("threads, 1", (), False),
        ("one worker", (THERE,), False),
        ("two workers", (HERE, THERE), False),
        ("two workers, one killed", (HERE, THERE), True),
    ):
        out = folder / name.replace(" ", "-").replace(",", "")
        runs[name] = work(county.config, out, tile, places, kill=kill)
        print_run(name, runs[name])
    first, *others = (ledger(run) for run in runs.values())
    same = all(one == first for one in others)
    print(f"ledgers identical: {same} ({', '.join(LEDGER)})")
    seconds = {name: stage(run)["seconds"] for name, run in runs.items()}
    print(f"tiles stage, two workers to one: {seconds['one worker'] / seconds['two workers']:.2f}")
    print(f"load of the machine: {' '.join(f'{x:.1f}' for x in os.getloadavg())}")
    if not same:
        sys.exit(1)


def print_run(name: str, run: Path) -> None:
    """Print who worked how many tiles of a run."""
    lines = Journal(run / "manifest.jsonl").lines
    tiles = [p["values"] for p in lines if p["kind"] == "product" and p["stage"] == "tiles"]
    who = Counter((v["host"], v["pid"]) for v in tiles)
    shares = ", ".join(f"{host} process {pid}: {n}" for (host, pid), n in sorted(who.items()))
    print(f"{name}: {len(tiles)} tiles in {stage(run)['seconds']:.1f} s ({shares})", flush=True)


def stage(run: Path) -> dict[str, float]:
    """Return the record of the tiles stage."""
    records = json.loads((run / "run.json").read_text(encoding="utf-8"))["records"]
    return dict(next(r for r in records if r["stage"] == "tiles"))


def ledger(run: Path) -> list[bytes]:
    """Return what must be the same bytes."""
    return [(run / name).read_bytes() for name in LEDGER]


def work(config: Path, out: Path, tile: int, places: tuple[str, ...], *, kill: bool) -> Path:
    """Work a run by workers at some places, none: by one thread; return its folder."""
    tuban = f"{sys.executable} -c 'from flows.cli.app import main; main()'"
    options = f"run {config} --out {out} --tile {tile} --plain --progress json"
    with contextlib.ExitStack() as stack:
        if places:
            dask = f"{sys.executable} -m dask"
            where = f"tcp://{ADDRESSES[HERE]}:{PORT}"
            host = f"--host {ADDRESSES[HERE]} --port {PORT} --no-dashboard"
            stack.enter_context(process(HERE, out, f"{dask} scheduler {host}"))
            workers = [
                stack.enter_context(
                    process(
                        place,
                        out,
                        f"{dask} worker {where} --host {ADDRESSES[place]} --nthreads 1 "
                        "--no-dashboard --memory-limit 0",
                    )
                )
                for place in places
            ]
            options += f" --scheduler {where} --workers {len(places)}"
        else:
            options += " --workers 1"
        with process(HERE, out, f"{tuban} {options}") as driver:
            while kill and tiles_of(out) < 10:
                time.sleep(0.02)
            if kill:
                os.killpg(workers[-1].pid, signal.SIGKILL)
            if driver.wait() not in (0, 3):
                told = "\n".join(p.read_text() for p in out.parent.glob("own-*/said"))
                sys.exit(f"the run ended with {driver.returncode}:\n{told[-3000:]}")
    (folder,) = (p.parent for p in out.glob("*/manifest.jsonl"))
    return folder


def tiles_of(out: Path) -> int:
    """Return how many tiles the run below a folder has recorded."""
    return sum(p.read_bytes().count(b'"stage":"tiles"') for p in out.glob("*/manifest.jsonl"))


@contextlib.contextmanager
def process(place: str, out: Path, command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a network, with a /tmp and a working folder of its own."""
    own = Path(tempfile.mkdtemp(prefix="own-", dir=out.parent))
    words = ALONE.format(place=place, own=own, command=command)
    with (own / "said").open("wb") as said:
        started = subprocess.Popen(
            ["ip", "netns", "exec", place, "unshare", "--mount", "--uts", "sh", "-c", words],
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            yield started
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()


@contextlib.contextmanager
def networks() -> Iterator[None]:
    """Give two networks with a cable between them."""
    call = [f"netns add {HERE}", f"netns add {THERE}"]
    call.append(f"link add tuban0 netns {HERE} type veth peer name tuban1 netns {THERE}")
    for place, end in ((HERE, "tuban0"), (THERE, "tuban1")):
        call += [
            f"-n {place} address add {ADDRESSES[place]}/24 dev {end}",
            f"-n {place} link set {end} up",
            f"-n {place} link set lo up",
        ]
    try:
        for words in call:
            subprocess.run(["ip", *words.split()], check=True)
        yield
    finally:
        for place in (HERE, THERE):
            subprocess.run(["ip", "netns", "delete", place], check=False)


if __name__ == "__main__":
    main()
