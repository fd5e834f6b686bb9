"""One run by one and by two workers that share nothing but the run folder, each in its network.

Two network namespaces joined by a cable of two virtual ends stand for two machines: the scheduler
and the driver in one, a worker in each. Every process has a ``/tmp`` and a ``/dev/shm`` of its own
and its own working folder. This needs root and the program ``ip``; with ``--loopback`` the same
processes share the network and ``/tmp`` of this machine, and neither is needed.

    python -m benchmarks.two_networks --size 2048 --tile 256
    python -m benchmarks.two_networks --loopback --size 2048 --tile 256

The job computes: both dates of every pixel are classified by a forest, change is told by IR-MAD.
It is fitted once; all runs take that state. A worker has one thread and one CPU to itself as long
as there are enough, and works a small county first, so that libraries and kernels are loaded; the
driver and the scheduler have the CPUs that are left over, or all where none is. Measured is from
the start of the first tile to the end of the last, by the clock of the files that the tiles left,
and the whole run beside it. "busy" is the share of that span in which the workers had a tile: what
is missing there, the driver takes.

It ends with 1 where ledgers differ, a tile was worked twice or a process was not where it should
be. Speed needs CPUs that nobody else uses: the load before each run stands in the table.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.demo.county import build_county
from flows.environment import worker_environment
from flows.journal import Journal

ROOT = Path(__file__).resolve().parents[1]
HERE, THERE = "tuban-here", "tuban-there"
ADDRESSES = {HERE: "10.77.0.1", THERE: "10.77.0.2"}
PORT = 8786
SMALL_PX = 256
LEDGER = ("clues.xlsx", "clues.geojson", "change.tif", "quality/observed.csv")
ALONE = (
    "hostname {place}; mount -t tmpfs none /dev/shm; mount --bind {own} /tmp; cd {own}; "
    "exec {command}"
)
TUBAN = f"{sys.executable} -c 'from flows.cli.app import main; main()'"
DASK = f"{sys.executable} -m dask"
SETTINGS = """
detection: {{method: irmad}}
landcover: {{trees: {trees}, max_depth: 12, samples_per_class: 1000, mode: exact}}
outputs: {{evidence: none, pictures: 0, formats: [xlsx, geojson]}}
report: {{clues: 1}}
"""
HEAD = (
    "| run | workers | load before | tiles, s | whole run, s | mean tile, s | busy |\n"
    "|---|---:|---:|---:|---:|---:|---:|"
)


def main() -> None:
    """Build a county, work it by none, one and two workers, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--size", type=int, default=2048, help="side of the images in pixels")
    parser.add_argument("--trees", type=int, default=60, help="of the forest: more computing")
    parser.add_argument("--loopback", action="store_true", help="no networks of their own")
    args = parser.parse_args()
    if not args.loopback and (os.geteuid() or not shutil.which("ip")):
        sys.exit("needs root and the program ip; without them: --loopback")
    folder = Path(tempfile.mkdtemp(prefix="tuban-networks-", dir=Path.home()))
    try:
        with contextlib.nullcontext() if args.loopback else networks():
            report(Bench(folder, args.tile, args.loopback), args.size, args.trees)
    finally:
        shutil.rmtree(folder)


@dataclass(frozen=True)
class Job:
    """A county with the states that all its runs take."""

    config: Path
    state: Path


