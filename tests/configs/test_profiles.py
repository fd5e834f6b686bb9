"""Profiles fill what a run config leaves open, and nothing else."""

import datetime as dt
from typing import get_args

import pytest
from pydantic import ValidationError

from configs.errors import ConfigError
from configs.loading import available, load_model
from configs.profiles import ProfileName, profile_values
from configs.run import RunConfig

PAIR = {"name": "hot", "before": {"scenes": ["a.tif"]}, "after": {"scenes": ["b.tif"]}}


def _config(**values: object) -> RunConfig:
    return RunConfig.model_validate(PAIR | values)


def _part(values: dict, like: dict) -> dict:
    """Return of some values what another mapping has, key by key."""
    return {k: _part(values[k], v) if isinstance(v, dict) else values[k] for k, v in like.items()}


def test_every_profile_is_shipped():
    assert set(available("profiles")) == set(get_args(ProfileName))


@pytest.mark.parametrize("name", get_args(ProfileName))
def test_a_profile_fills_what_is_open(name: str):
    bare = _config()
    config = RunConfig.model_validate({"name": "hot", "profile": name, "catalog": "catalog"})
    values = profile_values(name)
    assert config != bare
    for part, wanted in values.items():
        found = config.model_dump(mode="json")[part]
        if isinstance(wanted, dict):
            assert _part(found, wanted) == wanted
        else:
            assert found == wanted


def test_what_the_config_says_stands():
    config = _config(profile="emergency", outputs={"evidence": "all"}, gate={"max_shift_px": 3})
    assert config.outputs.evidence == "all"
    assert config.gate.max_shift_px == 3.0
    assert config.outputs.pictures == profile_values("emergency")["outputs"]["pictures"]
    assert config.gate.max_residual_px == profile_values("emergency")["gate"]["max_residual_px"]


@pytest.mark.parametrize(
    ("stated", "after", "quarter"),
    [
        *((None, dt.date(2025, month, 28), (month + 2) // 3) for month in (1, 3, 4, 6, 9, 10, 12)),
        (4, dt.date(2025, 1, 28), 4),
        (1, dt.date(2025, 12, 28), 1),
        (None, None, 1),
    ],
)
def test_a_quarter_that_is_left_open_is_that_of_the_after_date(stated, after, quarter):
    assert _config(quarter=stated).quarter_of(after) == quarter


def test_dates_that_the_config_names_are_not_looked_for():
    config = _config(profile="annual")
    assert (config.before.rule, config.after.rule) == (None, None)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"after": "latest"}, "after is found in a catalogue"),
        ({"after": {"scenes": ["b.tif"], "latest": {}}}, "one of scenes, latest and best"),
        ({"after": {}}, "one of scenes, latest and best"),
        ({"after": "best", "catalog": "c"}, "best is for before"),
        ({"before": "best", "catalog": "c"}, "needs after: latest"),
        ({"after": {"latest": {"months": [0, 4]}}, "catalog": "c"}, "months are numbers"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(values: dict, told: str):
    with pytest.raises(ValidationError, match=told):
        _config(**values)


@pytest.mark.parametrize("name", get_args(ProfileName))
def test_a_frozen_config_is_read_back_as_it_was(name: str):
    config = _config(profile=name)
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("text", "told"),
    [("profil: annual", "did you mean 'profile'"), ("profile: annua", "'annua' must be 'annual'")],
)
def test_a_slip_is_told_with_the_nearest_name(tmp_path, text: str, told: str):
    file = tmp_path / "tuban.yaml"
    scenes = "before: {scenes: [a.tif]}\nafter: {scenes: [b.tif]}\n"
    file.write_text(f"name: hot\n{scenes}{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="line 4") as caught:
        load_model(RunConfig, file)
    assert told in str(caught.value)
