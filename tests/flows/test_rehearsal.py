"""Kernels compiled beside a run are those that it needs, and are compiled once."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import psutil
import pytest
from numba.core import event

from flows.rehearsal import compiled_beside
from flows.runner import work_run
from flows.stages import RunOptions
from tests.flows.command import ROOT
from tests.flows.minicounty import build_mini, write_config

REHEARSED = """
import sys
from tests.flows.test_rehearsal import Heard
from flows.rehearsal import rehearse_tiles
with Heard() as heard:
    rehearse_tiles()
print(*heard.names)
"""
RUN = """
import sys
from pathlib import Path
from tests.flows.test_rehearsal import Heard, run_of_mini
with Heard() as heard:
    loaded = run_of_mini(Path(sys.argv[1]))
print(*heard.names)
print(*loaded)
"""


class Heard(event.Listener):
    """The kernels that are compiled, without what they are compiled of."""

    def __init__(self):
        self.names, self.depth = [], 0

    def on_start(self, event):
        if self.depth == 0:
            self.names.append(event.data["dispatcher"].py_func.__name__)
        self.depth += 1

    def on_end(self, _):
        self.depth -= 1

    def __enter__(self):
        event.register("numba:compile", self)
        return self

    def __exit__(self, *_):
        event.unregister("numba:compile", self)


def run_of_mini(folder: Path) -> list[str]:
    """Work the small county; return the kernels that came from the cache."""
    from tests.flows.compiled import kernels, pairs

    build_mini(folder)
    config = write_config(folder, detection={"method": "auto"})
    work_run(config, folder / "runs", RunOptions(tile=64), plain=True)
    pairs((160, 180))  # edges of change, which a county of so few pixels does not have
    hits = {d.py_func.__name__: sum(d.stats.cache_hits.values()) for d in kernels().values()}
    return [name for name, count in hits.items() if count]


def told(code: str, *words: str, cache: Path) -> list[list[str]]:
    """Return the words of each line that a fresh process prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [line.split() for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_a_run_compiles_nothing_that_was_rehearsed(tmp_path: Path):
    (rehearsed,) = told(REHEARSED, cache=tmp_path / "cache")
    compiled, loaded = told(RUN, str(tmp_path), cache=tmp_path / "cache")
    assert len(rehearsed) == len(set(rehearsed)) >= 15
    assert set(rehearsed) <= set(loaded)
    assert not set(rehearsed) & set(compiled)
    assert "variate_statistic" in compiled


def test_a_process_works_beside_while_there_is_something_to_compile():
    before = {p.pid for p in psutil.Process().children()}
    with compiled_beside(RunOptions(workers=2)):
        assert {p.pid for p in psutil.Process().children()} == before
        assert numba.njit(lambda x: x + 1)(1) == 2
        (beside,) = [p for p in psutil.Process().children() if p.pid not in before]
        assert beside.cmdline()[-2:] == ["-m", "flows.rehearsal"]
        assert numba.njit(lambda x: x + 2)(1) == 3
        assert len(psutil.Process().children()) == len(before) + 1
    assert not psutil.pid_exists(beside.pid)
    assert numba.njit(lambda x: x + 3)(1) == 4
    assert {p.pid for p in psutil.Process().children()} == before
