"""Run folder and manifest: crash safety, reuse and its reasons."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from configs.errors import RunError, RunLocked
from flows.journal import Journal
from flows.keys import StageKey, code_fingerprint, stage_key
from flows.manifest import MANIFEST_NAME, Run
from tiles.files import PART_MARK, atomic_path

KEY = stage_key("tiles", config={"detection": {"method": "cva", "floor_px": 4}})


def new_run(out: Path, **options: bool) -> Run:
    return Run.create({"name": "demo"}, "0123456789", out, "demo", **options)


def make_product(run: Run, name: str = "t1", content: str = "runs", key: StageKey = KEY) -> Path:
    path = run.path("tiles", f"{name}.npz")
    with atomic_path(path) as part:
        part.write_text(content)
    run.put("tiles", name, key, files=[path], values={"pixels": 12})
    return path


def test_product_is_reused_in_a_second_run(tmp_path):
    with new_run(tmp_path) as run:
        make_product(run)
    with new_run(tmp_path) as run:
        product = run.reuse("tiles", "t1", KEY)
        assert product is not None
        assert product.values == {"pixels": 12}
        assert run.path(product.files[0].path).read_text() == "runs"
        assert run.reuse("tiles", "t2", KEY) is None
        assert run.reuse_message("tiles") == (
            "tiles: 1 of 2 reused (inputs, settings and code are the same), "
            "1 to make: 1 × not made yet"
        )
        assert run.folder.name == "demo-01234567"
    assert [n["kind"] for n in Run.open(run.folder).notes] == ["start", "start"]


def test_reason_names_the_changed_setting(tmp_path):
    other = stage_key("tiles", config={"detection": {"method": "cva", "floor_px": 6}})
    with new_run(tmp_path) as run:
        make_product(run)
        assert run.why_not("tiles", "t1", other) == (
            "config field detection.floor_px changed (4 → 6)"
        )
        code = stage_key("tiles", rooms=["detect"], config={"detection": {"method": "cva"}})
        assert run.why_not("tiles", "t1", code) == (
            "code of detect is new; config field detection.floor_px is gone"
        )


def test_altered_and_missing_files_are_noticed(tmp_path):
    with new_run(tmp_path) as run:
        path = make_product(run)
        path.write_text("RUNS")
        assert run.why_not("tiles", "t1", KEY) == "file tiles/t1.npz was altered"
        assert run.faults() == ["file tiles/t1.npz was altered"]
        path.unlink()
        assert run.why_not("tiles", "t1", KEY) == "file tiles/t1.npz is gone"


def test_large_file_is_hashed_only_when_its_time_stamp_moved(tmp_path, monkeypatch):
    monkeypatch.setattr("flows.products.SMALL_BYTES", 0)
    with new_run(tmp_path) as run:
        path = make_product(run)
        stamp = path.stat()
        path.write_text("RUNS")
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        assert run.why_not("tiles", "t1", KEY) is None
        assert run.faults() == ["file tiles/t1.npz was altered"]
        os.utime(path)
        assert run.why_not("tiles", "t1", KEY) == "file tiles/t1.npz was altered"


def test_fresh_forgets_products_for_good(tmp_path):
    with new_run(tmp_path) as run:
        make_product(run)
    with new_run(tmp_path, fresh=True) as run:
        assert run.why_not("tiles", "t1", KEY) == "a fresh start was asked"
    with new_run(tmp_path) as run:
        assert run.reuse("tiles", "t1", KEY) is None


def test_later_product_supersedes(tmp_path):
    with new_run(tmp_path) as run:
        make_product(run, content="old")
        make_product(run, content="new")
    run = Run.open(run.folder)
    assert len(run.products("tiles")) == 1
    assert run.faults() == []


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_torn_last_line_is_dropped_and_cut_off(tmp_path, cut):
    with new_run(tmp_path) as run:
        make_product(run, "t1")
        make_product(run, "t2")
    manifest = run.folder / MANIFEST_NAME
    manifest.write_bytes(manifest.read_bytes()[:-cut])
    assert [p.name for p in Run.open(run.folder).products()] == ["t1"]
    with new_run(tmp_path) as run:
        assert run.why_not("tiles", "t2", KEY) == "not made yet"
        make_product(run, "t3")
    again = Run.open(run.folder)
    assert [p.name for p in again.products()] == ["t1", "t3"]
    assert again.faults() == []
    assert all(json.loads(line) for line in manifest.read_text().splitlines())


def test_damaged_line_in_the_middle_is_ignored_and_reported(tmp_path, caplog):
    with new_run(tmp_path) as run:
        make_product(run, "t1")
        make_product(run, "t2")
    manifest = run.folder / MANIFEST_NAME
    manifest.write_text(manifest.read_text().replace('"name":"t1"', '"name":"t9"'))
    again = Run.open(run.folder)
    assert [p.name for p in again.products()] == ["t2"]
    assert again.faults() == ["manifest.jsonl, line 3 is damaged"]
    assert "damaged" in caplog.text
    with new_run(tmp_path) as run:
        make_product(run, "t1")
    caplog.clear()
    assert Run.open(run.folder).faults() == []
    assert not caplog.text


def test_reading_run_cannot_write_and_needs_a_manifest(tmp_path):
    with new_run(tmp_path) as run:
        folder = run.folder
    with pytest.raises(RunError, match="reading only"):
        Run.open(folder).note("x")
    with pytest.raises(RunError, match=r"no manifest\.jsonl"):
        Run.open(tmp_path)


def test_product_outside_the_folder_is_refused(tmp_path):
    stray = tmp_path / "stray.tif"
    stray.write_text("x")
    with new_run(tmp_path) as run, pytest.raises(RunError, match="outside the run folder"):
        run.put("outputs", "stray", KEY, files=[stray])


def test_active_gives_the_held_run(tmp_path):
    with new_run(tmp_path) as run:
        assert Run.active(run.folder) is run
        with pytest.raises(RunLocked, match=str(os.getpid())):
            new_run(tmp_path)
    with pytest.raises(RunError, match="does not hold"):
        Run.active(run.folder)


def test_lock_is_given_back_on_an_exception(tmp_path):
    with pytest.raises(ZeroDivisionError), new_run(tmp_path):
        raise ZeroDivisionError
    with new_run(tmp_path):
        pass


def test_summary_is_written_whole(tmp_path):
    with new_run(tmp_path) as run:
        path = run.write_summary({"counts": {"clues": 3}, "图斑": "T1"})
    assert json.loads(path.read_text(encoding="utf-8"))["图斑"] == "T1"


def test_keys_depend_on_every_part_but_not_on_order(tmp_path):
    file = tmp_path / "a.tif"
    file.write_bytes(b"1")
    one = stage_key("fit", rooms=["tiles", "detect"], inputs={"gate": KEY}, files={"before": file})
    two = stage_key("fit", rooms=["detect", "tiles"], inputs={"gate": KEY}, files={"before": file})
    assert one.digest == two.digest
    file.write_bytes(b"2")
    three = stage_key(
        "fit", rooms=["tiles", "detect"], inputs={"gate": KEY}, files={"before": file}
    )
    assert three.difference(one.parts) == "file before changed"
    assert code_fingerprint(["detect"]) == code_fingerprint(["detect"])
    assert code_fingerprint(["detect"]) != code_fingerprint(["tiles.files"])
    with pytest.raises(RunError, match="no package"):
        code_fingerprint(["no_such_room"])


WRITER = """
import sys
from pathlib import Path
from flows.keys import stage_key
from flows.manifest import Run
from tiles.files import atomic_path

