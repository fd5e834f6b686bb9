"""Kernels give interpreted what they give compiled."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.flows.command import ROOT

LAST_BIT = 2**-23
"""By which float32 may differ where the compiler joins a product and a sum."""


def worked(folder: Path, **environment: str) -> dict[str, np.ndarray]:
    """Work every kernel in a process of its own; return what came out."""
    folder.mkdir()
    told = subprocess.run(
        [sys.executable, "-m", "tests.detect.interpreted", str(folder)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert told.returncode == 0, told.stderr[-3000:]
    with np.load(folder / "found.npz") as found:
        return dict(found)


@pytest.mark.long
def test_kernels_interpreted(tmp_path: Path):
    """Also how the lines of kernels are counted in `make coverage`."""
    compiled = worked(tmp_path / "compiled")
    interpreted = worked(tmp_path / "interpreted", NUMBA_DISABLE_JIT="1")
    assert compiled.keys() == interpreted.keys()
    for name, values in compiled.items():
        assert values.size > 0, name
        np.testing.assert_allclose(interpreted[name], values, rtol=LAST_BIT, err_msg=name)
