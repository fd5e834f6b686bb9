"""Answers of a desk under load: users who think between clicks, on a store of many clues.

Run with ``python -m benchmarks.desk_load --clues 50000 --users 20 --think 2 --seconds 60``. The
store is filled through the real schema with real traces and images of both dates; `tuban desk
serve` serves it from a process of its own, `benchmarks.desk_users` asks from another. First every
kind is asked alone, one after the other: processor time of the server by answer. Then all users
work: median, 95th percentile and worst in ms, and every answer that was no success. ``--write``
puts the table into RESULTS.md.
"""

import argparse
import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import rasterio
from rasterio.shutil import copy as copy_raster

from benchmarks import desk_users as asked
from benchmarks.desk_store import judged_county
from clues.accounts import Accounts
from clues.judgement import judge_patches
from clues.store.images import ImageRow, keep_images
from clues.store.inserting import RunRecord
from clues.store.repository import Store
from clues.store.schema import runs
from tests.clues.casebook import shipped
from tests.clues.made import onemap_of, patch, patches_of, rectangle
from tiles.deskimages import COG_OPTIONS, PHOTO_OPTIONS, PLAIN_PROFILE
from tiles.files import sha256
from tiles.geodesy import transformer
from tiles.webtiles import native_zoom

LAND = {"class": "0103", "group": "cropland", "category": "agricultural"}
PIXEL = 8.0
"""Metres of the images that the tiles are cut from."""

RESULTS = Path(__file__).parent / "RESULTS.md"
GOALS = dict.fromkeys((asked.LIST, asked.CLUE, asked.WHY, asked.BOX), 300) | {
    asked.NEW: 1000,
    asked.HELD: 100,
}
"""Milliseconds that 95 of 100 answers may take."""


def filled(place: Path, n: int, users: int) -> None:
    """Fill a store with n clues that have real traces, with images and with users."""
    shape = rectangle(0, 0, 60, 60)
    layers = {"landuse": [("1", shape, LAND)], "approval": [("1", rectangle(900, 0, 960, 60), {})]}
    judged = judge_patches(patches_of([patch(shape)]), onemap_of(layers), shipped("cn-land"))
    one = judged.findings.iloc[0]
    patches, findings = judged_county(n)
    for name in ("rules", "flags", "reason_zh", "reason_en"):
        findings[name] = one[name]
    findings["trace"] = [str(one["trace"]).replace('"P1"', f'"{p}"') for p in findings["patch_id"]]
    record = RunRecord(
        *("benchmark", "benchmark", "370301", "county", "EPSG:4526", 2026, 1, "cn-land", "1"),
        config={},
        versions={},
    )
    store = Store.at(place)
    store.register(record, patches, findings)
    accounts = Accounts(store)
    for i in range(users):
        accounts.add(f"user{i}", "city", "3703", asked.PASSWORD, by="setup", must_change=False)
    files = place.with_name(f"{place.stem}-desk")
    with store.transaction() as connection:
        (run,) = connection.scalars(runs.select().with_only_columns(runs.c.id))
        keep_images(connection, [_image(files, i, run, patches) for i in asked.IMAGES])
    store.close()


def _image(files: Path, name: str, run: int, patches: Any) -> ImageRow:
    """Write an image of the ground of all patches: fields, roofs and noise."""
    west, south, east, north = patches.total_bounds
    width, height = int((east - west) / PIXEL), int((north - south) / PIXEL)
    rng = np.random.default_rng(len(name))
    fields = rng.integers(40, 200, (3, height // 50 + 1, width // 50 + 1), np.uint8)
    picture = fields.repeat(50, 1).repeat(50, 2)[:, :height, :width]
    picture = picture + rng.integers(0, 40, picture.shape, np.uint8)
    path = files / "images" / f"{name}.tif"
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = path.with_suffix(".plain.tif")
    place = rasterio.transform.from_origin(west, north, PIXEL, PIXEL)
    size = {"width": width, "height": height, "crs": patches.crs, "transform": place}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        with rasterio.open(plain, "w", **PLAIN_PROFILE, **size) as out:
            out.write(picture)
            out.write_mask(np.ones((height, width), np.bool_))
        cog = {**COG_OPTIONS, **PHOTO_OPTIONS, "ALIGNED_LEVELS": "6"}
        copy_raster(plain, path, driver="COG", **cog)
    plain.unlink()
    bounds = transformer(patches.crs, "EPSG:4326").transform_bounds(west, south, east, north)
    return ImageRow(
        *(name, run, "benchmark", name.split("-")[1], f"images/{path.name}", sha256(path)),
        *(None, None, "", native_zoom(path), *bounds),
    )


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def served(store: Path, port: int) -> subprocess.Popen[bytes]:
    """Start the desk and wait until it answers."""
    program = "from flows.cli.app import main; main()"
    command = [sys.executable, "-c", program, "desk", "serve", "--store", str(store)]
    with store.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log)
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=60):
                return process
        except OSError:
            time.sleep(0.1)
    raise SystemExit(store.with_suffix(".log").read_text())


