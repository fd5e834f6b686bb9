"""Memory and time of a whole run by the size of the area.

Run ``python -m benchmarks.scaling 2048 4096 8192 --work FOLDER``, on a machine with nothing else to
do. Each size is a pair of `benchmarks/scenes.py`, worked by ``tuban run --plain --memory 2GB`` in a
process of its own; memory is the proportional set size of the whole process tree, looked at 20
times a second. Every run adds a line to ``scaling.jsonl`` in FOLDER; ``--write`` puts the table of
all of them, the latest of each size, into RESULTS.md and the plot into docs/images.
"""

import argparse
import json
import shutil
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from benchmarks.measure import machine, table, worked
from benchmarks.scenes import build_pair

HERE = Path(__file__).parent
RESULTS, PLOT = HERE / "RESULTS.md", HERE.parent / "docs" / "images" / "scaling.png"
BEGIN, END = "<!-- scaling: begin -->", "<!-- scaling: end -->"
HEAD = ["side, px", "Mpx", "patches", "per Mpx", "clues", "peak PSS, MB", "CPU s", "CPU s/Mpx"]
HEAD += ["wall s", "wall s/Mpx", "against the smallest"]


def measured(config: Path, runs: Path, memory: str, extra: list[str]) -> dict[str, Any]:
    """Work a run anew and return what it took."""
    tuban = shutil.which("tuban", path=str(Path(sys.executable).parent)) or "tuban"
    command = [tuban, "--quiet", "run", str(config), "--plain", "--memory", memory, "-o", str(runs)]
    took = worked([*command, *extra], fine=(0, 3))
    folder = max(runs.iterdir(), key=lambda path: path.stat().st_mtime)
    summary = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    tallies = summary["stages"]["judge"]["tallies"]
    return {
        "peak": took.peak,
        "looks": len(took.seen),
        "cpu": took.cpu,
        "wall": took.wall,
        "pixels": summary["stages"]["tiles"]["pixels"],
        "patches": tallies["patches"],
        "clues": tallies.get("clue", 0),
        "bytes": sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()),
        "stages": {
            r["stage"]: {n: r[n] for n in ("seconds", "cpu_seconds", "peak_bytes")}
            for r in summary["records"]
        },
        "memory": memory,
        "course": _thinned(took.seen),
    }


