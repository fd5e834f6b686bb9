"""A PostGIS server of the tests' own: a fresh cluster on a loopback port, gone afterwards."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["DatabaseServer", "database_server", "postgis_server"]

BINARIES = Path("/usr/lib/postgresql")
EXTENSIONS = Path("/usr/share/postgresql")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _postgis() -> Path:
    """Return the folder of the server's programs that have PostGIS beside them; or skip."""
    for folder in sorted(BINARIES.glob("*/bin"), reverse=True):
        extension = EXTENSIONS / folder.parent.name / "extension" / "postgis.control"
        if (folder / "initdb").exists() and extension.exists():
            return folder
    pytest.skip("PostGIS is not installed: make ci-deps")


class DatabaseServer:
    """A server that can be stopped and started.

    Parameters
    ----------
    folder : Path
        For its data.
    """

    def __init__(self, folder: Path) -> None:
        self._programs, self._port, self._folder = _postgis(), _free_port(), folder
        self._data = folder / "data"
        self._runs = False
        options = ("-U", "tester", "--auth=trust", "-E", "UTF8", "--locale=C")
        self._call("initdb", "-D", self._data, *options)

    @property
    def url(self) -> str:
        """Where its database is."""
        return f"postgresql://tester@127.0.0.1:{self._port}/county"

    def start(self) -> None:
        """Start it."""
        options = f"-c listen_addresses=127.0.0.1 -p {self._port} "
        options += f"-c unix_socket_directories={self._folder}"
        log = self._folder / "log"
        self._call("pg_ctl", "-D", self._data, "-w", "-l", log, "-o", options, "start")
        self._runs = True

    def stop(self, mode: str = "fast") -> None:
        """Stop it where it runs; ``immediate`` is as if the machine had failed."""
        if self._runs:
            self._call("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop")
        self._runs = False

    def empty(self) -> None:
        """Make the database anew, with PostGIS and nothing else in it."""
        where = ("-h", "127.0.0.1", "-p", self._port, "-U", "tester")
        self._call("dropdb", *where, "--if-exists", "county")
        # sorts texts by a language, as servers do that nobody told otherwise
        sorting = ("--locale-provider=icu", "--icu-locale=en-US", "--template=template0")
        self._call("createdb", *where, *sorting, "county")
        self._call("psql", *where, "-d", "county", "-qc", "CREATE EXTENSION postgis")

    def _call(self, program: str, *arguments: object) -> None:
        words = [str(self._programs / program), *map(str, arguments)]
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(self._folder, "postgres")
            words = ["runuser", "-u", "postgres", "--", *words]
        done = subprocess.run(words, capture_output=True, text=True, cwd=self._folder, check=False)
        assert done.returncode == 0, f"{program}: {done.stderr}{done.stdout}"


@contextmanager
def database_server() -> Iterator[DatabaseServer]:
    """Start a server with an empty database, and remove it all again."""
    folder = Path(tempfile.mkdtemp(prefix="tuban-postgis-"))
    try:
        server = DatabaseServer(folder)
        server.start()
        try:
            server.empty()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def postgis_server() -> Iterator[str]:
    """Start a server, give the URL of a database with PostGIS in it, and remove it all again."""
    with database_server() as server:
        yield server.url
