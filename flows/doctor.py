"""What can be wrong with a machine before any data is touched."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import (
    PackageNotFoundError,
    packages_distributions,
    requires,
    version,
)
from pathlib import Path
from typing import Literal
from uuid import uuid4

import psutil

from tiles.files import free_bytes

__all__ = ["Check", "examine"]

ROOMS = ("configs", "tiles", "detect", "models", "clues", "web", "flows")
GEODATA_VARIABLES = ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA", "GDAL_DRIVER_PATH")
NEEDED_DISK = 1_000_000_000
NEEDED_MEMORY = 2_000_000_000

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes
    ----------
    name : str
    status : {"ok", "warn", "fail"}
        ``fail`` makes a run impossible or wrong, ``warn`` may.
    found : str
        What was found, with the value.
    fix : str
        What to do about it; empty when all is well.
    """

    name: str
    status: Status
    found: str
    fix: str = ""


def examine(out: Path, environment: Mapping[str, str] | None = None) -> list[Check]:
    """Check everything a run needs of the machine.

    Parameters
    ----------
    out : Path
        Folder the runs would be written to.
    environment : mapping, optional
        Variables; default: those of this process.
    """
    environment = os.environ if environment is None else environment
    return [
        _python(),
        *_packages(),
        _names(),
        *_geodata(environment),
        *_native(environment),
        *_places(out),
        _memory(),
        _font(),
        _encoding(),
        _prefect(environment),
    ]


def _python() -> Check:
    found = f"{platform.python_implementation()} {platform.python_version()}"
    if (3, 11) <= sys.version_info < (3, 14):
        return Check("python", "ok", found)
    return Check("python", "fail", found, "use Python 3.11, 3.12 or 3.13")


def _packages() -> Iterator[Check]:
    """Compare what is installed with what the program declares to need."""
    from packaging.requirements import Requirement

    good = []
    for line in requires("tuban") or []:
        need = Requirement(line)
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(need.name)
        except PackageNotFoundError:
            yield Check(need.name, "fail", "not installed", f"pip install '{line}'")
            continue
        if need.specifier.contains(found, prereleases=True):
            good.append(f"{need.name} {found}")
        else:
            yield Check(
                need.name, "fail", f"{found}, needed {need.specifier}", f"pip install '{line}'"
            )
    yield Check("packages", "ok", f"{len(good)} as declared: {', '.join(good)}")


def _names() -> Check:
    """Look for other distributions that bring packages of our, everyday, names."""
    owners = packages_distributions()
    foreign = {
        room: others for room in ROOMS if (others := sorted(set(owners.get(room, [])) - {"tuban"}))
    }
    if not foreign:
        return Check("package names", "ok", "no other distribution uses them")
    return Check(
        "package names",
        "fail",
        "; ".join(f"{room} also comes with {', '.join(o)}" for room, o in foreign.items()),
        "install tuban in a virtual environment of its own",
    )


def _geodata(environment: Mapping[str, str]) -> Iterator[Check]:
    """Look for data folders of the system, which break the libraries inside the wheels."""
    named = [n for n in GEODATA_VARIABLES if environment.get(n)]
    for name in named:
        yield Check(
            name,
            "warn",
            f"{environment[name]}: rasterio, pyproj and pyogrio bring their own data",
            f"unset {name}",
        )
    if not named:
        yield Check("geodata variables", "ok", f"none of {', '.join(GEODATA_VARIABLES)} is set")