KEY = stage_key("tiles", config={"detection": {"method": "cva", "floor_px": 4}})
run = Run.create({"name": "demo"}, "01234567", Path(sys.argv[1]), "demo")
n = 0
while True:
    path = run.path("tiles", f"t{n:05d}.npz")
    with atomic_path(path) as part:
        part.write_text("runs" * 5000)
    run.put("tiles", f"t{n:05d}", KEY, files=[path], values={"n": n})
    n += 1
"""


@pytest.mark.parametrize("lines", [5, 23])
def test_kill_in_the_middle_of_appending(tmp_path, lines):
    manifest = tmp_path / "demo-01234567" / MANIFEST_NAME
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
    try:
        end = time.monotonic() + 60
        while not manifest.exists() or manifest.read_bytes().count(b"\n") < lines:
            assert time.monotonic() < end
            assert writer.poll() is None
            time.sleep(0.005)
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    (manifest.parent / "tiles" / f"{PART_MARK}deadbeef-t9.npz").write_text("half")
    with new_run(tmp_path) as run:
        assert run.lock is not None
        assert "the process has ended" in (run.lock.took_over or "")
        done = run.products("tiles")
        assert len(done) >= lines - 2
        assert all(run.reuse("tiles", p.name, KEY) == p for p in done)
        assert run.faults() == []
        make_product(run, "last")
    names = {p.name for p in run.folder.rglob("*")}
    assert not [n for n in names if PART_MARK in n or n.startswith("run.lock")]
    assert {"takeover"} <= {n["kind"] for n in Run.open(run.folder).notes}


def test_journal_sums_survive_odd_values(tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    line = {"kind": "x", "text": '图斑\n"sum":"a"}', "number": 0.1 + 0.2, "big": 2**60, "no": None}
    journal.append(line)
    assert Journal(tmp_path / "j.jsonl").lines == [line]
