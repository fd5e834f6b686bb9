"""Pages that the program writes are current; the site, the bill and the acceptance hold."""

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["cli.md", "cli.zh.md", "config.md", "config.zh.md"])
def test_a_page_of_reference_is_current(name: str):
    made = script("reference").PAGES[name]()
    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == made, "run make reference"


def test_licences_are_those_of_the_pinned_versions():
    row = re.compile(r"^\| ([a-z0-9-]+) \| (\d\S*) \| (.+) \|$", re.MULTILINE)
    rows, same = (
        row.findall((DOCS / name).read_text(encoding="utf-8"))
        for name in ("licences.md", "licences.zh.md")
    )
    assert rows == same
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split("\n")
    pins = [re.match(r"([^=]+)==([^ ;]+)", line).groups() for line in lines if line]
    plain = script("licences").plain
    pinned = {(plain(name), version) for name, version in pins}  # by version of Python, at times
    assert rows
    for name, version, licence in rows:
        assert (name, version) in pinned, f"{name}: run make licences"
        assert licence != "not stated", name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[\[<>=]", d)[0].lower() for d in project["dependencies"]}
    assert wanted <= {name for name, _, _ in rows}


def test_the_bill_of_materials_names_every_package_once():
    told = json.loads(script("licences").bill())
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.6")
    names = [c["name"] for c in told["components"]]
    assert names == sorted(set(names))
    assert {"rasterio", "numba", "prefect"} <= set(names)
    vendored = {p.name for p in (ROOT / "web/static/vendor").iterdir() if p.is_dir()}
    assert {*vendored, "noto-sans-sc"} <= {name.rpartition("/")[2] for name in names}
    assert all(c["purl"].endswith(f"@{c['version']}") for c in told["components"])


def proofs() -> list[str]:
    text = (DOCS / "acceptance.md").read_text(encoding="utf-8")
    return sorted(set(re.findall(r"`(tests/[^`]+)`", text)))


@pytest.mark.parametrize("proof", proofs())
def test_a_proof_exists(proof: str):
    path, _, name = proof.partition("::")
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_the_image_holds_every_room():
    recipe = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for room in ("configs", "tiles", "detect", "models", "clues", "web", "flows"):
        assert f"COPY {room} {room}\n" in recipe


def test_every_page_is_in_the_menu():
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    named = set(re.findall(r"([\w/-]+\.md)", menu))
    pages = {p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md")}
    assert named == {p for p in pages if not p.endswith(".zh.md")}


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path):
    pytest.importorskip("material", reason="the site needs mkdocs-material: pip install '.[dev]'")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-q", "--strict", "-d", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for page in ("index.html", "zh/index.html", "reference/cli.html", "zh/scope.html"):
        text = (tmp_path / "site" / page).read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"?(https?:[^\" >]+)", text)
        assert not loaded
