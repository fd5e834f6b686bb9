"""A folder of models: find one, choose one of each kind for later runs, hand one on."""

import json
import re
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from configs.errors import InputError
from configs.run import MODEL_SUFFIX
from models.modelfile import ModelCard, ModelKind, open_model, save_model
from tiles.files import atomic_path

__all__ = ["IN_USE", "ModelCard", "ModelKind", "ModelRegistry", "open_model", "save_model"]

IN_USE = "in-use.json"
"""Hash of the model in use, by kind."""


class ModelRegistry:
    """A folder of model files, and which of each kind is in use.

    Parameters
    ----------
    folder : Path
        Need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list(self) -> "list[tuple[Path, ModelCard | InputError]]":
        """Return every model file with its card, or with why it is refused; by file name."""
        found: list[tuple[Path, ModelCard | InputError]] = []
        for path in sorted(self.folder.glob(f"*{MODEL_SUFFIX}")):
            try:
                found.append((path, open_model(path)[0]))
            except InputError as error:
                found.append((path, error))
        return found

    def find(self, text: str) -> Path:
        """Return the file of a model.

        Parameters
        ----------
        text : str
            Its name, the first digits of its hash (four or more), or ``<name>-<hash8>``.

        Raises
        ------
        InputError
            If no model or more than one is meant, or the one that is meant is refused.
        """
        files = sorted(self.folder.glob(f"*{MODEL_SUFFIX}"))
        stems = {path: path.stem.rpartition("-") for path in files}
        found = [p for p, (name, _, _) in stems.items() if text in (name, p.stem)]
        if not found and re.fullmatch(r"[0-9a-f]{4,64}", text):
            found = [
                p for p, (_, _, tail) in stems.items() if tail == text[:8] or tail.startswith(text)
            ]
        if len(found) == 1:
            return found[0]
        known = ", ".join(p.stem for p in (found or files)) or "none"
        raise InputError(
            f"{len(found) or 'no'} models are called {text!r}; there: {known}",
            str(self.folder),
            "name one of these, with its hash" if files else "train one with `tuban model train`",
        )

    def use(self, text: str) -> ModelCard:
        """Choose a model for later runs that ask for the one in use; return its card."""
        card = open_model(self.find(text))[0]
        chosen = self.chosen() | {card.kind: card.hash}
        with atomic_path(self.folder / IN_USE) as part:
            part.write_text(json.dumps(chosen, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return card

    def in_use(self, kind: ModelKind) -> Path | None:
        """Return the file of the model in use of a kind; None where none was chosen.

        Raises
        ------
        InputError
            If the one that was chosen is no longer there.
        """
        chosen = self.chosen().get(kind)
        return None if chosen is None else self.find(chosen)

    def open(self, text: str, kind: ModelKind) -> tuple[Path, ModelCard, dict[str, NDArray[Any]]]:
        """Open the model that a config names.

        Parameters
        ----------
        text : str
            As in `find`, a path that ends with ``.tuban``, or ``in-use``.
        kind : str
            What it must be.

        Raises
        ------
        InputError
            If there is none, it is refused, or it is of another kind.
        """
        path = Path(text) if text.endswith(MODEL_SUFFIX) else None
        if text == "in-use":
            path = self.in_use(kind)
            if path is None:
                raise InputError(
                    f"no {kind} model is in use",
                    str(self.folder),
                    "choose one with `tuban model use NAME`",
                )
        path = path or self.find(text)
        card, arrays = open_model(path)
        if card.kind != kind:
            raise InputError(
                f"this is a model of kind {card.kind}, not {kind}",
                str(path),
                "name another; `tuban model list` tells the kinds",
            )
        return path, card, arrays

    def export(self, text: str, path: Path) -> Path:
        """Copy a model for another machine, to a folder or under a new file name."""
        source = self.find(text)
        open_model(source)
        return _copied(source, path / source.name if path.is_dir() else path)

    def add(self, path: Path) -> Path:
        """Take over a model file from elsewhere; return where it lies now."""
        return _copied(path, self.folder / open_model(path)[0].file_name)

    def chosen(self) -> dict[str, str]:
        """Return the hash of the model in use, by kind."""
        path = self.folder / IN_USE
        if not path.exists():
            return {}
        try:
            chosen = json.loads(path.read_text(encoding="utf-8"))
            if not all(isinstance(v, str) for v in chosen.values()):
                raise ValueError("hashes must be texts")
        except (OSError, ValueError, AttributeError) as error:
            raise InputError(
                f"it cannot be read which models are in use ({error})",
                str(path),
                "delete the file and choose again with `tuban model use`",
            ) from error
        return dict(chosen)


def _copied(source: Path, target: Path) -> Path:
    data = source.read_bytes()
    if target.exists() and target.read_bytes() != data:
        raise InputError(
            "another file stands there", str(target), "name a path that is free, or a folder"
        )
    with atomic_path(target) as part:
        part.write_bytes(data)
    return target
