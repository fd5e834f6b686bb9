"""Models trained, chosen, handed on, and used by a run."""

import datetime as dt
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from configs.errors import ConfigError, InputError
from configs.run import RunConfig
from configs.vocabulary import COVERS
from flows.cli.app import build_app
from flows.learning.modeltraining import train_landcover
from flows.plan import RunPlan, make_plan
from flows.runner import work_run
from flows.stages import RunOptions
from flows.stored import stored_landcover
from models.features import feature_names
from models.forest import Forest
from models.landcover import LandcoverState, landcover_arrays
from models.modelfile import ModelCard, save_model
from tests.flows.command import ROOT, made
from tests.flows.minicounty import build_mini, write_config

BANDS = ("blue", "green", "red", "nir")
SIX = (*BANDS, "swir1", "swir2")


def tuban(*args: object, code: int = 0) -> str:
    result = CliRunner().invoke(build_app(), ["--quiet", *map(str, args)])
    assert result.exit_code == code, result.output
    return result.output


def store(
    folder: Path, name: str, bands: tuple[str, ...] = BANDS, roles: tuple[str, ...] = (),
    classes: tuple[str, ...] = COVERS, **card: object,
) -> Path:  # fmt: skip
    """Store a model that never votes."""
    roles = roles or bands
    names, none = feature_names(bands, roles=roles), np.zeros(len(classes), np.int64)
    forest = Forest.empty(len(names), len(classes))
    state = LandcoverState(
        classes, bands, roles, names, forest, none, none, np.diag(none),
        (None,) * len(classes), None, None, None, (),
    )  # fmt: skip
    made = ModelCard(
        name, "landcover", dt.date(2025, 9, 30), sensor="generic", season="4 → 9",
        bands=bands, roles=roles, classes=classes, features=names, settings={"pixel_m": 10.0},
        metrics={"macro_f1": 0.875, "f1.water": 0.9}, data={"samples": {"water": 30}},
    )  # fmt: skip
    return save_model(folder, replace(made, **card), landcover_arrays(state))


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_mini(tmp_path_factory.mktemp("mini"))


@pytest.fixture(scope="module")
def plan(mini: Path) -> RunPlan:
    return make_plan(RunConfig.load(mini))


def test_the_commands_choose_show_and_hand_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TUBAN_MODELS", str(tmp_path / "models"))
    path = store(tmp_path / "models", "forest-a")
    assert tuban("model", "use", "forest-a") == f"landcover: {path.stem}\n"
    row = tuban("model", "list").splitlines()[0]
    assert row.split("\t") == [
        "*", path.stem, "landcover", "2025-09-30", "generic", "4 → 9", "0.875",
    ]  # fmt: skip
    chinese, english = tuban("model", "show", "forest-a").split("\n\n")
    assert "F1 水面：0.9" in chinese
    assert "样本数：水面：30" in chinese
    assert "F1 water: 0.9" in english
    assert not [c for c in english if "\u4e00" <= c <= "\u9fff"]
    shown = json.loads(tuban("model", "show", path, "--json"))
    assert shown["hash"].startswith(path.stem[-8:])
    carried = Path(tuban("model", "export", "forest-a", tmp_path / "model.tuban").strip())
    there = ("--registry", tmp_path / "there")
    added = Path(tuban("model", "add", carried, *there).strip())
    assert added.read_bytes() == path.read_bytes()
    (added.parent / "pickle-00000000.tuban").write_bytes(b"\x80\x04N.")
    said = tuban("model", "list", *there, code=3)
    assert path.stem in said
    assert "Python pickle" in said
    assert "where:" in tuban("model", "show", "nobody", code=1)
    (tmp_path / "forest.pkl").write_bytes(b"\x80\x04N.")
    assert "Python pickle" in tuban("model", "show", tmp_path / "forest.pkl", code=1)
    path.unlink()
    assert "tuban model use" in tuban("model", "list", code=3)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"bands": SIX}, r"bands: .*swir2; of the run: blue, green, red, nir"),
        ({"roles": ("blue", "green", "nir", "red")}, r"roles of the bands"),
        ({"classes": COVERS[:4]}, "land-cover classes: cropland, garden, forest, grass; of"),
        ({"sensor": "sentinel2_l2a"}, "sensor of the before date: sentinel2_l2a; of"),
        ({"settings": {"pixel_m": 2.0}}, "pixels of 2 m, those of the run are 10 m"),
        ({"kind": "change"}, "of kind change, not landcover"),
    ],
)
def test_a_model_that_does_not_fit_the_run_is_refused(
    mini: Path, plan: RunPlan, tmp_path: Path, changes, told
):
    path = store(tmp_path, "forest-a", **changes)
    config = RunConfig.load(mini)
    chosen = config.landcover.model_copy(update={"model": str(path)})
    with pytest.raises(InputError, match=told) as caught:
        stored_landcover(config.model_copy(update={"landcover": chosen}), plan)
    assert str(path) in caught.value.where
    assert caught.value.fix


