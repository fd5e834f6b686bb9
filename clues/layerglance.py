"""A look at layers before a run: whether they can be read, how many rows, how many are faulty.

Everything that would refuse a layer is found; outlines are neither brought to the CRS of the run
nor to its precision, and not compared with each other, which takes most of the time of reading.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import shapely

from clues.layerrows import chosen_of, parsed_rows, source_of
from clues.layers import with_versions
from configs.layers import LayersFile, LayerSpec, role_fields

__all__ = ["LayerGlance", "glance_at", "glance_at_file"]


@dataclass(frozen=True)
class LayerGlance:
    """What a look at all sources of a role found.

    Attributes
    ----------
    role : str
    rows : int
        With an outline.
    problems : int
        Values that cannot be read or mean nothing known, outlines that are missing or broken.
    """

    role: str
    rows: int
    problems: int


def glance_at_file(path: Path) -> list[LayerGlance]:
    """Look at the layers of a layers file, by role in order of their names.

    Raises
    ------
    ConfigError
        If the layers file breaks its contract.
    LayerError
        If a layer would be refused.
    """
    file = with_versions(LayersFile.load(path))
    names = sorted({spec.role for spec in file.layers})
    return [glance_at(spec for spec in file.layers if spec.role == name) for name in names]


def glance_at(specs: Iterable[LayerSpec]) -> LayerGlance:
    """Look at the sources of one role, at least one.

    Raises
    ------
    LayerError
        If one would be refused.
    """
    rows = problems = 0
    for spec in specs:
        source = source_of(spec)
        table, report = parsed_rows(spec, source, role_fields(spec.role))
        table, found = chosen_of(spec, source, table, report)
        shapes = source.geometry.to_numpy()[table["row"].to_numpy() - 1]
        drawn = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
        rows += int(drawn.sum())
        problems += len(found) + int((~drawn | ~shapely.is_valid(shapes)).sum())
    return LayerGlance(spec.role, rows, problems)
