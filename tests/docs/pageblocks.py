"""The fenced blocks of the pages that users read, and how what they print is compared."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = "…"


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes
    ----------
    page : str
        Path of the page below the project.
    number : int
        Counts the blocks of a page from 1.
    language : str
        What stands behind the fence; "" where nothing does.
    text : str
        Its lines.
    """

    page: str
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}#{self.number}"


def pages() -> list[Path]:
    """Return every page in either language: of the project, its rooms and the documentation."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")]
    return sorted(p for p in found if ".venv" not in p.parts)


def is_translated(page: Path) -> bool:
    """Tell whether a page is the Chinese one of a pair, whose blocks are those of the English."""
    english = page.with_name(re.sub(r"\.(zh|zh-CN)\.md$", ".md", page.name))
    return english != page and english.exists()


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    name, text = page.relative_to(ROOT).as_posix(), page.read_text(encoding="utf-8")
    found = enumerate(FENCE.finditer(text), 1)
    return [Block(name, i, m["language"].strip(), m["text"]) for i, m in found]


def missing_line(wanted: str, printed: str) -> str:
    """Return the first line of a block that is not printed in its order; "" where all are.

    ``…`` stands for any text, alone on a line for any lines.
    """
    rest = iter(printed.splitlines())
    for line in wanted.splitlines():
        pattern = ".*".join(map(re.escape, line.strip().split(LEFT_OUT)))
        if not any(re.fullmatch(pattern, said.strip()) for said in rest):
            return line
    return ""
