"""The tutorial is typed from its first line to its last, and prints what it says it prints."""

import os
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from tests.docs.pageblocks import ROOT, Block, blocks_of, missing_line
from tests.flows.command import MAIN

PAGE = ROOT / "docs" / "tutorial" / "first-case.md"
PORT = "8600"
MARK = "== block"
PATIENCE = 3000
"""Seconds until the shell is given up, on a machine that is busy with much else."""
ENDS = "trap 'code=$?; [ $code = 3 ] || exit $code' ERR\n"
"""A command that fails ends the shell; one that finished with exceptions listed (3) does not."""


def shell_tools(folder: Path) -> Path:
    """Write the commands of an installation, `tuban` and `python`; return their folder."""
    folder.mkdir()
    python = shlex.quote(sys.executable)
    for name, words in (("tuban", f"{python} -c {shlex.quote(MAIN)}"), ("python", python)):
        (folder / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


def typed(blocks: list[Block], folder: Path) -> list[str]:
    """Type blocks into one shell in an empty folder; return what each printed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    lines = "".join(f"echo '{MARK}'\n{b.text}" for b in blocks).replace(PORT, port)
    tools = shell_tools(folder / "tools")
    (folder / "work").mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": f"{tools}:{os.environ['PATH']}"}
    shell = subprocess.Popen(
        ["bash", "-o", "pipefail", "-c", ENDS + lines],
        cwd=folder / "work",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        said, told = shell.communicate(timeout=PATIENCE)
    finally:
        if shell.poll() is None or shell.returncode:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGTERM)  # the desk that a failed script left behind
    assert shell.returncode == 0, f"{said[-3000:]}\n{told[-3000:]}"
    return said.split(f"{MARK}\n")[1:]


@pytest.mark.slow
def test_the_tutorial_works_as_written(tmp_path: Path):
    blocks = blocks_of(PAGE)
    commands = [b for b in blocks if b.language == "sh"]
    printed = dict(zip(commands, typed(commands, tmp_path), strict=True))
    told = [(a, b) for a, b in pairwise(blocks) if b.language == "text"]
    assert len(told) == sum(b.language == "text" for b in blocks) > 5
    for command, block in told:
        missing = missing_line(block.text, printed[command])
        assert not missing, f"{block}: {missing!r} is not in\n{printed[command]}"
