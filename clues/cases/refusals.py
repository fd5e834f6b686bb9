"""Why a step is refused, in both languages; `status` is what a server answers."""

from configs.errors import InputError
from configs.told import Told

__all__ = ["CaseRefused", "Conflict", "NotAllowed", "NotThere"]


class CaseRefused(InputError):
    """A step cannot be taken as a case stands.

    Parameters
    ----------
    told : Told
        Why, in both languages.
    where : str
        Case, clue or field.
    fix : Told
        What can be done.
    """

    status = 422

    def __init__(self, told: Told, where: str, fix: Told) -> None:
        super().__init__(told.en, where, fix.en)
        self.told, self.told_fix = told, fix

    def __reduce__(self) -> tuple[type["CaseRefused"], tuple[Told, str, Told]]:  # type: ignore[override]
        return type(self), (self.told, self.where, self.told_fix)


class Conflict(CaseRefused):
    """Somebody changed the case since it was looked at."""

    status = 412


class NotAllowed(CaseRefused):
    """The role, the level of review or the division may not."""

    status = 403


class NotThere(CaseRefused):
    """The case or clue is not there, or not in the division of who asks."""

    status = 404
