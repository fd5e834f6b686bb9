"""The parts of the page that stand in files: what is vendored, both languages, no other host."""

import hashlib
import re
from pathlib import Path

STATIC = Path(__file__).resolve().parents[2] / "web" / "static"
VENDOR = STATIC / "vendor"


def test_vendored_files_are_those_of_the_named_versions():
    lines = (VENDOR / "README.md").read_text(encoding="utf-8").split("\n")
    named = {
        m[1]: m[2] for line in lines if (m := re.match(r"\| (\S+/\S+) \| ([0-9a-f]{64}) ", line))
    }
    files = {p.relative_to(VENDOR).as_posix(): p for p in VENDOR.rglob("*") if p.is_file()}
    del files["README.md"]
    found = {name: hashlib.sha256(p.read_bytes()).hexdigest() for name, p in files.items()}
    assert found == named
