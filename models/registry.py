"""A folder of models: find one, choose one of each kind for later runs, hand one on."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from numpy.typing import NDArray

from configs.errors import InputError
from configs.run import MODEL_SUFFIX
from models.modelfile import ModelCard, ModelKind, open_model, save_model
from tiles.files import atomic_path

__all__ = ["IN_USE", "ModelCard", "ModelKind", "ModelRegistry", "open_model", "save_model"]

IN_USE = "in-use.json"
"""Hash of the model in use, by kind."""

Model = tuple[Path, ModelCard, dict[str, NDArray[Any]]]


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
        for path in self._files():
            try:
                found.append((path, _opened(path)[0]))
            except InputError as error:
                found.append((path, error))
        return found

    def find(self, text: str) -> Path:
        """Return the file of a model, whose card is the one that is meant.

        Parameters
        ----------
        text : str
            Its name, the first digits of its hash (four or more), ``<name>-<hash8>``, or the path
            of a file of this folder.

        Raises
        ------
        InputError
            If no model or more than one is meant, or the one that is meant is refused: also where
            its file is called like another model.
        """
        return self._found(text)[0]

    def _files(self) -> "Sequence[Path]":
        return sorted(self.folder.glob(f"*{MODEL_SUFFIX}"))

    def _found(self, text: str) -> Model:
        """Return the model that is meant; file names propose, the card decides."""
        path, files = Path(text), self._files()
        if path.suffix == MODEL_SUFFIX and path.parent.resolve() == self.folder.resolve():
            text = path.stem
        found = [p for p in files if text in (p.stem.rpartition("-")[0], p.stem)]
        if not found and re.fullmatch(r"[0-9a-f]{4,64}", text):
            return self._of_hash(text)
        if len(found) == 1:
            return (found[0], *_opened(found[0]))
        raise self._unclear(text, found)

    def _of_hash(self, text: str) -> Model:
        named = [p for p in self._files() if p.stem.rpartition("-")[2].startswith(text[:8])]
        found: list[Model] = []
        refused: list[InputError] = []
        for path in named:
            try:
                card, arrays = _opened(path)
            except InputError as error:
                refused.append(error)
                continue
            if card.hash.startswith(text):
                found.append((path, card, arrays))
        if len(found) == 1:
            return found[0]
        if refused and not found:
            raise refused[0]
        raise self._unclear(text, [path for path, _, _ in found])

    def _unclear(self, text: str, found: "Sequence[Path]") -> InputError:
        """Say that no model or more than one is meant."""
        if not found and Path(text).is_file():
            return InputError(
                f"{text} is a file, no model of this folder",
                str(self.folder),
                f"take it over with `tuban model add {text}`, then use the name it has there",
            )
        files = self._files()
        known = ", ".join(p.stem for p in (found or files)) or "none"
        return InputError(
            f"{len(found) or 'no'} models are called {text!r}; there: {known}",
            str(self.folder),
            "name one of these, with its hash" if files else "train one with `tuban model train`",
        )

    def use(self, text: str) -> ModelCard:
        """Choose a model for later runs that ask for the one in use; return its card."""
        card = self._found(text)[1]
        chosen = self.chosen() | {card.kind: card.hash}
        with atomic_path(self.folder / IN_USE) as part:
            part.write_text(json.dumps(chosen, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return card

    def in_use(self, kind: ModelKind) -> Path | None:
        """Return the file of the model in use of a kind; None where none was chosen.

        Raises
        ------
        InputError
            If the one that was chosen is no longer there, or its file is refused.
        """
        chosen = self.chosen().get(kind)
        if chosen is None:
            return None
        digits = chosen[:8]
        if not any(p.stem.rpartition("-")[2] == digits for p in self._files()):
            raise self._gone(kind, chosen)
        path, card, _ = self._of_hash(chosen)
        if card.kind != kind:
            raise self._gone(kind, chosen)
        return path

    def used(self) -> "tuple[set[Path], Sequence[InputError]]":
        """Return the files that runs take as the ones in use, and why others cannot be taken."""
        paths, faults = set(), []
        for kind in sorted(self.chosen()):
            try:
                path = self.in_use(cast("ModelKind", kind))
            except InputError as error:
                faults.append(error)
                continue
            paths |= {path} if path is not None else set()
        return paths, faults

    def _gone(self, kind: str, chosen: str) -> InputError:
        return InputError(
            f"the {kind} model in use, {chosen[:8]}, is not there any more",
            str(self.folder / IN_USE),
            "choose another with `tuban model use NAME`, or bring its file back with "
            "`tuban model add FILE`",
        )

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
        if text.endswith(MODEL_SUFFIX):
            path, (card, arrays) = Path(text), open_model(Path(text))
        elif text == "in-use":
            used = self.in_use(kind)
            if used is None:
                raise InputError(
                    f"no {kind} model is in use",
                    str(self.folder),
                    "choose one with `tuban model use NAME` (--registry names its folder), or name "
                    "the folder where one is in use: `models:` in the config, or TUBAN_MODELS",
                )
            path, (card, arrays) = used, _opened(used)
        else:
            path, card, arrays = self._found(text)
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
        target = path / source.name if path.is_dir() else path
        if target.suffix != MODEL_SUFFIX:
            raise InputError(
                f"a model file ends with {MODEL_SUFFIX}",
                str(target),
                f"name it {target.name}{MODEL_SUFFIX}, or give a folder that is there",
            )
        return _copied(source, target)

    def add(self, path: Path) -> Path:
        """Take over a model file from elsewhere; return where it lies now."""
        card = open_model(path)[0]
        target = self.folder / card.file_name
        if target.is_file() and _opened(target)[0].hash == card.hash:
            return target
        return _copied(path, target)

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


def _opened(path: Path) -> tuple[ModelCard, dict[str, NDArray[Any]]]:
    """Open a file of the folder; refuse it unless it is called like the model in it."""
    card, arrays = open_model(path)
    if path.name != card.file_name:
        raise InputError(
            f"the file is called {path.stem} and holds the model {card.label}",
            str(path),
            f"delete it, or rename it to {card.file_name}",
        )
    return card, arrays


def _copied(source: Path, target: Path) -> Path:
    data = source.read_bytes()
    if target.exists() and target.read_bytes() != data:
        raise InputError(
            "another file stands there", str(target), "name a path that is free, or a folder"
        )
    with atomic_path(target) as part:
        part.write_bytes(data)
    return target
