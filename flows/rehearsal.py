"""What follows the first statistics of a run, worked on a tiny scene, so that it is compiled.

Numba compiles one kernel at a time in a process. Where a run has to compile, a second process
works this scene (``python -m flows.rehearsal``): forest, tile, join and cutting, in the order in
which the run will need them, while the run compiles what it needs first. Both keep what they have
compiled in the same cache; a kernel that is not there yet is compiled by the run itself.
"""

import logging
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from configs.told import Told
from flows.ownprocess import end_with_parent, has_room, last_line, started

if TYPE_CHECKING:
    from flows.stagekeys import RunOptions

__all__ = ["compiled_beside", "rehearse", "rehearse_cutting", "rehearse_tiles"]

log = logging.getLogger(__name__)

BYTES = 400_000_000
"""What the process takes, measured."""

SIDE = 48
BANDS = {"B02": 0.49, "B03": 0.56, "B04": 0.665, "B08": 0.842, "B11": 1.61, "B12": 2.19}

COMPILING = Told(
    "计算程序正在编译，以后的运行不再需要。",
    "kernels are being compiled, which later runs need not do",
)


@contextmanager
def compiled_beside(options: "RunOptions") -> Iterator[None]:
    """Compile in a second process, too, from the first kernel on that is not in the cache.

    Nothing is started where all is in the cache, or without a second core and memory to spare; the
    process ends with the block at the latest.

    Parameters
    ----------
    options : RunOptions
    """
    from numba.core.event import Listener, install_listener

    class Starter(Listener):
        process: "subprocess.Popen[bytes] | None" = None
        has_begun = False

        def on_start(self, _: Any) -> None:
            if self.has_begun or not has_room(options, BYTES):
                return
            self.has_begun = True
            log.info("%s", COMPILING.both)
            try:
                self.process = started(__name__, told)
            except OSError as error:
                log.info("nothing is compiled beside: %s", error)

        def on_end(self, _: Any) -> None:
            """Nothing is to be done."""

    with tempfile.TemporaryFile() as told:
        starter = Starter()
        try:
            with install_listener("numba:compile", starter):
                yield
        finally:
            if starter.process is not None and starter.process.stdin is not None:
                if starter.process.poll() not in (None, 0):
                    log.info("compiling beside failed: %s", last_line(told))
                starter.process.kill()
                starter.process.wait()
                starter.process.stdin.close()


def rehearse() -> None:
    """Work what a run works after its first statistics, in its order."""
    rehearse_tiles()
    rehearse_cutting()


def rehearse_cutting() -> None:
    """Cut a patch along two features."""
    import shapely

    from clues.arrangement import clear_faces
    from clues.crossing import crossing

    patch = np.array([shapely.box(0, 0, 9, 9)])
    features = shapely.box([-1, 5], [4, -1], [10, 11], [20, 10])
    pairs = np.zeros(2, np.int64), np.arange(2)
    met = crossing(patch, features, pairs, step=4, compiled=True)
    clear_faces(met.drawings, patch, grid=0.001)


def rehearse_tiles() -> None:
    """Grow a forest and ask it; label, join, part and outline a field that changed."""
    from detect.components import join
    from detect.cover_runs import cover_runs, wanted_pixels
    from detect.edges import inside_edge
    from detect.member_values import member_values
    from detect.outlines import outlines
    from detect.parts import find_parts
    from detect.score import STRONG, Scores
    from detect.tile_runs import label_tile
    from models.features import features_at
    from models.forest import votes
    from models.treegrowing import grow_stepped, stepped
    from tiles.block import Block
    from tiles.grid import AnalysisGrid, Extent

    core, bands = Extent(0, 0, SIDE, SIDE), tuple(BANDS)
    before, after = np.random.default_rng(0).random((2, len(bands), *core.shape), np.float32)
    valid, source = np.ones(core.shape, np.bool_), np.zeros((2, *core.shape), np.uint8)
    rows, cols = (np.ascontiguousarray(at) for at in np.nonzero(valid))
    x = [features_at(date, valid, rows, cols, bands) for date in (before, after)]
    labels = np.repeat([0, 1], len(rows))
    forest = grow_stepped(stepped(np.concatenate(x)), labels, n_classes=2, trees=1, depth=4, seed=0)
    told = np.stack([votes(forest, date) for date in x], axis=1).reshape(*core.shape, 2, 2)
    field = np.zeros(core.shape, np.bool_)
    field[8:40, 8:40] = np.tri(32, dtype=np.bool_)  # a slanted edge, for smoothing
    score = field.astype(np.uint16) * np.uint16(STRONG)
    scores = Scores(score, field & inside_edge(score, 2), field)
    runs = label_tile(scores, core, core)
    at = runs.members.row, runs.members.col
    block = Block(core, core, bands, before, after, valid, source)
    values = member_values(block, after, *at, tuple(BANDS.values()))
    pixels = wanted_pixels(runs, 1)
    covers = cover_runs(pixels, told[pixels[:2]], scores, core)
    components = join([runs.with_votes(told[at]).with_values(values)])
    find_parts(components, np.arange(4), 1, covers)
    outlines(components, AnalysisGrid("EPSG:4526", 10.0, 10.0), smooth=True)


if __name__ == "__main__":
    end_with_parent()
    rehearse()
