"""Fates of objects over four quarters with known truth: how many are told as planned.

``python -m benchmarks.fates`` works the quarters of ``tests/flows/fourquarters.py`` from images,
with one before image for the year and with that of the last quarter, lets people judge in between,
and writes the table into ``benchmarks/RESULTS.md``.
"""

import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import get_args

from tests.flows.fourquarters import Pairs, build_quarters
from tests.flows.test_quarters import QUARTERS, Year, wrong_fates, wrong_lists

RESULTS = Path(__file__).parent / "RESULTS.md"
BEGIN, END = "<!-- fates: begin -->", "<!-- fates: end -->"


def main() -> None:
    """Work both years and write the table."""
    lines = [
        "| pairs | fate | planned | right | share | told instead |",
        "|---|---|---:|---:|---:|---|",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = build_quarters(folder)
        for pairs in get_args(Pairs):
            year = Year(folder, pairs, plan)
            for quarter in QUARTERS:
                year.work(quarter)
                year.judge(quarter)
            lines += rows(year, pairs)
    text = "\n".join(lines)
    sys.stdout.write(f"{text}\n")
    before, rest = RESULTS.read_text(encoding="utf-8").split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    RESULTS.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def rows(year: Year, pairs: Pairs) -> list[str]:
    """Return the rows of one year."""
    wrong, counted = wrong_fates(year)
    planned = {fate or "nothing": count for fate, count in counted.items()}
    missed: dict[str, list[str]] = defaultdict(list)
    for quarter, _, kind, wanted, found in wrong:
        told = ", ".join(found) or "nothing"
        missed[wanted or "nothing"].append(f"{kind} in quarter {quarter}: {told}")
    lines = []
    for fate in sorted(planned):
        right = planned[fate] - len(missed[fate])
        share = f"{right / planned[fate]:.3f}"
        lines.append(_line(pairs, fate, planned[fate], right, share, "; ".join(missed[fate])))
    fates = sum(n for fate, n in planned.items() if fate != "nothing")
    right = fates - sum(len(m) for fate, m in missed.items() if fate != "nothing")
    lines.append(_line(pairs, "**all fates**", fates, right, f"**{right / fates:.3f}**", ""))
    again = [row for row in wrong_lists(year) if row[-1]]
    told = "; ".join(f"{kind} in quarter {quarter}" for quarter, _, kind, *_ in again)
    lines.append(_line(pairs, "judged or listed, and listed again", "0", len(again), "", told))
    return lines


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
