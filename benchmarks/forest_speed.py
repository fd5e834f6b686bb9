"""Speed of forest and boosted trees against scikit-learn and onnxruntime: CPU seconds, one thread.

Run ``python -m benchmarks.forest_speed [--rows 1000000] [--repeats 3]``. All get the same float32
rows, in turns; the class of every row is compared. onnxruntime is asked where it and skl2onnx are
installed, on the first tenth of the rows, and its seconds are scaled up. Points are invented: eight
overlapping classes, as many features as four bands of an image give.
"""

import argparse
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from threadpoolctl import threadpool_limits

from benchmarks.measure import interleaved, machine, table
from models.boosting import boosted_classes
from models.forest import classes_at, votes
from models.growing import boosting_arrays, to_arrays

CLASSES, FEATURES = 8, 16
LEARNED = 20_000
SHARE = 10
"""onnxruntime gets one row in so many."""

Rows = NDArray[np.float32]


def invented(rng: np.random.Generator, n: int) -> tuple[Rows, NDArray[np.int64]]:
    """Return points of overlapping classes."""
    y = rng.integers(0, CLASSES, n)
    centres = np.random.default_rng(9).normal(size=(CLASSES, FEATURES)) * 0.8
    return (centres[y] + rng.normal(size=(n, FEATURES))).astype(np.float32), y


def onnx_predict(model: Any) -> Callable[[Rows], Any] | None:
    """Return prediction by onnxruntime on one thread; None where it is not installed."""
    try:
        import onnxruntime
        from skl2onnx import to_onnx
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    made = to_onnx(model, np.zeros((1, FEATURES), np.float32), options={"zipmap": False})
    content = made.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(["label"], {session.get_inputs()[0].name: x})[0]


def compared(
    name: str, model: Any, own: Mapping[str, Callable[[Rows], Any]], x: Rows, repeats: int
) -> list[list[str]]:
    """Return rows of the table for one model."""
    found: dict[str, Any] = {}

    def keep(key: str, predict: Callable[[Rows], Any], rows: Rows) -> Callable[[], None]:
        def task() -> None:
            found[key] = predict(rows)

        return task

    tasks = {key: keep(key, predict, x) for key, predict in own.items()}
    tasks["scikit-learn"] = keep("scikit-learn", model.predict, x)
    peer = onnx_predict(model) if isinstance(model, RandomForestClassifier) else None
    if peer is not None:
        tasks["onnxruntime"] = keep("onnxruntime", peer, x[::SHARE].copy())
    timings = interleaved(tasks, repeats)
    cpu = {key: t.cpu * (SHARE if key == "onnxruntime" else 1) for key, t in timings.items()}
    lines = []
    for key, seconds in cpu.items():
        answer = found[key]
        if answer.ndim == 2:
            answer = answer.argmax(axis=1)
        wanted = found["scikit-learn"][::SHARE] if key == "onnxruntime" else found["scikit-learn"]
        lines.append(
            [
                f"{name}, {key}",
                f"{seconds:.2f}",
                f"{len(x) / seconds / 1e6:.2f}",
                f"{cpu['scikit-learn'] / seconds:.1f}",
                f"{cpu['onnxruntime'] / seconds:.1f}" if "onnxruntime" in cpu else "–",
                f"{int((answer != wanted).sum())} of {len(wanted)}",
            ]
        )
    return lines


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--trees", type=int, default=100)
    options = parser.parse_args()
    rng = np.random.default_rng(7)
    learned, (x, _) = invented(rng, LEARNED), invented(rng, options.rows)
    lines = []
    print(machine(("numpy", "numba", "scikit-learn")), f"load: {os.getloadavg()}")
    with threadpool_limits(1):
        for depth, leaf in ((12, 5), (12, 1), (None, 1)):
            forest = RandomForestClassifier(
                options.trees,
                max_depth=depth,
                min_samples_leaf=leaf,
                class_weight="balanced_subsample",
                n_jobs=1,
                random_state=0,
            ).fit(*learned)
            arrays = to_arrays(forest, CLASSES)
            own = {
                "tuban: class": lambda rows, a=arrays: classes_at(a, rows),
                "tuban: one vote per tree": lambda rows, a=arrays: votes(a, rows),
            }
            name = f"{options.trees} trees, depth {depth or 'free'}, leaves from {leaf}"
            lines += compared(name, forest, own, x, options.repeats)
        boosted = HistGradientBoostingClassifier(
            max_iter=60, early_stopping=False, random_state=0
        ).fit(*learned)
        trees = boosting_arrays(boosted, CLASSES)
        own = {"tuban: class": lambda rows: boosted_classes(trees, rows)}
        lines += compared("boosting, 60 rounds", boosted, own, x, options.repeats)
    head = ("", "CPU s", "Mpx/s", "scikit-learn ÷ it", "onnxruntime ÷ it", "other class")
    print(table(lines, head))


if __name__ == "__main__":
    main()
