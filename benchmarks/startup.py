"""Start-up: how long until the program answers, what it imports, what it compiles.

``python -m benchmarks.startup compiling FILE COMMAND …`` works a command of tuban in this process
and writes how many CPU seconds Numba compiled, kernel by kernel, into FILE.
"""

import json
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import Worked, worked
from benchmarks.whole_way import Pair, own_environment, run_tuban, tuban_command

HERE = Path(__file__).parent
IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)")


class Compiling:
    """Listens to Numba: CPU seconds of each kernel with all it calls, without those of others."""

    def __init__(self) -> None:
        self.open: dict[int, list[tuple[float, str]]] = {}
        self.seconds: dict[str, float] = {}

    def notify(self, event: Any) -> None:
        """Take in that a compilation starts or ends; what is nested counts for the outermost."""
        stack = self.open.setdefault(threading.get_ident(), [])
        if event.is_start:
            function = event.data["dispatcher"].py_func
            stack.append((time.thread_time(), f"{function.__module__}.{function.__name__}"))
            return
        began, name = stack.pop()
        if not stack:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.thread_time() - began


def compiling(target: Path, words: list[str]) -> None:
    """Work a command of tuban and write what was compiled for it."""
    from numba.core import event

    heard = Compiling()

    class Listener(event.Listener):  # type: ignore[misc]
        def on_start(self, event: Any) -> None:
            heard.notify(event)

        on_end = on_start

    event.register("numba:compile", Listener())
    sys.argv = ["tuban", *words]
    from flows.cli.app import main as tuban

    try:
        tuban()
    finally:
        target.write_text(json.dumps(heard.seconds), encoding="utf-8")


def imports_of(told: str, count: int = 12) -> list[tuple[str, float]]:
    """Return the dearest top packages of a ``-X importtime`` report, own and nested milliseconds.

    Of each package the time of its modules themselves, summed, so that nothing counts twice.
    """
    found: dict[str, float] = {}
    for own, _, _, name in IMPORT.findall(told):
        package = name.partition(".")[0]
        found[package] = found.get(package, 0.0) + int(own) / 1000
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))[:count]


def imports(work: Path, words: list[str]) -> list[tuple[str, float]]:
    """Return what a command of tuban imports, dearest first."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", tuban_command(), *words],
        env=own_environment(work),
        capture_output=True,
        text=True,
    )
    return imports_of(done.stderr)


def _answers(work: Path, words: list[str], repeats: int) -> dict[str, float]:
    """Return median seconds until a command has answered; the first one writes bytecode."""
    took: list[Worked] = []
    for _ in range(repeats + 1):
        environment = own_environment(work)
        took.append(worked([tuban_command(), *words], environment=environment))
    return {
        "wall": statistics.median(one.wall for one in took[1:]),
        "cpu": statistics.median(one.cpu for one in took[1:]),
    }


def demo_config(work: Path) -> Path:
    """Return the config of the demo county; make the county if it is not there."""
    folder = work / "demo-county"
    config = folder / "demo.yaml"
    if not config.is_file():
        code = "import sys; from pathlib import Path; from flows.demo.county import build_county\n"
        code += "print(build_county(Path(sys.argv[1]), 1, 2).config)"
        told = worked([sys.executable, "-c", code, folder], environment=own_environment(work)).told
        config = Path(told.strip().splitlines()[-1])
    return config


def measured(pair: Pair, work: Path, repeats: int) -> dict[str, Any]:
    """Measure help, check, compiling of a first and of a second run, and Prefect's start."""
    check = ["check", str(demo_config(work)), "-o", str(work / "no-runs")]
    found: dict[str, Any] = {
        "side": pair.size,
        "help": _answers(work, ["--help"], repeats),
        "check": _answers(work, check, repeats),
        "imports of help": imports(work, ["--help"]),
        "imports of check": imports(work, check),
    }
    cache, target = work / "numba-cold", work / "compiled.json"
    shutil.rmtree(cache, ignore_errors=True)
    for name in ("first run", "second run"):
        runs = work / "runs" / "cold"
        shutil.rmtree(runs, ignore_errors=True)
        words = ["--quiet", "run", str(pair.config), "--plain", "-o", str(runs)]
        took = worked(
            [sys.executable, "-m", "benchmarks.startup", "compiling", target, *words],
            environment=own_environment(work, NUMBA_CACHE_DIR=str(cache.resolve())),
            folder=None,
            fine=(0, 3),
        )
        seconds = json.loads(target.read_text(encoding="utf-8"))
        dearest = sorted(seconds.items(), key=lambda item: -item[1])
        found[name] = {
            "wall": took.wall,
            "cpu": took.cpu,
            "compiled": sum(seconds.values()),
            "kernels": len(seconds),
            "dearest": dearest[:15],
        }
    plain, _ = run_tuban(pair, work, "--plain")
    flow, _ = run_tuban(pair, work)
    found["orchestrator"] = {"wall": flow.wall - plain.wall, "cpu": flow.cpu - plain.cpu}
    return found


if __name__ == "__main__":
    compiling(Path(sys.argv[2]), sys.argv[3:])
