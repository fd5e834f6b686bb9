"""Fixtures shared by all tests."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]


# Drawn examples are the same in every run, so that a change and nothing else turns a test red;
# TUBAN_EXAMPLES=fresh draws others (`make test-long` does).
settings.register_profile("repeated", derandomize=True, deadline=None)
settings.register_profile("fresh", derandomize=False, deadline=None)
settings.load_profile(os.environ.get("TUBAN_EXAMPLES", "repeated"))

# Prefect reads this when it is first imported, in whichever test that is; a busy machine wants it.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")

LOGGERS = ("", "configs", "tiles", "detect", "models", "clues", "flows")


@pytest.fixture(autouse=True)
def log_levels() -> Iterator[None]:
    """Give each test the log levels of a fresh process: commands set them as they are told."""
    before = [logging.getLogger(name).level for name in LOGGERS]
    yield
    for name, level in zip(LOGGERS, before, strict=True):
        logging.getLogger(name).setLevel(level)


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Let a skipped desk test fail where its parts were to be installed (TUBAN_DESK=required)."""
    report = yield
    if report.skipped and item.get_closest_marker("desk") and os.environ.get("TUBAN_DESK"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped: {report.longrepr[2]}"
    return report
