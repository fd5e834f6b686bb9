"""The picture of a whole run: decoded beside the judgement where there is room, else later."""

from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import pytest

from configs.errors import RasterError
from flows import overview
from flows.finished import finished_context, run_summary
from flows.overview import Overview, overview_of
from flows.runner import work_run
from flows.stagekeys import RunOptions
from flows.stages import StageContext
from tests.flows.command import run_folder
from tests.flows.minicounty import build_mini

ROOMY, ONE_CORE = RunOptions(workers=2, memory=64 << 30), RunOptions(workers=1)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_mini(tmp_path_factory.mktemp("mini"))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return whether each picture was decoded beside something, as they are asked."""
    found: list[bool] = []
    real = overview_of

    def noted(context: StageContext, *ended: object) -> object:
        found.append(bool(ended))
        return real(context, *ended)

    monkeypatch.setattr(overview, "overview_of", noted)
    return found


@pytest.mark.parametrize("options", [ROOMY, ONE_CORE])
def test_a_run_decodes_its_picture_once(
    config: Path, tmp_path: Path, decoded: list[bool], options: RunOptions
) -> None:
    work_run(config, tmp_path, options, plain=True)
    assert decoded == [options is ROOMY]
    report = (run_folder(tmp_path) / "report.html").read_bytes()
    work_run(config, tmp_path, options, plain=True)
    assert len(decoded) == 1
    (run_folder(tmp_path) / "report.html").unlink()
    work_run(config, tmp_path, options, plain=True)
    assert decoded == [options is ROOMY, False]  # alone it has all cores
    assert (run_folder(tmp_path) / "report.html").read_bytes() == report


def test_a_picture_that_failed_beside_the_judgement_is_decoded_again(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, beside = overview_of, []

    def away(context: StageContext, *ended: object) -> object:
        if ended:
            beside.append(context)
            raise RasterError("the share is away", "after.tif", "connect it")
        return real(context)

    monkeypatch.setattr(overview, "overview_of", away)
    work_run(config, tmp_path, ROOMY, plain=True)
    assert len(beside) == 1
    assert (run_folder(tmp_path) / "report.html").is_file()


def test_a_new_plan_leaves_off_the_picture_of_the_old_one(config: Path, tmp_path: Path) -> None:
    work_run(config, tmp_path, ROOMY, plain=True)
    folder = run_folder(tmp_path)
    context = finished_context(folder, run_summary(folder))
    assert context is not None
    old = context.overview
    context.options = ROOMY
    context.replan()
    assert context.overview is not old
    with pytest.raises(CancelledError):
        overview_of(context, old._ended)


def test_the_picture_is_the_same_whenever_it_is_decoded(config: Path, tmp_path: Path) -> None:
    work_run(config, tmp_path, ROOMY, plain=True)
    folder = run_folder(tmp_path)
    context = finished_context(folder, run_summary(folder))
    assert context is not None
    context.options = ROOMY
    ahead, now = Overview(context), Overview(context).picture()
    ahead.begin(patches=3)
    ahead.begin(patches=3)
    np.testing.assert_array_equal(ahead.picture().image, now.image)
    assert ahead.picture() is ahead.picture()
    ahead.end()
