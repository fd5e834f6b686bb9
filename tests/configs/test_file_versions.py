"""Files tell the version of their format: others are refused, those of version 1 are read on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

from configs.errors import ConfigError
from configs.labelled import LabelledPairs
from configs.layers import LayersFile
from configs.loading import StrictModel, load_model
from configs.monitoring import MonitorConfig
from configs.rules import _RuleFile, load_rules
from configs.run import RunConfig
from configs.vetting import VettingRules
from configs.watching import WatchRules
from flows.cli.app import build_app

FORMATS: dict[str, type[StrictModel]] = {
    "run": RunConfig,
    "layers": LayersFile,
    "rules": _RuleFile,
    "monitor": MonitorConfig,
    "vetting": VettingRules,
    "watching": WatchRules,
    "labelled": LabelledPairs,
}
"""Every kind of file that users write and that tells its version."""

KEYS = Path(__file__).with_name("keys_of_version_1.txt")
"""What a file of version 1 may hold: a line for each key, each value of a choice, each must (!)."""


def refused(read: Callable[[Path], object], path: Path, version: object) -> str:
    path.write_text(f"name: x\nversion: {version}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as told:
        read(path)
    return str(told.value)


@pytest.mark.parametrize("name", FORMATS)
def test_newer_and_unknown_versions_are_refused_with_the_remedy(name: str, tmp_path: Path):
    def read(path: Path) -> object:
        return load_model(FORMATS[name], path)

    newer = refused(read, tmp_path / "a.yaml", 7)
    assert "the file is of version 7; this program reads version 1" in newer
    assert "a.yaml, line 2" in newer
    assert "install the version of tuban that it was written for, or a later one" in newer
    assert "write version: 1, or leave it out" in refused(read, tmp_path / "a.yaml", 0)


def test_a_version_that_is_no_number_is_an_ordinary_mistake(tmp_path: Path):
    assert "version" in refused(RunConfig.load, tmp_path / "a.yaml", "'1.0'")


def test_a_rule_set_on_a_newer_base_names_the_base(tmp_path: Path):
    own = tmp_path / "own.yaml"
    own.write_text("name: own\ntitle: {zh: 规则, en: rules}\nextends: base.yaml\n", "utf-8")
    told = refused(lambda _: load_rules(str(own)), tmp_path / "base.yaml", 2)
    assert "base.yaml, line 2" in told
    assert "version 2; this program reads version 1" in told


def test_a_run_with_a_newer_config_or_rule_set_ends_before_it_begins(tmp_path: Path):
    scenes = "before: {scenes: [a.tif]}\nafter: {scenes: [b.tif]}\n"
    newer, older = tmp_path / "newer.yaml", tmp_path / "older.yaml"
    newer.write_text(f"name: x\nversion: 2\n{scenes}", "utf-8")
    older.write_text(f"name: x\nrules: rules.yaml\n{scenes}", "utf-8")
    (tmp_path / "rules.yaml").write_text("name: r\nversion: 2\n", "utf-8")
    for config, file in ((newer, "newer.yaml"), (older, "rules.yaml")):
        told = CliRunner().invoke(build_app(), ["check", str(config), "--out", str(tmp_path)])
        assert told.exit_code == 1
        assert "of version 2; this program reads version 1" in told.output
        assert f"{file}, line 2" in told.output
        assert "or a later one" in told.output
        assert not [p for p in tmp_path.iterdir() if p.is_dir()]


def keys_of(model: type[StrictModel]) -> set[str]:
    """Return what a file may hold: keys with their places, values of choices, musts."""
    schema = model.model_json_schema(by_alias=True)
    found: set[str] = set()

    def walk(part: dict[str, Any], at: str, above: tuple[str, ...]) -> None:
        if name := part.get("$ref", "").rpartition("/")[2]:
            if name not in above:
                walk(schema["$defs"][name], at, (*above, name))
            return
        for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            for one in part.get(key, ()):
                walk(one, at, above)
        for key, place in (("items", "[]"), ("additionalProperties", ".*")):
            if isinstance(part.get(key), dict):
                walk(part[key], at + place, above)
        choice = part.get("enum", [part["const"]] if "const" in part else [])
        found.update(f"{at} = {value}" for value in choice)
        found.update(f"{at}.{must} !" for must in part.get("required", ()))
        for key, one in part.get("properties", {}).items():
            found.add(f"{at}.{key}")
            walk(one, f"{at}.{key}", above)

    walk(schema, "", ())
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_what_version_1_could_hold_is_still_read(name: str):
    """A key or value that goes, or one that becomes a must, needs a new version."""
    assert 1 in get_args(FORMATS[name].model_fields["version"].annotation)
    written = {
        key
        for kind, _, key in (line.partition(" ") for line in KEYS.read_text("utf-8").splitlines())
        if kind == name
    }
    now = keys_of(FORMATS[name])
    assert len(written) > 10
    assert sorted(key for key in written - now if not key.endswith(" !")) == []
    musts = {key.removesuffix(" !") for key in now - written if key.endswith(" !")}
    assert sorted(key for key in musts if key in written or key.count(".") == 1) == []
