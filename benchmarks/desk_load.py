"""Answers of a desk under load: users who think between clicks, on a store of many clues.

Run with ``python -m benchmarks.desk_load --clues 50000 --users 20 --think 2 --seconds 60``. The
store is filled through the real schema with real traces, `tuban desk serve` serves it from a
process of its own, every user signs in and goes round: list, clue, explanation, features in a box.
Printed are median, 95th percentile and worst in ms, and every answer that was no success.
"""

import argparse
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

import httpx

from benchmarks.desk_store import judged_county
from clues.accounts import Accounts
from clues.judgement import judge_patches
from clues.store.inserting import RunRecord
from clues.store.repository import Store
from tests.clues.casebook import shipped
from tests.clues.made import onemap_of, patch, patches_of, rectangle

PASSWORD = "sorghum under the levee"
LAND = {"class": "0103", "group": "cropland", "category": "agricultural"}
FEATURES = "/ogc/collections/clues/items"


def filled(place: Path, n: int, users: int) -> None:
    """Fill a store with n clues that have real traces, and with users."""
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
        accounts.add(f"user{i}", "city", "3703", PASSWORD, by="setup", must_change=False)
    store.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class User(threading.Thread):
    """Somebody at the desk, until the time is over."""

    def __init__(self, number: int, address: str, think: float, until: float) -> None:
        super().__init__(daemon=True)
        self.number, self.think, self.until = number, think, until
        self.draw = random.Random(number)
        self.client = httpx.Client(base_url=address, timeout=60)
        self.taken: dict[str, list[float]] = defaultdict(list)
        self.wrong: list[str] = []

    def ask(self, name: str, path: str, **query: object) -> httpx.Response:
        """Ask once, note how long it took, and think."""
        start = time.perf_counter()
        told = self.client.get(path, params=query)
        self.taken[name].append(1000 * (time.perf_counter() - start))
        if told.status_code != 200:
            self.wrong.append(f"{told.status_code} {told.url}")
        time.sleep(self.draw.uniform(0.75, 1.25) * self.think)
        return told

    def run(self) -> None:
        """Sign in, load the map, then go round."""
        time.sleep(self.draw.uniform(0, self.think))
        body = {"name": f"user{self.number}", "password": PASSWORD}
        assert self.client.post("/api/session", json=body).status_code == 200
        self.ask("points of all (once)", "/api/clues/points")
        cursor = ""
        while time.monotonic() < self.until:
            page = self.ask("list of 100", "/api/clues", limit=100, cursor=cursor).json()
            cursor = page["next"] or ""
            row = self.draw.choice(page["items"])
            path = f"/api/clues/{row['clue_no']}"
            self.ask("clue", path)
            self.ask("explanation", f"{path}/explanation", lang=self.draw.choice(["zh", "en"]))
            west, south, east, north = row["bounds"]
            box = f"{west - 0.02},{south - 0.02},{east + 0.02},{north + 0.02}"
            self.ask("features, 500 in a box", FEATURES, bbox=box, limit=500)


def served(store: Path, port: int) -> subprocess.Popen[bytes]:
    """Start the desk and wait until it answers."""
    words = [sys.executable, "-m", "flows.cli.app"]
    tuban = Path(sys.executable).with_name("tuban")
    words = [str(tuban)] if tuban.is_file() else words
    command = [*words, "desk", "serve", "--store", str(store), "--port", str(port)]
    with (store.parent / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200:
                return process
        except httpx.HTTPError:
            time.sleep(0.1)
    raise SystemExit((store.parent / "log").read_text())


def report(users: list[User]) -> None:
    """Print what every kind of answer took."""
    taken: dict[str, list[float]] = defaultdict(list)
    for user in users:
        for name, times in user.taken.items():
            taken[name] += times
    print(f"{'answer':24}{'times':>7}{'median':>9}{'p95':>9}{'worst':>9}  ms")
    for name, times in taken.items():
        own = sorted(times)
        middle, high = own[len(own) // 2], own[int(0.95 * (len(own) - 1))]
        print(f"{name:24}{len(own):7}{middle:9.1f}{high:9.1f}{own[-1]:9.1f}")
    wrong = [w for user in users for w in user.wrong]
    print(f"answers that were no success: {len(wrong)} {wrong[:3]}")
    print("load of the machine:", *(f"{x:.1f}" for x in os.getloadavg()))


def main() -> None:
    """Fill, serve, load, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clues", type=int, default=50_000)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--think", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--store", type=Path, help="kept between runs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = given.store or Path(folder) / "desk.sqlite"
        start = time.perf_counter()
        if not store.is_file():
            filled(store, given.clues, given.users)
        print(f"{given.clues} clues entered in {time.perf_counter() - start:.0f} s")
        port = free_port()
        process = served(store, port)
        try:
            until = time.monotonic() + given.seconds
            users = [
                User(i, f"http://127.0.0.1:{port}", given.think, until) for i in range(given.users)
            ]
            for user in users:
                user.start()
            for user in users:
                user.join()
            report(users)
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    main()
