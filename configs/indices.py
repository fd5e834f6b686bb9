"""The catalogue of spectral indices: names, formulas, sources, and what their letters mean.

A new index is three lines in ``configs/indices/*.yaml``.
"""

import difflib
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Self

from pydantic import Field, model_validator

from configs.errors import InputError
from configs.formulas import formula_names, parse_formula
from configs.loading import StrictModel, available, load_preset

__all__ = ["BandRange", "SpectralIndex", "index_catalogue", "quantities", "spectral_index"]


class BandRange(StrictModel):
    """What a letter for a band means."""

    title: str
    title_zh: str
    wavelength_um: tuple[float, float] | None = Field(
        None, description="from, to; without it the band is found by its name"
    )
    unit: Literal["reflectance", "kelvin", "backscatter"] = "reflectance"


class IndexConstant(StrictModel):
    """A constant of formulas."""

    title: str
    default: float | None = None


class Quantities(StrictModel):
    """Everything a formula may name."""

    bands: dict[str, BandRange]
    constants: dict[str, IndexConstant]
    wavelengths: dict[str, str] = Field(description="names for the middle of a band in nm")
    derived: dict[str, str] = Field(description="names for formulas")


class IndexEntry(StrictModel):
    """One index of a catalogue file."""

    title: str
    formula: str
    reference: str = Field(description="where the index was published")

    @model_validator(mode="after")
    def _known(self) -> Self:
        known = quantities()
        names = formula_names(parse_formula(self.formula, known.derived))
        for name in names:
            if not any(name in part for part in (known.bands, known.constants, known.wavelengths)):
                raise ValueError(f"formula names {name!r}, which is no band and no constant")
        return self


class IndexFile(StrictModel):
    """A file of the catalogue; its name is the domain."""

    indices: dict[str, IndexEntry]


@dataclass(frozen=True)
class SpectralIndex:
    """An index.

    Attributes
    ----------
    name, title, domain, formula, reference : str
    bands : tuple of str
        Letters of the bands it needs, in the order of the spectrum.
    constants : tuple of str
        Constants it uses, wavelengths among them.
    """

    name: str
    title: str
    domain: str
    formula: str
    reference: str
    bands: tuple[str, ...]
    constants: tuple[str, ...]


@lru_cache(maxsize=1)
def quantities() -> Quantities:
    """Return the letters and constants of formulas."""
    return load_preset(Quantities, "vocabularies", "spectral")


@lru_cache(maxsize=1)
def index_catalogue() -> dict[str, SpectralIndex]:
    """Return all indices by name, sorted as people sort names."""
    found = {}
    for domain in available("indices"):
        for name, entry in load_preset(IndexFile, "indices", domain).indices.items():
            found[name] = _index(name, domain, entry)
    return {name: found[name] for name in sorted(found, key=lambda n: (n.lower(), n))}


def _index(name: str, domain: str, entry: IndexEntry) -> SpectralIndex:
    known = quantities()
    names = set(formula_names(parse_formula(entry.formula, known.derived)))
    names |= {known.wavelengths[n] for n in names & set(known.wavelengths)}
    bands = tuple(letter for letter in known.bands if letter in names)
    constants = tuple(sorted(names - set(bands)))
    return SpectralIndex(
        name, entry.title, domain, entry.formula, entry.reference, bands, constants
    )


def spectral_index(name: str) -> SpectralIndex:
    """Return an index by name; capitals matter only where two names differ by them alone.

    Raises
    ------
    InputError
        If there is no such index.
    """
    catalogue = index_catalogue()
    if name in catalogue:
        return catalogue[name]
    same = [n for n in catalogue if n.lower() == name.lower()]
    if len(same) == 1:
        return catalogue[same[0]]
    upper = {n.upper(): n for n in catalogue}
    near = same or [upper[n] for n in difflib.get_close_matches(name.upper(), upper, n=3)]
    raise InputError(
        f"there is no index named {name!r}",
        "name of the index",
        f"did you mean {' or '.join(near)}? " * bool(near) + "`tuban indices list` prints them all",
    )
