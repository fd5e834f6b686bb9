"""Zip archives whose bytes depend on their content alone."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tiles.files import atomic_path

__all__ = ["FixedZip", "fixed_zip"]

STAMP = (2000, 1, 1, 0, 0, 0)
UNIX, PLAIN_FILE = 3, 0o644 << 16


class FixedZip:
    """A zip archive that is being written, member by member, in the order of the calls."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def add(self, name: str, data: bytes, *, packed: bool = True) -> None:
        """Add a member; pictures are packed already."""
        self._archive.writestr(self._entry(name, packed=packed), data)

    def add_file(self, name: str, path: Path) -> None:
        """Add a file as a member, piece by piece."""
        with path.open("rb") as source, self.member(name) as target:
            while piece := source.read(1 << 20):
                target.write(piece)

    @contextmanager
    def member(self, name: str) -> Iterator[IO[bytes]]:
        """Give a member to write to."""
        with self._archive.open(self._entry(name, packed=True), "w", force_zip64=True) as target:
            yield target

    def _entry(self, name: str, *, packed: bool) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(name, STAMP)
        entry.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        entry.create_system, entry.external_attr = UNIX, PLAIN_FILE
        return entry


@contextmanager
def fixed_zip(path: Path) -> Iterator[FixedZip]:
    """Give a zip archive that is written atomically when the block succeeds."""
    with atomic_path(path) as part, zipfile.ZipFile(part, "w") as archive:
        yield FixedZip(archive)
