"""The error tree of the project: every error says what, where, and how to fix it.

::

    TubanError
    ├── ConfigError (ValueError)     a config, rule or layer file breaks its contract
    ├── InputError (ValueError)      data or a parameter breaks a documented contract
    │   ├── RasterError              a raster cannot be used
    │   │   └── DamagedImage         blocks of an image are damaged
    │   ├── LayerError               a vector layer is refused
    │   └── PairRefused              the pair gate refuses the two dates
    ├── ResourceError (OSError)      disk or memory does not suffice
    ├── StoreError (RuntimeError)    the clue store refuses
    │   └── StoreAway                it cannot be reached now
    └── RunError (RuntimeError)      a run cannot go on
        └── RunLocked                another operator holds the run folder
"""

from enum import IntEnum

__all__ = [
    "ConfigError",
    "DamagedImage",
    "ExitCode",
    "InputError",
    "LayerError",
    "PairRefused",
    "RasterError",
    "ResourceError",
    "RunError",
    "RunLocked",
    "StoreAway",
    "StoreError",
    "TubanError",
]


class ExitCode(IntEnum):
    """Exit codes of every ``tuban`` command."""

    OK = 0
    USER_ERROR = 1
    MISUSE = 2
    EXCEPTIONS = 3
    INTERRUPTED = 130


class TubanError(Exception):
    """Base of all errors of the project.

    Parameters
    ----------
    what : str
        What is wrong, with the value.
    where : str
        File, layer, row, field or parameter.
    fix : str
        What the reader can do about it.
    """

    def __init__(self, what: str, where: str, fix: str) -> None:
        super().__init__(what, where, fix)
        self.what, self.where, self.fix = what, where, fix

    def __reduce__(self) -> tuple[type["TubanError"], tuple[str, str, str]]:
        # OSError keeps two of three arguments, so that what is one would not come from a worker.
        return type(self), (self.what, self.where, self.fix)

    def __str__(self) -> str:
        return f"{self.what}\n  where: {self.where}\n  fix:   {self.fix}"


class ConfigError(TubanError, ValueError):
    """A config, rule, vocabulary or layer file breaks its contract."""


class InputError(TubanError, ValueError):
    """Data or a parameter breaks a documented contract."""


class RasterError(InputError):
    """A raster cannot be used as declared."""


class DamagedImage(RasterError):
    """Blocks in the middle of an image are damaged; reading it again does not help."""


class LayerError(InputError):
    """A vector layer is refused."""


class PairRefused(InputError):
    """The pair gate refuses the two dates."""


class ResourceError(TubanError, OSError):
    """Disk or memory does not suffice."""


class StoreError(TubanError, RuntimeError):
    """The clue store refuses a request."""


class StoreAway(StoreError):
    """The clue store cannot be reached or is held by others; later it may be."""


class RunError(TubanError, RuntimeError):
    """A run cannot go on."""


class RunLocked(RunError):
    """Another operator holds the run folder."""
