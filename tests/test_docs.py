"""What the pages say is true: links resolve, commands exist, examples run."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from clues.catalogue import catalogue
from configs.rules import load_rules
from configs.run import RunConfig
from flows.cli.app import build_app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    p
    for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")]
    if ".venv" not in p.parts
)
ROOMS = ("configs", "tiles", "detect", "models", "clues", "flows", "web")


def code_blocks(page: Path, language: str = "") -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@cache
def anchors(page: Path) -> set[str]:
    """Return what a link to a place of a page may name: headings in lower case, ids."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+?)(?: \{.*)?$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading).strip().lower() for heading in headings)
    return {words.replace(" ", "-") for words in plain} | set(re.findall(r"\{ ?#([\w-]+)", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_resolve(page: Path):
    links = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    for name, _, anchor in (link.partition("#") for link in links if "://" not in link):
        target = page.parent / name if name else page
        assert target.exists(), name
        assert not anchor or anchor in anchors(target), f"{name}#{anchor}"


@cache
def is_built(name: str) -> bool:
    """Return whether a command is there and not reserved for a later version."""
    result = CliRunner().invoke(build_app(), [name, "--help"])
    return result.exit_code == 0 and "from version" not in result.output


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_named_is_built(page: Path):
    named = set(
        re.findall(r"(?:`|^)tuban ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert {name for name in named if not is_built(name)} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_make_targets_named_exist(page: Path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def chinese(page: Path) -> Path:
    """Return where the Chinese text of an English page lies."""
    ending = ".zh-CN.md" if page.parent == ROOT else ".zh.md"
    return page.with_name(page.stem + ending)


def skeleton(page: Path) -> dict[str, list[str]]:
    """Return what both languages of a page must share, section by section."""
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    links = [s for s in re.findall(r"\]\(([^)]+)\)", prose) if not s.startswith("README")]
    return {
        "headings": re.findall(r"^#+(?= )", prose, re.MULTILINE),
        "blocks": [plain_code(b) for b in code_blocks(page, r"[a-z]*")],
        "rows": [str(row.count("|")) for row in prose.split("\n") if row[:1] == "|"],
        "points": re.findall(r"^(?:- |\d+\. )", prose, re.MULTILINE),
        "links": sorted(links),
        "commands": sorted(set(re.findall(r"`tuban ([a-z]+ ?[a-z]*)", prose))),
        "placed": re.findall(r"^#+(?= )|^(?:!\[|```|\|---|- )", text, re.MULTILINE),
    }


def plain_code(block: str) -> str:
    """Return a block without its comments and the words of a layout, which are translated."""
    if "/report.html" in block or "  report.html" in block:
        return " ".join(re.findall(r"^  (\S+)", block, re.MULTILINE))
    return re.sub(r"(?:^|\s+)#.*$", "", block, flags=re.MULTILINE)


PAIRED = [p for p in PAGES if chinese(p).exists()]


@pytest.mark.parametrize("page", PAIRED, ids=lambda p: str(p.relative_to(ROOT)))
def test_both_languages_say_the_same_section_by_section(page: Path):
    assert skeleton(page) == skeleton(chinese(page))


def test_every_page_is_told_in_both_languages():
    """But the notebooks, whose cells are told in both."""
    english = {p for p in PAGES if ROOT / "docs" in p.parents and ".zh" not in p.suffixes}
    english -= set((ROOT / "docs" / "gallery").glob("*.md"))
    assert english | {ROOT / "README.md"} <= set(PAIRED)


@pytest.mark.parametrize("room", ROOMS)
def test_the_example_of_each_room_runs(room: str):
    page = ROOT / room / "README.md"
    blocks = code_blocks(page, "python")
    assert blocks or room == "web"
    for block in blocks:
        subprocess.run([sys.executable, "-c", block], cwd=ROOT, check=True, capture_output=True)


def names_of_files(room: str) -> set[str]:
    """Return what the tables of a room's README name; a table may be of a folder within it."""
    names, folder = set(), ""
    for line in (ROOT / room / "README.md").read_text(encoding="utf-8").split("\n"):
        if head := re.match(r"\| in `(\w+/)`", line):
            folder = head[1]
        elif line[:3] == "| `":
            names |= {folder + n.rstrip("/") for n in re.findall(r"`([^`]+)`", line.split("|")[1])}
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_names_its_modules_and_no_other(room: str):
    named = names_of_files(room)
    assert not [name for name in named if not list((ROOT / room).glob(name))]
    modules = {p.relative_to(ROOT / room) for p in (ROOT / room).rglob("*.py")}
    own = {m.as_posix() for m in modules if m.name != "__init__.py" and "migrations" not in m.parts}
    assert {m for m in own - named if not m.startswith("cli/")} == set()


def test_the_rule_set_of_the_how_to_is_one(tmp_path: Path):
    (text,) = code_blocks(ROOT / "docs/how-to/rules.md", "yaml")
    (tmp_path / "our-county.yaml").write_text(text, encoding="utf-8")
    rules = load_rules(str(tmp_path / "our-county.yaml"), catalogue())
    assert rules.number("tau") == 0.9


@pytest.mark.parametrize("name", ["real-imagery", "preparing", "profiles"])
def test_configs_of_the_how_tos_keep_to_the_schema(name: str):
    for block in code_blocks(ROOT / f"docs/how-to/{name}.md", "yaml"):
        data = {"name": "a"} | yaml.safe_load(block)
        assert RunConfig.model_validate(data).before is not None


def test_the_how_to_begins_with_a_template_that_checks(tmp_path: Path):
    result = CliRunner().invoke(build_app(), ["init", str(tmp_path / "my-county")])
    assert result.exit_code == 0
    made = sorted(p.name for p in (tmp_path / "my-county").iterdir())
    assert made == ["LAYERS.schema.json", "LAYERS.yaml", "tuban.schema.json", "tuban.yaml"]
    result = CliRunner().invoke(build_app(), ["check", str(tmp_path / "my-county/tuban.yaml")])
    assert result.exit_code == 1
    assert "before.tif" in result.output
