"""Accuracy of the change methods on labelled public pairs, read as `tuban detect` reads them.

Run ``python -m benchmarks.accuracy [--data FOLDER] [--write benchmarks/accuracy.md]``. Prints F1
of the change class per scene; with ``--write`` also the constants chosen again without each city
(some minutes more), and all of it into a file.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.labelled import (
    CITIES,
    SENSITIVITIES,
    Accuracy,
    LabelledPair,
    accuracy,
    changed,
    detect,
    open_pair,
)
from benchmarks.left_out import Choice, leave_one_out, score_grid
from benchmarks.plain_methods import PLAIN_METHODS, plain_answer
from detect.auto import INFRARED_WEIGHT, MEDIANS, WHITENING

HEAD = """# Accuracy

Made by `python -m benchmarks.accuracy --write benchmarks/accuracy.md`. F1 of the change class; P
and R are precision and recall. The eight cities are Sentinel-2 pairs of the OSCD set (every pixel
labelled, urban change only, 0.3–2.6 % of the pixels); Taizhou is a Landsat 7 pair with sparse
labels. Pairs are registered and searched for clouds as `tuban detect` does it; components below 4
pixels are noise. No method sees a label, but the design and the constants of `auto` were chosen by
people who had seen these scores: the first table is in-sample, the second the less flattering one.
On ten labelled pairs of 2 m (DSIFN) `auto` scores a mean F1 of 0.444: see the end of the page.
"""

TARGETS = ("any", "construction")


def row(cells: Sequence[object]) -> str:
    """Return a table row."""
    return "| " + " | ".join(f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells) + " |"


def heading(*names: str) -> Iterator[str]:
    """Yield the head of a table."""
    yield row(names)
    yield "|---" * len(names) + "|"


def figures(found: Sequence[Accuracy]) -> list[object]:
    """Return the means over the cities, F1 per city, and the figures of the last pair."""
    cities, last = found[:-1], found[-1]
    means = [float(np.mean([getattr(a, n) for a in cities])) for n in ("f1", "precision", "recall")]
    return [*means, *(a.f1 for a in cities), last.f1, last.precision, last.recall, last.kappa]


def method_table(pairs: Sequence[LabelledPair], floor_px: int) -> Iterator[str]:
    """Yield the table of all methods, in-sample."""
    yield from heading(
        "method", "target", "sensitivity", "mean F1", "P", "R", *CITIES, "Taizhou F1", "P", "R", "κ"
    )
    for method in ("auto", "irmad", "cva"):
        for target in TARGETS if method == "auto" else ("any",):
            for sensitivity in SENSITIVITIES:
                found = [
                    accuracy(changed(detect(p, method, sensitivity, target), floor_px), p)
                    for p in pairs
                ]
                yield row([method, target, sensitivity, *figures(found)])
    for name in PLAIN_METHODS:
        found = [accuracy(plain_answer(pair, name), pair) for pair in pairs]
        yield row([f"plain NumPy: {name}", "", "", *figures(found)])


def left_out_table(pairs: Sequence[LabelledPair], floor_px: int) -> Iterator[str]:
    """Yield the table of constants chosen without the city that is scored."""
    grid = score_grid(pairs, floor_px)
    yield (
        "Whitening, infrared weight and threshold (in scene medians) chosen for the best mean of "
        f"seven cities among {len(grid.choices)} combinations, scored on the eighth; beside it "
        "the constants as they are."
    )
    yield ""
    yield from heading(
        "city", "chosen on the other seven", "F1", *(f"`{t}` as is" for t in TARGETS)
    )
    left = leave_one_out(grid)
    own = [grid.at(Choice(WHITENING[t], INFRARED_WEIGHT[t], MEDIANS[t])) for t in TARGETS]
    for pair, (choice, f1), *as_is in zip(pairs, left, *own, strict=True):
        told = f"{choice.whitening}, {choice.infrared_weight}, {choice.medians}"
        yield row([pair.name, told, f1, *as_is])
    means = [float(np.mean(values)) for values in ([f1 for _, f1 in left], *own)]
    yield row(["mean", "", *means])
    best = grid.choices[int(np.argmax(grid.f1.mean(axis=1)))]
    yield ""
    yield (
        f"Best of all combinations on all eight: {grid.f1.mean(axis=1).max():.3f} with whitening "
        f"{best.whitening}, infrared weight {best.infrared_weight}, {best.medians} medians. By "
        "whitening and threshold, infrared weight of `any`:"
    )
    yield ""
    yield from heading("whitening", *(f"{m}" for m in sorted({c.medians for c in grid.choices})))
    for whitening in sorted({c.whitening for c in grid.choices}):
        means = [
            float(np.mean(grid.at(c)))
            for c in grid.choices
            if c.whitening == whitening and c.infrared_weight == INFRARED_WEIGHT["any"]
        ]
        yield row([whitening, *means])


def main() -> None:
    """Print the tables, and write them if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("TUBAN_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--floor-px", type=int, default=4)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    pairs = [open_pair(name, options.data) for name in (*CITIES, "taizhou")]
    lines = [HEAD, "## Methods", ""]
    for line in method_table(pairs, options.floor_px):
        lines.append(line)
        print(line, flush=True)
    if options.write is None:
        return
    lines += ["", "## Without the city that is scored", ""]
    for line in left_out_table(pairs[:-1], options.floor_px):
        lines.append(line)
        print(line, flush=True)
    tried = Path(__file__).with_name("attempts.md").read_text(encoding="utf-8")
    options.write.write_text("\n".join([*lines, "", tried]), encoding="utf-8")


if __name__ == "__main__":
    main()
