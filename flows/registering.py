"""Entering a judged run into its clue store: the step that gives clues their numbers."""

import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clues.outputs.earlier import EarlierClue
from clues.outputs.tables import ClueTables
from clues.store.answers import is_untouched, present_state
from clues.store.inserting import LayerRecord, RunRecord
from clues.store.lineage import Period, held_before, keep_fates
from clues.store.repository import Store
from clues.store.verdicts import clue_batches
from configs.errors import InputError, StoreAway, StoreError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    import geopandas as gpd
    import pandas as pd

    from clues.objects import Fates

__all__ = [
    "STORE_NAME",
    "Registration",
    "earlier_clues",
    "has_store",
    "keeps_register",
    "numbered",
    "open_register",
    "register_of",
    "register_run",
    "require_register",
    "run_verdicts",
    "store_name",
    "store_of",
]

STORE_NAME = "clues.sqlite"


class Registration:
    """The register that a run is entered into, with what became of its objects.

    Parameters
    ----------
    place : str
        ``register`` of the config.
    period : Period
    fates : Fates
    digest : str
        Of what the register held when the run was judged, see `clues.store.lineage.Held`.
    """

    def __init__(self, place: str, period: Period, fates: "Fates", digest: str) -> None:
        self.place, self.period, self.fates, self.digest = place, period, fates, digest

    def require_same(self, connection: Any) -> None:
        """Raise `StoreError` where another run changed what this one was judged by."""
        if held_before(connection, self.period).digest != self.digest:
            raise StoreError(
                "another run was entered into the register since this one was judged",
                self.place.rpartition("@")[2],
                "run the same command again: what depends on it is made anew",
            )

    def enter(self, tables: ClueTables) -> "Callable[[Any, int, dict[str, int]], None]":
        """Return what enters the fates beside the patches of a run."""
        patches = tables.patches
        ids = patches["patch_id"]
        kind, former, now = (
            {p: v if isinstance(v, str) else "" for p, v in zip(ids, patches[n], strict=True)}
            for n in ("change_type", "from_cover", "to_cover")
        )
        ends = dict(zip(patches["object_id"], patches["limitation_until"], strict=True))
        ends = {k: v if hasattr(v, "year") and v == v else None for k, v in ends.items()}

        def entered(connection: Any, run_id: int, keys: dict[str, int]) -> None:
            told = {p: (key, (kind[p], former[p], now[p])) for p, key in keys.items()}
            keep_fates(connection, run_id, self.fates.rows, told, ends)

        return entered


def register_run(
    folder: Path,
    tables: ClueTables,
    *,
    key: str,
    crs: str,
    rule_set: str,
    rule_set_version: str,
    layers: "Sequence[Mapping[str, Any]]",
    config: "Mapping[str, Any]",
    register: Registration | None = None,
    held: "Callable[[], None] | None" = None,
    ahead: "Callable[[ClueTables], None] | None" = None,
) -> ClueTables:
    """Enter a judged run into its store; registering it again changes nothing.

    Parameters
    ----------
    folder : Path
        Run folder; its store is made when missing.
    tables : ClueTables
        Judged tables; ``clue_no`` need not be there.
    key : str
        Names the judgement.
    crs : str
        CRS of the geometries.
    rule_set, rule_set_version : str
    layers : sequence of mapping
        As `flows.judging.layer_records` gives them.
    config : mapping
        Frozen config as JSON values.
    register : Registration, optional
        Where the run goes instead of a store of its own.
    held : callable, optional
        Raises where the run folder belongs to another operator by now: then nothing is entered.
    ahead : callable, optional
        Given what is going to be returned before most of the run is entered, which may yet fail;
        not called where people have filled in something, or there is a register.

    Returns
    -------
    ClueTables
        With ``clue_no``, empty for dismissed patches, and what people filled in so far.

    Raises
    ------
    StoreError
        If the store refuses, or another run changed the register since this one was judged.
    """
    title = tables.title
    names = ("role", "name", "version", "features", "complete")
    record = RunRecord(
        run_key=key,
        name=title.run_name,
        county_code=title.county_code,
        county_name=title.county_name,
        grid_crs=crs,
        year=title.year,
        quarter=title.quarter,
        rule_set=rule_set,
        rule_set_version=rule_set_version,
        config=dict(config),
        versions=dict(title.versions),
        layers=tuple(LayerRecord(crs=crs, **{n: r[n] for n in names}) for r in layers),
        period=(register.period.before, register.period.after) if register else None,
    )
    store = (
        open_register(register.place, title.run_name) if register else Store.at(folder / STORE_NAME)
    )
    try:
        numbers = store.register(
            record,
            tables.patches,
            tables.finding_batches(),
            tables.leads,
            before=register.require_same if register else None,
            numbered=None if register else partial(_tell_ahead, tables, ahead),
            beside=_entered(register.enter(tables) if register else None, held),
        )
        filled, mark = present_state(store)
        patches = numbered(tables.patches, _told(tables, numbers), clue_batches(store))
        earlier = earlier_clues(store, tables, register.fates) if register else ()
    finally:
        store.close()
    return replace(tables, patches=patches, filled=filled, mark=mark, earlier=earlier)


def _tell_ahead(
    tables: ClueTables,
    ahead: "Callable[[ClueTables], None] | None",
    connection: Any,
    numbers: dict[str, str],
) -> None:
    """Hand tables over with their clue numbers where the store has nothing to add to them."""
    if ahead is not None and is_untouched(connection):
        ahead(replace(tables, patches=numbered(tables.patches, _told(tables, numbers), {})))


