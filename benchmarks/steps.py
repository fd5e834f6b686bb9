"""Steps of the whole way beside their peers, in turns, each in a fresh process."""

import json
import shlex
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import worked
from benchmarks.own_steps import STEPS
from benchmarks.peer_tools import PYTHON, PeerTools
from benchmarks.whole_way import Pair, own_environment

HERE = Path(__file__).parent
PEERS = {
    "index change": ("index rasterio + NumPy", "index xarray-spatial"),
    "IR-MAD": ("IR-MAD NumPy",),
    "forest": ("forest scikit-learn",),
    "polygons": ("polygons sieve, shapes", "polygons shapes, filter"),
    "overlay": ("overlay sjoin, intersection, dissolve", "overlay geopandas.overlay"),
    "zonal statistics": ("zonal exactextract",),
    "series fit": ("series nrt EWMA",),
}
GOALS = {
    "index change": ("rasterio + NumPy", "cpu", 0.7),
    "IR-MAD": ("NumPy", "cpu", 0.2),
    "forest": ("scikit-learn", "cpu", 0.5),
    "polygons": ("", "cpu", 0.5),
    "overlay": ("sjoin, intersection, dissolve", "cpu", 0.55),
}
"""Which peer a goal names (none: the best), of which seconds, and what may be reached at most."""

Task = Callable[[], dict[str, float]]

ALIKE = 1e-3
"""By how much answers may differ, as a share: a sieve fills holes, areas are planar."""

OTHERWISE = "geopandas.overlay"
"""Counts ground under two approvals twice: its answer is another one."""


def tasks_of(step: str, pair: Pair, folder: Path, tools: PeerTools, work: Path) -> dict[str, Task]:
    """Return the step by tuban and by every peer that is here."""

    def own() -> dict[str, float]:
        words = [sys.executable, "-m", "benchmarks.own_steps", step, folder]
        return last_line(worked(words, environment=own_environment(work)).told)

    def peer(name: str) -> dict[str, float]:
        assert tools.python is not None
        words = [tools.python, HERE / "peer_steps.py", name, folder, pair.before, pair.after]
        return last_line(worked(words).told)

    found: dict[str, Task] = {"tuban": own}
    if tools.python is not None:
        for name in PEERS[step]:
            found[name.partition(" ")[2]] = lambda name=name: peer(name)  # type: ignore[misc]
    if step == "index change" and tools.unpacked is not None:
        for name, words in index_commands(pair, folder).items():
            found[name] = lambda words=words: _command(words, tools)  # type: ignore[misc]
    return found


def require_alike(step: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    """Stop where tuban answers otherwise than a peer; command line tools tell no answer.

    Raises
    ------
    SystemExit
    """
    own = rows["tuban"]["answer"]
    for peer, row in rows.items():
        other = row.get("answer", own)
        if peer != OTHERWISE and abs(own - other) > ALIKE * abs(other):
            raise SystemExit(f"{step}: tuban answers {own}, {peer} {other}; nothing was written")


def last_line(told: str) -> dict[str, float]:
    """Return the line of JSON that a step ends with."""
    found: dict[str, float] = json.loads(told.strip().splitlines()[-1])
    return found


def _command(words: str, tools: PeerTools) -> dict[str, float]:
    took = worked(["bash", "-e", "-c", words], environment=tools.environment)
    return {"wall": took.wall, "cpu": took.cpu}


def index_commands(pair: Pair, folder: Path) -> dict[str, str]:
    """Return what the command line tools are asked for: the change of NDVI, file to file."""
    one, two = shlex.quote(str(pair.before)), shlex.quote(str(pair.after))
    out = shlex.quote(str(folder / "peer.tif"))
    calc = "(C.astype('f4')-D)/(C.astype('f4')+D)-(A.astype('f4')-B)/(A.astype('f4')+B)"
    bands = f"-A {one} --A_band=4 -B {one} --B_band=3 -C {two} --C_band=4 -D {two} --D_band=3"
    formula = "(im2b4-im2b3)/(im2b4+im2b3)-(im1b4-im1b3)/(im1b4+im1b3)"
    options = "?&gdal:co:COMPRESS=ZSTD&gdal:co:ZSTD_LEVEL=1"
    return {
        "gdal_calc": f'{PYTHON} $(command -v gdal_calc.py) {bands} --calc="{calc}" --type=Float32 '
        f"--co COMPRESS=ZSTD --co ZSTD_LEVEL=1 --co TILED=YES --overwrite --quiet --outfile={out}",
        "Orfeo BandMath": f'otbcli_BandMath -il {one} {two} -out "{folder / "orfeo.tif"}{options}" '
        f'float -exp "{formula}" -ram 1024',
    }


def measured(
    pair: Pair, tools: PeerTools, work: Path, repeats: int, sizes: tuple[int, int, int]
) -> dict[str, Any]:
    """Time all steps; `sizes` are the side of images, rows for the forest, and patches."""
    folder = work / "steps" / f"{pair.size}-{'-'.join(map(str, sizes))}"
    if not (folder / "approvals.gpkg").is_file():
        words = [sys.executable, "-m", "benchmarks.own_steps", "prepare", folder, pair.config]
        worked([*words, *sizes], environment=own_environment(work))
    found: dict[str, Any] = {}
    for step in STEPS:
        tasks = tasks_of(step, pair, folder, tools, work)
        told: dict[str, list[dict[str, float]]] = {name: [] for name in tasks}
        for _ in range(repeats):
            for name, task in tasks.items():
                told[name].append(task())
        found[step] = {
            name: {key: statistics.median(one[key] for one in several) for key in several[0]}
            for name, several in told.items()
        }
        require_alike(step, found[step])
        shown = ", ".join(f"{n} {one['cpu']:.2f} CPU s" for n, one in found[step].items())
        print(f"{step}: {shown}", flush=True)
    return found