@dataclass
class Worked:
    """A finished run: what its manifest and its clock tell."""

    folder: Path
    workers: int
    seconds: float
    load: float
    tiles: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        lines = Journal(self.folder / "manifest.jsonl").lines
        self.tiles = [p for p in lines if p["kind"] == "product" and p["stage"] == "tiles"]

    @property
    def who(self) -> Counter[tuple[str, int]]:
        """Number of tiles by host and process."""
        return Counter((p["values"]["host"], p["values"]["pid"]) for p in self.tiles)

    @property
    def tile_seconds(self) -> float:
        """Wall seconds of all tiles, each by its worker."""
        return sum(p["seconds"] for p in self.tiles)

    @property
    def span(self) -> float:
        """Seconds from the start of the first tile to the end of the last."""
        ends = [max(f["mtime_ns"] for f in p["files"]) / 1e9 for p in self.tiles]
        starts = [end - p["seconds"] for end, p in zip(ends, self.tiles, strict=True)]
        return max(ends) - min(starts)

    @property
    def ledger(self) -> list[bytes]:
        """What must be the same bytes."""
        return [(self.folder / name).read_bytes() for name in LEDGER]

    def row(self, name: str) -> str:
        """Return a row of the table."""
        busy = self.tile_seconds / (self.span * self.workers)
        mean = self.tile_seconds / len(self.tiles)
        return (
            f"| {name} | {self.workers} | {self.load:.1f} | {self.span:.1f} | {self.seconds:.1f} "
            f"| {mean:.2f} | {busy:.0%} |"
        )


def report(bench: "Bench", size: int, trees: int) -> None:
    """Work the county four times and print what came of it."""
    small = bench.fitted("small", SMALL_PX, trees)
    job = bench.fitted("county", size, trees)
    runs: dict[str, Worked] = {}
    for name, places, kill in (
        ("threads", (), False),
        ("one worker", (THERE,), False),
        ("two workers", (HERE, THERE), False),
        ("two workers, one killed", (HERE, THERE), True),
    ):
        runs[name] = bench.work(job, small, name.replace(" ", "-").replace(",", ""), places, kill)
        who = ", ".join(f"{host} process {pid}: {n}" for (host, pid), n in runs[name].who.items())
        print(f"{name}: {len(runs[name].tiles)} tiles ({who})", flush=True)
    print("", HEAD, *(run.row(name) for name, run in runs.items()), "", sep="\n")
    one, two = runs["one worker"], runs["two workers"]
    print(f"two workers to one, first tile to last: {one.span / two.span:.2f}")
    print(f"two workers to one, whole run: {one.seconds / two.seconds:.2f}")
    print(f"{os.cpu_count()} CPUs; tiles of {bench.tile} pixels")
    wrong = faults(runs, bench.loopback)
    print("\n".join(wrong) or f"ledgers identical: {', '.join(LEDGER)}")
    if wrong:
        sys.exit(1)


def faults(runs: dict[str, Worked], loopback: bool) -> list[str]:
    """Return what must not be: other ledgers, tiles worked twice, processes that are shared."""
    first, *others = runs.items()
    wrong = [f"{name}: another ledger" for name, run in others if run.ledger != first[1].ledger]
    for name, run in runs.items():
        names = [p["name"] for p in run.tiles]
        if len(set(names)) != len(names) or len(names) != len(first[1].tiles):
            wrong.append(f"{name}: tiles worked twice or not at all")
        if len(run.who) != run.workers:
            wrong.append(f"{name}: worked by {len(run.who)} processes, not by {run.workers}")
        if not loopback and len({host for host, _ in run.who}) != run.workers:
            wrong.append(f"{name}: worked on one machine only")
    seen = Counter(who for run in runs.values() for who in run.who)
    return wrong + [f"process {pid} worked in two runs" for (_, pid), n in seen.items() if n > 1]


