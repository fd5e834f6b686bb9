"""The rules of the house: sizes, floors, names, words that must not stand in the project."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("configs", "tiles", "detect", "models", "clues", "web", "flows")
MODULES = sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.py"))
TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
).stdout.split("\n")
TEXTS = [ROOT / name for name in TRACKED if name and not name.endswith((".ttf", ".png", ".jpg"))]


def functions(tree: ast.AST):
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    doc = ast.get_docstring(node, clean=False)
    length = (node.end_lineno or 0) - node.lineno + 1
    return length - (doc.count("\n") + 1 if doc else 0)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module_is_small_and_says_what_it_holds(path: Path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert text.count("\n") <= 400
    assert ast.get_docstring(tree)
    long = {n.name: body_lines(n) for n in functions(tree) if body_lines(n) > 50}
    assert not long
    public = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert not [n.name for n in public if n.name[0] != "_" and not ast.get_docstring(n)]
    if path.name == "__init__.py":
        assert len(tree.body) == 1


@pytest.mark.parametrize("name", ROOMS)
def test_package_is_ours_alone(name: str):
    assert set(packages_distributions()[name]) == {"tuban"}


@pytest.mark.skipif(not any(TRACKED), reason="not a git checkout")
def test_no_file_names_a_host_or_a_machine():
    hosts = ["p[y]thonhosted", r"p[y]pi\.org", r"n[p]mjs\.org", r"d[e]b\.debian"]
    machine = re.compile("|".join([r"/(?:w[o]rk|f[a]rm|r[o]ot)/", *hosts]))
    unfinished = re.compile(r"\b(?:NotImplementedErr[o]r|FIX[M]E|TO[D]O|HA[C]K)\b")
    found = []
    for path in TEXTS:
        if path == Path(__file__) or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        found += [f"{path}: {m.group(0)}" for m in machine.finditer(text)]
        if path.suffix == ".py":
            found += [f"{path}: {m.group(0)}" for m in unfinished.finditer(text)]
    assert not found


@pytest.mark.skipif(not any(TRACKED), reason="not a git checkout")
def test_no_large_file_is_committed():
    own = [p for p in TEXTS if "static/vendor" not in p.as_posix()]
    large = [p for p in own if p.is_file() and p.stat().st_size > 500_000]
    assert not large


def test_help_loads_no_heavy_library():
    code = (
        "import sys\n"
        "from flows.cli.app import main\n"
        "sys.argv = ['tuban', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = ['rasterio', 'numba', 'sklearn', 'prefect', 'geopandas', 'pandas', 'distributed',"
        " 'shapely', 'numpy', 'sqlalchemy']\n"
        "print([m for m in heavy if m in sys.modules], file=sys.stderr)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stderr.strip().endswith("[]"), run.stderr


def test_constraints_hold_names_and_versions_only():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split("\n")
    assert all(re.fullmatch(r"[a-zA-Z0-9_.\-]+==[\w.+!]+(?: ; .*)?|", line) for line in lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    wanted = {re.split(r"[\[<>=]", d)[0].lower() for d in project["dependencies"]}
    assert wanted <= pinned


def test_what_is_pinned_for_every_python_installs_on_the_oldest():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split("\n")
    pinned = {canonicalize_name(line.partition("==")[0]) for line in lines if ";" not in line}
    here = {canonicalize_name(d.metadata["Name"]): d.metadata for d in distributions()}
    needs = {name: here[name].get("Requires-Python") or "" for name in pinned & set(here)}
    assert len(needs) > 100
    assert not {n: told for n, told in needs.items() if not SpecifierSet(told).contains("3.11.0")}


@pytest.mark.slow
def test_the_wheel_works_in_a_bare_environment(tmp_path: Path):
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def call(*command: str | Path) -> None:
        words = [str(c) for c in command]
        subprocess.run(words, cwd=tmp_path, env=bare, check=True, capture_output=True)

    source = tmp_path / "source"
    call("git", "clone", "-q", ROOT, source)
    call(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    call(python, "-m", "pip", "install", "-q", "uv")
    constraints = ["-c", str(ROOT / "constraints.txt")]
    call(python, "-m", "uv", "build", "-q", "--wheel", "-o", tmp_path / "dist", source)
    wheel = next((tmp_path / "dist").glob("*.whl"))
    call(python, "-m", "uv", "pip", "install", "-q", "--python", python, *constraints, wheel)
    names = [
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for p in MODULES
        if "migrations" not in p.parts
    ]
    code = f"import importlib\nfor name in {names!r}:\n    importlib.import_module(name)\n"
    call(python, "-I", "-c", code)
    code = "from configs.loading import available; assert available('rules')"
    call(python, "-I", "-c", code)
    code = "from pathlib import Path; from flows.demo.county import build_county\n"
    code += "build_county(Path('county'), size_px=256)"
    call(python, "-I", "-c", code)
    tuban = python.with_name("tuban")
    call(tuban, "--version")
    call(tuban, "init", "mine")
    call(tuban, "check", "county/demo.yaml")
