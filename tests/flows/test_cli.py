"""The command tree: names, help, exit codes, and what `--help` may load."""

import datetime as dt
import os
import re
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from configs.errors import ConfigError, ExitCode
from configs.layers import LayersFile
from configs.loading import load_model
from configs.run import RunConfig
from configs.runparts import LEDGER_FORMATS, METHODS
from flows.cli import app as cli
from flows.cli.options import parse_day, parse_size, report
from tests.flows.minicounty import build_mini

HEAVY = """
dask distributed geopandas numba numpy osgeo pandas prefect pyogrio pyproj rasterio scipy shapely
sklearn skimage sqlalchemy xarray
"""

NOT_FOR_CHECK = """
alembic dask distributed docx numba onnxruntime osgeo prefect reportlab scipy sklearn skimage
sqlalchemy xarray xlsxwriter detect.kernels models.forest flows.tilejob
"""
"""What `tuban check` never needs: it opens heads of images and tables of layers."""


def invoke(*args: str, app: typer.Typer | None = None):
    return CliRunner().invoke(app or cli.build_app(), list(args))


def all_commands() -> list[tuple[str, ...]]:
    app = cli.build_app()
    names = [(c.name,) for c in app.registered_commands]
    for group in app.registered_groups:
        names += [(group.name,)]
        names += [(group.name, c.name) for c in group.typer_instance.registered_commands]
    return sorted(names)


@pytest.mark.parametrize("path", all_commands(), ids=" ".join)
def test_help_of_every_command(path):
    result = invoke(*path, "--help")
    assert result.exit_code == 0, result.output
    assert "Usage" in result.output


def test_every_name_is_taken():
    names = {" ".join(path) for path in all_commands()}
    assert {"audit verify", "audit checkpoint", "desk serve", "doctor", "init"} <= names
    groups = [g.name for g in cli.build_app().registered_groups]
    assert len(groups) == len(set(groups))


def test_version():
    result = invoke("--version")
    assert result.exit_code == 0
    assert result.output == f"tuban {cli.version()}\n"


@pytest.mark.parametrize("args", [["no-such-command"], ["init", "--no-such-option"], ["catalog"]])
def test_misuse_is_2(args):
    assert invoke(*args).exit_code == ExitCode.MISUSE


def test_error_has_three_lines_and_no_traceback(tmp_path):
    assert invoke("init", str(tmp_path)).exit_code == 0
    result = invoke("init", str(tmp_path))
    assert result.exit_code == ExitCode.USER_ERROR
    what, where, fix = result.stderr.splitlines()
    assert what.startswith("error: tuban.yaml, LAYERS.yaml is there already")
    assert where == f"  where: {tmp_path}"
    assert fix.startswith("  fix:   ")
    assert isinstance(invoke("init", str(tmp_path), "--debug").exception, ConfigError)


def test_global_options_stand_anywhere():
    first = cli._globals_first
    assert first(["run", "a.yaml", "--debug"]) == ["--debug", "run", "a.yaml"]
    assert first(["run", "--progress", "json", "x"]) == ["--progress", "json", "run", "x"]
    assert first(["run", "--", "--debug"]) == ["run", "--", "--debug"]


@pytest.mark.parametrize("profile", ["annual", "quarterly", "emergency"])
def test_init_writes_files_that_load(tmp_path, profile):
    folder = tmp_path / "county"
    result = invoke("init", str(folder), "--profile", profile)
    assert result.exit_code == 0, result.output
    config = RunConfig.load(folder / "tuban.yaml")
    assert config.name == config.profile == profile
    assert config.quarter is None  # a scheduled run takes it from its images
    assert config.outputs.sample == (300 if profile == "annual" else 0)
    assert config.layers == folder / "LAYERS.yaml"
    assert load_model(LayersFile, config.layers).layers[0].role == "landuse"
    assert invoke("init", str(folder), "--force").exit_code == 0


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("512MiB", 512 << 20), ("1.5g", 15 * 10**8), ("2000", 2000)],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["much", "4XB", "-1GB", "4ib", ""])
def test_no_size(text):
    with pytest.raises(typer.BadParameter, match="is no size"):
        parse_size(text)


def test_days():
    assert parse_day("2025-06-12", "--on") == dt.date(2025, 6, 12)
    assert parse_day(None, "--on") is None
    with pytest.raises(typer.BadParameter, match="is no date; write 2025-06-12"):
        parse_day("12.6.2025", "--on")


@pytest.mark.parametrize(
    ("command", "option", "names"),
    [("detect", "method", METHODS), ("ledger export", "formats", LEDGER_FORMATS)],
)
def test_help_names_every_choice(command, option, names):
    found = typer.main.get_command(cli.build_app())
    for name in command.split():
        found = found.commands[name]
    told = next(p.help for p in found.params if p.name == option)
    assert re.findall(r"[a-z]+", told)[: len(names)] == list(names)


