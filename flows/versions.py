"""Versions of a growing result: each made aside, then put in place whole and never changed."""

import datetime as dt
import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from configs.errors import RunError
from tiles.files import PART_MARK, fsync_folder, sha256, write_json

__all__ = ["Version", "Versions"]

log = logging.getLogger(__name__)

FACTS_NAME = "version.json"
READ_ONLY = 0o444


@dataclass(frozen=True)
class Version:
    """One version that is in place.

    Attributes
    ----------
    folder : Path
    number : int
        1 is the first.
    """

    folder: Path
    number: int

    @property
    def name(self) -> str:
        """``v0001`` and so on."""
        return self.folder.name

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the version was made of and what it holds.

        Raises
        ------
        RunError
            If the file is damaged.
        """
        path = self.folder / FACTS_NAME
        try:
            facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(
                f"the version cannot be read ({error})",
                str(path),
                "copy the version back from a backup, or move its folder away to go on from the "
                "one before",
            ) from error
        return facts

    def path(self, name: str) -> Path:
        """Return a file of the version."""
        return self.folder / name


class Versions:
    """The versions below a folder.

    Parameters
    ----------
    home : Path
        Versions lie in ``versions/``, the one being made in ``work/``.
    """

    def __init__(self, home: Path) -> None:
        self.home = home

    def all(self) -> list[Version]:
        """Return the versions in place, oldest first."""
        folder = self.home / "versions"
        names = sorted(p.parent.name for p in folder.glob(f"v*/{FACTS_NAME}"))
        return [Version(folder / name, int(name[1:])) for name in names]

    @property
    def latest(self) -> Version | None:
        """The newest version; None before the first."""
        versions = self.all()
        return versions[-1] if versions else None

    def draft(self) -> Path:
        """Return the folder in which the next version is made; drafts of others go."""
        latest = self.latest
        work = self.home / "work"
        draft = work / f"v{1 + (latest.number if latest else 0):04d}"
        for old in sorted(work.glob("v*")):
            if not old.name.startswith(draft.name):
                shutil.rmtree(old)
        draft.mkdir(parents=True, exist_ok=True)
        return draft

    def publish(self, draft: Path, facts: Mapping[str, Any]) -> Version:
        """Hash every file of a draft and put it in place as a whole.

        Parameters
        ----------
        draft : Path
            From `draft`.
        facts : mapping
            JSON values, kept in ``version.json`` beside ``files``: name to SHA-256.

        Raises
        ------
        RunError
            If a version of this name is in place already.
        """
        place = self.home / "versions" / draft.name
        if place.exists():
            raise RunError(
                f"version {draft.name} is in place already", str(place), "run the command again"
            )
        for left in draft.rglob(f"{PART_MARK}*"):
            left.unlink()
        files = sorted(p for p in draft.rglob("*") if p.is_file() and p.name != FACTS_NAME)
        told = {
            "name": draft.name,
            "made": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            **facts,
            "files": {p.relative_to(draft).as_posix(): sha256(p) for p in files},
        }
        write_json(draft / FACTS_NAME, told)
        for path in (*files, draft / FACTS_NAME):
            path.chmod(READ_ONLY)
        place.parent.mkdir(parents=True, exist_ok=True)
        draft.rename(place)
        fsync_folder(place.parent)
        shutil.rmtree(draft.parent)
        log.info("version %s is in place", place)
        return Version(place, int(draft.name[1:]))
