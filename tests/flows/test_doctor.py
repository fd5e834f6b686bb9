"""What the doctor sees, and what makes it refuse."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import doctor
from flows.cli.app import build_app


def by_name(checks):
    return {c.name: c for c in checks}


def test_this_machine_is_fit(tmp_path):
    result = CliRunner().invoke(build_app(), ["doctor", "--out", str(tmp_path), "--json"])
    checks = {c["name"]: c for c in json.loads(result.stdout)}
    wanted = {"python", "packages", "package names", "rasterio", "pyproj", "pyogrio", "numba"}
    assert wanted <= {n for n, c in checks.items() if c["status"] == "ok"}
    assert {"memory", "output folder", "chinese font", "encoding", "prefect"} <= set(checks)
    assert result.exit_code == (1 if any(c["status"] == "fail" for c in checks.values()) else 0)
    assert not list(tmp_path.iterdir())


def test_foreign_geodata_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "_PROBES", {"rasterio": doctor._PROBES["rasterio"]})
    strange = os.environ | {"PROJ_DATA": str(tmp_path), "PROJ_LIB": str(tmp_path)}
    checks = by_name([*doctor._geodata(strange), *doctor._native(strange)])
    assert checks["PROJ_DATA"].status == "warn"
    assert checks["PROJ_DATA"].fix == "unset PROJ_DATA"
    assert checks["rasterio"].status == "fail"
    assert checks["rasterio"].fix == "unset PROJ_DATA PROJ_LIB"


def test_disabled_compiler_fails(monkeypatch):
    monkeypatch.setattr(doctor, "_PROBES", {"numba": doctor._PROBES["numba"]})
    (check,) = doctor._native(os.environ | {"NUMBA_DISABLE_JIT": "1"})
    assert check.status == "fail"


def test_missing_and_wrong_packages(monkeypatch):
    needs = ["numpy>=99", "no-such-package-here>=1", "rich>=1", "pytest>=99; extra == 'test'"]
    monkeypatch.setattr(doctor, "requires", lambda _: needs)
    checks = by_name(doctor._packages())
    assert checks["numpy"].status == "fail"
    assert "needed >=99" in checks["numpy"].found
    assert checks["no-such-package-here"].fix == "pip install 'no-such-package-here>=1'"
    assert checks["packages"].found.startswith("1 as declared")
    assert "pytest" not in checks


def test_taken_names(monkeypatch):
    monkeypatch.setattr(doctor, "packages_distributions", lambda: {"models": ["tuban", "zoo"]})
    assert doctor._names().status == "fail"
    assert "models also comes with zoo" in doctor._names().found


def test_unwritable_output(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "_writable", lambda folder: folder == Path.home())
    assert by_name(doctor._places(tmp_path / "deep" / "runs"))["output folder"].status == "fail"


def test_little_disk_and_server(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "free_bytes", lambda _: 5_000_000)
    check = by_name(doctor._places(tmp_path))["output folder"]
    assert check.status == "warn"
    assert "0.0 GB free" in check.found
    assert doctor._prefect({"PREFECT_API_URL": "http://x/api"}).status == "warn"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_encoding(monkeypatch, encoding):
    monkeypatch.setattr(doctor.sys, "getfilesystemencoding", lambda: encoding)
    assert doctor._encoding().status == ("ok" if encoding == "utf-8" else "warn")
