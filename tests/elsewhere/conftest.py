"""The examples from other regions, run as their page tells."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import build_app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "other-countries.md"


def commands(example: str) -> list[list[str]]:
    """Return the commands of the page's section on an example."""
    section = PAGE.read_text(encoding="utf-8").split(f"({PAGE.stem}/{example}/LAYERS.yaml)")[-1]
    block = re.search(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert block is not None
    return [line.split()[1:] for line in block[1].splitlines()]


@pytest.fixture(scope="module")
def run_example(
    tmp_path_factory: pytest.TempPathFactory, data_dir: Path
) -> Callable[..., tuple[Path, list[tuple[int, str]]]]:
    """Run the commands of an example beside its data; return folder, exit codes and outputs."""

    def run(
        example: str, files: dict[str, Path], swap: dict[str, str] | None = None
    ) -> tuple[Path, list[tuple[int, str]]]:
        folder = tmp_path_factory.mktemp(example)
        for yaml in (PAGE.parent / PAGE.stem / example).glob("*.yaml"):
            shutil.copy(yaml, folder)
        for name, source in files.items():
            (folder / name).symlink_to(source)
        done = []
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            for words in commands(example):
                words = [(swap or {}).get(word, word) for word in words]
                result = CliRunner().invoke(build_app(), words)
                done.append((result.exit_code, result.output))
        return folder, done

    return run
