"""Areas for people: whole dm² in, square metres, mu and hectares out, rounded half up.

Areas are kept as whole square decimetres (0.01 m²) and turned into other units only here, from
the unrounded value, never from a rounded one.
"""

from decimal import ROUND_HALF_UP, Decimal

__all__ = ["hectares", "metres2", "mu", "percent"]

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
