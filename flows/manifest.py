"""The run folder and its manifest: what was made, from what, and what may be reused."""

import datetime as dt
import logging
import os
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from configs.errors import RunError
from flows.journal import Journal
from flows.keys import StageKey, reuse_text
from flows.lock import RunLock
from flows.products import FileRecord, Product
from tiles.files import PART_MARK, fenced, write_json

__all__ = ["Run"]

log = logging.getLogger(__name__)

MANIFEST_NAME = "manifest.jsonl"
SUMMARY_NAME = "run.json"
FORMAT = 1
"""Of run folders, noted at each start; a folder without it is of format 1."""

_ACTIVE: dict[Path, "Run"] = {}


class Run:
    """A run folder, open for reading or (with the lock) for writing.

    A product counts once its line is in the append-only manifest; its files were renamed into
    place before. A writing run is a context manager that gives its lock back.

    Attributes
    ----------
    folder : Path
    notes : list of dict
        Events in order: starts, stage records, retries, failures.
    pruned : set of str
        Files of products that were removed because they can be made again.
    """

    def __init__(self, folder: Path, lock: RunLock | None = None) -> None:
        self.folder = folder
        self.notes: list[dict[str, Any]] = []
        self.pruned: set[str] = set()
        self.lock = lock
        self._named: set[str] = set()
        self._products: dict[tuple[str, str], Product] = {}
        self._keys: dict[str, dict[str, Any]] = {}
        self._dropped: set[tuple[str, str]] = set()
        self._tally: dict[str, Counter[str]] = {}
        self._writing = threading.Lock()
        self._fence = ExitStack()
        self._journal = Journal(folder / MANIFEST_NAME)
        for line in self._journal.lines:
            self._take(line)
        if bad := self.damaged:
            log.warning("%s: lines %s are damaged and ignored", self._journal.path, bad)
        newest = max((n.get("format", 1) for n in self.notes if n["kind"] == "start"), default=1)
        if newest > FORMAT:
            raise RunError(
                f"the run folder is of format {newest}; this version reads up to {FORMAT}",
                str(folder),
                "use the version of tuban that wrote it or a later one, or another --out folder",
            )

    @classmethod
    def create(
        cls, config: Mapping[str, Any], key8: str, out: Path, name: str, *, fresh: bool = False
    ) -> "Run":
        """Open ``<out>/<name>-<key8>/`` for writing; make it when it is missing.

        Parameters
        ----------
        config : mapping
            The frozen config as JSON values; noted in the manifest with this start.
        key8 : str
            Eight digits that tell apart runs of one name.
        out : Path
            Folder of all runs.
        name : str
            Name of the run.
        fresh : bool
            Reuse nothing that is there.

        Raises
        ------
        RunLocked
            If a living process writes into the folder.
        """
        folder = out / f"{name}-{key8[:8]}"
        folder.mkdir(parents=True, exist_ok=True)
        run = cls._locked(folder.resolve())
        if fresh:
            run.note("fresh")
            run._drop_all()
        told = {"name": name, "config": dict(config), "pid": os.getpid(), "format": FORMAT}
        run.note("start", **told, damaged=run.damaged)  # what these told of is made anew
        return run

    @classmethod
    def open(cls, folder: Path, *, write: bool = False) -> "Run":
        """Open the folder of an earlier run.

        Raises
        ------
        RunError
            If the folder holds no manifest.
        RunLocked
            If it is to be written and a living process does so already.
        """
        if not (folder / MANIFEST_NAME).is_file():
            raise RunError(
                f"there is no {MANIFEST_NAME}",
                str(folder),
                "name the folder of a run, runs/<name>-<key>; `tuban run` makes one",
            )
        return cls._locked(folder.resolve()) if write else cls(folder.resolve())

    @classmethod
    def active(cls, folder: Path) -> "Run":
        """Return the run that this process has open for writing (for steps that get a path)."""
        run = _ACTIVE.get(folder.resolve())
        if run is None:
            raise RunError("this process does not hold the run", str(folder), "open it to write")
        return run

    @classmethod
    def _locked(cls, folder: Path) -> "Run":
        lock = RunLock(folder).acquire()
        try:
            run = cls(folder, lock)
            run._remove_unfinished()
            if lock.took_over:
                run.note("takeover", text=lock.took_over)
        except BaseException:
            lock.release()
            raise
        _ACTIVE[folder] = run
        run._fence.enter_context(fenced(lock.fences))
        return run

    def close(self) -> None:
        """Give the lock back; the run can still be read."""
        _ACTIVE.pop(self.folder, None)
        self._fence.close()
        if self.lock is not None:
            self.lock.release()
            self.lock = None

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def require_held(self) -> None:
        """Raise `RunError` where this process may no longer write."""
        if self.lock is None:
            raise RunError(
                "the run is open for reading only", str(self.folder), "open it with write=True"
            )
        self.lock.require_held()

    def path(self, *parts: str) -> Path:
        """Return a path in the run folder; write there through `tiles.files.atomic_path`."""
        return self.folder.joinpath(*parts)

    def put(
        self,
        stage: str,
        name: str,
        key: StageKey,
        *,
        files: Iterable[Path] = (),
        values: Mapping[str, Any] | None = None,
        seconds: float = 0.0,
    ) -> Product:
        """Record a product; its files lie whole in the run folder already.

        Parameters
        ----------
        stage, name : str
        key : StageKey
        files : iterable of Path
            Inside the run folder; hashed here.
        values : mapping, optional
            JSON values.
        seconds : float
            Wall time of making it.
        """
        records = tuple(FileRecord.of(path, self.folder) for path in files)
        digest, told = key.digest, dict(values or {})
        product = Product(stage, name, digest, records, told, round(seconds, 3), _now())
        with self._writing:
            if digest not in self._keys:
                self._append({"kind": "key", "digest": digest, "parts": key.parts})
                self._keys[digest] = key.parts
            self._append({"kind": "product", **asdict(product)})
            self._keep(product)
        return product

    def note(self, kind: str, **values: Any) -> None:
        """Append an event (stage record, retry, failure …) to the manifest."""
        line = {"kind": kind, "at": _now(), **values}
        with self._writing:
            self._append(line)
            self._noted(line)

    def write_summary(self, summary: Mapping[str, Any]) -> Path:
        """Write ``run.json``, whole; return its path."""
        write_json(self.path(SUMMARY_NAME), summary, plain=str)
        return self.path(SUMMARY_NAME)

    def reuse(
        self, stage: str, name: str, key: StageKey, *, pruned: bool = False
    ) -> Product | None:
        """Return the product if it was made from the same things and its files are intact.

        Parameters
        ----------
        stage, name : str
        key : StageKey
        pruned : bool
            Whether files may be missing that were pruned: nothing is going to read them.
        """
        reason = self.why_not(stage, name, key, pruned=pruned)
        self._tally.setdefault(stage, Counter())[reason or ""] += 1
        return self._products[stage, name] if reason is None else None

    def why_not(self, stage: str, name: str, key: StageKey, *, pruned: bool = False) -> str | None:
        """Return why a product cannot be reused; None if it can (see `reuse`)."""
        product = self._products.get((stage, name))
        if product is None:
            return "a fresh start was asked" if (stage, name) in self._dropped else "not made yet"
        if product.key != key.digest:
            old = self._keys.get(product.key)
            return "its key is not known" if old is None else key.difference(old)
        gone = self.pruned if pruned else set()
        files = (r for r in product.files if r.path not in gone)
        return next((why for r in files if (why := self._fault(r))), None)

    def reuse_message(self, stage: str, keys: Mapping[str, StageKey] | None = None) -> str:
        """Say what is reused of a stage, and why the rest is made, on one line.

        Parameters
        ----------
        stage : str
        keys : mapping of str to StageKey, optional
            Products that are wanted, and under which key; by default what `reuse` was asked.
        """
        if keys is None:
            tally = self.tally(stage)
        else:
            tally = dict(Counter(self.why_not(stage, n, key) or "" for n, key in keys.items()))
        return reuse_text(stage, tally)

    def products(self, stage: str | None = None) -> list[Product]:
        """Return the latest products, of one stage or all, sorted by stage and name."""
        return [p for (s, _), p in sorted(self._products.items()) if stage in (None, s)]

    def made_from(self, product: Product) -> dict[str, Any]:
        """Return what a product depends on, by name: the parts of its key."""
        return dict(self._keys.get(product.key, {}))

    def faults(self) -> list[str]:
        """Hash every file of every product; return what is missing, altered or damaged."""
        found = [f"{MANIFEST_NAME}, line {n} is damaged" for n in self.damaged]
        for product in self.products():
            kept = (record for record in product.files if record.path not in self.pruned)
            found += [why for r in kept if (why := self._fault(r, thorough=True))]
        return found

    def is_whole(self, product: Product) -> bool:
        """Tell whether all files of a product are there, as they were made."""
        return not any(self._fault(record) for record in product.files)

    def tally(self, stage: str) -> dict[str, int]:
        """Return how often `reuse` gave each reason for a stage; "" where it reused."""
        return dict(self._tally.get(stage, {}))

    @property
    def damaged(self) -> list[int]:
        """Lines of the manifest that were altered since the last start."""
        known = {n for note in self.notes for n in note.get("damaged", ())}
        return [n for n in self._journal.damaged if n not in known]

    @property
    def left_over(self) -> set[str]:
        """Files that earlier products had and no present one has."""
        present = {record.path for p in self._products.values() for record in p.files}
        return self._named - present

    def _fault(self, record: FileRecord, *, thorough: bool = False) -> str | None:
        if record.path in self.pruned and not self.path(record.path).exists():
            return f"file {record.path} was pruned"
        return record.fault(self.folder, thorough=thorough)

    def _append(self, line: dict[str, Any]) -> None:
        self.require_held()
        self._journal.append(line)

    def _take(self, line: dict[str, Any]) -> None:
        if line["kind"] == "key":
            self._keys[line["digest"]] = line["parts"]
        elif line["kind"] == "product":
            self._keep(Product.of_line(line))
        else:
            self._noted(line)
            if line["kind"] == "fresh":
                self._drop_all()

    def _keep(self, product: Product) -> None:
        paths = {record.path for record in product.files}
        self._products[product.stage, product.name] = product
        self._named |= paths
        self.pruned -= paths

    def _noted(self, line: dict[str, Any]) -> None:
        self.notes.append(line)
        if line["kind"] == "pruned":
            self.pruned |= set(line["files"])

    def _drop_all(self) -> None:
        self._dropped = set(self._products)
        self._products.clear()

    def _remove_unfinished(self) -> None:
        for path in (left := sorted(p for p in self.folder.rglob(f"{PART_MARK}*") if p.is_file())):
            path.unlink(missing_ok=True)
        if left:
            log.info("removed %d unfinished files of an interrupted run", len(left))


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
