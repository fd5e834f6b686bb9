"""The suite's own logic: what it parses, which ratios it forms, what it calls worse."""

import copy
import json
import sys

import numpy as np
import pytest

from benchmarks import limits, scenes, standing, startup, steps, suite, whole_way
from benchmarks.measure import worked
from benchmarks.peer_tools import PeerTools, peer_tools


@pytest.fixture
def results():
    whole = {
        "tuban": {"wall": 12.0, "cpu": 20.0, "peak": 900_000_000, "patches": 500},
        "forest script": {"wall": 36.0, "cpu": 40.0, "peak": 2_300_000_000, "patches": 700},
        "GDAL chain": {"wall": 10.0, "cpu": 10.0, "peak": 1_400_000_000, "patches": 900},
        "decode 1": {"wall": 5.0, "cpu": 5.0, "bytes": 1e9},
        "decode 2": {"wall": 3.0, "cpu": 5.5, "bytes": 1e9},
    }
    alone = {name: dict(whole[name]) for name in ("tuban", "decode 1", "decode 2")}
    alone["tuban"] |= {"cpu": 3.0, "wall": 2.0}
    for rows, seconds in ((whole, 7.0), (alone, 1.0)):
        rows["tuban"]["stages"] = {"tiles": {"seconds": seconds, "cpu_seconds": 2 * seconds}}
    run = {"wall": 60.0, "cpu": 70.0, "compiled": 25.0, "kernels": 30}
    run["dearest"] = [["detect.kernels.trace.walk_rings", 2.0]]
    return {
        "profile": "short",
        "command": "python -m benchmarks.suite short",
        "machine": "2 cores.",
        "ledger": "abc",
        "took": 480.0,
        "limits": {"triad_1": 15.0, "triad_2": 17.0, "write": 1.0, "read": 1.3},
        "missing": {"Orfeo ToolBox": "no Debian"},
        "whole": {
            "5490": {"mpx": 30.1, "repeats": 2, "rows": whole},
            "2048": {"mpx": 4.2, "repeats": 1, "rows": alone},
        },
        "steps": {
            "index change": {
                "tuban": {"wall": 2.0, "cpu": 3.0},
                "rasterio + NumPy": {"wall": 4.0, "cpu": 6.0},
                "gdal_calc": {"wall": 3.0, "cpu": 9.0},
            },
            "forest": {"tuban": {"wall": 1.0, "cpu": 2.0}},
        },
        "startup": {
            "side": 1024,
            "help": {"wall": 0.3, "cpu": 0.2},
            "check": {"wall": 2.4, "cpu": 2.2},
            "imports of help": [],
            "imports of check": [["pandas", 400.0]],
            "first run": run,
            "second run": run | {"wall": 30.0, "compiled": 0.0, "kernels": 0, "dearest": []},
            "orchestrator": {"wall": 14.0, "cpu": 10.0},
        },
    }


def test_ratios_are_ours_by_theirs(results):
    found = standing.ratios(results)
    assert found["whole way 5490, wall ÷ decode 2"] == 4.0
    assert found["whole way 5490, wall ÷ forest script"] == pytest.approx(1 / 3)
    assert found["whole way 5490, CPU ÷ decode 1"] == 4.0
    assert found["whole way 5490, peak GB"] == 0.9
    assert found["index change, CPU ÷ gdal_calc"] == pytest.approx(1 / 3)
    assert not [name for name in found if "Orfeo" in name or name.startswith("forest")]


def test_only_what_is_a_fifth_worse_is_told(results):
    old = standing.ratios(results)
    worse = copy.deepcopy(results)
    worse["whole"]["5490"]["rows"]["tuban"]["wall"] *= 1.25
    worse["steps"]["index change"]["tuban"]["cpu"] *= 1.15
    told = standing.worsened(old, standing.ratios(worse))
    assert {name for name, *_ in told} == {
        "whole way 5490, wall ÷ GDAL chain",
        "whole way 5490, wall ÷ decode 2",
        "whole way 5490, wall ÷ forest script",
    }
    assert standing.worsened(old, old) == []
    assert "none is more than a fifth worse" in standing.told_worsened(old, old)
    report = standing.told_worsened(old, standing.ratios(worse))
    assert "| whole way 5490, wall ÷ decode 2 | 4.00 | 5.00 | +25 % |" in report


