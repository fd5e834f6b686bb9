"""Products of a run: what a stage made, and whether its files are still as they were made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from configs.errors import RunError
from tiles.files import sha256

__all__ = ["FileRecord", "Product"]

SMALL_BYTES = 4 << 20
"""Files up to this size are hashed at every reuse; larger ones when their time stamp moved."""


@dataclass(frozen=True)
class FileRecord:
    """One file of a product; `path` is relative to the run folder."""

    path: str
    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path, folder: Path) -> Self:
        """Hash a file of a run folder; `RunError` where it lies elsewhere."""
        full = path.resolve()
        if not full.is_relative_to(folder):
            raise RunError(
                "a product lies outside the run folder", str(path), f"write it below {folder}"
            )
        info = full.stat()
        name = full.relative_to(folder).as_posix()
        return cls(name, info.st_size, info.st_mtime_ns, sha256(full))

    def fault(self, folder: Path, *, thorough: bool = False) -> str | None:
        """Return what is wrong with the file in a run folder, if anything.

        Parameters
        ----------
        folder : Path
        thorough : bool
            Whether large files are hashed too whose time stamp is the same.
        """
        path = folder / self.path
        try:
            info = path.stat()
        except FileNotFoundError:
            return f"file {self.path} is gone"
        same = info.st_size == self.size
        doubtful = thorough or self.size <= SMALL_BYTES or info.st_mtime_ns != self.mtime_ns
        if same and doubtful:
            same = sha256(path) == self.sha256
        return None if same else f"file {self.path} was altered"


@dataclass(frozen=True)
class Product:
    """Something a stage made: files, plain values, or both.

    Attributes
    ----------
    stage, name : str
        The latest product of a (stage, name) is the valid one.
    key : str
        Digest of the `StageKey` it was made under.
    files : tuple of FileRecord
    values : dict
        JSON values.
    seconds : float
        Wall time of making it.
    at : str
        ISO 8601 UTC.
    """

    stage: str
    name: str
    key: str
    files: tuple[FileRecord, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    at: str = ""

    @classmethod
    def of_line(cls, line: Mapping[str, Any]) -> Self:
        """Return the product that a line of the manifest tells of."""
        values = {k: v for k, v in line.items() if k not in ("kind", "files")}
        return cls(**values, files=tuple(FileRecord(**f) for f in line["files"]))
