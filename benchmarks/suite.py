"""Tuban beside its peers and beside the limits of the machine, in one run.

``make bench`` (the short profile), ``make bench-scene``, ``make bench-full`` and ``make
bench-compare`` call this. Run ``python -m benchmarks.suite short|scene|full [--work FOLDER]
[--write]`` on a machine with nothing else to do. Pairs, peers' environments and runs lie in FOLDER
and are used again. ``--write`` puts the tables into RESULTS.md and the figures into results.json;
``compare`` works the short profile, or reads ``--results FILE``, and tells what is more than a
fifth worse than the committed results.
"""

import argparse
import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import standing, startup, steps, whole_way
from benchmarks.measure import machine
from benchmarks.peer_tools import PeerTools, debian_versions, peer_tools
from flows.rehearsal import rehearse_cutting

HERE = Path(__file__).parent
RESULTS, TABLES = HERE / "results.json", HERE / "RESULTS.md"
PACKAGES = ("numpy", "numba", "rasterio", "geopandas", "shapely", "scikit-learn")


@dataclass(frozen=True)
class Profile:
    """How much is measured.

    Attributes
    ----------
    side : int
        Of the pair on which all peers work.
    others : tuple of int
        Sides of pairs that tuban alone works, for the cost per pixel.
    repeats : int
        Turns of everybody.
    sizes : tuple of int
        Of the steps: side of images, rows for the forest, patches.
    small : int
        Side of the pair for start-up.
    ledger : int
        Side of the pair for the identical ledgers, with patches enough for compiled cutting.
    """

    side: int
    others: tuple[int, ...]
    repeats: int
    sizes: tuple[int, int, int]
    small: int = 1024
    ledger: int = 4096


PROFILES = {
    "tiny": Profile(1024, (512,), 1, (256, 50_000, 1_000), 512, 512),
    "short": Profile(4096, (2048,), 2, (1024, 1_000_000, 20_000)),
    "scene": Profile(10980, (2048, 5490), 1, (1024, 1_000_000, 20_000)),
    "full": Profile(10980, (2048, 5490, 30_000), 3, (1024, 1_000_000, 20_000)),
}


def commit() -> str:
    """Return the commit that is measured."""
    words = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(words, cwd=HERE, capture_output=True, text=True)
    return done.stdout.strip() or "no checkout"


def measure(name: str, profile: Profile, work: Path, drop: bool) -> dict[str, Any]:
    """Measure a profile; return the results as they are written, kept in `work` as they come."""
    began = time.perf_counter()
    work.mkdir(parents=True, exist_ok=True)
    tools = peer_tools(work)
    for what, why in tools.missing.items():
        print(f"== left out: {what}: {why}", flush=True)
    small = whole_way.pair_of(work, profile.small)
    whole_way.run_tuban(small, work, "--plain")  # fills caches of bytecode and kernels
    rehearse_cutting()  # which a small run leaves to GEOS
    found: dict[str, Any] = {
        "profile": name,
        "command": f"python -m benchmarks.suite {name}",
        "commit": commit(),
        "machine": f"{machine(PACKAGES)} Commit {commit()}. {_peers(tools, work)}",
        "missing": dict(tools.missing),
        "ledger": whole_way.same_ledger(whole_way.pair_of(work, profile.ledger), work),
        "limits": whole_way.limit("memory") | whole_way.limit("disk", work),
        "whole": {},
    }
    for side in sorted({profile.side, *profile.others}):
        pair = whole_way.pair_of(work, side)
        alone = side != profile.side
        repeats = 1 if alone else profile.repeats
        found["whole"][str(side)] = whole_way.measured(pair, tools, work, repeats, alone=alone)
        (work / "measured.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
        if drop and side > profile.side:
            for path in (pair.before, pair.after):
                path.unlink()
    pair = whole_way.pair_of(work, profile.side)
    found["steps"] = steps.measured(pair, tools, work, profile.repeats, profile.sizes)
    (work / "measured.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    found["startup"] = startup.measured(small, work, 5)
    found["took"] = time.perf_counter() - began
    return found


def read(path: Path) -> dict[str, Any]:
    """Return the results that ``--save`` wrote.

    Raises
    ------
    SystemExit
        If the file holds no results of one profile.
    """
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if "profile" not in results:
        raise SystemExit(f"{path}: no results of one profile; name a file that --save wrote")
    return results


def _peers(tools: PeerTools, work: Path) -> str:
    told = "Peers' packages as in `peers.txt`" if tools.python else "No packages of peers"
    if tools.unpacked is not None:
        told += f"; of Debian {debian_versions(work / 'debian')}"
    return f"{told}."


def write(results: dict[str, Any]) -> None:
    """Put results into results.json and RESULTS.md beside those of the other profile."""
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    kept[results["profile"]] = results | {"ratios": standing.ratios(results)}
    RESULTS.write_text(f"{json.dumps(kept, indent=1)}\n", encoding="utf-8")
    told = [(f"Profile {name}", standing.document(kept[name])) for name in sorted(kept)]
    text = TABLES.read_text(encoding="utf-8")
    TABLES.write_text(standing.inserted(text, told), encoding="utf-8")


def compare(results: dict[str, Any]) -> str:
    """Return how results stand beside the committed ones of the same profile."""
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    committed = kept.get(results["profile"])
    if committed is None:
        return f"nothing is committed for the profile {results['profile']}: nothing to compare"
    return standing.told_worsened(committed["ratios"], standing.ratios(results))


def main() -> None:
    """Measure and print, or compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("profile", choices=[*PROFILES, "compare"])
    parser.add_argument("--work", type=Path, default=Path("runs/bench"))
    parser.add_argument("--results", type=Path, help="results to compare, instead of measuring")
    parser.add_argument("--save", type=Path, help="write the results here too")
    parser.add_argument("--write", action="store_true", help="into RESULTS.md and results.json")
    parser.add_argument("--drop", action="store_true", help="remove pairs beyond the profile's")
    told = parser.parse_args()
    name = "short" if told.profile == "compare" else told.profile
    if told.results is not None:
        results = read(told.results)
    else:
        results = measure(name, PROFILES[name], told.work.resolve(), told.drop)
    if told.save is not None:
        told.save.write_text(f"{json.dumps(results, indent=1)}\n", encoding="utf-8")
    if told.profile == "compare":
        print(compare(results))
        return
    print(f"\n{standing.document(results)}\n")
    if told.write:
        write(results)


if __name__ == "__main__":
    main()
