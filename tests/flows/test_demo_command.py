"""``tuban demo`` as a newcomer meets it: what it ends with are files and commands that work."""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from configs.errors import ExitCode
from flows.cli.app import build_app

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def tuban(words: list[str]) -> Result:
    return CliRunner().invoke(build_app(), words)


def test_what_the_demo_says_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    told = tuban(["demo", "--out", "runs", "--size", "512", "--plain"])
    assert told.exit_code in (ExitCode.OK, ExitCode.EXCEPTIONS), told.output
    lines = told.stdout.split("\nnext\n")[1].splitlines()
    steps = {line[:20].strip(): line[20:].strip() for line in lines}
    assert Path(steps["open"]).is_file()
    assert Path(steps["then"]).is_file()
    assert (ROOT / steps["how to fill it in"]).is_file()
    first, second = steps["your own images"].split(", then ")
    for command in (steps["why a clue is one"], steps["work the clues"], first):
        program, *words = shlex.split(command)
        assert program == "tuban"
        done = tuban(words)
        assert done.exit_code == ExitCode.OK, (command, done.output)
    asked = tuban(shlex.split(second)[1:])
    assert asked.exit_code == ExitCode.USER_ERROR
    assert "mine/before.tif" in asked.output
