"""The peers' own environments: Python packages from the registry, GDAL and Orfeo from Debian.

Packages of ``peers.txt`` go into a virtual environment below the working folder. GDAL's command
line and Orfeo ToolBox are Debian's packages, fetched and unpacked below the working folder, never
installed. Both are made once. What cannot be had is left out of the tables, with the reason.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
PINS = HERE / "peers.txt"
DEBIAN = ("gdal-bin", "python3-gdal", "python3-numpy", "otb-bin")
PYTHON = Path("/usr/bin/python3")
"""GDAL's scripts are of Debian's Python."""


@dataclass(frozen=True)
class PeerTools:
    """Where the peers are.

    Attributes
    ----------
    python : Path or None
        Interpreter that has the packages of ``peers.txt``.
    unpacked : Path or None
        Root of the unpacked Debian packages.
    missing : dict of str to str
        What is not there, and why.
    """

    python: Path | None = None
    unpacked: Path | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment in which unpacked programs work, two threads each."""
        assert self.unpacked is not None
        usr = self.unpacked / "usr"
        libraries = usr / "lib" / "x86_64-linux-gnu"
        paths = (libraries, libraries / "blas", libraries / "lapack", usr / "lib")
        return {
            "PATH": f"{usr / 'bin'}:/usr/bin:/bin",
            "LD_LIBRARY_PATH": ":".join(map(str, paths)),
            "PYTHONPATH": str(usr / "lib" / "python3" / "dist-packages"),
            "GDAL_DATA": str(usr / "share" / "gdal"),
            "OTB_APPLICATION_PATH": str(libraries / "otb" / "applications"),
            "OTB_LOGGER_LEVEL": "WARNING",
            "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "2",
            "GDAL_NUM_THREADS": "2",
            "GDAL_CACHEMAX": "256",
            "LC_ALL": "C.UTF-8",
        }


def peer_tools(work: Path) -> PeerTools:
    """Return the peers' environments below a folder; make what is not there yet."""
    missing: dict[str, str] = {}
    python = _packages(work / "peers", missing)
    unpacked = _debian(work / "debian", missing)
    return PeerTools(python, unpacked, missing)


def _run(command: Sequence[str | Path]) -> str | None:
    """Run a command; return the last line of what went wrong, None where nothing did."""
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return None
    return ((done.stderr or done.stdout).strip().splitlines() or ["no word why"])[-1]


def _packages(folder: Path, missing: dict[str, str]) -> Path | None:
    python, ready = folder / "bin" / "python", folder / PINS.name
    pins = PINS.read_text(encoding="utf-8")
    if ready.is_file() and ready.read_text(encoding="utf-8") == pins:
        return python
    print(f"== making the peers' environment in {folder} (once, about a minute)", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    wrong = _run([sys.executable, "-m", "venv", folder])
    if wrong is None:
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        pip = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
        wrong = _run([*pip, "-q", "-r", PINS])
    if wrong is not None:
        shutil.rmtree(folder, ignore_errors=True)
        missing["packages of peers.txt"] = f"the registry did not give them: {wrong}"
        return None
    ready.write_text(pins, encoding="utf-8")
    return python


def _debian(folder: Path, missing: dict[str, str]) -> Path | None:
    root, ready = folder / "root", folder / "ready"
    if ready.is_file():
        return root
    name = "GDAL's command line, Orfeo ToolBox"
    if not shutil.which("apt-get") or not shutil.which("dpkg") or not PYTHON.is_file():
        missing[name] = "no Debian with a Python of its own"
        return None
    print(f"== unpacking GDAL and Orfeo ToolBox in {folder} (once, about a minute)", flush=True)
    (folder / "debs" / "partial").mkdir(parents=True, exist_ok=True)
    fetch = ["apt-get", "install", "-y", "--download-only", "--no-install-recommends"]
    wrong = _run([*fetch, "-o", f"Dir::Cache::archives={(folder / 'debs').resolve()}", *DEBIAN])
    for package in sorted((folder / "debs").glob("*.deb")):
        wrong = wrong or _run(["dpkg", "-x", package, root])
    if wrong is None and not (root / "usr" / "bin" / "otbcli").is_file():
        wrong = "apt-get gave no package: they are installed already or not known"
    if wrong is not None:
        missing[name] = f"not to be had with apt-get: {wrong}"
        return None
    ready.touch()
    return root


def debian_versions(folder: Path) -> str:
    """Return name and version of the unpacked programs."""
    names = [p.name.split("_") for p in sorted((folder / "debs").glob("*.deb"))]
    return ", ".join(f"{n[0]} {n[1]}" for n in names if n[0] in ("gdal-bin", "otb-bin"))
