"""Files of other versions of their format are refused, with the version that is read."""

from pathlib import Path

import pytest

from configs.errors import ConfigError
from configs.layers import LayersFile
from configs.loading import StrictModel, load_model
from configs.run import RunConfig


def refused(model: type[StrictModel], path: Path, version: object) -> str:
    path.write_text(f"name: x\nversion: {version}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as told:
        load_model(model, path)
    return str(told.value)


@pytest.mark.parametrize("model", [RunConfig, LayersFile])
def test_newer_and_unknown_versions_are_refused_with_the_remedy(
    model: type[StrictModel], tmp_path: Path
):
    newer = refused(model, tmp_path / "a.yaml", 7)
    assert "the file is of version 7; this program reads version 1" in newer
    assert "a.yaml, line 2" in newer
    assert "use the version of tuban that it was written for, or a later one" in newer
    assert "write version: 1, or leave it out" in refused(model, tmp_path / "a.yaml", 0)


def test_a_version_that_is_no_number_is_an_ordinary_mistake(tmp_path: Path):
    assert "version" in refused(RunConfig, tmp_path / "a.yaml", "'1.0'")
