"""What editors and readers are told of a config: schemas, the template, shipped files."""

import datetime as dt
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from configs.errors import ConfigError
from configs.loading import StrictModel, load_model
from configs.profiles import ProfileName
from configs.run import RunConfig
from configs.schemas import SCHEMA_FILES, editor_schema
from flows.cli.app import build_app

ROOT = Path(__file__).resolve().parents[2]
FILES = {"tuban.yaml": "tuban.schema.json", "LAYERS.yaml": "LAYERS.schema.json"}


def plain(text: str) -> Any:
    """Return the values of a YAML text as an editor reads them: days are texts."""
    return json.loads(json.dumps(yaml.safe_load(text), default=dt.date.isoformat))


def problems(text: str, schema: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema)
    return [f"{list(e.path)}: {e.message}" for e in validator.iter_errors(plain(text))]


@pytest.fixture(params=get_args(ProfileName))
def begun(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    result = CliRunner().invoke(build_app(), ["init", str(tmp_path), "--profile", request.param])
    assert result.exit_code == 0, result.output
    return tmp_path


def test_what_init_writes_names_its_schema_and_keeps_to_it(begun: Path):
    for name, schema in FILES.items():
        text = (begun / name).read_text(encoding="utf-8")
        assert text.startswith(f"# yaml-language-server: $schema={schema}\n")
        written = json.loads((begun / schema).read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(written)
        assert written == editor_schema(SCHEMA_FILES[schema])
        assert not problems(text, written)


@pytest.mark.parametrize("model", SCHEMA_FILES.values(), ids=lambda m: m.__name__)
def test_a_wrong_value_is_answered_with_the_schema(model: type[StrictModel], tmp_path: Path):
    (tmp_path / "a.yaml").write_text("version: 1\nlayers: 7.5\n")
    with pytest.raises(ConfigError) as refused:
        load_model(model, tmp_path / "a.yaml")
    assert "tuban run --schema" in refused.value.fix


@pytest.mark.parametrize("model", SCHEMA_FILES.values(), ids=lambda m: m.__name__)
def test_the_template_names_every_key(model: type[RunConfig], begun: Path):
    name = "tuban.yaml" if model is RunConfig else "LAYERS.yaml"
    text = (begun / name).read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:# ?)?([a-z_]+):", text, re.MULTILINE))
    assert set(editor_schema(model)["properties"]) <= named


def test_a_misspelt_key_is_told_by_schema_and_program(begun: Path):
    path = begun / "tuban.yaml"
    text = path.read_text(encoding="utf-8").replace("connectivity:", "conectivity:")
    path.write_text(text, encoding="utf-8")
    assert len(problems(text, editor_schema(RunConfig))) == 1
    with pytest.raises(ConfigError, match=r"unknown key 'detection\.conectivity'") as told:
        RunConfig.load(path)
    assert "did you mean 'connectivity'?" in str(told.value)


@pytest.mark.parametrize(
    "text",
    [
        "{name: a, profile: quarterly, catalog: catalog}",
        "{name: a, catalog: c, before: best, after: latest, clouds: s2cloudless}",
        "{name: a, before: {scenes: [b.tif], date: 2025-03-05}, after: {scenes: [a.tif]}}",
    ],
)
def test_short_forms_are_no_mistakes_in_an_editor(text: str):
    assert RunConfig.model_validate(yaml.safe_load(text))
    assert not problems(text, editor_schema(RunConfig))


READ_ALL = """
import sys
from pathlib import Path
opened = set()
sys.addaudithook(lambda event, args: opened.add(str(args[0])) if event == "open" else None)
import datetime, configs
from configs import (batches, cases, channels, crosswalk, holidays, indices, layers, problems,
                     reportwords, rules, run, sensors, transitions, verdicts, vetting, vocabulary,
                     watching)
from configs.loading import available
from flows.runs.rates import shipped_rates

readers = {"rules": rules.load_rules, "vetting": vetting.load_vetting,
           "watching": watching.load_watch_rules, "sensors": sensors.sensor_spec}
for kind, reader in readers.items():
    for name in available(kind):
        reader(name)
for name in available("profiles"):
    run.RunConfig.model_validate({"name": name, "profile": name, "catalog": "catalog"})
shipped_rates(), indices.index_catalogue(), indices.quantities(), transitions.transitions()
for scheme in ("sandiao", "guide2023"):
    vocabulary.land_classes(scheme)
vocabulary.change_types(), vocabulary.uses(), vocabulary.roles(), cases.case_book()
batches.due_days("annual"), channels.channel_name("x"), verdicts.verdict_meaning("x")
crosswalk.class_of_use("road", "sandiao"), holidays.is_working_day(datetime.date(2025, 1, 1))
layers.role_fields("landuse"), problems.reason_name("x"), reportwords.report_words()
folder = Path(configs.__file__).parent
print(sorted(str(p.relative_to(folder)) for p in folder.rglob("*.yaml") if str(p) not in opened))
"""


def test_every_shipped_file_is_read_and_keeps_its_contract():
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"