def test_a_ratio_that_is_gone_is_named(results):
    old = standing.ratios(results)
    del results["steps"]["index change"]["gdal_calc"]
    report = standing.told_worsened(old, standing.ratios(results))
    assert "not measured now: index change, CPU ÷ gdal_calc" in report


def test_tables_say_met_and_missed_and_what_is_not_here(results):
    told = standing.document(results)
    lines = {line.split(" | ")[0].strip("| "): line for line in told.splitlines()}
    assert "≤ 6.0 (met; aim 3.5)" in lines["decode 2"]
    assert "≤ 1.0 (missed" in lines["GDAL chain"]
    assert "CPU ≤ 0.7 × rasterio + NumPy: 0.50, met" in lines["index change"]
    assert "≤ 2 s (missed)" in lines["`tuban check`"]
    first = lines["first run with an empty cache at first"]
    assert "25.0 CPU s; 30.0 s longer than the second, ≤ 20 s (missed)" in first
    assert "0.0 CPU s, none (met)" in lines["second run with an empty cache at first"]
    assert "| 0.67 (gdal_calc) |" in told
    assert "| tiles | 1.0 / 2.0 | 7.0 / 14.0 |" in told
    assert "| start and end | 1.0 / 1.0 | 5.0 / 6.0 |" in told
    assert "CPU: tuban 0.60, rasterio + NumPy 1.20, gdal_calc 1.80." in told
    assert "pair of 1,024 × 1,024 pixels" in told
    assert "Not measured: Orfeo ToolBox; no Debian" in told
    assert lines["2,048"].endswith("| +0 % (met) | – | 900 |")
    assert "-7 % (met)" in lines["5,490"]
    assert "0.656" in lines["5,490"]  # (20 − 3) CPU s on 25.9 Mpx more


def test_without_peers_there_is_no_pair_to_compare_decoding_with(results):
    for one in results["whole"].values():
        one["rows"] = {n: one["rows"][n] for n in ("tuban", "decode 1", "decode 2")}
    told = standing.document(results)
    assert "Index change ÷ decoding" not in told
    assert "\n\n\n" not in told


def test_a_slower_step_and_a_second_run_that_compiles_are_missed(results):
    old = standing.ratios(results)
    results["steps"]["index change"]["tuban"]["wall"] = 3.3
    results["startup"]["second run"]["kernels"] = 3
    told = standing.document(results)
    assert "| 1.10 (gdal_calc; missed) |" in told
    assert "3 kernels compiled by the run in 0.0 CPU s, none (missed)" in told
    report = standing.told_worsened(old, standing.ratios(results))
    assert "| start-up, kernels compiled by a second run | 0.00 | 3.00 |  |" in report


def test_a_step_with_another_answer_stops_the_suite():
    rows = {"tuban": {"answer": 5.0}, "gdal_calc": {}, "NumPy": {"answer": 5.004}}
    rows["geopandas.overlay"] = {"answer": 6.0}
    for step in steps.STEPS:
        steps.require_alike(step, rows)
    rows["tuban"]["answer"] = 5.02
    for step in steps.STEPS:
        with pytest.raises(SystemExit, match=rf"{step}: tuban answers 5.02, NumPy 5.004"):
            steps.require_alike(step, rows)


def test_stages_are_medians_of_all_turns():
    def turn(seconds):
        record = {"stage": "tiles", "seconds": seconds, "cpu_seconds": 2 * seconds, "peak_bytes": 1}
        return {"records": [record], "stages": {"judge": {"tallies": {"patches": 5, "clue": 2}}}}

    found = whole_way._counts("tuban", [turn(7.0), turn(9.0), turn(2.0)])
    assert found["stages"] == {"tiles": {"seconds": 7.0, "cpu_seconds": 14.0, "peak_bytes": 1}}
    assert (found["patches"], found["clues"]) == (5, 2)


def test_generated_part_replaces_only_itself():
    text = "# Results\n\nMachine.\n\n## Cross-check\n\nkept\n"
    once = standing.inserted(text, [("Profile short", "one")])
    twice = standing.inserted(once, [("Profile short", "two")])
    assert once.count(standing.BEGIN) == twice.count(standing.BEGIN) == 1
    assert "one" in once
    assert "one" not in twice
    assert twice.startswith("# Results\n\nMachine.\n")
    assert twice.endswith("## Cross-check\n\nkept\n")