@dataclass(frozen=True)
class Bench:
    """The folder of everything, the side of tiles, and whether all share this network."""

    folder: Path
    tile: int
    loopback: bool

    def fitted(self, name: str, size: int, trees: int) -> Job:
        """Build a county and fit what all runs on it take."""
        county = build_county(self.folder / name, seed=1, difficulty=1, size_px=size)
        with county.config.open("a", encoding="utf-8") as config:
            config.write(SETTINGS.format(trees=trees))
        job = Job(county.config, self.folder / f"{name}-state")
        with self.process(HERE, f"{TUBAN} fit {job.config} --out {job.state}") as fit:
            self.require_done(fit)
        return job

    def work(
        self, job: Job, small: Job, name: str, places: tuple[str, ...], kill: bool = False
    ) -> Worked:
        """Work a county by workers at some places that are warm, none: by one thread."""
        out, cpus = self.folder / name, sorted(os.sched_getaffinity(0))
        rest = cpus[len(places) :] or cpus
        with contextlib.ExitStack() as stack:
            options = "--workers 1"
            if places:
                where = f"tcp://{self.address(HERE)}:{PORT}"
                host = f"--host {self.address(HERE)} --port {PORT} --no-dashboard"
                stack.enter_context(self.process(HERE, f"{DASK} scheduler {host}", rest))
                workers = []
                for place, cpu in zip(places, cpus, strict=False):
                    host = f"--host {self.address(place)} --nthreads 1 --no-nanny --no-dashboard"
                    command = f"{DASK} worker {where} {host} --memory-limit 0"
                    workers.append(stack.enter_context(self.process(place, command, [cpu])))
                options = f"--scheduler {where} --workers {len(places)}"
                self.drive(small, self.folder / f"{name}-warm", f"{options} --tile 64", rest)
            load, began = os.getloadavg()[0], time.perf_counter()

            def strike() -> None:
                while tiles_of(out) < 4:
                    time.sleep(0.02)
                os.killpg(workers[-1].pid, signal.SIGKILL)

            meanwhile = strike if kill else None
            self.drive(job, out, f"{options} --tile {self.tile}", rest, meanwhile)
            seconds = time.perf_counter() - began
        (folder,) = (p.parent for p in out.glob("*/manifest.jsonl"))
        return Worked(folder, max(1, len(places)), seconds, load)

    def drive(
        self,
        job: Job,
        out: Path,
        options: str,
        cpus: list[int],
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        """Work a run to its end, with something done meanwhile."""
        words = f"run {job.config} --state {job.state} --out {out} {options} --plain --quiet"
        with self.process(HERE, f"{TUBAN} {words}", cpus) as driver:
            if meanwhile is not None:
                meanwhile()
            self.require_done(driver)

    def require_done(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait for a command; stop with what all processes said where it failed."""
        if process.wait() not in (0, 3):
            told = "\n".join(p.read_text() for p in sorted(self.folder.glob("own-*/said")))
            sys.exit(f"{process.args}\nended with {process.returncode}:\n{told[-3000:]}")

    def address(self, place: str) -> str:
        """Return the address of a place."""
        return "127.0.0.1" if self.loopback else ADDRESSES[place]

    @contextlib.contextmanager
    def process(
        self, place: str, command: str, cpus: list[int] | None = None
    ) -> "Iterator[subprocess.Popen[bytes]]":
        """Run a command at a place, on some CPUs, with a /tmp and a working folder of its own."""
        own = Path(tempfile.mkdtemp(prefix="own-", dir=self.folder))
        words = ["sh", "-c", f"cd {own}; exec {command}"]
        if not self.loopback:
            words[-1] = ALONE.format(place=place, own=own, command=command)
            words[:0] = ["ip", "netns", "exec", place, "unshare", "--mount", "--uts"]
        elsewhere = {"TMPDIR": str(own)} if self.loopback else {}
        with (own / "said").open("wb") as said:
            started = subprocess.Popen(
                words,
                env=os.environ
                | worker_environment()
                | elsewhere
                | {"PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "1"},
                stdout=said,
                stderr=said,
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, cpus) if cpus else None,
            )
            try:
                yield started
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(started.pid, signal.SIGKILL)
                started.wait()


def tiles_of(out: Path) -> int:
    """Return how many tiles the run below a folder has recorded."""
    return sum(p.read_bytes().count(b'"stage":"tiles"') for p in out.glob("*/manifest.jsonl"))


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
