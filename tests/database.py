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

__all__ = ["postgis_server"]

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


@contextmanager
def postgis_server() -> Iterator[str]:
    """Start a server, give the URL of a database with PostGIS in it, and remove it all again."""
    programs, port = _postgis(), _free_port()
    folder = Path(tempfile.mkdtemp(prefix="tuban-postgis-"))
    root = os.geteuid() == 0
    if root:  # the server refuses to run as root
        shutil.chown(folder, "postgres")
    data = folder / "data"

    def call(program: str, *arguments: object) -> None:
        words = [str(programs / program), *map(str, arguments)]
        words = ["runuser", "-u", "postgres", "--", *words] if root else words
        done = subprocess.run(words, capture_output=True, text=True, cwd=folder, check=False)
        assert done.returncode == 0, f"{program}: {done.stderr}{done.stdout}"

    options = f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories={folder}"
    try:
        call("initdb", "-D", data, "-U", "tester", "--auth=trust", "-E", "UTF8", "--locale=C")
        call("pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
        try:
            where = ("-h", "127.0.0.1", "-p", port, "-U", "tester")
            call("createdb", *where, "county")
            call("psql", *where, "-d", "county", "-qc", "CREATE EXTENSION postgis")
            yield f"postgresql://tester@127.0.0.1:{port}/county"
        finally:
            call("pg_ctl", "-D", data, "-m", "fast", "-w", "stop")
    finally:
        shutil.rmtree(folder)