def alone(port: int, server: psutil.Process, times: int) -> dict[str, tuple[float, float]]:
    """Ask every kind alone; return ms of the server's processor by answer, and those of the first.

    A kind is asked some times before it counts, but what it asks for differs each time.
    """

    async def busy(line: asked.Line, paths: list[str]) -> float:
        used = server.cpu_times()
        for path in paths:
            told = await line.ask(path)
            assert told.status in (200, 204), (told.status, path)
        now = server.cpu_times()
        spent = now.user + now.system - used.user - used.system
        return 1000 * spent / len(paths)

    async def all_kinds() -> dict[str, tuple[float, float]]:
        line = await asked.signed_in(port, "user0")
        page = (await line.ask("/api/clues?limit=500")).json()
        rows = random.Random(1).sample(page["items"], times + 1)
        found = {}
        for kind, paths in _paths(rows, page["next"]):
            first = await busy(line, paths[:1])
            found[kind] = await busy(line, paths[1:]), first
        return found

    return asyncio.run(all_kinds())


def _paths(rows: list[dict[str, Any]], cursor: str) -> Iterator[tuple[str, list[str]]]:
    """Return addresses by kind, none twice but where that is the kind."""
    draw = random.Random(2)
    tiles = [t for row in rows for t in asked.tiles_around(row, draw)]
    tiles = list(dict.fromkeys(tiles))
    yield asked.POINTS, ["/api/clues/points"] * len(rows)
    yield asked.LIST, [f"/api/clues?limit={100 - i % 3}&cursor={cursor}" for i in range(len(rows))]
    yield asked.CLUE, [f"/api/clues/{row['clue_no']}" for row in rows]
    yield asked.WHY, [f"/api/clues/{row['clue_no']}/explanation" for row in rows]
    yield asked.BOX, [asked.box_around(row) for row in rows]
    yield asked.NEW, tiles
    yield asked.HELD, tiles


def loaded(port: int, users: int, think: float, seconds: float) -> dict[str, Any]:
    """Let users work from a process of their own; return what they found."""
    command = [sys.executable, "-m", "benchmarks.desk_users", "--port", str(port)]
    command += ["--users", str(users), "--think", str(think), "--seconds", str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def table(cost: dict[str, tuple[float, float]], found: dict[str, Any]) -> list[str]:
    """Return the table in Markdown."""
    lines = ["| answer | server CPU ms, alone | times | p50 ms | p95 ms | worst ms | goal, p95 |"]
    lines.append("|---|--:|--:|--:|--:|--:|--:|")
    for kind in asked.KINDS:
        own = sorted(found["times"].get(kind, ())) or [float("nan")]
        middle, high = own[len(own) // 2], own[int(0.95 * (len(own) - 1))]
        cells = f"| {kind} | {cost[kind][0]:.1f} | {len(own)} | {middle:.0f} | {high:.0f} "
        lines.append(f"{cells}| {own[-1]:.0f} | {GOALS.get(kind, '')} |")
    return lines


def write(lines: list[str], told: str, name: str, title: str) -> None:
    """Put a table between its marks in RESULTS.md, in a section of its own."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = RESULTS.read_text(encoding="utf-8")
    if begin not in text:
        text = f"{text.rstrip()}\n\n## {title}\n\n{begin}\n{end}\n"
    before, rest = text.split(begin, 1)
    body = "\n".join([told, "", *lines])
    RESULTS.write_text(f"{before}{begin}\n{body}\n{end}{rest.split(end, 1)[1]}", encoding="utf-8")


def measured(store: Path, given: argparse.Namespace) -> tuple[list[str], str]:
    """Serve, ask alone, load; return the table and what is said of it."""
    port = free_port()
    process = served(store, port)
    try:
        server = psutil.Process(process.pid)
        cost = alone(port, server, given.times)
        before = server.cpu_times()
        found = loaded(port, given.users, given.think, given.seconds)
        after = server.cpu_times()
    finally:
        process.terminate()
        process.wait(30)
    spent = after.user + after.system - before.user - before.system
    wrong = found["wrong"]
    count = sum(len(t) for t in found["times"].values())
    failed = sum(w.startswith("5") for w in wrong)
    told = f"{given.clues:,} clues, {given.users} users, {given.think:g} s to think, "
    told += f"{given.seconds:g} s, {os.cpu_count()} cores: {count} answers, {failed} of 5xx, "
    told += f"{len(wrong)} no success {wrong[:3] or ''}. Processor: server {spent:.1f} s, "
    told += f"users {found['used']:.1f} s. Load average at the end {os.getloadavg()[0]:.1f}."
    return table(cost, found), told


def main() -> None:
    """Fill, serve, load, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clues", type=int, default=50_000)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--think", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--times", type=int, default=40, help="of each kind, asked alone")
    parser.add_argument("--store", type=Path, help="kept between runs")
    parser.add_argument("--write", action="store_true", help="into RESULTS.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = given.store or Path(folder) / "desk.sqlite"
        start = time.perf_counter()
        if not store.is_file():
            filled(store, given.clues, given.users)
            print(f"{given.clues} clues entered in {time.perf_counter() - start:.0f} s")
        lines, told = measured(store, given)
    print("\n".join([*lines, told]))
    if given.write:
        said = f"`python -m benchmarks.desk_load --write`: {told}"
        write(lines, said, "desk", "The desk under load")


if __name__ == "__main__":
    main()
