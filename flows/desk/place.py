"""Where a desk is: its store, and the folder of its files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from configs.errors import InputError

if TYPE_CHECKING:
    from clues.store.repository import Store

__all__ = ["FILES_NAME", "DeskPlace", "desk_place"]

FILES_NAME = "tuban-desk"
"""Folder of files beside a store on a server, in the working folder."""


@dataclass(frozen=True)
class DeskPlace:
    """A desk on disk.

    Attributes
    ----------
    store : str
        SQLite file or URL.
    files : Path
        Folder of attachments, display images, judged tables and what can be made again.
    """

    store: str
    files: Path

    def open(self, *, new: bool = False) -> "Store":
        """Open the store and bring its schema up to date.

        Parameters
        ----------
        new : bool
            Make it when missing.

        Raises
        ------
        InputError
            If there is none and none is to be made.
        """
        from flows.registering import open_register

        if "://" not in self.store and not new and not Path(self.store).is_file():
            raise InputError(
                "there is no clue store",
                self.store,
                "name the file or URL of a register, or bring a run in with `tuban desk add`",
            )
        return open_register(self.store)


def desk_place(store: str, files: Path | None = None) -> DeskPlace:
    """Return where a desk is.

    Parameters
    ----------
    store : str
        SQLite file, URL, or folder of a run: then the store that its clues are in.
    files : Path, optional
        By default a folder beside the SQLite file, named after it; for a URL ``tuban-desk`` in the
        working folder.
    """
    from flows.registering import STORE_NAME, store_of

    path = Path(store)
    if "://" not in store and path.is_dir():
        opened = store_of(path)
        opened.close()
        is_file = opened.engine.dialect.name == "sqlite"
        store = opened.place if is_file else opened.url
        path = Path(store) if is_file else path / STORE_NAME
    if "://" in store:
        return DeskPlace(store, (files or Path(FILES_NAME)).resolve())
    path = path.resolve()
    return DeskPlace(str(path), (files or path.with_name(f"{path.stem}-desk")).resolve())