_PROBES = {
    "rasterio": """
import rasterio
from rasterio.crs import CRS
from rasterio.warp import transform
transform(CRS.from_epsg(4490), CRS.from_epsg(4528), [120.0], [31.0])
with rasterio.Env() as env:
    missing = {"GTiff", "COG", "ENVI"} - set(env.drivers())
assert not missing, f"no driver {missing}"
found = f"rasterio {rasterio.__version__}, GDAL {rasterio.__gdal_version__}"
""",
    "pyproj": """
import pyproj
pyproj.Transformer.from_crs(4490, 4528, always_xy=True).transform(120.0, 31.0)
found = f"pyproj {pyproj.__version__}, PROJ {pyproj.proj_version_str}"
""",
    "pyogrio": """
import pyogrio
missing = {"GPKG", "ESRI Shapefile", "GeoJSON", "OpenFileGDB"} - set(pyogrio.list_drivers())
assert not missing, f"no driver {missing}"
found = f"pyogrio {pyogrio.__version__}, GDAL {pyogrio.__gdal_version_string__}"
""",
    "numba": """
import numba, numpy as np
add = numba.njit(nogil=True)(lambda a: a.sum())
assert add(np.ones(3)) == 3.0
assert add.nopython_signatures, "nothing was compiled: NUMBA_DISABLE_JIT is set"
found = f"numba {numba.__version__}, {numba.config.NUMBA_NUM_THREADS} threads"
""",
    "sqlite": """
import sqlite3
assert sqlite3.sqlite_version_info >= (3, 35), f"SQLite {sqlite3.sqlite_version} is too old"
found = f"SQLite {sqlite3.sqlite_version}"
""",
}
"""Each runs in a process of its own: a native library that crashes is a finding, not the end."""


def _native(environment: Mapping[str, str]) -> Iterator[Check]:
    with ThreadPoolExecutor() as pool:
        yield from pool.map(lambda name: _probe(name, environment), _PROBES)


def _probe(name: str, environment: Mapping[str, str]) -> Check:
    code = _PROBES[name]
    try:
        told = subprocess.run(  # nosec B603 # our own probes and no shell
            [sys.executable, "-c", f"{code}\nprint(found)"],
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Check(name, "fail", "no answer in 120 s", "see what slows this machine down")
    if told.returncode == 0:
        return Check(name, "ok", told.stdout.strip())
    lines = told.stderr.strip().splitlines() or [f"ended with code {told.returncode}"]
    named = [n for n in GEODATA_VARIABLES if environment.get(n)]
    fix = f"unset {' '.join(named)}" if named else f"pip install --force-reinstall {name}"
    return Check(name, "fail", lines[-1], fix)


def _places(out: Path) -> Iterator[Check]:
    """Check that folders can be written and that the disk has room."""
    home = Path.home()
    if _writable(home):
        yield Check("home", "ok", str(home))
    else:
        fix = "set HOME to a folder you own; libraries keep their caches there"
        yield Check("home", "warn", f"{home} cannot be written", fix)
    probe = out.resolve()
    while not probe.exists():
        probe = probe.parent
    if not _writable(probe):
        yield Check("output folder", "fail", f"{probe} cannot be written", "choose another --out")
        return
    free = free_bytes(out)
    enough = free >= NEEDED_DISK
    yield Check(
        "output folder",
        "ok" if enough else "warn",
        f"{probe}, {free / 1e9:.1f} GB free",
        "" if enough else "free some space; `tuban check CONFIG` says how much a run needs",
    )


def _writable(folder: Path) -> bool:
    probe = folder / f".tuban-{uuid4().hex}"
    try:
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


def _memory() -> Check:
    total = psutil.virtual_memory().total
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        total = min(total, int(text))
    found = f"{total / 1e9:.1f} GB, {os.cpu_count()} cores"
    if total >= NEEDED_MEMORY:
        return Check("memory", "ok", found)
    return Check("memory", "warn", found, "use a smaller --tile and --workers 1")


def _font() -> Check:
    folder = Path(str(resources.files("clues")))
    fonts = sorted(folder.rglob("*.ttf"))
    if fonts:
        return Check("chinese font", "ok", fonts[0].name)
    return Check("chinese font", "fail", f"no font in {folder}", "install tuban again")


def _encoding() -> Check:
    found = f"files {sys.getfilesystemencoding()}, output {sys.stdout.encoding}"
    if sys.getfilesystemencoding().lower().replace("-", "") == "utf8":
        return Check("encoding", "ok", found)
    return Check("encoding", "warn", found, "set LC_ALL=C.UTF-8: paths may hold Chinese names")


def _prefect(environment: Mapping[str, str]) -> Check:
    """Say whether flows depend on a server."""
    address = environment.get("PREFECT_API_URL")
    if not address:
        return Check("prefect", "ok", f"{version('prefect')}, offline, in this process")
    return Check(
        "prefect",
        "warn",
        f"flows run against the server {address}",
        "unset PREFECT_API_URL to run without a server",
    )
