"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real imagery and layers; skip where it is absent."""
    folder = Path(os.environ.get("TUBAN_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data sets are not at {folder}; set TUBAN_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def oracle_dir() -> Path:
    """Return the folder of the worked county; skip where it is absent."""
    folder = Path(os.environ.get("TUBAN_ORACLE", ROOT.parent / "shared" / "domain" / "oracle"))
    if not folder.is_dir():
        pytest.skip(f"the worked county is not at {folder}; set TUBAN_ORACLE to its folder")
    return folder
