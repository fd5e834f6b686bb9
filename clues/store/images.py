"""Display images of runs in the clue store: which there are, where their files lie."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select

from clues.store import schema

__all__ = ["ImageRow", "counties_of_run", "find_image", "images", "keep_images"]


@dataclass(frozen=True)
class ImageRow:
    """One display image.

    Attributes
    ----------
    image_id : str
        Name that clients use.
    run : str
    role : str
        before, after or change.
    path : str
        Relative to the folder of the desk; never told to clients.
    fingerprint : str
        SHA-256 of the file.
    taken_from, taken_to : date or None
        Civil days of its scenes.
    maxzoom : int
        Zoom of a map at which its pixels are shown as they are.
    west, south, east, north : float
        Degrees, WGS84.
    """

    image_id: str
    run_id: int
    run: str
    role: str
    path: str
    fingerprint: str
    taken_from: dt.date | None
    taken_to: dt.date | None
    attribution: str
    maxzoom: int
    west: float
    south: float
    east: float
    north: float

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        return self.west, self.south, self.east, self.north


OWN = tuple(f.name for f in fields(ImageRow) if f.name != "run")
COLUMNS = (*(schema.images.c[name] for name in OWN), schema.runs.c.name.label("run"))


def keep_images(connection: Connection, rows: Iterable[ImageRow]) -> None:
    """Enter display images; those of the same names are replaced."""
    values = [{name: getattr(row, name) for name in OWN} for row in rows]
    if values:
        table = schema.images
        named = table.c.image_id.in_([v["image_id"] for v in values])
        connection.execute(delete(table).where(named))
        connection.execute(insert(table), values)


def find_image(connection: Connection, image_id: str) -> ImageRow | None:
    """Return the image of a name, or None."""
    asked = _asked().where(schema.images.c.image_id == image_id)
    row = connection.execute(asked).mappings().first()
    return None if row is None else ImageRow(**row)


def images(connection: Connection, run: str | None = None) -> list[ImageRow]:
    """Return the images of a run, or of all, by run and name."""
    asked = _asked().order_by(schema.runs.c.name, schema.images.c.image_id)
    if run is not None:
        asked = asked.where(schema.runs.c.name == run)
    return [ImageRow(**row) for row in connection.execute(asked).mappings()]


def counties_of_run(connection: Connection, run_id: int) -> frozenset[str]:
    """Return the counties that a run was worked for: that of its title and those of its patches."""
    patches, runs = schema.patches.c, schema.runs.c
    named = connection.scalars(
        select(patches.county_code).where(patches.run_id == run_id).distinct()
    )
    own = connection.scalars(select(runs.county_code).where(runs.id == run_id))
    return frozenset(str(code) for code in (*named, *own) if code)


def _asked() -> Select[Any]:
    return select(*COLUMNS).join(schema.runs, schema.runs.c.id == schema.images.c.run_id)