def _thinned(seen: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Return the highest look of each of 200 spans, for the plot."""
    step = max(1, len(seen) // 200)
    return [max(seen[i : i + step], key=lambda s: s[1]) for i in range(0, len(seen), step)]


def rows_of(found: dict[int, dict[str, Any]]) -> list[list[str]]:
    first = found[min(found)]
    base = first["cpu"] / first["pixels"]
    rows = []
    for size, one in sorted(found.items()):
        mpx = one["pixels"] / 1e6
        cost = one["cpu"] / mpx
        cells = [f"{mpx:,.1f}", f"{one['patches']:,}", f"{one['patches'] / mpx:.0f}"]
        cells += [f"{one['clues']:,}", f"{one['peak'] / 1e6:,.0f}", f"{one['cpu']:,.0f}"]
        cells += [f"{cost:.2f}", f"{one['wall']:,.0f}", f"{one['wall'] / mpx:.2f}"]
        rows.append([f"{size:,}", *cells, f"{100 * (cost / base / 1e6 - 1):+.0f} %"])
    return rows


def stages_of(found: dict[int, dict[str, Any]]) -> str:
    """Return seconds of CPU per Mpx and peak of each stage by size."""
    sizes = sorted(found)
    head = ["stage", *(f"{s:,}: CPU s/Mpx" for s in sizes), *(f"{s:,}: peak MB" for s in sizes)]
    rows = []
    for stage in found[sizes[0]]["stages"]:
        told = [(found[s]["stages"][stage], found[s]["pixels"] / 1e6) for s in sizes]
        costs = [f"{one['cpu_seconds'] / mpx:.3f}" for one, mpx in told]
        rows.append([stage, *costs, *(f"{one['peak_bytes'] / 1e6:,.0f}" for one, _ in told)])
    return table(rows, head)


def margins_of(found: dict[int, dict[str, Any]]) -> str:
    """Return of each stage the CPU seconds that do not grow, and those of each further Mpx.

    What is fixed is what the line through the two smallest sizes says of no pixels at all. A cost
    per pixel that only falls because fixed work is spread says nothing; what a further Mpx costs
    must stay the same.
    """
    sizes = sorted(found)
    pairs = list(pairwise(sizes))
    mpx = {s: found[s]["pixels"] / 1e6 for s in sizes}
    stages = [*found[sizes[0]]["stages"], "whole run"]
    rows = []
    for stage in stages:
        cpu = {
            s: one["cpu"] if stage == "whole run" else one["stages"][stage]["cpu_seconds"]
            for s, one in found.items()
        }
        more = [(cpu[b] - cpu[a]) / (mpx[b] - mpx[a]) for a, b in pairs]
        fixed = cpu[sizes[0]] - more[0] * mpx[sizes[0]]
        rows.append([stage, f"{fixed:.1f}", *(f"{m:.3f}" for m in more)])
    steps = [f"{a:,} to {b:,}: CPU s per further Mpx" for a, b in pairs]
    return table(rows, ["stage", "fixed CPU s", *steps])


def plot(found: dict[int, dict[str, Any]], path: Path) -> None:
    """Draw peak memory and the cost of further pixels over the area."""
    picture = Image.new("RGB", (1000, 420), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    mpx = {s: one["pixels"] / 1e6 for s, one in found.items()}
    peaks = {s: one["peak"] / 1e6 for s, one in found.items()}
    costs = {}
    for low, high in pairwise(sorted(found)):
        more = found[high]["cpu"] - found[low]["cpu"]
        costs[high] = more / (mpx[high] - mpx[low])
    last = costs[max(costs)]
    panels = (
        ("peak memory, MB; limit 2,000", peaks, 2200.0, (2000.0,)),
        ("CPU s of a further Mpx, up to this size; ±15 % of the last", costs, 2 * last, None),
    )
    for number, (title, values, top, lines) in enumerate(panels):
        left, low, wide, tall = 70 + 490 * number, 360, 400, 300
        pen.text((left, 25), title, "black", font)
        pen.rectangle((left, low - tall, left + wide, low), outline="#888888")
        scale = _logs(mpx.values())
        for value in lines or (0.85 * last, 1.15 * last):
            y = low - tall * value / top
            pen.line((left, y, left + wide, y), "#d7191c")
        points = []
        for size in sorted(values):
            x = left + wide * (0.06 + 0.88 * scale(mpx[size]))
            y = low - tall * values[size] / top
            points.append((x, y))
            pen.text((x, low + 6), f"{size:,} px", "black", font, anchor="ma")
            pen.text((x, y - 8), f"{values[size]:,.{number * 2}f}", "black", font, anchor="mb")
        pen.line(points, "#2b5c8a", width=2)
        for x, y in points:
            pen.ellipse((x - 4, y - 4, x + 4, y + 4), "#2b5c8a")
    path.parent.mkdir(exist_ok=True)
    picture.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


def _logs(values: Any) -> Any:
    from math import log

    low, high = min(values), max(values)
    span = log(high / low) or 1.0
    return lambda value: log(value / low) / span


def write(found: dict[int, dict[str, Any]], told: str) -> None:
    """Put table and plot where they belong, in place of the last ones."""
    text = RESULTS.read_text(encoding="utf-8")
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n## Scaling\n\n{BEGIN}\n{END}\n"
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    body = f"{told}\n\n{table(rows_of(found), HEAD)}\n\n{stages_of(found)}"
    if len(found) > 1:
        body += f"\n\n{margins_of(found)}"
    RESULTS.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")
    plot(found, PLOT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*")
    parser.add_argument("--work", type=Path, default=Path("scaling"))
    parser.add_argument("--memory", default="2GB")
    parser.add_argument("--write", action="store_true", help="into RESULTS.md and docs/images")
    parser.add_argument("--drop", action="store_true", help="remove scenes and runs when measured")
    parser.add_argument("--with", dest="extra", default="", help="further options of tuban run")
    told = parser.parse_args()
    told.work.mkdir(parents=True, exist_ok=True)
    record = told.work / "scaling.jsonl"
    about = machine(["dask", "rasterio", "geopandas"])
    for size in told.sizes:
        config = build_pair(told.work, size)
        runs = told.work / f"runs-{size}"
        shutil.rmtree(runs, ignore_errors=True)
        found = measured(config, runs, told.memory, told.extra.split())
        with record.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps({"size": size, "machine": about} | found) + "\n")
        print(table(rows_of({size: found}), HEAD), stages_of({size: found}), sep="\n", flush=True)
        if told.drop:
            shutil.rmtree(runs)
            for path in told.work.glob(f"*-{size}.tif"):
                path.unlink()
    lines = [json.loads(x) for x in record.read_text(encoding="utf-8").splitlines()]
    latest = {one["size"]: one for one in lines}
    print(table(rows_of(latest), HEAD))
    if len(latest) > 1:
        print(margins_of(latest))
    if told.write:
        sizes = " ".join(str(s) for s in sorted(latest))
        write(latest, f"`python -m benchmarks.scaling {sizes} --write`. {lines[-1]['machine']}")


if __name__ == "__main__":
    main()
