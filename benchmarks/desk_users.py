"""People at a desk: what they ask, with time to think; how long the answers take.

A process of its own for `benchmarks.desk_load`: one thread, plain connections, so that it takes
little of the machine that it loads. Every user signs in, loads the map, then goes round: list,
clue, explanation, features in a box, a map of six tiles that nobody looked at, the same again.
"""

import argparse
import asyncio
import gzip
import json
import math
import random
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

PASSWORD = "sorghum under the levee"
FEATURES = "/ogc/collections/clues/items"
POINTS, LIST, CLUE, WHY = "points of all", "list of 100", "clue", "explanation"
BOX, NEW, HELD = "features, 500 in a box", "tile, not cut before", "tile, cut before"
KINDS = (LIST, CLUE, WHY, BOX, NEW, HELD, POINTS)
SPREAD = 0.02
"""Degrees around a clue: more than 500 clues lie there."""

ZOOMS = (15, 16, 17)
MAP = [(x, y) for x in range(3) for y in range(2)]
"""Tiles of one map, by column and row."""

IMAGES = ("bench-before", "bench-after")


@dataclass
class Answer:
    """What came back, and after how many ms."""

    status: int
    headers: dict[str, str]
    body: bytes
    ms: float

    def json(self) -> Any:
        packed = self.headers.get("content-encoding") == "gzip"
        return json.loads(gzip.decompress(self.body) if packed else self.body)


class Line:
    """One connection, kept open; it is opened again where the desk closed it."""

    def __init__(self, port: int, cookie: str = "") -> None:
        self.port, self.cookie = port, cookie
        self.ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Ask once; the time runs from before the connection until the last byte."""
        start = time.perf_counter()
        try:
            told = await self._asked(path, body)
        except (OSError, asyncio.IncompleteReadError):
            self.ends = None
            told = await self._asked(path, body)
        told.ms = 1000 * (time.perf_counter() - start)
        return told

    async def _asked(self, path: str, body: Mapping[str, Any] | None) -> Answer:
        if self.ends is None:
            self.ends = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24)
        reader, writer = self.ends
        sent = b"" if body is None else json.dumps(body).encode()
        head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        head += f"Accept-Encoding: gzip\r\nContent-Length: {len(sent)}\r\n"
        head += "Content-Type: application/json\r\n" if sent else ""
        head += f"Cookie: {self.cookie}\r\n\r\n" if self.cookie else "\r\n"
        writer.write(head.encode() + sent)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (x.partition(": ") for x in lines[1:] if x)
        }
        length = int(headers.get("content-length", 0))
        content = await reader.readexactly(length) if length else b""
        return Answer(int(lines[0].split()[1]), headers, content, 0)


@dataclass
class Taken:
    """Times in ms by kind of answer, and the answers that were no success."""

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def note(self, kind: str, path: str, told: Answer) -> Answer:
        self.times[kind].append(told.ms)
        if told.status not in (200, 204):
            self.wrong.append(f"{told.status} {path}")
        return told


async def signed_in(port: int, name: str) -> Line:
    """Return a connection that carries a session."""
    line = Line(port)
    told = await line.ask("/api/session", {"name": name, "password": PASSWORD})
    if told.status != 200:
        raise SystemExit(f"{name} cannot sign in: {told.status} {told.body.decode()}")
    line.cookie = told.headers["set-cookie"].partition(";")[0]
    return line


def box_around(row: Mapping[str, Any]) -> str:
    """Return the address of 500 features around a clue."""
    west, south, east, north = row["bounds"]
    box = f"{west - SPREAD},{south - SPREAD},{east + SPREAD},{north + SPREAD}"
    return f"{FEATURES}?{urlencode({'bbox': box, 'limit': 500})}"


def tiles_around(row: Mapping[str, Any], draw: random.Random) -> list[str]:
    """Return the addresses of the tiles of a map around a clue, of one date."""
    n = 1 << (zoom := draw.choice(ZOOMS))
    column = int((row["lon"] + 180) / 360 * n)
    line = int((1 - math.asinh(math.tan(math.radians(row["lat"]))) / math.pi) / 2 * n)
    image = draw.choice(IMAGES)
    return [f"/tiles/{image}/{zoom}/{column + x}/{line + y}.webp" for x, y in MAP]


class User:
    """Somebody at the desk."""

    def __init__(self, number: int, port: int, think: float, taken: Taken) -> None:
        self.number, self.port, self.think, self.taken = number, port, think, taken
        self.draw = random.Random(number)
        self.lines: list[Line] = []

    async def ask(self, kind: str, path: str) -> Answer:
        """Ask once, note how long it took, and think."""
        told = self.taken.note(kind, path, await self.lines[0].ask(path))
        await self.rest()
        return told

    async def rest(self) -> None:
        await asyncio.sleep(self.draw.uniform(0.75, 1.25) * self.think)

    async def look(self, paths: list[str]) -> None:
        """Load a map, as browsers do: all tiles at once."""
        kinds = [HELD if p in self.taken.seen else NEW for p in paths]
        self.taken.seen.update(paths)
        told = await asyncio.gather(*(n.ask(p) for n, p in zip(self.lines, paths, strict=True)))
        for kind, path, one in zip(kinds, paths, told, strict=True):
            self.taken.note(kind, path, one)
        await self.rest()

    async def work(self, until: float) -> None:
        """Sign in, load the map, then go round until the time is over."""
        await asyncio.sleep(self.draw.uniform(0, 2 * self.think))
        line = await signed_in(self.port, f"user{self.number}")
        self.lines = [line, *(Line(self.port, line.cookie) for _ in MAP[1:])]
        await self.ask(POINTS, "/api/clues/points")
        cursor = ""
        while time.monotonic() < until:
            query = urlencode({"limit": 100, "cursor": cursor})
            page = (await self.ask(LIST, f"/api/clues?{query}")).json()
            cursor = page["next"] or ""
            row = self.draw.choice(page["items"])
            path = f"/api/clues/{row['clue_no']}"
            await self.ask(CLUE, path)
            await self.ask(WHY, f"{path}/explanation?lang={self.draw.choice(['zh', 'en'])}")
            await self.ask(BOX, box_around(row))
            paths = tiles_around(row, self.draw)
            await self.look(paths)
            await self.look(paths)


async def people(port: int, users: int, think: float, seconds: float) -> Taken:
    """Let people work for some seconds."""
    taken, until = Taken(), time.monotonic() + seconds
    await asyncio.gather(*(User(i, port, think, taken).work(until) for i in range(users)))
    return taken


def main() -> None:
    """Work, and print times and wrong answers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--think", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    told = parser.parse_args()
    taken = asyncio.run(people(told.port, told.users, told.think, told.seconds))
    print(json.dumps({"times": taken.times, "wrong": taken.wrong, "used": time.process_time()}))


if __name__ == "__main__":
    main()
