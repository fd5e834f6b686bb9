"""Time from a verdict by key until the next clue is painted with both of its images.

Run with ``python -m benchmarks.desk_review --thought 1``. The county of 34 clues of the tests is
run and brought into a desk, `tuban desk serve` serves it from a process of its own, Chromium
without a graphics card shows it. In each language 25 clues (``--clues``) are judged by keyboard,
with thought (seconds) before each key. Printed are median, 95th percentile and worst in ms, the
most keys a clue took, and the load of the machine; ``--write`` puts the table into RESULTS.md.
"""

import argparse
import math
import os
import shutil
import tempfile
from contextlib import closing
from pathlib import Path

from benchmarks.desk_load import free_port, served, write
from clues.accounts import Accounts
from flows.desk.adding import add_run
from flows.desk.place import desk_place
from tests.web.browsing import chromium, visit
from tests.web.keyed import PASSWORD, Judged, checked_on_site, judge_by_keys, signed_in
from tests.web.manyclues import CODE, run_many

COUNT = 25
GOAL = 600
"""Milliseconds that 95 of 100 clues may take."""
NAME = "county"


def filled(folder: Path) -> Path:
    """Run the county, bring it into a desk with one account; return its store."""
    place = desk_place(str(folder / "desk.sqlite"))
    add_run(run_many(folder / CODE), place, by=NAME)
    store = place.open()
    Accounts(store).add(NAME, "county", CODE, PASSWORD, by="setup", must_change=False)
    store.close()
    return folder / "desk.sqlite"


def judged(store: Path, language: str, thought: float, count: int) -> list[Judged]:
    """Serve a copy of the desk and judge its clues by keyboard."""
    with tempfile.TemporaryDirectory() as folder:
        own = Path(shutil.copy(store, folder))
        files = store.with_name(f"{store.stem}-desk")
        shutil.copytree(files, own.with_name(files.name))
        port = free_port()
        process = served(own, port)
        try:
            address = f"http://127.0.0.1:{port}"
            with closing(signed_in(address, NAME)) as client:
                checked_on_site(client)
            with chromium() as browser:
                who = visit(browser, address)
                who.open(language)
                who.sign_in(NAME, PASSWORD)
                found = judge_by_keys(who, count, 1000 * thought)
                who.close()
            return found
        finally:
            process.terminate()
            process.wait(30)


def row(language: str, found: list[Judged]) -> str:
    """Return a line of the table."""
    own = sorted(one.taken for one in found)
    middle, high = own[len(own) // 2], own[math.ceil(0.95 * len(own)) - 1]
    keys = max(one.keys for one in found)
    cells = f"| {language} | {len(own)} | {keys} | {middle:.0f} | {high:.0f} | {own[-1]:.0f} "
    return f"{cells}| {GOAL} | {os.getloadavg()[0]:.1f} |"


def main() -> None:
    """Fill, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--thought", type=float, default=1.0, help="seconds before each key")
    parser.add_argument("--clues", type=int, default=COUNT, help="to judge in each language")
    parser.add_argument("--write", action="store_true", help="into RESULTS.md")
    given = parser.parse_args()
    lines = ["| page | clues | most keys | p50 ms | p95 ms | worst ms | goal, p95 | load average |"]
    lines.append("|---|--:|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        store = filled(Path(folder))
        for language in ("zh", "en"):
            lines.append(row(language, judged(store, language, given.thought, given.clues)))
    print("\n".join(lines))
    if given.write:
        told = "`python -m benchmarks.desk_review --write`: from the last key of a verdict until "
        told += f"the next clue is painted with both images; {given.thought:g} s of thought before "
        told += f"each key, Chromium without a graphics card, {os.cpu_count()} cores."
        write(lines, told, "desk review", "Clues judged by keyboard")


if __name__ == "__main__":
    main()
