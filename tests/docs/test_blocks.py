"""Every fenced block of the pages runs, is read as the file it shows, or stands in a list here."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import typer
from starlette.routing import Match
from typer.testing import CliRunner, Result

from clues.catalogue import catalogue
from clues.layers import read_role
from configs.errors import ExitCode
from configs.labelled import LabelledPairs
from configs.layers import LayersFile
from configs.loading import load_yaml
from configs.monitoring import MonitorConfig
from configs.rules import load_rules
from configs.run import RunConfig
from configs.sensors import sensor_spec
from flows.cli.app import build_app
from tests.docs.conftest import WorkedCounty
from tests.docs.pageblocks import ROOT, Block, blocks_of, is_translated, pages
from tests.docs.workplaces import PREPARED, RUNS, clue_numbers, lay_out, run_of
from tests.flows.minicounty import box
from web.app import ROUTERS

BLOCKS = [b for page in pages() if not is_translated(page) for b in blocks_of(page)]
"""Of the English pages; that the Chinese ones hold the same is tested with their sections."""

RUN_ELSEWHERE = {
    "docs/contributing/": "tests/test_examples.py",
    "docs/gallery/": "tests/docs/test_gallery.py",
    "docs/tutorial/": "tests/docs/test_tutorial.py",
    "docs/how-to/monitoring.md": "tests/flows/test_monitoring.py",
    "docs/how-to/other-countries.md": "tests/elsewhere",
}

PICTURES = {
    *("ARCHITECTURE.md#1", "ARCHITECTURE.md#2"),  # drawings of the rooms
    "docs/how-to/desk.md#3",  # nginx
    "docs/how-to/restoring.md#2",  # cron
    "docs/how-to/schedule.md#6",  # systemd
}
"""Neither commands nor files of ours."""

LAYOUT = "README.md#2"
"""What a run folder holds; held against the run of the county."""

OTHER_PROGRAMS = {
    "make": "its targets are tested to exist",
    "git": "updates the checkout",
    "pip": "installs from a registry",
    "useradd": "only root adds a user to a machine",
    "python3": "tests/test_house.py installs the wheel into a new environment",
    "source": "opens an environment for the commands that follow",
    "dask": "a scheduler and its workers on other machines",
    "prefect": "a server and its worker",
    "docker": "an image and its services",
    "curl": "its addresses are tested to exist; the desk is served by the tutorial",
    "export": "for the commands of servers and hosts that follow",
    "echo": "writes a secret for docker",
}
"""First words of commands that only a server, a cluster, a registry or root can run, and why."""

NOT_RUN = {
    "tuban desk serve": "runs until it is ended; the tutorial serves the desk",
    "tuban deploy": "tests/flows/test_server.py runs it on a Prefect server",
    "tuban catalog search https:": "asks a host",
    "tuban model retrain": "needs forty verdicts: tests/flows/test_verdict_models.py",
    "tuban package merge": "tests/flows/test_packages.py merges three counties",
}
"""Beginnings of our commands that are only held against the command line, and why."""

PASSWORD = "sorghum under the levee\n"
FINISHED = (ExitCode.OK, ExitCode.EXCEPTIONS)


def commands_of(block: Block) -> list[str]:
    """Return the commands of a block, without the output that comments show."""
    if block.language not in ("", "sh") or str(block) in (*PICTURES, LAYOUT):
        return []
    return [line for line in block.text.splitlines() if line.strip() and line[:1] != "#"]


def is_elsewhere(block: Block) -> bool:
    return block.page.startswith(tuple(RUN_ELSEWHERE))


def is_run(command: str) -> bool:
    return command.startswith("tuban ") and not command.startswith(tuple(NOT_RUN))


def placed(name: str, text: str, folder: Path) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read_config(text: str, folder: Path) -> None:
    epochs = {name: {"scenes": [f"{name}.tif"]} for name in ("before", "after")}
    data = load_yaml(placed("part.yaml", text, folder))[0]
    assert RunConfig.model_validate({"name": "a"} | epochs | data).name


def read_configs_by_line(text: str, folder: Path) -> None:
    for line in text.splitlines():
        read_config(line, folder)


def read_layers(text: str, folder: Path) -> None:
    data = load_yaml(placed("LAYERS.yaml", text, folder))[0]
    told: dict[str, Any] = {"layers": data} if isinstance(data, list) else data
    assert LayersFile.model_validate({"version": 1, "layers": []} | told)


def read_approvals(text: str, folder: Path) -> None:
    """Read the delivery whose fields the page names: two rows in force, one that is replaced."""
    read_layers(text, folder)
    told = {"WH_NEW": ["待补", "3", "4"], "WH_OLD": ["甲字1号", "", ""]}
    told |= {"QFRQ": ["2025-01-31"] * 3, "PFMJ": [1.5] * 3, "ZT": ["有效", "生效", "作废"]}
    ground = gpd.GeoDataFrame(told, geometry=[box(0, 0, 10, 10)] * 3, crs="EPSG:32650")
    ground.to_file(folder / "approvals_2025.shp", encoding="GBK")
    file = LayersFile.load(placed("one.yaml", f"version: 1\nlayers:\n{text}", folder))
    table = read_role("approval", file.layers).table
    assert set(table["number"]) == {"甲字1号", "3"}
    assert set(table["use"]) == {"industry"}
    assert {day.isoformat() for day in table["date"]} == {"2025-01-31"}
    assert table["area_m2"].tolist() == pytest.approx([1000, 1000])


def read_rules(text: str, folder: Path) -> None:
    name = re.search(r"^name: (\S+)$", text, re.MULTILINE)
    assert name is not None
    assert load_rules(str(placed(f"{name[1]}.yaml", text, folder)), catalogue()).name == name[1]


def read_sensor(text: str, folder: Path) -> None:
    assert sensor_spec(str(placed("our_cam.yaml", text, folder))).bands


def read_monitor(text: str, folder: Path) -> None:
    assert MonitorConfig.load(placed("monitor.yaml", text, folder)).name


def read_pairs(text: str, folder: Path) -> None:
    assert LabelledPairs.load(placed("pairs.yaml", text, folder)).pairs


SHOWN_FILES = {
    "docs/how-to/catalogue.md": (read_sensor, read_sensor),
    "docs/how-to/clouds.md": (read_config,),
    "docs/how-to/layers.md": (read_layers, read_approvals, read_layers),
    "docs/how-to/ledger.md": (read_config,),
    "docs/how-to/models.md": (read_config, read_config, read_pairs),
    "docs/how-to/monitoring.md": (read_monitor,),
    "docs/how-to/packages.md": (read_configs_by_line,),
    "docs/how-to/preparing.md": (read_config,),
    "docs/how-to/profiles.md": (read_config,),
    "docs/how-to/real-imagery.md": (read_config, read_config, read_config),
    "docs/how-to/register.md": (read_config,),
    "docs/how-to/report.md": (read_config,),
    "docs/how-to/retraining.md": (read_config,),
    "docs/how-to/rules.md": (read_rules,),
    "docs/how-to/vetting.md": (read_layers,),
    "docs/how-to/watching.md": (read_layers, read_rules),
}
"""As what the YAML blocks of a page are read, in their order."""


def test_every_block_is_accounted_for():
    for block in BLOCKS:
        told = (
            is_elsewhere(block)
            or str(block) in (*PICTURES, LAYOUT)
            or block.language in ("python", "yaml")
            or bool(commands_of(block))
        )
        assert told, f"{block} is neither run nor read: {block.text[:80]!r}"
    assert {str(b) for b in BLOCKS} >= PICTURES


def test_every_command_is_run_or_stands_in_a_list_with_its_reason():
    said = [c for b in BLOCKS if not is_elsewhere(b) for c in commands_of(b)]
    for command in said:
        first = command.split()[0]
        assert first in OTHER_PROGRAMS or first == "tuban", command
    for name in (*OTHER_PROGRAMS, *NOT_RUN):
        assert any(c.startswith(name) for c in said), f"{name} stands on no page"


@pytest.mark.parametrize("page", sorted(SHOWN_FILES))
def test_a_file_that_a_page_shows_is_one(page: str, tmp_path: Path):
    shown = [b.text for b in blocks_of(ROOT / page) if b.language == "yaml"]
    for i, (read, text) in enumerate(zip(SHOWN_FILES[page], shown, strict=True)):
        (tmp_path / str(i)).mkdir()
        read(text, tmp_path / str(i))


def test_no_page_shows_another_file():
    assert {b.page for b in BLOCKS if b.language == "yaml"} == set(SHOWN_FILES)


PYTHON = [b for b in BLOCKS if b.language == "python" and not is_elsewhere(b)]


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_runs(block: Block):
    subprocess.run([sys.executable, "-c", block.text], cwd=ROOT, check=True, capture_output=True)


def spoken(page: Path) -> Iterator[str]:
    """Yield the commands of a page that stand in blocks, and those within a line."""
    text = page.read_text(encoding="utf-8")
    for block in blocks_of(page):
        yield from (c for c in commands_of(block) if c.startswith("tuban "))
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`(tuban [^`]+)`", prose)


@cache
def command_line() -> Any:
    return typer.main.get_command(build_app())


def options_of(command: Any) -> set[str]:
    return {name for p in command.params for name in p.opts + p.secondary_opts}


def unknown_words(command: str) -> list[str]:
    """Return the words of a command that the command line does not know: names and options."""
    words = shlex.split(command.replace("…", " "), comments=True)[1:]
    found, options = command_line(), {"--help", "-h"}
    options |= options_of(found)
    while hasattr(found, "commands") and words and not words[0].startswith("-"):
        for name in words[0].split("|"):  # such as `tuban audit verify|key`
            if name not in found.commands:
                return [name]
        found = found.commands[words.pop(0).split("|")[0]]
        options |= options_of(found)
    named = [w.split("=")[0] for w in words if re.match(r"--?[A-Za-z]", w)]
    return [name for name in named if name not in options]


WHERE_COMMANDS_STAND = [p for p in pages() if p.name != "CHANGELOG.md"]


@pytest.mark.parametrize("page", WHERE_COMMANDS_STAND, ids=lambda p: str(p.relative_to(ROOT)))
def test_names_and_options_of_commands_exist(page: Path):
    assert {c: found for c in spoken(page) if (found := unknown_words(c))} == {}


def test_an_unknown_option_is_noticed():
    assert unknown_words("tuban run a.yaml --plane") == ["--plane"]
    assert unknown_words("tuban desk users") == ["users"]


CALLS = [c for b in BLOCKS for c in commands_of(b) if c.startswith("curl ")]


@pytest.mark.parametrize("command", CALLS)
def test_an_address_that_is_called_exists(command: str):
    path = re.search(r"http://127\.0\.0\.1:8600(/[^ ?']*)", command)
    assert path is not None, command
    writes = any(f" {option} " in command for option in ("-d", "-F"))
    called = {"type": "http", "method": "POST" if writes else "GET", "path": path[1]}
    routes = [route for router in ROUTERS for route in router.routes]
    assert any(route.matches(called)[0] == Match.FULL for route in routes), command


def substitutes(folder: Path) -> dict[str, str]:
    """Return by what a command's names that only a run of one's own has are replaced."""
    first, second, *_ = clue_numbers(folder)
    return dict.fromkeys(RUNS, run_of(folder).name) | {
        "37030525Q1000012": first,
        "37030525Q3000001": first,
        "--clues 38,40,53": f"--clues {int(first[-6:])},{int(second[-6:])}",
        "packages/130427磁县_2026Q3_成果包_20260908.zip": "packages/*成果包*.zip",
        "backups/tuban-desk-20260401T020000Z": "backups/tuban-desk-*",
        "before.tif after.tif": "before.tif after.tif --no-register",  # drawn without a shift
        "unet.onnx --bands B02,B03,B04,B08": "unet.onnx --bands blue,green,red,nir",
    }


def as_typed(command: str, folder: Path) -> list[str]:
    """Return the words of a command; a pattern of files is what it matches."""
    for name, other in substitutes(folder).items():
        command = command.replace(name, other)
    words = []
    for word in shlex.split(command, comments=True)[1:]:
        words += (
            sorted(str(p.relative_to(folder)) for p in folder.glob(word)) if "*" in word else [word]
        )
    return words


def page_commands(page: str) -> list[str]:
    return [c for b in blocks_of(ROOT / page) for c in commands_of(b) if is_run(c)]


TYPED = sorted({b.page for b in BLOCKS if not is_elsewhere(b) and any(map(is_run, commands_of(b)))})


def settle(page: str, command: str, folder: Path) -> None:
    """Do what a page asks for in words before its next command: fill in the config."""
    if page.endswith("real-imagery.md") and command.startswith("tuban init"):
        text = (folder / "county.yaml").read_text(encoding="utf-8")
        for name in ("before", "after", "LAYERS.yaml"):
            text = re.sub(rf"(\[|: ){name}(?=[\]/\n])", rf"\1../{name}", text)
        (folder / "my-county" / "tuban.yaml").write_text(text, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("page", TYPED)
def test_the_commands_of_a_page_run(
    page: str, tmp_path: Path, worked_county: WorkedCounty, monkeypatch: pytest.MonkeyPatch
):
    lay_out(tmp_path, worked_county)
    for prepare in PREPARED.get(page, ()):
        prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    for command in page_commands(page):
        words = as_typed(command, tmp_path)
        done: Result = CliRunner().invoke(build_app(), words, input=PASSWORD)
        assert done.exit_code in FINISHED, f"{command}\n{done.output[-2000:]}\n{done.exception!r}"
        settle(page, command, tmp_path)


@pytest.mark.slow
def test_a_run_folder_holds_what_the_readme_says(worked_county: WorkedCounty):
    (block,) = (b for b in BLOCKS if str(b) == LAYOUT)
    named = [line.split()[0] for line in block.text.splitlines()[1:]]
    assert len(named) > 5
    for name in named:
        assert list(worked_county.run.glob(name)), name
