"""The whole way from two images to clues: tuban and what people run instead, in turns.

Every turn is a fresh process that reads the same two files and the same approvals. tuban reads the
One-Map's other layers beside, names the change, judges on every line, writes the ledger as workbook
and GeoPackage and the report; its peers cut by the approvals alone and write one GeoPackage. The
script names what is there now; the chains of commands name nothing.
"""

import json
import os
import shlex
import shutil
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import Worked, worked
from benchmarks.peer_tools import PYTHON, PeerTools
from benchmarks.scenes import build_pair

APPROVALS = 20_000
OUTPUTS = "{formats: [xlsx, gpkg], evidence: none, pictures: 0}"
HERE = Path(__file__).parent

NDVI_CHANGE = 0.15
LENGTH_CHANGE = 1500
"""What counts as change in the chains that know no threshold of their own."""


@dataclass(frozen=True)
class Pair:
    """The files of one size."""

    size: int
    config: Path
    before: Path
    after: Path
    layers: Path

    @property
    def mpx(self) -> float:
        return self.size**2 / 1e6


def pair_of(work: Path, size: int) -> Pair:
    """Return a pair with its layers; make what is not there."""
    print(f"== pair of {size} x {size} pixels", flush=True)
    config = build_pair(work / "pairs", size, APPROVALS, OUTPUTS)
    folder = config.parent
    return Pair(
        size,
        config,
        folder / f"before-{size}.tif",
        folder / f"after-{size}.tif",
        folder / f"layers-{size}-{APPROVALS}",
    )


def own_environment(work: Path, **more: str) -> dict[str, str]:
    """Return the environment of fresh processes of ours: bytecode is kept, as in an installation.

    A machine may forbid to write bytecode, which makes every import compile its source again.
    """
    found = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    roots = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    found["PYTHONPATH"] = os.pathsep.join(filter(None, roots))
    return found | {"PYTHONPYCACHEPREFIX": str(work.resolve() / "bytecode")} | more


def tuban_command() -> str:
    """Return the console script beside the interpreter."""
    return shutil.which("tuban", path=str(Path(sys.executable).parent)) or "tuban"


def run_tuban(pair: Pair, work: Path, *options: str) -> tuple[Worked, dict[str, Any]]:
    """Work a run anew; return what it took and its summary."""
    runs = work / "runs" / str(pair.size)
    shutil.rmtree(runs, ignore_errors=True)
    words = ("--quiet", "run", str(pair.config), "--memory", "2GB", "-o", str(runs), *options)
    took = worked([tuban_command(), *words], environment=own_environment(work), fine=(0, 3))
    (folder,) = (path.parent for path in runs.glob("*/run.json"))  # Prefect's files lie beside
    summary = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return took, summary | {"folder": str(folder)}


def gdal_script(pair: Pair, out: Path, python: Path) -> str:
    """Return the commands of the bare chain: difference of NDVI, sieve, outlines, overlay."""
    image, sieved, outlines = (out / name for name in ("m.tif", "s.tif", "p.gpkg"))
    calc = (
        "abs((C.astype('f4')-D)/(C.astype('f4')+D)-(A.astype('f4')-B)/(A.astype('f4')+B))"
        f">{NDVI_CHANGE}"
    )
    bands = "".join(
        f" -{letter} {shlex.quote(str(path))} --{letter}_band={band}"
        for letter, path, band in zip(
            "ABCD", (pair.before, pair.before, pair.after, pair.after), (4, 3, 4, 3), strict=True
        )
    )
    script = f"{PYTHON} $(command -v"
    return "\n".join(
        [
            f"{script} gdal_calc.py){bands} --calc={shlex.quote(calc)} --type=Byte --hideNoData "
            f"--co COMPRESS=ZSTD --co TILED=YES --quiet --outfile={image}",
            *_outlined(script, image, sieved, outlines),
            _overlaid(python, outlines, pair, out),
        ]
    )


def orfeo_script(pair: Pair, out: Path, python: Path) -> str:
    """Return the commands of the Orfeo chain: change vector, forest where it changed, overlay."""
    image, classes, model = (out / name for name in ("m.tif", "c.tif", "forest.model"))
    sieved, outlines, land = (out / name for name in ("s.tif", "p.gpkg", "land.gpkg"))
    length = "+".join(f"(im2b{k}-im1b{k})*(im2b{k}-im1b{k})" for k in range(1, 7))
    both = f"{pair.before} {pair.after}"
    script = f"{PYTHON} $(command -v"
    query = "SELECT geom, CAST(DLBM AS INTEGER) AS code FROM landuse"
    return "\n".join(
        [
            f'otbcli_BandMath -il {both} -out "{image}?&gdal:co:COMPRESS=ZSTD" uint8 -ram 1024 '
            f'-exp "sqrt({length}) > {LENGTH_CHANGE} ? 1 : 0"',
            f'ogr2ogr -sql "{query}" {land} {pair.layers / "landuse.gpkg"}',
            f"otbcli_TrainImagesClassifier -io.il {pair.after} -io.vd {land} -io.out {model} "
            "-sample.vfn code -sample.bm 0 -sample.mt 4000 -sample.mv 0 -sample.vtr 0 -ram 1024 "
            "-classifier rf -classifier.rf.nbtrees 100 -classifier.rf.max 12 -rand 1",
            f"otbcli_ImageClassifier -in {pair.after} -mask {image} -model {model} -ram 1024 "
            f'-out "{classes}?&gdal:co:COMPRESS=ZSTD" uint16',
            *_outlined(script, image, sieved, outlines),
            _overlaid(python, outlines, pair, out),
        ]
    )


