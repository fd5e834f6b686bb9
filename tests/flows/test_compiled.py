"""Runs as people start them compile every kernel, without the interpreter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.command import ROOT
from tests.flows.minicounty import build_mini, write_config


@pytest.mark.slow
def test_every_kernel_is_compiled(tmp_path: Path):
    """The cache is empty: a cached kernel would hide that its helpers were compiled into it."""
    build_mini(tmp_path)
    config = write_config(tmp_path, detection={"method": "auto"})
    told = subprocess.run(
        [sys.executable, "-m", "tests.flows.compiled", str(config), str(tmp_path / "runs")],
        cwd=ROOT,
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert told.returncode == 0, told.stderr[-3000:]
    count, *idle = told.stdout.splitlines()
    assert int(count.split()[0]) >= 40
    assert idle == []
