"""``tuban demo`` as a newcomer meets it: what it ends with are files and commands that work."""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from configs.errors import ExitCode
from flows.cli.app import build_app
from flows.cli.demo import _next_steps

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def tuban(words: list[str]) -> Result:
    return CliRunner().invoke(build_app(), words)


def test_what_the_demo_says_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    told = tuban(["demo", "--out", "runs", "--size", "512", "--plain"])
    assert told.exit_code in (ExitCode.OK, ExitCode.EXCEPTIONS), told.output
    lines = told.stdout.split("\nnext\n")[1].splitlines()
    steps = [line[22:].split("  # ")[0].strip() for line in lines]
    commands = [shlex.split(step) for step in steps if step.startswith("tuban ")]
    files = [step for step in steps if not step.startswith(("tuban ", "source "))]
    for name in files:
        folder = ROOT if name.startswith("docs/") else tmp_path
        assert (folder / name).is_file(), name
    assert [Path(name).name for name in files[:2]] == ["report.html", "clues.xlsx"]
    *worked, (_, *check) = commands
    for program, *words in worked:
        assert program == "tuban"
        done = tuban(words)
        assert done.exit_code == ExitCode.OK, (words, done.output)
    asked = tuban(check)
    assert asked.exit_code == ExitCode.USER_ERROR
    assert "mine/before.tif" in asked.output


def test_it_says_how_tuban_comes_on_the_path(monkeypatch, capsys, tmp_path):
    (tmp_path / "clues.geojson").write_text('{"features": []}')
    (tmp_path / "activate").touch()
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    _next_steps(tmp_path)
    assert f"source {tmp_path / 'activate'}\n" in capsys.readouterr().out
