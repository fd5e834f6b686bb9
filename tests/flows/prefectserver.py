"""A real Prefect server and worker on loopback, as processes of their own, stopped for certain."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.flows.command import ROOT

T = TypeVar("T")


class PrefectServer:
    """A server: its environment, its API, and what is started beside it."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.home = home
        self.api = f"http://127.0.0.1:{self.port}/api"
        self.environment = {
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": self.api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_WORKER_PREFETCH_SECONDS": "60",
            "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
            "DO_NOT_TRACK": "1",
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(ROOT),
        }

    def prefect(self, log: str, *args: str) -> None:
        """Start ``prefect ARGS`` beside the test."""
        with (self.home / f"{log}.log").open("wb") as stream:
            subprocess.Popen(
                [sys.executable, "-m", "prefect", *args],
                cwd=self.home,
                env=os.environ | self.environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer of the API; asked again while its database is busy."""
        for _ in range(30):
            try:
                return self._ask(method, path, body)
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise AssertionError(f"{method} {path}: {error.read()[:500]!r}") from error
            time.sleep(1.0)
        raise AssertionError(f"{method} {path}: always busy")

    def _ask(self, method: str, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            self.api + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            request, timeout=120
        ) as answer:
            return json.loads(answer.read() or b"null")

    def healthy(self) -> bool:
        try:
            return bool(self.ask("GET", "/health"))
        except OSError:
            return False

    def logs(self) -> str:
        """Return the end of what server and worker said."""
        return "\n".join(p.read_text(errors="replace")[-3000:] for p in self.home.glob("*.log"))

    def stop(self) -> None:
        """End every process of this server: all that have its home in their environment."""
        for end in (_terminate, psutil.Process.kill):
            alive = list(self._processes())
            for process in alive:
                with suppress(psutil.NoSuchProcess):
                    end(process)
            psutil.wait_procs(alive, timeout=10)
        assert not list(self._processes())
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", self.port)) != 0, "the port is still open"

    def _processes(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                mine = process.environ().get("PREFECT_HOME") == str(self.home)
                if mine and process.status() != psutil.STATUS_ZOMBIE:
                    yield process


def _terminate(process: psutil.Process) -> None:
    process.resume()
    process.terminate()


def wait_for(what: str, found: Callable[[], T], seconds: float, server: PrefectServer) -> T:
    """Return the first thing found that is true; fail with the logs after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds} s\n{server.logs()}")


@contextmanager
def prefect_server(home: Path) -> Iterator[PrefectServer]:
    """Give a server that answers; nothing of it is left behind."""
    home.mkdir(parents=True)
    server = PrefectServer(home)
    try:
        server.prefect(
            "server", "server", "start", "--host", "127.0.0.1", "--port", str(server.port)
        )
        wait_for("the server", server.healthy, 600, server)
        yield server
    finally:
        server.stop()
