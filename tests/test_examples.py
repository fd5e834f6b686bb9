"""The worked examples of the contributor pages: each patch applies, and its command passes."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "contributing"
PAGES = sorted(p.stem for p in FOLDER.glob("*.md") if "." not in p.stem and p.stem != "index")
COPIED = ("configs", "tiles", "detect", "models", "clues", "web", "flows", "tests", "benchmarks")
MOST_LINES = 40


def block(page: str, language: str) -> str:
    text = (FOLDER / f"{page}.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return str(found)


def test_there_is_an_example_of_each_kind():
    assert PAGES == ["change-method", "output", "rule", "sensor", "spectral-index"]


@pytest.mark.parametrize("page", PAGES)
def test_an_example_is_short(page: str):
    added = [x for x in block(page, "diff").splitlines() if x[:1] == "+" and x[:3] != "+++"]
    assert len(added) <= MOST_LINES


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_an_example_works_as_written(page: str, tmp_path: Path):
    for room in COPIED:
        shutil.copytree(ROOT / room, tmp_path / room)  # compiled kernels come along
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    patch = ["git", "apply", "--unidiff-zero", "-"]
    subprocess.run(patch, cwd=tmp_path, input=block(page, "diff"), text=True, check=True)
    program, *rest = shlex.split(block(page, "sh"))
    assert program == "python"
    done = subprocess.run(
        [sys.executable, *rest],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
