"""What `tuban deploy` wants on a server: the file, the configs, the schedules."""

from pathlib import Path

import pytest
import yaml

from configs.errors import ConfigError
from flows.deployments import Deployment, shipped_file, wanted_deployments
from tests.flows.command import ROOT
from tests.flows.minicounty import write_config


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
