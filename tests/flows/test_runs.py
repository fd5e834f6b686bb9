"""Runs remember: what a change makes anew, what is broken, what can be pruned, what it costs."""

import json
import shutil
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from typer.testing import CliRunner

from configs.errors import RunError, RunLocked
from flows.cli.app import build_app
from flows.lock import LOCK_NAME, Holder
from flows.manifest import FORMAT, Run
from flows.runner import work_run
from flows.runs.plan import plan_run
from flows.runs.prune import prune_run
from flows.runs.state import read_state, read_states
from flows.runs.verify import verify_run
from flows.stages import RunOptions
from tests.flows.command import ROOT, made, products, run_folder, tuban
from tests.flows.minicounty import box, build_mini, write_approvals, write_config

pytestmark = pytest.mark.slow

OPTIONS = RunOptions(tile=64, workers=2)
TILES = 12
LEDGER = 3
"""Formats of the ledger."""

JUDGED = {"judge": 1, "outputs": LEDGER + 1, "evidence": 1}
"""What changes with the judgement: ledger and report, and not what was hidden."""

JOINED = {"join": 1, **JUDGED}
TILED = {"tiles": TILES, **JOINED, "outputs": LEDGER + 3}
FITTED = {"fit": 1, **TILED}
GATED = {"gate": 1, **FITTED}
ALL = {"plan": 2, **GATED}

