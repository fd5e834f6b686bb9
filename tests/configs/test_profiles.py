"""Profiles fill what a run config leaves open, and nothing else."""

from typing import get_args

import pytest

from configs.errors import ConfigError
from configs.loading import available, load_model
from configs.profiles import ProfileName, profile_values
from configs.run import RunConfig

PAIR = {"name": "hot", "before": {"scenes": ["a.tif"]}, "after": {"scenes": ["b.tif"]}}


def _config(**values: object) -> RunConfig:
    return RunConfig.model_validate(PAIR | values)


def test_every_profile_is_shipped():
    assert set(available("profiles")) == set(get_args(ProfileName))


@pytest.mark.parametrize("name", get_args(ProfileName))
def test_a_profile_fills_what_is_open(name: str):
    bare, config = _config(), _config(profile=name)
    values = profile_values(name)
    assert config != bare
    for part, wanted in values.items():
        found = config.model_dump(mode="json")[part]
        if isinstance(wanted, dict):
            assert {key: found[key] for key in wanted} == wanted
        else:
            assert found == wanted


def test_what_the_config_says_stands():
    config = _config(profile="emergency", outputs={"evidence": "all"}, gate={"max_shift_px": 3})
    assert config.outputs.evidence == "all"
    assert config.gate.max_shift_px == 3.0
    assert config.outputs.pictures == profile_values("emergency")["outputs"]["pictures"]
    assert config.gate.max_residual_px == profile_values("emergency")["gate"]["max_residual_px"]


@pytest.mark.parametrize("name", get_args(ProfileName))
def test_a_frozen_config_is_read_back_as_it_was(name: str):
    config = _config(profile=name)
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("text", "told"),
    [("profil: annual", "did you mean 'profile'"), ("profile: anual", "'anual' must be 'annual'")],
)
def test_a_slip_is_told_with_the_nearest_name(tmp_path, text: str, told: str):
    file = tmp_path / "tuban.yaml"
    scenes = "before: {scenes: [a.tif]}\nafter: {scenes: [b.tif]}\n"
    file.write_text(f"name: hot\n{scenes}{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="line 4") as caught:
        load_model(RunConfig, file)
    assert told in str(caught.value)
