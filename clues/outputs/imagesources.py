"""Which images a clue was seen in: the scenes of both dates, by where they lie."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import shapely

from clues.outputs.columns import Row
from configs.errors import InputError

__all__ = ["ImageSource", "images_in", "images_text"]

DATES = ("before", "after")
MOST_TEXT, MOST_POINTS = 300, 1000
"""Characters of a name and corners of an outline that a stranger may hand in."""


@dataclass(frozen=True)
class ImageSource:
    """One scene of a date.

    Attributes
    ----------
    date : {"before", "after"}
    sensor : str
        Its name for people.
    scene : str
        Its own name.
    outline : tuple of (float, float)
        Corners, longitude and latitude on CGCS2000; empty where the scene has no place.
    """

    date: str
    sensor: str
    scene: str
    outline: tuple[tuple[float, float], ...]

    @property
    def text(self) -> str:
        """What stands in a cell."""
        return f"{self.sensor} {self.scene}".strip()

    @property
    def record(self) -> dict[str, Any]:
        """As ``run.json`` and manifests hold it."""
        return asdict(self)

    @cached_property
    def _ground(self) -> Any:
        return shapely.Polygon(self.outline)

    def shows(self, lon: float, lat: float) -> bool:
        """Tell whether the scene covers a place; one without outline may."""
        return not self.outline or bool(shapely.intersects_xy(self._ground, lon, lat))


def images_text(row: Row, date: str) -> str:
    """Return the scenes of a date that cover the centre of a clue, one to a line.

    They stand in the order in which they are used: the first usable pixel counts.
    """
    images = row.title.images if row.title else ()
    lon, lat = float(row.patch["lon"]), float(row.patch["lat"])
    return "\n".join(i.text for i in images if i.date == date and i.shows(lon, lat))


def images_in(records: Iterable[Mapping[str, Any]], where: str) -> tuple[ImageSource, ...]:
    """Return images as they were recorded.

    Raises
    ------
    InputError
        If a record is none.
    """
    found = []
    for record in records:
        try:
            points = tuple((float(x), float(y)) for x, y in record["outline"])
            image = ImageSource(record["date"], record["sensor"], record["scene"], points)
        except (LookupError, TypeError, ValueError) as error:
            raise _broken(where, repr(error)) from error
        texts = (image.sensor, image.scene)
        plain = all(isinstance(t, str) and len(t) <= MOST_TEXT for t in texts)
        finite = all(math.isfinite(v) for point in points for v in point)
        few = len(points) == 0 or 3 <= len(points) <= MOST_POINTS
        if not (plain and finite and few) or image.date not in DATES:
            raise _broken(where, "date, name or outline")
        found.append(image)
    return tuple(found)


def _broken(where: str, what: str) -> InputError:
    return InputError(
        f"an image is told wrongly ({what[:100]})", where, "have it written anew by a finished run"
    )
