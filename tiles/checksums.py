"""Checksums that suppliers deliver with their images, compared with the files.

A decoder notices little of a damaged JPEG 2000 file and hands out wrong pixels: where the
delivery tells checksums, the files that are read are compared with them once per run.
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from configs.errors import DamagedImage
from tiles.damage import files_of
from tiles.metadata import parse_xml
from tiles.remote import is_remote
from tiles.scene import Scene

__all__ = ["require_intact"]

MANIFEST = "manifest.safe"
DEPTH = 6
"""Folders from an image up to the manifest of its product."""

ALGORITHMS = {"SHA3-256": "sha3_256", "SHA-256": "sha256", "MD5": "md5"}
"""Names in manifests, and those of Python."""


def require_intact(scene: Scene) -> int:
    """Compare the files of a scene with the checksums of its delivery.

    Parameters
    ----------
    scene : Scene

    Returns
    -------
    int
        Files that were compared; 0 where the delivery tells no checksums.

    Raises
    ------
    DamagedImage
        Naming the file whose content is not what was delivered.

    References
    ----------
    .. [1] ESA, Standard Archive Format for Europe (SAFE) control book, PGSI-GSEG-EOPG-FS-05-0001:
       ``manifest.safe`` holds size and checksum of every file of a product.
    """
    compared = 0
    for path in sorted(files_of(scene)):
        told = None if is_remote(path) else _told(path)
        if told is None:
            continue
        name, value = told
        with path.open("rb") as handle:
            found = hashlib.file_digest(handle, ALGORITHMS[name]).hexdigest()
        compared += 1
        if found != value.lower():
            raise DamagedImage(
                f"the file is damaged: its {name} checksum is not the one of {MANIFEST}",
                f"{path}, whole file",
                "copy or download the file again",
            )
    return compared


def _told(path: Path) -> tuple[str, str] | None:
    """Return algorithm and checksum that the product of a file tells, None if it tells none."""
    full = path.resolve()
    for folder in full.parents[:DEPTH]:
        manifest = folder / MANIFEST
        if manifest.is_file():
            version = manifest.stat().st_mtime_ns
            return dict(_checksums(manifest, version)).get(full.relative_to(folder).as_posix())
    return None


@lru_cache(maxsize=64)
def _checksums(manifest: Path, _version: int) -> tuple[tuple[str, tuple[str, str]], ...]:
    return tuple(_listed(manifest))


def _listed(manifest: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    for stream in parse_xml(manifest).findall(".//{*}byteStream"):
        place, checksum = stream.find("{*}fileLocation"), stream.find("{*}checksum")
        if place is None or checksum is None or not checksum.text:
            continue
        name = checksum.get("checksumName", "").upper()
        if name in ALGORITHMS:
            file = place.get("href", "").removeprefix("./")
            yield file, (name, checksum.text.strip())
