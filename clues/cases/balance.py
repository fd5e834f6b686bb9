"""Areas of a case in whole dm², and whether they balance: illegal = rectified + remaining."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

__all__ = ["Areas"]

WAYS = ("demolished", "papers", "confiscated")


@dataclass(frozen=True)
class Areas:
    """What a case speaks of, each in dm² (0.01 m²).

    Attributes
    ----------
    illegal : int or None
        None until somebody told it.
    demolished, papers, confiscated : int
        Ways in which it was put right.

    Examples
    --------
    >>> areas = Areas(500, demolished=300)
    >>> areas.rectified, areas.remaining
    (300, 200)
    """

    illegal: int | None = None
    demolished: int = 0
    papers: int = 0
    confiscated: int = 0

    @property
    def rectified(self) -> int:
        """What was put right in any way."""
        return self.demolished + self.papers + self.confiscated

    @property
    def remaining(self) -> int:
        """What is still to be put right; negative where too much was told."""
        return (self.illegal or 0) - self.rectified

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Areas":
        """Read areas as a case keeps them."""
        return cls(kept.get("illegal"), *(int(kept.get(way) or 0) for way in WAYS))

    def told(self, form: Mapping[str, Any]) -> "Areas":
        """Return areas with what a form tells of them (``illegal_dm2``, …)."""
        names = ("illegal", *WAYS)
        return replace(self, **{n: form[f"{n}_dm2"] for n in names if f"{n}_dm2" in form})

    def kept(self) -> dict[str, int]:
        """Return what a case keeps: nothing until the illegal area is known."""
        if self.illegal is None:
            return {}
        return asdict(self) | {"rectified": self.rectified, "remaining": self.remaining}
