"""The county whose run the commands of the pages are typed at."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.demo.county import DemoCounty
from flows.runner import work_run
from flows.stages import RunOptions
from tests.flows.conftest import quick_county

__all__ = ["WorkedCounty", "quick_county", "worked_county"]


@dataclass(frozen=True)
class WorkedCounty:
    """A small demo county and its finished run; neither is to be written to."""

    county: DemoCounty
    run: Path


@pytest.fixture(scope="session")
def worked_county(
    quick_county: DemoCounty, tmp_path_factory: pytest.TempPathFactory
) -> WorkedCounty:
    """Return the county with its run."""
    out = tmp_path_factory.mktemp("runs")
    summary = work_run(quick_county.config, out, RunOptions("threads", 1), plain=True)
    return WorkedCounty(quick_county, Path(summary["folder"]))
