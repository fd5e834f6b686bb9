"""The command line as a process of its own, and what a run folder tells about its work."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from flows.journal import Journal
from tiles.files import PART_MARK

ROOT = Path(__file__).resolve().parents[2]
MAIN = "from flows.cli.app import main; main()"
FINISHED = (0, 3)
"""Exit codes of a run that wrote its list: fine, and with exceptions listed."""


def start(*args: Any, **environment: str) -> subprocess.Popen[str]:
    """Start ``tuban ARGS``; what it says comes line by line on stderr."""
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, *map(str, args)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tuban(*args: Any, codes: tuple[int, ...] = FINISHED, **environment: str) -> str:
    """Run ``tuban ARGS`` to its end; return what it said on stderr."""
    process = start(*args, **environment)
    try:
        said, told = process.communicate(timeout=600)
    finally:
        process.kill()
    assert process.returncode in codes, f"exit {process.returncode}\n{said[-500:]}\n{told[-3000:]}"
    return told


def run_folder(out: Path) -> Path:
    """Return the only run folder below ``--out``."""
    (folder,) = (p for p in out.iterdir() if (p / "manifest.jsonl").is_file())
    return folder


def products(folder: Path) -> list[dict[str, Any]]:
    """Return the products of the manifest in the order they were made."""
    return [line for line in Journal(folder / "manifest.jsonl").lines if line["kind"] == "product"]


def made(folder: Path, since: int = 0) -> dict[str, int]:
    """Return how many products of each stage were recorded, from a place in `products` on."""
    counts: dict[str, int] = {}
    for product in products(folder)[since:]:
        counts[product["stage"]] = counts.get(product["stage"], 0) + 1
    return counts


def unfinished(folder: Path) -> list[str]:
    """Return files that a finished or resumed run must not leave: parts, strips, locks."""
    names = (PART_MARK, "-strips-", "run.lock")
    return sorted(
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if any(name in p.name for name in names)
    )
