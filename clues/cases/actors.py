"""Who does something: name, role and the division they work for."""

from dataclasses import dataclass

__all__ = ["SYSTEM", "Actor"]


@dataclass(frozen=True)
class Actor:
    """Somebody who acts on cases.

    Attributes
    ----------
    name : str
        Of the account.
    role : str
        Such as ``county``; see `configs.cases`.
    division : str
        Digits of the division: 2 province, 4 city, 6 county, 9 or 12 township; "" for all.
    """

    name: str
    role: str
    division: str = ""


SYSTEM = Actor("tuban", "administrator")
"""The program itself, where nobody asked for what it does."""