def _told(tables: ClueTables, numbers: "Mapping[str, str]") -> list[str]:
    """Return the number of each patch, empty where it is no clue."""
    return [numbers.get(p, "") for p in tables.patches["patch_id"]]


SHOWN = (
    *("clue_no", "status", "fate", "is_observed", "area_dm2", "lon", "lat"),
    *("first_seen", "limitation_until", "run", "object_id"),
)
"""What the sheet of earlier clues shows as the register tells it."""


def earlier_clues(store: Store, tables: ClueTables, fates: "Fates") -> tuple[EarlierClue, ...]:
    """Return the clues of a register that wait for an answer and that a run does not list.

    Parameters
    ----------
    store : Store
    tables : ClueTables
        Of the run.
    fates : Fates
        Of its period: what lies on its ground.
    """
    from clues.store.register import registered_clues

    own = set(tables.clues["object_id"])
    with store.engine.connect() as connection:
        clues = registered_clues(connection)
    return tuple(
        EarlierClue(
            batch=c.batch.name if c.batch else "",
            issue_date=c.batch.issue_date if c.batch else None,
            due_date=c.batch.due_date if c.batch else None,
            **{name: getattr(c, name) for name in SHOWN},
        )
        for c in clues
        if c.status in ("open", "issued") and c.object_id in fates.by_object
        if c.object_id not in own
    )


def _entered(
    enter: "Callable[[Any, int, dict[str, int]], None] | None", held: "Callable[[], None] | None"
) -> "Callable[[Any, int, dict[str, int]], None]":
    """Return what ends the transaction of a run: its fates, and a look whether it may still."""

    def entered(connection: Any, run_id: int, keys: dict[str, int]) -> None:
        if enter is not None:
            enter(connection, run_id, keys)
        if held is not None:
            held()

    return entered


def numbered(
    patches: "gpd.GeoDataFrame",
    numbers: list[str],
    issued: "Mapping[str, tuple[str, dt.date, dt.date]]",
) -> "gpd.GeoDataFrame":
    """Return patches with their clue numbers, and the batches in which those were issued."""
    found = [issued.get(number, ("", None, None)) for number in numbers]
    columns = {
        name: np.array([batch[i] for batch in found], dtype=object)
        for i, name in enumerate(("issue_batch", "issue_date", "due_date"))
    }
    return patches.assign(clue_no=numbers, **columns)


def open_register(place: str, scope: str | None = None) -> Store:
    """Open a register: a SQLite file, which is made when missing, or a database by its URL.

    Raises
    ------
    StoreAway
        If it cannot be reached. A missing folder is not made: a disk or share that is away would
        leave the run with an empty register of its own.
    """
    if "://" in place:
        return Store.at(place, scope)
    _require_folder(Path(place))
    return Store.at(Path(place), scope)


def require_register(place: str) -> str:
    """Raise where a run could not be entered into a register; return its place. Writes nothing.

    Raises
    ------
    StoreError
        If it is no register, or one of a later version.
    StoreAway
        If it cannot be reached or written.
    """
    if "://" not in place:
        path = Path(place)
        _require_folder(path)
        if not os.access(path if path.is_file() else path.parent, os.W_OK):
            raise StoreAway(
                "the register cannot be written",
                place,
                "let the user who works the run write into the file and its folder",
            )
        if not path.is_file():
            return place
    store = Store(place if "://" in place else f"sqlite:///{place}")
    try:
        store.look()
        return store.place
    finally:
        store.engine.dispose()


def _require_folder(file: Path) -> None:
    if not file.parent.is_dir():
        raise StoreAway(
            "the folder of the register is not there",
            str(file),
            "connect the disk or share that holds it (or make the folder for a new register), "
            "then run the same command again: it goes on from here",
        )


def register_of(folder: Path) -> str | None:
    """Return the register that the last start of a run, or a judgement without images, names."""
    from flows.manifest import MANIFEST_NAME, Run

    if not (folder / MANIFEST_NAME).is_file():
        told = _summary(folder).get("register")
        return str(told) if told else None
    starts = [n for n in Run.open(folder).notes if n["kind"] == "start"]
    found = starts[-1]["config"].get("register") if starts else None
    return str(found) if found else None


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def keeps_register(folder: Path) -> bool:
    """Tell whether the clues of a run are in a register."""
    return register_of(folder) is not None


def store_name(folder: Path) -> str:
    """Return the name of the store of a run, for people."""
    place = register_of(folder)
    return STORE_NAME if place is None else place.rpartition("/")[2]


def run_verdicts(folder: Path) -> "pd.DataFrame":
    """Return the verdicts on the patches of a run, see `clues.verdicts.read_verdicts`."""
    from clues.verdicts import verdicts_of

    store = store_of(folder)
    try:
        return verdicts_of(store)
    finally:
        store.close()


def has_store(folder: Path) -> bool:
    """Tell whether the clues of a run folder are in a store, its own or a register."""
    place = register_of(folder)
    if place is None:
        return (folder / STORE_NAME).is_file()
    return "://" in place or Path(place).is_file()


def store_of(folder: Path) -> Store:
    """Open the store that the clues of a run are in: the register of its config, or its own.

    Of a register it tells the clues of that run only.

    Raises
    ------
    InputError
        If there is none.
    """
    folder = folder.resolve()
    if not has_store(folder):
        raise InputError(
            "the run has no clue store", register_of(folder) or str(folder), "run it again first"
        )
    place = register_of(folder)
    if place is None:
        return Store.at(folder / STORE_NAME)
    return open_register(place, str(_summary(folder).get("register_run") or folder.name))
