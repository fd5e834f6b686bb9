"""`tuban model retrain` and `propose` on judged runs: deterministic, better or not used, spread."""

import csv
import datetime as dt
import json
import shutil
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pytest
import shapely

from clues.verdicts import read_verdicts
from configs.errors import InputError
from configs.run import RunConfig
from flows.checking import CheckResult, check_run
from flows.imagery import ROOMS, Imagery
from flows.keys import code_fingerprint
from flows.learning.proposing import propose
from flows.learning.retraining import retrain
from flows.plan import make_plan
from flows.stored import stored_feedback
from models import feedback
from models.feedback import LEARNED, feedback_of, pseudo_permille, with_feedback
from models.feedbackscores import feedback_scores
from models.modelfile import open_model
from models.proposals import choose_patches
from models.registry import ModelRegistry, save_model
from tests.flows.minicounty import build_mini, write_config

E0, N0 = 38_500_000, 4_060_000
DAY = dt.date(2025, 12, 1)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feedback, "TREES", 20)


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Return a judged run and which of its patches are pseudo-changes."""
    return judged(tmp_path / "run", seed=1, n=120, noise=0.05)


def judged(folder: Path, *, seed: int, n: int, noise: float) -> tuple[Path, np.ndarray]:
    rng = np.random.default_rng(seed)
    pseudo = rng.random(n) < 0.4
    side, (x, y) = rng.uniform(40, 120, n), rng.uniform(0, 30_000, (2, n))
    table = gpd.GeoDataFrame(
        {
            "patch_id": [f"T{i:012d}" for i in range(n)],
            "n_pixels": (side**2 / 100).astype(int),
            "area_dm2": (side**2 * 100).astype(int),
            "change_type": np.where(np.arange(n) % 8, "pond", "crop_rotation"),
            "confidence": rng.integers(30, 90, n).astype(np.int16),
            "tblx": "KT",
            "use": "pond",
            "ndwi_change": np.where(pseudo, 0.3, 0.6) + rng.normal(0, noise, n),
            "outcome": "suspected",
            "disposition": np.where(np.arange(n) % 8, "clue", "dismissed"),
            "sheet": "J50G083010",
            "lon": 114 + x / 90_000,
            "lat": 36 + y / 111_000,
        },
        geometry=shapely.box(E0 + x, N0 + y, E0 + x + side, N0 + y + side),
        crs="EPSG:4526",
    )
    folder.mkdir()
    table.to_parquet(folder / "patches.parquet")
    images(folder, "sentinel2_l2a", 10.0)
    return folder, pseudo


def images(folder: Path, sensor: str, pixel_m: float) -> Path:
    told = Imagery(sensor, "4 → 9", pixel_m, code_fingerprint(ROOMS)).record
    (folder / "run.json").write_text(json.dumps({"imagery": told}), encoding="utf-8")
    return folder


def told(path: Path, rows: list[tuple[int, bool]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        lines = [(f"T{i:012d}", "伪变化" if p else "违法") for i, p in rows]
        csv.writer(handle).writerows([("patch_id", "verdict"), *lines])
    return path


def test_the_same_verdicts_in_any_order_give_the_same_file(run, tmp_path: Path):
    folder, pseudo = run
    rows = list(enumerate(pseudo))
    mixed = [*rows[60:], *rows[:60], *rows[::-3]]
    one = retrain([folder], ModelRegistry(tmp_path / "a"), created=DAY,
                  sources=[told(tmp_path / "v.csv", rows)])  # fmt: skip
    two = retrain([folder, folder], ModelRegistry(tmp_path / "b"), created=DAY,
                  sources=[told(tmp_path / "v.csv", mixed)])  # fmt: skip
    assert one.path.read_bytes() == two.path.read_bytes()
    assert one.promoted
    assert one.scores["new"].pseudo_gone > 0
    assert one.scores["new"].real_lost == 0
    at_80 = retrain([folder], ModelRegistry(tmp_path / "c"), created=DAY,
                    sources=[tmp_path / "v.csv"], sure_percent=80)  # fmt: skip
    assert at_80.scores["new"].pseudo_gone > 0.5 * at_80.scores["new"].pseudo


def test_a_model_that_is_not_better_is_kept_and_not_used_unless_forced(run, tmp_path: Path):
    folder, pseudo = run
    registry = ModelRegistry(tmp_path / "models")
    drawn = np.random.default_rng(3).permutation(pseudo)
    bad = told(tmp_path / "w.csv", list(enumerate(drawn)))
    worse = retrain([folder], registry, created=DAY, sources=[bad])
    assert not worse.promoted
    assert worse.path.is_file()
    assert worse.why.startswith("not better: Brier score")
    assert registry.in_use("clues") is None
    assert retrain([folder], registry, created=DAY, sources=[bad], force=True).promoted
    assert registry.in_use("clues") == worse.path
    good = retrain([folder], registry, created=DAY,
                   sources=[told(tmp_path / "v.csv", list(enumerate(pseudo)))])  # fmt: skip
    assert good.promoted
    assert any("grown again without it" in note for note in good.notes)
    same = retrain([folder], registry, created=dt.date(2026, 2, 1), sources=[tmp_path / "v.csv"])
    assert same.path == good.path
    assert same.promoted
    assert same.why == "it is the model in use"
    assert same.card.created == DAY


def test_better_than_a_bad_model_in_use_is_not_enough(run, tmp_path: Path):
    """Neither a model of drawn verdicts nor one of the contrary is better than none."""
    folder, pseudo = run
    registry = ModelRegistry(tmp_path / "models")
    contrary = told(tmp_path / "c.csv", list(enumerate(~pseudo)))
    used = retrain([folder], registry, created=DAY, sources=[contrary], force=True)
    drawn = np.random.default_rng(3).permutation(pseudo)
    done = retrain([folder], registry, created=DAY,
                   sources=[told(tmp_path / "w.csv", list(enumerate(drawn)))])  # fmt: skip
    scores = done.scores
    assert scores["none"].brier < scores["new"].brier < scores["in_use"].brier
    assert not done.promoted
    assert done.why.startswith("not better: Brier score")
    assert done.why.endswith("of no model")
    assert any("no model is better than the one in use" in note for note in done.notes)
    assert registry.in_use("clues") == used.path


def test_more_verdicts_are_better_and_fewer_are_not(tmp_path: Path):
    folder, pseudo = judged(tmp_path / "run", seed=3, n=179, noise=0.15)
    rows, registry = list(enumerate(pseudo)), ModelRegistry(tmp_path / "models")
    first = retrain([folder], registry, created=DAY, sources=[told(tmp_path / "a.csv", rows[:140])])
    assert first.promoted
    more = retrain([folder], registry, created=DAY, sources=[told(tmp_path / "b.csv", rows)])
    memorised = pseudo_permille(
        feedback_of(open_model(first.path)[1], "m"), gpd.read_parquet(folder / "patches.parquet")
    )
    assert feedback_scores(memorised, pseudo, 1000).brier < more.scores["new"].brier
    assert more.promoted
    fewer = retrain([folder], registry, created=DAY, sources=[told(tmp_path / "c.csv", rows[:60])])
    assert not fewer.promoted
    assert fewer.why.startswith("not better: Brier score")
    assert registry.in_use("clues") == more.path


def test_what_cannot_be_compared_is_not_used_and_what_is_gone_is_told(run, tmp_path: Path):
    folder, pseudo = run
    registry, half = ModelRegistry(tmp_path / "models"), shutil.copytree(folder, tmp_path / "half")
    gpd.read_parquet(folder / "patches.parquet")[:100].to_parquet(half / "patches.parquet")
    every = told(tmp_path / "v.csv", list(enumerate(pseudo)))
    used = retrain([folder], registry, created=DAY, sources=[every])
    some = retrain([half], registry, created=DAY, sources=[every])
    assert not some.promoted
    assert some.why.startswith("not compared: the model in use learned from patches that are in no")
    used.path.unlink()
    alone = retrain([half], registry, created=DAY, sources=[every])
    assert alone.promoted
    assert "in_use" not in alone.scores
    assert any(n.startswith("not compared with the model in use") for n in alone.notes)
    alone.path.unlink()
    with pytest.raises(InputError, match="not there any more") as caught:
        propose(folder, registry, sources=[every])
    assert caught.value.where == str(registry.folder / "in-use.json")


def test_a_run_keeps_what_imagery_said_of_dismissed_patches(run, tmp_path: Path):
    folder, pseudo = run
    done = retrain([folder], ModelRegistry(tmp_path / "models"), created=DAY,
                   sources=[told(tmp_path / "v.csv", list(enumerate(pseudo)))])  # fmt: skip
    patches = gpd.read_parquet(folder / "patches.parquet")
    state = feedback_of(open_model(done.path)[1], "m")
    learned = with_feedback(patches, state, 850)
    gone = (learned["change_type"] == LEARNED).to_numpy()
    assert len(learned) == len(patches)
    assert gone.sum() >= 0.5 * pseudo.sum()
    assert pseudo[gone].mean() >= 0.9
    assert (learned["first_type"] == patches["change_type"]).all()
    assert (learned["confidence"][gone] == learned["pseudo_percent"][gone]).all()
    assert (learned["use"][gone] == "unknown").all()
    assert (learned["change_type"][~gone] == patches["change_type"][~gone]).all()


def test_too_few_verdicts_and_foreign_patches_are_told(run, tmp_path: Path):
    folder, pseudo = run
    registry = ModelRegistry(tmp_path / "models")
    few = told(tmp_path / "v.csv", [(i, bool(pseudo[i])) for i in range(10)])
    with pytest.raises(InputError, match="20 of each are needed"):
        retrain([folder], registry, created=DAY, sources=[few])
    with pytest.raises(InputError, match="no verdict to read"):
        retrain([folder], registry, created=DAY)
    more = told(tmp_path / "w.csv", [*enumerate(pseudo), (999, True)])
    notes = retrain([folder], registry, created=DAY, sources=[more]).notes
    assert any(n.startswith("1 patches with a verdict are in none of the runs: T0") for n in notes)


def test_proposals_can_be_filled_in_and_read_back(run, tmp_path: Path):
    folder, pseudo = run
    registry, out = ModelRegistry(tmp_path / "models"), tmp_path / "next.xlsx"
    judged = told(tmp_path / "v.csv", [(i, bool(p)) for i, p in enumerate(pseudo) if i < 90])
    retrain([folder], registry, created=DAY, sources=[judged])
    chosen = propose(folder, registry, sources=[judged], count=10, out=out)
    ids = [one.patch["patch_id"] for one in chosen]
    assert len(set(ids)) == 10
    assert all(i >= f"T{90:012d}" for i in ids)
    assert [one.control for one in chosen].count(True) == 2
    again = propose(folder, registry, sources=[judged], count=10)
    assert [one.patch["patch_id"] for one in again] == ids
    book = openpyxl.load_workbook(out)
    head, first, *_ = book["建议核查"].iter_rows()
    heads = [c.value for c in head]
    reason = first[heads.index("原因")].value
    assert reason.startswith("模型给出的伪变化概率为")
    assert not any("a" <= c <= "z" for c in reason)
    english = [c.value for c in book["To inspect"][2]]
    assert not any("\u4e00" <= c <= "\u9fff" for v in english for c in str(v))
    first[heads.index("核查结论")].value = "伪变化"
    book.save(out)
    filled = out.read_bytes()
    with pytest.raises(InputError, match="somebody may have filled it in") as caught:
        propose(folder, registry, sources=[judged], count=10, out=out)
    assert "--force" in caught.value.fix
    assert out.read_bytes() == filled
    (row,) = read_verdicts(out).to_dict("records")
    assert (row["patch_id"], row["meaning"]) == (ids[0], "pseudo")


def test_a_model_of_verdicts_fits_the_images_that_it_learned_from(run, tmp_path: Path):
    folder, pseudo = run
    sources = [told(tmp_path / "v.csv", list(enumerate(pseudo)))]
    build_mini(tmp_path)
    registry = ModelRegistry(tmp_path / "tuban-models")
    config = write_config(tmp_path, feedback={"model": "in-use"})
    plan = make_plan(RunConfig.load(config))

    images(folder, "generic", plan.pixel_m)
    retrain([folder], registry, created=DAY, sources=sources)
    fitting = stored_feedback(RunConfig.load(config), plan)
    assert fitting is not None
    assert fitting.card.season == "4 → 9"
    assert fitting.doubt is None
    card, arrays = open_model(registry.find(fitting.card.hash))

    def check(**changes: object) -> CheckResult:
        registry.use(save_model(registry.folder, replace(card, **changes), arrays).stem)
        found = check_run(config, tmp_path / "runs")
        return next(one for one in found if one.name == "model of verdicts")

    elsewhere = check(settings=card.settings | {"code": "elsewhere"})
    assert elsewhere.passed
    assert "generic, months 4 → 9" in elsewhere.value
    assert "another version of the program" in elsewhere.value
    other = check(sensor="sentinel2_l2a")
    assert "sensor of the before date: sentinel2_l2a; of the run: generic" in other.value
    assert "sensor of the before date: not told" in check(sensor="").value
    other = check(settings=card.settings | {"pixel_m": 2.0})
    assert "learned on pixels of 2 m, those of the run are 10" in other.value
    assert "feedback.model: in-use" in other.where
    assert not other.passed
    second = shutil.copytree(folder, tmp_path / "second")
    images(second, "gaofen2", 3.2)
    with pytest.raises(InputError, match=r"run generic, 10 m; second gaofen2, 3.2 m"):
        retrain([folder, second], registry, created=DAY, sources=sources)


def test_proposals_are_spread_over_type_and_place():
    worth = np.array([9.0, 8.0, 7.0, 5.0, 4.0, 3.9])
    kinds = ["pond", "pond", "pond", "road", "pond", "road"]
    blocks = [(0, 0), (0, 0), (5, 5), (0, 0), (9, 9), (7, 7)]
    nothing = np.zeros(6, bool)
    assert choose_patches(worth, kinds, blocks, nothing, 3) == [0, 5, 2]
    assert choose_patches(worth, kinds, blocks, nothing, 99)[:1] == [0]
    assert choose_patches(worth, kinds, blocks, np.arange(6) == 4, 5)[4] == 4
