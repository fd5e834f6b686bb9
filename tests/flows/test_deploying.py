"""What `tuban deploy` wants on a server: the file, the configs, the schedules."""

from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from configs.errors import ConfigError
from flows.cli.app import build_app
from flows.server.checks import require_runnable
from flows.server.deployments import Deployment, shipped_file, wanted_deployments
from tests.flows.command import ROOT
from tests.flows.minicounty import build_mini, write_config


def wanted(*configs: Path, **options: object) -> dict[str, Deployment]:
    found = wanted_deployments(list(configs), Path("runs"), **options)
    return {one.full_name: one for one in found}


def test_the_file_at_the_top_is_the_shipped_one():
    assert (ROOT / "prefect.yaml").resolve() == shipped_file().resolve()


def test_without_configs_the_form_asks_and_nothing_runs_by_itself():
    found = wanted()
    assert list(found) == ["annual/form", "quarterly/form", "emergency/form"]
    for one in found.values():
        assert one.schedules == []
        assert one.parameters == {"out": str(Path("runs").resolve())}
        assert one.work_pool.job_variables["env"]["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize(
    ("profile", "times"),
    [("annual", ["0 2 10 1 *"]), ("quarterly", ["0 2 3 1,4,7,10 *"]), ("emergency", [])],
)
def test_a_config_becomes_a_deployment_of_its_profile(
    profile: str, times: list[str], tmp_path: Path
):
    config = write_config(tmp_path, name=f"our-{profile}", profile=profile)
    found = wanted(config, pool="cluster")
    assert list(found) == [f"{profile}/our-{profile}"]
    (one,) = found.values()
    assert one.entrypoint == f"flows.{profile}.{profile}"
    assert one.parameters["config"] == str(config)
    assert [s.cron for s in one.schedules] == times
    assert {s.timezone for s in one.schedules} <= {"Asia/Shanghai"}
    assert one.work_pool.name == "cluster"


def test_a_config_without_profile_is_annual(tmp_path: Path):
    assert list(wanted(write_config(tmp_path))) == ["annual/mini"]


def test_two_configs_of_one_name_are_refused(tmp_path: Path):
    first, second = (tmp_path / name for name in "ab")
    first.mkdir()
    second.mkdir()
    with pytest.raises(ConfigError, match="two configs make the deployment annual/mini"):
        wanted(write_config(first), write_config(second))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"cron": "0 2 10 1"}, "five fields"),
        ({"timezone": "Asia/Peking"}, "no time zone"),
        ({"when": "daily"}, "schedules.0.when"),
    ],
)
def test_faults_of_the_file_are_told_with_their_line(
    change: dict[str, str], told: str, tmp_path: Path
):
    data = yaml.safe_load(shipped_file().read_text(encoding="utf-8"))
    data["deployments"][0]["schedules"][0] |= change
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(ConfigError, match=told) as caught:
        wanted(file=path)
    assert "own.yaml, line" in caught.value.where


def deploy(*arguments: object) -> Result:
    return CliRunner().invoke(build_app(), ["deploy", "--dry-run", *map(str, arguments)])


def test_a_config_that_cannot_run_is_not_deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    build_mini(tmp_path)
    config, out = write_config(tmp_path, profile="quarterly"), tmp_path / "runs"
    told = deploy(config, "--out", out)
    assert told.exit_code == 0, told.output
    assert "quarterly/mini has a schedule but fixed images" in told.stderr
    emergency = write_config(tmp_path, profile="emergency")
    assert "fixed images" not in deploy(emergency, "--out", out).stderr
    (tmp_path / "after.tif").rename(tmp_path / "elsewhere.tif")
    with pytest.raises(ConfigError, match=r"mini\.yaml cannot run: images: ") as caught:
        require_runnable([config], out)
    assert "after.tif" in caught.value.where
    refused = deploy(config, "--out", out)
    assert refused.exit_code == 1
    assert "would be created" not in refused.output
    assert deploy(config, "--out", out, "--no-check").exit_code == 0
