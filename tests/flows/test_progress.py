"""Progress on a terminal, in lines, as JSON; what a stage cost."""

import io
import json
import mmap
import re
import subprocess
import sys
import time

import pytest

from flows.progress import Meter, Mode, Progress, _clock, set_mode


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run_stage(mode: Mode, stream: io.StringIO) -> Progress:
    with (
        Progress("tiles", mode=mode, stream=stream) as progress,
        Progress.current().counting(4, done=1) as count,
    ):
        count.say("tiles: 1 of 4 reused")
        count.step(pixels=2_000_000, retries=1)
        count.step(2, pixels=1_000_000, failed=1)
    return progress


def test_record_counts():
    record = run_stage(Mode.QUIET, io.StringIO()).record()
    assert (record["items"], record["reused"], record["retries"]) == (3, 1, 1)
    assert record["failed"] == 1
    assert record["pixels"] == 3_000_000
    assert record["peak_bytes"] > 10 << 20
    assert record["seconds"] >= 0


def test_quiet_is_quiet_and_plain_is_lines():
    silent, plain = io.StringIO(), io.StringIO()
    run_stage(Mode.QUIET, silent)
    assert silent.getvalue() == ""
    run_stage(Mode.AUTO, plain)  # not a terminal
    first, remark, last = plain.getvalue().splitlines()
    assert first.startswith("tiles: 1/4 tiles")
    assert remark == "tiles: 1 of 4 reused"
    assert last.startswith("tiles: 4/4 tiles, ")
    assert "1 reused, 1 retried, 1 given up" in last
    assert "Mpx/s" in last
    assert last.endswith("; done")


def test_stage_that_counts_nothing():
    stream = io.StringIO()
    with Progress("gate", mode="plain", stream=stream):
        pass
    assert re.fullmatch(r"gate, \d+ MB, 0:0\d so far; done\n", stream.getvalue())


def test_json_lines():
    stream = io.StringIO()
    run_stage(Mode.JSON, stream)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[0]["state"] == "running"
    assert {"stage": "tiles", "text": "tiles: 1 of 4 reused"} in lines
    assert lines[-1]["state"] == "done"
    assert lines[-1]["items"] + lines[-1]["reused"] == lines[-1]["total"] == 4


def test_bar_on_a_terminal():
    stream = Terminal()
    run_stage(Mode.AUTO, stream)
    assert "tiles: 4/4 tiles" in stream.getvalue()
    assert "1 of 4 reused" in stream.getvalue()


def test_chosen_mode_is_the_default():
    stream = io.StringIO()
    set_mode(Mode.QUIET)
    try:
        run_stage(Mode.AUTO, stream)
    finally:
        set_mode(Mode.AUTO)
    assert stream.getvalue() == ""


def test_stopped_stage_says_so():
    stream = io.StringIO()
    with pytest.raises(KeyboardInterrupt), Progress("tiles", stream=stream):
        raise KeyboardInterrupt
    assert stream.getvalue().splitlines()[-1].endswith("; stopped")


def test_nothing_open_is_a_silent_progress(capsys):
    with Progress.current().counting(3) as count:
        count.step()
        count.say("x")
    assert capsys.readouterr() == ("", "")


def test_reused_items_do_not_make_the_estimate_faster():
    with Progress("tiles", mode=Mode.QUIET) as progress:
        assert progress.eta_seconds is None
        with progress.counting(100, done=50):
            assert progress.eta_seconds is None
            time.sleep(0.05)
            progress.step(10)
            assert progress.eta_seconds == pytest.approx(4 * 0.05, rel=0.5)
            progress.step(40)
            assert progress.eta_seconds == 0.0


@pytest.mark.parametrize(("seconds", "text"), [(7.4, "0:07"), (65, "1:05"), (3725, "1:02:05")])
def test_clock(seconds, text):
    assert _clock(seconds) == text


BUSY = """
import time
block = bytearray(80 << 20)
while time.process_time() < 0.6:
    pass
"""


def test_meter_sees_children():
    with Meter(poll_s=0.02) as meter:
        subprocess.run([sys.executable, "-c", BUSY], check=True)
    assert meter.peak_bytes > 80 << 20
    assert 0.5 < meter.cpu_seconds < 1.5
    assert meter.seconds > 0.5


def test_meter_sees_its_own_memory():
    with Meter(poll_s=0.01) as meter:
        before = meter.peak_bytes
        with mmap.mmap(-1, 64 << 20) as block:  # fresh pages: nothing freed earlier is used again
            block.write(b"x" * (64 << 20))
            time.sleep(0.2)
    assert meter.peak_bytes - before > 40 << 20