MODES = {"method": "cva"}
TREES = {"trees": 5, "max_depth": 6, "samples_per_class": 100}
CHANGES: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "nothing": ({}, {}),
    "profile": (
        {"profile": "quarterly", "detection": {**MODES, "target": "any"}, "register": None},
        {},
    ),
    "seed": ({"seed": 1}, GATED),
    "limit of the gate": ({"gate": {"max_residual_px": 0.6}}, GATED),
    "sensitivity": ({"detection": {**MODES, "sensitivity": "high"}}, FITTED),
    "threshold": ({"detection": {**MODES, "threshold": "kittler"}}, FITTED),
    "trees": ({"landcover": {**TREES, "trees": 6}}, FITTED),
    "floor": ({"detection": {**MODES, "floor_px": 6}}, TILED),
    "holes": ({"detection": {**MODES, "hole_px": 0}}, JOINED),
    "least area": ({"detection": {**MODES, "least_area_m2": {"new_building": 900.0}}}, JOINED),
    "quarter": ({"quarter": 2}, JUDGED),
    "rules": ({"rules": "strict.yaml"}, JUDGED),
    "format": (
        {"outputs": {"evidence": 1, "formats": ["xlsx", "geojson", "gpkg", "csv"]}},
        {"outputs": 1},
    ),
    "pictures": ({"outputs": {"evidence": 1, "pictures": 2}}, {"outputs": 1}),
    "clues in the report": ({"report": {"clues": 2}}, {"outputs": 1}),
    "name": ({"name": "other"}, ALL | {"evidence": 0}),
}


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("county")
    build_mini(folder)
    text = (ROOT / "configs" / "rules" / "cn-land.yaml").read_text(encoding="utf-8")
    strict = text.replace("tau: {value: 0.95", "tau: {value: 0.99")
    assert strict != text
    (folder / "strict.yaml").write_text(strict, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def whole(county: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of all runs with one finished run."""
    out = tmp_path_factory.mktemp("runs")
    work_run(write_config(county), out, OPTIONS, plain=True)
    return out


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    """Return a folder of all runs that a test may change."""
    shutil.copytree(whole, tmp_path / "runs")
    return tmp_path / "runs"


def foretold(config: Path, out: Path) -> dict[str, int]:
    """Return what a run would make, by stage."""
    found = {o.stage: o.to_make for o in plan_run(config, out, OPTIONS, [1]).outlook}
    return {stage: count for stage, count in found.items() if count}


def done(config: Path, out: Path) -> dict[str, int]:
    """Work a run; return what it made, by stage."""
    since = len(products(run_folder(out)))
    work_run(config, out, OPTIONS, plain=True)
    return made(run_folder(out), since)


def require_made(config: Path, out: Path, expected: dict[str, int]) -> None:
    """Work a run: it makes so many products of each stage, and no file of another stage."""
    kept = stamps(run_folder(out), expected)
    assert done(config, out) == expected
    assert stamps(run_folder(out), expected) == kept
    assert "plan" in expected or kept
    assert verify_run(run_folder(out)).faults == ()


def stamps(folder: Path, without: Container[str]) -> dict[str, tuple[int, int]]:
    """Return inode and time of the files of the products of all other stages."""
    files = (f["path"] for p in products(folder) if p["stage"] not in without for f in p["files"])
    found = {name: (folder / name).stat() for name in files}
    return {name: (told.st_ino, told.st_mtime_ns) for name, told in found.items()}


@contextmanager
def altered(folder: Path, pattern: str) -> Iterator[None]:
    """Put files back as they were when the block ends."""
    kept = {path: path.read_bytes() for path in folder.glob(pattern)}
    try:
        yield
    finally:
        for path, data in kept.items():
            path.write_bytes(data)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_anew_what_depends_on_it(name: str, county: Path, whole: Path):
    changes, expected = CHANGES[name]
    found = foretold(write_config(county, **changes), whole)
    assert found == {stage: count for stage, count in expected.items() if count}


def other_approval(county: Path) -> None:
    write_approvals(county / "approval.shp", {"别的批文": box(60, 120, 16, 10)})


def other_land_use(county: Path) -> None:
    table = gpd.read_file(county / "landuse.gpkg")
    table.loc[3, "DLBM"] = "0404"
    table.to_file(county / "landuse.gpkg", index=False)


def other_image(county: Path) -> None:
    with rasterio.open(county / "after.tif", "r+") as raster:
        raster.write(raster.read() * np.float32(1.01))


def other_rule(county: Path) -> None:
    """Change the condition of one rule in the rule set of the run, whose name stays."""
    path = county / "strict.yaml"
    text = path.read_text(encoding="utf-8")
    old = '{fact: construction_share, op: ">=", param: class_share}'
    assert text.count(old) >= 1
    path.write_text(text.replace(old, old.replace(">=", ">"), 1), encoding="utf-8")


INPUTS: dict[str, tuple[Callable[[Path], None], str, dict[str, int]]] = {
    "approval": (other_approval, "approval.*", JUDGED),
    "land use": (other_land_use, "landuse.gpkg", FITTED),
    "image": (other_image, "after.tif", ALL),
}
"""How a file is changed, which files that touches, and what is made anew."""


@pytest.mark.parametrize("name", INPUTS)
def test_a_changed_input_makes_anew_what_reads_it(name: str, county: Path, copied: Path):
    change, files, expected = INPUTS[name]
    config = write_config(county)
    with altered(county, files):
        change(county)
        assert foretold(config, copied) == expected
        require_made(config, copied, expected)


def test_a_rule_changed_in_its_file_makes_the_judgement_anew(county: Path, copied: Path):
    config = write_config(county, rules="strict.yaml")
    require_made(config, copied, JUDGED)
    with altered(county, "strict.yaml"):
        other_rule(county)
        require_made(config, copied, JUDGED)


@pytest.mark.parametrize(
    "name", ["nothing", "threshold", "trees", "floor", "least area", "format", "pictures"]
)
def test_what_is_foretold_comes_true(name: str, county: Path, copied: Path):
    changes, expected = CHANGES[name]
    config = write_config(county, **changes)
    require_made(config, copied, expected)
    assert foretold(config, copied) == {}


def test_changed_code_makes_anew_what_it_decides(county: Path, copied: Path, tmp_path: Path):
    """The program is another one: a copy in which modules have changed."""
    for room in ("configs", "tiles", "detect", "models", "clues", "web", "flows"):
        shutil.copytree(ROOT / room, tmp_path / "program" / room)
    of_copy = {"PYTHONPATH": str(tmp_path / "program"), "PYTHONSAFEPATH": "1"}
    words = ("run", write_config(county), "--out", copied, "--plain", "--tile", 64, "--workers", 2)
    every_output = {**JUDGED, "outputs": LEDGER + 3}
    for changed, expected in (
        (("flows/progress.py", "flows/workers.py"), {}),
        (("clues/explain.py",), every_output),
        (("flows/joining.py",), JOINED),
    ):
        for name in changed:
            with (tmp_path / "program" / name).open("a", encoding="utf-8") as module:
                module.write("# another version\n")
        since, kept = len(products(run_folder(copied))), stamps(run_folder(copied), expected)
        tuban(*words, **of_copy)
        assert made(run_folder(copied), since) == expected, changed
        assert stamps(run_folder(copied), expected) == kept


def test_reasons_name_field_file_and_code(county: Path, whole: Path):
    config = write_config(county, detection={**MODES, "floor_px": 6})
    outlook = {o.stage: o for o in plan_run(config, whole, OPTIONS, [1]).outlook}
    assert outlook["tiles"].made == {"config field floor_px changed (4 → 6)": TILES}
    assert outlook["fit"].made == {}
    config = write_config(county, rules="strict.yaml")
    (why,) = {o.stage: o for o in plan_run(config, whole, OPTIONS, [1]).outlook}["judge"].made
    assert "config field rules changed" in why
    assert "file rules is new" in why


def test_pruned_run_verifies_goes_on_and_makes_tiles_only_where_they_are_read(
    county: Path, copied: Path
):
    config, folder = write_config(county), run_folder(copied)
    work_run(
        write_config(county, outputs={"evidence": 1, "formats": ["csv"]}),
        copied,
        OPTIONS,
        plain=True,
    )
    (folder / "work" / "tiles" / "64" / ".part-0-x.npz").write_text("half")
    (folder / "notes.docx").write_text("of the inspector")
    dry = prune_run(folder)
    assert len(dry.tiles) == TILES
    assert dry.size_bytes == sum((folder / name).stat().st_size for name in dry.files)
    assert dry.size_bytes > 1000
    assert list(dry.scraps) == ["work/tiles/64/.part-0-x.npz"]
    assert prune_run(folder, remove=True).files == dry.files
    assert not any((folder / name).exists() for name in dry.files)
    for name in ("clues.sqlite", "notes.docx", "work/patches.parquet", "manifest.jsonl"):
        assert (folder / name).exists()
    found = verify_run(folder)
    assert (found.faults, found.pruned, found.strange) == ((), len(dry.files), ("notes.docx",))
    assert prune_run(folder).files == []
    assert "tiles" not in done(config, copied)
    found = foretold(write_config(county, detection={**MODES, "hole_px": 0}), copied)
    assert found == {"tiles": TILES, **JOINED}


def test_broken_files_are_named_and_made_anew(county: Path, copied: Path):
    folder, runner = run_folder(copied), CliRunner()
    config = write_config(county)
    (folder / "clues.geojson").write_text("{}")
    min((folder / "work" / "tiles" / "64").iterdir()).unlink()
    result = runner.invoke(build_app(), ["runs", "verify", str(folder)])
    assert result.exit_code == 1
    assert "broken: file clues.geojson was altered" in result.output
    assert "is gone" in result.output
    assert "2 broken" in result.output
    assert "run the same command again" in result.output
    assert done(config, copied) == {"tiles": 1, "outputs": 1}
    assert runner.invoke(build_app(), ["runs", "verify", str(folder)]).exit_code == 0


def test_states_of_runs(copied: Path):
    folder = run_folder(copied)
    (one,) = read_states(copied)
    assert (one.state, one.stage, one.kind, one.clues) == ("finished", "outputs", "run", 3)
    assert (one.county, one.before, one.after) == ("370305 小县", "2025-04-18", "2025-09-06")
    assert one.size_bytes > 100_000
    with Run.open(folder, write=True):
        assert read_state(folder).state == "running"
        with pytest.raises(RunLocked, match="is being worked"):
            prune_run(folder)
        with pytest.raises(RunLocked):
            prune_run(folder, remove=True)
    dead = replace(Holder.me(), pid=2**22 - 1)
    (folder / LOCK_NAME).write_text(json.dumps(asdict(dead)))
    stale = read_state(folder)
    assert stale.state == "stale"
    assert "the process has ended; the same command goes on" in stale.why
    (folder / LOCK_NAME).unlink()
    with Run.open(folder, write=True) as run:
        run.note("start", name="mini", config={"after": {}}, pid=1, format=FORMAT)
        run.note("stage", stage="gate", seconds=1.0, cpu_seconds=1.0)
    stopped = read_state(folder)
    assert (stopped.state, stopped.stage, stopped.clues) == ("stopped", "gate", None)
    with Run.open(folder, write=True) as run:
        run.note("start", name="mini", config={}, pid=1, format=FORMAT + 1)
    with pytest.raises(RunError, match=f"format {FORMAT + 1}; this version reads up to {FORMAT}"):
        Run.open(folder)
    assert read_state(folder).state == "unreadable"


def test_account_and_cost_of_a_run(county: Path, copied: Path):
    folder, runner = run_folder(copied), CliRunner()
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for stage in record["records"]:
        assert stage["read_bytes"] > 0
        assert stage["peak_bytes"] > 10 << 20
    tiles = next(r for r in record["records"] if r["stage"] == "tiles")
    assert tiles["reuse"] == {"reused": 0, "made": {"not made yet": TILES}}
    latency: Mapping[str, int] = record["latency"]
    assert latency["clues"] == 3
    assert latency["p50_days"] == latency["p90_days"] > (time.time() - 1_757_000_000) / 86_400 - 9
    text = runner.invoke(build_app(), ["runs", "show", str(folder)]).output
    assert "3 clues" in text
    assert "tiles: 12 made: not made yet" in text
    assert f"90 % within {latency['p90_days']} days" in text
    listed = json.loads(runner.invoke(build_app(), ["runs", "list", str(copied), "--json"]).stdout)
    assert [one["state"] for one in listed] == ["finished"]
    config = str(write_config(county))
    command = ["runs", "plan", config, "--out", str(copied), "--tile", "64", "--workers", "1"]
    text = runner.invoke(build_app(), [*command, "--workers", "8"]).output
    assert "12 tiles of 64" in text
    assert "(goes on)" in text
    assert "rates: " in text
