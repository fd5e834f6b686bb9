"""The workbook by a second process: the same bytes, and written here where that one fails."""

import logging
import os
import pickle
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from clues.outputs.tables import ClueTables
from clues.store import repository
from configs.errors import RasterError
from flows import publishing, registering, secondwriter
from flows.finished import finished_tables
from flows.formats import writers_of
from flows.manifest import Run
from flows.runner import work_run
from flows.secondwriter import SecondWriter, pays, second_writer
from flows.stagekeys import RunOptions
from tests.flows.command import ROOT, run_folder, unfinished
from tests.flows.minicounty import build_mini
from tests.flows.test_packages import fill_in

BOOK = "clues.xlsx"
TWO = RunOptions(workers=2)


def worked(config: Path, out: Path) -> Path:
    work_run(config, out, TWO, plain=True)
    return run_folder(out)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_mini(tmp_path_factory.mktemp("mini"))


@pytest.fixture(scope="module")
def run(config: Path) -> Path:
    """Return a run that one process wrote."""
    return worked(config, config.parent / "runs")


@pytest.fixture(scope="module")
def tables(run: Path) -> ClueTables:
    return finished_tables(run)


def test_two_processes_write_what_one_writes(
    config: Path,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    started: list[SecondWriter] = []

    @contextmanager
    def watched(name: str) -> Iterator[SecondWriter]:
        with second_writer(name) as writer:
            started.append(writer)
            yield writer

    monkeypatch.setattr(secondwriter, "LEAST_CLUES", 1)
    monkeypatch.setattr(publishing, "second_writer", watched)
    with caplog.at_level(logging.WARNING):
        other = worked(config, tmp_path)
    assert len(started) == 1
    assert not caplog.messages
    assert (other / BOOK).read_bytes() == (run / BOOK).read_bytes()
    assert [p.name for p in Run.open(other).products("outputs")] == [
        p.name for p in Run.open(run).products("outputs")
    ]
    assert unfinished(other) == []
    worked(config, tmp_path)
    assert len(started) == 1  # nothing is to be written: nobody is called


@pytest.mark.parametrize("is_filled", [False, True])
def test_the_book_is_begun_with_the_numbers_unless_people_filled_in_something(
    config: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_filled: bool
) -> None:
    moments: list[str] = []

    def noted(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def note(*words: Any, **named: Any) -> Any:
            moments.append(name)
            return real(*words, **named)

        monkeypatch.setattr(owner, name, note)

    alone, other = (Path(shutil.copytree(run, tmp_path / n / run.name)) for n in ("one", "two"))
    for folder in (alone, other) if is_filled else ():
        fill_in(folder)
    again = config.parent / f"again-{is_filled}.yaml"
    again.write_text(config.read_text(encoding="utf-8") + "quarter: 4\n", "utf-8")
    work_run(again, alone.parent, TWO, plain=True)
    monkeypatch.setattr(secondwriter, "LEAST_CLUES", 1)
    noted(secondwriter.SecondWriter, "begin")
    noted(repository, "insert_parcels")
    work_run(again, other.parent, TWO, plain=True)
    assert moments == (["insert_parcels", "begin"] if is_filled else ["begin", "insert_parcels"])
    assert (other / BOOK).read_bytes() == (alone / BOOK).read_bytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_picture_that_cannot_be_cut_loses_nothing_of_the_store(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    def away(*_words: object, **_named: object) -> None:
        raise RasterError("the share is away", "after.tif", "connect it")

    monkeypatch.setattr(secondwriter, "LEAST_CLUES", 1)
    monkeypatch.setattr(publishing, "thumbnails", away)
    with pytest.raises(RasterError):
        work_run(config, tmp_path, RunOptions(workers=workers), plain=True)
    (path,) = tmp_path.glob("*/clues.sqlite")
    store = repository.Store.at(path)
    assert store.counts()["clues"] == 3
    store.close()


def test_what_is_filled_in_at_the_last_moment_is_in_the_book(
    config: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = registering.present_state

    def late(store: repository.Store) -> Any:
        if store.counts()["answers"] == 0:
            fill_in(Path(store.place).parent)
        return real(store)

    books = []
    for name, least in (("one", 5000), ("two", 1)):
        monkeypatch.setattr(secondwriter, "LEAST_CLUES", least)
        monkeypatch.setattr(registering, "present_state", late)
        folder = worked(config, tmp_path / name)
        books.append((folder / BOOK).read_bytes())
    assert books[0] == books[1] != (run / BOOK).read_bytes()


def many(tables: ClueTables, times: int) -> ClueTables:
    """Return tables with each patch so many times: long enough to be met while they are written."""
    whole = tables.whole()

    def repeated(table: Any, *names: str) -> Any:
        parts = [table.assign(**{n: table[n] + f"-{i}" for n in names}) for i in range(times)]
        return pd.concat(parts, ignore_index=True)

    patches = repeated(whole.patches, "patch_id", "clue_no", "object_id")
    return replace(whole, patches=patches, findings=repeated(whole.findings, "patch_id"))


def test_what_the_process_cannot_write_is_written_here(
    tables: ClueTables, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (write,) = writers_of(["xlsx"], tables, tmp_path, dict).values()
    broken = replace(tables, patches=tables.patches.drop(columns="area_dm2"))
    with second_writer("xlsx") as writer:
        writer.begin(broken, tmp_path, {})
        writer.or_else(write)(tmp_path / "own.xlsx")
    write(tmp_path / "plain.xlsx")
    (told,) = caplog.messages
    assert "own.xlsx" in told
    assert "area_dm2" in told
    assert (tmp_path / "own.xlsx").read_bytes() == (tmp_path / "plain.xlsx").read_bytes()
    assert unfinished(tmp_path) == []


def test_what_cannot_be_handed_over_is_written_here(
    tables: ClueTables, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (write,) = writers_of(["xlsx"], tables, tmp_path, dict).values()
    with second_writer("xlsx") as writer:
        writer.begin(tables, tmp_path, {"a clue": lambda: None})
        writer.or_else(write)(tmp_path / BOOK)
    assert "could not be told what to write" in caplog.text
    assert (tmp_path / BOOK).is_file()


def test_a_process_that_is_killed_is_no_loss(
    tables: ClueTables, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (write,) = writers_of(["xlsx"], tables, tmp_path, dict).values()
    with second_writer("xlsx") as writer:
        assert writer.process is not None
        writer.process.kill()
        writer.process.wait()
        writer.begin(tables, tmp_path, {"a clue": bytes(1 << 20)})
        writer.or_else(write)(tmp_path / BOOK)
    assert "ended with -9" in caplog.text
    assert (tmp_path / BOOK).is_file()


def test_where_no_process_can_be_started_this_one_writes(
    tables: ClueTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (write,) = writers_of(["xlsx"], tables, tmp_path, dict).values()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with second_writer("xlsx") as writer:
        writer.begin(tables, tmp_path, {})
        writer.or_else(write)(tmp_path / BOOK)
    assert (tmp_path / BOOK).is_file()


def until(seen: Callable[[], Any]) -> None:
    """Wait until something is there."""
    limit = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.mark.slow
def test_an_interruption_ends_the_process_and_leaves_nothing(
    tables: ClueTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    started: list[SecondWriter] = []

    def stopped() -> None:
        with second_writer("xlsx") as writer:
            started.append(writer)
            writer.begin(many(tables, 2000), tmp_path, {})
            until(lambda: list(writer.folder.glob("tmp*")))  # sheets of the workbook
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert started[0].process is not None
    assert started[0].process.returncode == -signal.SIGKILL
    assert not list(tmp_path.iterdir())


CALLER = """
import pickle, sys, time
from pathlib import Path
from flows.secondwriter import second_writer
tables = pickle.loads(Path(sys.argv[1]).read_bytes())
with second_writer("xlsx") as writer:
    writer.begin(tables, Path.cwd(), {})
    while not list(writer.folder.glob("tmp*")):
        time.sleep(0.01)
    print(writer.process.pid, flush=True)
    input()
"""


@pytest.mark.slow
def test_the_process_ends_with_the_one_that_started_it(tables: ClueTables, tmp_path: Path) -> None:
    work = tmp_path / "tables"
    work.write_bytes(pickle.dumps(many(tables, 2000)))
    parent = subprocess.Popen(
        [sys.executable, "-c", CALLER, str(work)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert select.select([child], [], [], 60)[0], "the second process goes on alone"
    finally:
        os.close(child)
    assert not list(tmp_path.rglob(BOOK))  # ended while it wrote


def test_modules_of_the_working_directory_are_not_loaded(
    tables: ClueTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xlsxwriter.py").write_text("raise RuntimeError('from the data folder')")
    monkeypatch.chdir(tmp_path)
    with second_writer("xlsx") as writer:
        writer.begin(tables, tmp_path, {})
        assert writer.process is not None
        assert writer.process.wait() == 0


@pytest.mark.parametrize(
    ("options", "clues", "patches", "expected"),
    [
        (RunOptions(workers=2, memory=4 << 30), 5000, 9000, True),
        (RunOptions(workers=2, memory=4 << 30), 4999, 9000, False),
        (RunOptions(workers=1, memory=4 << 30), 5000, 9000, False),
        (RunOptions(workers=2, memory=400 << 20), 5000, 9000, False),
        (RunOptions(workers=2, memory=4 << 30), 5000, 900_000, False),
    ],
)
def test_two_processes_need_clues_cores_and_memory(
    options: RunOptions, clues: int, patches: int, expected: bool
) -> None:
    assert pays(options, clues, patches) is expected
