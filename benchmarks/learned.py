"""Change learned from labels, scored where no label was seen.

Run ``python -m benchmarks.learned [--data FOLDER] [--cache FOLDER] [--write PAGE]``.
Of every place the forest, the weight of its votes and the threshold come from the other places, and
so does the answer whether the labels prove anything; the latter three from forests that saw neither
it nor the place they are tried on. With ``--cache`` the registered cities are kept as arrays, so
that another attempt need not read them again.
"""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import heading, row
from benchmarks.labelled import CITIES, accuracy, changed, detect, open_pair
from benchmarks.learned_objects import open_villages, plain_f1
from models.changelearning import pair_halo
from models.changetraining import (
    Forests,
    LabelledPlace,
    Trained,
    learn_change,
    open_place,
    score_place,
)
from tiles.block import Block
from tiles.grid import Extent

FLOOR_PX = 4

HEAD = """# Change learned from labels

Made by `python -m benchmarks.learned --write benchmarks/learned.md`.

F1 of the change class. `forced` is what the model finds that the other places teach; `as run` is
the same if these places prove that it finds more than `auto` (one-sided t-test, 5 %, each of them
scored by a forest, a power and a threshold of the others), else `auto`, as `tuban detect --model`
does it. `auto` learns nothing.
"""

CITY_TEXT = """
## Leave one city out (OSCD, Sentinel-2, 10 m)

People chose the constants of `auto` looking at these eight cities (`benchmarks/accuracy.md`):
chosen again without the city, it scores 0.431.
"""

VILLAGE_TEXT = """
## Leave one pair out (DSIFN, red, green and blue, 2 m)

Objects of both dates stacked (`models/objects.py`), their statistics (`models/objectfeatures.py`),
a forest of the other nine pairs, and the votes of the pair cut by Otsu's threshold: nothing is
fitted to its labels, but that cut was taken after one threshold of the other pairs had won eight
of ten only (mean 0.380). The cut never lies below half of the least of the other pairs.
"""


def read_arrays(name: str, data: Path, cache: Path | None) -> dict[str, NDArray[np.generic]]:
    """Return a registered city as arrays, from the cache if it is there."""
    path = None if cache is None else cache / f"{name}.npz"
    if path is not None and path.exists():
        with np.load(path, allow_pickle=False) as stored:
            return {k: stored[k] for k in stored.files}
    pair = open_pair(name, data)
    with pair.reader as reader:
        block = reader.read(pair.extent, pair_halo(pair.pixel_m))
    inside = np.zeros(pair.labels.shape, np.bool_)
    inside[pair.extent.slices_in(pair.labels_at)] = True
    arrays = {
        "before": block.before,
        "after": block.after,
        "valid": block.valid,
        "labels": pair.labels[pair.extent.slices_in(pair.labels_at)],
        "outside": np.array(np.count_nonzero((pair.labels == 2) & ~inside)),
        "pixel_m": np.array(pair.pixel_m),
        "wavelengths": np.array([w or np.nan for w in pair.wavelengths]),
        "bands": np.array(block.bands),
        "auto": np.array(
            accuracy(changed(detect(pair, "auto", "medium", "any"), FLOOR_PX), pair).f1
        ),
    }
    if path is not None:
        np.savez(path, **arrays)
    return arrays


def open_city(name: str, data: Path, cache: Path | None) -> LabelledPlace:
    """Read a city as a labelled place."""
    arrays = read_arrays(name, data, cache)
    pixel_m, labels = float(arrays["pixel_m"]), arrays["labels"].astype(np.uint8)
    area = Extent(0, 0, *labels.shape)
    valid = arrays["valid"].astype(np.bool_)
    source = np.where(valid, 0, 255).astype(np.uint8)
    block = Block(
        area.expand(pair_halo(pixel_m)),
        area,
        tuple(str(b) for b in arrays["bands"]),
        arrays["before"].astype(np.float32),
        arrays["after"].astype(np.float32),
        valid,
        np.stack([source, source]),
    )
    return open_place(
        name,
        block,
        labels,
        pixel_m=pixel_m,
        wavelengths=[float(w) if np.isfinite(w) else None for w in arrays["wavelengths"].tolist()],
        outside=int(arrays["outside"]),
        auto=float(arrays["auto"]),
    )


def leave_one_out(
    places: Sequence[LabelledPlace],
) -> Iterator[tuple[LabelledPlace, Trained, float, float]]:
    """Yield each place, what was learned without it, F1 of the model, and F1 as a run has it."""
    forests = Forests(places)
    for place in places:
        trained = learn_change(places, left=frozenset((place.name,)), forests=forests)
        forced, kept = (
            score_place(place, trained, forests, force=force) for force in (True, False)
        )
        yield place, trained, forced, kept


def city_table(cities: Sequence[LabelledPlace]) -> Iterator[str]:
    """Yield the table of the cities."""
    yield CITY_TEXT
    titles = ("city", "power", "threshold, scene medians", "the others gain", "proven")
    yield from heading(*titles, "forced", "as run", "`auto`")
    found = []
    for city, trained, forced, kept in leave_one_out(cities):
        found.append((forced, kept, city.auto))
        learner = trained.learner
        yield row(
            [
                city.name,
                f"{learner.power:g}",
                f"{learner.threshold:.2f}",
                f"{trained.gain:+.3f}",
                "yes" if learner.proven else "no",
                *found[-1],
            ]
        )
    yield row(["mean", "", "", "", "", *(float(v) for v in np.mean(found, axis=0))])


def village_table(data: Path) -> Iterator[str]:
    """Yield the table of the pairs of 2 m."""
    yield VILLAGE_TEXT
    titles = ("pair", "changed", "cut", "the others gain", "proven")
    yield from heading(*titles, "pixel CVA + Otsu", "forced", "as run", "`auto`")
    found = []
    for place, trained, forced, kept in leave_one_out(open_villages(data)):
        found.append((plain_f1(place), forced, kept, place.auto))
        learner = trained.learner
        share = float((place.labels == 2).mean())
        yield row(
            [
                place.name,
                f"{100 * share:.0f} %",
                f"{learner.threshold:.2f}",
                f"{trained.gain:+.3f}",
                "yes" if learner.proven else "no",
                *found[-1],
            ]
        )
    scores = np.array(found)
    yield row(["mean", "", "", "", "", *(float(v) for v in scores.mean(axis=0))])
    wins = [int((scores[:, k] > scores[:, 0]).sum()) for k in (1, 2)]
    yield row(["pairs won", "", "", "", "", "", *wins, ""])


def main() -> None:
    """Print the tables, and write them if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("TUBAN_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--only", choices=("cities", "objects"))
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    lines = [HEAD]
    start = time.process_time()
    if options.only != "objects":
        cities = [open_city(name, options.data, options.cache) for name in CITIES]
        for line in city_table(cities):
            lines.append(line)
            print(line, flush=True)
    if options.only != "cities":
        for line in village_table(options.data):
            lines.append(line)
            print(line, flush=True)
    lines += ["", f"CPU seconds, one thread: {time.process_time() - start:.0f}."]
    print(lines[-1])
    if options.write is not None:
        tried = Path(__file__).with_name("learned_attempts.md").read_text(encoding="utf-8")
        options.write.write_text("\n".join([*lines, "", tried]), encoding="utf-8")


if __name__ == "__main__":
    main()
