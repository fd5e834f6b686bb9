"""Change learned from labels, scored where no label was seen.

Run ``python -m benchmarks.learned [--data FOLDER] [--cache FOLDER] [--write PAGE]``.
Of every city the forest, the weight of its votes and the threshold come from the other seven; the
latter two from forests that saw neither it nor the city they are tried on. With ``--cache`` the
registered cities are kept as arrays, so that another attempt need not read them again.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import heading, row
from benchmarks.labelled import CITIES, accuracy, changed, detect, open_pair
from benchmarks.learned_objects import object_table
from models.changelearning import (
    ChangeLearner,
    LabelledScene,
    PairScale,
    choose_cut,
    fit_pair_scale,
    grow_learner,
    label_scene,
    learned_scores,
    learned_statistic,
    pair_halo,
)
from tiles.block import Block
from tiles.grid import Extent, sample_cells

FLOOR_PX = 4

HEAD = """# Change learned from labels

Made by `python -m benchmarks.learned --write benchmarks/learned.md`.

## Leave one city out (OSCD, Sentinel-2, 10 m)

F1 of the change class. Forest, power of its votes and threshold are of the other seven cities;
power and threshold are tried on cities that the forest asked there did not see. `auto` learns
nothing, but people chose its constants looking at these eight cities (`benchmarks/accuracy.md`):
chosen again without the city, it scores 0.431.
"""


@dataclass
class City:
    """A registered pair as one block, its scale, its samples; `auto` beside it."""

    name: str
    block: Block
    pixel_m: float
    labels: NDArray[np.uint8]
    outside: int
    auto: float
    scale: PairScale
    samples: LabelledScene
    answers: dict[frozenset[str], tuple[NDArray[np.float32], NDArray[np.float32]]] = field(
        default_factory=dict
    )

    def f1(self, found: NDArray[np.bool_]) -> float:
        """Return F1 of a map; changed pixels outside the common area count as missed."""
        hit = int(np.count_nonzero(found & (self.labels == 2)))
        wanted = int(np.count_nonzero(self.labels == 2)) + self.outside
        return 2 * hit / max(int(np.count_nonzero(found & (self.labels > 0))) + wanted, 1)


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


def open_city(name: str, data: Path, cache: Path | None) -> City:
    """Read a city, bring it to scale on its sample cells and draw its samples."""
    arrays = read_arrays(name, data, cache)
    pixel_m, labels = float(arrays["pixel_m"]), arrays["labels"].astype(np.uint8)
    halo = pair_halo(pixel_m)
    area = Extent(0, 0, *labels.shape)
    wavelengths = [float(w) if np.isfinite(w) else None for w in arrays["wavelengths"].tolist()]
    bands = tuple(str(b) for b in arrays["bands"])
    whole = _block(arrays, area.expand(halo), area, bands, area.expand(halo))
    cells = [
        _block(arrays, area.expand(halo), cell, bands, cell.expand(halo))
        for cell in sample_cells(area, 0)
    ]
    scale = fit_pair_scale(cells, pixel_m=pixel_m, wavelengths=wavelengths)
    samples = label_scene(name, whole, scale, labels)
    outside, auto = int(arrays["outside"]), float(arrays["auto"])
    return City(name, whole, pixel_m, labels, outside, auto, scale, samples)


def _block(
    arrays: dict[str, NDArray[np.generic]],
    held: Extent,
    core: Extent,
    bands: tuple[str, ...],
    extent: Extent,
) -> Block:
    rows, cols = extent.slices_in(held)
    before, after = (arrays[k][:, rows, cols].astype(np.float32) for k in ("before", "after"))
    valid = np.ascontiguousarray(arrays["valid"][rows, cols]).astype(np.bool_)
    source = np.where(valid, 0, 255).astype(np.uint8)
    return Block(extent, core, bands, before, after, valid, np.stack([source, source]))


def score_city(
    city: City,
    learner_of: Callable[[frozenset[str]], ChangeLearner],
    left: frozenset[str],
    cut: ChangeLearner,
) -> float:
    """Return F1 of a city by the forest without `left`, with the power and threshold of `cut`."""
    if left not in city.answers:
        city.answers[left] = learned_statistic(city.block, city.scale, learner_of(left))
    scores = learned_scores(city.block, *city.answers[left], cut, city.pixel_m)
    return city.f1(changed(scores, FLOOR_PX))


def leave_one_out(cities: Sequence[City]) -> Iterator[tuple[City, ChangeLearner, float]]:
    """Yield each city, what was learned without it, and its F1."""
    grown: dict[frozenset[str], ChangeLearner] = {}

    def learner_of(left: frozenset[str]) -> ChangeLearner:
        if left not in grown:
            seen = [c.samples for c in cities if c.name not in left]
            grown[left] = grow_learner(seen, cities[0].block.bands)
        return grown[left]

    for city in cities:
        inner = [
            partial(score_city, other, learner_of, frozenset((city.name, other.name)))
            for other in cities
            if other is not city
        ]
        left = frozenset((city.name,))
        learner = choose_cut(learner_of(left), inner)
        yield city, learner, score_city(city, learner_of, left, learner)


def city_table(cities: Sequence[City]) -> Iterator[str]:
    """Yield the table of the cities."""
    yield from heading("city", "power", "threshold, scene medians", "learned F1", "`auto` F1")
    found = []
    for city, learner, f1 in leave_one_out(cities):
        found.append((f1, city.auto))
        yield row([city.name, f"{learner.power:g}", f"{learner.threshold:.2f}", f1, city.auto])
    yield row(["mean", "", "", *(float(v) for v in np.mean(found, axis=0))])


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
        for line in object_table(options.data):
            lines.append(line)
            print(line, flush=True)
    lines += ["", f"CPU seconds, one thread: {time.process_time() - start:.0f}."]
    print(lines[-1])
    if options.write is not None:
        tried = Path(__file__).with_name("learned_attempts.md").read_text(encoding="utf-8")
        options.write.write_text("\n".join([*lines, "", tried]), encoding="utf-8")


if __name__ == "__main__":
    main()
