"""From the use of the land to its class: how a confirmed change enters the land-use layer."""

from functools import cache

from pydantic import model_validator

from configs.loading import StrictModel, load_preset
from configs.vocabulary import SCHEMES, LandClass, find_use, land_class, land_classes, uses

__all__ = ["ClassAfter", "class_of_use", "told_class"]


class ClassAfter(StrictModel):
    """What a use makes of the ground, and the definition that says so.

    Attributes
    ----------
    code : str or None
        None where several classes could be, or the land keeps its own.
    in_town : str or None
        The class within towns.
    stays : bool
        Whether the land keeps the class it had.
    """

    code: str | None = None
    in_town: str | None = None
    stays: bool = False
    because: str


class _Crosswalk(StrictModel):
    version: int
    towns: dict[str, tuple[str, ...]]
    schemes: dict[str, dict[str, ClassAfter]]

    @model_validator(mode="after")
    def _speaks_of_what_there_is(self) -> "_Crosswalk":
        if set(self.schemes) != set(SCHEMES):
            raise ValueError(f"the schemes are {', '.join(SCHEMES)}")
        for scheme, rows in self.schemes.items():
            if set(rows) != set(uses()):
                differ = sorted(set(rows) ^ set(uses()))
                raise ValueError(f"{scheme}: not the uses of uses.yaml: {', '.join(differ)}")
            codes = {c for row in rows.values() for c in (row.code, row.in_town) if c}
            unknown = sorted(c for c in codes if land_class(scheme, c) is None)
            if unknown:
                raise ValueError(f"{scheme}: there is no class {', '.join(unknown)}")
        return self


@cache
def _crosswalk() -> _Crosswalk:
    return load_preset(_Crosswalk, "vocabularies", "class_of_use")


def class_of_use(use: str, scheme: str, town: str = "") -> ClassAfter | None:
    """Return the land class that a use makes of the ground; None for an unknown use or scheme.

    Parameters
    ----------
    use : str
        Use code.
    scheme : str
        Of the land-use layer.
    town : str
        Town attribute of the parcel (CZCSXM), such as ``203`` or ``203A``.

    Examples
    --------
    >>> class_of_use("rural_road", "sandiao").code, class_of_use("building", "sandiao").code
    ('1006', None)
    >>> class_of_use("dwelling", "sandiao").code, class_of_use("dwelling", "sandiao", "202A").code
    ('0702', '0701')
    """
    file = _crosswalk()
    row = file.schemes.get(scheme, {}).get(use)
    if row is None or row.in_town is None or town[:3] not in file.towns.get(use, ()):
        return row
    return row.model_copy(update={"code": row.in_town})


def told_class(text: str, scheme: str, town: str = "") -> LandClass | None:
    """Return the land class that people named by code or name, or by a word for the use.

    Examples
    --------
    >>> [told_class(t, "sandiao").code for t in ("0508", "工业用地", "厂房")]
    ['0508', '0601', '0601']
    """
    plain = text.strip()
    named = land_class(scheme, plain)
    if named is None and scheme in SCHEMES:
        classes = land_classes(scheme).values()
        named = next((c for c in classes if plain in (c.name_zh, c.name_en)), None)
    if named is not None:
        return named
    use = find_use(text)
    row = class_of_use(use.code, scheme, town) if use else None
    return land_class(scheme, row.code) if row is not None and row.code else None
