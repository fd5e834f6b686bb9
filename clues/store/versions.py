"""Layer versions in the store: what was in force on a day, as it was known on another."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select

from clues.store import schema
from clues.store.repository import Store
from clues.store.tables import in_utc

__all__ = ["LayerVersion", "add_versions", "choose_version", "layer_versions"]

NAME = "catalogue"
"""Name of a role's layer in a catalogue: it holds one layer per role."""

CIVIL_ZONE = ZoneInfo("Asia/Shanghai")
"""A day on which something was known is a civil day."""


@dataclass(frozen=True)
class LayerVersion:
    """One immutable version of the layer of a role.

    Attributes
    ----------
    version : str
        12 hex digits over content, validity and predecessor.
    content : str
        SHA-256 of the features alone.
    valid_from, valid_to : date or None
        Days on which this version is in force; None is open.
    recorded_at : datetime
        When it was imported, UTC.
    file : str
        GeoPackage, relative to the catalogue's folder.
    parent : str or None
        The version an incremental import added to.
    details : dict
        How the sources were read, their names, what an increment changed.
    """

    role: str
    version: str
    content: str
    crs: str
    features: int
    complete: bool | str
    valid_from: dt.date | None
    valid_to: dt.date | None
    recorded_at: dt.datetime
    file: str
    file_sha256: str
    parent: str | None
    details: dict[str, Any]


FIELDS = tuple(n for n in LayerVersion.__dataclass_fields__ if n != "role")


def layer_versions(store: Store, role: str | None = None) -> list[LayerVersion]:
    """Return the versions of a catalogue, of one role or all, in the order they were recorded."""
    layer, version = schema.layers.c, schema.layer_versions.c
    query = (
        select(layer.role, *(version[n] for n in FIELDS))
        .join(schema.layers, layer.id == version.layer_id)
        .where(layer.name == NAME)
        .order_by(version.id)
    )
    if role is not None:
        query = query.where(layer.role == role)
    with store.engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
    return [LayerVersion(**{name: in_utc(value) for name, value in r.items()}) for r in rows]


def add_versions(store: Store, versions: Sequence[LayerVersion]) -> None:
    """Record versions in one transaction: all of them or none."""
    layer = schema.layers.c
    with store.transaction() as connection:
        for version in versions:
            named = (layer.role == version.role) & (layer.name == NAME)
            key = connection.scalar(select(layer.id).where(named))
            if key is None:
                connection.execute(insert(schema.layers).values(role=version.role, name=NAME))
                key = connection.scalar(select(layer.id).where(named))
            values = {name: getattr(version, name) for name in FIELDS}
            connection.execute(insert(schema.layer_versions).values(layer_id=key, **values))


def choose_version(
    versions: Iterable[LayerVersion], on: dt.date | None, known_on: dt.date | None = None
) -> LayerVersion | None:
    """Return the version in force on a day, as it was known at the end of another day.

    Of the versions that were recorded by then and whose validity holds the day, the one whose
    validity begins last is in force; of several, the one recorded last, which corrects the others.

    Parameters
    ----------
    versions : iterable of LayerVersion
        Of one role, in the order they were recorded.
    on : date or None
        None asks for the state that is valid last.
    known_on : date, optional
        Civil day; none for all that is known now.
    """
    best: LayerVersion | None = None
    for version in versions:
        if known_on and version.recorded_at.astimezone(CIVIL_ZONE).date() > known_on:
            continue
        begins = version.valid_from or dt.date.min
        if on is not None and not begins <= on <= (version.valid_to or dt.date.max):
            continue
        if best is None or begins >= (best.valid_from or dt.date.min):
            best = version
    return best
