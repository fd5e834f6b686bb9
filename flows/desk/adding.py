"""``tuban desk add``: a finished run into the store of a desk, with its images and layers."""

import hashlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.store.images import images, keep_images
from configs.errors import InputError, StoreError
from configs.told import Told
from flows.desk.images import display_images, drop_old_images
from flows.desk.layers import layers_around
from flows.desk.place import DeskPlace
from flows.finished import finished_tables, run_summary
from flows.registering import keeps_register, store_of
from tiles.files import atomic_path, write_json

if TYPE_CHECKING:
    from clues.outputs.tables import ClueTables
    from clues.store.images import ImageRow
    from clues.store.repository import Store
    from flows.desk.layers import LayerGround

__all__ = ["RUNS", "AddedRun", "add_run"]

RUNS = "runs"
"""Folder of judged tables inside the folder of the desk: exports need no run folder."""

ORIGIN = "origin.json"
KEPT = (
    *("patches.parquet", "findings.parquet", "coverage.parquet", "leads.parquet"),
    *("landclasses.parquet", "indicators.json", "rules.json", "run.json"),
)


@dataclass(frozen=True)
class AddedRun:
    """What `add_run` did.

    Attributes
    ----------
    images, features : int
    notes : tuple of Told
        What the desk lacks of the run, and why.
    is_known : bool
        Whether all of it was there before.
    """

    run: str
    clues: int
    images: int
    features: int
    notes: tuple[Told, ...]
    is_known: bool


def add_run(run: Path, place: DeskPlace, *, by: str, pictures: bool = True) -> AddedRun:
    """Bring a finished run into a desk; bringing it again changes nothing.

    Registration, images, layer features and the event that tells of them are one transaction.

    Parameters
    ----------
    run : Path
    place : DeskPlace
    by : str
        Who brings it.
    pictures : bool
        With the images of both dates.

    Raises
    ------
    InputError
        If it is no finished run, or it keeps a register of its own that is not this store.
    StoreError
        If the store has other clues under the numbers of the run.
    """
    run = run.resolve()
    place.open(new=True).close()  # refused before anything is written, not after the images
    summary, tables = run_summary(run), finished_tables(run)
    record = _record(run, summary, tables, place)
    layers, notes = layers_around(summary, tables)
    shown, missing = display_images(run, summary, place.files) if pictures else ([], [])
    _keep_tables(run, summary, place.files / RUNS / run.name)
    mark = _mark(record.run_key, shown, layers)
    store = place.open(new=True)
    try:
        known = _is_known(store, run.name, mark)
        if not known:
            entry = _Entry(run.name, tables, shown, layers, mark, by)
            store.register(
                record, tables.patches, tables.finding_batches(), tables.leads, after=entry
            )
        with store.engine.connect() as connection:
            kept = {row.path for row in images(connection)}
    finally:
        store.close()
    drop_old_images(place.files, kept)
    count = sum(len(layer.features) for layer in layers)
    told = (*missing, *notes)
    return AddedRun(run.name, len(tables.clues), len(shown), count, told, known)


def _record(run: Path, summary: dict[str, Any], tables: "ClueTables", place: DeskPlace) -> Any:
    """Return what the store of a run keeps of it."""
    from clues.store.registered import registered_run

    own = store_of(run)
    try:
        same = _is_same(own, place)
        record = registered_run(own, tables.title, summary["layers"])
    finally:
        own.close()
    if record is None:
        raise InputError(
            "the store does not know a run of this name",
            str(run),
            "give the folder back the name it had when it was run, or run it again",
        )
    if not same and keeps_register(run):
        raise InputError(
            "the run keeps a register, and the desk is to serve another store",
            place.store.rpartition("@")[2],
            f"name the register: --store {own.place}",
        )
    return record


def _is_same(own: "Store", place: DeskPlace) -> bool:
    if "://" in place.store:
        return own.url == place.store or own.place == place.store
    return own.place != "" and Path(own.place).resolve() == Path(place.store)


class _Entry:
    """Enters what else a desk keeps of a run, in the transaction of its registration."""

    def __init__(
        self,
        run: str,
        tables: "ClueTables",
        shown: "list[ImageRow]",
        layers: "list[LayerGround]",
        mark: str,
        by: str,
    ) -> None:
        self.run, self.tables, self.shown, self.layers = run, tables, shown, layers
        self.mark, self.by = mark, by

    def __call__(self, connection: Any, run_id: int, numbers: dict[str, str]) -> None:
        from clues.audit.chain import append
        from clues.store.features import keep_features

        self._require_same_numbers(numbers)
        keep_images(connection, [replace(row, run_id=run_id) for row in self.shown])
        features = {
            layer.named[0]: keep_features(connection, layer.named, layer.ground, layer.features)
            for layer in self.layers
        }
        told = {
            "mark": self.mark,
            "images": {row.image_id: row.fingerprint for row in self.shown},
            "features": features,
            "clues": len(numbers),
        }
        append(connection, who=self.by, what="desk.add", subject=f"run:{self.run}", after=told)

    def _require_same_numbers(self, numbers: dict[str, str]) -> None:
        """Raise where a clue would have another number on the desk than in the ledger."""
        clues = self.tables.clues
        for patch, number in zip(clues["patch_id"], clues["clue_no"], strict=True):
            if numbers.get(str(patch)) != number:
                raise StoreError(
                    f"the clue {number} would have the number {numbers.get(str(patch))} here: the "
                    "store has numbered other clues of the same county and quarter",
                    self.run,
                    "run it again with `register:` naming this store, so that it numbers them",
                )


def _is_known(store: "Store", run: str, mark: str) -> bool:
    from clues.store.events import events_of

    with store.engine.connect() as connection:
        told = [e for e in events_of(connection, subject=f"run:{run}") if e.what == "desk.add"]
    return bool(told) and told[-1].after["mark"] == mark


def _mark(key: str, shown: "list[ImageRow]", layers: "list[LayerGround]") -> str:
    """Return a hash of all that is brought in."""
    digest = hashlib.sha256(key.encode())
    for row in shown:
        digest.update(f"{row.image_id} {row.fingerprint}\n".encode())
    for layer in layers:
        keys = " ".join(feature.key for feature in layer.features)
        digest.update(f"{' '.join(layer.named)} {keys}\n".encode())
    return digest.hexdigest()


def _keep_tables(run: Path, summary: dict[str, Any], folder: Path) -> None:
    """Copy the judged tables, and note where they came from."""
    found = summary.get("inputs", {}).get("layers") or summary.get("config", {}).get("layers")
    layers = str(Path(str(found)).resolve()) if found else None
    for name in KEPT:
        if (run / name).is_file():
            with atomic_path(folder / name) as part:
                shutil.copyfile(run / name, part)
    write_json(folder / ORIGIN, {"folder": str(run), "layers": layers})
