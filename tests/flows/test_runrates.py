"""What `tuban runs plan` tells of memory: a fixed part, and what patches take."""

import re
from itertools import product
from pathlib import Path

import pytest
from typer.testing import CliRunner

from configs.run import RunConfig
from flows.cli.app import build_app
from flows.cli.runs import estimate_rows
from flows.manifest import Run
from flows.runner import open_run
from flows.runs.plan import estimate
from flows.runs.rates import Rates, folder_rates, shipped_rates
from flows.stages import RunOptions, run_stage
from tests.flows.command import ROOT
from tests.flows.minicounty import build_mini


def memory(pixels: float, rates: Rates, workers: int = 1) -> float:
    return estimate(pixels, workers, rates).memory_bytes


def scaling_rows() -> dict[str, list[str]]:
    """Return the rows of the tables under Scaling in RESULTS.md, by first cell and width."""
    text = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    text = text.partition("<!-- scaling: begin -->")[2].partition("<!-- scaling: end -->")[0]
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in text.split("\n")]
    return {f"{row[0]}/{len(row)}": row for row in rows if len(row) > 1}


SIZES = ("2,048", "4,096", "8,192", "30,000")


def measured_bytes(stage: str) -> list[float]:
    """Return the peak of a stage in each of the measured runs."""
    return [float(cell.replace(",", "")) * 1e6 for cell in scaling_rows()[f"{stage}/9"][5:]]


def measured_pixels(rates: Rates) -> list[float]:
    """Return the pixels for which the rates foretell the patches of each measured run."""
    patches = [float(scaling_rows()[f"{size}/11"][2].replace(",", "")) for size in SIZES]
    return [n / rates.patches_per_mpx * 1e6 for n in patches]


def test_no_stage_is_promised_less_memory_than_it_was_measured_to_take():
    rates = shipped_rates()
    for number, pixels in enumerate(measured_pixels(rates)):
        told = rates.peak_bytes(pixels)
        for stage in told:
            assert told[stage] >= measured_bytes(stage)[number], (stage, SIZES[number])


def test_memory_grows_with_the_patches_of_a_run():
    rates = shipped_rates()
    largest = max(measured_bytes(stage)[-1] for stage in rates.stages)
    assert memory(measured_pixels(rates)[-1], rates) == pytest.approx(largest, rel=0.02)
    assert memory(40e9, rates) > 30 * memory(0.1e9, rates)
    assert memory(1e9, rates, workers=3) - memory(1e9, rates) == 2 * rates.worker_bytes


@pytest.mark.parametrize("name", ["scale.md", "scale.zh.md"])
def test_the_rates_in_the_docs_are_those_shipped_and_the_peaks_those_measured(name: str):
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    for stage, rate in shipped_rates().stages.items():
        peak = f"{max(measured_bytes(stage)) / 1e6:,.0f}"
        assert f"| {stage} | {rate.fixed_s:g} | {rate.per_mpx_s:g} | {peak} |" in text


@pytest.mark.parametrize("patches", [20, 2_000])
def test_memory_follows_the_patches_of_earlier_runs(patches: int, tmp_path: Path):
    told = {"tiles": {"pixels": 2_000_000}, "join": {"patches": patches}}
    record = {"cpu_seconds": 9.0, "read_bytes": 1, "written_bytes": 1, "peak_bytes": 1_200_000_000}
    with Run.create({"name": "mini"}, "01234567", tmp_path, "mini") as run:
        for stage in ("tiles", "join", "judge", "outputs"):
            run.note("stage", stage=stage, **record, reuse={"reused": 0, "made": {"new": 1}})
        run.write_summary({"stages": told})
    rates = folder_rates(tmp_path)
    assert rates is not None
    assert rates.patches_per_mpx == patches / 2
    assert memory(2e6, rates) == pytest.approx(1_200_000_000)
    grown = memory(1e9, rates) - memory(2e6, rates)
    each = max(rate.bytes_per_patch for rate in rates.stages.values())
    assert grown == pytest.approx(each * (patches / 2) * 998)


def test_memory_reaches_the_run_which_warns_before_the_work(tmp_path: Path):
    """Ten megabytes are less than the program itself: it says what it foresees, then refuses."""
    words = ["run", str(build_mini(tmp_path)), "--out", str(tmp_path / "runs"), "--plain"]
    told = CliRunner().invoke(build_app(), [*words, "--memory", "10MB"])
    assert told.exit_code == 1, told.output
    needed = shipped_rates().peak_bytes(192 * 192)["outputs"] / 1e6
    zh = f"预计阶段 outputs 需要内存 {needed:.0f} MB，超过 --memory 的 10 MB：请改用 --memory 0.9GB"
    en = f"stage outputs is going to take about {needed:.0f} MB, more than --memory 10 MB: give 0.9"
    assert zh in told.stderr
    assert en in told.stderr
    assert told.stderr.index(en) < told.stderr.index("error: 10 MB are allowed and")


@pytest.mark.parametrize(("memory", "warns"), [(None, False), (10**9, False), (10**8, True)])
def test_only_what_will_not_fit_is_warned_of(
    memory: int | None, warns: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    config = RunConfig.load(build_mini(tmp_path))
    with open_run(config, tmp_path / "runs", RunOptions(memory=memory)) as context:
        run_stage("plan", context)
    assert ("预计阶段" in caplog.text) is warns


AREAS = ((3_400, 1), (158_000, 136), (9_600_000, 2_844))
"""Square kilometres and counties of the tables in the docs; each at 10 m and at 2 m."""


@pytest.mark.parametrize("name", ["scale.md", "scale.zh.md"])
def test_the_costed_plan_in_the_docs_is_what_the_command_prints(name: str):
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    rates = shipped_rates()
    for pixel_m in (10, 2):
        estimates = [estimate(3_400e6 / pixel_m**2, n, rates) for n in (1, 4, 16)]
        for row in estimate_rows(estimates, 0.05)[1:]:
            assert f"| {pixel_m} m | {' | '.join(row)} |" in text
    shown = [
        row.split("|")[6:11] for row in text.split("\n") if re.match(r"\|.*km².* \d+ m \|", row)
    ]
    for cells, ((km2, count), pixel_m) in zip(shown, product(AREAS, (10, 2)), strict=True):
        one, many = (estimate(km2 * 1e6 / pixel_m**2 / count, n, rates) for n in (1, 16))
        hours = {s.stage: s.cpu_seconds * count / 3600 for s in one.stages}
        cpu = sum(hours.values())
        wanted = (cpu, 0.05 * cpu, hours["tiles"], hours["outputs"], many.seconds / 60)
        for cell, value in zip(cells, wanted, strict=True):
            figure = cell.split()[0].replace(",", "")
            rounding = 0.5 * 10.0 ** -len(figure.partition(".")[2])
            assert float(figure) == pytest.approx(value, rel=0.02, abs=rounding), cells
