"""A run keeps the images that it found in the catalogue until it is finished."""

import datetime as dt
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from configs.errors import InputError
from configs.run import RunConfig
from configs.runparts import AreaSettings
from flows.checking import check_run
from flows.layersathand import layers_at_hand
from flows.opening import OPENING_NAME, Opening, images_of
from flows.runner import run_folder
from tests.tiles.cataloguemade import write_catalog

OLD: list[tuple[str, float, float | None]] = [("2024-06-20", 1.0, 0.0), ("2025-06-12", 1.0, 0.0)]
NEW: list[tuple[str, float, float | None]] = [*OLD, ("2025-06-22", 1.0, 0.0)]


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    file = tmp_path / "hot.yaml"
    file.write_text("name: hot\nprofile: quarterly\ncatalog: catalog\n", encoding="utf-8")
    write_catalog(tmp_path / "catalog", OLD)
    return RunConfig.load(file)


def _open(config: RunConfig, out: Path, *, fresh: bool = False) -> tuple[Opening, Path]:
    opening = images_of(config, out, fresh=fresh)
    folder = run_folder(opening.applied(config), out)
    folder.mkdir(parents=True, exist_ok=True)
    return opening.keep(folder), folder


def test_an_unfinished_run_keeps_its_images_and_a_new_one_takes_new_ones(config, tmp_path):
    out = tmp_path / "runs"
    first, folder = _open(config, out)
    assert first.days == {"before": "2024-06-20", "after": "2025-06-12"}
    write_catalog(tmp_path / "catalog", NEW)
    assert _open(config, out) == (first, folder)
    (folder / "run.json").write_text("{}")
    second, other = _open(config, out)
    assert second.days == {"before": "2024-06-20", "after": "2025-06-22"}
    assert other != folder
    assert _open(config, out) == (second, other)


def test_a_fresh_start_and_a_refused_pair_look_again(config, tmp_path):
    out = tmp_path / "runs"
    first, folder = _open(config, out)
    write_catalog(tmp_path / "catalog", NEW)
    second, other = _open(config, out, fresh=True)
    assert (second.days or {})["after"] == "2025-06-22"
    replace(second, released=True).keep(other)
    assert _open(config, out) == (first, folder)
    replace(first, released=True).keep(folder)
    assert _open(config, out)[1] == other


@pytest.mark.parametrize(
    ("profile", "today", "end", "told"),
    [
        ("quarterly", "2025-10-10", None, False),
        ("quarterly", "2025-10-11", None, True),
        ("quarterly", "2026-11-21", "2025-06-30", False),
        ("annual", "2026-11-21", None, True),
        ("emergency", "2025-06-27", None, False),
    ],
)
def test_old_images_are_told(config, tmp_path, profile, today, end, told):
    after = {"latest": {"end": end}}
    asked = {"name": "hot", "profile": profile, "catalog": config.catalog}
    asked |= {"after": after, "before": "latest"}
    day = dt.date.fromisoformat(today)
    opening = images_of(RunConfig.model_validate(asked), tmp_path, today=day)
    assert bool(opening.gaps) is told
    (tmp_path / "run").mkdir()
    kept = opening.keep(tmp_path / "run")
    assert Opening.of(tmp_path / "run") == kept
    if told:
        (said,) = kept.record["old_images"]
        assert "2025-06-12" in said["zh"]
        assert "what changed since is not in this list" in said["en"]


def test_an_emergency_is_not_worked_on_old_images_unless_the_config_allows_it(config, tmp_path):
    """The refusal names both keys, and what it says to write is what opens the run."""
    asked = {"name": "hot", "profile": "emergency", "catalog": config.catalog}
    day = dt.date(2025, 7, 12)
    with pytest.raises(InputError, match="of 2025-06-12, more than 15 days old") as refused:
        images_of(RunConfig.model_validate(asked), tmp_path, today=day)
    tell, fresh = re.findall(r"freshness: (\{[^}]+\})", refused.value.fix)
    assert yaml.safe_load(tell) == {"when_older": "tell"}
    assert yaml.safe_load(fresh) == {"oldest_days": 30}
    for allowed, told in ((tell, True), (fresh, False)):
        wish = RunConfig.model_validate(asked | {"freshness": yaml.safe_load(allowed)})
        assert bool(images_of(wish, tmp_path, today=day).old) is told


def test_check_says_how_old_images_are_allowed(config, tmp_path):
    file = tmp_path / "flood.yaml"
    file.write_text("name: flood\nprofile: emergency\ncatalog: catalog\n", encoding="utf-8")
    (found,) = [c for c in check_run(file, tmp_path / "runs") if not c.passed]
    assert found.name == "dates found"
    assert "more than 15 days old" in found.value
    assert "freshness: {when_older: tell}" in found.fix


def test_another_wish_is_another_run(config, tmp_path):
    out = tmp_path / "runs"
    _, folder = _open(config, out)
    write_catalog(tmp_path / "catalog", NEW)
    wish = config.model_copy(update={"before": config.before.model_copy(update={"order": "given"})})
    assert _open(wish, out)[1] != folder


def test_the_reason_of_the_same_images_stays_as_it_was_told(config, tmp_path):
    out = tmp_path / "runs"
    first, folder = _open(config, out)
    (folder / "run.json").write_text("{}")
    write_catalog(tmp_path / "catalog", [*OLD, ("2025-07-22", 0.2, 0.0)])
    again, same = _open(config, out)
    assert same == folder
    assert again.reasons == first.reasons
    assert "passed over" not in json.loads((folder / OPENING_NAME).read_text())["reasons"][0][1]
    assert [t["en"] for t in again.record["why_images"]] == [t.en for t in first.reasons]


@pytest.mark.parametrize(
    ("code", "own", "wanted"),
    [("370305", "", "临淄区"), ("", "", "临淄区"), ("370306", "", ""), ("370305", "临淄", "临淄")],
)
def test_a_county_without_a_name_has_that_of_the_layers(config, tmp_path, code, own, wanted):
    county = f"county: {{code: '{code}', name: 临淄区}}"
    (tmp_path / "LAYERS.yaml").write_text(f"version: 1\n{county}\n", encoding="utf-8")
    area = AreaSettings(county_code="370305", county_name=own)
    asked = config.model_copy(update={"area": area, "layers": tmp_path / "LAYERS.yaml"})
    assert layers_at_hand(asked, tmp_path)[0].area.county_name == wanted


def test_a_config_that_names_its_images_asks_nothing(tmp_path):
    named = {"before": {"scenes": ["a.tif"]}, "after": {"scenes": ["b.tif"]}}
    config = RunConfig.model_validate({"name": "hot"} | named)
    assert images_of(config, tmp_path) == Opening()