def _outlined(script: str, image: Path, sieved: Path, outlines: Path) -> list[str]:
    return [
        f"{script} gdal_sieve.py) -q -st 4 -4 {image} -of GTiff {sieved}",
        f"{script} gdal_polygonize.py) -q -mask {sieved} {sieved} -f GPKG {outlines} p",
    ]


def _overlaid(python: Path, outlines: Path, pair: Pair, out: Path) -> str:
    words = [python, HERE / "peer_whole.py", "overlay", outlines, pair.layers / "approval.gpkg"]
    # the unpacked libraries are not those that the packages of this Python bring along
    return shlex.join(
        ["env", "-i", "PATH=/usr/bin:/bin", *map(str, words), str(out / "clues.gpkg")]
    )


def forest_words(pair: Pair, out: Path, python: Path) -> list[str]:
    """Return the command of the NumPy and scikit-learn script."""
    layers = [pair.layers / "landuse.gpkg", pair.layers / "approval.gpkg"]
    words = [python, HERE / "peer_whole.py", "forest", pair.before, pair.after, *layers]
    return [*map(str, words), str(out / "clues.gpkg")]


def contestants(
    pair: Pair, tools: PeerTools, work: Path
) -> dict[str, Callable[[], tuple[Worked, dict[str, Any]]]]:
    """Return what can be run here, by name."""

    def peer(script: str | None) -> tuple[Worked, dict[str, Any]]:
        out = work / "peer-out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        assert tools.python is not None
        if script is None:
            took = worked(forest_words(pair, out, tools.python))
        else:
            make = gdal_script if script == "gdal" else orfeo_script
            text = make(pair, out, tools.python)
            took = worked(["bash", "-e", "-c", text], environment=tools.environment)
        (out / "log.txt").write_text(took.told, encoding="utf-8")
        return took, json.loads(took.told.strip().splitlines()[-1])

    found: dict[str, Callable[[], tuple[Worked, dict[str, Any]]]] = {
        "tuban": lambda: run_tuban(pair, work, "--plain")
    }
    if tools.python is not None:
        found["forest script"] = lambda: peer(None)
        if tools.unpacked is not None:
            found["GDAL chain"] = lambda: peer("gdal")
            found["Orfeo chain"] = lambda: peer("orfeo")
    return found


def limit(name: str, *more: object) -> dict[str, float]:
    """Ask for a limit of the machine in a fresh process."""
    words = [sys.executable, "-m", "benchmarks.limits", name, *map(str, more)]
    told: dict[str, float] = json.loads(worked(words, folder=HERE.parent).told)
    return told


def measured(
    pair: Pair, tools: PeerTools, work: Path, repeats: int, *, alone: bool = False
) -> dict[str, Any]:
    """Run all, or tuban alone, in turns; return medians, and decoding with one and two threads."""
    tasks = contestants(pair, tools, work)
    if alone:
        tasks = {"tuban": tasks["tuban"]}
    took: dict[str, list[Worked]] = {name: [] for name in tasks}
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in tasks}
    decoded: dict[str, list[dict[str, float]]] = {"decode 1": [], "decode 2": []}
    for turn in range(repeats):
        for name, task in tasks.items():
            for threads in (1, 2):
                if name == "tuban":
                    found = limit("decode", threads, pair.before, pair.after)
                    decoded[f"decode {threads}"].append(found)
            spent, summary = task()
            took[name].append(spent)
            told[name].append(summary)
            print(
                f"{pair.size} px, turn {turn + 1}, {name}: {spent.wall:.1f} s, "
                f"{spent.cpu:.1f} CPU s, {spent.peak / 1e6:.0f} MB",
                flush=True,
            )
    rows: dict[str, Any] = {
        name: {
            "wall": statistics.median(w.wall for w in several),
            "cpu": statistics.median(w.cpu for w in several),
            "peak": max(w.peak for w in several),
            **_counts(name, told[name]),
        }
        for name, several in took.items()
    }
    for name, several in decoded.items():
        rows[name] = {
            key: statistics.median(one[key] for one in several) for key in ("wall", "cpu", "bytes")
        }
    return {"mpx": pair.mpx, "repeats": repeats, "rows": rows}


def _counts(name: str, told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what all turns counted alike, and of tuban the medians of each stage."""
    last = told[-1]
    if name != "tuban":
        return {"patches": last["patches"], "clues": last["clues"]}
    tallies = last["stages"]["judge"]["tallies"]
    stages = {
        records[0]["stage"]: {
            key: statistics.median(record[key] for record in records)
            for key in ("seconds", "cpu_seconds", "peak_bytes")
        }
        for records in zip(*(one["records"] for one in told), strict=True)
    }
    return {"patches": tallies["patches"], "clues": tallies.get("clue", 0), "stages": stages}


def same_ledger(pair: Pair, work: Path) -> str:
    """Work a pair by one and by two workers and other tiles; return the ledgers' one hash."""
    import hashlib

    config = pair.config.with_name(f"ledger-{pair.size}.yaml")
    text = pair.config.read_text(encoding="utf-8").replace(OUTPUTS, OUTPUTS.replace("xlsx", "csv"))
    config.write_text(text, encoding="utf-8")
    asked = Pair(pair.size, config, pair.before, pair.after, pair.layers)
    hashes = {}
    for workers, tile in ((1, 512), (2, 1024)):
        options = ("--plain", "--workers", str(workers), "--tile", str(tile))
        _, summary = run_tuban(asked, work, *options)
        content = (Path(summary["folder"]) / "clues.csv").read_bytes()
        hashes[f"{workers} workers, tiles of {tile}"] = hashlib.sha256(content).hexdigest()
    if len(set(hashes.values())) > 1:
        raise SystemExit(f"the ledger depends on workers and tiles: {hashes}; no figure counts")
    return next(iter(hashes.values()))