def test_results_are_compared_with_those_of_their_profile(results, tmp_path, monkeypatch):
    kept = tmp_path / "results.json"
    monkeypatch.setattr(suite, "RESULTS", kept)
    assert "nothing is committed" in suite.compare(results)
    tables = tmp_path / "RESULTS.md"
    tables.write_text("# Results\n\n## Other\n", encoding="utf-8")
    monkeypatch.setattr(suite, "TABLES", tables)
    suite.write(results)
    suite.write(results | {"profile": "full"})
    assert set(json.loads(kept.read_text(encoding="utf-8"))) == {"short", "full"}
    assert tables.read_text(encoding="utf-8").count("### Profile ") == 2
    assert "none is more than a fifth worse" in suite.compare(results)
    with pytest.raises(SystemExit, match=r"results.json: no results of one profile; name a file"):
        suite.read(kept)


def test_imports_are_summed_by_package():
    told = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:      1000 |       1000 |   numpy.core\n"
        "import time:      2000 |       3000 | numpy\n"
        "import time:       500 |        500 | flows.plan\n"
    )
    assert startup.imports_of(told) == [("numpy", 3.0), ("flows", 0.5)]


def test_nested_compilations_count_for_the_outermost(monkeypatch):
    clock = iter([0.0, 1.0, 7.0])  # the end of what is nested is not asked for
    monkeypatch.setattr(startup.time, "thread_time", lambda: next(clock))

    class Event:
        def __init__(self, function, starts):
            self.data = {"dispatcher": type("D", (), {"py_func": function})}
            self.is_start = starts

    def outer(): ...

    def inner(): ...

    heard = startup.Compiling()
    for function, starts in ((outer, True), (inner, True), (inner, False), (outer, False)):
        heard.notify(Event(function, starts))
    assert [name.rpartition(".")[2] for name in heard.seconds] == ["outer"]
    assert list(heard.seconds.values()) == [7.0]


def test_a_command_is_measured_with_its_children():
    code = "import subprocess, sys; b = bytearray(60_000_000); "
    code += "subprocess.run([sys.executable, '-c', 'sum(range(10**7))']); print('done')"
    took = worked([sys.executable, "-c", code])
    assert took.told.strip() == "done"
    assert took.cpu > 0
    assert took.peak > 60_000_000
    with pytest.raises(SystemExit, match="boom"):
        worked([sys.executable, "-c", "raise ValueError('boom')"])


def test_peers_that_cannot_be_had_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.peer_tools._run", lambda command: "no route to host")
    tools = peer_tools(tmp_path)
    assert tools.python is None
    assert all("no route to host" in why or "no Debian" in why for why in tools.missing.values())
    assert len(tools.missing) == 2
    assert list(steps.tasks_of("forest", None, tmp_path, PeerTools(), tmp_path)) == ["tuban"]


def test_every_step_has_peers_and_every_goal_a_step():
    assert set(steps.PEERS) == set(steps.STEPS)
    assert set(steps.GOALS) <= set(steps.STEPS)


def test_scene_is_the_same_wherever_its_blocks_lie(tmp_path):
    import rasterio

    one, whole = (np.empty((6, 64, 64), np.uint16), np.empty((6, 128, 128), np.uint16))
    for date in (0, 1):
        scenes.paint(0, 0, 128, 128, date, scenes.COLOURS, whole)
        scenes.paint(64, 64, 64, 64, date, scenes.COLOURS, one)
        np.testing.assert_array_equal(whole[:, 64:, 64:], one)
    config = scenes.build_pair(tmp_path, 256, approvals=300)
    assert "layers-256-300" in config.read_text(encoding="utf-8")
    path = tmp_path / "after-256.tif"
    with rasterio.open(path) as raster:
        assert raster.profile["dtype"] == "uint16"
        assert raster.count == 6
        assert raster.profile["compress"].lower() == "deflate"
    found = limits.decode([path, tmp_path / "before-256.tif"], 2)
    assert found["bytes"] == 2 * 6 * 256 * 256 * 2