def test_a_config_names_a_model_by_name_path_or_as_the_one_in_use(
    mini: Path, plan: RunPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("TUBAN_MODELS", raising=False)
    path = store(tmp_path / "tuban-models", "forest-a")
    for named in ("forest-a", f"tuban-models/{path.name}", "in-use"):
        config = tmp_path / "run.yaml"
        text = mini.read_text(encoding="utf-8").replace("trees: 5", f"model: {named}")
        config.write_text(text, encoding="utf-8")
        if named == "in-use":
            with pytest.raises(InputError, match="no landcover model is in use"):
                stored_landcover(RunConfig.load(config), plan)
            tuban("model", "use", "forest-a", "--registry", path.parent)
        stored = stored_landcover(RunConfig.load(config), plan)
        assert stored is not None
        assert stored.card.label == path.stem
    config.write_text(text.replace("model: in-use", "model: in-use\n  enabled: false"))
    with pytest.raises(ConfigError, match="not enabled"):
        RunConfig.load(config)


def test_a_name_is_looked_at_before_the_work(mini: Path, tmp_path: Path):
    labels = tmp_path / "two villages.yaml"
    said = tuban("model", "train", "--labels", labels, code=1)
    assert "'two villages' is no name for a model" in said
    assert "--name" in said
    with pytest.raises(InputError, match="no name for a model"):
        train_landcover(RunConfig.load(mini), tmp_path, name="a/b", created=dt.date(2025, 9, 30))


@pytest.mark.slow
def test_the_page_runs_and_a_run_with_its_own_model_gives_the_same_clues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("TUBAN_MODELS", raising=False)
    monkeypatch.chdir(tmp_path)

    def work(**landcover: object) -> tuple[Path, dict]:
        settings = {"trees": 5, "max_depth": 6, "samples_per_class": 100, **landcover}
        config = write_config(tmp_path, landcover=settings, outputs={"evidence": "none"})
        shutil.copy(config, "county.yaml")
        options = RunOptions(tile=128, workers=1)
        summary = work_run(config, tmp_path / "runs", options, plain=True)
        return Path(summary["folder"]), summary

    build_mini(tmp_path)
    folder, plain = work()
    names = ("patches", "findings", "coverage")
    tables = {n: pd.read_parquet(folder / f"{n}.parquet") for n in names}
    clues = json.loads((folder / "clues.geojson").read_bytes())["features"]
    commands = page_blocks("")[0]
    (use_it,) = (block for block in page_blocks("yaml") if "landcover: {model:" in block)
    said = {words[2]: tuban(*words[1:]) for words in map(str.split, commands.splitlines())}
    (path,) = (tmp_path / "tuban-models").glob("*.tuban")
    assert path.stem in said["list"]
    assert (tmp_path / "other-machine" / path.name).read_bytes() == path.read_bytes()
    card = json.loads(tuban("model", "show", "county-2025", "--json"))
    assert card["metrics"]["macro_f1"] == plain["stages"]["fit"]["landcover_macro_f1"]
    assert sum(card["data"]["samples"].values()) > 300
    assert set(card["data"]["files"]) >= {"before 0", "after 0"}

    again, stored = work(**yaml.safe_load(use_it)["landcover"])
    assert f"ok   model: {path.stem}" in tuban("check", "county.yaml")
    assert again == folder
    assert stored["stages"]["fit"]["hash"] == plain["stages"]["fit"]["hash"]
    assert stored["models"][0]["hash"] == card["hash"]
    assert plain["models"] == []
    assert path.stem in (folder / "report.html").read_text(encoding="utf-8")
    assert json.loads((folder / "clues.geojson").read_bytes())["features"] == clues
    for name, table in tables.items():
        pd.testing.assert_frame_equal(pd.read_parquet(folder / f"{name}.parquet"), table)
    assert made(folder)["fit"] == 2

    other = write_config(tmp_path, landcover={"trees": 2, "max_depth": 3})
    tuban("fit", other, "-o", "state")
    config = write_config(tmp_path, landcover={"model": "county-2025"})
    options = RunOptions(tile=128, workers=1, state=Path("state"))
    handed = work_run(config, tmp_path / "handed", options, plain=True)
    assert handed["models"][0]["hash"] == card["hash"]
    assert handed["stages"]["fit"]["hash"] == plain["stages"]["fit"]["hash"]


def page_blocks(language: str) -> list[str]:
    """Return the blocks of a language of the how-to page."""
    text = (ROOT / "docs" / "how-to" / "models.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
