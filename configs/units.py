"""Areas for people: whole dm² in, square metres, mu and hectares out, rounded half up.

Areas are kept as whole square decimetres (0.01 m²) and turned into other units only here, from
the unrounded value, never from a rounded one.
"""

from decimal import ROUND_HALF_UP, Decimal

from configs.layers import SQUARE_METRES

__all__ = ["SCORE_UNIT", "UNIT_NAMES", "area_in", "hectares", "metres2", "mu", "percent"]

SCORE_UNIT = 10_000
"""Whole-number score of a pixel at the strong threshold of change."""

UNIT_NAMES: dict[str, tuple[str, str]] = {
    "m2": ("平方米", "m²"),
    "mu": ("亩", "mu"),
    "ha": ("公顷", "ha"),
    "km2": ("平方公里", "km²"),
    "acre": ("英亩", "acres"),
}
"""Chinese and English name of a unit of area."""

CENT = Decimal("0.01")
DM2_PER_M2 = Decimal(100)
DM2_PER_HA = Decimal(1_000_000)


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


def metres2(area_dm2: int) -> Decimal:
    """Return square metres with two decimals.

    Examples
    --------
    >>> metres2(640000)
    Decimal('6400.00')
    """
    return _rounded(Decimal(int(area_dm2)) / DM2_PER_M2)


def mu(area_dm2: int) -> Decimal:
    """Return mu (1 mu = 2000/3 m²) with two decimals.

    Examples
    --------
    >>> mu(15000)
    Decimal('0.23')
    """
    return _rounded(Decimal(int(area_dm2)) * 3 / 200000)


def area_in(area_dm2: int, unit: str) -> Decimal:
    """Return an area in m2, mu, ha, km2 or acre with two decimals.

    Examples
    --------
    >>> area_in(4046856, "acre")
    Decimal('10.00')
    """
    numerator, denominator = SQUARE_METRES[unit]
    return _rounded(Decimal(int(area_dm2)) * denominator / (DM2_PER_M2 * numerator))


def hectares(area_dm2: int) -> Decimal:
    """Return hectares with two decimals."""
    return _rounded(Decimal(int(area_dm2)) / DM2_PER_HA)


def percent(part_dm2: int, whole_dm2: int) -> Decimal:
    """Return 100 × part / whole with two decimals; 0 for an empty whole.

    Examples
    --------
    >>> percent(360000, 1360000)
    Decimal('26.47')
    """
    if not whole_dm2:
        return Decimal("0.00")
    return _rounded(Decimal(100 * int(part_dm2)) / int(whole_dm2))