def test_report_is_on_stderr(capsys):
    report(ConfigError("what", "where", "fix"))
    assert capsys.readouterr() == ("", "error: what\n  where: where\n  fix:   fix\n")


def run_main(code: str, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=60,
    )


def test_help_loads_nothing_heavy_and_is_quick():
    code = (
        "import sys, time\n"
        "from flows.cli.app import build_app\n"
        "try: build_app()(['--help'])\n"
        "except SystemExit: pass\n"
        "print('SECONDS', time.process_time())\n"
        f"print('LOADED', [m for m in {HEAVY.split()!r} if m in sys.modules])"
    )
    seconds = []
    for _ in range(3):
        told = run_main(code)
        assert "LOADED []" in told.stdout, told.stdout[-300:] + told.stderr
        seconds.append(float(told.stdout.rpartition("SECONDS ")[2].split()[0]))
    assert min(seconds) < 1.0  # CPU time with the interpreter's start: 0.4 s on an idle machine


def test_check_loads_only_what_opens_images_and_layers(tmp_path):
    config = build_mini(tmp_path)
    code = (
        "import sys\n"
        "from flows.cli.app import build_app\n"
        "try: build_app()(sys.argv[1:])\n"
        "except SystemExit as end: print('CODE', end.code)\n"
        f"print('LOADED', [m for m in {NOT_FOR_CHECK.split()!r} if m in sys.modules])"
    )
    told = run_main(code, "check", str(config), "--out", str(tmp_path / "runs"))
    assert "ok   layers: approval 1 rows, landuse 48 rows" in told.stdout, told.stdout + told.stderr
    assert "CODE 0" in told.stdout
    assert "LOADED []" in told.stdout


FAULTY = """
import sys
from flows.cli import app, init

def broken(folder):
    {body}

init.init.__globals__["_template"] = broken
sys.argv = ["tuban", "init", *sys.argv[1:]]
app.main()
"""


def test_fault_of_the_program_is_told_without_traceback(tmp_path):
    told = run_main(FAULTY.format(body="return 1 / 0"), str(tmp_path))
    assert told.returncode == ExitCode.USER_ERROR
    assert "ZeroDivisionError" in told.stderr
    assert "--debug" in told.stderr
    assert "Traceback" not in told.stderr
    told = run_main(FAULTY.format(body="return 1 / 0"), str(tmp_path), "--debug")
    assert "Traceback" in told.stderr


def test_a_file_that_cannot_be_read_is_no_fault_of_the_program(tmp_path):
    body = "raise OSError(5, 'Input/output error', 'after.tif')"
    told = run_main(FAULTY.format(body=body), str(tmp_path))
    assert told.returncode == ExitCode.USER_ERROR
    what, where, fix = told.stderr.splitlines()
    assert (what, where) == ("error: Input/output error", "  where: after.tif")
    assert "run the same command again" in fix


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_interruption_is_130(tmp_path, name):
    """The work ends at the signal: what stands behind the wait is never said."""
    body = (
        f"import os, signal, time; os.kill(os.getpid(), signal.{name}); time.sleep(30); "
        "print('worked to the end', flush=True)"
    )
    told = run_main(FAULTY.format(body=body), str(tmp_path))
    assert told.returncode == ExitCode.INTERRUPTED
    assert "goes on where" in told.stderr
    assert "worked to the end" not in told.stdout


def test_an_error_on_the_way_out_is_still_an_interruption(tmp_path):
    """Such as of a server that the same signal ended."""
    body = (
        "import os\n    try:\n        raise KeyboardInterrupt\n"
        "    finally:\n        os.stat('nowhere')"
    )
    told = run_main(FAULTY.format(body=body), str(tmp_path))
    assert told.returncode == ExitCode.INTERRUPTED, told.stderr
    assert told.stderr.splitlines() == [
        "interrupted; the same command goes on where this one stopped"
    ]


def test_indices_are_listed_and_shown():
    listed = invoke("indices", "list", "--sensor", "sentinel2", "--domain", "urban")
    assert listed.exit_code == 0
    rows = [line.split() for line in listed.output.splitlines()]
    assert ["NDBI", "urban", "N", "S1", "Normalized", "Difference", "Built-Up", "Index"] in rows
    assert "NBUI" not in listed.output  # it needs a thermal band
    shown = invoke("indices", "show", "ndvi")
    assert "(N - R) / (N + R)" in shown.output
    assert "近红外" in shown.output
    unknown = invoke("indices", "show", "NDVX")
    assert unknown.exit_code == ExitCode.USER_ERROR
    assert "did you mean NDV" in unknown.output
